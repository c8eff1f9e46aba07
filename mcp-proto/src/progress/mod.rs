//! Progress, the heart: which reports leave, which count, and what they look like to a person.
//!
//! The sender's side paces and merges (`Sender`, [`Pacing`], [`Weight`]), the receiver's side refuses what
//! does not increase (`Receiver`). Follows `basic/patterns/progress` (2026-07-28) and
//! `basic/utilities/progress` (earlier revisions).

mod pacing;
mod receiver;
mod sender;
mod span;
mod view;

pub use pacing::Pacing;
pub use sender::{ReportError, Weight};
pub use span::Span;
pub use view::{Phase, ProgressView};

pub(crate) use pacing::Bucket;
pub(crate) use receiver::Receiver;
pub(crate) use sender::Sender;
#[cfg(feature = "driver")]
pub(crate) use sender::above;
