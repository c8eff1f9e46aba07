//! One call in the books: what is known of it at both ends and on both wires.

use std::hash::{Hash, Hasher};

/// A call from its request to whatever ends it.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
#[allow(clippy::exhaustive_structs)]
pub struct Call {
    /// An application made it; otherwise the engine did by itself, to open the conversation.
    pub made: bool,
    /// A token of the caller's own.
    pub own: Option<u16>,
    /// Its application has given it up.
    pub dropped: bool,
    /// How it ended for its caller.
    pub ended: Option<Ending>,
    /// The last report that its caller was told.
    pub seen: Option<Mark>,
    /// Its request has left.
    pub asked: bool,
    /// Its cancellation has left.
    pub given_up: bool,
    /// The other end's application was told of it.
    pub arrived: bool,
    /// The other end's application was told that it is no longer wanted.
    pub unwanted: bool,
    /// The other end has read its cancellation before its answer left: nothing of it leaves any more.
    pub recalled: bool,
    /// How the other end's application let go of it.
    pub let_go: Option<LetGo>,
    /// The last report that the other end's engine took.
    pub reported: Option<Mark>,
    /// How many reports it took.
    pub reports: u8,
    /// Whether one of them was a sign of life, which lifts the values that leave a little.
    pub heartbeats: bool,
    /// The last report that left.
    pub written: Option<Mark>,
    /// Its answer has left.
    pub answered: bool,
}

/// How a call ended for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)]
pub enum Ending {
    /// With a result.
    Result,
    /// With an error of the peer.
    Error,
    /// Its caller gave it up.
    Cancelled,
    /// A deadline passed.
    TimedOut,
    /// The connection ended.
    Closed,
}

/// How an application lets go of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)]
pub enum LetGo {
    /// With a result.
    Result,
    /// With an error, its own or the engine's for want of one.
    Error,
    /// Nothing is to be written: it was cancelled, or the connection has ended.
    Silently,
}

/// A value of progress.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
#[allow(clippy::exhaustive_structs)]
pub struct Mark(pub f64);

impl Hash for Mark {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.to_bits().hash(hasher);
    }
}

impl Call {
    /// An application works on it.
    pub fn is_open_at_worker(&self) -> bool {
        self.arrived && self.let_go.is_none()
    }

    /// An application waits for it.
    pub fn is_open_at_caller(&self) -> bool {
        self.made && self.ended.is_none()
    }
}
