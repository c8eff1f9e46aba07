//! Streams that are opened again: those of calls that were cut, and the one for what belongs to no call.
//!
//! 2025-03-26 to 2025-11-25 `basic/transports`.

use alloc::boxed::Box;
use core::time::Duration;

use super::exchange::{Aim, End, Entry, Promise, State};
use super::position::Position;
use super::{Client, Exchange, Transmit, requests};
use crate::error::{CallError, HttpError};
use crate::event::Event;
use crate::revision::Era;
use crate::revision::Revision;
use crate::time::Instant;

/// Silence that is shorter says nothing. Stops a client from asking without end.
const MIN_SILENCE: Duration = Duration::from_secs(1);

impl Client {
    /// Opens the stream for what belongs to no call, if there may be one.
    pub(super) fn listen(&mut self) {
        let has_one = self.session.revision.is_some_and(|revision| {
            revision.era() == Era::Legacy && revision > Revision::V2024_11_05
        });
        if !has_one || !self.options.listens || self.has_channel() || self.is_closing {
            return;
        }
        let mut entry = Entry::new(Aim::Listen, self.session.id.is_some());
        entry.position = Some(Box::default());
        entry.due = Some(self.clock() + self.options.answer_timeout);
        let request = requests::get(&self.uri, &self.options.headers, &self.session, &[]);
        self.open(entry, request);
    }

    /// The head of the stream for what belongs to no call.
    pub(super) fn read_listening(&mut self, exchange: Exchange, promise: Promise, now: Instant) {
        match promise {
            Promise::Stream => {
                self.has_listened = true;
                self.begin_stream(exchange, now);
            }
            // A server without such a stream may answer 404 from the beginning, and a session that was lost is noticed with the
            // next message; only later it means the session.
            Promise::Error(failing)
                if failing.status == 404 && self.has_listened && self.is_in_session(exchange) =>
            {
                self.lose_session(now);
            }
            Promise::Error(failing) if failing.is_passing() => {
                self.resume(exchange, failing.retry_after, now);
            }
            // What followed is lost there. What is still to come is not, if it is asked for without a place.
            Promise::Error(failing) if failing.status == 400 && self.forget_place(exchange) => {
                self.remark(failing.error());
                self.resume(exchange, failing.retry_after, now);
            }
            Promise::Error(failing) => {
                if !matches!(failing.status, 404 | 405) {
                    self.remark(failing.error());
                }
                self.ignore(exchange);
            }
            Promise::Json | Promise::Accepted | Promise::Nonsense(_) => {
                self.remark(HttpError::ContentType);
                self.abort(exchange);
            }
        }
    }

    /// The head of a stream that is opened again for a call.
    pub(super) fn read_resumed(&mut self, exchange: Exchange, promise: Promise, now: Instant) {
        let error = match promise {
            Promise::Stream => return self.begin_stream(exchange, now),
            // MUST; 2025-03-26 basic/transports
            Promise::Error(failing) if failing.status == 404 && self.is_in_session(exchange) => {
                return self.lose_session(now);
            }
            Promise::Error(failing) if failing.is_passing() => {
                return self.resume(exchange, failing.retry_after, now);
            }
            Promise::Error(failing) if matches!(failing.status, 401 | 403) => failing.error(),
            _ => HttpError::Cut,
        };
        self.give_up(exchange, error, now);
    }

    /// The stream goes on wherever the server is. Whether a place was named.
    fn forget_place(&mut self, exchange: Exchange) -> bool {
        let entry = self.exchanges.get_mut(&exchange);
        entry.and_then(|entry| entry.position.as_mut()).is_some_and(|position| position.forget())
    }

    /// A stream has ended before its time, or could not be opened: it is opened again when that is due.
    pub(super) fn resume(&mut self, exchange: Exchange, asked: Option<Duration>, now: Instant) {
        let options = self.options.clone();
        let Some(entry) = self.exchanges.get_mut(&exchange) else { return };
        let is_call = matches!(entry.aim, Aim::Call(..));
        let wait = entry.position.as_mut().and_then(|position| {
            position.handle_end(&options, now);
            let may_follow = match is_call {
                true => position.is_resumable() && position.tries() < options.max_tries,
                false => options.max_tries > 0,
            };
            let is_long = !is_call && position.tries() == options.max_tries;
            may_follow.then(|| (position.next(&options, asked, self.spread.as_mut()), is_long))
        });
        let Some((wait, is_long)) = wait.filter(|_| !self.is_closing) else {
            return self.give_up(exchange, HttpError::Cut, now);
        };
        if is_long {
            // It is said once, and tried on: the session may live for long.
            self.remark(HttpError::Cut);
        }
        let due = now + wait;
        let Some(mut entry) = self.abort(exchange) else { return };
        if entry.position.as_mut().is_some_and(|position| position.take_cut()) {
            let id = entry.aim.call();
            self.endpoint.core_mut().tell(Event::Interrupted { id });
        }
        self.insert(Entry {
            state: State::Waiting,
            due: Some(due),
            ended: None,
            in_session: self.session.id.is_some(),
            ..entry
        });
    }

    fn give_up(&mut self, exchange: Exchange, error: HttpError, now: Instant) {
        match self.exchanges.get(&exchange).map(|entry| &entry.aim) {
            Some(Aim::Call(number, _)) => {
                let number = *number;
                self.fail_call(exchange, number, CallError::Http(error), now);
            }
            Some(_) => {
                self.remark(error);
                self.abort(exchange);
            }
            None => {}
        }
    }

    /// The time has come for what an exchange waits for.
    pub(super) fn expire(&mut self, exchange: Exchange, now: Instant) {
        let Some(entry) = self.exchanges.get_mut(&exchange) else { return };
        entry.due = None;
        match (&entry.state, &entry.aim) {
            (State::Waiting, _) => {
                entry.state = State::Asked;
                let position = entry.position.as_deref().map(Position::last_event_id);
                let request = requests::get(
                    &self.uri,
                    &self.options.headers,
                    &self.session,
                    position.unwrap_or_default(),
                );
                self.outgoing.push_back(Transmit::Open { exchange, request });
                self.set_due(exchange, Some(now + self.options.answer_timeout));
            }
            (State::Leaving(_), _) => self.leave(exchange),
            (State::Asked, Aim::Message(lane)) => {
                let lane = lane.clone();
                self.remark(HttpError::TimedOut);
                self.abort(exchange);
                self.said(&lane);
            }
            (State::Asked, Aim::Call(..) | Aim::Listen) => self.resume(exchange, None, now),
            (State::Stream(_), _) if entry.position.is_some() => self.expire_silent(exchange, now),
            _ => {
                self.abort(exchange);
            }
        }
    }

    /// Sees to it that silence on this stream is noticed, if it means something.
    pub(super) fn watch(&mut self, exchange: Exchange) {
        let Some(entry) = self.exchanges.get(&exchange) else { return };
        // It is moved only when it comes, so that a byte costs no timer.
        if let (None, State::Stream(_), Some(position)) = (entry.due, &entry.state, &entry.position)
            && position.is_watched()
            && self.options.silence < Duration::MAX
        {
            let due = position.heard + self.silence();
            self.set_due(exchange, Some(due));
        }
    }

    /// Nothing may have come on a stream for long.
    fn expire_silent(&mut self, exchange: Exchange, now: Instant) {
        let (is_read, silence) = (self.wants_input(exchange), self.silence());
        let Some(entry) = self.exchanges.get_mut(&exchange) else { return };
        if entry.ended.is_some() {
            // It is resumed when all that came is read.
            return;
        }
        let Some(position) = entry.position.as_mut().filter(|position| position.is_watched())
        else {
            return;
        };
        if !is_read {
            // Who does not listen hears nothing.
            position.heard = now;
        }
        if position.heard + silence > now {
            return self.watch(exchange);
        }
        position.handle_cut(End::Broken);
        self.resume(exchange, None, now);
    }

    fn silence(&self) -> Duration {
        self.options.silence.max(MIN_SILENCE)
    }

    fn is_in_session(&self, exchange: Exchange) -> bool {
        self.exchanges.get(&exchange).is_some_and(|entry| entry.in_session)
    }
}
