//! What must hold of two ends in conversation, whoever drives them: promises with names, checked step by
//! step against books that are kept beside the engines.
//!
//! The exhaustive model and the simulation tell the [`Ledger`] what is done, told and written at each end.

mod actor;
mod call;
mod ledger;
mod machine;
mod message;
mod planted;
mod timing;

pub use actor::Actor;
pub use call::{Call, Ending, LetGo, Mark};
pub use ledger::{Ledger, Tables};
pub use machine::{Engine, Machine};
pub use message::{Answer, Said, Token};
pub use planted::Planted;
pub use timing::{Heard, Timing};

use std::fmt;

/// A promise that was not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its name, one of [`PROMISES`].
    pub promise: &'static str,
    /// What happened instead.
    pub how: String,
}

/// Whether a promise was kept.
pub type Kept = Result<(), Broken>;

/// Every promise that is checked, with what it says.
pub const PROMISES: [(&str, &str); 13] = [
    ("one_ending", "a call ends exactly once, as given up only if its application gave it up"),
    (
        "one_answer",
        "a request is answered at most once on the wire, only once it was asked, and no more once its cancellation was read",
    ),
    ("own_answer", "a call ends with the answer to its own request"),
    ("reports_in_order", "progress increases, on the wire and in events"),
    (
        "reports_before_the_end",
        "progress comes before the answer, the end or the cancellation of its call, none after",
    ),
    ("reports_complete", "the last report that was taken arrives before the answer"),
    ("one_request", "a request leaves at most once, and never for a call that has ended"),
    (
        "one_cancel",
        "a call is cancelled at most once, only after its request left and this side gave it up",
    ),
    (
        "fitting_events",
        "an event makes sense in the state in which it comes, and what ends a connection has happened to it",
    ),
    (
        "silence_after_close",
        "after the end nothing is told, and what is left to write only gets less",
    ),
    ("tables_as_booked", "tables hold exactly what is open, within their limits"),
    (
        "timely_endings",
        "a connection is closed as stalled only if bytes waited all that time and none was taken; a handshake \
         times out only if its answer had not arrived in time; a call only at a deadline of its own",
    ),
    ("everything_ends", "without further faults everything comes to its end"),
];

impl Broken {
    /// The promise of that name is broken.
    ///
    /// # Panics
    ///
    /// If there is no promise of that name.
    pub fn new(promise: &'static str, how: impl Into<String>) -> Self {
        assert!(
            PROMISES.iter().any(|(name, _)| *name == promise),
            "no promise is called {promise}"
        );
        Self { promise, how: how.into() }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is broken: {}", self.promise, self.how)
    }
}

impl std::error::Error for Broken {}

/// Breaks a promise unless something holds.
fn holds(truth: bool, promise: &'static str, how: impl FnOnce() -> String) -> Kept {
    if truth { Ok(()) } else { Err(Broken::new(promise, how())) }
}
