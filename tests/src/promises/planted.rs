//! Faults on purpose: they show that the search finds what it looks for.
//!
//! Each stands between an engine and the rest of the world, and does there what a fault of the engine
//! would look like from outside.

use mcp_proto::testing::End;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Planted {
    /// Reports that wait when their request is answered are forgotten.
    DroppedFlush,
    /// Reports that wait when their request is answered leave behind the answer.
    LateFlush,
    /// An answer leaves twice.
    SecondAnswer,
    /// The answer to one request bears the id of another.
    CrossedAnswers,
    /// A request that was cancelled stays in its table when it is let go.
    LeakedRequest,
    /// Deadlines pass at the client, and nothing happens.
    ForgottenDeadline,
    /// The server does not notice that its input has ended.
    ForgottenEof,
    /// A call that has ended is told to have ended once more.
    SecondEnding,
    /// A cancellation leaves twice.
    SecondCancel,
    /// Something is written after the end.
    LastWord,
    /// An event is told after the last.
    LateEvent,
    /// The end of the connection forgets a call.
    ForgottenCall,
    /// Who reads a cancellation gives up its own call of that id, too.
    ForeignCancel,
    /// That a request is cancelled goes unnoticed once it is answered.
    ForgottenCancel,
    /// The server ends by itself once it has answered.
    EndsByItself,
    /// A write is counted as one byte shorter than it was.
    ShortWrite,
}

impl Planted {
    /// Whether an end misses its deadlines.
    pub fn misses_deadlines(planted: Option<Self>, end: End) -> bool {
        planted == Some(Self::ForgottenDeadline) && end == End::Client
    }

    /// Whether an end misses that its input has ended.
    pub fn misses_eof(planted: Option<Self>, end: End) -> bool {
        planted == Some(Self::ForgottenEof) && end == End::Server
    }

    /// All that a model of whole messages can show, with the promise that each breaks first.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::DroppedFlush, "reports_complete"),
        (Self::LateFlush, "reports_before_the_end"),
        (Self::SecondAnswer, "one_answer"),
        (Self::CrossedAnswers, "own_answer"),
        (Self::LeakedRequest, "tables_as_booked"),
        (Self::ForgottenDeadline, "everything_ends"),
        (Self::ForgottenEof, "everything_ends"),
        (Self::SecondEnding, "one_ending"),
        (Self::SecondCancel, "one_cancel"),
        (Self::LastWord, "silence_after_close"),
        (Self::LateEvent, "silence_after_close"),
        (Self::ForgottenCall, "one_ending"),
        (Self::ForeignCancel, "one_ending"),
        (Self::ForgottenCancel, "one_answer"),
        (Self::EndsByItself, "fitting_events"),
    ];
}
