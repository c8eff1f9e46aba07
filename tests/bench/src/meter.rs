//! What is counted: one region, and nothing around it.

use std::time::{Duration, Instant};

use crate::allocations;

/// What a case is asked to do.
pub struct Plan {
    pub warm_up: usize,
    pub messages: usize,
}

/// What it cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    pub messages: usize,
    pub allocations: u64,
    pub bytes: u64,
    pub time: Duration,
}

impl Sample {
    /// Runs `work`, which handles so many messages, and adds what it costs.
    pub fn measure<T>(&mut self, messages: usize, work: impl FnOnce() -> T) -> T {
        let before = allocations::count();
        let start = Instant::now();
        let done = counted_region(work);
        self.time += start.elapsed();
        let after = allocations::count();
        self.messages += messages;
        self.allocations += after.0 - before.0;
        self.bytes += after.1 - before.1;
        done
    }
}

/// Runs `work` once, which handles so many messages, and says what it cost.
pub fn measured(messages: usize, work: impl FnOnce()) -> Sample {
    let mut sample = Sample::default();
    sample.measure(messages, work);
    sample
}

/// Callgrind counts what happens in here: its name is the toggle.
#[inline(never)]
fn counted_region<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// Handles `items` one by one: the first `warm_up` unseen, the rest measured at once.
pub fn each<T>(plan: &Plan, items: &[T], mut handle: impl FnMut(&T)) -> Sample {
    let (warm_up, rest) = items.split_at(plan.warm_up);
    warm_up.iter().for_each(&mut handle);
    measured(rest.len(), || rest.iter().for_each(&mut handle))
}
