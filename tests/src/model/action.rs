//! What can happen next.

use std::fmt;

use mcp_proto::testing::End;

/// One thing that happens at one end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Action {
    /// Where.
    pub end: End,
    /// What.
    pub what: What,
}

/// What happens. Numbers are ids of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum What {
    /// The next message, or the end of the stream, is taken from the wire.
    Deliver,
    /// The next message is put on the wire.
    Transmit,
    /// The application lets go of a request that is no longer wanted.
    Abandon(u8),
    /// The application answers with a result.
    Respond(u8),
    /// The application answers with an error.
    Fail(u8),
    /// The clock shows this end's next deadline, and it is told.
    Tick,
    /// The application makes its next call.
    Call,
    /// The application gives a call up.
    Cancel(u8),
    /// The application reports how far it has come.
    Report(u8),
    /// The application closes the connection.
    Close,
    /// The transport of this end fails.
    Fault,
    /// This end's stream ends; it still reads.
    Shut,
    /// Both streams end at once, and what is on the way is lost.
    Disconnect,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = match self.end {
            End::Client => "client",
            End::Server => "server",
        };
        match self.what {
            What::Deliver => write!(f, "the {end} reads"),
            What::Transmit => write!(f, "the {end} writes"),
            What::Abandon(id) => write!(f, "the {end} lets go of request {id}"),
            What::Respond(id) => write!(f, "the {end} answers request {id}"),
            What::Fail(id) => write!(f, "the {end} answers request {id} with an error"),
            What::Tick => write!(f, "time passes to the next deadline of the {end}"),
            What::Call => write!(f, "the {end} makes a call"),
            What::Cancel(id) => write!(f, "the {end} gives call {id} up"),
            What::Report(id) => write!(f, "the {end} reports for request {id}"),
            What::Close => write!(f, "the {end} closes"),
            What::Fault => write!(f, "the transport of the {end} fails"),
            What::Shut => write!(f, "the stream of the {end} ends"),
            What::Disconnect => f.write_str("both streams end, what is on the way is lost"),
        }
    }
}
