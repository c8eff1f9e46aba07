//! The machine itself: role-blind bookkeeping behind `Endpoint`.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::answers::Answers;
use super::calls::{Call, Calls, Deadline, Purpose, Tracked};
use super::deadlines::{Deadlines, Timer};
use super::outbox::{Outbox, Route};
use super::requests::Requests;
use crate::config::{
    CallOptions, ClientConfig, Limits, ServerConfig, Timeouts, Tolerance, Tracking,
};
use crate::era::{ClientStamp, Lifecycle, Negotiation, Next, Opening, ServerStamp, Serving};
use crate::error::{CallError, CloseReason, ErrorObject, Limit, SendError};
use crate::event::{Event, PeerInfo};
use crate::id::{ProgressToken, RequestId};
use crate::json::{EncodeError, RawJson, write_value};
use crate::method::{Notification, Request};
use crate::progress::{Pacing, Receiver, ReportError, Weight};
use crate::revision::Era;
use crate::time::Instant;
use crate::types::{Discover, Initialize, Initialized, LogMessage, Progress, SetLevel, meta};
use crate::wire::{
    ErrorId, Head, Stamps, object_with_meta, write_error, write_head, write_notification,
    write_progress,
};

/// Everything that one side of a conversation knows.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    pub(super) life: Lifecycle,
    pub(super) limits: Limits,
    pub(super) tolerance: Tolerance,
    timeouts: Timeouts,
    pub(super) pacing: Pacing,
    drain_timeout: Duration,
    pub(super) calls: Calls,
    pub(super) requests: Requests,
    deadlines: Deadlines,
    pub(super) outbox: Outbox,
    /// What the application asked for before the peer was ready.
    held: VecDeque<Held>,
    held_len: usize,
    pub(super) events: VecDeque<Event>,
    pub(super) answers: Answers,
    peer: Option<PeerInfo>,
    /// When the connection ends because the peer does not read.
    stall_at: Option<Instant>,
    phase: Phase,
    /// The latest time that a caller named.
    clock: Instant,
}

/// Why the machine wants to be woken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadlineReason {
    /// A call of ours ends.
    Call {
        /// The call.
        id: RequestId,
        /// Its deadline.
        limit: Limit,
    },
    /// The handshake, or the probe before it, has taken too long.
    Handshake,
    /// Waiting progress of a request may leave.
    Progress {
        /// The request.
        id: RequestId,
    },
    /// The peer does not read.
    Stall,
    /// Accepted requests can no longer be answered.
    Drain,
}

/// How much of a conversation there is.
#[derive(Clone, Debug, PartialEq)]
enum Phase {
    Open,
    /// The peer sends nothing more; what was accepted is still being answered.
    Draining {
        until: Instant,
        unread: usize,
    },
    Closed,
}

/// Something to be sent once the peer is ready.
#[derive(Clone, Debug)]
struct Held {
    /// The call that it is; none for a notification.
    call: Option<i64>,
    method: String,
    params: Vec<u8>,
    meta: Option<RawJson>,
}

/// Progress leaves at once only while less than this waits for the peer: a report that cannot be read
/// now is better merged than queued. About 490 reports.
const PROGRESS_ROOM: usize = 64 << 10;

impl Core {
    pub(crate) fn client(config: ClientConfig, now: Instant) -> Self {
        let (limits, tolerance, timeouts) = (config.limits, config.tolerance, config.timeouts);
        let negotiation = Negotiation::new(config);
        let opening = negotiation.opening();
        let life = Lifecycle::Client(negotiation);
        let mut core =
            Self::new(life, limits, tolerance, timeouts, Pacing::default(), Duration::ZERO);
        core.clock = now;
        match opening {
            Some(opening) => core.open(opening, now),
            None => core.close(CloseReason::NoCommonVersion, now),
        }
        core
    }

    pub(crate) fn server(config: ServerConfig) -> Self {
        let (limits, tolerance, timeouts) = (config.limits, config.tolerance, config.timeouts);
        let (pacing, drain) = (config.pacing, config.drain_timeout);
        Self::new(
            Lifecycle::Server(Serving::new(config)),
            limits,
            tolerance,
            timeouts,
            pacing,
            drain,
        )
    }

    fn new(
        life: Lifecycle,
        limits: Limits,
        tolerance: Tolerance,
        timeouts: Timeouts,
        pacing: Pacing,
        drain_timeout: Duration,
    ) -> Self {
        Self {
            life,
            limits,
            tolerance,
            timeouts,
            pacing,
            drain_timeout,
            calls: Calls::default(),
            requests: Requests::default(),
            deadlines: Deadlines::default(),
            outbox: Outbox::default(),
            held: VecDeque::new(),
            held_len: 0,
            events: VecDeque::new(),
            answers: Answers::new(&limits),
            peer: None,
            stall_at: None,
            phase: Phase::Open,
            clock: Instant::ZERO,
        }
    }

    // The handshake.

    fn open(&mut self, opening: Opening, now: Instant) {
        let Lifecycle::Client(negotiation) = &self.life else { return };
        let config = &negotiation.config;
        let (purpose, timeout) = match opening {
            Opening::Probe(_) => (Purpose::Probe, config.probe_timeout),
            Opening::Initialize(_) => (Purpose::Initialize, config.handshake_timeout),
        };
        let number = self.calls.next_id();
        let id = RequestId::from(number);
        let outbox = &mut self.outbox;
        // These parameters have string keys only, so writing them cannot fail.
        let _ = match opening {
            Opening::Probe(revision) => {
                let stamp = negotiation.stamp_for(revision);
                outbox.push(Route::Call(id.clone()), |out| {
                    write_request(
                        out,
                        &id,
                        Discover::METHOD,
                        &Discover {},
                        None,
                        None,
                        Some(&stamp),
                    )
                })
            }
            Opening::Initialize(revision) => {
                let params = Initialize::new(
                    revision.as_str(),
                    config.capabilities.clone(),
                    config.info.clone(),
                );
                outbox.push(Route::Call(id.clone()), |out| {
                    write_request(out, &id, Initialize::METHOD, &params, None, None, None)
                })
            }
        };
        self.enter(number, purpose, Tracked::No, Timeouts::NEVER.total(timeout), now);
    }

    pub(super) fn proceed(&mut self, next: Next, now: Instant) {
        match next {
            Next::Say(opening) => self.open(opening, now),
            Next::Close(reason) => self.close(reason, now),
            Next::Ready(peer) => {
                if peer.revision.era() == Era::Legacy {
                    let _ = self.outbox.push(Route::Standalone, |out| {
                        write_notification(out, Initialized::METHOD, &Initialized {})
                    });
                    self.ask_for_logs(&peer, now);
                }
                self.events.push_back(Event::Ready((*peer).clone()));
                self.peer = Some(*peer);
                self.release_held();
            }
        }
    }

    pub(super) fn met(&mut self, peer: PeerInfo) {
        self.events.push_back(Event::Ready(peer.clone()));
        self.peer = Some(peer);
    }

    /// A legacy session has one level for all; the modern era names it in each request.
    fn ask_for_logs(&mut self, peer: &PeerInfo, now: Instant) {
        let Lifecycle::Client(negotiation) = &self.life else { return };
        let Some(level) = negotiation.config.log_level else { return };
        if peer.capabilities.get("logging").is_some() {
            let timeouts = self.timeouts;
            let _ = self.call(
                SetLevel::METHOD,
                &SetLevel::new(level),
                Purpose::Courtesy,
                Tracked::No,
                None,
                timeouts,
                now,
            );
        }
    }

    fn release_held(&mut self) {
        self.held_len = 0;
        for held in core::mem::take(&mut self.held) {
            let params = crate::json::Raw::trusted(&held.params);
            let Some(number) = held.call else {
                let _ = self
                    .outbox
                    .push(Route::Standalone, |out| write_notification(out, &held.method, &params));
                continue;
            };
            let Some(call) = self.calls.get_mut(number) else { continue };
            call.held = false;
            let id = RequestId::from(number);
            let token = token_of(&call.tracking, number);
            let stamp = client_stamp(&self.life);
            let _ = self.outbox.push(Route::Call(id.clone()), |out| {
                write_request(
                    out,
                    &id,
                    &held.method,
                    &params,
                    token.as_ref(),
                    held.meta.as_ref(),
                    stamp,
                )
            });
        }
    }

    // I want this.

    pub(crate) fn request<T: Serialize + ?Sized>(
        &mut self,
        method: &str,
        params: &T,
        options: CallOptions,
        now: Instant,
    ) -> Result<RequestId, SendError> {
        self.observe(now);
        let timeouts = options.timeouts.unwrap_or(self.timeouts);
        let tracking = match options.tracking {
            Tracking::IfTimed if timeouts.wants_progress() => Tracked::Own,
            Tracking::IfTimed => Tracked::No,
            Tracking::Wanted => Tracked::Own,
            Tracking::Token(token) if self.calls.is_taken(&token) => {
                return Err(SendError::TokenInUse);
            }
            Tracking::Token(token) => Tracked::Custom(token),
        };
        self.call(
            method,
            params,
            Purpose::Application,
            tracking,
            options.meta.as_ref(),
            timeouts,
            now,
        )
    }

    #[allow(clippy::too_many_arguments)] // the one place where a call is put together
    fn call<T: Serialize + ?Sized>(
        &mut self,
        method: &str,
        params: &T,
        purpose: Purpose,
        tracking: Tracked,
        meta: Option<&RawJson>,
        timeouts: Timeouts,
        now: Instant,
    ) -> Result<RequestId, SendError> {
        self.check_open()?;
        let hold = self.must_hold()?;
        if self.calls.len() >= self.limits.max_calls {
            return Err(SendError::TooManyCalls);
        }
        self.check_room()?;
        let number = self.calls.next_id();
        let id = RequestId::from(number);
        if hold {
            self.hold(Some(number), method, params, meta)?;
        } else {
            let token = token_of(&tracking, number);
            let stamp = client_stamp(&self.life);
            self.outbox.push(Route::Call(id.clone()), |out| {
                write_request(out, &id, method, params, token.as_ref(), meta, stamp)
            })?;
        }
        self.enter(number, purpose, tracking, timeouts, now);
        if let Some(call) = self.calls.get_mut(number) {
            call.held = hold;
        }
        Ok(id)
    }

    fn enter(
        &mut self,
        number: i64,
        purpose: Purpose,
        tracking: Tracked,
        timeouts: Timeouts,
        now: Instant,
    ) {
        let call = Call {
            purpose,
            tracking,
            held: false,
            receiver: Receiver::default(),
            started: now,
            idle: Deadline::new(timeouts.idle, now),
            total: Deadline::new(timeouts.total, now),
            lenient: false,
        };
        if let Some(at) = call.due() {
            self.deadlines.arm(at, Timer::Call(number));
        }
        self.calls.insert(number, call);
        self.settle();
    }

    pub(crate) fn notify<T: Serialize + ?Sized>(
        &mut self,
        method: &str,
        params: &T,
    ) -> Result<(), SendError> {
        self.check_open()?;
        self.check_room()?;
        if self.must_hold()? {
            return self.hold(None, method, params, None);
        }
        self.outbox.push(Route::Standalone, |out| write_notification(out, method, params))?;
        Ok(())
    }

    pub(crate) fn cancel(&mut self, id: &RequestId, reason: Option<&str>, now: Instant) {
        self.observe(now);
        if let Some(number) = id.as_i64()
            && self.calls.get(number).is_some_and(|call| call.purpose == Purpose::Application)
        {
            self.give_up(number, reason, CallError::Cancelled);
        }
        self.settle();
    }

    /// Ends a call from this side, and tells the peer if it may have heard of it.
    fn give_up(&mut self, number: i64, reason: Option<&str>, error: CallError) {
        let Some(call) = self.calls.remove(number) else { return };
        let id = RequestId::from(number);
        let unsent = call.held || self.outbox.revoke(&Route::Call(id.clone())) > 0;
        if call.held {
            self.held.retain(|held| held.call != Some(number));
            self.held_len = self.held.iter().map(Held::len).sum();
        }
        if !unsent {
            let params = Cancelled { request_id: &id, reason };
            // It bypasses the outbox limit: there is at most one for each call, and calls are limited.
            let _ = self.outbox.push(Route::Cancel(id.clone()), |out| {
                write_notification(out, "notifications/cancelled", &params)
            });
        }
        if call.purpose == Purpose::Application {
            self.events.push_back(Event::Response { id, outcome: Err(error) });
        }
    }

    pub(crate) fn respond<T: Serialize + ?Sized>(
        &mut self,
        id: &RequestId,
        result: &T,
        now: Instant,
    ) -> Result<(), SendError> {
        self.observe(now);
        let speech = match self.requests.get(id) {
            None if self.is_closed() => return Err(SendError::Closed),
            None => return Err(SendError::UnknownRequest),
            Some(inbound) if inbound.cancelled => {
                self.forget(id);
                return Err(SendError::Cancelled);
            }
            Some(inbound) => inbound.speech,
        };
        // The result is written first: if it cannot be, nothing has changed.
        let mut written = Vec::new();
        self.write_result(&mut written, id, result, speech.revision.era())?;
        self.flush(id);
        let _ = self.outbox.push::<EncodeError>(Route::Reply(id.clone()), |out| {
            out.extend_from_slice(&written);
            Ok(())
        });
        self.forget(id);
        Ok(())
    }

    pub(crate) fn fail(
        &mut self,
        id: &RequestId,
        error: &ErrorObject,
        now: Instant,
    ) -> Result<(), SendError> {
        self.observe(now);
        match self.requests.get(id) {
            None if self.is_closed() => return Err(SendError::Closed),
            None => return Err(SendError::UnknownRequest),
            Some(inbound) if inbound.cancelled => {
                self.forget(id);
                return Err(SendError::Cancelled);
            }
            Some(_) => {}
        }
        self.flush(id);
        self.push_error(Route::Reply(id.clone()), ErrorId::Known(id), error);
        self.forget(id);
        Ok(())
    }

    pub(crate) fn abandon(&mut self, id: &RequestId, now: Instant) {
        // Of the two refusals one forgets the request and the other finds none: both are what is wanted.
        let _ = self.fail(id, &ErrorObject::internal("the handler ended without an answer"), now);
    }

    pub(crate) fn report(
        &mut self,
        id: &RequestId,
        mut progress: Progress,
        weight: Weight,
        now: Instant,
    ) -> Result<(), ReportError> {
        self.observe(now);
        let room = self.outbox.len() < PROGRESS_ROOM.min(self.limits.max_outbox_len);
        let Some(inbound) = self.requests.get_mut(id).filter(|inbound| !inbound.cancelled) else {
            return Err(ReportError::Finished);
        };
        let Some(reporter) = &mut inbound.reporter else { return Ok(()) };
        if !inbound.speech.revision.rules().progress_message {
            progress.message = None;
        }
        if let Some(progress) = reporter.sender.offer(progress, weight, room, now)? {
            push_progress(&mut self.outbox, id, &reporter.token, &progress);
        }
        self.arm_flush(id, now);
        self.settle();
        Ok(())
    }

    pub(crate) fn log(
        &mut self,
        request: Option<&RequestId>,
        message: &LogMessage,
    ) -> Result<bool, SendError> {
        self.check_open()?;
        let speech = match request.map(|id| self.requests.get(id)) {
            None => None,
            Some(Some(inbound)) if inbound.cancelled => return Err(SendError::Cancelled),
            Some(Some(inbound)) => Some(inbound.speech),
            Some(None) => return Err(SendError::UnknownRequest),
        };
        let Lifecycle::Server(serving) = &self.life else { return Err(SendError::Unsupported) };
        if !serving.wants_log(speech, message.level) {
            return Ok(false);
        }
        self.check_room()?;
        let route = request.map_or(Route::Standalone, |id| Route::Related(id.clone()));
        self.outbox.push(route, |out| write_notification(out, LogMessage::METHOD, message))?;
        Ok(true)
    }

    /// Ends everything, once.
    pub(crate) fn close(&mut self, reason: CloseReason, now: Instant) {
        self.observe(now);
        if self.is_closed() {
            return;
        }
        self.phase = Phase::Closed;
        self.end_calls(&reason);
        for (id, inbound) in self.requests.take() {
            self.outbox.revoke(&Route::Related(id.clone()));
            if !inbound.cancelled {
                self.events.push_back(Event::Cancelled { id, reason: None });
            }
        }
        self.held.clear();
        self.held_len = 0;
        self.deadlines.clear();
        self.stall_at = None;
        if !matches!(reason, CloseReason::Local | CloseReason::Eof { .. }) {
            self.outbox.clear();
        }
        self.events.push_back(Event::Closed(reason));
    }

    fn end_calls(&mut self, reason: &CloseReason) {
        for number in self.calls.ids() {
            let Some(call) = self.calls.remove(number) else { continue };
            let id = RequestId::from(number);
            self.outbox.revoke(&Route::Call(id.clone()));
            if call.purpose == Purpose::Application {
                self.events.push_back(Event::Response {
                    id,
                    outcome: Err(CallError::Closed(reason.clone())),
                });
            }
        }
    }

    // It happened.

    pub(crate) fn handle_eof(&mut self, unread: usize, now: Instant) {
        self.observe(now);
        let reason = CloseReason::Eof { unread };
        match &self.life {
            Lifecycle::Server(_) if self.phase == Phase::Open => {
                // Whoever closes our input may still read our output: a client that pipes its requests in.
                self.phase = Phase::Draining { until: now + self.drain_timeout, unread };
                self.end_calls(&reason);
                self.finish_drain(now);
            }
            Lifecycle::Server(_) => {}
            Lifecycle::Client(_) => self.close(reason, now),
        }
        self.settle();
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.expire(now);
        if self.stall_at.is_some_and(|at| at <= now) {
            self.close(CloseReason::Stalled, now);
        }
        if let Phase::Draining { until, unread } = self.phase
            && until <= now
        {
            self.close(CloseReason::Eof { unread }, now);
        }
    }

    /// Ends what is due at `now`, and lets waiting progress go.
    pub(super) fn expire(&mut self, now: Instant) {
        self.observe(now);
        // An entry may be stale, but never too late.
        if self.deadlines.next().is_none_or(|(at, _)| at > now) {
            return;
        }
        self.settle();
        while self.deadlines.next().is_some_and(|(at, _)| at <= now) {
            match self.deadlines.pop() {
                Some((_, Timer::Call(number))) => self.expire_call(number, now),
                Some((_, Timer::Flush(id))) => {
                    self.flush_paced(&id, now);
                    self.arm_flush(&id, now);
                }
                None => break,
            }
            self.settle();
        }
    }

    fn expire_call(&mut self, number: i64, now: Instant) {
        let others = self.calls.len().saturating_sub(1);
        let Some(call) = self.calls.get(number) else { return };
        let Some(expired) = call.expired(now, others) else { return };
        match call.purpose {
            Purpose::Application | Purpose::Courtesy => {
                self.give_up(number, Some("timed out"), CallError::TimedOut(expired));
            }
            Purpose::Probe => {
                self.calls.remove(number);
                self.outbox.revoke(&Route::Call(number.into()));
                if let Lifecycle::Client(negotiation) = &mut self.life {
                    let next = negotiation.handle_probe_silence();
                    self.proceed(next, now);
                }
            }
            // MUST NOT be cancelled; basic/utilities/cancellation
            Purpose::Initialize => self.close(CloseReason::HandshakeTimeout, now),
        }
    }

    // Do this.

    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn poll_message(&mut self) -> Option<(Route, Bytes)> {
        let message = self.outbox.pop();
        self.made_room();
        message
    }

    pub(crate) fn poll_chunk(&mut self) -> Option<&[u8]> {
        self.outbox.chunk()
    }

    pub(crate) fn advance(&mut self, sent: usize) {
        self.outbox.advance(sent);
        self.made_room();
    }

    pub(crate) fn poll_timeout(&self) -> Option<(Instant, DeadlineReason)> {
        let timer = self.deadlines.next().map(|(at, timer)| (at, self.reason(timer, at)));
        let stall = self.stall_at.map(|at| (at, DeadlineReason::Stall));
        let drain = match self.phase {
            Phase::Draining { until, .. } => Some((until, DeadlineReason::Drain)),
            _ => None,
        };
        [timer, stall, drain].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    // Look.

    pub(crate) fn peer(&self) -> Option<&PeerInfo> {
        self.peer.as_ref()
    }

    pub(crate) fn is_progress_wanted(&self, id: &RequestId) -> bool {
        self.requests
            .get(id)
            .is_some_and(|inbound| inbound.reporter.is_some() && !inbound.cancelled)
    }

    pub(crate) fn is_progress_flushed(&self, id: &RequestId) -> bool {
        let reporter = self.requests.get(id).and_then(|inbound| inbound.reporter.as_ref());
        reporter.is_none_or(|reporter| {
            reporter.sender.is_idle() && !self.outbox.has(&Route::Related(id.clone()))
        })
    }

    pub(crate) fn merged_reports(&self, id: &RequestId) -> u64 {
        let reporter = self.requests.get(id).and_then(|inbound| inbound.reporter.as_ref());
        reporter.map_or(0, |reporter| reporter.sender.merged())
    }

    pub(crate) fn last_report(&self, id: &RequestId) -> Option<f64> {
        self.requests.get(id).and_then(|inbound| inbound.reporter.as_ref())?.sender.last()
    }

    pub(crate) fn is_cancelled(&self, id: &RequestId) -> bool {
        self.requests.get(id).is_none_or(|inbound| inbound.cancelled)
    }

    pub(crate) fn calls_in_flight(&self) -> usize {
        self.calls.len()
    }

    pub(crate) fn requests_in_flight(&self) -> usize {
        self.requests.len()
    }

    pub(crate) fn wants_input(&self) -> bool {
        self.phase == Phase::Open && self.outbox.len() <= self.limits.max_outbox_len
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn tolerance(&self) -> Tolerance {
        self.tolerance
    }

    // Shared by the above and by `inbound`.

    pub(super) fn push_error(&mut self, route: Route, id: ErrorId<'_>, error: &ErrorObject) {
        let _ = self.outbox.push::<EncodeError>(route, |out| {
            write_error(out, id, error);
            Ok(())
        });
    }

    /// Answers at once what the engine answers by itself.
    pub(super) fn answer<T: Serialize + ?Sized>(&mut self, id: &RequestId, result: &T, era: Era) {
        let mut written = Vec::new();
        if self.write_result(&mut written, id, result, era).is_ok() {
            let _ = self.outbox.push::<EncodeError>(Route::Reply(id.clone()), |out| {
                out.extend_from_slice(&written);
                Ok(())
            });
        }
    }

    fn write_result<T: Serialize + ?Sized>(
        &self,
        out: &mut Vec<u8>,
        id: &RequestId,
        result: &T,
        era: Era,
    ) -> Result<(), EncodeError> {
        write_head(out, Head::Result(id));
        match &self.life {
            Lifecycle::Server(serving) if era == Era::Modern => {
                let meta = serving.stamp.meta();
                let stamps = Stamps { beside: &ServerStamp::BESIDE, meta: &meta, more: None };
                object_with_meta(out, result, stamps)?;
            }
            _ => object_with_meta(out, result, Stamps::default())?,
        }
        out.push(b'}');
        Ok(())
    }

    /// Lets everything that waits go, so that nothing has to follow the response.
    fn flush(&mut self, id: &RequestId) {
        let reporter = self.requests.get_mut(id).and_then(|inbound| inbound.reporter.as_mut());
        if let Some(reporter) = reporter {
            while let Some(progress) = reporter.sender.flush() {
                push_progress(&mut self.outbox, id, &reporter.token, &progress);
            }
        }
    }

    fn flush_paced(&mut self, id: &RequestId, now: Instant) {
        loop {
            let room = self.outbox.len() < PROGRESS_ROOM.min(self.limits.max_outbox_len);
            let Some(inbound) = self.requests.get_mut(id) else { return };
            inbound.flush_at = None;
            let Some(reporter) = inbound.reporter.as_mut() else { return };
            let Some(progress) = reporter.sender.poll(room, now) else { return };
            push_progress(&mut self.outbox, id, &reporter.token, &progress);
        }
    }

    /// Arms the timer at which waiting progress may leave. While the peer does not read there is none:
    /// `made_room` comes back to it.
    fn arm_flush(&mut self, id: &RequestId, now: Instant) {
        let room = self.outbox.len() < PROGRESS_ROOM.min(self.limits.max_outbox_len);
        let Some(inbound) = self.requests.get_mut(id) else { return };
        if inbound.flush_at.is_some() || !room {
            return;
        }
        inbound.flush_at =
            inbound.reporter.as_ref().and_then(|reporter| reporter.sender.next_at(now));
        if let Some(at) = inbound.flush_at {
            self.deadlines.arm(at, Timer::Flush(id.clone()));
        }
    }

    /// The transport took something: progress that had no room may leave, and a drain may be over.
    fn made_room(&mut self) {
        self.stall_at = None;
        let now = self.clock;
        if self.outbox.len() < PROGRESS_ROOM {
            let waiting = |(id, inbound): (&RequestId, &super::requests::Inbound)| {
                let waits =
                    inbound.reporter.as_ref().is_some_and(|reporter| !reporter.sender.is_idle());
                (waits && inbound.flush_at.is_none()).then(|| id.clone())
            };
            let waiting: Vec<_> = self.requests.iter().filter_map(waiting).collect();
            for id in waiting {
                self.arm_flush(&id, now);
            }
            self.settle();
        }
        self.finish_drain(now);
    }

    /// A request is over.
    fn forget(&mut self, id: &RequestId) {
        self.requests.remove(id);
        self.settle();
        self.finish_drain(self.clock);
    }

    fn finish_drain(&mut self, now: Instant) {
        if let Phase::Draining { unread, .. } = self.phase
            && self.requests.is_empty()
            && self.outbox.is_empty()
        {
            self.close(CloseReason::Eof { unread }, now);
        }
    }

    /// Every operation that names a time passes here.
    pub(crate) fn observe(&mut self, now: Instant) {
        self.clock = self.clock.max(now);
        if self.outbox.len() > self.limits.max_outbox_len
            && self.stall_at.is_none()
            && !self.is_closed()
        {
            self.stall_at = Some(self.clock + self.limits.stall_timeout);
        }
    }

    pub(super) fn settle(&mut self) {
        let (calls, requests) = (&self.calls, &self.requests);
        let truth = |timer: &Timer| match timer {
            Timer::Call(number) => calls.get(*number)?.due(),
            Timer::Flush(id) => requests.get(id)?.flush_at,
        };
        self.deadlines.compact(calls.len() + requests.len(), truth);
        self.deadlines.settle(truth);
    }

    fn reason(&self, timer: &Timer, at: Instant) -> DeadlineReason {
        match timer {
            Timer::Flush(id) => DeadlineReason::Progress { id: id.clone() },
            Timer::Call(number) => match self.calls.get(*number) {
                Some(call) if matches!(call.purpose, Purpose::Probe | Purpose::Initialize) => {
                    DeadlineReason::Handshake
                }
                call => {
                    let idle = call.and_then(|call| call.idle).is_some_and(|idle| idle.at == at);
                    let limit = if idle { Limit::Idle } else { Limit::Total };
                    DeadlineReason::Call { id: (*number).into(), limit }
                }
            },
        }
    }

    fn check_open(&self) -> Result<(), SendError> {
        if self.is_closed() { Err(SendError::Closed) } else { Ok(()) }
    }

    fn check_room(&self) -> Result<(), SendError> {
        let waiting = self.outbox.len() + self.held_len;
        if waiting >= self.limits.max_outbox_len { Err(SendError::OutboxFull) } else { Ok(()) }
    }

    /// Whether what the application asks for has to wait until the peer is ready.
    fn must_hold(&self) -> Result<bool, SendError> {
        match &self.life {
            Lifecycle::Client(negotiation) => Ok(negotiation.revision().is_none()),
            Lifecycle::Server(serving) if serving.is_initialized() => match self.phase {
                Phase::Open => Ok(false),
                _ => Err(SendError::Closed),
            },
            Lifecycle::Server(serving) if serving.session().is_some() => Err(SendError::NotReady),
            // Without a session there is only the modern era, in which a server asks nothing.
            Lifecycle::Server(_) => Err(SendError::Unsupported),
        }
    }

    fn hold<T: Serialize + ?Sized>(
        &mut self,
        call: Option<i64>,
        method: &str,
        params: &T,
        meta: Option<&RawJson>,
    ) -> Result<(), SendError> {
        let mut written = Vec::new();
        object_with_meta(&mut written, params, Stamps::default())?;
        let held = Held { call, method: method.into(), params: written, meta: meta.cloned() };
        self.held_len += held.len();
        self.held.push_back(held);
        Ok(())
    }
}

impl Held {
    fn len(&self) -> usize {
        self.method.len()
            + self.params.len()
            + self.meta.as_ref().map_or(0, |meta| meta.as_bytes().len())
    }
}

/// `notifications/cancelled`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cancelled<'a> {
    request_id: &'a RequestId,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

fn push_progress(outbox: &mut Outbox, id: &RequestId, token: &ProgressToken, progress: &Progress) {
    let _ = outbox.push::<EncodeError>(Route::Related(id.clone()), |out| {
        write_progress(out, token, progress);
        Ok(())
    });
}

fn write_request<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    id: &RequestId,
    method: &str,
    params: &T,
    token: Option<&ProgressToken>,
    more: Option<&RawJson>,
    stamp: Option<&ClientStamp>,
) -> Result<(), EncodeError> {
    let mut token_json = Vec::new();
    if let Some(token) = token {
        write_value(&mut token_json, token)?;
    }
    let token = token.map(|_| (meta::PROGRESS_TOKEN, &*token_json));
    let meta: Vec<_> =
        token.into_iter().chain(stamp.into_iter().flat_map(ClientStamp::meta)).collect();
    write_head(out, Head::Request(id, method));
    object_with_meta(
        out,
        params,
        Stamps { beside: &[], meta: &meta, more: more.map(RawJson::as_raw) },
    )?;
    out.push(b'}');
    Ok(())
}

fn token_of(tracking: &Tracked, number: i64) -> Option<ProgressToken> {
    match tracking {
        Tracked::No => None,
        Tracked::Own => Some(number.into()),
        Tracked::Custom(token) => Some(token.clone()),
    }
}

fn client_stamp(life: &Lifecycle) -> Option<&ClientStamp> {
    match life {
        Lifecycle::Client(negotiation) => negotiation.stamp(),
        Lifecycle::Server(_) => None,
    }
}
