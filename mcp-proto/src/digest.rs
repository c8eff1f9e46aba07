//! A canonical hash of what decides a machine's future, for those that explore it.

use core::fmt::{self, Debug, Write};
use core::hash::{Hash, Hasher};

use crate::time::Instant;

/// Takes in state: times relative to now, numbers by their bits. What only tells of the past is left out
/// by each type itself, which takes itself apart completely, so that a new field cannot be forgotten.
pub(crate) struct Digest<'a> {
    now: Instant,
    hasher: &'a mut dyn Hasher,
}

impl<'a> Digest<'a> {
    pub(crate) fn new(now: Instant, hasher: &'a mut dyn Hasher) -> Self {
        Self { now, hasher }
    }

    pub(crate) fn put(&mut self, value: impl Hash) {
        value.hash(&mut self.hasher);
    }

    /// A moment, by its distance from now, and on which side of it.
    pub(crate) fn time(&mut self, at: Instant) {
        self.put((at < self.now, at - self.now, self.now - at));
    }

    /// A moment that no longer matters once it is over.
    pub(crate) fn time_ahead(&mut self, at: Instant) {
        self.put(at - self.now);
    }

    pub(crate) fn real(&mut self, number: Option<f64>) {
        self.put(number.map(f64::to_bits));
    }

    /// What has no hash of its own and is seldom there.
    pub(crate) fn shown(&mut self, value: &impl Debug) {
        let _ = write!(self, "{value:?}");
        self.put(u8::MAX);
    }
}

impl Write for Digest<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.hasher.write(text.as_bytes());
        Ok(())
    }
}
