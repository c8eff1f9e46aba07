//! What the handles and the driver share: one machine behind one mutex.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::task::{Context, Waker};

use super::calls::{Calls, Waiting};
use super::sync::{self, AtomicUsize, Mutex, MutexGuard, Ordering, PoisonError};
use super::transport::Runtime;
use super::watchers::{Change, Watch, Watchers};
use crate::endpoint::Endpoint;
use crate::error::{CloseReason, ErrorObject, Violation};
use crate::event::{Event, PeerInfo};
use crate::id::RequestId;
use crate::json::{RawJson, Text};
use crate::revision::Revision;
use crate::role::Role;
use crate::stdio::Connection;
use crate::time::Instant;
use crate::types::{LogMessage, Progress};

/// The machine, its tables of futures that wait, and the clock.
///
/// No code of the user runs under the lock, and no handle is dropped under it.
pub(super) struct Shared<R> {
    state: Mutex<State<R>>,
    runtime: Box<dyn Runtime>,
    /// Handles that keep the connection open.
    handles: AtomicUsize,
}

/// A reason to stay open. When the last one is dropped, the connection closes.
pub(super) struct Handle<R: Role>(sync::Arc<Shared<R>>);

pub(super) struct State<R> {
    pub(super) conn: Connection<R>,
    /// The driver's task.
    pub(super) driver: Option<Waker>,
    pub(super) calls: Calls,
    /// The calls whose queues were full when something was put in; some may have been emptied since.
    full: BTreeSet<RequestId>,
    /// The calls whose queues may hold reports that keep the frames they came in.
    attached: Vec<RequestId>,
    /// Queues that were looked at to see whether they are full.
    #[cfg(test)]
    looks: core::cell::Cell<usize>,
    /// Requests that nobody has accepted yet; `None` where requests are not served.
    pub(super) accepting: Option<VecDeque<Accepted>>,
    pub(super) listeners: Listeners,
    pub(super) closed: Option<CloseReason>,
    /// The driver has ended: what was queued is written, or given up.
    pub(super) is_over: bool,
    /// Reports of calls that have come so far.
    pub(super) reports: u64,
    /// Futures that wait for a request, for output to leave, and for the connection as a whole.
    accepting_watchers: Watchers,
    output_watchers: Watchers,
    phase_watchers: Watchers,
    /// Futures that wait for the cancellation of a request, by its serial.
    cancel_watchers: BTreeMap<u64, Watchers>,
    next_watcher: u64,
}

/// A request on its way to `accept`. Its serial tells it from an earlier one with the same id.
#[derive(Debug)]
pub(super) struct Accepted {
    pub(super) id: RequestId,
    pub(super) serial: u64,
    pub(super) revision: Revision,
    pub(super) method: Text,
    pub(super) params: Option<RawJson>,
}

/// What the connection as a whole is listened to with.
#[derive(Clone, Default)]
pub(super) struct Listeners {
    pub(super) progress: Option<Arc<OnProgress>>,
    pub(super) log: Option<Arc<dyn Fn(LogMessage) + Send + Sync>>,
    pub(super) violation: Option<Arc<dyn Fn(Violation) + Send + Sync>>,
    pub(super) notification: Option<Arc<OnNotification>>,
}

type OnProgress = dyn Fn(&RequestId, &Progress) + Send + Sync;
type OnNotification = dyn Fn(&str, Option<&RawJson>) + Send + Sync;

/// What is left to do once the lock is released.
#[derive(Default)]
pub(super) struct Afterwards {
    pub(super) wakers: Vec<Waker>,
    pub(super) jobs: Vec<Job>,
    /// Requests that now wait to be accepted.
    pub(super) handed_over: usize,
}

/// Requests after which those who accept and handle them get their turn.
const BURST: usize = 32;

/// Room of lists that is kept.
const KEPT_ROOM: usize = 16;

/// One event for a listener of the connection.
pub(super) enum Job {
    Log(LogMessage),
    Violation(Violation),
    Notification(Text, Option<RawJson>),
}

impl<R: Role> Shared<R> {
    pub(super) fn new(
        conn: Connection<R>,
        accepts: bool,
        runtime: impl Runtime,
    ) -> sync::Arc<Self> {
        let state = State {
            conn,
            driver: None,
            calls: Calls::default(),
            full: BTreeSet::new(),
            attached: Vec::new(),
            #[cfg(test)]
            looks: core::cell::Cell::new(0),
            accepting: accepts.then(VecDeque::new),
            listeners: Listeners::default(),
            closed: None,
            is_over: false,
            reports: 0,
            accepting_watchers: Watchers::default(),
            output_watchers: Watchers::default(),
            phase_watchers: Watchers::default(),
            cancel_watchers: BTreeMap::new(),
            next_watcher: 0,
        };
        sync::Arc::new(Self {
            state: Mutex::new(state),
            runtime: Box::new(runtime),
            handles: AtomicUsize::new(0),
        })
    }

    pub(super) fn now(&self) -> Instant {
        self.runtime.now()
    }

    pub(super) fn runtime(&self) -> &dyn Runtime {
        &*self.runtime
    }

    /// The state, to be looked at and changed without the driver noticing.
    pub(super) fn lock(&self) -> MutexGuard<'_, State<R>> {
        // A panic under the lock would be a bug of this crate; the machine itself is never half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and lets the driver see to what follows.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State<R>, Instant) -> T) -> T {
        let now = self.now();
        let mut state = self.lock();
        let result = change(&mut state, now);
        let driver = state.driver.take();
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
        result
    }

    /// The driver has ended, or is gone: nothing will ever move again, so everything ends now.
    pub(super) fn abandon(&self) {
        let now = self.now();
        let mut afterwards = Afterwards::default();
        let mut state = self.lock();
        state.conn.handle_transport_error(now);
        while let Some(event) = state.conn.poll_event() {
            state.sort(event, now, &mut afterwards);
        }
        state.is_over = true;
        state.wake_all(&mut afterwards);
        let listeners = state.listeners.clone();
        drop(state);
        afterwards.run(&listeners);
    }

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
    pub(super) fn new(shared: sync::Arc<Shared<R>>) -> Self {
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
            self.0.change(|state, now| state.conn.close(now));
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

impl<R: Role> State<R> {
    pub(super) fn peer(&self) -> Option<PeerInfo> {
        self.conn.peer().cloned()
    }

    /// Whether the reports of some call wait for their listener, and must not get more.
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
            full.retain(|id| self.is_full(id));
            self.full = full;
        }
        while afterwards.jobs.is_empty()
            && !afterwards.is_burst()
            && let Some(event) = self.next_event()
        {
            self.sort(event, now, afterwards);
        }
    }

    /// The next event. While a queue is full nothing more is decoded; what has happened by then, the end
    /// of another call or of the connection among it, does not wait.
    fn next_event(&mut self) -> Option<Event> {
        if self.is_paused() { Endpoint::poll_event(&mut self.conn) } else { self.conn.poll_event() }
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
            Change::Output => &mut self.output_watchers,
            Change::Phase => &mut self.phase_watchers,
            Change::Cancelled(serial) => self.cancel_watchers.entry(serial).or_default(),
        };
        watchers.keep(key, &mut self.next_watcher, cx)
    }

    /// Gives back the waker of a future that waits no longer.
    #[must_use]
    pub(super) fn release_watcher(&mut self, change: Change, key: Option<u64>) -> Option<Waker> {
        let released = self.watchers(change)?.release(key);
        if let Change::Cancelled(serial) = change
            && self.watchers(change).is_some_and(|watchers| watchers.is_empty())
        {
            self.cancel_watchers.remove(&serial);
        }
        released
    }

    /// Before the next input: what came with the last and was not taken yet keeps its own words and no more.
    pub(super) fn detach(&mut self) {
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
        }
        if let Change::Cancelled(serial) = change {
            self.cancel_watchers.remove(&serial);
        }
    }

    fn watchers(&mut self, change: Change) -> Option<&mut Watchers> {
        match change {
            Change::Request => Some(&mut self.accepting_watchers),
            Change::Output => Some(&mut self.output_watchers),
            Change::Phase => Some(&mut self.phase_watchers),
            Change::Cancelled(serial) => self.cancel_watchers.get_mut(&serial),
        }
    }

    fn wake_all(&mut self, afterwards: &mut Afterwards) {
        for change in [Change::Request, Change::Output, Change::Phase] {
            self.wake_watchers(change, afterwards);
        }
        for mut watchers in core::mem::take(&mut self.cancel_watchers).into_values() {
            afterwards.wakers.extend(watchers.take());
        }
    }

    fn sort(&mut self, event: Event, now: Instant, afterwards: &mut Afterwards) {
        match event {
            Event::Progress { id, progress } => {
                self.reports += 1;
                if let Some(waiting) = self.calls.get_mut(&id) {
                    let is_attached = waiting.push(progress);
                    afterwards.wakers.extend(waiting.waker.take());
                    if waiting.is_full() {
                        self.full.insert(id.clone());
                    }
                    if is_attached {
                        self.attached.push(id);
                    }
                }
            }
            Event::Response { id, outcome } => {
                if let Some(waiting) = self.calls.get_mut(&id) {
                    waiting.outcome = Some(outcome.map_err(Box::new));
                    afterwards.wakers.extend(waiting.waker.take());
                }
            }
            Event::Request { id, method, params } => {
                self.enqueue(id, method, params, now);
                afterwards.handed_over += usize::from(self.accepting.is_some());
                self.wake_watchers(Change::Request, afterwards);
            }
            Event::Cancelled { id, .. } => {
                self.cancelled(&id, now, afterwards);
                // Nothing of it has to leave any more.
                self.wake_watchers(Change::Output, afterwards);
            }
            Event::Closed(reason) => {
                self.closed = Some(reason);
                self.wake_all(afterwards);
            }
            Event::Notification { method, params } if method == "notifications/message" => {
                match params.as_ref().map(RawJson::decode) {
                    Some(Ok(message)) => afterwards.jobs.push(Job::Log(message)),
                    _ => afterwards
                        .jobs
                        .push(Job::Violation(Violation::BadNotification("notifications/message"))),
                }
            }
            Event::Notification { method, params } => {
                afterwards.jobs.push(Job::Notification(method, params))
            }
            Event::Violation(violation) => afterwards.jobs.push(Job::Violation(violation)),
            Event::Ready(_) => self.wake_watchers(Change::Phase, afterwards),
        }
    }

    fn enqueue(&mut self, id: RequestId, method: Text, params: Option<RawJson>, now: Instant) {
        let Some(accepting) = &mut self.accepting else {
            // Nobody answers requests here. The only refusal possible is that it is gone, which is fine.
            let _ = self.conn.fail(&id, &ErrorObject::method_not_found(), now);
            return;
        };
        // If it is gone, so is the connection.
        let (Some(serial), Some(revision)) = (self.conn.serial_of(&id), self.conn.revision_of(&id))
        else {
            return;
        };
        accepting.push_back(Accepted { id, serial, revision, method, params });
    }

    fn cancelled(&mut self, id: &RequestId, now: Instant, afterwards: &mut Afterwards) {
        if let Some(accepting) = &mut self.accepting
            && let Some(at) = accepting.iter().position(|accepted| accepted.id == *id)
        {
            // Nobody has seen it yet, so nobody needs to.
            accepting.remove(at);
            self.conn.abandon(id, now);
        } else if let Some(serial) = self.conn.serial_of(id) {
            self.wake_watchers(Change::Cancelled(serial), afterwards);
        }
    }

    /// The next request that nobody has accepted yet.
    pub(super) fn accept(&mut self) -> Option<Accepted> {
        self.accepting.as_mut()?.pop_front()
    }

    /// Whether the request of that id and serial is still to be answered, or at least to be let go of.
    pub(super) fn is_serving(&self, id: &RequestId, serial: u64) -> bool {
        self.conn.serial_of(id) == Some(serial)
    }
}

impl Afterwards {
    /// Whether so many requests were handed over that it is the turn of those who handle them.
    pub(super) fn is_burst(&self) -> bool {
        self.handed_over >= BURST
    }

    /// Does it, without the lock.
    pub(super) fn run(&mut self, listeners: &Listeners) {
        for job in self.jobs.drain(..) {
            // A listener that panics must not end the connection for everybody else.
            let _ = super::listen::caught(|| match job {
                Job::Log(message) => {
                    listeners.log.iter().for_each(|listen| listen(message.clone()))
                }
                Job::Violation(violation) => {
                    listeners.violation.iter().for_each(|listen| listen(violation.clone()));
                }
                Job::Notification(method, params) => {
                    listeners
                        .notification
                        .iter()
                        .for_each(|listen| listen(&method, params.as_ref()));
                }
            });
        }
        self.wake();
    }

    /// Wakes who waits, without the lock.
    pub(super) fn wake(&mut self) {
        self.handed_over = 0;
        self.wakers.drain(..).for_each(Waker::wake);
        self.wakers.shrink_to(KEPT_ROOM);
    }
}

#[cfg(test)]
mod tests {
    use super::super::queue::Delivery;
    use super::*;
    use crate::config::{CallOptions, ClientConfig};
    use crate::revision::Revision;
    use crate::types::CallTool;
    use alloc::format;
    use alloc::string::String;
    use core::future::Future;
    use core::pin::Pin;

    const CALLS: i64 = 1_000;
    const REPORTS: usize = 200;

    struct NoTime;

    impl Runtime for NoTime {
        fn now(&self) -> Instant {
            Instant::ZERO
        }

        fn timer(&self, _at: Instant) -> Pin<Box<dyn super::super::transport::Timer>> {
            let never: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(core::future::pending());
            Box::pin(never)
        }
    }

    #[test]
    fn an_event_looks_at_no_call_but_its_own() {
        let config = ClientConfig::new("c", "1").revisions(Revision::V2025_11_25);
        let mut conn = Connection::client(config, Instant::ZERO);
        conn.handle_input(
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\",\
              \"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}\n",
            Instant::ZERO,
        );
        let shared = Shared::new(conn, false, NoTime);
        let mut state = shared.lock();
        let mut afterwards = Afterwards::default();
        state.pump(Instant::ZERO, &mut afterwards);
        for _ in 0..CALLS {
            while let Some(length) = state.conn.poll_transmit().map(<[u8]>::len) {
                state.conn.advance_transmit(length);
            }
            let options = CallOptions::default().tracked();
            let ticket = state.conn.request(&CallTool::new("t"), options, Instant::ZERO).unwrap();
            state.calls.insert(ticket.id(), Waiting::new(Delivery::Every));
        }
        let report = |n: usize| {
            format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":2,\"progress\":{n}}}}}\n"
            )
        };
        let reports: String = (0..REPORTS).map(report).collect();
        state.conn.handle_input(reports.as_bytes(), Instant::ZERO);
        state.looks.set(0);
        state.pump(Instant::ZERO, &mut afterwards);
        assert_eq!(state.reports, REPORTS as u64);
        assert!(state.looks.get() <= 2 * REPORTS, "{} looks", state.looks.get());
        assert!(!state.is_paused());
        // The queue fills up, which is noticed; and that it was emptied is noticed too.
        let more: String = (REPORTS..2 * REPORTS).map(report).collect();
        state.conn.handle_input(more.as_bytes(), Instant::ZERO);
        state.pump(Instant::ZERO, &mut afterwards);
        assert!(state.is_paused() && state.reports < 2 * REPORTS as u64);
        let id = RequestId::from(2);
        while let Some(waiting) = state.calls.get_mut(&id)
            && waiting.queue.as_mut().unwrap().pop().is_some()
        {}
        assert!(!state.is_paused());
        state.pump(Instant::ZERO, &mut afterwards);
        assert_eq!(state.reports, 2 * REPORTS as u64);
    }
}
