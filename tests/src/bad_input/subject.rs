//! The engine under test, on simulated time, with the reference application behind it.

use std::time::Duration;

use mcp_proto::progress::Weight;
use mcp_proto::role::Role;
use mcp_proto::{Connection, Event, Instant, Progress, RawJson, RequestId};

use super::case::{Feed, Side};
use super::message::{Sent, cut};
use super::observed::{Ending, Handled, KEPT, Observed, Report, names_of, names_of_close, shown};
use super::reference::{Answer, ClientApplication, Outcome, serve};

/// One engine and what is around it.
pub struct Subject<R> {
    /// The engine.
    pub conn: Connection<R>,
    /// The time.
    pub now: Instant,
    /// The application.
    pub application: Application,
    /// Calls of ours by the names that the case gives them.
    pub calls: Vec<(String, RequestId)>,
    /// The call that opens the connection, while it is under way: `INIT` or `PROBE`.
    pub opening: Option<&'static str>,
    /// Id of the request that opens the connection, as JSON text; the last one if it was tried again.
    pub opening_id: String,
    /// Whether the peer reads what is sent.
    pub reads: bool,
    /// What has been seen since the last [`start_watch`](Self::start_watch).
    pub seen: Observed,
    /// Whether what happens is noted: what is noted takes memory.
    watches: bool,
    /// What was sent since then, not yet taken apart.
    said: Vec<u8>,
    /// Calls that have ended, ever.
    ended: Vec<String>,
}

/// The reference application of one side.
#[allow(missing_docs)] // the names say it
pub enum Application {
    Server,
    Client(ClientApplication),
}

/// Bytes that are offered at once.
pub(super) const CHUNK: usize = 64 << 10;

/// Wake-ups at one moment that are too many: the engine goes round in circles.
const MAX_WAKES: usize = 100_000;

impl<R: Role> Subject<R> {
    /// An engine that nothing has happened to.
    pub fn new(conn: Connection<R>, application: Application, now: Instant) -> Self {
        Self {
            conn,
            now,
            application,
            calls: Vec::new(),
            opening: None,
            opening_id: String::new(),
            reads: true,
            seen: Observed::default(),
            watches: true,
            said: Vec::new(),
            ended: Vec::new(),
        }
    }

    /// Which side it is.
    pub fn side(&self) -> Side {
        match self.application {
            Application::Server => Side::Server,
            Application::Client(_) => Side::Client,
        }
    }

    /// Forgets what was seen so far but for what is still running, and makes room for what an input of that
    /// many bytes may bring about, so that the watching takes no memory while memory is measured.
    pub fn start_watch(&mut self, input: &[u8]) {
        let running = std::mem::take(&mut self.seen.handled);
        self.seen = Observed::default();
        let lines = memchr::memchr_iter(b'\n', input).count();
        self.seen.handled = Vec::with_capacity(running.len() + lines + 1);
        self.seen.handled.extend(
            running.into_iter().filter(|handled| handled.is_slow && handled.cancelled == 0),
        );
        self.seen.notifications.reserve(KEPT);
        self.seen.violations.reserve(KEPT);
        self.seen.revisions.0 = self.conn.peer().map(|peer| peer.revision);
        self.said = Vec::with_capacity(input.len() * 2 + CHUNK);
    }

    /// Feeds an input as the case says, and deals with it.
    pub fn feed(&mut self, input: &[u8], feed: Feed) {
        match feed {
            Feed::Bytewise => input.chunks(1).for_each(|byte| self.offer(byte)),
            Feed::WaitForReplyBetweenLines => {
                input.split_inclusive(|byte| *byte == b'\n').for_each(|line| self.offer(line));
            }
            Feed::Greedy | Feed::AllSplits => self.offer(input),
        }
    }

    /// Offers bytes: as many as are taken before anything is done about them, then the next ones.
    fn offer(&mut self, mut input: &[u8]) {
        loop {
            while !input.is_empty() && self.conn.wants_input() {
                let (chunk, rest) = input.split_at(input.len().min(CHUNK));
                self.conn.handle_input(chunk, self.now);
                input = rest;
            }
            self.seen.refused_input |= !input.is_empty();
            let went_on = self.pump();
            if input.is_empty() || (!went_on && !self.conn.wants_input()) {
                break;
            }
        }
        // What was taken but cannot be dealt with before the peer reads is as good as not taken.
        self.seen.refused_input |= !self.conn.wants_input() && self.seen.closed.is_none();
    }

    /// Feeds an input as the documentation asks a caller to: what was read is dealt with before more is read. Nothing of it is
    /// noted any more, so that what is left in memory is the engine's. Whether all of it was taken.
    pub fn flood(&mut self, input: &[u8]) -> bool {
        self.watches = false;
        for chunk in input.chunks(CHUNK) {
            if !self.conn.wants_input() {
                return self.conn.is_closed();
            }
            self.conn.handle_input(chunk, self.now);
            self.pump();
        }
        true
    }

    /// The stream has ended.
    pub fn eof(&mut self) {
        self.conn.handle_eof(self.now);
        self.pump();
    }

    /// Deals with everything that there is to be dealt with. Whether there was anything.
    pub fn pump(&mut self) -> bool {
        let mut went_on = false;
        loop {
            let mut again = false;
            while let Some(event) = self.conn.poll_event() {
                again = true;
                self.note(event);
            }
            while self.reads
                && let Some(chunk) = self.conn.poll_transmit()
            {
                again = true;
                let length = chunk.len();
                if self.watches {
                    for line in chunk.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                        let shown = || format!("> {}", cut(&String::from_utf8_lossy(line)));
                        self.seen.transcript.add(shown);
                    }
                    self.said.extend_from_slice(chunk);
                }
                self.conn.advance_transmit(length);
            }
            if !again {
                return went_on;
            }
            went_on = true;
        }
    }

    /// Time passes, every deadline on the way at its own moment.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        let mut wakes = 0;
        self.pump();
        while let Some(due) = self.conn.poll_timeout().filter(|due| *due <= until) {
            wakes = if due <= self.now { wakes + 1 } else { 0 };
            if wakes > MAX_WAKES {
                self.seen.faults.push("hang: it wants to be woken at once, for ever".to_owned());
                break;
            }
            self.now = self.now.max(due);
            self.conn.handle_timeout(self.now);
            self.pump();
        }
        self.now = until;
    }

    fn note(&mut self, event: Event) {
        if !self.watches {
            return match event {
                Event::Request { id, method, params } => {
                    self.handle(id, method.as_str(), params.as_ref())
                }
                Event::Cancelled { id, .. } => self.conn.abandon(&id, self.now),
                _ => {}
            };
        }
        self.seen.transcript.add(|| shown(&event));
        if self.seen.closed.is_some() {
            self.seen.faults.push(format!("an event behind the end: {}", shown(&event)));
        }
        match event {
            Event::Request { id, method, params } => {
                self.handle(id, method.as_str(), params.as_ref())
            }
            Event::Cancelled { id, .. } => self.cancelled(&id),
            Event::Response { id, outcome } => {
                let call = self.name(&id);
                let ending = match outcome {
                    Ok(result) => Ending { call, names: vec!["result"], value: small(&result) },
                    Err(error) => Ending { call, names: names_of(&error), value: None },
                };
                self.end(ending);
            }
            Event::Progress { id, progress } => {
                let Progress { progress, total, .. } = progress;
                let call = self.name(&id);
                self.seen.reports.push(Report { call, progress, total });
            }
            Event::Notification { method, .. } => {
                self.seen.notified += 1;
                if self.seen.notifications.len() < KEPT {
                    self.seen.notifications.push(method.as_str().to_owned());
                }
            }
            Event::Violation(violation) => {
                self.seen.violated += 1;
                if self.seen.violations.len() < KEPT {
                    self.seen.violations.push(violation.to_string());
                }
            }
            Event::Closed(reason) => {
                if let Some(opening) = self.opening.take() {
                    let names = names_of_close(&reason);
                    self.end(Ending { call: opening.to_owned(), names, value: None });
                }
                self.seen.closed = Some(reason);
            }
            Event::Ready(_) => {
                if let Some(opening) = self.opening.take() {
                    self.end(Ending {
                        call: opening.to_owned(),
                        names: vec!["result"],
                        value: None,
                    });
                }
            }
            _ => {}
        }
    }

    fn handle(&mut self, id: RequestId, method: &str, params: Option<&RawJson>) {
        let Some(revision) = self.conn.revision_of(&id) else {
            self.seen
                .faults
                .push(format!("request {id} is unknown to the engine that delivered it"));
            return;
        };
        let Outcome { answer, ran } = match &mut self.application {
            Application::Server => serve(method, params, revision),
            Application::Client(client) => client.answer(method, params),
        };
        let is_slow = matches!(answer, Answer::Slow);
        if self.watches && self.seen.handled.len() < self.seen.handled.capacity() {
            // Of the slow ones there may be very many, so these are noted without another allocation.
            let (method, ran) =
                if is_slow { (String::new(), None) } else { (method.to_owned(), ran) };
            self.seen.handled.push(Handled { id: id.clone(), method, ran, is_slow, cancelled: 0 });
        }
        let now = self.now;
        let done = match answer {
            Answer::Result(result) => self.conn.respond(&id, &result, now),
            Answer::Error(error) => self.conn.fail(&id, &error, now),
            Answer::Slow => Ok(()),
            Answer::Count(steps) => {
                for step in 1..=steps {
                    let progress = Progress::new(f64::from(step)).of(f64::from(steps));
                    if let Err(error) = self.conn.report(&id, progress, Weight::Ordinary, now) {
                        self.seen.faults.push(format!("a report was refused: {error}"));
                    }
                }
                self.conn.respond(&id, &super::reference::text("counted"), now)
            }
        };
        if let Err(error) = done {
            self.seen.faults.push(format!("the answer to {id} was refused: {error}"));
        }
    }

    /// A slow handler stops at once.
    fn cancelled(&mut self, id: &RequestId) {
        let now = self.now;
        match self
            .seen
            .handled
            .iter_mut()
            .rev()
            .find(|handled| handled.id == *id && handled.is_slow)
        {
            Some(handled) => handled.cancelled += 1,
            None => self
                .seen
                .faults
                .push(format!("request {id} was cancelled, but none such is running")),
        }
        self.conn.abandon(id, now);
    }

    fn end(&mut self, ending: Ending) {
        self.ended.push(ending.call.clone());
        self.seen.endings.push(ending);
    }

    fn name(&self, id: &RequestId) -> String {
        let known = self.calls.iter().find(|(_, own)| own == id).map(|(name, _)| name.clone());
        known.unwrap_or_else(|| id.to_string())
    }

    /// Everything seen since the last [`start_watch`](Self::start_watch), and goes on watching.
    pub fn look(&mut self) -> Observed {
        let mut seen = std::mem::take(&mut self.seen);
        let said = std::mem::take(&mut self.said);
        seen.sent_len = said.len();
        let whole = said.split_inclusive(|byte| *byte == b'\n');
        for (at, line) in whole.enumerate() {
            let Some(line) = line.strip_suffix(b"\n") else {
                seen.faults
                    .push(format!("a line without end: {}", cut(&String::from_utf8_lossy(line))));
                continue;
            };
            match Sent::of_line(at, line) {
                Ok(messages) => seen.sent.extend(messages),
                Err(fault) => seen.faults.push(format!("invalid output: {fault}")),
            }
        }
        let opens = |sent: &&Sent| matches!(sent.method(), Some("initialize" | "server/discover"));
        if let Some(id) = seen.sent.iter().rev().find(opens).and_then(Sent::id) {
            self.opening_id = id;
        }
        seen.pending = self.pending();
        seen.in_flight = self.conn.requests_in_flight();
        seen.revisions.1 = self.conn.peer().map(|peer| peer.revision);
        if let Application::Client(client) = &self.application {
            seen.opened = client.opened.clone();
        }
        self.seen = Observed {
            closed: seen.closed.clone(),
            handled: seen.handled.clone(),
            revisions: seen.revisions,
            endings: seen.endings.clone(),
            ..Observed::default()
        };
        seen
    }

    fn pending(&self) -> Vec<String> {
        let calls = self.calls.iter().map(|(name, _)| name.clone());
        calls
            .chain(self.opening.map(str::to_owned))
            .filter(|name| !self.ended.contains(name))
            .collect()
    }
}

/// A result that is small enough to be looked into.
fn small(result: &RawJson) -> Option<serde_json::Value> {
    (result.as_bytes().len() <= 4 << 10).then(|| result.decode().ok()).flatten()
}
