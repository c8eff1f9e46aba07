//! How many answers to malformed messages, and reports of them, a peer may provoke.

use core::time::Duration;

use crate::config::Limits;
#[cfg(feature = "testing")]
use crate::digest::Digest;
use crate::progress::{Bucket, Pacing};
use crate::time::Instant;

/// The budget: so many a second, so many in all.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
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

/// The budget of reports: so many a second; the others are counted.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Reports {
    bucket: Bucket,
    left_out: u64,
}

impl Answers {
    pub(crate) fn new(limits: &Limits) -> Self {
        let bucket = bucket(limits.max_error_answers_per_second);
        Self { bucket, left: limits.max_error_answers }
    }

    /// With its limits, after it was read from a snapshot: never more is left than they give.
    #[cfg(feature = "snapshot")]
    pub(super) fn limited(self, limits: &Limits) -> Self {
        let bucket = self.bucket.paced(pacing(limits.max_error_answers_per_second));
        Self { bucket, left: self.left.min(limits.max_error_answers) }
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

    #[cfg(feature = "testing")]
    pub(super) fn digest(&self, digest: &mut Digest<'_>) {
        let Self { bucket, left } = self;
        bucket.digest(digest);
        digest.put(left);
    }
}

impl Reports {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self { bucket: bucket(limits.max_violation_reports_per_second), left_out: 0 }
    }

    /// With its limits, after it was read from a snapshot.
    #[cfg(feature = "snapshot")]
    pub(super) fn limited(self, limits: &Limits) -> Self {
        let pacing = pacing(limits.max_violation_reports_per_second);
        // Counting on does not overflow.
        let left_out = self.left_out.min(u64::MAX / 2);
        Self { bucket: self.bucket.paced(pacing), left_out }
    }

    /// Whether to report one more. If not, it is counted.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let reports = self.bucket.try_take(now);
        self.left_out += u64::from(!reports);
        reports
    }

    /// How many were left out since this was asked last.
    pub(crate) fn take_left_out(&mut self) -> Option<u64> {
        Some(core::mem::take(&mut self.left_out)).filter(|count| *count > 0)
    }

    #[cfg(feature = "testing")]
    pub(super) fn digest(&self, digest: &mut Digest<'_>) {
        let Self { bucket, left_out } = self;
        bucket.digest(digest);
        digest.put(left_out);
    }
}

fn bucket(per_second: u32) -> Bucket {
    Bucket::new(pacing(per_second))
}

fn pacing(per_second: u32) -> Pacing {
    let per_second = per_second.max(1);
    Pacing::default().burst(per_second).every(Duration::from_secs(1) / per_second)
}

#[cfg(feature = "snapshot")]
crate::state::moments!(Answers { bucket; left });
#[cfg(feature = "snapshot")]
crate::state::moments!(Reports { bucket; left_out });
