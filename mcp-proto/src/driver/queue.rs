//! Reports of a call that its listener has not taken yet.

use alloc::collections::VecDeque;

use crate::types::Progress;

/// What becomes of reports that a listener does not take in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// They wait, up to so many. Beyond it the middle is merged into newer ones and counted; the first
    /// and the last are kept. Default: 256 reports and 256 KiB of messages.
    Bounded {
        /// Reports that wait; at least 2 are kept.
        reports: usize,
        /// Bytes of their messages; one that is longer is cut.
        bytes: usize,
    },
    /// None is lost: while 256 of them wait, or 256 KiB of their messages, nothing more is taken from the stream
    /// that they come on. Over pipes, sockets and WebSocket that is the only one, so no other call gets anything
    /// either; over HTTP other calls go on, but what belongs to no call waits. Deadlines go on.
    Every,
    /// Only the newest waits, with 256 KiB of its message at most.
    Latest,
}

impl Default for Delivery {
    fn default() -> Self {
        Self::Bounded { reports: MAX_REPORTS, bytes: MAX_BYTES }
    }
}

/// Reports, and bytes of their messages, that wait. Stops a server from filling the memory of a client
/// whose listener is slow.
const MAX_REPORTS: usize = 256;
const MAX_BYTES: usize = 256 << 10;

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    delivery: Delivery,
    waiting: VecDeque<Progress>,
    /// The newest of them whose messages may still be slices of the frames they came in.
    attached: usize,
    /// Bytes of the messages that wait.
    bytes: usize,
    merged: u64,
}

impl Queue {
    pub(super) fn new(delivery: Delivery) -> Self {
        Self { delivery, ..Self::default() }
    }

    /// Puts a report behind the others. Its message may be a slice of the frame it came in, and keep all of that:
    /// [`detach`](Self::detach) is to follow before the next frame.
    pub(super) fn push(&mut self, mut progress: Progress) {
        let (reports, bytes) = match self.delivery {
            Delivery::Bounded { reports, bytes } => (reports.max(2), bytes),
            Delivery::Every => (usize::MAX, usize::MAX),
            Delivery::Latest => (1, MAX_BYTES),
        };
        // One that is longer than all that may wait is cut: each call keeps its first and its last.
        progress.message = progress.message.map(|message| message.cut(bytes));
        // The first that waits is kept, for it may be the first of all; so the newest of the others goes.
        let kept = usize::from(reports > 1);
        let size = size(&progress);
        while self.waiting.len() > kept
            && (self.waiting.len() >= reports || self.bytes + size > bytes)
        {
            self.merge_newest();
        }
        if self.waiting.len() >= reports {
            self.merge_newest();
        }
        self.bytes += size;
        self.attached += 1;
        self.waiting.push_back(progress);
    }

    /// Copies the messages of those that were not taken at once, so that they keep nothing else.
    pub(super) fn detach(&mut self) {
        for progress in self.waiting.iter_mut().rev().take(core::mem::take(&mut self.attached)) {
            progress.message = progress.message.take().map(|message| message.detach());
        }
    }

    /// Whether [`detach`](Self::detach) has something to do.
    pub(super) fn is_attached(&self) -> bool {
        self.attached > 0
    }

    pub(super) fn pop(&mut self) -> Option<Progress> {
        let progress = self.waiting.pop_front()?;
        self.attached = self.attached.min(self.waiting.len());
        self.bytes -= size(&progress);
        Some(progress)
    }

    /// Whether the peer has to wait until some are taken.
    pub(super) fn is_full(&self) -> bool {
        self.delivery == Delivery::Every
            && (self.waiting.len() >= MAX_REPORTS || self.bytes >= MAX_BYTES)
    }

    #[cfg(test)]
    pub(super) fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// Reports that were merged into newer ones.
    pub(super) fn merged(&self) -> u64 {
        self.merged
    }

    fn merge_newest(&mut self) {
        if let Some(older) = self.waiting.pop_back() {
            self.attached = self.attached.saturating_sub(1);
            self.bytes -= size(&older);
            self.merged += 1;
        }
    }
}

fn size(progress: &Progress) -> usize {
    progress.message.as_ref().map_or(0, |message| message.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Raw, text_of};
    use alloc::string::String;
    use alloc::vec::Vec;
    use bytes::Bytes;

    fn taken(delivery: Delivery, count: u32) -> (Vec<f64>, u64) {
        let mut queue = Queue::new(delivery);
        (0..count).for_each(|n| queue.push(Progress::new(n.into())));
        let values =
            core::iter::from_fn(|| queue.pop()).map(|progress| progress.progress).collect();
        (values, queue.merged())
    }

    #[test]
    fn beyond_the_bound_first_and_last_are_kept_and_the_rest_is_counted() {
        let bounded = Delivery::Bounded { reports: 3, bytes: 1000 };
        assert_eq!(taken(bounded, 3), ([0.0, 1.0, 2.0].into(), 0));
        assert_eq!(taken(bounded, 100), ([0.0, 1.0, 99.0].into(), 97));
        assert_eq!(taken(Delivery::Bounded { reports: 0, bytes: 0 }, 9), ([0.0, 8.0].into(), 7));
    }

    #[test]
    fn long_messages_are_bounded_by_their_bytes() {
        let mut queue = Queue::new(Delivery::Bounded { reports: 100, bytes: 1000 });
        for n in 0..50 {
            queue.push(Progress::new(n.into()).message(String::from("x").repeat(300)));
        }
        assert!(queue.bytes <= 1000 && queue.waiting.len() == 3 && queue.merged() == 47);
    }

    #[test]
    fn a_message_that_waits_longer_keeps_nothing_of_the_frame_it_came_in() {
        let frame = Bytes::from_static(b"\"a message\"");
        let raw = Raw::parse(&frame, 1).unwrap();
        let report = |n: f64| Progress::new(n).message(text_of(&frame, raw).unwrap());
        let is_slice = |report: Progress| {
            let message = report.message.unwrap();
            assert_eq!(message, "a message");
            frame.as_ptr_range().contains(&message.as_ptr())
        };
        for delivery in [Delivery::default(), Delivery::Latest, Delivery::Every] {
            let mut queue = Queue::new(delivery);
            queue.push(report(1.0));
            assert!(is_slice(queue.pop().unwrap()), "taken at once, it is not copied");
            for n in 0..3 {
                queue.push(report(n.into()));
            }
            assert!(queue.is_attached());
            queue.detach();
            assert!(!queue.is_attached());
            queue.push(report(3.0));
            let slices: Vec<_> =
                core::iter::from_fn(|| queue.pop()).map(is_slice).filter(|is| *is).collect();
            assert_eq!(slices.len(), 1, "the one that came last");
            assert!(!queue.is_attached());
        }
    }

    #[test]
    fn the_latest_is_one_and_every_is_all() {
        assert_eq!(taken(Delivery::Latest, 100), ([99.0].into(), 99));
        let (values, merged) = taken(Delivery::Every, 1000);
        assert_eq!((values.len(), merged), (1000, 0));
        let mut queue = Queue::new(Delivery::Every);
        (0..256).for_each(|n| queue.push(Progress::new(n.into())));
        assert!(queue.is_full());
        queue.pop();
        assert!(!queue.is_full());
        let mut queue = Queue::new(Delivery::Every);
        (0..2).for_each(|n| {
            queue.push(Progress::new(n.into()).message(String::from("x").repeat(MAX_BYTES / 2)))
        });
        assert!(queue.is_full(), "few reports with long messages are as much");
    }
}
