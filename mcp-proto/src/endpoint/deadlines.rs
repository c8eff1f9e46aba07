//! What is due when: a heap that is allowed to be behind the tables.

use alloc::collections::BinaryHeap;
use core::cmp::Reverse;

use crate::bound::{PART, queue, sum, times};
use crate::config::Limits;
#[cfg(feature = "testing")]
use crate::digest::Digest;
use crate::id::RequestId;
use crate::time::Instant;

/// What a timer is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Timer {
    /// A call of ours ends.
    Call(i64),
    /// Waiting progress of a request may leave.
    Flush(RequestId),
}

/// Timers in order of time.
///
/// The tables hold the truth; an entry here may be stale. Deadlines mostly move later (progress re-arms
/// them), so moving one costs nothing until the old entry reaches the top, where `settle` corrects it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, Timer)>>,
}

impl Deadlines {
    /// Bytes that it takes at most: twice the live entries before it is compacted, and one for each request
    /// while room in the outbox arms them all. A stale one may be the last to hold an id.
    pub(super) const fn bound(limits: &Limits) -> usize {
        let live = sum([limits.max_calls, limits.max_requests, 1]);
        let entries = sum([times(2, live), limits.max_requests, STALE + 1]);
        sum([
            queue(entries, size_of::<Reverse<(Instant, Timer)>>()),
            times(entries, sum([limits.max_id_len, PART])),
        ])
    }

    pub(crate) fn arm(&mut self, at: Instant, timer: Timer) {
        if self.heap.capacity() == 0 {
            // Mostly there is one, and connections idle.
            self.heap.reserve_exact(1);
        }
        self.heap.push(Reverse((at, timer)));
    }

    /// The earliest timer. True after `settle`.
    pub(crate) fn next(&self) -> Option<(Instant, &Timer)> {
        self.heap.peek().map(|Reverse((at, timer))| (*at, timer))
    }

    pub(crate) fn pop(&mut self) -> Option<(Instant, Timer)> {
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// Corrects the top until it is true.
    pub(crate) fn settle(&mut self, truth: impl Fn(&Timer) -> Option<Instant>) {
        while let Some(mut top) = self.heap.peek_mut() {
            let Reverse((at, timer)) = &mut *top;
            match truth(timer) {
                Some(due) if due == *at => return,
                Some(due) if due > *at => *at = due,
                // Gone, or armed again for an earlier time by an entry of its own.
                _ => {
                    alloc::collections::binary_heap::PeekMut::pop(top);
                }
            }
        }
    }

    /// Drops stale entries once they outnumber the live ones, so that calls which end long before
    /// their deadline leave nothing behind.
    pub(crate) fn compact(&mut self, live: usize, truth: impl Fn(&Timer) -> Option<Instant>) {
        if self.heap.len() > 2 * live + STALE {
            let entries = core::mem::take(&mut self.heap).into_vec();
            let kept = entries
                .into_iter()
                .filter_map(|Reverse((_, timer))| Some(Reverse((truth(&timer)?, timer))));
            // Sorted as a heap is: another way to sort would be compiled for this alone.
            let mut kept = kept.collect::<BinaryHeap<_>>().into_sorted_vec();
            kept.dedup();
            self.heap = kept.into();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.heap.clear();
    }

    #[cfg(feature = "testing")]
    pub(super) fn digest(&self, digest: &mut Digest<'_>) {
        let Self { heap } = self;
        digest.put(heap.len());
        for Reverse((at, timer)) in heap.clone().into_sorted_vec() {
            digest.time(at);
            digest.put(timer);
        }
    }
}

/// Stale entries that are always let be.
const STALE: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    #[test]
    fn stale_entries_are_corrected_at_the_top_and_dropped_when_they_outnumber_the_live() {
        let at = |secs| Instant::from(Duration::from_secs(secs));
        let mut deadlines = Deadlines::default();
        for n in 1..=1000 {
            deadlines.arm(at(n as u64), Timer::Call(n));
            let truth = |timer: &Timer| match timer {
                Timer::Call(live) if *live == n => Some(at(5000)),
                _ => None,
            };
            deadlines.compact(1, truth);
            deadlines.settle(truth);
            assert!(deadlines.heap.len() <= 18);
            assert_eq!(deadlines.next(), Some((at(5000), &Timer::Call(n))));
        }
    }

    #[test]
    fn stale_entries_behind_the_first_are_dropped_when_they_outnumber_the_live_by_a_few() {
        let at = |secs| Instant::from(Duration::from_secs(secs));
        let truth = |timer: &Timer| match timer {
            Timer::Call(n @ 1..=5) => Some(at(*n as u64)),
            _ => None,
        };
        let mut deadlines = Deadlines::default();
        for n in 1..=1_000 {
            deadlines.arm(at(n as u64), Timer::Call(n));
            deadlines.compact(5, truth);
            deadlines.settle(truth);
            // Each time that there are one more than twice the live, and a few.
            let expected = if n <= 26 { n } else { 5 + (n - 27) % 22 };
            assert_eq!(deadlines.heap.len() as i64, expected, "{n}");
            assert_eq!(deadlines.next(), Some((at(1), &Timer::Call(1))));
        }
    }

    #[test]
    fn one_timer_takes_the_room_of_one() {
        let mut deadlines = Deadlines::default();
        deadlines.arm(Instant::ZERO, Timer::Call(1));
        assert_eq!(deadlines.heap.capacity(), 1);
    }
}
