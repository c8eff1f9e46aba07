//! One response on its way: messages that wait to be taken, and in which form.

#[cfg(feature = "snapshot")]
mod form;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;

use bytes::Bytes;
use http::{Response, StatusCode};

use super::super::Exchange;
use super::super::media::Accepts;
use super::options::ServerOptions;
use super::replay::{Replay, StreamName};
use super::status::status_of;
use crate::endpoint::Route;
use crate::id::RequestId;
use crate::json::write_u64;
use crate::revision::Era;
use crate::time::Instant;
use crate::wire::sse::{write_comment, write_event, write_retry};

#[cfg(feature = "snapshot")]
pub(super) use form::StreamForm;

/// A message that waits, and what it relates to.
#[derive(Clone, Debug, Hash)]
pub(super) struct Said {
    /// [`Route::Standalone`] also where that is not known any more.
    pub(super) route: Route,
    pub(super) message: Bytes,
}

impl Said {
    /// One of which nobody knows what it relates to.
    pub(super) fn bare(message: Bytes) -> Self {
        Self { route: Route::Standalone, message }
    }

    /// Whether it is a call of ours, or gives one up.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self.route, Route::Call(_) | Route::Cancel(_))
    }
}

/// A log of messages with a cursor. What is behind the cursor was taken, and may be kept elsewhere for replay.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) name: StreamName,
    /// Under what it is kept for replay: its name, unless another server gave it that.
    pub(super) key: StreamName,
    pub(super) kind: Kind,
    /// Who reads it; nobody while its client is away.
    pub(super) exchange: Option<Exchange>,
    pub(super) form: Form,
    pub(super) accepts: Accepts,
    /// Events bear ids, so that it can be taken up again.
    pub(super) has_ids: bool,
    /// An event without data may say the first id: 2025-11-25.
    pub(super) primes: bool,
    /// Requests that have no answer yet.
    pub(super) waiting: u64,
    /// Nothing more will be said on it.
    pub(super) is_over: bool,
    /// The exchange that reads it ends early, and the stream goes on.
    pub(super) is_parting: bool,
    /// It answers `subscriptions/listen`.
    pub(super) is_subscription: bool,
    /// Its request was told that its reports must wait.
    pub(super) is_held: bool,
    /// Something was said since that was looked at.
    pub(super) is_dirty: bool,
    /// How long it can be taken up again once it is complete.
    pub(super) kept_until: Option<Instant>,
    /// What goes out before the messages: the first id, a comment, the time to wait.
    preface: Vec<u8>,
    queue: VecDeque<Said>,
    /// Bytes in `queue`.
    len: usize,
    /// The position of the last message that was ever said.
    last: u64,
    /// An id has left, so that a client can name it.
    has_named: bool,
    /// It is to be forgotten.
    is_gone: bool,
}

/// What belongs on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The answers to a POST, and what belongs to its requests.
    Answers(Era),
    /// What belongs to no request: opened by GET.
    Standalone,
    /// Everything of a session: HTTP+SSE.
    Everything,
}

/// How it is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// That depends on what is said first.
    Undecided,
    /// One JSON text.
    Json(StatusCode),
    /// Nothing: its request wants no answer.
    Nothing,
    Events,
}

/// What a reader may take of it now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Some(Bytes),
    /// Nothing yet.
    Wait,
    End,
}

/// Events that wait, however short, before the reports of their request are held back, where events can be said again.
/// What keeps those has room for a few hundred, and the ones that were taken and did not arrive need some of it.
const MAX_QUEUED: usize = 128;

/// Bytes that are given out at once, about.
const CHUNK: usize = 64 << 10;

/// Bytes of an event beside its message, about.
const EVENT_LEN: usize = 32;

impl Stream {
    pub(super) fn new(name: StreamName, kind: Kind, exchange: Exchange, accepts: Accepts) -> Self {
        Self {
            name,
            key: name,
            kind,
            exchange: Some(exchange),
            form: Form::Undecided,
            accepts,
            has_ids: false,
            primes: false,
            waiting: 0,
            is_over: false,
            is_parting: false,
            is_subscription: false,
            is_held: false,
            is_dirty: true,
            kept_until: None,
            preface: Vec::new(),
            queue: VecDeque::new(),
            len: 0,
            last: 0,
            has_named: false,
            is_gone: false,
        }
    }

    /// Nobody will read it again.
    pub(super) fn leave(&mut self) {
        self.is_gone = true;
    }

    pub(super) fn is_gone(&self) -> bool {
        self.is_gone
    }

    /// Bytes of messages that wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether so much waits that the reports of its request must wait elsewhere.
    pub(super) fn is_long(&self, max_len: usize) -> bool {
        self.len > max_len || self.has_ids && self.queue.len() > MAX_QUEUED
    }

    /// Whether so little waits that they may come again.
    pub(super) fn is_short(&self, max_len: usize) -> bool {
        self.len <= max_len / 2 && (!self.has_ids || self.queue.len() <= MAX_QUEUED / 2)
    }

    /// Whether something but the answer can be said on it.
    pub(super) fn takes_events(&self) -> bool {
        self.accepts.stream && !self.is_over
    }

    /// Whether its client, once away, can come back.
    pub(super) fn can_resume(&self) -> bool {
        self.has_ids && self.form == Form::Events && self.has_named
    }

    /// Says a message.
    pub(super) fn push(&mut self, said: Said, replay: &mut dyn Replay) {
        if matches!(self.form, Form::Json(_)) {
            // It has its one text: a batch that was refused lets go of what it held.
            return;
        }
        self.is_dirty = true;
        self.last += 1;
        self.len += said.message.len();
        if self.has_ids && self.form == Form::Events {
            replay.keep(self.key, self.last, &said.message);
        }
        self.queue.push_back(said);
    }

    /// The position before the first message that was not taken.
    fn first(&self) -> u64 {
        self.last - self.queue.len() as u64
    }

    /// What was taken and can be said again.
    fn taken(&self, replay: &dyn Replay) -> Vec<Bytes> {
        let mut kept = replay.behind(self.key, 0);
        kept.truncate(kept.len().saturating_sub(self.queue.len()));
        kept
    }

    /// Takes back what waits of a request. What follows it gets its positions, of which nobody has heard.
    pub(super) fn take_back(&mut self, id: &RequestId, replay: &mut dyn Replay) {
        let is_of_it = |said: &Said| matches!(&said.route, Route::Related(of) if of == id);
        if !self.queue.iter().any(is_of_it) {
            return;
        }
        let (first, taken) = (self.first(), self.taken(replay));
        self.queue.retain(|said| !is_of_it(said));
        self.last = first + self.queue.len() as u64;
        self.weigh();
        if self.has_ids && self.form == Form::Events {
            replay.forget(self.key);
            let positions = (first + 1).saturating_sub(taken.len() as u64)..;
            let messages = taken.iter().chain(self.queue.iter().map(|said| &said.message));
            for (position, message) in positions.zip(messages) {
                replay.keep(self.key, position, message);
            }
        }
    }

    fn weigh(&mut self) {
        self.len = self.queue.iter().map(|said| said.message.len()).sum();
    }

    /// Decides how to say what there is, if that can be known.
    pub(super) fn decide(&mut self, replay: &mut dyn Replay) {
        if self.form != Form::Undecided {
            return;
        }
        let Kind::Answers(era) = self.kind else { return self.become_stream(replay) };
        match (self.queue.front(), self.is_over) {
            (None, false) => {}
            (None, true) => self.form = Form::Nothing,
            (Some(answer), true) if self.queue.len() == 1 => {
                let status = status_of(&answer.message, era, false);
                // The status MUST be that of the error, whatever is accepted (R-H26-16, R-CAP-07); a stream has one of its own.
                match self.accepts.json || status != StatusCode::OK {
                    true => self.form = Form::Json(status),
                    false => self.become_stream(replay),
                }
            }
            (Some(_), _) if self.accepts.stream => self.become_stream(replay),
            (Some(_), true) => {
                self.join();
                self.form = Form::Json(StatusCode::OK);
            }
            (Some(_), false) => {}
        }
    }

    /// Whether it answers requests, and nothing was said yet.
    pub(super) fn is_unanswered(&self) -> bool {
        let is_request = matches!(self.kind, Kind::Answers(_)) && self.form == Form::Undecided;
        is_request && self.queue.is_empty()
    }

    /// The conversation is over, and its requests will not be answered: what is said instead, if nothing was yet.
    pub(super) fn refuse(&mut self, refusal: Response<Bytes>, replay: &mut dyn Replay) {
        if self.is_unanswered() {
            let status = refusal.status();
            self.push(Said::bare(refusal.into_body()), replay);
            self.form = Form::Json(status);
        }
    }

    /// From here on it is a stream of events.
    pub(super) fn become_stream(&mut self, replay: &mut dyn Replay) {
        if self.form != Form::Undecided {
            return;
        }
        self.form = Form::Events;
        if self.has_ids {
            let first = self.first();
            for (position, said) in (first + 1..).zip(&self.queue) {
                replay.keep(self.key, position, &said.message);
            }
            if self.primes {
                let mut id = Vec::new();
                self.write_id(&mut id, first);
                write_event(&mut self.preface, Some(&id), b"");
            }
        }
    }

    /// Batches that were answered in parts, for a client that takes one text only.
    fn join(&mut self) {
        let parts = mem::take(&mut self.queue).into_iter().map(|said| said.message);
        let joined = joined(parts);
        self.len = joined.len();
        self.queue.push_back(Said::bare(joined));
    }

    /// Says that it is alive, if nothing else does; what is not decided yet becomes a stream, whose first id says it.
    /// Whether its reader gets something by that.
    pub(super) fn keep_alive(&mut self, replay: &mut dyn Replay) -> bool {
        if self.form == Form::Undecided && self.accepts.stream {
            self.become_stream(replay);
        }
        if self.form != Form::Events {
            return false;
        }
        if !self.has_some() {
            write_comment(&mut self.preface);
        }
        true
    }

    /// The first event of HTTP+SSE: where messages go.
    pub(super) fn announce(&mut self, address: &str) {
        self.form = Form::Events;
        self.preface.extend_from_slice(b"event: endpoint\n");
        write_event(&mut self.preface, None, address.as_bytes());
    }

    /// Ends the exchange that reads it, while the stream goes on; the client comes back after a while. Whether that
    /// can be.
    pub(super) fn part(&mut self, options: &ServerOptions, replay: &mut dyn Replay) -> bool {
        if !self.primes || !self.accepts.stream || self.is_over || self.exchange.is_none() {
            return false;
        }
        self.become_stream(replay);
        if self.form != Form::Events {
            return false;
        }
        write_retry(&mut self.preface, options.retry);
        self.is_parting = true;
        true
    }

    /// Whether a reader that asks now gets something.
    pub(super) fn has_some(&self) -> bool {
        match self.form {
            Form::Undecided => false,
            Form::Nothing | Form::Json(_) => true,
            Form::Events => {
                !self.preface.is_empty()
                    || !self.queue.is_empty()
                    || self.is_over
                    || self.is_parting
            }
        }
    }

    /// What goes out next.
    pub(super) fn take(&mut self) -> Taken {
        match self.form {
            Form::Undecided => Taken::Wait,
            Form::Nothing => Taken::End,
            Form::Json(_) => match self.queue.pop_front() {
                Some(Said { message: answer, .. }) => {
                    self.len -= answer.len();
                    Taken::Some(answer)
                }
                None => Taken::End,
            },
            Form::Events => self.take_events(),
        }
    }

    fn take_events(&mut self) -> Taken {
        let mut out = mem::take(&mut self.preface);
        self.has_named |= self.primes && !out.is_empty();
        out.reserve((self.len + EVENT_LEN * self.queue.len()).min(CHUNK));
        let mut id = Vec::new();
        while out.len() < CHUNK
            && let Some(Said { message, .. }) = self.queue.pop_front()
        {
            self.len -= message.len();
            if self.has_ids {
                self.write_id(&mut id, self.first());
                self.has_named = true;
                write_event(&mut out, Some(&id), &message);
            } else {
                write_event(&mut out, None, &message);
            }
        }
        if !out.is_empty() {
            Taken::Some(out.into())
        } else if self.is_over || self.is_parting {
            Taken::End
        } else {
            Taken::Wait
        }
    }

    /// Takes it up again behind a position. Whether everything behind it is there.
    pub(super) fn resume(
        &mut self,
        position: u64,
        exchange: Exchange,
        replay: &dyn Replay,
    ) -> bool {
        let first = self.first();
        if position > self.last {
            return false;
        }
        if position != first {
            let mut messages = replay.behind(self.key, position);
            if messages.len() as u64 != self.last - position {
                return false;
            }
            // What was not taken knows what it relates to.
            let untaken = messages.len().min(self.queue.len());
            messages.truncate(messages.len() - untaken);
            self.queue.drain(..self.queue.len() - untaken);
            messages.into_iter().rev().for_each(|again| self.queue.push_front(Said::bare(again)));
            self.weigh();
        }
        self.preface.clear();
        self.exchange = Some(exchange);
        self.is_parting = false;
        self.is_dirty = true;
        true
    }

    /// Everything that its reader can still be told now, which ends with it. If the stream goes on, the reader is told how
    /// to come back, if it does not know already. `None`: nothing can be told.
    #[cfg(feature = "snapshot")]
    pub(super) fn take_last(
        &mut self,
        options: &ServerOptions,
        replay: &mut dyn Replay,
    ) -> Option<Bytes> {
        self.part(options, replay);
        if self.form == Form::Undecided {
            return None;
        }
        let mut last = Vec::new();
        while let Taken::Some(chunk) = self.take() {
            last.extend_from_slice(&chunk);
        }
        Some(last.into())
    }

    /// Takes what nobody has seen yet: another stream says it.
    pub(super) fn take_unseen(&mut self) -> VecDeque<Said> {
        self.len = 0;
        mem::take(&mut self.queue)
    }

    #[cfg(feature = "testing")]
    pub(super) fn digest_own(&self, digest: &mut crate::digest::Digest<'_>) {
        let Self {
            name,
            key,
            kind,
            exchange,
            form,
            accepts,
            has_ids,
            primes,
            waiting,
            is_over,
            is_parting,
            is_subscription,
            is_held,
            is_dirty,
            kept_until,
            preface,
            queue,
            len,
            last,
            has_named,
            is_gone,
        } = self;
        digest.shown(&(kind, form, accepts));
        digest.put((name, key, exchange, has_ids, primes, waiting, is_over, is_parting));
        digest.put((is_subscription, is_held, is_dirty, is_gone, has_named));
        digest.put((preface, queue, len, last));
        digest.put(kept_until.is_some());
        digest.time(kept_until.unwrap_or_default());
    }

    /// Writes the id of an event, in the place of another.
    fn write_id(&self, id: &mut Vec<u8>, position: u64) {
        id.clear();
        write_u64(id, self.name.0);
        id.push(b'-');
        write_u64(id, position);
    }
}

/// The parts of the answer to a batch as one text.
pub(super) fn joined(parts: impl Iterator<Item = Bytes>) -> Bytes {
    let mut joined = Vec::new();
    for part in parts {
        let inner = part.strip_prefix(b"[").and_then(|part| part.strip_suffix(b"]"));
        joined.push(if joined.is_empty() { b'[' } else { b',' });
        joined.extend_from_slice(inner.unwrap_or(&part));
    }
    joined.push(b']');
    joined.into()
}

/// Stream and position of an event.
pub(super) fn read_id(id: &[u8]) -> Option<(StreamName, u64)> {
    let (stream, position) = core::str::from_utf8(id).ok()?.split_once('-')?;
    let number = |text: &str| {
        // As it is written and in no other way.
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
        let is_short = text == "0" || !text.starts_with('0');
        (is_plain && is_short).then(|| text.parse::<u64>().ok()).flatten()
    };
    Some((StreamName(number(stream)?), number(position)?))
}

#[cfg(test)]
mod tests;
