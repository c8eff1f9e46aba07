//! Times to wait that differ from those of other clients.

use core::time::Duration;

/// Numbers at random from a seed (SplitMix64): for spreading only, not for secrets.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    state: u64,
}

impl Spread {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Some part of a time, of which the next is independent.
    pub(super) fn part(&mut self, of: Duration) -> Duration {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let nanos = u64::try_from(of.as_nanos()).unwrap_or(u64::MAX);
        let part = (u128::from(nanos) * u128::from(mixed >> 32)) >> 32;
        Duration::from_nanos(u64::try_from(part).unwrap_or(nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn parts(seed: u64, of: Duration) -> Vec<Duration> {
        let mut spread = Spread::new(seed);
        (0..1000).map(|_| spread.part(of)).collect()
    }

    #[test]
    fn parts_are_spread_over_the_whole_and_a_seed_gives_the_same_again() {
        let second = Duration::from_secs(1);
        let some = parts(1, second);
        assert_eq!(some, parts(1, second));
        assert_ne!(some, parts(2, second));
        assert!(some.iter().all(|part| *part < second));
        let in_quarter = |at: u32| {
            let within = second / 4 * at..second / 4 * (at + 1);
            some.iter().filter(|part| within.contains(part)).count()
        };
        assert!((0..4).all(|at| (200..300).contains(&in_quarter(at))));
        assert!(parts(1, Duration::ZERO).iter().all(Duration::is_zero));
        assert!(parts(1, Duration::MAX).iter().all(|part| *part < Duration::MAX));
    }
}
