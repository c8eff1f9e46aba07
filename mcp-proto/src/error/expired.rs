//! A deadline that passed, and what had happened until then.

use core::fmt;
use core::num::NonZeroU32;
use core::time::Duration;

/// Which deadline of a call passed, and what had happened until then.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Expired {
    /// Which deadline.
    pub limit: Limit,
    /// How long it was.
    pub after: Duration,
    /// How long the call had run.
    pub elapsed: Duration,
    /// Whether progress was asked for, so that reports could have re-armed the idle deadline.
    pub tracked: bool,
    /// Reports accepted until then.
    pub reports: u64,
    /// The value of the last one.
    #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
    pub last: Option<f64>,
    /// Other calls in flight at that moment.
    pub others: usize,
    /// One more than the milliseconds since the stream of its answer was cut. So small, it makes no event larger.
    #[cfg_attr(feature = "snapshot", serde(skip))] // nothing of a client over HTTP is kept
    pub(crate) interrupted: Option<NonZeroU32>,
}

/// A deadline of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
#[allow(clippy::exhaustive_enums)] // two deadlines a call is the design
pub enum Limit {
    /// Nothing was heard of the call for too long. Accepted progress re-arms it.
    Idle,
    /// The call took too long. Nothing re-arms it.
    Total,
}

impl Expired {
    /// How long the stream of its answer had been cut and not been taken up again, if it was: over HTTP, to the
    /// millisecond, and up to 49 days.
    pub fn interrupted(&self) -> Option<Duration> {
        self.interrupted.map(|more| Duration::from_millis((more.get() - 1).into()))
    }

    /// The stream of its answer was cut so long ago.
    #[cfg(feature = "http")]
    pub(crate) fn interrupted_for(&mut self, time: Duration) {
        let millis = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        self.interrupted = NonZeroU32::new(millis.saturating_add(1));
    }
}

impl core::error::Error for Expired {}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            Limit::Idle => {
                write!(f, "timed out: nothing was heard of the call for {:?}", self.after)?
            }
            Limit::Total => {
                write!(f, "timed out: the call took longer than {:?} in all", self.after)?
            }
        }
        match self.last {
            Some(last) => write!(f, "; {} reports had come, the last said {last}", self.reports)?,
            None if self.tracked => f.write_str("; no progress was ever reported")?,
            None => f.write_str(
                "; progress was not asked for: listen for it or set an idle deadline, and reports re-arm the deadline",
            )?,
        }
        if let Some(interrupted) = self.interrupted() {
            write!(f, "; its stream was cut {interrupted:?} before, and not taken up again")?;
        }
        if self.others > 0 {
            write!(f, "; {} other calls were in flight", self.others)?;
        }
        Ok(())
    }
}
