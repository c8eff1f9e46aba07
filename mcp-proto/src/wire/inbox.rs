//! Bytes as they arrive, and when: a decoder cuts them where its messages end.

use alloc::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::bound::{queue, sum, times};
use crate::time::Instant;

/// What has arrived and was not decoded yet.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    buffer: BytesMut,
    /// How much of `buffer` is known not to hold what is searched for, so that no byte is searched twice.
    searched: usize,
    /// When the bytes up to a position of the stream arrived, oldest first.
    arrivals: VecDeque<(u64, Instant)>,
    /// Position in the stream of the first byte of `buffer`.
    consumed: u64,
    /// The longest message.
    max_len: usize,
}

/// How many arrival times are told apart; beyond it, newer bytes count as arrived with the last of
/// these, which only ever favours the peer. Bounds memory against input in single bytes.
pub(super) const MAX_ARRIVALS: usize = 1 << 10;

/// What is read at once, beyond a message of full length, without the buffer's bound being exceeded.
pub(crate) const MAX_READ: usize = 64 << 10;

impl Inbox {
    pub(super) fn new(max_len: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            arrivals: VecDeque::new(),
            consumed: 0,
            max_len,
        }
    }

    /// Bytes that it takes at most, where no more than [`MAX_READ`] bytes are appended to a full message.
    pub(super) const fn bound(max_len: usize) -> usize {
        sum([times(2, sum([max_len, MAX_READ])), queue(MAX_ARRIVALS, size_of::<(u64, Instant)>())])
    }

    /// Appends what was read.
    pub(super) fn push(&mut self, input: &[u8], now: Instant) {
        if input.is_empty() {
            return;
        }
        self.make_room(input.len());
        self.buffer.extend_from_slice(input);
        let end = self.consumed + self.buffer.len() as u64;
        let is_full = self.arrivals.len() >= MAX_ARRIVALS;
        match self.arrivals.back_mut() {
            Some(last) if last.1 == now || is_full => last.0 = end,
            _ => self.arrivals.push_back((end, now)),
        }
    }

    /// Grows the buffer for what was read. Left to itself it would double what was consumed as well.
    fn make_room(&mut self, additional: usize) {
        let length = self.buffer.len();
        if additional <= self.buffer.capacity() - length || self.buffer.try_reclaim(additional) {
            return;
        }
        let needed = length + additional;
        let roomy = needed.min(self.max_len.saturating_add(MAX_READ)).saturating_mul(2).max(needed);
        let mut grown = BytesMut::with_capacity(roomy);
        grown.extend_from_slice(&self.buffer);
        self.buffer = grown;
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// The bytes that wait.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Whether `search` finds something in what was not searched yet.
    pub(super) fn has(&self, search: impl FnOnce(&[u8]) -> Option<usize>) -> bool {
        search(self.buffer.get(self.searched..).unwrap_or_default()).is_some()
    }

    /// Where `search` finds something, counted from the first byte.
    pub(super) fn find(&mut self, search: impl FnOnce(&[u8]) -> Option<usize>) -> Option<usize> {
        let found = self.buffer.get(self.searched..).and_then(search);
        let Some(offset) = found else {
            self.searched = self.buffer.len();
            return None;
        };
        let length = self.searched + offset;
        self.searched = 0;
        Some(length)
    }

    /// Takes the first bytes, and says when the last of them arrived.
    pub(super) fn take(&mut self, length: usize) -> (Bytes, Instant) {
        self.searched = 0;
        let bytes = self.buffer.split_to(length).freeze();
        self.consumed += length as u64;
        let mut at = Instant::ZERO;
        while let Some((end, arrived)) = self.arrivals.front() {
            at = *arrived;
            if *end > self.consumed || (*end == self.consumed && !self.buffer.is_empty()) {
                break;
            }
            if *end == self.consumed {
                self.arrivals.pop_front();
                break;
            }
            self.arrivals.pop_front();
        }
        (bytes, at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn single_bytes_at_distinct_times_cost_bounded_memory() {
        let mut inbox = Inbox::new(1 << 20);
        for n in 0..10_000 {
            inbox.push(b"x", Instant::from_nanos(n));
        }
        assert!(inbox.arrivals.len() <= MAX_ARRIVALS);
    }
}
