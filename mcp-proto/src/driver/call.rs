//! One call as a future.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll};

use super::calls::Waiting;
use super::link::Scope;
use super::listen::{AsyncClosure, Closure, Handled, Listen, ListenerError, Silent, caught};
use super::queue::Delivery;
use super::shared::{Handle, register};
use super::unsent::Unsent;
use crate::config::{CallOptions, Timeouts};
use crate::error::{CallError, SendError};
use crate::id::{ProgressToken, RequestId};
use crate::json::{EncodeError, RawJson};
use crate::role::Client;
use crate::types::Progress;

/// One call: a future of its result.
///
/// Nothing is sent before it is first polled. Reports that came before the result reach the listener before the future is
/// ready, in order, and none after: each of them with [`Delivery::Every`], and else all but those in the middle that a newer
/// one replaced because too many waited. The listener runs inside the caller's
/// own `.await`, so it may borrow from the stack. Dropping the future cancels the call.
#[must_use = "a call is not sent until it is awaited"]
pub struct Call<T, L = Silent> {
    handle: Handle<Client>,
    stage: Stage,
    decode: fn(RawJson) -> Result<T, CallError>,
    listener: L,
    /// A report is being handled; no other begins before it is done.
    is_busy: bool,
    failed: Option<ListenerError>,
    merged: u64,
}

enum Stage {
    Unsent(Box<Unsent>),
    Sent(RequestId),
    /// It could not be sent.
    Refused(SendError),
    /// Its result was taken.
    Over,
}

/// How a call ended, with what became of its listener.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome<T> {
    /// The result.
    pub result: Result<T, CallError>,
    /// Reports that were merged into newer ones because the listener did not take them in time.
    pub merged: u64,
    /// Whether the listener handled every report it got. After a failure it gets no more.
    pub listener: Result<(), ListenerError>,
}

impl<T> Call<T> {
    pub(super) fn new(
        handle: Handle<Client>,
        method: Cow<'static, str>,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
        decode: fn(RawJson) -> Result<T, CallError>,
    ) -> Self {
        let stage = match Unsent::new(method, write) {
            Ok(unsent) => Stage::Unsent(unsent),
            Err(error) => Stage::Refused(error.into()),
        };
        Self { handle, stage, decode, listener: Silent, is_busy: false, failed: None, merged: 0 }
    }

    /// Listens to the call's progress. The closure may return a `Result`; after an error or a panic it
    /// gets no more reports, and [`outcome`](Call::outcome) tells.
    pub fn on_progress<F, H>(self, listener: F) -> Call<T, Closure<F>>
    where
        F: FnMut(Progress) -> H,
        H: Handled,
    {
        self.listener(Closure(listener))
    }

    /// Listens to the call's progress with an async closure: one report at a time, in order.
    pub fn on_progress_async<F, Fut>(self, listener: F) -> Call<T, AsyncClosure<F, Fut>>
    where
        F: FnMut(Progress) -> Fut,
        Fut: Future<Output: Handled>,
    {
        self.listener(AsyncClosure { closure: listener, running: None })
    }

    fn listener<L>(mut self, listener: L) -> Call<T, L> {
        Call {
            handle: self.handle.clone(),
            stage: core::mem::replace(&mut self.stage, Stage::Over),
            decode: self.decode,
            listener,
            is_busy: false,
            failed: None,
            merged: 0,
        }
    }

    /// The next report; `None` once the result is there, which awaiting the call then gives.
    ///
    /// This is the call as a stream: it asks for progress, as a listener would.
    pub async fn next_progress(&mut self) -> Option<Progress> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Progress>> {
        self.send(true);
        match self.poll_taken(cx) {
            Poll::Ready(Taken::Report(progress)) => Poll::Ready(Some(progress)),
            Poll::Ready(Taken::Result) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T, L> Call<T, L> {
    /// Sets what becomes of reports that the listener does not take in time.
    pub fn delivery(mut self, delivery: Delivery) -> Self {
        if let Stage::Unsent(unsent) = &mut self.stage {
            unsent.delivery = delivery;
        }
        self
    }

    /// Sets the deadlines; without it the client's own hold.
    pub fn timeouts(self, timeouts: Timeouts) -> Self {
        self.with_options(|options| options.timeouts(timeouts))
    }

    /// Asks for no progress, whatever the deadlines and listeners are.
    pub fn untracked(self) -> Self {
        self.with_options(CallOptions::untracked)
    }

    /// Asks for progress under a token of the caller's own.
    pub fn progress_token(self, token: impl Into<ProgressToken>) -> Self {
        self.with_options(|options| options.progress_token(token))
    }

    /// Adds members to the request's `_meta`, such as trace context.
    pub fn meta(self, meta: RawJson) -> Self {
        self.with_options(|options| options.meta(meta))
    }

    fn with_options(mut self, change: impl FnOnce(CallOptions) -> CallOptions) -> Self {
        if let Stage::Unsent(unsent) = &mut self.stage {
            unsent.options = change(core::mem::take(&mut unsent.options));
        }
        self
    }

    /// The id of the request, once it is sent.
    pub fn id(&self) -> Option<&RequestId> {
        match &self.stage {
            Stage::Sent(id) => Some(id),
            _ => None,
        }
    }

    /// Gives the call up, with a reason that the server may log. Dropping it does the same without one.
    pub fn cancel(mut self, reason: &str) {
        self.give_up(Some(reason));
    }

    fn give_up(&mut self, reason: Option<&str>) {
        if let Stage::Sent(id) = core::mem::replace(&mut self.stage, Stage::Over) {
            let waiting = self.handle.change(|state, now| {
                if let Some(endpoint) = state.link.endpoint_mut(Scope::ONLY) {
                    endpoint.cancel(&id, reason, now);
                }
                state.calls.remove(&id)
            });
            drop(waiting);
        }
    }

    /// Sends the request, unless that was tried before.
    fn send(&mut self, is_listening: bool) {
        let Stage::Unsent(unsent) = &mut self.stage else { return };
        let sent = self.handle.change(|state, now| unsent.send(is_listening, state, now));
        let stage = sent.map_or_else(Stage::Refused, Stage::Sent);
        if let Stage::Unsent(unsent) = core::mem::replace(&mut self.stage, stage) {
            unsent.keep();
        }
    }

    /// The next report, or the news that the result is there and no report is before it.
    fn poll_taken(&mut self, cx: &mut Context<'_>) -> Poll<Taken> {
        let Stage::Sent(id) = &self.stage else { return Poll::Ready(Taken::Result) };
        let mut state = self.handle.lock();
        let Some(waiting) = state.calls.get_mut(id) else { return Poll::Ready(Taken::Result) };
        let mut was_full = false;
        let report = waiting.queue.as_mut().and_then(|queue| {
            was_full = queue.is_full();
            self.merged = queue.merged();
            queue.pop()
        });
        let taken = match (report, waiting.waker_mut()) {
            (Some(progress), _) => Taken::Report(progress),
            (None, None) => Taken::Result,
            (None, Some(waker)) => {
                let former = register(waker, cx);
                drop(state);
                drop(former);
                return Poll::Pending;
            }
        };
        let driver = was_full.then(|| state.driver.take()).flatten();
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
        Poll::Ready(taken)
    }

    fn take_result(&mut self) -> Result<T, CallError> {
        let id = match core::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Sent(id) => id,
            Stage::Refused(error) => return Err(error.into()),
            Stage::Unsent(_) | Stage::Over => return Err(CallError::Cancelled),
        };
        let waiting = self.handle.lock().calls.remove(&id);
        waiting
            .and_then(Waiting::into_outcome)
            .unwrap_or_else(|| Err(Box::new(CallError::Cancelled)))
            .map_err(|error| *error)
            .and_then(self.decode)
    }
}

/// Reports handled before other tasks get their turn.
const BUDGET: usize = 256;

enum Taken {
    Report(Progress),
    Result,
}

impl<T, L: Listen> Call<T, L> {
    /// The result, and what became of the listener.
    pub async fn outcome(mut self) -> Outcome<T> {
        let result = poll_fn(|cx| self.poll_result(cx)).await;
        let listener = self.failed.take().map_or(Ok(()), Err);
        Outcome { result, merged: self.merged, listener }
    }

    fn poll_result(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, CallError>> {
        self.send(L::IS_LISTENING);
        for _ in 0..BUDGET {
            if self.is_busy {
                match self.listener.poll_done(cx) {
                    Poll::Ready(done) => {
                        self.is_busy = false;
                        self.note(done);
                    }
                    Poll::Pending => return Poll::Pending,
                }
            }
            match self.poll_taken(cx) {
                Poll::Ready(Taken::Report(progress)) => self.hear(progress),
                Poll::Ready(Taken::Result) => return Poll::Ready(self.take_result()),
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn hear(&mut self, progress: Progress) {
        if self.failed.is_some() {
            return;
        }
        if L::IS_LISTENING {
            let started = self.listener.start(progress);
            self.is_busy = started.is_ok();
            self.note(started);
            return;
        }
        let listeners = self.handle.lock().listeners.clone();
        if let Some(listener) = listeners.as_ref().and_then(|all| all.progress.as_ref())
            && let Stage::Sent(id) = &self.stage
        {
            let heard = caught(|| listener(id, &progress));
            self.note(heard);
        }
    }

    /// Keeps the first failure.
    fn note(&mut self, done: Result<(), ListenerError>) {
        if let Err(error) = done {
            self.failed.get_or_insert(error);
        }
    }
}

impl<T, L: Listen> Future for Call<T, L> {
    type Output = Result<T, CallError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().poll_result(cx)
    }
}

/// Nothing in it is pinned: the future of an async listener has a box of its own.
impl<T, L> Unpin for Call<T, L> {}

impl<T, L> Drop for Call<T, L> {
    fn drop(&mut self) {
        self.give_up(None);
    }
}

impl<T, L> fmt::Debug for Call<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("id", &self.id()).finish_non_exhaustive()
    }
}
