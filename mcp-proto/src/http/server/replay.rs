//! What was sent on streams that can be taken up again.
//!
//! 2025-03-26 to 2025-11-25 `basic/transports`, resumability and redelivery.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

use bytes::Bytes;

/// One stream of one server. Names are never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(pub(super) u64);

/// Keeps what goes out on streams, so that a client whose connection broke can have it again.
///
/// [`Ring`] keeps it in memory, within bounds. Another store may keep more, or elsewhere. It serves one server: names of
/// streams begin anew in each process, so that two must not share one, and a session that moves takes along what was sent.
///
/// None of this may wait. It is called for each message of each stream, by `driver::http::Service` while
/// nothing else of the server moves, so a file or a network behind it would hold up every client. A store that is elsewhere
/// answers from what it has in memory, and writes on another thread.
///
/// Positions count up by one on each stream, unless it is [forgotten](Self::forget). What is not kept is never left out silently: a stream that has a gap
/// behind the position that a client names is not taken up again.
pub trait Replay: Send + Sync {
    /// Keeps a message.
    fn keep(&mut self, stream: StreamName, position: u64, message: &Bytes);

    /// The messages behind a position, in order. Those that are no longer kept are missing at the front.
    fn behind(&self, stream: StreamName, position: u64) -> Vec<Bytes>;

    /// Nothing more will be kept of this stream, and its client has most likely read it to its end: where there is no
    /// room it is to go before those that go on. May be said more than once. Default: nothing.
    fn complete(&mut self, stream: StreamName) {
        let _ = stream;
    }

    /// Nobody will take this stream up again as it is. Where a request was cancelled, what its client had not taken is forgotten
    /// with the rest, and what is left is kept again at once, from an earlier position.
    fn forget(&mut self, stream: StreamName);

    /// A copy of all that is kept, as [`Server`](super::Server) is `Clone`: what either keeps from then on the other does not
    /// see. A driver makes none.
    fn boxed(&self) -> Box<dyn Replay>;
}

/// Keeps messages in memory: of each stream the last ones.
#[derive(Clone, Debug)]
pub struct Ring {
    streams: BTreeMap<StreamName, Kept>,
    /// Those that are complete, by their turn.
    complete: BTreeMap<u64, StreamName>,
    /// The last turn that was given out.
    last_turn: u64,
    /// Bytes of all.
    len: usize,
    max_events: usize,
    max_stream_len: usize,
    max_len: usize,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    /// The position of the first.
    first: u64,
    messages: VecDeque<Bytes>,
    len: usize,
    /// When it goes, if it is complete.
    turn: Option<u64>,
}

impl Kept {
    /// Drops the first message: its bytes.
    fn drop_first(&mut self) -> Option<usize> {
        let len = self.messages.pop_front()?.len() + ENTRY;
        self.first += 1;
        self.len -= len;
        Some(len)
    }
}

/// Bytes that an entry takes beside its message.
const ENTRY: usize = size_of::<Bytes>() + 64;

/// Bytes that a stream takes in the two tables, beside their nodes and its messages.
pub(super) const OF_STREAM: [usize; 2] =
    [size_of::<(StreamName, Kept)>(), size_of::<(u64, StreamName)>()];

impl Default for Ring {
    fn default() -> Self {
        Self::new(256, 1 << 20, 64 << 20)
    }
}

impl Ring {
    /// Keeps up to `max_events` messages of a stream, of up to `max_stream_len` bytes, and up to `max_len` bytes of
    /// all streams. Default 256, 1 MiB and 64 MiB. Where the last bound is reached, complete streams go first, the
    /// oldest before the others; where there are none, the stream that goes on loses its own oldest messages.
    pub fn new(max_events: usize, max_stream_len: usize, max_len: usize) -> Self {
        Self {
            streams: BTreeMap::new(),
            complete: BTreeMap::new(),
            last_turn: 0,
            len: 0,
            max_events,
            max_stream_len,
            max_len,
        }
    }

    /// Bytes that are kept at most, as it counts them.
    pub(super) const fn max_len(&self) -> usize {
        self.max_len
    }

    /// Bytes that are kept.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }
}

impl Replay for Ring {
    fn keep(&mut self, stream: StreamName, position: u64, message: &Bytes) {
        let kept = self.streams.entry(stream).or_default();
        if kept.messages.is_empty() || position != kept.first + kept.messages.len() as u64 {
            self.len -= kept.len;
            *kept = Kept { first: position, turn: kept.turn, ..Kept::default() };
        }
        kept.messages.push_back(message.clone());
        let len = message.len() + ENTRY;
        kept.len += len;
        self.len += len;
        while kept.messages.len() > self.max_events || kept.len > self.max_stream_len {
            let Some(len) = kept.drop_first() else { break };
            self.len -= len;
        }
        if self.len <= self.max_len {
            return;
        }
        // Whoever has read a stream to its end can spare it; whoever is cut in the middle cannot.
        while self.len > self.max_len
            && let Some((_, oldest)) = self.complete.pop_first()
        {
            self.forget(oldest);
        }
        let Some(kept) = self.streams.get_mut(&stream) else { return };
        while self.len > self.max_len {
            let Some(len) = kept.drop_first() else { break };
            self.len -= len;
        }
    }

    fn behind(&self, stream: StreamName, position: u64) -> Vec<Bytes> {
        let Some(kept) = self.streams.get(&stream) else { return Vec::new() };
        let skipped = usize::try_from(position.saturating_add(1).saturating_sub(kept.first));
        kept.messages.iter().skip(skipped.unwrap_or(usize::MAX)).cloned().collect()
    }

    fn complete(&mut self, stream: StreamName) {
        if let Some(kept) = self.streams.get_mut(&stream)
            && kept.turn.is_none()
        {
            self.last_turn += 1;
            kept.turn = Some(self.last_turn);
            self.complete.insert(self.last_turn, stream);
        }
    }

    fn forget(&mut self, stream: StreamName) {
        if let Some(kept) = self.streams.remove(&stream) {
            self.len -= kept.len;
            if let Some(turn) = kept.turn {
                self.complete.remove(&turn);
            }
        }
    }

    fn boxed(&self) -> Box<dyn Replay> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    const A: StreamName = StreamName(1);
    const B: StreamName = StreamName(2);

    fn keep(ring: &mut Ring, stream: StreamName, position: u64) {
        ring.keep(stream, position, &format!("{position}").into());
    }

    fn behind(ring: &Ring, stream: StreamName, position: u64) -> Vec<Bytes> {
        ring.behind(stream, position)
    }

    #[test]
    fn what_follows_a_position_is_there_until_the_bounds_push_it_out() {
        let mut ring = Ring::new(3, 1 << 10, 1 << 20);
        (1..=3).for_each(|position| keep(&mut ring, A, position));
        keep(&mut ring, B, 1);
        assert_eq!(behind(&ring, A, 0), ["1", "2", "3"]);
        assert_eq!(behind(&ring, A, 2), ["3"]);
        assert!(behind(&ring, A, 3).is_empty() && behind(&ring, A, u64::MAX - 1).is_empty());
        keep(&mut ring, A, 4);
        assert_eq!(behind(&ring, A, 0), ["2", "3", "4"], "one is missing at the front");
        assert_eq!(behind(&ring, B, 0), ["1"]);
        ring.forget(A);
        assert!(behind(&ring, A, 0).is_empty());
        ring.forget(B);
        assert_eq!((ring.len(), ring.is_empty()), (0, true));
    }

    #[test]
    fn bytes_are_bounded_for_each_stream_and_for_all() {
        let mut ring = Ring::new(usize::MAX, 3 * (ENTRY + 1), 5 * (ENTRY + 1));
        (1..=9).for_each(|position| keep(&mut ring, A, position));
        assert_eq!(behind(&ring, A, 0), ["7", "8", "9"]);
        (1..=9).for_each(|position| keep(&mut ring, B, position));
        assert_eq!(behind(&ring, B, 0), ["8", "9"], "it loses its own, not those of another");
        assert_eq!(behind(&ring, A, 0), ["7", "8", "9"]);
        ring.keep(B, 10, &Bytes::from_static(&[b'x'; 1 << 10]));
        assert!(behind(&ring, B, 0).is_empty(), "what is larger than all is not kept");
        assert!(ring.len() <= 5 * (ENTRY + 1));
        keep(&mut ring, B, 11);
        assert_eq!(behind(&ring, B, 9), ["11"], "and the gap can be seen");
    }

    #[test]
    fn complete_streams_make_room_the_oldest_first_and_others_do_not() {
        const C: StreamName = StreamName(3);
        let mut ring = Ring::new(usize::MAX, usize::MAX, 6 * (ENTRY + 1));
        for stream in [A, B, C] {
            (1..=2).for_each(|position| keep(&mut ring, stream, position));
        }
        // In another order than their names; that it is said again changes nothing.
        [B, A, B].into_iter().for_each(|stream| ring.complete(stream));
        let kept = |ring: &Ring| [A, B, C].map(|stream| behind(ring, stream, 0).len());
        keep(&mut ring, C, 3);
        assert_eq!(kept(&ring), [2, 0, 3]);
        keep(&mut ring, C, 4);
        assert_eq!(kept(&ring), [2, 0, 4], "there was room");
        keep(&mut ring, C, 5);
        assert_eq!(kept(&ring), [0, 0, 5]);
        (6..=9).for_each(|position| keep(&mut ring, C, position));
        assert_eq!(behind(&ring, C, 3), ["4", "5", "6", "7", "8", "9"], "its own, at last");
        // One that is forgotten before its turn has none.
        ring.complete(C);
        ring.forget(C);
        (1..=7).for_each(|position| keep(&mut ring, A, position));
        assert_eq!(behind(&ring, A, 1).len(), 6);
        ring.complete(A);
        keep(&mut ring, A, 8);
        assert!(behind(&ring, A, 0).is_empty(), "even the one that was complete too early");
        assert!(ring.len() <= 6 * (ENTRY + 1) && ring.complete.is_empty());
    }
}
