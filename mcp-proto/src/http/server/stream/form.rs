//! What a snapshot keeps of a stream whose client is away and can come back.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::super::super::Exchange;
use super::super::super::media::Accepts;
use super::{Form, Kind, Replay, Said, Stream, StreamName};
use crate::revision::Era;
use crate::state::{RestoreError, check, check_count, moments};
use crate::time::Instant;

/// A stream of events with ids that nobody reads now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in super::super) struct StreamForm {
    name: u64,
    /// It belongs to no request.
    is_standalone: bool,
    takes_json: bool,
    primes: bool,
    waiting: u64,
    is_over: bool,
    is_held: bool,
    kept_until: Option<Instant>,
    /// The position of the last message.
    last: u64,
    /// Messages that were taken, and may not have arrived.
    #[serde(with = "crate::state::kept")]
    taken: Vec<Bytes>,
    /// Messages behind them that were not taken.
    #[serde(with = "crate::state::kept")]
    queue: VecDeque<Bytes>,
}

moments!(StreamForm {
    kept_until; name, is_standalone, takes_json, primes, waiting, is_over, is_held, last, taken, queue
});

impl StreamForm {
    pub(in super::super) fn name(&self) -> StreamName {
        StreamName(self.name)
    }

    pub(in super::super) fn kept_until(&self) -> Option<Instant> {
        self.kept_until
    }

    pub(in super::super) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(in super::super) fn is_standalone(&self) -> bool {
        self.is_standalone
    }

    /// Requests that it has to answer, and whether their reports were told to wait.
    pub(in super::super) fn duties(&self) -> (u64, bool) {
        (self.waiting, self.is_held)
    }

    /// Bytes that wait.
    pub(in super::super) fn len(&self) -> usize {
        self.queue.iter().map(Bytes::len).sum()
    }
}

impl Stream {
    /// What is kept of it; nothing of one that cannot be taken up again.
    pub(in super::super) fn form(&self, replay: &dyn Replay) -> Option<StreamForm> {
        let Self {
            name,
            key: _, // another server gives it another
            kind,
            exchange,
            form: _, // events
            accepts,
            has_ids: _, // it has
            primes,
            waiting,
            is_over,
            is_parting: _,      // its reader has gone
            is_subscription: _, // sessions have none
            is_held,
            is_dirty: _,
            kept_until,
            preface: _, // only for its reader
            queue,
            len: _,
            last,
            has_named: _, // it has
            is_gone,
        } = self;
        if !self.can_resume() || exchange.is_some() || *is_gone {
            return None;
        }
        Some(StreamForm {
            name: name.0,
            is_standalone: *kind == Kind::Standalone,
            takes_json: accepts.json,
            primes: *primes,
            waiting: *waiting,
            is_over: *is_over,
            is_held: *is_held,
            kept_until: *kept_until,
            last: *last,
            taken: self.taken(replay),
            queue: queue.iter().map(|said| said.message.clone()).collect(),
        })
    }

    /// The stream again, which keeps its name in the ids of its events.
    pub(in super::super) fn restore(
        form: StreamForm,
        key: StreamName,
        replay: &mut dyn Replay,
    ) -> Result<Self, RestoreError> {
        let StreamForm {
            name,
            is_standalone,
            takes_json,
            primes,
            waiting,
            is_over,
            is_held,
            kept_until,
            last,
            taken,
            queue,
        } = form;
        let kept = taken.len() as u64 + queue.len() as u64;
        check_count(last)?;
        check(kept <= last, "a stream of more messages than were said")?;
        let is_line = |message: &Bytes| memchr::memchr(b'\n', message).is_none();
        let are_lines = taken.iter().chain(&queue).all(is_line);
        check(are_lines, "a message that is no line")?;
        let kind = if is_standalone { Kind::Standalone } else { Kind::Answers(Era::Legacy) };
        let accepts = Accepts { json: takes_json, stream: true };
        for (position, message) in (last - kept + 1..).zip(taken.iter().chain(&queue)) {
            replay.keep(key, position, message);
        }
        Ok(Self {
            key,
            exchange: None,
            form: Form::Events,
            has_ids: true,
            primes,
            waiting,
            is_over,
            is_held,
            kept_until,
            len: queue.iter().map(Bytes::len).sum(),
            queue: queue.into_iter().map(Said::bare).collect(),
            last,
            has_named: true,
            ..Self::new(StreamName(name), kind, Exchange(0), accepts)
        })
    }
}
