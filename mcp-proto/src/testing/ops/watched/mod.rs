//! One end of a conversation with its oracles beside it.

mod acts;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::message::InFlight;
use super::operation::Operation;
use super::patience::Patience;
use super::record::{Answer, Asked, CallRecord, Deed, Ending, number_of, token_of};
use super::spoken::Spoken;
use crate::error::{CallError, CloseReason, Violation};
use crate::event::Event;
use crate::id::{ProgressToken, RequestId};
use crate::role::{Client, Role, Server};
use crate::stdio::Connection;
use crate::testing::{End, as_json, check_text, digest, restored, take_events, take_output};
use crate::time::Instant;

/// A connection, and beside it the books of what it owes. Every method panics when a promise is broken:
///
/// - a call ends exactly once, with what was done to it: given up only by us, timed out only when that was due;
/// - its progress increases, comes before its end, and only if it was asked for;
/// - what is written is one JSON-RPC message a line; a request leaves once; a cancel leaves only for a request
///   that left before it and that this end gave up, and exactly once; a request is answered at most once, with
///   its own id, digit for digit; progress leaves only while its request waits, and increases;
/// - nothing is told and nothing is written after the end; waking twice does nothing; no deadline stays that is due;
/// - an answer that is taken back takes along what was said of its request and has not begun to leave;
/// - it is closed for what was done to it, and as stalled only if bytes waited all the time of the stall timeout and none of
///   them was taken;
/// - no table is above its limit, and all are empty once it is closed.
#[derive(Clone, Debug)]
pub struct Watched<R> {
    connection: Connection<R>,
    end: End,
    now: Instant,
    /// Every call that was ever made.
    calls: BTreeMap<RequestId, CallRecord>,
    /// Requests that wait for an answer of ours.
    asked: Vec<Asked>,
    /// Every request that ever came, and whether it was cancelled since it came last.
    seen: BTreeMap<RequestId, bool>,
    spoken: Spoken,
    closed: Option<CloseReason>,
    patience: Patience,
    /// It worked on as many requests as it may, at some time since no event waited.
    was_full: bool,
    was_refused_with_room: bool,
    /// Bytes that were still to be written when the end was seen.
    left: Option<usize>,
    /// What is being written right now.
    lent: Option<Vec<u8>>,
    told: Vec<Event>,
    written: Vec<u8>,
    deeds: Vec<Deed>,
    /// Its application has closed it.
    is_closing: bool,
    /// Its input has ended.
    has_ended: bool,
    /// The transport was said to have failed.
    has_failed: bool,
    /// The end of what was heard, and whether a cancellation in it may not have been read yet.
    heard: Vec<u8>,
    may_recall: bool,
    /// After so many steps each time it is replaced by what its snapshot becomes; 0 is never.
    restored_every: u8,
    steps: u8,
}

impl Watched<Client> {
    /// Watches a client from here on. It must have no calls and no events of before.
    pub fn client(connection: Connection<Client>, now: Instant) -> Self {
        Self::new(connection, End::Client, now)
    }
}

impl Watched<Server> {
    /// Watches a server from here on. It must have no requests and no events of before.
    pub fn server(connection: Connection<Server>, now: Instant) -> Self {
        Self::new(connection, End::Server, now)
    }
}

impl<R: Role> Watched<R> {
    fn new(connection: Connection<R>, end: End, now: Instant) -> Self {
        let mut watched = Self {
            connection,
            end,
            now,
            calls: BTreeMap::new(),
            asked: Vec::new(),
            seen: BTreeMap::new(),
            spoken: Spoken::default(),
            closed: None,
            patience: Patience::new(now),
            was_full: false,
            was_refused_with_room: false,
            left: None,
            lent: None,
            told: Vec::new(),
            written: Vec::new(),
            deeds: Vec::new(),
            is_closing: false,
            has_ended: false,
            has_failed: false,
            heard: Vec::new(),
            may_recall: false,
            restored_every: 0,
            steps: 0,
        };
        watched.note_waiting();
        watched
    }

    /// From here on it is replaced by what its snapshot becomes, after so many steps each time; 0 is never.
    #[must_use]
    pub fn restored_every(mut self, steps: u8) -> Self {
        self.restored_every = steps;
        self
    }

    /// Goes on with what a snapshot of the connection becomes, if it is time for that.
    fn restore(&mut self) {
        self.steps = self.steps.wrapping_add(1);
        if self.steps.checked_rem(self.restored_every) == Some(0) {
            let restored = restored(&self.connection, self.now, self.now, &mut as_json);
            match restored {
                Ok(connection) => self.connection = connection,
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// The connection, to look at.
    pub fn connection(&self) -> &Connection<R> {
        &self.connection
    }

    /// The events that were taken since, in order.
    pub fn take_events(&mut self) -> Vec<Event> {
        core::mem::take(&mut self.told)
    }

    /// The bytes that were written since.
    pub fn take_written(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.written)
    }

    pub(super) fn take_deeds(&mut self) -> Vec<Deed> {
        core::mem::take(&mut self.deeds)
    }

    pub(super) fn call_of(&self, id: &RequestId) -> Option<&CallRecord> {
        self.calls.get(id)
    }

    pub(super) fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// Whether a call with this token of the caller's own was given up.
    pub(super) fn has_given_up(&self, token: &ProgressToken) -> bool {
        let of_token = |call: &&CallRecord| call.token.as_ref() == Some(token);
        self.calls.values().filter(of_token).any(|call| call.ending == Some(Ending::GivenUp))
    }

    /// Whether anything is left to write.
    pub(super) fn has_output(&self) -> bool {
        self.lent.is_some() || self.left != Some(0)
    }

    /// The latest time that was named.
    pub(super) fn latest(&self) -> Instant {
        self.patience.latest()
    }

    /// Whether a request was refused for want of room while there was some.
    pub(super) fn was_refused_with_room(&self) -> bool {
        self.was_refused_with_room
    }

    /// Whether this is the result of an `initialize` that has left.
    pub(super) fn is_opening(&self, line: &[u8]) -> bool {
        self.spoken.is_opening(line)
    }

    /// Whether this end has told that it is closed.
    pub fn is_over(&self) -> bool {
        self.closed.is_some()
    }

    /// The calls that have not ended yet, as far as events were taken.
    pub(super) fn in_flight(&self) -> InFlight {
        let open = self.calls.iter().filter(|(_, call)| call.ending.is_none());
        open.filter_map(|(id, call)| Some((id.as_i64()?, call.last))).collect()
    }

    /// From now on every request of the peer is made known, so answers can be counted.
    pub(super) fn count_answers(&mut self) {
        self.spoken.count_answers();
    }

    /// A request with this id, as JSON, is about to arrive.
    pub(super) fn expect_answer(&mut self, id: String) {
        self.spoken.expect_answer(id);
    }

    // It happened.

    /// Bytes arrive.
    pub fn handle_input(&mut self, bytes: &[u8], now: Instant) {
        self.now = now;
        self.note_heard(bytes);
        self.connection.handle_input(bytes, now);
        self.check();
        self.restore();
    }

    /// The peer sends nothing more.
    pub fn handle_eof(&mut self, now: Instant) {
        self.now = now;
        self.has_ended = true;
        self.connection.handle_eof(now);
        self.check();
        self.restore();
    }

    // Do this.

    /// Does one thing.
    pub fn apply(&mut self, operation: &Operation, now: Instant) {
        self.now = now;
        match operation {
            Operation::Call(plan) => self.call(*plan),
            Operation::CancelUnknown => {
                self.connection.cancel(&RequestId::from(i64::MAX), None, now);
            }
            Operation::Cancel(which) => self.cancel(*which),
            Operation::Respond(which) => self.answer(*which, Answer::Result),
            Operation::Fail(which) => self.answer(*which, Answer::Error),
            Operation::Abandon(which) => self.answer(*which, Answer::Abandoned),
            Operation::Report { request, step, total, weight, padding } => {
                self.report(*request, *step, *total, *weight, *padding);
            }
            Operation::Log(which) => self.announce(*which),
            Operation::Poll(count) => {
                (0..*count).all(|_| self.poll());
            }
            Operation::Lend(count) => self.lend(usize::from(*count)),
            Operation::PollTransmit => self.poll_transmit(),
            Operation::Transmit(count) => self.transmit(usize::from(*count)),
            // What is written makes room for what had to wait, so that more may be told.
            Operation::Drain => loop {
                while self.poll() {}
                if self.lent.is_none() && !self.connection.has_transmit() {
                    break;
                }
                self.transmit(usize::MAX);
            },
            Operation::Wake => self.wake(),
            Operation::WakeInThePast(millis) => {
                let earlier = now.as_nanos().saturating_sub(u64::from(*millis) * 1_000_000);
                self.connection.handle_input(b"", Instant::from_nanos(earlier));
                self.connection.handle_timeout(Instant::from_nanos(earlier));
            }
            Operation::Close => {
                self.is_closing = true;
                self.connection.close(now);
            }
            Operation::FailTransport => {
                self.has_failed = true;
                self.connection.handle_transport_error(now);
            }
        }
        self.check();
        self.restore();
    }

    fn poll(&mut self) -> bool {
        let before = self.may_recall.then(|| self.waiting_output());
        let event = self.connection.poll_event();
        if let Some(before) = before {
            let lent = self.lent.as_ref().map_or(0, Vec::len);
            self.spoken.check_taken_back(&before, &self.waiting_output(), lent);
            self.may_recall = event.is_some() || !self.connection.wants_input();
        }
        let is_full = self.is_full();
        self.was_full |= is_full;
        let Some(event) = event else {
            self.was_full = is_full;
            return false;
        };
        self.note(&event);
        self.told.push(event);
        true
    }

    fn note_heard(&mut self, bytes: &[u8]) {
        const CANCELLED: &[u8] = b"cancelled";
        self.heard.extend_from_slice(bytes);
        self.may_recall |= self.heard.windows(CANCELLED.len()).any(|word| word == CANCELLED);
        let rest = self.heard.len().saturating_sub(CANCELLED.len() - 1);
        self.heard.drain(..rest);
    }

    /// Whether it works on as many requests as it may.
    fn is_full(&self) -> bool {
        self.connection.requests_in_flight() >= self.connection.core().limits().max_requests
    }

    fn note(&mut self, event: &Event) {
        assert!(self.closed.is_none(), "after the last event: {event:?}");
        check_text(event);
        match event {
            Event::Request { id, params, .. } => {
                assert!(
                    self.asked.iter().all(|asked| asked.id != *id),
                    "request {id} came twice at once"
                );
                self.seen.insert(id.clone(), false);
                let waiting = self.waiting_output();
                self.spoken.note_request(id, token_of(params.as_ref()), &waiting);
                let number = number_of(params.as_ref());
                self.asked.push(Asked { id: id.clone(), number, last: None });
            }
            // It may have been answered before this event was taken.
            Event::Cancelled { id, .. } => {
                let before = self.seen.insert(id.clone(), true);
                assert!(before.is_some(), "{id} was cancelled, but never asked");
                assert_eq!(before, Some(false), "{id} was cancelled twice");
                if self.asked.iter().any(|asked| asked.id == *id) {
                    let lent = self.lent.as_ref().map_or(0, Vec::len);
                    let waiting = self.waiting_output();
                    self.spoken.note_cancelled(id, lent, &waiting);
                }
            }
            Event::Progress { id, progress } => {
                let call = self.calls.get_mut(id);
                let Some(call) = call.filter(|call| call.ending.is_none()) else {
                    panic!("progress of {id}, which has ended or never was");
                };
                assert!(call.is_tracked, "progress of {id}, which asked for none");
                let value = progress.progress;
                assert!(call.last.is_none_or(|last| last < value), "{value} after {:?}", call.last);
                call.last = Some(value);
            }
            Event::Response { id, outcome } => self.note_ending(id, outcome.as_ref().err()),
            Event::Closed(reason) => self.note_closed(reason),
            Event::Violation(Violation::TooManyRequests) => {
                self.was_refused_with_room |= !self.was_full && !self.connection.is_closed();
            }
            _ => {}
        }
    }

    fn note_ending(&mut self, id: &RequestId, error: Option<&CallError>) {
        if let Some(CallError::Closed(reason)) = error {
            self.check_cause(reason);
        }
        let now = self.now;
        let call = self.calls.get_mut(id);
        let Some(call) = call.filter(|call| call.ending.is_none()) else {
            panic!("call {id} ended, but was never made or has ended before");
        };
        call.ending = Some(match error {
            Some(CallError::Cancelled) => {
                assert!(call.given_up, "call {id} was given up by nobody");
                Ending::GivenUp
            }
            Some(CallError::TimedOut(expired)) => {
                call.check_expired(expired, now);
                Ending::GivenUp
            }
            Some(CallError::Closed(_)) => Ending::Closed,
            Some(CallError::Decode(_) | CallError::Send(_)) => {
                panic!("call {id} cannot end like this: {error:?}")
            }
            _ => Ending::Answered,
        });
    }

    /// What ends it has happened to it.
    fn check_cause(&self, reason: &CloseReason) {
        let has_happened = match reason {
            CloseReason::Local => self.is_closing,
            CloseReason::Eof { .. } => self.has_ended,
            CloseReason::Transport => self.has_failed,
            // The rest is about the peer.
            _ => true,
        };
        assert!(has_happened, "it says that {reason}");
    }

    fn note_closed(&mut self, reason: &CloseReason) {
        self.check_cause(reason);
        if *reason == CloseReason::Stalled {
            let waited = self.patience.waited();
            assert!(
                waited >= Some(self.connection.core().limits().stall_timeout),
                "closed as stalled, though bytes waited for {waited:?} only"
            );
        }
        self.closed = Some(reason.clone());
    }

    /// Something was done: whether bytes wait since.
    fn note_waiting(&mut self) {
        if self.connection.is_closed() {
            return self.patience.note_end(self.now);
        }
        let waits = self.connection.clone().poll_transmit().is_some();
        self.patience.note_waiting(waits, self.now);
    }

    /// What waits to be written, with what is begun of it.
    fn waiting_output(&self) -> Vec<u8> {
        let mut waiting = self.spoken.unfinished().to_vec();
        waiting.extend(take_output(&mut self.connection.clone()));
        waiting
    }

    /// Begins to write without saying yet how much was written.
    fn lend(&mut self, count: usize) {
        if self.lent.is_none() {
            self.lent = self.connection.lend_transmit(count).map(<[u8]>::to_vec);
        }
    }

    /// The same, of everything that waits.
    fn poll_transmit(&mut self) {
        if self.lent.is_none() {
            self.lent = self.connection.poll_transmit().map(<[u8]>::to_vec);
        }
    }

    fn transmit(&mut self, count: usize) {
        let chunk = match self.lent.take() {
            // An end by force took it back while it was being written.
            Some(lent) if self.left.is_some_and(|left| left < lent.len()) => return,
            Some(lent) => lent,
            None => self.connection.poll_transmit().unwrap_or_default().to_vec(),
        };
        let room = self.connection.core().limits().max_outbox_len + OWED;
        assert!(chunk.len() <= room, "more output than the limit: {}", chunk.len());
        let sent = chunk.get(..count).unwrap_or(&chunk);
        self.connection.advance_transmit(sent.len());
        if !sent.is_empty() {
            self.patience.note_taken();
        }
        if let Some(left) = &mut self.left {
            assert!(*left >= sent.len(), "bytes after the end");
            *left -= sent.len();
        }
        let waiting: Vec<_> = self.asked.iter().map(|asked| &asked.id).collect();
        self.spoken.note_written(sent, &waiting);
        self.written.extend_from_slice(sent);
    }

    fn wake(&mut self) {
        let now = self.now;
        self.connection.handle_timeout(now);
        // What passes may make room, for which something else has waited: that is due at once.
        for _ in 0..MAX_WAKES {
            if self.connection.poll_timeout().is_some_and(|at| at <= now) {
                self.connection.handle_timeout(now);
            }
        }
        if let Some(at) = self.connection.poll_timeout() {
            let reason = self.connection.deadline_reason();
            assert!(at > now, "{reason:?} is due at {at:?}, and it is {now:?}");
        }
        let mut once = self.connection.clone();
        let mut again = self.connection.clone();
        again.handle_timeout(now);
        assert_eq!(again.poll_timeout(), once.poll_timeout(), "waking twice moves a deadline");
        assert_eq!(digest(&again, now), digest(&once, now), "waking twice changes something");
        let (first, second) = (take_events(&mut once), take_events(&mut again));
        assert_eq!(format!("{first:?}"), format!("{second:?}"), "waking twice makes events");
        assert_eq!(take_output(&mut once), take_output(&mut again), "waking twice writes");
        let has_ended = |id: &RequestId| {
            let is_end =
                |event: &Event| matches!(event, Event::Response { id: ended, .. } if ended == id);
            first.iter().any(is_end)
        };
        for (id, call) in self.calls.iter().filter(|(_, call)| call.ending.is_none()) {
            let is_due = call.total.is_some_and(|total| call.made + total <= now);
            assert!(!is_due || has_ended(id), "call {id} is beyond its total deadline");
        }
    }

    /// What holds at every moment.
    fn check(&mut self) {
        self.note_waiting();
        let (calls, requests) =
            (self.connection.calls_in_flight(), self.connection.requests_in_flight());
        let limits = self.connection.core().limits();
        // The engine's own calls, of which there are at most two at a time, are beside the limit.
        assert!(calls <= limits.max_calls + 2, "more calls than the limit: {calls}");
        self.was_full |= requests == limits.max_requests;
        assert!(requests <= limits.max_requests, "more requests than the limit: {requests}");
        if !self.connection.is_closed() {
            return;
        }
        assert_eq!(calls + requests, 0, "calls or requests after the end");
        assert_eq!(self.connection.poll_timeout(), None, "a deadline after the end");
        let left = take_output(&mut self.connection.clone()).len();
        if self.has_failed {
            assert_eq!(left, 0, "bytes that have no way out");
            self.left = Some(0);
        }
        let before = *self.left.get_or_insert(left);
        assert_eq!(left, before, "bytes were added after the end");
    }

    /// Closes it, if it is still open, and checks what must hold in the end.
    pub fn finish(&mut self, now: Instant) {
        if !self.connection.is_closed() {
            self.apply(&Operation::Drain, now);
        }
        // What was read at last may have been too much: an end by force settles nothing.
        if !self.connection.is_closed() {
            self.check_settled();
        }
        self.apply(&Operation::Close, now);
        self.apply(&Operation::Drain, now);
        assert!(self.closed.is_some(), "no last event");
        let open = self.in_flight();
        assert!(open.is_empty(), "calls without an end: {open:?}");
        let request = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
        self.handle_input(request, now);
        self.handle_eof(now);
        self.connection.handle_timeout(Instant::from_nanos(u64::MAX / 2));
        assert_eq!(self.connection.poll_event(), None, "an event after the last");
        self.check();
        // An end by force leaves no time to finish a line, nor does a transport that fails behind an orderly one.
        let is_orderly = matches!(self.closed, Some(CloseReason::Local | CloseReason::Eof { .. }));
        if is_orderly && !self.has_failed {
            assert!(self.spoken.unfinished().is_empty(), "the last line has no end");
            self.check_cancels();
        }
    }

    /// Everything is written and nothing has ended yet: what is open has left, unless it is held back until
    /// the peer is ready.
    fn check_settled(&self) {
        if self.connection.peer().is_none() {
            return;
        }
        for (id, call) in &self.calls {
            let has_left = self.spoken.has_asked(id);
            assert!(call.ending.is_some() || has_left, "the request of call {id} was lost");
        }
        self.check_cancels();
    }

    /// The peer was told of each call that it heard of and that was given up, and of no other.
    fn check_cancels(&self) {
        for (id, call) in &self.calls {
            let cancels = self.spoken.cancels_of(id);
            let has_left = self.spoken.has_asked(id);
            match call.ending {
                Some(Ending::GivenUp) => {
                    let expected = usize::from(has_left);
                    assert_eq!(cancels, expected, "cancels for call {id}; it left: {has_left}");
                }
                _ => assert_eq!(cancels, 0, "a cancel for call {id}, which was not given up"),
            }
        }
    }
}

/// How often it may be due again at once.
const MAX_WAKES: usize = 3;

/// What still fits above the limit of the outbox: one long message, answers to a few requests, and cancels.
const OWED: usize = 6 << 10;
