//! What all conversations of a server share.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::super::Exchange;
use super::Scope;
use super::exchange::{Exchanges, Source, Timer, Timers};
use super::options::ServerOptions;
use super::replay::{Replay, StreamName};
use super::session::Sessions;
use crate::era::Served;
use crate::time::Instant;

pub(super) struct Hub {
    pub(super) options: Arc<ServerOptions>,
    pub(super) served: Arc<Served>,
    pub(super) exchanges: Exchanges,
    pub(super) sessions: Sessions,
    pub(super) timers: Timers,
    pub(super) replay: Box<dyn Replay>,
    /// Scopes that have events.
    pub(super) active: VecDeque<Scope>,
    /// Scopes that are over.
    pub(super) finished: Vec<Scope>,
    pub(super) last_stream: u64,
    /// Bytes that wait on all streams.
    pub(super) waiting_len: usize,
    /// Bytes that were handed out and have not left.
    #[cfg(feature = "driver")]
    pub(super) lent: super::loan::Lent,
    /// Requests that run in all conversations.
    pub(super) in_flight: usize,
    /// The latest time that a caller named.
    pub(super) clock: Instant,
    /// Only what is under way is still served.
    pub(super) is_draining: bool,
}

impl Hub {
    pub(super) fn new(
        served: Arc<Served>,
        options: ServerOptions,
        replay: Box<dyn Replay>,
    ) -> Self {
        Self {
            options: Arc::new(options),
            served,
            exchanges: Exchanges::default(),
            sessions: Sessions::default(),
            timers: Timers::default(),
            replay,
            active: VecDeque::new(),
            finished: Vec::new(),
            last_stream: 0,
            waiting_len: 0,
            #[cfg(feature = "driver")]
            lent: Default::default(),
            in_flight: 0,
            clock: Instant::ZERO,
            is_draining: false,
        }
    }

    /// A name for a new stream. It is the origin of what comes with it, and 0 is none.
    pub(super) fn name_stream(&mut self) -> StreamName {
        self.last_stream += 1;
        StreamName(self.last_stream)
    }

    /// The name of the newest stream.
    #[cfg(feature = "snapshot")]
    pub(super) fn newest_stream(&self) -> StreamName {
        StreamName(self.last_stream)
    }

    /// Streams of another server have come, with names up to this one: no new one gets the same.
    #[cfg(feature = "snapshot")]
    pub(super) fn skip_streams(&mut self, newest: StreamName) {
        self.last_stream = self.last_stream.max(newest.0);
    }

    /// Until when a session that begins now has to be used.
    pub(super) fn opening_until(&self) -> Instant {
        self.clock + self.options.opening_timeout
    }

    /// Bytes that wait for all clients to read.
    pub(super) fn waiting(&self) -> usize {
        #[cfg(feature = "driver")]
        let lent = self.lent.len();
        #[cfg(not(feature = "driver"))]
        let lent = 0;
        self.waiting_len + self.exchanges.whole_len() + lent
    }

    /// Bytes that one conversation may say now. A little always fits: who reads nothing delays nobody else.
    pub(super) fn room(&self) -> usize {
        let left = self.options.max_waiting_len.saturating_sub(self.waiting());
        left.max(self.options.max_stream_len).min(self.served.config.limits.max_output_len)
    }

    /// There is something for the reader of an exchange.
    pub(super) fn signal(&mut self, exchange: Exchange) {
        self.exchanges.signal(exchange, self.clock);
        self.arm(exchange);
    }

    /// Sets the timer of an exchange, unless it comes early enough anyway.
    pub(super) fn arm(&mut self, exchange: Exchange) {
        let Some(entry) = self.exchanges.get_mut(exchange) else { return };
        let stall = entry.waits_since.map(|since| since + self.options.stall_timeout);
        let silence =
            self.options.keep_alive.filter(|_| matches!(entry.source, Source::Stream(..)));
        let silence = silence.map(|after| entry.taken_at + after);
        let due = stall.into_iter().chain(silence).chain(entry.primes_at).min();
        if let Some(due) = due
            && entry.armed.is_none_or(|armed| due < armed)
        {
            self.timers.set(Timer::Exchange(exchange), entry.armed, Some(due));
            entry.armed = Some(due);
        }
    }
}

impl Clone for Hub {
    fn clone(&self) -> Self {
        Self {
            options: self.options.clone(),
            served: self.served.clone(),
            exchanges: self.exchanges.clone(),
            sessions: self.sessions.clone(),
            timers: self.timers.clone(),
            replay: self.replay.boxed(),
            active: self.active.clone(),
            finished: self.finished.clone(),
            last_stream: self.last_stream,
            waiting_len: self.waiting_len,
            #[cfg(feature = "driver")]
            lent: self.lent.clone(),
            in_flight: self.in_flight,
            clock: self.clock,
            is_draining: self.is_draining,
        }
    }
}
