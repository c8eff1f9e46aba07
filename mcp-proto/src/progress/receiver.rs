//! The side that asked: which reports of a call count.

#[cfg(feature = "testing")]
use crate::digest::Digest;

/// The reports of one call. Constant state, whatever the peer sends.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Receiver {
    count: u64,
    /// The value of the last one, once there was one.
    #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
    value: f64,
}

/// A report whose value is not above the one before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct NotIncreasing {
    pub(crate) last: f64,
}

impl Receiver {
    /// Counts a report, or refuses it: the sender broke R-PROG-03.
    pub(crate) fn accept(&mut self, value: f64) -> Result<(), NotIncreasing> {
        if let Some(last) = self.last().filter(|last| value <= *last) {
            return Err(NotIncreasing { last });
        }
        self.value = value;
        self.count += 1;
        Ok(())
    }

    /// Reports accepted.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The value of the last one.
    pub(crate) fn last(&self) -> Option<f64> {
        (self.count > 0).then_some(self.value)
    }

    /// Whether it can have come to be so.
    #[cfg(feature = "snapshot")]
    pub(crate) fn is_sound(&self) -> bool {
        self.value.is_finite() && self.count < 1 << 62
    }

    #[cfg(feature = "testing")]
    pub(crate) fn digest(&self, digest: &mut Digest<'_>) {
        let Self { count: _, value: _ } = self; // how many there were is only told
        digest.real(self.last());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_increases_counts() {
        let mut receiver = Receiver::default();
        assert_eq!(receiver.accept(0.0), Ok(()));
        assert_eq!(receiver.accept(0.0), Err(NotIncreasing { last: 0.0 }));
        assert_eq!(receiver.accept(-1.0), Err(NotIncreasing { last: 0.0 }));
        assert_eq!(receiver.accept(0.1), Ok(()));
        assert_eq!((receiver.count(), receiver.last()), (2, Some(0.1)));
    }
}
