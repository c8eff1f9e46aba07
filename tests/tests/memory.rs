//! `Limits::memory_bound`: every table of one connection is driven to its limit at once, and what the
//! allocator was asked for is compared with what was promised.
//!
//! A program of its own, because the counting allocator is that of the whole program.

use std::time::Duration;

use allocation_counter::measure;
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::role::{Client, Role, Server};
use mcp_proto::{
    CallOptions, CallTool, ClientConfig, Connection, Era, Event, Instant, Limits, LogLevel,
    LogMessage, Progress, RequestId, Revision, ServerConfig, Violation,
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
}

impl<R: Role> Full<R> {
    fn new(conn: Connection<R>, limits: Limits) -> Self {
        Self { conn, now: Instant::ZERO, limits, held: 0 }
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

    /// Requests of the peer, as many as may be in flight, each with an id, a token and reports as long and as
    /// many as may be. With `batched` each comes in a batch of its own, among as many others as may be that are
    /// answered at once, until their answers take half of the room.
    fn fill_requests(&mut self, meta: &str, batched: bool) {
        let mut pings = 0;
        let text = "m".repeat((64 << 10) / self.limits.max_milestones);
        for n in 0..self.limits.max_requests {
            let name = |what| format!("{what}{n:x<width$}", width = self.limits.max_id_len - 1);
            let (id, token) = (name('i'), name('t'));
            let mut line = format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":\"{id}\",\"method\":\"x/y\",\
                 \"params\":{{\"_meta\":{{\"progressToken\":\"{token}\"{meta}}}}}}}"
            );
            if batched {
                for _ in 1..self.limits.max_batch_len {
                    let answer = format!("{{\"jsonrpc\":\"2.0\",\"id\":{pings},\"result\":{{}}}},");
                    if self.held + answer.len() < self.limits.max_outbox_len / 2 {
                        let ping = "\"method\":\"ping\"";
                        line += &format!(",{{\"jsonrpc\":\"2.0\",\"id\":{pings},{ping}}}");
                        self.held += answer.len();
                        pings += 1;
                    }
                }
                line = format!("[{line}]");
            }
            self.tell(format!("{line}\n").as_bytes());
            let id = RequestId::from(id);
            for step in 0..=self.limits.max_milestones {
                let report = Progress::new(step as f64).message(text.clone());
                self.conn.report(&id, report, Weight::Milestone, self.now).unwrap();
            }
            let last = Progress::new(1e6).message("o".repeat(20 << 10));
            self.conn.report(&id, last, Weight::Ordinary, self.now).unwrap();
            self.drain();
        }
        assert_eq!(self.conn.requests_in_flight(), self.limits.max_requests);
        assert!(!batched || pings > 50, "too few answers wait in batches: {pings}");
    }

    /// So many calls of ours, each with a token of the caller's own and a deadline.
    fn fill_calls(&mut self, count: usize) {
        for n in 0..count {
            let token = format!("{n:x<width$}", width = self.limits.max_id_len);
            let options = CallOptions::default().progress_token(token);
            self.conn.request_raw("x/y", None, options, self.now).unwrap();
            self.drain();
        }
    }

    /// Lines that are nothing but violations: as many events as may wait, and a buffer full of more.
    fn fill_input(&mut self) {
        let line = "\u{1}".repeat(79) + "\n";
        let flood = line.repeat(self.limits.max_message_len / line.len() + 1);
        self.feed(&flood.as_bytes()[..self.limits.max_message_len]);
        self.feed(&vec![b'1'; READ]);
        assert!(!self.conn.wants_input());
        self.conn.handle_timeout(self.now);
    }
}

impl Full<Server> {
    fn server(limits: Limits, revision: Revision) -> Self {
        let pacing = Pacing::default().burst(1).every(Duration::from_secs(3600));
        let mut config = ServerConfig::new("s", "1").limits(limits).pacing(pacing);
        config.capabilities = config.capabilities.logging();
        let mut full = Self::new(Connection::server(config), limits);
        if revision.era() == Era::Modern {
            full.fill_requests(
                ",\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\
                 \"io.modelcontextprotocol/logLevel\":\"debug\",\
                 \"io.modelcontextprotocol/clientCapabilities\":{}",
                false,
            );
            full.fill_input();
            full.fill_output(Some(&RequestId::from(format!(
                "i{:x<width$}",
                0,
                width = limits.max_id_len - 1
            ))));
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
        full.fill_requests("", revision == Revision::V2025_03_26);
        full.fill_calls(limits.max_calls);
        full.fill_input();
        full.fill_output(None);
        full
    }

    /// Many small messages, and a large one beyond the limit.
    fn fill_output(&mut self, request: Option<&RequestId>) {
        let mut log = |text: &str| {
            let log = LogMessage::text(LogLevel::Info, text);
            self.conn.log(request, &log)
        };
        let mut queued = self.held;
        while queued + 200 < self.limits.max_outbox_len {
            assert_eq!(log(""), Ok(true));
            queued += 150;
        }
        let mut large = self.limits.max_output_len - self.limits.max_outbox_len;
        while log(&"l".repeat(large)).is_err() {
            large -= 1 << 10;
        }
        assert!(log("").is_err(), "it is full");
    }
}

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
        assert!(full.conn.peer().is_some());
        if revision.era() == Era::Legacy {
            full.fill_requests("", false);
        }
        // The rest fills the outbox, one of them beyond its limit.
        let rest = limits.max_calls / 8;
        full.fill_calls(limits.max_calls - rest);
        full.fill_input();
        full.fill_output(rest);
        full
    }

    fn fill_output(&mut self, calls: usize) {
        let (now, len) = (self.now, self.limits.max_outbox_len / calls - 400);
        let mut call = |len: usize| {
            let call = CallTool::new("t").argument("a", "x".repeat(len));
            self.conn.request(&call, CallOptions::default(), now).map(drop)
        };
        for _ in 1..calls {
            call(len).unwrap();
        }
        let mut large = self.limits.max_output_len - self.limits.max_outbox_len;
        while call(large).is_err() {
            large -= 1 << 10;
        }
        assert!(call(0).is_err(), "it is full");
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
fn check<R: Role>(what: &str, limits: Limits, make: impl FnOnce() -> Full<R>) -> f64 {
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
    drop(full);
    live as f64 / bound as f64
}

#[test]
fn every_table_at_its_limit_at_once_is_within_the_bound_and_the_bound_is_near() {
    let mut least: f64 = 1.0;
    for (what, limits) in [("small", small()), ("default", Limits::default())] {
        for revision in [Revision::LATEST_LEGACY, Revision::LATEST, Revision::V2025_03_26] {
            let make = || Full::server(limits, revision);
            least = least.min(check(&format!("server, {what}, {revision}"), limits, make));
        }
    }
    for (what, limits) in [("small", small()), ("default", client_limits())] {
        let make = || Full::client(limits, Revision::LATEST_LEGACY);
        least = least.min(check(&format!("client, {what}, legacy"), limits, make));
        // In the modern era a client is asked nothing, and before it is ready it has less.
        check(&format!("client, {what}, modern"), limits, || {
            Full::client(limits, Revision::LATEST)
        });
        check(&format!("client, {what}, opening"), limits, || Full::opening(limits));
    }
    assert!(least > 0.29, "only {least} of the bound is reached");
}

/// A server refuses the handshake at length while all calls wait for it: each ends with a copy of why.
#[test]
fn a_long_refusal_is_not_kept_once_for_each_call() {
    for limits in [small(), client_limits()] {
        check("client, refused", limits, || {
            let mut full = Full::opening(limits);
            let text = "r".repeat(limits.max_message_len - 200);
            full.feed(format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{{\"code\":-32021,\"message\":\"{text}\"}}}}\n").as_bytes());
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
