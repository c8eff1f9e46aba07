//! Messages in, events out: the one place where calls, requests, progress and deadlines meet.

mod answering;
mod answers;
mod batches;
#[cfg(feature = "http")]
mod bounds;
mod calling;
mod calls;
mod commands;
mod core;
mod deadlines;
mod exchanges;
mod inbound;
mod malformed;
mod opening;
mod outbox;
#[cfg(feature = "http")]
mod outlets;
mod requests;
#[cfg(feature = "snapshot")]
mod snapshot;
mod waking;

use ::core::fmt;
use ::core::marker::PhantomData;
use alloc::sync::Arc;

use bytes::Bytes;
use serde::Serialize;

use self::core::Core;
use crate::config::{CallOptions, ClientConfig, Limits, ServerConfig};
use crate::era::Served;
use crate::error::{CallError, CloseReason, ErrorObject, SendError};
use crate::event::{Event, PeerInfo};
use crate::id::RequestId;
use crate::json::RawJson;
use crate::method::{Notification, Request, Ticket};
use crate::progress::{ReportError, Weight};
use crate::revision::Revision;
use crate::role::{Client, Role, Server};
use crate::time::Instant;
use crate::types::{LogMessage, Progress};

#[cfg(feature = "http")]
pub(crate) use bounds::{bound_at_rest, bound_of_batches, bound_of_refusal, bound_of_requests};
#[cfg(feature = "http")]
pub(crate) use calls::Purpose;
pub(crate) use commands::commands;
#[cfg(feature = "http")]
pub(crate) use exchanges::Carries;
#[cfg(feature = "http")]
pub(crate) use outbox::{Origin, SHORTEST};
pub use outbox::{Route, Transmit};
#[cfg(feature = "snapshot")]
pub use requests::{Asked, InFlight};
#[cfg(feature = "http")]
pub(crate) use requests::{Outlet, Settled};
#[cfg(feature = "snapshot")]
pub use snapshot::EndpointSnapshot;
#[cfg(feature = "snapshot")]
pub(crate) use snapshot::State;
pub use waking::DeadlineReason;

/// One side of a conversation, fed with whole messages.
///
/// Its methods are of four kinds. `handle_*`: it happened. Plain verbs: I want this. `poll_*`: do this,
/// until it returns `None`. The rest: look. They may be called in any order; nothing is lost by polling
/// late. What `poll_event` decodes may have to be answered, so before sleeping drain `poll_event`, then
/// `poll_transmit`, then look at `poll_timeout`. On a byte stream use [`Connection`](crate::Connection), which adds the framing.
#[derive(Clone)]
pub struct Endpoint<R> {
    core: Core,
    role: PhantomData<fn() -> R>,
}

impl Endpoint<Client> {
    /// A client, which begins to speak at once: the deadline of its handshake starts at `now`.
    pub fn client(config: ClientConfig, now: Instant) -> Self {
        Self { core: Core::client(config, now), role: PhantomData }
    }
}

impl Endpoint<Server> {
    /// A server, which waits to be spoken to.
    pub fn server(config: ServerConfig) -> Self {
        Self::sharing(Arc::new(Served::new(config)))
    }

    /// A server that shares with others what it is.
    pub(crate) fn sharing(served: Arc<Served>) -> Self {
        Self { core: Core::server(served), role: PhantomData }
    }

    /// Sends a log message, for a request of the client or for none.
    ///
    /// It goes out only if the client wants it: in the modern era the request must have named a level;
    /// in a legacy session `logging/setLevel` counts. `Ok(false)`: it is not wanted.
    ///
    /// # Errors
    ///
    /// [`SendError::UnknownRequest`] if the request has been answered, [`SendError::OutboxFull`] if the
    /// client does not read.
    pub fn log(
        &mut self,
        request: Option<&RequestId>,
        message: &LogMessage,
    ) -> Result<bool, SendError> {
        self.core.log(request, message)
    }
}

impl<R: Role> Endpoint<R> {
    /// Bytes that its tables take at most. See [`Limits::memory_bound`](crate::Limits::memory_bound).
    pub(crate) const fn bound(limits: &Limits) -> usize {
        Core::bound(limits)
    }

    // It happened.

    /// One whole message has arrived, complete at `now`.
    ///
    /// It is read however long it is, and however many events wait: who keeps messages apart holds to
    /// [`Limits::max_message_len`] and [`Limits::max_events`], as [`Connection`](crate::Connection) does.
    pub fn handle_message(&mut self, frame: Bytes, now: Instant) {
        self.core.handle_message(frame, now);
    }

    /// Time has passed: ends what is due, lets waiting progress go.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.core.handle_timeout(now);
    }

    /// The peer will send nothing more; `unread` bytes of an unfinished message were left.
    ///
    /// Calls end. A server still answers what it has accepted, for as long as its drain limit allows.
    pub fn handle_eof(&mut self, unread: usize, now: Instant) {
        self.core.handle_eof(unread, now);
    }

    /// The transport has failed: nothing more can be sent or received. What waits to be sent is dropped, also
    /// what a conversation that has ended before still had to say.
    pub fn handle_transport_error(&mut self, now: Instant) {
        self.core.close(CloseReason::Transport, now);
        self.core.discard_output();
    }

    /// The exchange in which a call travelled has failed, on a transport where each has its own, such as HTTP:
    /// the call ends with `error`, once. Unknown and finished calls are left alone.
    ///
    /// If it is what opens the conversation, how that goes on is decided as for an answer: a failed probe
    /// means an older server, for a client that speaks to those.
    pub fn handle_call_failed(&mut self, id: &RequestId, error: CallError, now: Instant) {
        self.core.handle_call_failed(id, error, now);
    }

    // I want this.

    /// Calls the peer. Before the handshake is finished the request is held back, not refused.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; nothing has changed then.
    pub fn request<Q: Request<Sender = R>>(
        &mut self,
        params: &Q,
        options: CallOptions,
        now: Instant,
    ) -> Result<Ticket<Q>, SendError> {
        self.core.request(Q::METHOD, params, options, now).map(Ticket::new)
    }

    /// Calls any method with any parameters.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; nothing has changed then.
    pub fn request_raw(
        &mut self,
        method: &str,
        params: Option<&RawJson>,
        options: CallOptions,
        now: Instant,
    ) -> Result<RequestId, SendError> {
        self.core.request(method, &params, options, now)
    }

    /// Announces something.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; nothing has changed then.
    pub fn notify<N: Notification<Sender = R>>(&mut self, params: &N) -> Result<(), SendError> {
        self.core.notify(N::METHOD, params)
    }

    /// Announces something for a request of the peer, before its answer: on HTTP it goes where the answer goes.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; nothing has changed then.
    pub fn notify_for<N: Notification<Sender = R>>(
        &mut self,
        request: &RequestId,
        params: &N,
    ) -> Result<(), SendError> {
        self.core.notify_for(request, N::METHOD, params)
    }

    /// Gives a call up: it ends with [`CallError::Cancelled`], and the peer is told if it has heard of
    /// it. Unknown and finished calls are left alone.
    pub fn cancel(&mut self, id: &RequestId, reason: Option<&str>, now: Instant) {
        self.core.cancel(id, reason, now);
    }

    /// Answers a request of the peer. Progress that still waits leaves first.
    ///
    /// # Errors
    ///
    /// [`SendError::UnknownRequest`] if it has been answered, [`SendError::Cancelled`] if the peer no
    /// longer wants it (the request is then gone), [`SendError::Closed`] if the conversation has ended,
    /// [`SendError::Encode`] if `result` is no JSON object, [`SendError::OutboxFull`] if it is beyond
    /// [`Limits::max_output_len`](crate::Limits) (the peer has been told an internal error then).
    pub fn respond<T: Serialize + ?Sized>(
        &mut self,
        id: &RequestId,
        result: &T,
        now: Instant,
    ) -> Result<(), SendError> {
        self.core.respond(id, result, now)
    }

    /// Answers a request of the peer with an error. In 2026-07-28 a code that must not be said there is replaced: -32002 by
    /// -32602, -32042 and what is undefined of -32020 to -32099 by -32603.
    ///
    /// # Errors
    ///
    /// As [`respond`](Self::respond).
    pub fn fail(
        &mut self,
        id: &RequestId,
        error: &ErrorObject,
        now: Instant,
    ) -> Result<(), SendError> {
        self.core.fail(id, error, now)
    }

    /// Lets go of a request of the peer without an answer of one's own: a cancelled one vanishes, any
    /// other is answered with an internal error, so that nobody waits for ever.
    pub fn abandon(&mut self, id: &RequestId, now: Instant) {
        self.core.abandon(id, now);
    }

    /// Reports how far a request of the peer has come. Does nothing if the peer did not ask.
    ///
    /// # Errors
    ///
    /// See [`ReportError`]: the report was refused here and never sent.
    pub fn report(
        &mut self,
        id: &RequestId,
        progress: Progress,
        weight: Weight,
        now: Instant,
    ) -> Result<(), ReportError> {
        self.core.report(id, progress, weight, now)
    }

    /// Ends the conversation: every call ends, every request of the peer is cancelled.
    pub fn close(&mut self, now: Instant) {
        self.core.close(CloseReason::Local, now);
    }

    // Do this.

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.core.poll_event()
    }

    /// One message to be sent.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.core.poll_message()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next, if nothing else happens.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.core.poll_timeout()
    }

    // Look.

    /// Why [`poll_timeout`](Self::poll_timeout) says what it says: for a debugger.
    pub fn deadline_reason(&self) -> Option<DeadlineReason> {
        self.core.deadline_reason()
    }

    /// The peer, once it is known.
    pub fn peer(&self) -> Option<&PeerInfo> {
        self.core.peer()
    }

    /// Whether a request of the peer asked for progress, and still wants it: not once it is cancelled or answered.
    pub fn is_progress_wanted(&self, id: &RequestId) -> bool {
        self.core.is_progress_wanted(id)
    }

    /// Whether everything reported of a request has left this machine, or need not any more: it is answered, cancelled, or
    /// unknown.
    pub fn is_progress_flushed(&self, id: &RequestId) -> bool {
        self.core.is_progress_flushed(id)
    }

    /// Reports of a request that were merged into later ones, because they came faster than its pacing.
    pub fn merged_reports(&self, id: &RequestId) -> u64 {
        self.core.merged_reports(id)
    }

    /// The revision in which a request of the peer is spoken; in the modern era each request says it.
    pub fn revision_of(&self, id: &RequestId) -> Option<Revision> {
        self.core.revision_of(id)
    }

    /// The value that was reported last of a request, sent or waiting, and its total: the next value must
    /// be above it.
    pub fn last_report(&self, id: &RequestId) -> Option<(f64, Option<f64>)> {
        self.core.last_report(id)
    }

    /// Whether nobody wants the answer to this request any more: the peer has cancelled it, it is answered, or there is none of
    /// this id.
    pub fn is_cancelled(&self, id: &RequestId) -> bool {
        self.core.is_cancelled(id)
    }

    /// Calls of ours in flight.
    pub fn calls_in_flight(&self) -> usize {
        self.core.calls_in_flight()
    }

    /// Requests of the peer that wait for an answer, cancelled ones included until they are let go.
    pub fn requests_in_flight(&self) -> usize {
        self.core.requests_in_flight()
    }

    /// Whether more input makes sense: not while the peer leaves too much output unread, or events wait to be
    /// polled.
    pub fn wants_input(&self) -> bool {
        self.core.wants_input()
    }

    /// Whether the last event has been queued.
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// Hashes everything that decides what this machine will do, for a model checker that visits each
    /// state once. Feature `testing`.
    ///
    /// Times count by their distance from `now`, queued messages by their distance from the front, and what
    /// is only told (how long a call took, how many reports came) does not count: machines with the same
    /// configuration and the same digest behave the same from now on. Of a
    /// [`Connection`](crate::Connection) the bytes that it has not decoded yet are not part of it.
    #[cfg(feature = "testing")]
    pub fn digest(&self, now: Instant, hasher: &mut dyn ::core::hash::Hasher) {
        self.core.digest(&mut crate::digest::Digest::new(now, hasher));
    }

    /// What tells a request of the peer from earlier ones with its id.
    #[cfg(feature = "driver")]
    pub(crate) fn serial_of(&self, id: &RequestId) -> Option<u64> {
        self.core.serial_of(id)
    }

    /// Whether so many bytes of output wait.
    #[cfg(feature = "driver")]
    pub(crate) fn has_output(&self, bytes: usize) -> bool {
        self.core.has_output(bytes)
    }

    /// Whether [`poll_event`](Self::poll_event) has one.
    #[cfg(any(feature = "driver", feature = "http"))]
    pub(crate) fn has_event(&self) -> bool {
        self.core.has_event()
    }

    pub(crate) fn core_mut(&mut self) -> &mut Core {
        &mut self.core
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }
}

impl<Q: Request> Ticket<Q> {
    /// Reads the outcome of its call.
    ///
    /// # Errors
    ///
    /// The error of the outcome, or [`CallError::Decode`] if the result is not what the method promises.
    pub fn decode(&self, outcome: Result<RawJson, CallError>) -> Result<Q::Output, CallError> {
        outcome.and_then(|result| result.decode().map_err(CallError::Decode))
    }
}

impl<R> fmt::Debug for Endpoint<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}

#[cfg(test)]
#[cfg(all(feature = "http", feature = "testing"))]
mod tests;
