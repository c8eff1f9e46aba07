//! What was seen of an engine while it dealt with an input.

use mcp_proto::{CallError, CloseReason, Event, HttpError, RequestId, Revision};
use serde_json::Value;

use super::memory::Flood;
use super::message::{Sent, cut};

/// How a call ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// The call.
    pub call: String,
    /// What the catalogue calls it; several names may fit.
    pub names: Vec<&'static str>,
    /// The result.
    pub value: Option<Value>,
}

/// Something that an application saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The call that has come further.
    pub call: String,
    /// How far.
    pub progress: f64,
    /// Of how much.
    pub total: Option<f64>,
}

/// A request of the peer, as its handler saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct Handled {
    /// Its id.
    pub id: RequestId,
    /// Its method; empty if it is slow.
    pub method: String,
    /// The handler of a user that ran for it; not noted if it is slow.
    pub ran: Option<String>,
    /// It runs until it is cancelled.
    pub is_slow: bool,
    /// How often it was cancelled.
    pub cancelled: usize,
}

impl Handled {
    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        self.is_slow && self.cancelled == 0
    }
}

/// All that was seen. The lists of what may be many are bounded; their counts are not.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Every message that the engine sent, in order.
    pub sent: Vec<Sent>,
    /// Bytes that it sent.
    pub sent_len: usize,
    /// How calls ended, the opening ones (`INIT`, `PROBE`) among them.
    pub endings: Vec<Ending>,
    /// Calls that have not ended.
    pub pending: Vec<String>,
    /// Progress of calls.
    pub reports: Vec<Report>,
    /// Requests that reached their handler.
    pub handled: Vec<Handled>,
    /// Requests that the engine holds to be unanswered.
    pub in_flight: usize,
    /// Methods of notifications that reached the application: the first ones.
    pub notifications: Vec<String>,
    /// How many there were.
    pub notified: usize,
    /// Violations that were reported: the first ones.
    pub violations: Vec<String>,
    /// How many there were.
    pub violated: usize,
    /// Why the connection ended.
    pub closed: Option<CloseReason>,
    /// Input was not taken for as long as output waited, or before events were.
    pub refused_input: bool,
    /// Links that were handed to the user.
    pub opened: Vec<String>,
    /// The revision in force before and behind the input.
    pub revisions: (Option<Revision>, Option<Revision>),
    /// How many times as long it takes as half of its input, where a case asks for that.
    pub growth: Option<f64>,
    /// Bytes of memory above what was in use before the input, and the bound for them.
    pub memory: Option<(usize, usize)>,
    /// What it took when its case was made so long that whoever keeps it is seen.
    pub flood: Option<Flood>,
    /// What happened that may never happen.
    pub faults: Vec<String>,
    /// A line for everything, for people. Bounded.
    pub transcript: Transcript,
}

/// Lines for people.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    lines: Vec<String>,
    left_out: usize,
}

/// How much of what may be many is kept.
pub const KEPT: usize = 256;

const SHOWN: usize = 24;

impl Transcript {
    /// Adds a line, which is not even written if there are too many.
    pub fn add(&mut self, line: impl FnOnce() -> String) {
        if self.lines.len() < SHOWN {
            self.lines.push(line());
        } else {
            self.left_out += 1;
        }
    }

    /// The lines.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let more = (self.left_out > 0).then(|| format!("… and {} more", self.left_out));
        self.lines.iter().cloned().chain(more)
    }
}

/// What the catalogue calls the end of a call.
pub fn names_of(error: &CallError) -> Vec<&'static str> {
    match error {
        CallError::Peer(_) => vec!["peer_error"],
        CallError::Protocol(_) | CallError::Decode(_) => vec!["protocol_error"],
        CallError::TimedOut(_) => vec!["timeout"],
        CallError::Http(error) => names_of_http(error),
        CallError::Closed(_) => vec!["closed"],
        CallError::Cancelled => vec!["cancelled"],
        _ => vec!["local"],
    }
}

/// What the catalogue calls the end of an opening call, which ends the connection.
pub fn names_of_close(reason: &CloseReason) -> Vec<&'static str> {
    match reason {
        CloseReason::HandshakeInvalid => vec!["handshake_failed", "protocol_error"],
        CloseReason::NoCommonVersion => vec!["handshake_failed", "no_common_version"],
        CloseReason::HandshakeRefused(_) => vec!["handshake_failed", "peer_error"],
        CloseReason::HandshakeTimeout => vec!["handshake_failed", "timeout"],
        CloseReason::Http(error) => [vec!["handshake_failed"], names_of_http(error)].concat(),
        _ => vec!["closed"],
    }
}

fn names_of_http(error: &HttpError) -> Vec<&'static str> {
    match error {
        HttpError::Cut => vec!["closed"],
        HttpError::SessionExpired => vec!["session_expired"],
        HttpError::NoAnswer => vec!["http_error", "protocol_error"],
        _ => vec!["http_error"],
    }
}

/// An event as a line.
pub fn shown(event: &Event) -> String {
    cut(&match event {
        Event::Request { id, method, .. } => format!("  request {id} {method}"),
        Event::Cancelled { id, .. } => format!("  cancelled {id}"),
        Event::Notification { method, .. } => format!("  notification {method}"),
        Event::Progress { id, progress } => format!("  progress of {id}: {}", progress.progress),
        Event::Response { id, outcome: Ok(result) } => {
            format!("  call {id} ended: {}", result.as_str())
        }
        Event::Response { id, outcome: Err(error) } => format!("  call {id} ended: {error}"),
        Event::Violation(violation) => format!("  violation: {violation}"),
        Event::Closed(reason) => format!("  closed: {reason}"),
        Event::Ready(peer) => format!("  ready: {}", peer.revision),
        other => format!("  {other:?}"),
    })
}
