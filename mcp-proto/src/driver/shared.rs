//! What the handles and the driver share: one machine behind one mutex.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::task::{Context, Waker};

use super::afterwards::{Afterwards, Job, KEPT_ROOM, Listeners};
use super::calls::{Calls, Waiting};
use super::link::{Link, Scope, Turn};
use super::sync::{self, AtomicUsize, Mutex, MutexGuard, Ordering, PoisonError};
use super::transport::Runtime;
use super::watchers::{Change, Watch, Watchers};
#[cfg(feature = "snapshot")]
use crate::endpoint::Asked;
use crate::endpoint::Endpoint;
use crate::error::{CloseReason, ErrorObject, Violation};
use crate::event::{Event, PeerInfo};
use crate::id::RequestId;
use crate::json::{RawJson, Text};
use crate::revision::Revision;
use crate::role::Role;
use crate::sorted::Sorted;
use crate::time::Instant;

/// The machine, its tables of futures that wait, and the clock.
///
/// No code of the user runs under the lock, and no handle is dropped under it.
///
/// Who moves bytes knows what kind of link it is; to the handles each kind is the same.
pub(super) struct Shared<R: Role, L: ?Sized = dyn Link<R>> {
    runtime: Box<dyn Runtime>,
    /// Handles that keep the connection open.
    handles: AtomicUsize,
    state: Mutex<State<R, L>>,
}

/// A reason to stay open. When the last one is dropped, the connection closes.
pub(super) struct Handle<R: Role>(sync::Shared<Shared<R>>);

pub(super) struct State<R: Role, L: ?Sized = dyn Link<R>> {
    /// The driver's task.
    pub(super) driver: Option<Waker>,
    pub(super) calls: Calls,
    /// The calls whose queues were full when something was put in; some may have been emptied since.
    full: Vec<RequestId>,
    /// The calls whose queues may hold reports that keep the frames they came in.
    attached: Vec<RequestId>,
    /// Queues that were looked at to see whether they are full.
    #[cfg(test)]
    looks: core::cell::Cell<usize>,
    /// Requests that nobody has accepted yet; `None` where requests are not served.
    pub(super) accepting: Option<VecDeque<Accepted>>,
    /// None where nobody listens: connections idle. Shared, for they are called without the lock.
    pub(super) listeners: Option<Arc<Listeners>>,
    pub(super) closed: Option<CloseReason>,
    /// What the transport said when it failed.
    pub(super) trouble: Option<Box<str>>,
    /// The driver has ended: what was queued is written, or given up.
    pub(super) is_over: bool,
    /// Reports of calls that have come so far.
    pub(super) reports: u64,
    /// Futures that wait for a request, for output of the only scope to leave, and for the connection as a whole.
    accepting_watchers: Watchers,
    output_watchers: Watchers,
    phase_watchers: Watchers,
    /// Futures that wait for output of other scopes, or for the cancellation of a request: no more than run.
    other_watchers: Sorted<Change, Watchers>,
    next_watcher: u64,
    role: PhantomData<R>,
    pub(super) link: L,
}

/// Which request of the peer: its scope, and the serial that tells it from earlier ones with its id.
pub(super) type Key = (Scope, u64);

/// A request on its way to `accept`.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) key: Key,
    pub(super) id: RequestId,
    pub(super) revision: Revision,
    pub(super) method: Text,
    pub(super) params: Option<RawJson>,
    /// It was told to another process before.
    pub(super) is_resumed: bool,
}

impl<R: Role, L: Link<R>> Shared<R, L> {
    pub(super) fn new(link: L, accepts: bool, runtime: impl Runtime) -> sync::Shared<Self> {
        let state = State {
            driver: None,
            calls: Calls::default(),
            full: Vec::new(),
            attached: Vec::new(),
            #[cfg(test)]
            looks: core::cell::Cell::new(0),
            accepting: accepts.then(VecDeque::new),
            listeners: None,
            closed: None,
            trouble: None,
            is_over: false,
            reports: 0,
            accepting_watchers: Watchers::default(),
            output_watchers: Watchers::default(),
            phase_watchers: Watchers::default(),
            other_watchers: Sorted::new(),
            next_watcher: 0,
            role: PhantomData,
            link,
        };
        sync::Shared::new(Self {
            runtime: Box::new(runtime),
            handles: AtomicUsize::new(0),
            state: Mutex::new(state),
        })
    }
}

impl<R: Role, L: Link<R> + ?Sized> Shared<R, L> {
    pub(super) fn now(&self) -> Instant {
        self.runtime.now()
    }

    pub(super) fn runtime(&self) -> &dyn Runtime {
        &*self.runtime
    }

    /// The state, to be looked at and changed without the driver noticing.
    pub(super) fn lock(&self) -> MutexGuard<'_, State<R, L>> {
        // A panic under the lock would be a bug of this crate; the machine itself is never half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and wakes those who see to what follows.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State<R, L>, Instant) -> T) -> T {
        let now = self.now();
        let mut state = self.lock();
        let result = change(&mut state, now);
        let waker = match state.link.settle() {
            Turn::Driver => state.driver.take(),
            #[cfg(feature = "http")]
            Turn::Task(waker) => Some(waker),
            #[cfg(feature = "http")]
            Turn::Nobody => None,
        };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    /// The driver has ended, or is gone: nothing will ever move again, so everything ends now.
    pub(super) fn abandon(&self) {
        let now = self.now();
        let mut afterwards = Afterwards::default();
        let mut state = self.lock();
        state.link.handle_transport_error(now);
        while let Some((scope, event)) = state.link.poll_event(true) {
            state.sort(scope, event, now, &mut afterwards);
        }
        state.is_over = true;
        state.wake_all(&mut afterwards);
        let listeners = state.listeners.clone();
        drop(state);
        afterwards.run(listeners.as_deref());
    }
}

impl<R: Role> Shared<R> {
    /// Why the connection ended, once its driver has too.
    pub(super) async fn over(&self) -> CloseReason {
        self.watch(Change::Phase, |state| state.closed.clone().filter(|_| state.is_over)).await
    }

    /// Waits until `look` finds something; it looks again whenever there was such a change.
    pub(super) fn watch<T, F>(&self, change: Change, look: F) -> Watch<'_, R, F>
    where
        F: FnMut(&mut State<R>) -> Option<T>,
    {
        Watch::new(self, change, look)
    }
}

impl<R: Role> Handle<R> {
    pub(super) fn new(shared: sync::Shared<Shared<R>>) -> Self {
        shared.handles.fetch_add(1, Ordering::Relaxed);
        Self(shared)
    }
}

impl<R: Role> core::ops::Deref for Handle<R> {
    type Target = Shared<R>;

    fn deref(&self) -> &Shared<R> {
        &self.0
    }
}

impl<R: Role> Clone for Handle<R> {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}

impl<R: Role> Drop for Handle<R> {
    fn drop(&mut self) {
        if self.0.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.change(|state, now| state.link.close(now));
        }
    }
}

/// Lets `slot` wake the task of `cx`. Whom it woke before is returned, to be dropped without the lock: a waker may
/// own its task, and the task a handle.
#[must_use]
pub(super) fn register(slot: &mut Option<Waker>, cx: &Context<'_>) -> Option<Waker> {
    match slot {
        Some(waker) if waker.will_wake(cx.waker()) => None,
        _ => slot.replace(cx.waker().clone()),
    }
}

impl<R: Role, L: Link<R> + ?Sized> State<R, L> {
    /// The peer of a link with one endpoint, once it is known.
    pub(super) fn peer(&self) -> Option<PeerInfo> {
        self.link.endpoint(Scope::ONLY)?.peer().cloned()
    }

    /// What the transport said when it failed, for the application.
    pub(super) fn last_trouble(&self) -> Option<String> {
        self.trouble.as_deref().map(String::from)
    }

    /// Whether the reports of some call wait for their listener, and must not get more. Where streams are apart, the
    /// link knows which of them that is.
    pub(super) fn is_paused(&self) -> bool {
        self.full.iter().any(|id| self.is_full(id))
    }

    fn is_full(&self, id: &RequestId) -> bool {
        #[cfg(test)]
        self.looks.set(self.looks.get() + 1);
        self.calls.get(id).is_some_and(Waiting::is_full)
    }

    /// Sorts what happened to the futures that wait for it. Stops at what a listener of the connection
    /// shall hear: it runs before anything later is seen. And stops behind many requests: a burst that came
    /// in one read shall find its handlers, not the limit of those in flight.
    pub(super) fn pump(&mut self, now: Instant, afterwards: &mut Afterwards) {
        if !self.full.is_empty() {
            let mut full = core::mem::take(&mut self.full);
            full.retain(|id| {
                let is_full = self.is_full(id);
                if !is_full {
                    self.link.unstall(id);
                }
                is_full
            });
            self.full = full;
        }
        while afterwards.jobs.is_empty()
            && !afterwards.is_burst()
            && let Some((scope, event)) = self.next_event()
        {
            self.sort(scope, event, now, afterwards);
        }
    }

    /// The next event. While a queue is full nothing more is decoded that shares its stream; what has happened by then,
    /// the end of another call or of the connection among it, does not wait.
    fn next_event(&mut self) -> Option<(Scope, Event)> {
        let decodes = !self.is_paused();
        self.link.poll_event(decodes)
    }

    /// Keeps the waker of a future that waits for such a change.
    #[must_use]
    pub(super) fn keep_watcher(
        &mut self,
        change: Change,
        key: &mut Option<u64>,
        cx: &Context<'_>,
    ) -> Option<Waker> {
        let watchers = match change {
            Change::Request => &mut self.accepting_watchers,
            Change::Output(Scope::ONLY) => &mut self.output_watchers,
            Change::Phase => &mut self.phase_watchers,
            Change::Output(_) | Change::Cancelled(_) => {
                // Those that are there stay.
                self.other_watchers.insert(change, Watchers::default());
                self.other_watchers.get_mut(&change)?
            }
        };
        watchers.keep(key, &mut self.next_watcher, cx)
    }

    /// Gives back the waker of a future that waits no longer.
    #[must_use]
    pub(super) fn release_watcher(&mut self, change: Change, key: Option<u64>) -> Option<Waker> {
        let watchers = self.watchers(change)?;
        let released = watchers.release(key);
        if watchers.is_empty() {
            self.forget(change);
        }
        released
    }

    /// Nobody waits for such a change any more.
    fn forget(&mut self, change: Change) {
        match change {
            Change::Output(Scope::ONLY) | Change::Request => {} // mostly somebody will again
            Change::Phase => self.phase_watchers = Watchers::default(),
            Change::Output(_) | Change::Cancelled(_) => {
                self.other_watchers.remove(&change);
            }
        }
    }

    /// Before the next input: what came with the last and was not taken yet keeps its own words and no more.
    pub(super) fn detach(&mut self) {
        if self.attached.is_empty() {
            return;
        }
        for id in self.attached.drain(..) {
            if let Some(queue) = self.calls.get_mut(&id).and_then(|call| call.queue.as_mut()) {
                queue.detach();
            }
        }
        self.attached.shrink_to(KEPT_ROOM);
    }

    /// Lets every future look again that waits for such a change.
    pub(super) fn wake_watchers(&mut self, change: Change, afterwards: &mut Afterwards) {
        if let Some(watchers) = self.watchers(change) {
            afterwards.wakers.extend(watchers.take());
            self.forget(change);
        }
    }

    /// Lets every future look again that waits for something in a scope.
    fn wake_scope(&mut self, scope: Scope, afterwards: &mut Afterwards) {
        self.wake_watchers(Change::Output(scope), afterwards);
        let first = Change::Cancelled((scope, 0));
        while let Some(change) = self.other_watchers.next(&first)
            && matches!(change, Change::Cancelled((found, _)) if *found == scope)
        {
            self.wake_watchers(*change, afterwards);
        }
    }

    fn watchers(&mut self, change: Change) -> Option<&mut Watchers> {
        match change {
            Change::Request => Some(&mut self.accepting_watchers),
            Change::Output(Scope::ONLY) => Some(&mut self.output_watchers),
            Change::Phase => Some(&mut self.phase_watchers),
            Change::Output(_) | Change::Cancelled(_) => self.other_watchers.get_mut(&change),
        }
    }

    /// Lets every future look again that waits for output to leave, of any scope.
    #[cfg(feature = "http")]
    pub(super) fn wake_outputs(&mut self, afterwards: &mut Afterwards) {
        afterwards.wakers.extend(self.output_watchers.take());
        let first = Change::Output(Scope(0));
        while let Some(change @ Change::Output(_)) = self.other_watchers.next(&first) {
            self.wake_watchers(*change, afterwards);
        }
    }

    fn wake_all(&mut self, afterwards: &mut Afterwards) {
        for change in [Change::Request, Change::Phase, Change::Output(Scope::ONLY)] {
            self.wake_watchers(change, afterwards);
        }
        for (_, mut watchers) in self.other_watchers.take() {
            afterwards.wakers.extend(watchers.take());
        }
    }

    fn sort(&mut self, scope: Scope, event: Event, now: Instant, afterwards: &mut Afterwards) {
        match event {
            Event::Progress { id, progress } => {
                self.reports += 1;
                if let Some(waiting) = self.calls.get_mut(&id) {
                    let was_full = waiting.is_full();
                    let is_attached = waiting.push(progress);
                    afterwards.wakers.extend(waiting.take_waker());
                    if waiting.is_full() && !was_full {
                        self.link.stall(&id);
                        self.full.push(id.clone());
                    }
                    if is_attached {
                        self.attached.push(id);
                    }
                }
            }
            Event::Response { id, outcome } => {
                if let Some(waiting) = self.calls.get_mut(&id) {
                    afterwards.wakers.extend(waiting.end(outcome.map_err(Box::new)));
                }
            }
            Event::Request { id, method, params } => {
                self.enqueue(scope, id, method, params, false, now);
                afterwards.handed_over += usize::from(self.accepting.is_some());
                self.wake_watchers(Change::Request, afterwards);
            }
            Event::Cancelled { id, .. } => {
                self.cancelled(scope, &id, now, afterwards);
                // Nothing of it has to leave any more.
                self.wake_watchers(Change::Output(scope), afterwards);
            }
            Event::Closed(reason) if self.link.ends_with(scope) => {
                self.closed = Some(reason);
                self.wake_all(afterwards);
            }
            Event::Closed(_) => self.wake_scope(scope, afterwards),
            Event::Notification { method, params } if method == "notifications/message" => {
                match params.as_ref().map(RawJson::decode) {
                    Some(Ok(message)) => afterwards.jobs.push(Job::Log(message)),
                    _ => afterwards.jobs.push(Job::Violation(Violation::BadNotification(
                        "notifications/message".into(),
                    ))),
                }
            }
            Event::Notification { method, params } => {
                afterwards.jobs.push(Job::Notification(method, params))
            }
            Event::Violation(violation) => afterwards.jobs.push(Job::Violation(violation)),
            #[cfg(feature = "http")]
            Event::Interrupted { id } => afterwards.jobs.push(Job::Interrupted(id)),
            #[cfg(feature = "http")]
            Event::Resumed { id } => afterwards.jobs.push(Job::Resumed(id)),
            #[cfg(not(feature = "http"))]
            Event::Interrupted { .. } | Event::Resumed { .. } => {}
            Event::Undelivered { .. } => {} // who reports is told by `is_progress_wanted`
            Event::Ready(_) => self.wake_watchers(Change::Phase, afterwards),
        }
    }

    fn enqueue(
        &mut self,
        scope: Scope,
        id: RequestId,
        method: Text,
        params: Option<RawJson>,
        is_resumed: bool,
        now: Instant,
    ) {
        // If it is gone, so is its scope.
        let Some(endpoint) = self.link.endpoint_mut(scope) else { return };
        let Some(accepting) = &mut self.accepting else {
            // Nobody answers requests here. The only refusal possible is that it is gone, which is fine.
            let _ = endpoint.fail(&id, &ErrorObject::method_not_found(), now);
            return;
        };
        let (Some(serial), Some(revision)) = (endpoint.serial_of(&id), endpoint.revision_of(&id))
        else {
            return;
        };
        let key = (scope, serial);
        accepting.push_back(Accepted { key, id, revision, method, params, is_resumed });
    }

    /// A scope has come from elsewhere: what was told there is accepted again.
    #[cfg(feature = "snapshot")]
    pub(super) fn resume(&mut self, scope: Scope, now: Instant, afterwards: &mut Afterwards) {
        let Some(endpoint) = self.link.endpoint_mut(scope) else { return };
        let all = endpoint.in_flight();
        let all: Vec<_> =
            all.map(|it| (it.id.clone(), it.asked.filter(|_| !it.is_cancelled).cloned())).collect();
        for (id, asked) in all {
            match asked {
                Some(Asked { method, params }) => {
                    self.enqueue(scope, id, method, params, true, now);
                }
                // Nobody works on it, or nobody knows what it was.
                None => {
                    if let Some(endpoint) = self.link.endpoint_mut(scope) {
                        endpoint.abandon(&id, now);
                    }
                }
            }
        }
        self.wake_watchers(Change::Request, afterwards);
    }

    /// A scope goes elsewhere: nobody here works on its requests any more.
    #[cfg(all(feature = "http", feature = "snapshot"))]
    pub(super) fn depart(&mut self, scope: Scope, afterwards: &mut Afterwards) {
        if let Some(accepting) = &mut self.accepting {
            accepting.retain(|accepted| accepted.key.0 != scope);
        }
        self.wake_scope(scope, afterwards);
    }

    fn cancelled(
        &mut self,
        scope: Scope,
        id: &RequestId,
        now: Instant,
        afterwards: &mut Afterwards,
    ) {
        let Some(endpoint) = self.link.endpoint_mut(scope) else { return };
        let Some(serial) = endpoint.serial_of(id) else { return };
        let key = (scope, serial);
        if let Some(accepting) = &mut self.accepting
            && let Some(at) = accepting.iter().position(|accepted| accepted.key == key)
        {
            // Nobody has seen it yet, so nobody needs to.
            accepting.remove(at);
            endpoint.abandon(id, now);
        } else {
            self.wake_watchers(Change::Cancelled(key), afterwards);
        }
    }

    /// The next request that nobody has accepted yet. What has ended with its connection in the meantime is nobody's any more.
    pub(super) fn accept(&mut self) -> Option<Accepted> {
        loop {
            let accepted = self.accepting.as_mut()?.pop_front()?;
            if self.serving(accepted.key, &accepted.id).is_some() {
                return Some(accepted);
            }
        }
    }

    /// Whether a scope has ended.
    pub(super) fn is_closed(&self, scope: Scope) -> bool {
        self.link.endpoint(scope).is_none_or(Endpoint::is_closed)
    }

    /// The endpoint of that request, if it is still to be answered, or at least to be let go of.
    pub(super) fn serving(&self, (scope, serial): Key, id: &RequestId) -> Option<&Endpoint<R>> {
        self.link.endpoint(scope).filter(|endpoint| endpoint.serial_of(id) == Some(serial))
    }

    /// The same, to be changed.
    pub(super) fn serving_mut(
        &mut self,
        (scope, serial): Key,
        id: &RequestId,
    ) -> Option<&mut Endpoint<R>> {
        self.link.endpoint_mut(scope).filter(|endpoint| endpoint.serial_of(id) == Some(serial))
    }
}

#[cfg(test)]
mod tests;
