//! How many answers to malformed messages a peer may provoke.

use core::time::Duration;

use crate::config::Limits;
use crate::progress::{Bucket, Pacing};
use crate::time::Instant;

/// The budget: so many a second, so many in all.
#[derive(Clone, Debug)]
pub(crate) struct Answers {
    bucket: Bucket,
    left: u32,
}

/// Whether to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowance {
    Answer,
    Silence,
    /// It was the last one: the connection is to be closed.
    Exhausted,
}

impl Answers {
    pub(crate) fn new(limits: &Limits) -> Self {
        let per_second = limits.max_error_answers_per_second.max(1);
        let pacing = Pacing::default().burst(per_second).every(Duration::from_secs(1) / per_second);
        Self { bucket: Bucket::new(pacing), left: limits.max_error_answers }
    }

    pub(crate) fn take(&mut self, now: Instant) -> Allowance {
        if self.left == 0 {
            return Allowance::Exhausted;
        }
        if !self.bucket.try_take(now) {
            return Allowance::Silence;
        }
        self.left -= 1;
        Allowance::Answer
    }
}
