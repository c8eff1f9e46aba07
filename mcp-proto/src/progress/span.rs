//! Parts of a request's scale, so that reporters can nest.

/// The whole of a request's scale, or a part of it.
///
/// The scale runs from 0 to 1. A stage of the work gets a part of it, a stage of the stage a part of that:
///
/// ```
/// use mcp_proto::progress::Span;
///
/// let training = Span::WHOLE.part(0.2, 0.8);
/// let second_epoch = training.part(0.5, 1.0);
/// assert_eq!(second_epoch.at(0.0), 0.5);
/// assert_eq!(second_epoch.at(1.0), 0.8);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Span {
    from: f64,
    to: f64,
}

impl Span {
    /// All of it: 0 to 1.
    pub const WHOLE: Self = Self { from: 0.0, to: 1.0 };

    /// The part between two fractions of this span.
    ///
    /// Fractions outside 0 to 1 count as the nearer end, NaN as 0; a part that would run backwards is
    /// empty and lies at `from`.
    #[must_use]
    pub fn part(self, from: f64, to: f64) -> Self {
        let from = self.at(from);
        Self { from, to: self.at(to).max(from) }
    }

    /// The value on the request's scale at a fraction of this span, with the same care for odd fractions.
    pub fn at(self, fraction: f64) -> f64 {
        let fraction = if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) };
        // Exact at both ends, so that neighbouring parts meet.
        self.from * (1.0 - fraction) + self.to * fraction
    }
}

impl Default for Span {
    fn default() -> Self {
        Self::WHOLE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_meet_at_their_ends() {
        let whole = Span::WHOLE;
        let (first, second) = (whole.part(0.0, 0.3), whole.part(0.3, 1.0));
        assert_eq!((first.at(0.0), second.at(1.0)), (0.0, 1.0));
        assert_eq!(first.at(1.0), second.at(0.0));
        assert_eq!(second.part(0.0, 1.0), second);
    }

    #[test]
    fn odd_fractions_stay_within_the_span() {
        let span = Span::WHOLE.part(0.25, 0.75);
        for (fraction, value) in [
            (-1.0, 0.25),
            (2.0, 0.75),
            (f64::NAN, 0.25),
            (f64::INFINITY, 0.75),
            (f64::NEG_INFINITY, 0.25),
        ] {
            assert_eq!(span.at(fraction), value, "{fraction}");
        }
        let backwards = Span::WHOLE.part(0.8, 0.2);
        assert_eq!((backwards.at(0.0), backwards.at(1.0)), (0.8, 0.8));
    }

    #[test]
    fn a_rising_fraction_never_falls() {
        let span = Span::WHOLE.part(0.1, 0.9).part(1.0 / 3.0, 2.0 / 3.0);
        let values: alloc::vec::Vec<_> =
            (0..=1000).map(|n| span.at(f64::from(n) / 1000.0)).collect();
        assert!(values.is_sorted());
    }
}
