//! One progress report.

use crate::json::Text;
#[cfg(feature = "snapshot")]
use crate::state::Kept;

/// One report: how far a request has come.
///
/// `progress` must grow with every report of a request; the unit is the reporter's own. Follows
/// `basic/patterns/progress` (2026-07-28) and `basic/utilities/progress` (earlier revisions).
///
/// ```
/// use mcp_proto::Progress;
///
/// let report = Progress::new(3.0).of(10.0).message("image 3 of 10");
/// assert_eq!(report.total, Some(10.0));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// How far: grows with every report.
    pub progress: f64,
    /// Where it ends, if known. It may change, and `progress` may exceed it.
    pub total: Option<f64>,
    /// What is being done, for people. Not sent to a peer of 2024-11-05, which has no such member.
    pub message: Option<Text>,
}

/// Value, total and message.
#[cfg(feature = "snapshot")]
impl Kept for Progress {
    type Form = (u64, Option<u64>, Option<Text>);

    fn form(&self) -> Self::Form {
        (self.progress.form(), self.total.form(), self.message.clone())
    }

    fn of((progress, total, message): Self::Form) -> Result<Self, &'static str> {
        Ok(Self { progress: f64::of(progress)?, total: Option::of(total)?, message })
    }
}

impl Progress {
    /// A report with neither total nor message.
    pub fn new(progress: f64) -> Self {
        Self { progress, total: None, message: None }
    }

    /// Sets the value at which the work is complete.
    #[must_use]
    pub fn of(mut self, total: f64) -> Self {
        self.total = Some(total);
        self
    }

    /// Sets the text for people.
    #[must_use]
    pub fn message(mut self, message: impl Into<Text>) -> Self {
        self.message = Some(message.into());
        self
    }
}
