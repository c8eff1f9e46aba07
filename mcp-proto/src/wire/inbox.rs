//! Bytes as they arrive, and when: a decoder cuts them where its messages end.

use alloc::collections::VecDeque;
use core::mem;
use core::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::bound::{queue, sum, times};
#[cfg(feature = "snapshot")]
use crate::state::{RestoreError, check, check_limit, moments};
use crate::time::Instant;

/// What has arrived and was not decoded yet.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    buffer: BytesMut,
    /// Bytes of the allocation in which `buffer` lies.
    allocated: usize,
    /// How much of `buffer` is known not to hold what is searched for, so that no byte is searched twice.
    searched: usize,
    /// When the bytes up to a position of the stream arrived, oldest first.
    arrivals: VecDeque<(u64, Instant)>,
    /// How close two of these may be.
    resolution: Duration,
    /// Position in the stream of the first byte of `buffer`.
    consumed: u64,
    /// The longest message.
    max_len: usize,
}

/// What a snapshot keeps of it.
#[cfg(feature = "snapshot")]
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct InboxForm {
    #[serde(with = "crate::state::kept")]
    buffer: alloc::vec::Vec<u8>,
    arrivals: VecDeque<(u64, Instant)>,
    resolution: Duration,
}

#[cfg(feature = "snapshot")]
moments!(InboxForm { arrivals; buffer, resolution });

/// How many arrival times are told apart at most. Bounds memory against input in single bytes.
pub(super) const MAX_ARRIVALS: usize = 1 << 10;

/// What is read at once, beyond a message of full length, without the buffer's bound being exceeded.
pub(crate) const MAX_READ: usize = 64 << 10;

/// Up to this size an allocation is kept that is mostly empty.
pub(super) const KEPT: usize = 2 * MAX_READ;

/// Appends a time, unless it is too close to the one before.
fn join(arrivals: &mut VecDeque<(u64, Instant)>, end: u64, at: Instant, resolution: Duration) {
    match arrivals.back_mut() {
        Some((last_end, last)) if at - *last < resolution => *last_end = end,
        _ => arrivals.push_back((end, at)),
    }
}

/// What some programs write before their first text.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

impl Inbox {
    pub(super) fn new(max_len: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            allocated: 0,
            searched: 0,
            arrivals: VecDeque::new(),
            resolution: Duration::ZERO,
            consumed: 0,
            max_len,
        }
    }

    /// Bytes that it takes at most, where no more than [`MAX_READ`] bytes are appended to a full message.
    pub(super) const fn bound(max_len: usize) -> usize {
        sum([times(2, sum([max_len, MAX_READ])), queue(MAX_ARRIVALS, size_of::<(u64, Instant)>())])
    }

    /// Bytes that it takes at most while `len` wait in it, if what is complete is taken from it.
    #[cfg(feature = "http")]
    pub(super) const fn bound_holding(len: usize) -> usize {
        let arrivals = queue(MAX_ARRIVALS, size_of::<(u64, Instant)>());
        sum([KEPT, times(4, sum([len, MAX_READ])), arrivals])
    }

    /// Appends what was read.
    pub(super) fn push(&mut self, input: &[u8], now: Instant) {
        if input.is_empty() {
            return;
        }
        // No message ends in what was searched, so nobody will ask when it arrived.
        if self.searched == self.buffer.len() {
            self.arrivals.clear();
        }
        self.make_room(input.len());
        self.buffer.extend_from_slice(input);
        let end = self.consumed + self.buffer.len() as u64;
        self.note_arrival(end, now);
    }

    /// Everything up to `end` has arrived.
    fn note_arrival(&mut self, end: u64, now: Instant) {
        if self.arrivals.is_empty() {
            self.resolution = Duration::ZERO;
            // Mostly there is one, and connections idle.
            self.arrivals.reserve_exact(1);
        }
        if self.arrivals.len() >= MAX_ARRIVALS {
            self.thin();
        }
        if let Some((last_end, at)) = self.arrivals.back_mut()
            && *at == now
        {
            *last_end = end;
            return;
        }
        // Only the latest time is known better than that.
        if let Some((last_end, at)) = self.arrivals.pop_back() {
            join(&mut self.arrivals, last_end, at, self.resolution);
        }
        self.arrivals.push_back((end, now));
    }

    /// Tells only half as many times apart as there may be: each is off by a five hundredth of the time over
    /// which everything here arrived, and never late.
    fn thin(&mut self) {
        let (Some((_, first)), Some((_, last))) = (self.arrivals.front(), self.arrivals.back())
        else {
            return;
        };
        self.resolution = (*last - *first) / (MAX_ARRIVALS as u32 / 2) + Duration::from_nanos(1);
        let all = mem::take(&mut self.arrivals);
        for (end, at) in all {
            join(&mut self.arrivals, end, at, self.resolution);
        }
    }

    /// Grows the buffer for what was read. Left to itself it would double what was consumed as well.
    fn make_room(&mut self, additional: usize) {
        let length = self.buffer.len();
        if additional <= self.buffer.capacity() - length || self.buffer.try_reclaim(additional) {
            return;
        }
        let needed = length + additional;
        // Beyond the bound only a caller grows it that reads on without decoding; in proportion even then.
        let bounded = needed.min(self.max_len.saturating_add(MAX_READ)).saturating_mul(2);
        let roomy = bounded.max(needed + needed / 2);
        let mut grown = BytesMut::with_capacity(roomy);
        grown.extend_from_slice(&self.buffer);
        self.buffer = grown;
        self.allocated = roomy;
    }

    /// Bytes of the allocation in which they lie.
    #[cfg(feature = "http")]
    pub(super) fn allocated(&self) -> usize {
        self.allocated
    }

    #[cfg(all(feature = "testing", feature = "http"))]
    pub(super) fn digest(&self, digest: &mut crate::digest::Digest<'_>) {
        let Self { buffer, allocated: _, searched, arrivals, resolution, consumed, max_len: _ } =
            self;
        digest.put((buffer, searched, resolution, arrivals.len()));
        for (end, at) in arrivals {
            digest.put(end.wrapping_sub(*consumed));
            digest.time(*at);
        }
    }

    /// What a snapshot keeps of it: positions count from the first byte that waits.
    #[cfg(feature = "snapshot")]
    pub(super) fn form(&self) -> InboxForm {
        let Self { buffer, allocated: _, searched: _, arrivals, resolution, consumed, max_len: _ } =
            self;
        let arrivals =
            arrivals.iter().map(|(end, at)| (end.saturating_sub(*consumed), *at)).collect();
        InboxForm { buffer: buffer.to_vec(), arrivals, resolution: *resolution }
    }

    #[cfg(feature = "snapshot")]
    pub(super) fn restore(form: InboxForm, max_len: usize) -> Result<Self, RestoreError> {
        let InboxForm { buffer, arrivals, resolution } = form;
        let most = max_len.saturating_add(MAX_READ).saturating_mul(2);
        check_limit(buffer.len(), most, "bytes that arrived")?;
        check_limit(arrivals.len(), MAX_ARRIVALS, "times of arrival")?;
        let is_sorted = arrivals.iter().is_sorted_by(|(one, _), (other, _)| one < other);
        let end = arrivals.back().map_or(0, |(end, _)| *end);
        let is_whole = end == buffer.len() as u64 && arrivals.is_empty() == buffer.is_empty();
        check(is_sorted && is_whole, "bytes that never arrived")?;
        let buffer = BytesMut::from(&*buffer);
        let allocated = buffer.capacity();
        Ok(Self { buffer, allocated, arrivals, resolution, ..Self::new(max_len) })
    }

    /// Gives back what it keeps for bytes to come, if none wait. Whether it kept anything.
    pub(super) fn give_back(&mut self) -> bool {
        if !self.buffer.is_empty() {
            return false;
        }
        let kept = mem::replace(&mut self.allocated, 0);
        self.buffer = BytesMut::new();
        self.arrivals = VecDeque::new();
        kept > 0
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.buffer.len()
    }

    /// The bytes that wait.
    #[cfg(feature = "http")]
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
        if self.allocated > KEPT && self.buffer.len() < self.allocated / 4 {
            // A little of what came last must not keep all that came before it.
            self.buffer = BytesMut::from(&self.buffer[..]);
            self.allocated = self.buffer.capacity();
        }
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
    fn what_is_kept_for_bytes_to_come_is_given_back_if_none_wait() {
        let mut inbox = Inbox::new(1 << 20);
        inbox.push(b"ab", Instant::ZERO);
        inbox.take(1);
        assert!(!inbox.give_back());
        assert_eq!(inbox.take(1).0, "b", "it waited");
        assert!(inbox.give_back() && !inbox.give_back());
        assert_eq!((inbox.buffer.capacity(), inbox.arrivals.capacity()), (0, 0));
        inbox.push(b"c", Instant::from_nanos(1));
        assert_eq!(inbox.take(1), (Bytes::from_static(b"c"), Instant::from_nanos(1)));
    }

    #[test]
    fn single_bytes_at_distinct_times_cost_bounded_memory_and_keep_their_times() {
        let mut inbox = Inbox::new(1 << 20);
        for n in 0..10_000 {
            inbox.push(b"x", Instant::from_nanos(n));
            assert!(inbox.arrivals.len() <= MAX_ARRIVALS);
        }
        for n in 0..9_999 {
            let (_, at) = inbox.take(1);
            assert!((n - 21..=n).contains(&(at.as_nanos() as i64)), "byte {n} came at {at:?}");
        }
        assert_eq!(inbox.take(1).1, Instant::from_nanos(9_999));
    }

    #[test]
    fn a_message_in_single_bytes_that_are_decoded_as_they_come_costs_one_time() {
        let mut inbox = Inbox::new(1 << 20);
        let end = |bytes: &[u8]| memchr::memchr(b'\n', bytes);
        for n in 0..1000 {
            inbox.push(b"x", Instant::from_nanos(n));
            assert_eq!((inbox.find(end), inbox.arrivals.len()), (None, 1));
        }
        inbox.push(b"x\ny\n", Instant::from_nanos(1000));
        assert_eq!(inbox.find(end), Some(1001));
        inbox.push(b"z\n", Instant::from_nanos(1001));
        assert_eq!(inbox.take(1002).1, Instant::from_nanos(1000));
        assert_eq!(inbox.take(2).1, Instant::from_nanos(1000));
        assert_eq!(inbox.take(2).1, Instant::from_nanos(1001));
    }

    #[test]
    fn input_that_nobody_decodes_grows_in_proportion() {
        let mut inbox = Inbox::new(1 << 10);
        let mut moves = 0;
        for _ in 0..100_000 {
            let before = inbox.buffer.capacity();
            inbox.push(&[b' '; 64], Instant::ZERO);
            moves += usize::from(inbox.buffer.capacity() != before);
        }
        assert!(moves < 40, "{moves} times 6 MB were moved");
    }
}
