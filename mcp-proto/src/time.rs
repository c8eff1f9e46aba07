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
/// Arithmetic saturates: a clock that jumps cannot make the engine panic. The range is 292 years on either side of the
/// epoch. A caller names none before it; a machine that was restored on a younger clock remembers some.
// Never 0, so that a moment that may be missing takes no more room: tables are full of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(NonZeroU64);

/// Where the epoch lies in what is counted: what was before it can be told apart too.
const EPOCH: NonZeroU64 = NonZeroU64::MIN.saturating_add(i64::MAX as u64);

impl Instant {
    /// The epoch.
    pub const ZERO: Self = Self(EPOCH);

    /// The moment `nanos` nanoseconds after the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(EPOCH.saturating_add(nanos))
    }

    /// Nanoseconds since the epoch; 0 before it.
    pub const fn as_nanos(self) -> u64 {
        self.0.get().saturating_sub(EPOCH.get())
    }

    /// The same moment on another clock: what is `from` on this one is `to` on that. The end of time stays what it is.
    #[cfg(feature = "snapshot")]
    pub(crate) fn rebased(self, from: Self, to: Self) -> Self {
        if self.0 == NonZeroU64::MAX {
            return self;
        }
        match to.0.get().checked_sub(from.0.get()) {
            Some(later) => Self(self.0.saturating_add(later)),
            None => self.before(from - to),
        }
    }

    /// Nanoseconds since the epoch, negative before it.
    fn since_epoch(self) -> i64 {
        (self.0.get() ^ EPOCH.get()).cast_signed()
    }

    /// The moment so much earlier.
    pub(crate) fn before(self, earlier: Duration) -> Self {
        Self(
            NonZeroU64::new(self.0.get().saturating_sub(nanos(earlier))).unwrap_or(NonZeroU64::MIN),
        )
    }

    /// Time since `earlier`, or zero if `earlier` is later.
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.get().saturating_sub(earlier.0.get()))
    }
}

/// As nanoseconds since the epoch, negative before it.
#[cfg(feature = "snapshot")]
impl serde::Serialize for Instant {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.since_epoch())
    }
}

#[cfg(feature = "snapshot")]
impl<'de> serde::Deserialize<'de> for Instant {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let since = i64::deserialize(deserializer)?;
        let counted = since.cast_unsigned() ^ EPOCH.get();
        Ok(Self(NonZeroU64::new(counted).unwrap_or(NonZeroU64::MIN)))
    }
}

impl Default for Instant {
    fn default() -> Self {
        Self::ZERO
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Instant").field(&self.since_epoch()).finish()
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
        let long_ago = Instant::ZERO.before(Duration::MAX);
        assert_eq!((long_ago.before(Duration::MAX), long_ago.as_nanos()), (long_ago, 0));
        assert_eq!(end - long_ago, Duration::from_nanos(u64::MAX - 1));
    }

    #[test]
    fn moments_before_the_epoch_are_told_apart() {
        let second = Duration::from_secs(1);
        let ago = Instant::ZERO.before(second);
        assert!(ago < Instant::ZERO && ago.before(second) < ago);
        assert_eq!((ago + second, Instant::ZERO - ago), (Instant::ZERO, second));
        assert_eq!(std::format!("{ago:?}"), "Instant(-1000000000)");
    }

    #[test]
    fn a_moment_is_a_number_of_nanoseconds_and_may_be_missing_at_no_cost() {
        for nanos in [0, 1, 1_000_000_007, i64::MAX as u64] {
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
