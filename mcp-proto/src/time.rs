//! The engine's clock reading: a plain number that the caller supplies.

use core::fmt;
use core::num::NonZeroU64;
use core::ops::{Add, Sub};
use core::time::Duration;

/// A moment on the caller's clock: nanoseconds since an epoch that the caller picks.
///
/// The engine never reads a clock; every operation that spends or arms time takes `now` as its last
/// argument. With `std`, keep one start and convert what has elapsed since:
///
/// ```
/// use mcp_proto::Instant;
///
/// let start = std::time::Instant::now();
/// let now = Instant::from(start.elapsed());
/// assert!(now >= Instant::ZERO);
/// ```
///
/// Arithmetic saturates: a clock that jumps cannot make the engine panic. The range is 584 years.
// One more than the nanoseconds, so that a moment that may be missing takes no more room: tables are full of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(NonZeroU64);

impl Instant {
    /// The epoch.
    pub const ZERO: Self = Self(NonZeroU64::MIN);

    /// The moment `nanos` nanoseconds after the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(nanos))
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0.get() - 1
    }

    /// Time since `earlier`, or zero if `earlier` is later.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Instant {
    fn default() -> Self {
        Self::ZERO
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Instant").field(&self.as_nanos()).finish()
    }
}

impl From<Duration> for Instant {
    fn from(since_epoch: Duration) -> Self {
        Self::from_nanos(nanos(since_epoch))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(nanos(later)))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        let end = Instant::from_nanos(u64::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
        assert_eq!(Instant::ZERO - end, Duration::ZERO);
        assert_eq!(Instant::from(Duration::MAX), end);
    }

    #[test]
    fn a_moment_is_a_number_of_nanoseconds_and_may_be_missing_at_no_cost() {
        for nanos in [0, 1, 1_000_000_007, u64::MAX - 1] {
            assert_eq!(Instant::from_nanos(nanos).as_nanos(), nanos);
        }
        assert_eq!(std::format!("{:?}", Instant::default()), "Instant(0)");
        assert_eq!(size_of::<Option<Instant>>(), size_of::<u64>());
    }

    #[test]
    fn durations_above_a_day_and_below_a_second_survive() {
        let day = Duration::new(86_400 * 400, 1);
        assert_eq!((Instant::ZERO + day) - Instant::ZERO, day);
    }
}
