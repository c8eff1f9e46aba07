//! The end of the conversation, and of a session that the server has forgotten.

use alloc::vec::Vec;

use super::channel::Mode;
use super::exchange::{Aim, Entry, State};
use super::refreshing::Refresh;
use super::requests::{self, Session};
use super::{Client, Exchange};
use crate::error::HttpError;
use crate::time::Instant;

/// Sessions that may be lost in a row, and eras that may be doubted, before a call was of use. Stops a server that opens
/// sessions and forgets them, or makes us ask for its era again and again.
pub(super) const MAX_LOST: u32 = 3;

impl Client {
    /// The conversation is over: what waits for an answer is closed. What is still to be said is said.
    pub(super) fn begin_closing(&mut self) {
        if core::mem::replace(&mut self.is_closing, true) {
            return;
        }
        let is_leaving = |(exchange, entry): (&Exchange, &Entry)| {
            matches!(entry.state, State::Leaving(_)).then_some(*exchange)
        };
        let leaving: Vec<_> = self.exchanges.iter().filter_map(is_leaving).collect();
        for exchange in leaving {
            self.leave(exchange);
        }
        self.abort_all(|aim| !matches!(aim, Aim::Message(_)));
        self.refresh = Refresh::default();
        if matches!(self.mode, Mode::Connecting(_)) {
            self.endpoint.core_mut().discard_output();
        }
    }

    /// Tells the server that its session is over. Whether there was one to tell.
    pub(super) fn say_goodbye(&mut self) -> bool {
        if !self.lanes.is_empty() || self.session.id.is_none() {
            return false;
        }
        // SHOULD; 2025-03-26 basic/transports
        let request = requests::delete(&self.uri, &self.options.headers, &self.session);
        self.session.id = None;
        let mut entry = Entry::new(Aim::Delete, true);
        entry.due = Some(self.clock() + self.options.answer_timeout);
        self.open(entry, request);
        true
    }

    /// The server knows nothing of the session. MUST open a new one; 2025-03-26 basic/transports
    pub(super) fn lose_session(&mut self, now: Instant) {
        if self.session.revision.is_none() {
            return;
        }
        self.lost += 1;
        if self.lost > MAX_LOST {
            self.session = Session::default();
            self.endpoint.core_mut().close_for(HttpError::SessionExpired, now);
            return;
        }
        self.forget_session();
        self.endpoint.core_mut().handle_session_lost(now);
    }

    /// Nothing goes on of what was said in the session.
    pub(super) fn forget_session(&mut self) {
        self.abort_all(|_| true);
        self.clear_parked();
        self.refresh = Refresh::default();
        self.lanes.clear();
        self.session = Session::default();
        (self.is_initialized, self.has_listened) = (false, false);
    }

    pub(super) fn abort_all(&mut self, is_meant: impl Fn(&Aim) -> bool) {
        let meant =
            |(exchange, entry): (&Exchange, &Entry)| is_meant(&entry.aim).then_some(*exchange);
        let meant: Vec<_> = self.exchanges.iter().filter_map(meant).collect();
        for exchange in meant {
            self.abort(exchange);
        }
    }
}
