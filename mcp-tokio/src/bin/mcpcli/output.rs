//! What a run shows: one interface, for people and for programs.

use std::fmt::Display;
use std::io::{self, Write};

use mcp_tokio::mcp_proto::{
    CallToolResult, Instant, LogMessage, PeerInfo, Progress, RawJson, Tool, Violation,
};

use crate::args::Options;
use crate::events::Events;
use crate::failure::Failure;
use crate::human::Human;

/// Something beside the call: shown at once, wherever the call stands.
#[derive(Debug)]
pub(crate) enum Aside {
    /// The server sent a log message.
    Log(LogMessage),
    /// The server broke the protocol.
    Violation(Violation),
    /// The server wrote a line to its stderr.
    Stderr(String),
    /// The stream of the call was cut and is to be taken up again.
    Interrupted,
    /// It goes on.
    Resumed,
    /// Something of our own went wrong that does not end the run.
    Warning(String),
}

/// Where events go. An error means that nobody reads stdout any more.
pub(crate) trait Output: Send {
    /// From now on this is waited for.
    fn waiting(&mut self, what: &str, now: Instant);
    /// The server is known.
    fn ready(&mut self, peer: &PeerInfo) -> io::Result<()>;
    /// The call has come further.
    fn progress(&mut self, report: &Progress, now: Instant) -> io::Result<()>;
    /// Something beside the call.
    fn aside(&mut self, aside: &Aside) -> io::Result<()>;
    /// Time has passed.
    fn tick(&mut self, now: Instant);
    /// The call has a result: as it came, and as it reads.
    fn result(&mut self, raw: &RawJson, result: &CallToolResult, now: Instant) -> io::Result<()>;
    /// What to try after a result that is a failure of the tool.
    fn hint(&mut self, hint: &str) {
        tell(format_args!("  try: {hint}"));
    }
    /// The list is complete.
    fn tools(&mut self, tools: &[Tool], now: Instant) -> io::Result<()>;
    /// The run has failed.
    fn failure(&mut self, failure: &Failure, now: Instant);
}

/// Prints a line on stderr, for people. If nobody reads it, there is nobody to tell.
pub(crate) fn tell(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// The output that the options ask for.
pub(crate) fn output(options: &Options, now: Instant) -> Box<dyn Output> {
    if options.json { Box::new(Events) } else { Box::new(Human::new(!options.no_progress, now)) }
}
