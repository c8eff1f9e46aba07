//! The books of time at one end: for how long bytes waited, and what was heard when.

use std::time::Duration;

use mcp_proto::testing::ops::Patience;
use mcp_proto::{CallError, CloseReason, Event, Expired, Instant, Limit};

use super::message::Said;
use super::{Broken, Kept, holds};

/// What must have passed before something may end because of it.
#[derive(Clone, Debug)]
pub struct Timing {
    stall: Duration,
    /// For a client: when its handshake may time out at the earliest.
    handshake: Option<Instant>,
    patience: Patience,
    has_stalled: bool,
    /// A line that has arrived in part.
    half: Vec<u8>,
    /// When an answer to its `initialize` had arrived.
    opened: Option<Instant>,
    calls: Vec<Deadlines>,
}

/// One call.
#[derive(Clone, Debug)]
struct Deadlines {
    id: i64,
    idle: Option<Duration>,
    total: Option<Duration>,
    made: Instant,
    /// When a report of it was complete, or it was made.
    heard: Instant,
}

impl Timing {
    /// Nothing has happened yet. `handshake` is how long a client waits for its answer.
    pub fn new(stall: Duration, handshake: Option<Duration>, now: Instant) -> Self {
        Self {
            stall,
            handshake: handshake.map(|time| now + time),
            patience: Patience::new(now),
            has_stalled: false,
            half: Vec::new(),
            opened: None,
            calls: Vec::new(),
        }
    }

    /// A call was made with these deadlines.
    pub fn made(&mut self, id: i64, idle: Option<Duration>, total: Option<Duration>, now: Instant) {
        self.patience.note_time(now);
        self.calls.push(Deadlines { id, idle, total, made: now, heard: now });
    }

    /// So much was read; `what` tells what a message is to this end.
    pub fn heard(&mut self, bytes: &[u8], now: Instant, mut what: impl FnMut(&Said) -> Heard) {
        self.patience.note_time(now);
        self.half.extend_from_slice(bytes);
        let Some(end) = self.half.iter().rposition(|byte| *byte == b'\n') else { return };
        let rest = self.half.split_off(end + 1);
        let lines = std::mem::replace(&mut self.half, rest);
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            for said in Said::read_all(line).unwrap_or_default() {
                match what(&said) {
                    Heard::Report(id) => {
                        if let Some(call) = self.calls.iter_mut().find(|call| call.id == id) {
                            // At its deadline the call may be over already, if that was looked at before the bytes.
                            let is_in_time = call.idle.is_none_or(|idle| now < call.heard + idle);
                            call.heard = if is_in_time { call.heard.max(now) } else { call.heard };
                        }
                    }
                    Heard::Opening => self.opened = Some(self.opened.unwrap_or(now)),
                    Heard::Else => {}
                }
            }
        }
    }

    /// The peer has taken bytes.
    pub fn wrote(&mut self) {
        self.patience.note_taken();
    }

    /// Whether bytes wait now.
    pub fn waits(&mut self, waits: bool, now: Instant) {
        self.patience.note_waiting(waits, now);
    }

    /// Whether it was closed because its peer did not read.
    pub fn has_stalled(&self) -> bool {
        self.has_stalled
    }

    /// Something was told: had its time come?
    ///
    /// # Errors
    ///
    /// A broken promise.
    pub fn told(&mut self, event: &Event, now: Instant) -> Kept {
        let named = now;
        let now = self.patience.latest().max(now);
        match event {
            Event::Closed(CloseReason::Stalled) => {
                self.has_stalled = true;
                self.patience.note_end(named);
                let waited = self.patience.waited();
                holds(waited >= Some(self.stall), "timely_endings", || {
                    format!("closed as stalled, and bytes waited for {waited:?}")
                })
            }
            Event::Closed(CloseReason::HandshakeTimeout) => {
                let due = self.handshake.filter(|due| *due <= now);
                let in_time = self.opened.filter(|at| due.is_some_and(|due| *at <= due));
                holds(due.is_some() && in_time.is_none(), "timely_endings", || {
                    format!("the handshake timed out at {now:?}, answered at {:?}", self.opened)
                })
            }
            Event::Response { id, outcome: Err(CallError::TimedOut(expired)) } => {
                let call = self.calls.iter().find(|call| id.as_i64() == Some(call.id));
                let Some(call) = call else {
                    return Err(Broken::new("timely_endings", format!("{id} has no deadlines")));
                };
                holds(call.is_over(expired, now), "timely_endings", || {
                    format!("{expired:?} at {now:?}: {call:?}")
                })
            }
            _ => Ok(()),
        }
    }
}

/// What a message is to the end that hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Heard {
    /// A report of this call of its own.
    Report(i64),
    /// The result of its `initialize`.
    Opening,
    /// Anything else.
    Else,
}

impl Deadlines {
    fn is_over(&self, expired: &Expired, now: Instant) -> bool {
        let (limit, from) = match expired.limit {
            Limit::Idle => (self.idle, self.heard),
            Limit::Total => (self.total, self.made),
        };
        limit == Some(expired.after) && from + expired.after <= now
    }
}
