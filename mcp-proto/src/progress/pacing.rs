//! How often something may happen: a token bucket without a clock.

use core::time::Duration;

#[cfg(feature = "testing")]
use crate::digest::Digest;
use crate::time::Instant;

/// How often progress of one request leaves: a burst at once, then one report every so often.
///
/// Stops a tight loop of reports from filling the pipe: a million of them cost a few dozen messages, and 20 more for each
/// second that they take, while a tool that reports a few dozen steps loses none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pacing {
    /// Reports that may leave at once. Default 32; 0 counts as 1.
    pub burst: u32,
    /// Time until one more may leave. Default 50 ms, which is 20 a second.
    pub every: Duration,
}

impl Pacing {
    /// No limit: every report leaves. For peers that are trusted and fast.
    pub const UNLIMITED: Self = Self { burst: u32::MAX, every: Duration::ZERO };

    /// Sets how many may leave at once.
    #[must_use]
    pub fn burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        self
    }

    /// Sets the time until one more may leave.
    #[must_use]
    pub fn every(mut self, every: Duration) -> Self {
        self.every = every;
        self
    }
}

impl Default for Pacing {
    fn default() -> Self {
        Self { burst: 32, every: Duration::from_millis(50) }
    }
}

/// The bucket: full at first. It remembers one moment, at which it will be full again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Bucket {
    #[cfg_attr(feature = "snapshot", serde(skip))]
    pacing: Pacing,
    full_at: Instant,
}

impl Bucket {
    pub(crate) fn new(pacing: Pacing) -> Self {
        Self { pacing, full_at: Instant::ZERO }
    }

    /// Sets how often something may happen, after it was read from a snapshot.
    #[cfg(feature = "snapshot")]
    pub(crate) fn paced(self, pacing: Pacing) -> Self {
        Self { pacing, ..self }
    }

    /// Takes one, if there is one.
    pub(crate) fn try_take(&mut self, now: Instant) -> bool {
        if self.next_at() > now {
            return false;
        }
        self.full_at = self.full_at.max(now) + self.pacing.every;
        true
    }

    /// When there will be one.
    pub(crate) fn next_at(&self) -> Instant {
        let rest = self.pacing.every.saturating_mul(self.pacing.burst.max(1) - 1);
        self.full_at.before(rest)
    }

    #[cfg(feature = "testing")]
    pub(crate) fn digest(&self, digest: &mut Digest<'_>) {
        let Self { pacing: _, full_at } = self; // the pacing is configuration
        digest.time_ahead(*full_at);
    }
}

#[cfg(feature = "snapshot")]
crate::state::moments!(Bucket { full_at; pacing });

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from(Duration::from_millis(millis))
    }

    #[test]
    fn a_burst_at_once_and_then_one_every_so_often() {
        let mut bucket = Bucket::new(Pacing::default());
        let taken = |bucket: &mut Bucket, now| (0..100).filter(|_| bucket.try_take(now)).count();
        assert_eq!(taken(&mut bucket, at(0)), 32);
        assert_eq!(bucket.next_at(), at(50));
        assert_eq!(taken(&mut bucket, at(49)), 0);
        assert_eq!(taken(&mut bucket, at(50)), 1);
        assert_eq!(taken(&mut bucket, at(1049)), 19);
        assert_eq!(taken(&mut bucket, at(1_000_000)), 32);
        let mut slow = Bucket::new(Pacing::default().burst(3).every(Duration::from_secs(1)));
        assert_eq!((taken(&mut slow, at(0)), slow.next_at()), (3, at(1000)));
        assert_eq!((taken(&mut slow, at(999)), taken(&mut slow, at(1000))), (0, 1));
    }

    #[test]
    fn without_a_limit_there_is_always_one() {
        let mut bucket = Bucket::new(Pacing::UNLIMITED);
        assert!((0..10_000).all(|_| bucket.try_take(at(0))));
        let mut bucket = Bucket::new(Pacing::default().burst(0));
        assert!(bucket.try_take(at(0)) && !bucket.try_take(at(0)));
    }

    #[test]
    fn a_clock_that_jumps_back_gives_nothing_away() {
        let mut bucket = Bucket::new(Pacing::default().burst(1));
        assert!(bucket.try_take(at(1000)));
        assert!(!bucket.try_take(at(0)));
        assert!(bucket.try_take(at(1050)));
    }
}
