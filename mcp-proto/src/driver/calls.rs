//! Calls whose futures wait.

use alloc::boxed::Box;
use core::task::Waker;

use super::queue::{Delivery, Queue};
use crate::error::CallError;
use crate::id::RequestId;
use crate::json::RawJson;
use crate::slots::Slots;
use crate::sorted::Sorted;
use crate::types::Progress;

/// A call whose future still waits. Many may, so what few of them need is elsewhere.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Reports, once there are any, or where they are not delivered as by default.
    pub(super) queue: Option<Box<Queue>>,
    stage: Stage,
}

/// Whom to wake, or, once that is done for the last time, how the call ended.
#[derive(Debug)]
enum Stage {
    Open(Option<Waker>),
    Over(Outcome),
}

pub(super) type Outcome = Result<RawJson, Box<CallError>>;

/// The table, by the number that each call has as its id.
#[derive(Debug, Default)]
pub(super) struct Calls {
    slots: Slots<Waiting>,
    /// Those that younger calls have displaced: their results were not taken for long.
    displaced: Sorted<i64, Waiting>,
}

impl Waiting {
    pub(super) fn new(delivery: Delivery) -> Self {
        let queue = (delivery != Delivery::default()).then(|| Box::new(Queue::new(delivery)));
        Self { queue, stage: Stage::Open(None) }
    }

    /// The call has ended. Whom to wake is returned.
    #[must_use]
    pub(super) fn end(&mut self, outcome: Outcome) -> Option<Waker> {
        match core::mem::replace(&mut self.stage, Stage::Over(outcome)) {
            Stage::Open(waker) => waker,
            Stage::Over(_) => None,
        }
    }

    /// Whom to wake for a report.
    #[must_use]
    pub(super) fn take_waker(&mut self) -> Option<Waker> {
        match &mut self.stage {
            Stage::Open(waker) => waker.take(),
            Stage::Over(_) => None,
        }
    }

    /// Where to leave a waker; nowhere once the call has ended.
    pub(super) fn waker_mut(&mut self) -> Option<&mut Option<Waker>> {
        match &mut self.stage {
            Stage::Open(waker) => Some(waker),
            Stage::Over(_) => None,
        }
    }

    /// How the call ended, if it has.
    pub(super) fn into_outcome(self) -> Option<Outcome> {
        match self.stage {
            Stage::Open(_) => None,
            Stage::Over(outcome) => Some(outcome),
        }
    }

    /// Puts a report into its queue. Whether it is the first there that keeps its frame.
    pub(super) fn push(&mut self, progress: Progress) -> bool {
        let queue = self.queue.get_or_insert_default();
        let is_first = !queue.is_attached();
        queue.push(progress);
        is_first
    }

    /// Whether the peer has to wait until some reports are taken.
    pub(super) fn is_full(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.is_full())
    }
}

impl Calls {
    pub(super) fn insert(&mut self, id: &RequestId, waiting: Waiting) {
        if let Some(number) = id.as_i64()
            && let Some((older, waiting)) = self.slots.insert(number, waiting)
        {
            self.displaced.insert(older, waiting);
        }
    }

    pub(super) fn get(&self, id: &RequestId) -> Option<&Waiting> {
        let number = id.as_i64()?;
        self.slots.get(number).or_else(|| self.displaced.get(&number))
    }

    pub(super) fn get_mut(&mut self, id: &RequestId) -> Option<&mut Waiting> {
        let number = id.as_i64()?;
        self.slots.get_mut(number).or_else(|| self.displaced.get_mut(&number))
    }

    pub(super) fn remove(&mut self, id: &RequestId) -> Option<Waiting> {
        let number = id.as_i64()?;
        self.slots.remove(number).or_else(|| self.displaced.remove(&number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_is_not_looked_after_for_long_is_still_found() {
        let mut calls = Calls::default();
        calls.insert(&1.into(), Waiting::new(Delivery::Every));
        for number in 2..1_000 {
            calls.insert(&number.into(), Waiting::new(Delivery::Latest));
            assert!(calls.get(&1.into()).is_some() && calls.get_mut(&number.into()).is_some());
            assert!(calls.remove(&number.into()).is_some());
        }
        let old = calls.remove(&1.into()).and_then(|waiting| waiting.queue).unwrap();
        assert_eq!(old.delivery(), Delivery::Every);
        assert!(calls.remove(&1.into()).is_none() && calls.displaced.is_empty());
    }
}
