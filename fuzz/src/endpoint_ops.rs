//! Any operations in any order on one endpoint, while the books are kept beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::role::{Client, Role, Server};
use mcp_proto::{
    CallOptions, CallTool, CallToolResult, ClientConfig, CloseReason, Connection, ErrorObject,
    Event, Instant, Limits, LogLevel, LogMessage, Progress, RequestId, Revision, RevisionSet,
    ServerConfig, Timeouts,
};
use serde_json::Value;

use crate::ops::{Calls, Op, Run, Side, Step, Token, pick};
use crate::wire::{after, client, server};

/// Bytes that `arbitrary` reads as a side, a revision and a list of operations.
pub fn endpoint_ops(input: &[u8]) {
    let Ok(run) = Run::arbitrary(&mut Unstructured::new(input)) else { return };
    let revision = Revision::ALL[usize::from(run.revision) % Revision::ALL.len()];
    let now = Instant::from_nanos(1);
    match (run.side, run.met) {
        (Side::Client, true) => {
            Books::new(client(client_config(), revision, now), now).run(&run.ops)
        }
        (Side::Client, false) => {
            let revisions = if run.revision < 128 { RevisionSet::ALL } else { revision.into() };
            Books::new(Connection::client(client_config().revisions(revisions), now), now)
                .run(&run.ops);
        }
        (Side::Server, true) => {
            Books::new(server(server_config(), revision, now), now).run(&run.ops)
        }
        (Side::Server, false) => Books::new(Connection::server(server_config()), now).run(&run.ops),
    }
}

const LIMIT: usize = 4;

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_message_len = 1 << 10;
    limits.max_depth = 8;
    limits.max_id_len = 16;
    limits.max_calls = LIMIT;
    limits.max_requests = LIMIT;
    limits.max_outbox_len = 2 << 10;
    limits.max_error_answers_per_second = 4;
    limits.max_error_answers = 16;
    limits.max_milestones = 3;
    limits
}

fn client_config() -> ClientConfig {
    ClientConfig::new("ops", "1").limits(limits()).log_level(LogLevel::Info)
}

fn server_config() -> ServerConfig {
    let pacing = Pacing::default().burst(2).every(Duration::from_millis(100));
    ServerConfig::new("ops", "1").limits(limits()).pacing(pacing)
}

/// What must be true, kept beside the connection.
struct Books<R> {
    connection: Connection<R>,
    now: Instant,
    /// Calls that have not ended.
    open: Calls,
    ended: BTreeSet<RequestId>,
    /// Requests that wait for an answer of ours.
    asked: Vec<RequestId>,
    /// Every request that ever came.
    known: BTreeSet<RequestId>,
    /// What was last reported for each request, as far as we know.
    reported: BTreeMap<RequestId, f64>,
    /// On the wire, for each token that only one request ever had: the last value, or none yet.
    tokens: BTreeMap<String, Option<f64>>,
    /// The owner of each such token.
    owners: BTreeMap<RequestId, String>,
    /// A line that was written in part.
    unfinished: Vec<u8>,
    closed: bool,
    /// The end left no time to finish a line.
    cut_off: bool,
    /// Bytes that were still to be written when the end was seen.
    left: Option<usize>,
}

/// What only one side can do.
trait Ability: Role + Clone {
    fn call(
        connection: &mut Connection<Self>,
        options: CallOptions,
        now: Instant,
    ) -> Option<RequestId>
    where
        Self: Sized;
    fn log(connection: &mut Connection<Self>, request: Option<&RequestId>)
    where
        Self: Sized;
}

impl Ability for Client {
    fn call(
        connection: &mut Connection<Self>,
        options: CallOptions,
        now: Instant,
    ) -> Option<RequestId> {
        let ticket = connection.request(&CallTool::new("t").argument("n", 1), options, now).ok()?;
        Some(ticket.id().clone())
    }

    fn log(_: &mut Connection<Self>, _: Option<&RequestId>) {}
}

impl Ability for Server {
    fn call(
        connection: &mut Connection<Self>,
        options: CallOptions,
        now: Instant,
    ) -> Option<RequestId> {
        connection.request_raw("roots/list", None, options, now).ok()
    }

    fn log(connection: &mut Connection<Self>, request: Option<&RequestId>) {
        let _ = connection.log(request, &LogMessage::text(LogLevel::Warning, "careful"));
    }
}

impl<R: Ability> Books<R> {
    fn new(connection: Connection<R>, now: Instant) -> Self {
        Self {
            connection,
            now,
            open: BTreeMap::new(),
            ended: BTreeSet::new(),
            asked: Vec::new(),
            known: BTreeSet::new(),
            reported: BTreeMap::new(),
            tokens: BTreeMap::new(),
            owners: BTreeMap::new(),
            unfinished: Vec::new(),
            closed: false,
            cut_off: false,
            left: None,
        }
    }

    fn run(mut self, ops: &[Op<'_>]) {
        for op in ops {
            self.step(op);
            self.check_tables();
        }
        self.end();
    }

    fn step(&mut self, op: &Op<'_>) {
        let now = self.now;
        match op {
            Op::Bytes(bytes) => self.connection.handle_input(bytes, now),
            Op::Message(message) => {
                let line = message.line(&self.open);
                self.connection.handle_input(line.as_bytes(), now);
            }
            Op::Call { token, idle, total } => self.call(*token, *idle, *total),
            Op::CancelUnknown => self.connection.cancel(&RequestId::from(i64::MAX), None, now),
            Op::Cancel(which) => {
                if let Some(id) = pick(self.open.keys(), *which) {
                    self.connection.cancel(&id, Some("no longer"), now);
                }
            }
            Op::Respond(which) => self.answer(*which, |connection, id, now| {
                connection.respond(id, &CallToolResult::text("done"), now)
            }),
            Op::Fail(which) => self.answer(*which, |connection, id, now| {
                connection.fail(id, &ErrorObject::internal("failed"), now)
            }),
            Op::Abandon(which) => self.answer(*which, |connection, id, now| {
                connection.abandon(id, now);
                Ok(())
            }),
            Op::Report { request, step, total, milestone } => {
                self.report(*request, *step, *total, *milestone)
            }
            Op::Log(which) => {
                let request = pick(self.asked.iter(), *which);
                R::log(&mut self.connection, request.as_ref());
            }
            Op::Poll(count) => {
                for _ in 0..*count {
                    let Some(event) = self.connection.poll_event() else { break };
                    self.note(event);
                }
            }
            Op::Transmit(count) => self.transmit(usize::from(*count)),
            Op::Pass(millis) => self.now = after(now, u64::from(*millis)),
            Op::Wake { late } => {
                let at = self.connection.poll_timeout().unwrap_or(now).max(now);
                self.now = after(at, u64::from(*late));
                self.wake();
            }
            Op::Back(millis) => {
                let earlier = now.as_nanos().saturating_sub(u64::from(*millis) * 1_000_000);
                self.connection.handle_input(b"", Instant::from_nanos(earlier));
                self.connection.handle_timeout(Instant::from_nanos(earlier));
            }
            Op::Rest(0) => self.connection.handle_eof(now),
            Op::Rest(1) => self.connection.handle_transport_error(now),
            Op::Rest(2) => self.connection.close(now),
            Op::Rest(_) => {
                while let Some(event) = self.connection.poll_event() {
                    self.note(event);
                }
                self.transmit(usize::MAX);
            }
        }
        self.check_end();
    }

    fn call(&mut self, token: Token, idle: Option<u16>, total: Option<u16>) {
        let millis =
            |millis: Option<u16>| millis.map(|millis| Duration::from_millis(millis.into()));
        let options = match token {
            Token::None => CallOptions::default(),
            Token::Own => CallOptions::default().tracked(),
            Token::Number(number) => CallOptions::default().progress_token(i64::from(number) - 128),
            Token::Text(number) => CallOptions::default().progress_token(number.to_string()),
        };
        let options = options.timeouts(Timeouts::default().idle(millis(idle)).total(millis(total)));
        if let Some(id) = R::call(&mut self.connection, options, self.now) {
            assert!(!self.closed || self.left.is_none(), "a call was made after the end");
            let is_new = self.open.insert(id.clone(), None).is_none() && !self.ended.contains(&id);
            assert!(is_new, "the id {id} was given out twice");
        }
    }

    fn answer(
        &mut self,
        which: u8,
        answer: impl FnOnce(&mut Connection<R>, &RequestId, Instant) -> Result<(), mcp_proto::SendError>,
    ) {
        let Some(id) = pick(self.asked.iter(), which) else { return };
        let before = self.connection.requests_in_flight();
        let outcome = answer(&mut self.connection, &id, self.now);
        self.asked.retain(|asked| *asked != id);
        self.reported.remove(&id);
        if outcome.is_ok() && !self.connection.is_closed() {
            assert_eq!(
                self.connection.requests_in_flight(),
                before - 1,
                "an answered request stays"
            );
        }
        let again = self.connection.respond(&id, &CallToolResult::text("again"), self.now);
        assert!(again.is_err(), "answered twice");
    }

    fn report(&mut self, which: u8, step: Step, total: Option<f64>, milestone: bool) {
        let Some(id) = pick(self.asked.iter(), which) else { return };
        let last = self.reported.get(&id).copied();
        let value = match step {
            Step::Forward(by) => last.unwrap_or(-1.0) + f64::from(by),
            Step::Any(value) => value,
        };
        let mut progress = Progress::new(value).message("step");
        progress.total = total;
        let weight = if milestone { Weight::Milestone } else { Weight::Ordinary };
        let wanted = self.connection.is_progress_wanted(&id);
        if self.connection.report(&id, progress, weight, self.now).is_ok() && wanted {
            assert!(
                value.is_finite() && total.is_none_or(f64::is_finite),
                "{value} of {total:?} was taken"
            );
            assert!(last.is_none_or(|last| last < value), "{value} was taken after {last:?}");
            self.reported.insert(id, value);
        }
    }

    fn note(&mut self, event: Event) {
        assert!(!self.closed, "after the last event: {event:?}");
        match event {
            Event::Request { id, params, .. } => {
                assert!(!self.asked.contains(&id), "request {id} came twice at once");
                let token =
                    params.as_ref().and_then(|params| params.get("_meta")?.get("progressToken"));
                if let Some(token) = token {
                    let token = token
                        .decode_owned::<Value>()
                        .map(|token| token.to_string())
                        .unwrap_or_default();
                    // A token that was used before says nothing about order.
                    if self.tokens.insert(token.clone(), None).is_some() {
                        self.tokens.insert(token, Some(f64::NAN));
                    } else if !self.is_answer_waiting(&id) {
                        self.owners.insert(id.clone(), token);
                    }
                }
                // A request may be over, by cancelling or the end, before its event was polled.
                self.known.insert(id.clone());
                self.asked.push(id);
            }
            // It may have been answered before this event was polled.
            Event::Cancelled { id, .. } => {
                assert!(self.known.contains(&id), "{id} was cancelled, but never asked")
            }
            Event::Progress { id, progress } => {
                let last = self
                    .open
                    .get_mut(&id)
                    .unwrap_or_else(|| panic!("progress of {id}, which has ended"));
                assert!(
                    last.is_none_or(|last| last < progress.progress),
                    "{progress:?} after {last:?}"
                );
                *last = Some(progress.progress);
            }
            Event::Response { id, .. } => {
                assert!(
                    self.open.remove(&id).is_some(),
                    "call {id} ended, but was never made or has ended before"
                );
                self.ended.insert(id);
            }
            Event::Closed(reason) => {
                self.closed = true;
                self.cut_off = !matches!(reason, CloseReason::Local | CloseReason::Eof { .. });
            }
            _ => {}
        }
    }

    /// Whether an answer to an earlier request with the same id is still to be written: then the next
    /// answer on the wire says nothing about this one.
    fn is_answer_waiting(&self, id: &RequestId) -> bool {
        let mut waiting = self.unfinished.clone();
        waiting.extend(crate::wire::take(&mut self.connection.clone()));
        waiting.split(|byte| *byte == b'\n').any(|line| {
            let message = serde_json::from_slice::<Value>(line).unwrap_or_default();
            messages_of(&message)
                .iter()
                .any(|message| message.get("method").is_none() && same_id(id, &message["id"]))
        })
    }

    fn transmit(&mut self, count: usize) {
        let Some(chunk) = self.connection.poll_transmit() else { return };
        let sent = count.min(chunk.len());
        self.unfinished.extend_from_slice(&chunk[..sent]);
        if let Some(left) = &mut self.left {
            *left = left.checked_sub(sent).expect("bytes after the end");
        }
        self.connection.advance_transmit(sent);
        while let Some(end) = self.unfinished.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.unfinished.drain(..=end).collect();
            self.check_line(&line);
        }
    }

    fn check_line(&mut self, line: &[u8]) {
        let message: Value = serde_json::from_slice(line).unwrap_or_else(|error| {
            panic!("{error} on the wire: {:?}", String::from_utf8_lossy(line))
        });
        for message in messages_of(&message) {
            self.check_message(message);
        }
    }

    fn check_message(&mut self, message: &Value) {
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        if message["method"] == "notifications/progress" {
            let token = message["params"]["progressToken"].to_string();
            let value = message["params"]["progress"].as_f64().expect("a number");
            let Some(last) = self.tokens.get_mut(&token) else {
                panic!("progress for {token}, which has ended")
            };
            assert!(
                last.is_none_or(|last| last.is_nan() || last < value),
                "{value} after {last:?} on the wire"
            );
            if last.is_none_or(|last| !last.is_nan()) {
                *last = Some(value);
            }
        } else if message.get("method").is_none() && message.get("id").is_some() {
            // Answered: nothing may follow for its token, unless another request shares it.
            let owner = self.owners.keys().find(|id| same_id(id, &message["id"])).cloned();
            if let Some(id) = owner.filter(|id| !self.asked.contains(id))
                && let Some(token) = self.owners.remove(&id)
                && self
                    .tokens
                    .get(&token)
                    .is_some_and(|last| last.is_none_or(|last| !last.is_nan()))
            {
                self.tokens.remove(&token);
            }
        }
    }

    fn wake(&mut self) {
        self.connection.handle_timeout(self.now);
        if let Some(at) = self.connection.poll_timeout() {
            assert!(
                at > self.now,
                "{:?} is due at {at:?}, and it is {:?}",
                self.connection.deadline_reason(),
                self.now
            );
        }
        let mut again = self.connection.clone();
        let mut once = self.connection.clone();
        again.handle_timeout(self.now);
        assert_eq!(again.poll_timeout(), once.poll_timeout(), "waking twice moves a deadline");
        let (first, second) = (crate::wire::events(&mut once), crate::wire::events(&mut again));
        assert_eq!(format!("{first:?}"), format!("{second:?}"), "waking twice makes events");
        assert_eq!(
            crate::wire::take(&mut once),
            crate::wire::take(&mut again),
            "waking twice sends"
        );
    }

    fn check_tables(&self) {
        // The engine's own calls, of which there are at most two at a time, are beside the limit.
        assert!(self.connection.calls_in_flight() <= LIMIT + 2, "more calls than the limit");
        assert!(self.connection.requests_in_flight() <= LIMIT, "more requests than the limit");
        if self.connection.is_closed() {
            assert_eq!(self.connection.calls_in_flight() + self.connection.requests_in_flight(), 0);
            assert_eq!(self.connection.poll_timeout(), None);
        }
    }

    /// From the end on, what is left to be written only gets less.
    fn check_end(&mut self) {
        if !self.connection.is_closed() {
            return;
        }
        let left = crate::wire::take(&mut self.connection.clone()).len();
        let before = *self.left.get_or_insert(left);
        assert_eq!(left, before, "bytes were added after the end");
    }

    fn end(mut self) {
        self.connection.close(self.now);
        self.check_end();
        while let Some(event) = self.connection.poll_event() {
            self.note(event);
        }
        assert!(self.closed, "no last event");
        assert!(self.open.is_empty(), "calls without an end: {:?}", self.open.keys());
        self.connection
            .handle_input(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n", self.now);
        self.connection.handle_eof(self.now);
        self.connection.handle_timeout(crate::wire::LATER);
        assert_eq!(self.connection.poll_event(), None, "an event after the last");
        self.check_end();
        self.check_tables();
        self.transmit(usize::MAX);
        while self.connection.poll_transmit().is_some() {
            self.transmit(usize::MAX);
        }
        assert!(self.unfinished.is_empty() || self.cut_off, "the last line has no end");
    }
}

/// One message, or the answers of a batch.
fn messages_of(line: &Value) -> &[Value] {
    match line {
        Value::Array(answers) => {
            assert!(!answers.is_empty(), "an empty batch on the wire");
            answers
        }
        message => std::slice::from_ref(message),
    }
}

fn same_id(id: &RequestId, json: &Value) -> bool {
    serde_json::to_value(id).is_ok_and(|id| id == *json)
}
