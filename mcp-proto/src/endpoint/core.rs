//! The machine itself: the books of either role behind `Endpoint`.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::answers::{Answers, Reports};
use super::batches::Batches;
use super::calls::{Calls, Purpose};
use super::deadlines::{Deadlines, Timer};
use super::exchanges::Carries;
use super::opening::Held;
use super::outbox::{Origin, Outbox, Place, Transmit};
use super::requests::{Inbound, Outlet, Requests, Settled};
use crate::bound::{queue, sum, times};
use crate::config::{ClientConfig, Limits, Tolerance};
#[cfg(feature = "testing")]
use crate::digest::Digest;
use crate::era::{Lifecycle, MAX_REFUSAL_LEN, Negotiation, Served, Serving};
use crate::error::{CallError, CloseReason, SendError};
use crate::event::{Event, PeerInfo};
use crate::id::RequestId;
use crate::revision::Revision;
use crate::time::Instant;
use crate::wire::ProgressLayout;

/// Everything that one side of a conversation knows.
#[derive(Clone, Debug)]
pub(crate) struct Core {
    pub(super) life: Lifecycle,
    pub(super) limits: Limits,
    pub(super) tolerance: Tolerance,
    pub(super) calls: Calls,
    pub(super) requests: Requests,
    pub(super) batches: Batches,
    pub(super) deadlines: Deadlines,
    pub(super) outbox: Outbox,
    /// What the application asked for before the peer was ready.
    pub(super) held: VecDeque<Held>,
    pub(super) held_len: usize,
    /// Bytes of calls that the transport took and has not sent, because it has no place for them. They count where
    /// something new is asked for, but it is not the peer that keeps them waiting.
    pub(super) parked_len: usize,
    pub(super) events: VecDeque<Event>,
    pub(super) answers: Answers,
    /// How the peer writes its reports, once it has sent one.
    pub(super) progress_layout: Option<Box<ProgressLayout>>,
    pub(super) reports: Reports,
    pub(super) peer: Option<PeerInfo>,
    /// Which answers may come with the message that is being read.
    pub(super) carries: Carries,
    /// When the connection ends because the peer does not read.
    pub(super) stall_at: Option<Instant>,
    /// It has read something since that was set, but not enough.
    pub(super) reads_slowly: bool,
    /// Input that has been read waits until there is room for what it may have answered.
    pub(super) holds_input: bool,
    /// Progress waits that has no timer, because the peer does not read.
    pub(super) holds_progress: bool,
    pub(super) phase: Phase,
    /// The latest time that a caller named.
    pub(super) clock: Instant,
    /// When the message that is being read was complete.
    pub(super) read_at: Instant,
    /// Where it came from.
    pub(super) reading: Origin,
    /// Requests that want no answer any more, because they have it or were cancelled. Only those that came from
    /// somewhere.
    pub(super) settled: Vec<Settled>,
    /// Whether what belongs to no request of the peer can leave.
    pub(super) outlet: Outlet,
}

/// How much of a conversation there is.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Phase {
    Open,
    /// The peer sends nothing more; what was accepted is still being answered.
    Draining {
        until: Instant,
        unread: usize,
    },
    Closed,
}

/// Events for which room is kept when none waits.
pub(super) const KEPT_EVENTS: usize = 64;

/// Bytes of an error message or a reason that is written whatever waits.
pub(super) const MAX_TEXT_LEN: usize = 256;

/// Bytes that a violation takes at most beside its line.
const MAX_VIOLATION_LEN: usize = 640;

impl Core {
    pub(crate) fn client(config: ClientConfig, now: Instant) -> Self {
        let (limits, tolerance) = (config.limits, config.tolerance);
        let negotiation = Negotiation::new(config);
        let opening = negotiation.opening();
        let life = Lifecycle::Client(negotiation);
        let mut core = Self::new(life, limits, tolerance);
        core.clock = now;
        match opening {
            Some(opening) => core.open(opening, now),
            None => core.close(CloseReason::NoCommonVersion, now),
        }
        core
    }

    pub(crate) fn server(served: Arc<Served>) -> Self {
        let config = &served.config;
        let (limits, tolerance) = (config.limits, config.tolerance);
        Self::new(Lifecycle::Server(Serving::new(served)), limits, tolerance)
    }

    /// Bytes that its tables take at most.
    pub(super) const fn bound(limits: &Limits) -> usize {
        let (forced, forced_len) = Self::forced(limits);
        let events = Self::most_events(limits);
        sum([
            Calls::bound(limits),
            Requests::bound(limits),
            Batches::bound(limits),
            Deadlines::bound(limits),
            Outbox::bound(limits, forced, forced_len),
            queue(events, size_of::<Event>()),
            size_of::<ProgressLayout>(),
            // The beginnings of lines that are no JSON, in characters that stand for a byte each.
            times(limits.max_events, MAX_VIOLATION_LEN),
            times(limits.max_calls, MAX_REFUSAL_LEN),
        ])
    }

    /// Messages, and bytes of them, that fit whatever waits: an error or a refusal for each request and for each member
    /// of one batch, a cancellation for each call.
    pub(super) const fn forced(limits: &Limits) -> (usize, usize) {
        let answers = sum([limits.max_calls, limits.max_requests, 1, limits.max_batch_len]);
        // In JSON a byte may become six.
        let error = times(6, sum([limits.max_id_len, MAX_TEXT_LEN]));
        let reports = times(limits.max_requests, sum([limits.max_milestones, 2]));
        (sum([reports, times(2, answers)]), times(answers, sum([error, MAX_TEXT_LEN])))
    }

    /// Events that wait at most. A message may be three, and a line a batch of them. Before a violation and before the
    /// end it is told how many were left out.
    pub(super) const fn most_events(limits: &Limits) -> usize {
        // The stream of a call over HTTP may be cut besides.
        let ends = sum([times(2, limits.max_calls), limits.max_requests, 1]);
        sum([limits.max_events, ends, times(3, limits.max_batch_len), 3 + 2])
    }

    pub(super) fn new(life: Lifecycle, limits: Limits, tolerance: Tolerance) -> Self {
        Self {
            life,
            limits,
            tolerance,
            calls: Calls::default(),
            requests: Requests::default(),
            batches: Batches::new(&limits),
            deadlines: Deadlines::default(),
            outbox: Outbox::new(),
            held: VecDeque::new(),
            held_len: 0,
            parked_len: 0,
            // Mostly there is one at a time, and connections idle.
            events: VecDeque::with_capacity(1),
            answers: Answers::new(&limits),
            progress_layout: None,
            reports: Reports::new(&limits),
            peer: None,
            carries: Carries::All,
            stall_at: None,
            reads_slowly: false,
            holds_input: false,
            holds_progress: false,
            phase: Phase::Open,
            clock: Instant::ZERO,
            read_at: Instant::ZERO,
            reading: Origin::NONE,
            settled: Vec::new(),
            outlet: Outlet::Open,
        }
    }

    // Endings.

    /// Ends everything, once.
    pub(crate) fn close(&mut self, reason: CloseReason, now: Instant) {
        self.observe(now);
        if self.is_closed() {
            return;
        }
        self.phase = Phase::Closed;
        self.end_calls(&reason);
        for (id, inbound) in self.requests.take() {
            self.outbox.revoke(inbound.queued);
            if !inbound.cancelled {
                self.settled.extend(Settled::new(inbound.origin, None));
                self.events.push_back(Event::Cancelled { id, reason: None });
            }
        }
        self.held.clear();
        self.held_len = 0;
        self.deadlines.clear();
        self.stall_at = None;
        (self.holds_input, self.holds_progress) = (false, false);
        if matches!(reason, CloseReason::Local | CloseReason::Eof { .. }) {
            self.batches.release(&mut self.outbox);
        } else {
            self.batches.clear();
            self.outbox.clear();
        }
        self.report_left_out();
        self.events.push_back(Event::Closed(reason));
    }

    fn end_calls(&mut self, reason: &CloseReason) {
        for number in self.calls.ids() {
            let Some((call, _)) = self.end_call(number) else { continue };
            let id = RequestId::from(number);
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
                self.phase = Phase::Draining { until: now + self.life.drain_timeout(), unread };
                self.end_calls(&reason);
                self.finish_drain(now);
            }
            Lifecycle::Server(_) => {}
            Lifecycle::Client(_) => self.close(reason, now),
        }
        self.settle();
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.has_unused_room() {
            self.made_room();
        }
        self.observe(now);
        self.expire(now);
        if self.stall_at.is_some_and(|at| at <= now) {
            if core::mem::take(&mut self.reads_slowly) {
                self.stall_at = Some(now + self.limits.stall_timeout);
            } else {
                self.close(CloseReason::Stalled, now);
            }
        }
        if let Phase::Draining { until, unread } = self.phase
            && until <= now
        {
            self.close(CloseReason::Eof { unread }, now);
        }
    }

    /// Ends what is due at `now`, and lets waiting progress go. That may be when a message arrived that is read
    /// only later: nobody's patience with the peer begins then.
    pub(super) fn expire(&mut self, now: Instant) {
        self.clock = self.clock.max(now);
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
                self.end_call(number);
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
        let event = self.events.pop_front();
        if self.events.is_empty() && self.events.capacity() > KEPT_EVENTS {
            self.events.shrink_to(KEPT_EVENTS);
        }
        event
    }

    /// What happened to the transport, between what happened in the conversation.
    #[cfg(feature = "http")]
    pub(crate) fn tell(&mut self, event: Event) {
        self.events.push_back(event);
    }

    /// What happened behind the first `before` events that wait.
    #[cfg(feature = "http")]
    pub(crate) fn events_behind(&self, before: usize) -> impl ExactSizeIterator<Item = &Event> {
        self.events.iter().skip(before)
    }

    pub(crate) fn poll_message(&mut self) -> Option<Transmit> {
        let message = self.outbox.pop();
        self.made_room();
        message
    }

    pub(crate) fn lend_chunk(&mut self, max: usize) -> Option<&[u8]> {
        self.outbox.lend(max)
    }

    pub(crate) fn lend_message(&mut self) -> Option<&[u8]> {
        self.outbox.lend_message()
    }

    pub(crate) fn advance_message(&mut self) {
        self.outbox.advance_message();
        self.made_room();
    }

    pub(crate) fn has_chunk(&self) -> bool {
        !self.outbox.is_empty()
    }

    pub(crate) fn advance(&mut self, sent: usize) {
        let before = self.outbox.len();
        self.outbox.advance(sent);
        if self.outbox.len() < before {
            self.made_room();
        }
    }

    // Look.

    pub(crate) fn peer(&self) -> Option<&PeerInfo> {
        self.peer.as_ref()
    }

    pub(crate) fn is_progress_wanted(&self, id: &RequestId) -> bool {
        let is_wanted = |inbound: &Inbound| {
            inbound.reporter.is_some() && !inbound.cancelled && inbound.outlet != Outlet::Shut
        };
        self.requests.get(id).is_some_and(is_wanted)
    }

    pub(crate) fn is_progress_flushed(&self, id: &RequestId) -> bool {
        let Some(inbound) = self.requests.get(id) else { return true };
        inbound.reporter.as_ref().is_none_or(|reporter| {
            reporter.sender.is_idle() && !inbound.queued.is_some_and(|last| self.outbox.has(last))
        })
    }

    pub(crate) fn merged_reports(&self, id: &RequestId) -> u64 {
        let reporter = self.requests.get(id).and_then(|inbound| inbound.reporter.as_ref());
        reporter.map_or(0, |reporter| reporter.sender.merged())
    }

    pub(crate) fn revision_of(&self, id: &RequestId) -> Option<Revision> {
        self.requests.get(id).map(|inbound| inbound.speech.revision)
    }

    #[cfg(feature = "driver")]
    pub(crate) fn serial_of(&self, id: &RequestId) -> Option<u64> {
        self.requests.get(id).map(|inbound| inbound.serial)
    }

    pub(crate) fn last_report(&self, id: &RequestId) -> Option<(f64, Option<f64>)> {
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

    #[cfg(feature = "driver")]
    pub(crate) fn has_output(&self, bytes: usize) -> bool {
        self.outbox.len() >= bytes
    }

    pub(crate) fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    pub(crate) fn wants_input(&self) -> bool {
        self.phase == Phase::Open && self.has_room() && !self.has_event()
    }

    /// Whether so many events wait that no more input is decoded.
    pub(crate) fn is_crowded(&self) -> bool {
        self.events.len() >= self.limits.max_events.max(1)
    }

    /// Whether what a message provokes may be queued.
    pub(crate) fn has_room(&self) -> bool {
        self.outbox.len() + self.batches.held() <= self.limits.max_outbox_len
    }

    /// Whether input may be decoded. If not, tell [`hold_input`](Self::hold_input) when some waits.
    pub(crate) fn admits_input(&mut self) -> bool {
        self.holds_input = false;
        self.has_room()
    }

    /// Input waits that was not admitted: it is due once there is room.
    pub(crate) fn hold_input(&mut self) {
        self.holds_input = true;
    }

    /// Queued messages that were looked at to find one.
    #[cfg(test)]
    pub(crate) fn outbox_steps(&self) -> usize {
        self.outbox.steps.get()
    }

    /// Nobody will ever read what waits: a drain is not over by that.
    pub(crate) fn discard_output(&mut self) {
        self.outbox.clear();
        self.use_room();
    }

    /// The latest time that a caller named.
    pub(crate) fn clock(&self) -> Instant {
        self.clock
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

    pub(super) fn finish_drain(&mut self, now: Instant) {
        if let Some(unread) = self.drained() {
            self.close(CloseReason::Eof { unread }, now);
        }
    }

    /// Whether everything that was accepted before the end of the input is answered and has left.
    fn drained(&self) -> Option<usize> {
        match self.phase {
            Phase::Draining { unread, .. }
                if self.requests.is_empty() && self.outbox.is_empty() =>
            {
                Some(unread)
            }
            _ => None,
        }
    }

    /// Takes back what has not begun to leave. That it was all that stood in the way is found when time is
    /// next looked at: whoever revokes is in the middle of something.
    pub(super) fn revoke(&mut self, last: Option<Place>) -> usize {
        let revoked = self.outbox.revoke(last);
        if self.has_room() {
            self.stall_at = None;
        }
        revoked
    }

    /// Whether room was made that nobody has looked at yet.
    pub(super) fn has_unused_room(&self) -> bool {
        self.holds_progress && self.has_progress_room() || self.drained().is_some()
    }

    // Shared with the rest of the folder.

    /// Every operation that names the time that it is passes here.
    pub(crate) fn observe(&mut self, now: Instant) {
        self.clock = self.clock.max(now);
        if self.has_room() {
            self.stall_at = None;
        } else if self.is_full_unwatched() {
            self.stall_at = Some(self.clock + self.limits.stall_timeout);
        }
    }

    /// Whether the outbox is above its limit and nobody has named a time since: what queued the last
    /// message did so after it had, or named none.
    pub(super) fn is_full_unwatched(&self) -> bool {
        !self.has_room() && self.stall_at.is_none() && !self.is_closed()
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

    #[cfg(feature = "testing")]
    pub(crate) fn digest(&self, digest: &mut Digest<'_>) {
        let Self {
            life,
            limits: _,
            tolerance: _,
            calls,
            requests,
            batches,
            deadlines,
            outbox,
            held,
            held_len,
            parked_len,
            events,
            answers,
            progress_layout,
            reports,
            peer,
            carries: _, // set anew by each message
            stall_at,
            reads_slowly,
            holds_input,
            holds_progress,
            phase,
            clock,
            read_at: _, // set anew by each message
            reading: _, // only while one is read
            settled,
            outlet,
        } = self;
        life.digest(digest);
        calls.digest(outbox.front(), digest);
        requests.digest(outbox.front(), digest);
        digest.put(batches);
        deadlines.digest(digest);
        outbox.digest(digest);
        digest.put((held.len(), held_len, parked_len, settled, outlet));
        held.iter().for_each(|held| held.digest(digest));
        digest.put(events.len());
        events.iter().for_each(|event| digest.shown(event));
        answers.digest(digest);
        reports.digest(digest);
        digest.put((peer.as_ref().map(|peer| peer.revision), progress_layout));
        digest.put((stall_at.is_some(), reads_slowly, holds_input, holds_progress));
        digest.time(stall_at.unwrap_or_default());
        digest.time(*clock);
        match phase {
            Phase::Open => digest.put(0),
            Phase::Draining { until, unread } => {
                digest.put((1, unread));
                digest.time(*until);
            }
            Phase::Closed => digest.put(2),
        }
    }

    pub(super) fn check_open(&self) -> Result<(), SendError> {
        if self.is_closed() { Err(SendError::Closed) } else { Ok(()) }
    }
}
