//! A small deterministic generator of random numbers: SplitMix64.

use core::ops::RangeInclusive;
use core::time::Duration;

/// The generator. Not for secrets.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next_u64().checked_rem(end).unwrap_or_default()
    }

    /// A number within `range`; its start if it is empty.
    pub fn within(&mut self, range: &RangeInclusive<u64>) -> u64 {
        let width = range.end().saturating_sub(*range.start());
        match width.checked_add(1) {
            Some(count) => range.start() + self.below(count),
            None => self.next_u64(),
        }
    }

    pub(super) fn within_usize(&mut self, range: &RangeInclusive<usize>) -> usize {
        let wide = |number: &usize| u64::try_from(*number).unwrap_or(u64::MAX);
        let number = self.within(&(wide(range.start())..=wide(range.end())));
        usize::try_from(number).unwrap_or(usize::MAX)
    }

    pub(super) fn within_duration(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let nanos = |time: &Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(self.within(&(nanos(range.start())..=nanos(range.end()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_the_published_one() {
        let mut random = Random::new(1_234_567);
        let known =
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(known.map(|_| random.next_u64()), known);
    }

    #[test]
    fn ranges_are_kept_at_both_ends() {
        let mut random = Random::new(1);
        assert!((0..1000).all(|_| (3..=5).contains(&random.within(&(3..=5)))));
        assert_eq!(random.within(&(7..=7)), 7);
        assert_eq!(random.below(0), 0);
        assert_eq!(random.within(&RangeInclusive::new(9, 2)), 9);
        random.within(&(0..=u64::MAX));
    }
}
