//! What the tests in `tests/tests` share: one engine fed by hand.

pub mod bad_input;
pub mod form;
pub mod hostile;
pub mod http_hand;
pub mod http_world;
pub mod model;
pub mod named;
pub mod promises;
pub mod shelf;
pub mod shown;
pub mod simulation;
pub mod web;

use std::time::Duration;

use mcp_proto::Notification;
use mcp_proto::role::{Client, Role, Server};
use mcp_proto::testing::{Pair, take_output};
use mcp_proto::{
    CallOptions, CallTool, ClientConfig, Connection, Event, Instant, RequestId, Revision,
    ServerConfig, Violation,
};

/// One end of a conversation whose other end is the test.
#[derive(Clone, Debug)]
pub struct Hand<R> {
    conn: Connection<R>,
    now: Instant,
    told: Vec<Event>,
}

/// A notification that applications send.
#[derive(Debug, serde::Serialize)]
#[allow(clippy::exhaustive_structs)]
pub struct RootsChanged {}

impl Notification for RootsChanged {
    const METHOD: &'static str = "notifications/roots/list_changed";
    type Sender = Client;
}

/// Time from the start.
pub fn at(time: Duration) -> Instant {
    Instant::from(time)
}

/// So many seconds.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// So many milliseconds.
pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// `initialize` with id 0, and what follows its answer.
pub fn handshake(revision: Revision) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{{\"protocolVersion\":\"{revision}\",\
         \"capabilities\":{{}},\"clientInfo\":{{\"name\":\"c\",\"version\":\"1\"}}}}}}\n\
         {{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}}\n"
    )
}

/// The answer to `initialize` with id 1.
pub fn welcome(revision: Revision) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{{\"protocolVersion\":\"{revision}\",\"capabilities\":{{}},\
         \"serverInfo\":{{\"name\":\"s\",\"version\":\"1\"}}}}}}\n"
    )
}

/// A progress notification; `token` and `value` as JSON.
pub fn progress(token: &str, value: &str) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":{token},\
         \"progress\":{value}}}}}\n"
    )
}

/// A result with one text; `id` as JSON.
pub fn result(id: impl std::fmt::Display) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":\"done\"}}]}}}}\n"
    )
}

/// A call of the tool `work`; `id` as JSON, `token` as JSON if progress is asked for.
pub fn tool_call(id: &str, token: Option<&str>) -> String {
    let meta =
        token.map(|token| format!(",\"_meta\":{{\"progressToken\":{token}}}")).unwrap_or_default();
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"work\"{meta}}}}}\n"
    )
}

/// The call of ours that a test waits for.
pub fn work() -> CallTool {
    CallTool::new("work")
}

/// The id at the server of a request that asked for progress. The pair is run until it has arrived.
pub fn working(pair: &mut Pair) -> RequestId {
    let options = CallOptions::default().tracked();
    let _ticket = pair.client.request(&work(), options, pair.now).expect("room");
    loop {
        pair.settle();
        let is_request = |event: &Event| matches!(event, Event::Request { .. });
        if let Some(at) = pair.server_events.iter().position(is_request)
            && let Event::Request { id, .. } = pair.server_events.remove(at)
        {
            return id;
        }
        assert!(pair.jump(), "no request came: {}", pair.net);
    }
}

/// The values of the progress events of a call.
pub fn values(events: &[Event]) -> Vec<f64> {
    let value = |event: &Event| match event {
        Event::Progress { progress, .. } => Some(progress.progress),
        _ => None,
    };
    events.iter().filter_map(value).collect()
}

/// The violations among events.
pub fn violations(events: &[Event]) -> Vec<&Violation> {
    fn violation(event: &Event) -> Option<&Violation> {
        match event {
            Event::Violation(violation) => Some(violation),
            _ => None,
        }
    }
    events.iter().filter_map(violation).collect()
}

/// Which calls ended, in order, and whether with a result.
pub fn endings(events: &[Event]) -> Vec<(RequestId, bool)> {
    let ending = |event: &Event| match event {
        Event::Response { id, outcome } => Some((id.clone(), outcome.is_ok())),
        _ => None,
    };
    events.iter().filter_map(ending).collect()
}

impl Hand<Client> {
    /// A client in a legacy session; the ids 1 and up to 1 are used.
    pub fn client() -> Self {
        Self::client_at(Revision::V2025_11_25)
    }

    /// A client in a legacy session of this revision.
    pub fn client_at(revision: Revision) -> Self {
        let mut hand = Self::client_with(ClientConfig::new("c", "1").revisions(revision));
        hand.feed(welcome(revision));
        hand.said();
        hand.told();
        hand
    }

    /// A client that has not spoken yet.
    pub fn client_with(config: ClientConfig) -> Self {
        Self {
            conn: Connection::client(config, Instant::ZERO),
            now: Instant::ZERO,
            told: Vec::new(),
        }
    }

    /// Calls the tool `work`; its request has left.
    pub fn call(&mut self, options: CallOptions) -> RequestId {
        let ticket = self.conn.request(&work(), options, self.now).unwrap();
        self.said();
        ticket.id().clone()
    }

    /// Calls the tool `work`, and gives back the request as it was written.
    pub fn call_line(&mut self, options: CallOptions) -> String {
        let _ticket = self.conn.request(&work(), options, self.now).unwrap();
        self.said().pop().unwrap()
    }
}

impl Hand<Server> {
    /// A server in a legacy session.
    pub fn server() -> Self {
        Self::server_with(ServerConfig::new("s", "1"))
    }

    /// A server in a legacy session with this configuration.
    pub fn server_with(config: ServerConfig) -> Self {
        Self::server_at(config, Revision::V2025_11_25)
    }

    /// A server in a legacy session of this revision.
    pub fn server_at(config: ServerConfig, revision: Revision) -> Self {
        let mut hand = Self::silent_server(config);
        hand.feed(handshake(revision));
        hand.said();
        hand.told();
        hand
    }

    /// A server that has heard nothing yet.
    pub fn silent_server(config: ServerConfig) -> Self {
        Self { conn: Connection::server(config), now: Instant::ZERO, told: Vec::new() }
    }

    /// Feeds a request and gives back its id as the server knows it.
    pub fn accept(&mut self, request: &str) -> RequestId {
        self.feed(request);
        let told = self.told();
        let id = told.iter().find_map(|event| match event {
            Event::Request { id, .. } => Some(id.clone()),
            _ => None,
        });
        id.unwrap_or_else(|| panic!("{request} was not accepted: {told:?}"))
    }
}

impl<R: Role> Hand<R> {
    /// The engine.
    pub fn conn(&mut self) -> &mut Connection<R> {
        &mut self.conn
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The engine reads this.
    pub fn feed(&mut self, bytes: impl AsRef<[u8]>) {
        self.conn.handle_input(bytes.as_ref(), self.now);
    }

    /// The other end has ended its stream.
    pub fn eof(&mut self) {
        self.conn.handle_eof(self.now);
    }

    /// Time passes; deadlines on the way pass at their own moments.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.conn.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.conn.handle_timeout(self.now);
        }
        self.now = until;
    }

    /// What the engine has said since, message by message. It first reads what it was fed.
    pub fn said(&mut self) -> Vec<String> {
        self.pull();
        let said = take_output(&mut self.conn);
        self.pull();
        String::from_utf8(said).unwrap().lines().map(str::to_owned).collect()
    }

    /// What the engine has told its caller since. Nothing that it says is taken from it.
    pub fn told(&mut self) -> Vec<Event> {
        self.pull();
        std::mem::take(&mut self.told)
    }

    fn pull(&mut self) {
        self.told.extend(std::iter::from_fn(|| self.conn.poll_event()));
    }
}

/// The snippets of the README and of `docs/` compile, and those that claim something are run.
#[cfg(doctest)]
mod prose {
    #[doc = include_str!("../../README.md")]
    struct Readme;
    #[doc = include_str!("../../docs/http.md")]
    struct Http;
    #[doc = include_str!("../../docs/progress.md")]
    struct Progress;
    #[doc = include_str!("../../docs/fuzzing.md")]
    struct Fuzzing;
    #[doc = include_str!("../../docs/recordings.md")]
    struct Recordings;
    #[doc = include_str!("../../docs/snapshot.md")]
    struct Snapshot;
}
