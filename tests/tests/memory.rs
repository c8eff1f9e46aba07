//! `Limits::memory_bound`: every table of one connection is driven to its limit at once, and what the
//! allocator was asked for is compared with what was promised.
//!
//! A program of its own, because the counting allocator is that of the whole program.

use std::collections::VecDeque;
use std::iter::from_fn;
use std::time::Duration;

use allocation_counter::measure;
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::role::{Client, Role, Server};
use mcp_proto::{
    CallError, CallOptions, CallTool, CallToolResult, ClientConfig, Connection, Endpoint, Era,
    Event, Instant, Limits, LogLevel, LogMessage, Progress, RequestId, Revision, SendError,
    ServerConfig, Violation,
};

/// What is read at once.
const READ: usize = 64 << 10;

fn small() -> Limits {
    let mut limits = Limits::default();
    limits.max_message_len = 256 << 10;
    limits.max_id_len = 256;
    limits.max_calls = 40;
    limits.max_requests = 20;
    limits.max_batch_len = 10;
    limits.max_outbox_len = 64 << 10;
    limits.max_output_len = 512 << 10;
    limits.max_milestones = 10;
    limits.max_events = 50;
    limits
}

fn client_limits() -> Limits {
    ClientConfig::new("c", "1").limits
}

/// One end, and what it has said.
struct Full<R> {
    conn: Connection<R>,
    now: Instant,
    limits: Limits,
    /// Bytes of answers that wait for the rest of their batch.
    held: usize,
    /// Answers among them.
    answers: usize,
    /// Requests in flight, by their ids.
    requests: Vec<RequestId>,
    tables: Tables,
}

/// What the tables hold that are in use.
#[derive(Clone, Copy, Default)]
struct Tables {
    calls: usize,
    requests: usize,
    /// Whether the peer has said at length who it is.
    peer: bool,
    /// What each request says in `_meta`.
    meta: &'static str,
}

impl<R: Role> Full<R> {
    fn new(conn: Connection<R>, limits: Limits) -> Self {
        let tables = Tables::default();
        Self { conn, now: Instant::ZERO, limits, held: 0, answers: 0, requests: Vec::new(), tables }
    }

    /// The engine reads this, as its documentation asks for.
    fn feed(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(READ) {
            assert!(self.conn.wants_input(), "the engine takes no more");
            self.conn.handle_input(chunk, self.now);
        }
    }

    /// The engine reads this and all of it is seen to; what it says is read.
    fn tell(&mut self, bytes: &[u8]) {
        self.feed(bytes);
        while self.conn.poll_event().is_some() {}
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(length) = self.conn.poll_transmit().map(<[u8]>::len) {
            self.conn.advance_transmit(length);
        }
    }

    /// Everything that waits for the peer.
    fn said(&mut self) -> Vec<u8> {
        let mut said = Vec::new();
        while let Some(chunk) = self.conn.poll_transmit() {
            said.extend_from_slice(chunk);
            let length = chunk.len();
            self.conn.advance_transmit(length);
        }
        said
    }

    /// Bytes that may still be said.
    fn room(&mut self) -> usize {
        let queued = self.conn.poll_transmit().map_or(0, <[u8]>::len);
        self.conn.advance_transmit(0);
        self.limits.max_output_len - queued - self.held
    }

    /// Requests of the peer, as many as may be in flight, each with an id, a token and reports as long and as
    /// many as may be. With `batched` each comes in a batch of its own, among as many others as may be that are
    /// answered at once, until their answers take half of the room. If not, each has taken the place of another,
    /// whose timer is still there.
    fn fill_requests(&mut self, meta: &'static str, batched: bool) {
        let limits = self.limits;
        (self.tables.requests, self.tables.meta) = (limits.max_requests, meta);
        let meta = if meta.is_empty() { String::new() } else { format!(",{meta}") };
        let rounds = if batched { 1 } else { 2 };
        for n in 0..rounds * limits.max_requests {
            if n >= limits.max_requests {
                let before = self.requests.remove(0);
                self.conn.respond(&before, &CallToolResult::text(""), self.now).unwrap();
                self.drain();
            }
            let name = |what| format!("{what}{n:x<width$}", width = limits.max_id_len - 1);
            let (id, token) = (name('i'), name('t'));
            let mut line = format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":\"{id}\",\"method\":\"x/y\",\
                 \"params\":{{\"_meta\":{{\"progressToken\":\"{token}\"{meta}}}}}}}"
            );
            if batched {
                line = format!("[{line}{}]", self.answered_at_once());
            }
            self.tell(format!("{line}\n").as_bytes());
            self.requests.push(id.into());
            self.fill_reports();
        }
        assert!(!batched || self.answers > 50, "too few answers wait: {}", self.answers);
    }

    /// The rest of a batch: requests that need no handler, until their answers take half of the room.
    fn answered_at_once(&mut self) -> String {
        let mut members = String::new();
        for _ in 1..self.limits.max_batch_len {
            let id = self.answers;
            let answer = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}},");
            if self.held + answer.len() < self.limits.max_outbox_len / 2 {
                members += &format!(",{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}");
                self.held += answer.len();
                self.answers += 1;
            }
        }
        members
    }

    /// Of the newest request as many reports as may wait, all kept, and behind them the newest one.
    fn fill_reports(&mut self) {
        let id = self.requests.last().expect("a request");
        let text = "m".repeat((64 << 10) / self.limits.max_milestones);
        let (mut waiting, mut step) = (0, 0.0);
        while waiting < self.limits.max_milestones {
            let report = Progress::new(step).message(text.clone());
            self.conn.report(id, report, Weight::Milestone, self.now).unwrap();
            // The first ones leave at once.
            waiting += usize::from(!self.conn.has_transmit());
            step += 1.0;
            while let Some(length) = self.conn.poll_transmit().map(<[u8]>::len) {
                self.conn.advance_transmit(length);
            }
        }
        let last = Progress::new(1e6).message("o".repeat(20 << 10));
        self.conn.report(id, last, Weight::Ordinary, self.now).unwrap();
        self.drain();
    }

    /// So many calls of ours, each with a token of the caller's own and a deadline; in the place of each there was
    /// another, whose timer is still there.
    fn fill_calls(&mut self, count: usize) {
        let mut calls = VecDeque::new();
        for n in 0..2 * count {
            if n >= count {
                let before = calls.pop_front().expect("a call");
                self.conn.cancel(&before, None, self.now);
                while self.conn.poll_event().is_some() {}
            }
            let token = format!("{n:x<width$}", width = self.limits.max_id_len);
            let options = CallOptions::default().progress_token(token);
            calls.push_back(self.conn.request_raw("x/y", None, options, self.now).unwrap());
            self.drain();
        }
    }

    /// Short answers that the peer does not read, until only so many bytes may be said.
    fn fill_answers(&mut self, but: usize) {
        let mut room = self.limits.max_outbox_len - self.held - but;
        while room > 100 {
            let ping = "{\"jsonrpc\":\"2.0\",\"id\":-1,\"method\":\"ping\"}\n";
            let answer = "{\"jsonrpc\":\"2.0\",\"id\":-1,\"result\":{}}\n".len();
            let count = (room / answer).min(READ / ping.len());
            self.feed(ping.repeat(count).as_bytes());
            assert_eq!(self.conn.poll_event(), None);
            room -= count * answer;
        }
    }

    /// As many bytes as may be read, with as many events in them as may wait: the text of one takes all that may be
    /// copied, some are violations with what they show, the others are as short as can be. Behind them a flood of more.
    fn fill_input(&mut self, cancels: bool) {
        let limits = self.limits;
        let notification = "{\"jsonrpc\":\"2.0\",\"method\":\"\\u0061\"}\n";
        let broken = "\u{1}".repeat(79) + "\n";
        let reported = limits.max_violation_reports_per_second as usize;
        let violations = reported.min(limits.max_events / 2);
        let others = limits.max_events - violations - usize::from(cancels);
        let lines = broken.repeat(violations) + &notification.repeat(others);
        let mut input = String::with_capacity(limits.max_message_len + READ);
        if let Some(id) = self.requests.first().filter(|_| cancels) {
            let head = format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\
                 \"params\":{{\"requestId\":\"{id}\",\"reason\":\"\\u0061"
            );
            let len = (limits.max_message_len + READ).saturating_sub(lines.len() + 2 * READ / 3);
            let len = len.min(limits.max_message_len - head.len() - 4);
            input += &head;
            input += &"r".repeat(len);
            input += "\"}}\n";
        }
        input += &lines;
        while input.len() < limits.max_message_len + READ {
            input += notification;
        }
        let (message, one_more_read) = input.as_bytes().split_at(limits.max_message_len);
        self.feed(message);
        self.feed(&one_more_read[..READ]);
        assert!(!self.conn.wants_input(), "the input is full");
        self.conn.handle_timeout(self.now);
    }

    /// Whether each table was at its limit, from outside: what a counter says, or what the next operation does.
    fn check_tables(mut self, what: &str) {
        let (limits, has) = (self.limits, self.tables);
        assert_eq!(self.conn.calls_in_flight(), has.calls, "{what}: calls");
        assert_eq!(self.conn.requests_in_flight(), has.requests, "{what}: requests");
        let said = self.conn.peer().map(|peer| {
            let name = peer.info.as_ref().map_or(0, |info| info.name.len());
            name + peer.instructions.as_ref().map_or(0, String::len)
        });
        assert_eq!(said.is_some_and(|len| len > limits.max_message_len - 400), has.peer, "{what}");

        // What waits to be polled, without anything that is decoded only then.
        let mut endpoint = Endpoint::clone(&self.conn);
        let waiting = from_fn(|| endpoint.poll_event()).count();
        assert_eq!(waiting, limits.max_events, "{what}: events");
        let said = self.said();
        let most = limits.max_output_len - self.held;
        assert!(
            said.len() <= most && said.len() + (2 << 10) > most,
            "{what}: {} bytes",
            said.len()
        );
        let pings = |said: &[u8]| memchr::memmem::find_iter(said, "\"result\":{}").count();
        let before = pings(&said);

        // Every report was kept; of two more the first takes the place of the newest, and of the first the second.
        for id in &self.requests {
            if self.conn.is_cancelled(id) {
                continue;
            }
            assert_eq!(self.conn.merged_reports(id), 0, "{what}: milestones");
            for progress in [1e7, 1e8] {
                let more = Progress::new(progress);
                self.conn.report(id, more, Weight::Milestone, self.now).unwrap();
            }
            assert_eq!(self.conn.merged_reports(id), 2, "{what}: milestones");
        }
        // There is room now for what is refused only because of the tables.
        self.now = self.now + Duration::from_secs(5);
        while self.conn.poll_event().is_some() {}
        self.tell(b"\n");
        if has.calls > 0 {
            let more = self.conn.request_raw("x/y", None, CallOptions::default(), self.now);
            assert_eq!(more, Err(SendError::TooManyCalls), "{what}");
        }
        if has.requests > 0 {
            let meta = has.meta;
            self.feed(format!("{{\"jsonrpc\":\"2.0\",\"id\":\"more\",\"method\":\"x/y\",\"params\":{{\"_meta\":{{{meta}}}}}}}\n").as_bytes());
            let told: Vec<_> = from_fn(|| self.conn.poll_event()).collect();
            assert_eq!(told, [Event::Violation(Violation::TooManyRequests)], "{what}");
        }
        // What waited for the rest of its batch leaves with it.
        self.drain();
        for id in std::mem::take(&mut self.requests) {
            let _ = self.conn.respond(&id, &CallToolResult::text(""), self.now);
        }
        let behind = pings(&self.said());
        assert_eq!(behind, self.answers, "{what}: answers that wait, beside {before} that do not");
        // Each call has a deadline of its own.
        self.conn.handle_timeout(self.now + Duration::from_secs(3600));
        let due = from_fn(|| self.conn.poll_event())
            .filter(|event| {
                matches!(event, Event::Response { outcome: Err(CallError::TimedOut(_)), .. })
            })
            .count();
        assert_eq!(due, has.calls, "{what}: deadlines");
    }
}

/// What each request of the modern era says.
const MODERN: &str = "\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\
    \"io.modelcontextprotocol/logLevel\":\"debug\",\"io.modelcontextprotocol/clientCapabilities\":{}";

impl Full<Server> {
    fn server(limits: Limits, revision: Revision) -> Self {
        let pacing = Pacing::default().burst(1).every(Duration::from_secs(3600));
        let mut config = ServerConfig::new("s", "1").limits(limits).pacing(pacing);
        config.capabilities = config.capabilities.logging();
        let mut full = Self::new(Connection::server(config), limits);
        if revision.era() == Era::Modern {
            full.fill_requests(MODERN, false);
            full.fill_input(true);
            let last = full.requests.last().cloned();
            full.fill_output(last.as_ref(), limits.max_outbox_len);
            return full;
        }
        // What the client says of itself is kept.
        let name = "n".repeat(limits.max_message_len - 200);
        full.tell(
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{{\"protocolVersion\":\
                 \"{revision}\",\"capabilities\":{{}},\"clientInfo\":{{\"name\":\"{name}\",\"version\":\"1\"}}}}}}\n"
            )
            .as_bytes(),
        );
        full.tell(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
        (full.tables.peer, full.tables.calls) = (true, limits.max_calls);
        full.fill_requests("", revision == Revision::V2025_03_26);
        full.fill_calls(limits.max_calls);
        full.fill_answers(REFUSALS);
        full.fill_input(true);
        full.fill_output(None, REFUSALS);
        full
    }

    /// Small messages as long as so many bytes of the limit are left, and a large one beyond it.
    fn fill_output(&mut self, request: Option<&RequestId>, left: usize) {
        let mut log = |text: &str| self.conn.log(request, &LogMessage::text(LogLevel::Info, text));
        // A violation may have been answered, so it is not known how much is left.
        let mut wanted = left.saturating_sub(REFUSALS);
        while wanted > 200 {
            assert_eq!(log(""), Ok(true));
            wanted -= 150;
        }
        let room = self.room();
        let mut log = |text: &str| self.conn.log(request, &LogMessage::text(LogLevel::Info, text));
        let large = (0..4).map(|n| room - (n << 9)).find(|len| log(&"l".repeat(*len)).is_ok());
        assert!(large.is_some(), "room for {room} bytes");
        let more = self.conn.log(request, &LogMessage::text(LogLevel::Info, ""));
        assert_eq!(more, Err(SendError::OutboxFull), "it is full");
    }
}

/// Room for what violations are answered with.
const REFUSALS: usize = 16 << 10;

impl Full<Client> {
    fn client(limits: Limits, revision: Revision) -> Self {
        let config = ClientConfig::new("c", "1").revisions(revision).limits(limits);
        let now = Instant::ZERO;
        let mut full = Self::new(Connection::client(config, now), limits);
        full.drain();
        let text = "n".repeat(limits.max_message_len - 300);
        let result = match revision.era() {
            Era::Legacy => format!(
                "\"protocolVersion\":\"{revision}\",\"serverInfo\":{{\"name\":\"s\",\"version\":\"1\"}}"
            ),
            Era::Modern => {
                format!("\"supportedVersions\":[\"{revision}\"],\"resultType\":\"complete\"")
            }
        };
        full.tell(
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{{result},\"capabilities\":{{}},\"instructions\":\
                 \"{text}\"}}}}\n"
            )
            .as_bytes(),
        );
        (full.tables.peer, full.tables.calls) = (true, limits.max_calls);
        // The rest fills the outbox, one of them beyond its limit.
        let rest = limits.max_calls / 8;
        let mut left = limits.max_outbox_len;
        let is_legacy = revision.era() == Era::Legacy;
        if is_legacy {
            full.fill_requests("", false);
        }
        full.fill_calls(limits.max_calls - rest);
        if is_legacy {
            left /= 2;
            full.fill_answers(left);
        }
        full.fill_input(is_legacy);
        full.fill_output(rest, left);
        full
    }

    /// So many calls: all but one within the bytes of the limit that are left, the last one far beyond it.
    fn fill_output(&mut self, calls: usize, left: usize) {
        let (now, len) = (self.now, (left / calls).saturating_sub(400));
        let call = |conn: &mut Connection<Client>, len: usize| {
            let call = CallTool::new("t").argument("a", "x".repeat(len));
            conn.request(&call, CallOptions::default(), now).map(drop)
        };
        for _ in 1..calls {
            call(&mut self.conn, len).unwrap();
        }
        let room = self.room();
        let large = (0..4).map(|n| room - (n << 9)).find(|len| call(&mut self.conn, *len).is_ok());
        assert!(large.is_some(), "room for {room} bytes");
        assert!(call(&mut self.conn, 0).is_err(), "it is full");
    }

    /// Everything that may be asked for before the server answers.
    fn opening(limits: Limits) -> Self {
        let config = ClientConfig::new("c", "1").limits(limits);
        let now = Instant::ZERO;
        let mut full = Self::new(Connection::client(config, now), limits);
        full.drain();
        let calls = limits.max_calls - 1;
        let len = (limits.max_outbox_len / calls).saturating_sub(400);
        for n in 1..calls {
            let token = format!("{n:x<width$}", width = limits.max_id_len);
            let call = CallTool::new("t").argument("a", "x".repeat(len));
            let _ticket = full
                .conn
                .request(&call, CallOptions::default().progress_token(token), now)
                .unwrap();
        }
        let mut large = limits.max_output_len - limits.max_outbox_len;
        let mut ask = |len| {
            full.conn.request(
                &CallTool::new("t").argument("a", "x".repeat(len)),
                CallOptions::default(),
                now,
            )
        };
        while ask(large).is_err() {
            large -= 1 << 10;
        }
        full
    }
}

/// What is live of `make` compared with the bound; which part of it that is.
#[track_caller]
fn check<R: Role>(what: &str, limits: Limits, make: impl FnOnce() -> Full<R>) -> (f64, Full<R>) {
    let bound = limits.memory_bound::<R>();
    let mut full = None;
    let counted = measure(|| full = Some(make()));
    let live = usize::try_from(counted.bytes_current).unwrap();
    let peak = usize::try_from(counted.bytes_max).unwrap();
    println!("{what}: {live} of {bound} bytes live, {peak} at the peak with the test's own");
    assert!(live <= bound, "{what}: {live} bytes are live, {bound} were promised");
    // What the test itself makes for the engine to read: a line and its parts. A buffer that grows is there
    // twice for a moment.
    let own = 3 * (limits.max_message_len + READ) + limits.max_output_len;
    assert!(peak <= bound + own, "{what}: {peak} bytes at the peak, {bound} were promised");
    (live as f64 / bound as f64, full.expect("made"))
}

#[test]
fn every_table_at_its_limit_at_once_is_within_the_bound_and_the_bound_is_near() {
    let mut least: f64 = 1.0;
    for (what, limits) in [("small", small()), ("default", Limits::default())] {
        for revision in [Revision::LATEST_LEGACY, Revision::LATEST, Revision::V2025_03_26] {
            let what = format!("server, {what}, {revision}");
            let (part, full) = check(&what, limits, || Full::server(limits, revision));
            full.check_tables(&what);
            least = least.min(part);
        }
    }
    for (what, limits) in [("small", small()), ("default", client_limits())] {
        for revision in [Revision::LATEST_LEGACY, Revision::LATEST] {
            let what = format!("client, {what}, {revision}");
            let (part, full) = check(&what, limits, || Full::client(limits, revision));
            full.check_tables(&what);
            // In the modern era a client is asked nothing, so it has less.
            least = least.min(if revision.era() == Era::Legacy { part } else { 1.0 });
        }
        // Before it is ready it has less.
        check(&format!("client, {what}, opening"), limits, || Full::opening(limits));
    }
    assert!(least > 0.38, "only {least} of the bound is reached");
}

/// A server refuses the handshake at length while all calls wait for it: each ends with a copy of why.
#[test]
fn a_long_refusal_is_not_kept_once_for_each_call() {
    for limits in [small(), client_limits()] {
        check("client, refused", limits, || {
            let mut full = Full::opening(limits);
            let text = "r".repeat(limits.max_message_len - 200);
            full.feed(format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{{\"code\":-32021,\"message\":\"{text}\",\"data\":{{\"requiredCapabilities\":{{}}}}}}}}\n").as_bytes());
            full.conn.handle_timeout(full.now);
            assert!(full.conn.is_closed());
            full
        });
    }
}

/// What a client says of itself is no text: a server says so, and does not give back all of it in doing so.
#[test]
fn what_is_not_understood_is_not_repeated_at_length() {
    let mut limits = small();
    (limits.max_message_len, limits.max_output_len) = (4 << 20, 64 << 10);
    limits.max_outbox_len = 16 << 10;
    (limits.max_calls, limits.max_requests, limits.max_events) = (1, 1, 1);
    (limits.max_batch_len, limits.max_milestones, limits.max_id_len) = (1, 1, 64);
    check("server, misled", limits, || {
        let config = ServerConfig::new("s", "1").limits(limits);
        let mut full = Full::new(Connection::server(config), limits);
        // A character that takes three times as much if it is written as it would be in a program.
        let text = "\u{301}".repeat(limits.max_message_len / 2 - 200);
        full.feed(
            format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{{\"protocolVersion\":\
                 \"2025-11-25\",\"capabilities\":\"{text}\",\"clientInfo\":{{\"name\":\"c\",\"version\":\"1\"}}}}}}\n"
            )
            .as_bytes(),
        );
        while full.conn.poll_event().is_some() {}
        let waiting = full.conn.poll_transmit().map_or(0, <[u8]>::len);
        assert!(
            (1..2_000).contains(&waiting),
            "{waiting} bytes to a client that is not understood"
        );
        full
    });
}

/// A peer that is heard late says in two bytes what takes an event of two hundred.
#[test]
fn a_flood_of_tiny_lines_waits_as_bytes_and_not_as_events() {
    for limits in [small(), Limits::default()] {
        let (mut events, mut full) = (0, None);
        check("server, flooded", limits, || {
            let config = ServerConfig::new("s", "1").limits(limits);
            let mut flooded = Full::new(Connection::server(config), limits);
            flooded.feed("0\n".repeat(limits.max_message_len / 2).as_bytes());
            flooded.conn.handle_timeout(flooded.now);
            flooded.conn.handle_timeout(flooded.now);
            full = Some(flooded.conn.clone());
            flooded
        });
        let mut conn = full.unwrap();
        conn.handle_transport_error(Instant::ZERO);
        while let Some(event) = conn.poll_event() {
            match event {
                // Those that came too fast to be told are counted.
                Event::Violation(Violation::More(count)) => events += count as usize,
                Event::Violation(_) => events += 1,
                event => assert!(matches!(event, Event::Closed(_)), "{event:?}"),
            }
        }
        assert_eq!(
            events,
            limits.max_message_len / 2,
            "each is told or counted, and only then the end"
        );
    }
}

#[test]
fn the_documentation_names_the_defaults() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/memory.md")).unwrap();
    let server = (222, "server", Limits::default().memory_bound::<Server>());
    let client = (294, "client", client_limits().memory_bound::<Client>());
    for (mebibytes, role, bound) in [server, client] {
        assert!(text.contains(&format!("| {role} | {mebibytes} MiB |")), "docs/memory.md");
        let said = mebibytes << 20;
        assert!(bound <= said && bound > said / 10 * 9, "{role}: {bound} bytes");
    }
}
