//! Plays the lines of a transcript to a connection.

use alloc::borrow::ToOwned;
use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;
use core::time::Duration;

use super::Mismatch;
use super::line::{Action, Content, Line};
use crate::error::SendError;
use crate::event::Event;
use crate::json::{Kind, Raw};
use crate::progress::Weight;
use crate::role::{Client, Role, Server};
use crate::stdio::Connection;
use crate::testing::{Carry, End, restored, take_output};
use crate::time::Instant;
use crate::types::LogMessage;

/// The engine under test and what it has said that no line has listed yet.
#[derive(Debug)]
pub(super) struct Play<R> {
    connection: Connection<R>,
    side: End,
    now: Instant,
    said: Vec<u8>,
    told: VecDeque<Event>,
    /// Whether events are to be listed.
    lists_events: bool,
}

/// What only one role can do.
pub(super) trait Logs: Role {
    fn log(connection: &mut Connection<Self>, action: &Action) -> Result<bool, SendError>
    where
        Self: Sized;
}

impl Logs for Client {
    fn log(_: &mut Connection<Self>, _: &Action) -> Result<bool, SendError> {
        Err(SendError::Unsupported)
    }
}

impl Logs for Server {
    fn log(connection: &mut Connection<Self>, action: &Action) -> Result<bool, SendError> {
        let Action::Log(id, level, text) = action else { return Err(SendError::Unsupported) };
        connection.log(id.as_ref(), &LogMessage::text(*level, text))
    }
}

impl<R: Logs> Play<R> {
    pub(super) fn new(connection: Connection<R>, side: End, lines: &[Line]) -> Self {
        let lists_events = lines.iter().any(|line| matches!(line.content, Content::Tells(_)));
        Self {
            connection,
            side,
            now: Instant::ZERO,
            said: Vec::new(),
            told: VecDeque::new(),
            lists_events,
        }
    }

    pub(super) fn run(mut self, lines: &[Line], carry: Option<Carry<'_>>) -> Result<(), Mismatch> {
        let mut carry = carry;
        let mut last = 1;
        for line in lines {
            last = line.number;
            let played = self.play(&line.content).and_then(|()| match &mut carry {
                Some(carry) => self.restore(line.number, *carry),
                None => Ok(()),
            });
            played.map_err(|what| Mismatch { line: line.number, what })?;
        }
        self.collect();
        self.expect_silence().map_err(|what| Mismatch { line: last, what })
    }

    /// Goes on with what a snapshot of the engine becomes, on a clock that began long before or just now.
    fn restore(&mut self, line: usize, carry: Carry<'_>) -> Result<(), String> {
        let then = match line % 3 {
            0 => Instant::from(Duration::from_secs(40 * 365 * 86_400)),
            1 => Instant::ZERO,
            _ => self.now,
        };
        let restored = restored(&self.connection, self.now, then, carry);
        self.connection = restored.map_err(|error| error.to_string())?;
        self.now = then;
        Ok(())
    }

    fn play(&mut self, content: &Content) -> Result<(), String> {
        self.collect();
        match content {
            Content::Says(end, text) if *end == self.side => return self.expect_message(text),
            Content::Tells(text) => return self.expect_event(text),
            _ => self.expect_silence()?,
        }
        match content {
            Content::Says(_, text) => {
                self.connection.handle_input(format!("{text}\n").as_bytes(), self.now);
            }
            Content::Writes(end, _) if *end == self.side => {
                return Err("the engine's own bytes cannot be prescribed".into());
            }
            Content::Writes(_, text) => self.connection.handle_input(text.as_bytes(), self.now),
            Content::Passes(time) => self.advance(*time),
            Content::Does(action) => self.act(action)?,
            Content::Tells(_) => {}
        }
        Ok(())
    }

    /// Takes what the engine says and tells now.
    fn collect(&mut self) {
        self.told.extend(core::iter::from_fn(|| self.connection.poll_event()));
        self.said.extend(take_output(&mut self.connection));
        self.told.extend(core::iter::from_fn(|| self.connection.poll_event()));
    }

    fn advance(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.connection.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.connection.handle_timeout(self.now);
            self.collect();
        }
        self.now = until;
    }

    fn act(&mut self, action: &Action) -> Result<(), String> {
        let (conn, now) = (&mut self.connection, self.now);
        let done = match action {
            Action::Call(method, params, options) => {
                conn.request_raw(method, params.as_ref(), options.clone(), now).map(drop)
            }
            Action::Notify(method, params) => conn.endpoint_mut().core_mut().notify(method, params),
            Action::Cancel(id, reason) => {
                conn.cancel(id, reason.as_deref(), now);
                Ok(())
            }
            Action::Respond(id, result) => conn.respond(id, result, now),
            Action::Fail(id, code, message) => {
                conn.fail(id, &crate::error::ErrorObject::new(*code, message.as_str()), now)
            }
            Action::Report(id, progress) => {
                return conn
                    .report(id, progress.clone(), Weight::Ordinary, now)
                    .map_err(|error| error.to_string());
            }
            Action::Milestone(id, progress) => {
                return conn
                    .report(id, progress.clone(), Weight::Milestone, now)
                    .map_err(|error| error.to_string());
            }
            Action::Abandon(id) => {
                conn.abandon(id, now);
                Ok(())
            }
            Action::Log(..) => R::log(conn, action).map(drop),
            Action::Close => {
                conn.close(now);
                Ok(())
            }
            Action::Eof => {
                conn.handle_eof(now);
                Ok(())
            }
        };
        done.map_err(|error| error.to_string())
    }

    fn expect_message(&mut self, expected: &str) -> Result<(), String> {
        let Some(end) = self.said.iter().position(|byte| *byte == b'\n') else {
            return Err(format!("the engine said nothing, expected {expected}"));
        };
        let said: Vec<u8> = self.said.drain(..=end).collect();
        let said = String::from_utf8_lossy(&said).trim_end().to_owned();
        let parse = |text: &str| crate::json::RawJson::parse(text.to_owned());
        let expected = parse(expected).map_err(|error| format!("not JSON: {error}"))?;
        let found = parse(&said)
            .map_err(|error| format!("the engine said what is not JSON: {error}: {said}"))?;
        let mut path = String::new();
        compare(expected.as_raw(), found.as_raw(), &mut path)
            .map_err(|what| format!("{what}\n  the engine said {said}"))
    }

    fn expect_event(&mut self, expected: &str) -> Result<(), String> {
        let Some(event) = self.told.pop_front() else {
            return Err(format!("the engine told nothing, expected {expected}"));
        };
        let told = describe(&event);
        let is_met = match expected.strip_suffix('*') {
            Some(head) => told.starts_with(head),
            None => told == expected,
        };
        if is_met { Ok(()) } else { Err(format!("expected {expected}\n  the engine told {told}")) }
    }

    fn expect_silence(&mut self) -> Result<(), String> {
        if !self.said.is_empty() {
            let said = String::from_utf8_lossy(&self.said);
            return Err(format!("the engine said what is not listed: {}", said.trim_end()));
        }
        if !self.lists_events {
            self.told.clear();
        }
        match self.told.front() {
            Some(event) => Err(format!("the engine told what is not listed: {}", describe(event))),
            None => Ok(()),
        }
    }
}

pub(super) fn describe(event: &Event) -> String {
    let mut line = String::new();
    // Writing to a string does not fail.
    let _ = match event {
        Event::Ready(peer) => write!(line, "ready {}", peer.revision),
        Event::Request { id, method, .. } => write!(line, "request {id} {}", method.as_str()),
        Event::Cancelled { id, reason: None } => write!(line, "cancelled {id}"),
        Event::Cancelled { id, reason: Some(reason) } => {
            write!(line, "cancelled {id} {:?}", reason.as_str())
        }
        Event::Notification { method, .. } => write!(line, "notification {}", method.as_str()),
        Event::Progress { id, progress } => {
            let total = progress.total.map(|total| format!("/{total}")).unwrap_or_default();
            let message = progress.message.as_ref().map(|text| format!(" {:?}", text.as_str()));
            write!(
                line,
                "progress {id} {}{total}{}",
                progress.progress,
                message.unwrap_or_default()
            )
        }
        Event::Response { id, outcome: Ok(result) } => {
            write!(line, "response {id} {}", result.as_str())
        }
        Event::Response { id, outcome: Err(error) } => write!(line, "failed {id}: {error}"),
        Event::Interrupted { id: Some(id) } => write!(line, "interrupted {id}"),
        Event::Interrupted { id: None } => write!(line, "interrupted"),
        Event::Resumed { id: Some(id) } => write!(line, "resumed {id}"),
        Event::Resumed { id: None } => write!(line, "resumed"),
        Event::Undelivered { id } => write!(line, "undelivered {id}"),
        Event::Violation(violation) => write!(line, "violation: {violation}"),
        Event::Closed(reason) => write!(line, "closed: {reason}"),
    };
    line
}

/// Whether `found` is what is expected; else where it is not.
pub(in crate::testing) fn compare(
    expected: Raw<'_>,
    found: Raw<'_>,
    path: &mut String,
) -> Result<(), String> {
    let differs = |path: &str| {
        let at = if path.is_empty() { "the message" } else { path };
        let text = |raw: Raw<'_>| String::from_utf8_lossy(raw.as_bytes()).into_owned();
        Err(format!("{at}: expected {}, found {}", text(expected), text(found)))
    };
    if expected.as_bytes() == b"\"*\"" {
        return Ok(());
    }
    if expected.kind() != found.kind() {
        return differs(path);
    }
    match expected.kind() {
        Kind::Object => {
            for (name, value) in expected.members() {
                let length = enter(path, &name);
                let Some(member) = found.get(&name) else {
                    return Err(format!("{path}: expected, but absent"));
                };
                compare(value, member, path)?;
                path.truncate(length);
            }
            for (name, _) in found.members() {
                if expected.get(&name).is_none() {
                    enter(path, &name);
                    return Err(format!("{path}: not expected"));
                }
            }
            Ok(())
        }
        Kind::Array => {
            if expected.items().count() != found.items().count() {
                return differs(path);
            }
            for (index, (expected, found)) in expected.items().zip(found.items()).enumerate() {
                let length = enter(path, &index.to_string());
                compare(expected, found, path)?;
                path.truncate(length);
            }
            Ok(())
        }
        Kind::String if expected.as_str() == found.as_str() => Ok(()),
        Kind::String => differs(path),
        _ if expected.as_bytes() == found.as_bytes() => Ok(()),
        _ => differs(path),
    }
}

fn enter(path: &mut String, name: &str) -> usize {
    let length = path.len();
    if length > 0 {
        path.push('.');
    }
    path.push_str(name);
    length
}
