//! Which rules of the protocol either side of a recording broke.
//!
//! It keeps books of its own, by the words of the specification: what each side asked, and what became of that. Of the
//! engine it takes the cutting into lines and the reading of JSON. So it judges servers and clients in any language, and
//! the engine too.
//!
//! What one side could not know yet is no fault: a report that was on its way when its request was cancelled. It counts
//! as known once that side has answered something that was asked later, or a second has passed.
//!
//! A rule has in each revision the number and the level that it has there, and where a revision has no such rule nothing is
//! said. A message belongs to the revision of the request that it is about; else to that of the session, which until it
//! is agreed on is the one that the client asks for; and without a session to the modern one, once the client has spoken it.
//!
//! ```
//! use mcp_proto::testing::lint::lint;
//! use mcp_proto::testing::recording::Recording;
//!
//! let recording = Recording::parse(
//!     r#"
//! C: {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}
//! S: {"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}}
//! C: {"jsonrpc":"2.0","method":"notifications/initialized"}
//! C: {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"resize","_meta":{"progressToken":2}}}
//! S: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":3,"progress":1}}
//! S: {"jsonrpc":"2.0","id":2,"result":{"content":[]}}
//! "#,
//! )?;
//! let findings = lint(&recording);
//! assert_eq!(findings.len(), 1);
//! assert_eq!((findings[0].line, findings[0].requirement.number), (6, "R-PROG-04"));
//! assert_eq!(findings[0].to_string(), "server: invented-token (R-PROG-04): token 3 is of no request");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod judge;
mod message;
mod requests;
mod results;
mod rules;
mod session;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use self::judge::Judge;
use super::End;
use super::recording::Recording;
use crate::config::{Limits, Tolerance};
use crate::json::{Kind, Raw, ScanErrorKind};
use crate::revision::Revision;
use crate::time::Instant;
use crate::wire::{Line, LineDecoder};

pub use self::rules::{Level, RULES, Requirement, Rule};

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The line of the recording, from 1, with which the message ended that broke it.
    pub line: usize,
    /// When that was.
    pub at: Instant,
    /// Who broke it.
    pub side: End,
    /// Which one.
    pub rule: &'static Rule,
    /// What says so in the revision of that message.
    pub requirement: &'static Requirement,
    /// What shows it, in one line.
    pub what: String,
}

/// Side, rule, requirement, what shows it.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            End::Client => "client",
            End::Server => "server",
        };
        write!(f, "{side}: {} ({}): {}", self.rule.name, self.requirement.number, self.what)
    }
}

/// Where in the conversation something is.
#[derive(Clone, Copy, Debug)]
struct Place {
    line: usize,
    at: Instant,
    /// The number of the message, either side's.
    number: usize,
    /// Over HTTP, which exchange it came on.
    exchange: Option<u64>,
}

/// Names every rule that either side broke, in order of time.
pub fn lint(recording: &Recording) -> Vec<Finding> {
    let limits = Limits { max_depth: DEEPEST, ..Limits::default() };
    let lines = || LineDecoder::new(limits.max_message_len, Tolerance::Strict);
    let (mut client, mut server) = (lines(), lines());
    let mut linter = Linter::default();
    for chunk in recording.chunks() {
        let (side, lines) = match chunk.is_read {
            true => (End::Server, &mut server),
            false => (End::Client, &mut client),
        };
        linter.place.line = chunk.line;
        linter.place.at = chunk.at;
        linter.place.exchange = chunk.exchange;
        if let (Some(exchange), true) = (chunk.exchange, chunk.bytes.is_empty()) {
            if side == End::Client {
                linter.judge.hung_up(exchange, linter.place);
            }
            continue;
        }
        if chunk.bytes.is_empty() {
            let rest = lines.len();
            if rest > 0 {
                linter.say(side, &rules::NO_NEWLINE, format!("{rest} bytes, then the end"));
            }
            continue;
        }
        lines.handle_input(&chunk.bytes, chunk.at);
        while let Some(line) = lines.next_line() {
            match line {
                Line::Frame(line, _) => linter.line(side, &line),
                Line::TooLong(..) => {
                    let what = format!("more than {} bytes in a line", limits.max_message_len);
                    linter.say(side, stray(side), what);
                }
            }
        }
    }
    linter.end()
}

/// Deeper than any message.
const DEEPEST: usize = 128;

/// How much of a text is shown.
const SHOWN: usize = 80;

#[derive(Debug)]
struct Linter {
    place: Place,
    judge: Judge,
    findings: Vec<Finding>,
}

impl Default for Linter {
    fn default() -> Self {
        let place = Place { line: 1, at: Instant::ZERO, number: 0, exchange: None };
        Self { place, judge: Judge::default(), findings: Vec::new() }
    }
}

/// What is no message, on the way of this side.
fn stray(side: End) -> &'static Rule {
    match side {
        End::Client => &rules::STRAY_INPUT,
        End::Server => &rules::STRAY_OUTPUT,
    }
}

impl Linter {
    /// Says it by the revision of the moment.
    fn say(&mut self, side: End, rule: &'static Rule, what: String) {
        self.say_in(self.judge.in_force(), side, rule, what);
    }

    /// Where a revision has no such rule nothing is said.
    fn say_in(&mut self, revision: Revision, side: End, rule: &'static Rule, what: String) {
        let Place { line, at, .. } = self.place;
        if let Some(requirement) = rule.requirement(revision) {
            self.findings.push(Finding { line, at, side, rule, requirement, what });
        }
    }

    fn line(&mut self, side: End, line: &[u8]) {
        let mut text = line.strip_suffix(b"\r").unwrap_or(line);
        if let Some(rest) = text.strip_prefix(b"\xEF\xBB\xBF") {
            self.say(side, stray(side), "a byte order mark".into());
            text = rest;
        }
        if text.trim_ascii().is_empty() {
            return self.say(side, stray(side), "a blank line".into());
        }
        match Raw::parse(text, DEEPEST) {
            Ok(message) if message.kind() == Kind::Array => self.batch(side, message),
            Ok(message) => self.message(side, message, false),
            Err(error) => {
                let rule = match error.kind {
                    ScanErrorKind::Utf8 => &rules::NOT_UTF8,
                    ScanErrorKind::Syntax => stray(side),
                    _ => &rules::NOT_A_MESSAGE,
                };
                let start = text.get(..SHOWN).unwrap_or(text);
                let start = String::from_utf8_lossy(start).into_owned();
                self.say(side, rule, format!("{start:?}"));
                self.judge.unreadable(side, None);
            }
        }
    }

    fn batch(&mut self, side: End, batch: Raw<'_>) {
        if batch.items().next().is_none() {
            self.say(side, &rules::NOT_A_MESSAGE, "an empty batch".into());
            self.judge.unreadable(side, None);
        }
        for message in batch.items() {
            self.message(side, message, true);
        }
        // By now it is known which revision an `initialize` in it asks for.
        self.say(side, &rules::BATCH, format!("{} messages", batch.items().count()));
    }

    fn message(&mut self, side: End, message: Raw<'_>, is_in_batch: bool) {
        self.place.number += 1;
        let read = message::read(message);
        let mut faults = read.faults;
        let revision = match read.said {
            Some(said) => self.judge.said(side, said, is_in_batch, self.place, &mut faults),
            None => {
                self.judge.unreadable(side, read.id);
                self.judge.in_force()
            }
        };
        for (rule, what) in faults {
            self.say_in(revision, side, rule, what);
        }
    }

    /// What was asked and not answered, last.
    fn end(mut self) -> Vec<Finding> {
        for (asker, place, (rule, what)) in self.judge.unanswered() {
            self.place = place;
            self.say(asker.peer(), rule, what);
        }
        self.findings
    }
}
