//! Any heads, pieces and cuts in answer to what a client over HTTP asks.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use http::{HeaderMap, HeaderValue, Response, Uri};
use mcp_proto::http::{Client, ClientOptions, Exchange, Transmit};
use mcp_proto::testing::check_text;
use mcp_proto::{
    CallOptions, CallTool, ClientConfig, Event, Instant, ListTools, RequestId, Revision,
    RevisionSet, Tolerance,
};
use serde_json::json;

/// What happens, one thing after the other.
#[derive(Arbitrary, Debug)]
struct Schedule {
    /// A bit for each revision; of the others, what else differs.
    revisions: u8,
    /// The handshake goes well, so that what follows has something to follow.
    is_welcome: bool,
    steps: Vec<Step>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    Call,
    List,
    Cancel(u8),
    Respond(u8),
    Head(u8, Head),
    Body(u8, Piece),
    End(u8),
    Fail(u8),
    /// The answer to a call, head, body and end.
    Answer(u8, Head, Message),
    Pass(u16),
    Close,
}

#[derive(Arbitrary, Debug)]
struct Head {
    status: Status,
    kind: Kind,
    session: Option<Session>,
    is_compressed: bool,
}

#[derive(Arbitrary, Debug)]
enum Status {
    Ok,
    Accepted,
    NotFound,
    Unavailable,
    Any(u16),
}

#[derive(Arbitrary, Debug)]
enum Kind {
    Json,
    Events,
    Text,
    None,
    Any(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Session {
    Good(u8),
    Any(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Piece {
    Event {
        id: Option<u8>,
        retry: Option<u16>,
        is_address: bool,
        message: Message,
    },
    Message(Message),
    /// Of an event, so much; the rest is lost.
    Half(Message, u8),
    Raw(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
enum Message {
    /// For the call that the exchange belongs to, or another one.
    Result(Option<u8>),
    Error(Option<u8>, i16),
    Report(Option<u8>, u8),
    Anonymous(i16),
    Welcome(u8),
    Tools(u8),
    Request(u8),
    Notification,
    Batch(Vec<Self>),
    Raw(Vec<u8>),
}

/// The client and what was seen of it.
struct World {
    client: Client,
    now: Instant,
    /// Open exchanges and the id in their bodies.
    open: BTreeMap<Exchange, Option<i64>>,
    known: BTreeSet<Exchange>,
    calls: Vec<RequestId>,
    /// Tools that were called.
    tools: usize,
    ended: BTreeSet<RequestId>,
    reports: BTreeMap<RequestId, f64>,
    requests: Vec<RequestId>,
    is_closed: bool,
}

/// Bits beyond those of the revisions.
const DEAF: u8 = 1 << 5;
const SPREAD: u8 = 1 << 6;
const HASTY: u8 = 1 << 7;

const MAX_EXCHANGES: usize = 8;
const MAX_LEN: usize = 1 << 10;

/// Bytes that `arbitrary` reads as a schedule.
pub fn http_client(input: &[u8]) {
    let Ok(schedule) = Schedule::arbitrary(&mut Unstructured::new(input)) else { return };
    played(schedule).end();
}

fn played(schedule: Schedule) -> World {
    let mut world = World::new(schedule.revisions);
    if schedule.is_welcome {
        world.welcome();
    }
    for step in schedule.steps {
        world.step(step);
    }
    world
}

impl World {
    fn new(revisions: u8) -> Self {
        let now = Instant::ZERO + Duration::from_secs(1);
        let chosen =
            Revision::ALL.into_iter().enumerate().filter(|(at, _)| revisions & (1 << at) != 0);
        let chosen = chosen.map(|(_, revision)| revision).fold(
            None,
            |set: Option<RevisionSet>, revision| {
                Some(set.map_or_else(|| RevisionSet::only(revision), |set| set.with(revision)))
            },
        );
        let mut config = ClientConfig::new("c", "1").revisions(chosen.unwrap_or(RevisionSet::ALL));
        config.limits.max_message_len = MAX_LEN;
        config.limits.max_events = 16;
        let mut options = ClientOptions::default();
        options.max_exchanges = MAX_EXCHANGES;
        options.max_error_len = MAX_LEN;
        options.max_buffered_len = 2 * MAX_LEN;
        options.max_tools = 2;
        if revisions & DEAF != 0 {
            options = options.deaf();
        }
        if revisions & SPREAD != 0 {
            options.spread = Some(revisions.into());
            let value = HeaderValue::from_static("Bearer secret");
            options = options.header(http::header::AUTHORIZATION, value);
        }
        if revisions & HASTY != 0 {
            options.max_tries = 1;
            config = config
                .tolerance(Tolerance::Strict)
                .probe_timeout(Duration::from_secs(1))
                .handshake_timeout(Duration::from_secs(2));
        }
        let uri = Uri::from_static("https://a.example/x/mcp");
        let mut world = Self {
            client: Client::new(config, uri, options, now),
            now,
            open: BTreeMap::new(),
            known: BTreeSet::new(),
            calls: Vec::new(),
            tools: 0,
            ended: BTreeSet::new(),
            reports: BTreeMap::new(),
            requests: Vec::new(),
            is_closed: false,
        };
        world.poll();
        world
    }

    fn welcome(&mut self) {
        for _ in 0..4 {
            let Some((exchange, id)) = self.open.first_key_value().map(|(at, id)| (*at, *id))
            else {
                return;
            };
            match id {
                Some(_) => {
                    let session = Some(Session::Good(1));
                    let head = Head {
                        status: Status::Ok,
                        kind: Kind::Json,
                        session,
                        is_compressed: false,
                    };
                    self.answer(exchange, &head, &Message::Welcome(3));
                }
                None => {
                    let head = Head {
                        status: Status::Accepted,
                        kind: Kind::None,
                        session: None,
                        is_compressed: false,
                    };
                    self.head(exchange, &head);
                    self.end_of(exchange, true);
                }
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Call => {
                let arguments = json!({"a": "\u{e9}", "b": 7, "c": true});
                let call = CallTool::new(format!("t{}", self.tools % 4))
                    .arguments(&arguments)
                    .expect("JSON");
                self.tools += 1;
                if let Ok(ticket) =
                    self.client.request(&call, CallOptions::default().tracked(), self.now)
                {
                    self.calls.push(ticket.id().clone());
                }
            }
            Step::List => {
                if let Ok(ticket) =
                    self.client.request(&ListTools::default(), CallOptions::default(), self.now)
                {
                    self.calls.push(ticket.id().clone());
                }
            }
            Step::Cancel(at) => {
                if let Some(id) = pick(&self.calls, at).cloned() {
                    self.client.cancel(&id, None, self.now);
                }
            }
            Step::Respond(at) => {
                if let Some(id) = pick(&self.requests, at).cloned() {
                    let _ = self.client.respond(
                        &id,
                        &mcp_proto::json::RawJson::empty_object(),
                        self.now,
                    );
                }
            }
            Step::Head(at, head) => {
                if let Some(exchange) = self.exchange(at) {
                    self.head(exchange, &head);
                }
            }
            Step::Body(at, piece) => {
                if let Some(exchange) = self.exchange(at) {
                    let bytes = self.bytes(exchange, &piece);
                    self.client.handle_body(exchange, &bytes, self.now);
                }
            }
            Step::End(at) => {
                if let Some(exchange) = self.exchange(at) {
                    self.end_of(exchange, true);
                }
            }
            Step::Fail(at) => {
                if let Some(exchange) = self.exchange(at) {
                    self.end_of(exchange, false);
                }
            }
            Step::Answer(at, head, message) => {
                if let Some(exchange) = self.exchange(at) {
                    self.answer(exchange, &head, &message);
                }
            }
            Step::Pass(millis) => self.pass(Duration::from_millis(u64::from(millis) * 8)),
            Step::Close => self.client.close(self.now),
        }
        self.poll();
    }

    fn head(&mut self, exchange: Exchange, head: &Head) {
        let (parts, ()) = response(head).into_parts();
        self.client.handle_head(exchange, &parts, self.now);
        self.poll();
    }

    fn end_of(&mut self, exchange: Exchange, is_complete: bool) {
        self.open.remove(&exchange);
        match is_complete {
            true => self.client.handle_end(exchange, self.now),
            false => self.client.handle_failure(exchange, self.now),
        }
        self.poll();
    }

    fn answer(&mut self, exchange: Exchange, head: &Head, message: &Message) {
        let body = self.text(exchange, message);
        self.head(exchange, head);
        self.client.handle_body(exchange, &body, self.now);
        self.poll();
        if self.open.contains_key(&exchange) {
            self.end_of(exchange, true);
        }
    }

    /// Mostly one that is open, sometimes one that never was.
    fn exchange(&self, at: u8) -> Option<Exchange> {
        let open: Vec<_> = self.open.keys().copied().collect();
        pick(&open, at).copied().or_else(|| self.known.last().copied())
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        let mut wakes = 0;
        while let Some(at) = self.client.poll_timeout().filter(|at| *at <= until) {
            wakes = if at <= self.now { wakes + 1 } else { 0 };
            assert!(wakes < 1_000, "it wants to be woken at once, for ever");
            self.now = self.now.max(at);
            self.client.handle_timeout(self.now);
            self.poll();
        }
        self.now = until;
    }

    fn poll(&mut self) {
        loop {
            while let Some(event) = self.client.poll_event() {
                self.note(event);
            }
            let Some(transmit) = self.client.poll_transmit() else { break };
            match transmit {
                Transmit::Open { exchange, request } => {
                    assert!(self.known.insert(exchange), "a name is used twice");
                    let target = request.uri();
                    assert_eq!(
                        (target.scheme_str(), target.host()),
                        (Some("https"), Some("a.example"))
                    );
                    for (name, value) in request.headers() {
                        assert!(
                            !value.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)),
                            "{name}"
                        );
                    }
                    self.open.insert(exchange, id_of(request.body()));
                    assert!(self.open.len() <= 2 * MAX_EXCHANGES, "too many exchanges");
                }
                Transmit::Abort(exchange) => {
                    assert!(self.known.contains(&exchange), "what was never opened is aborted");
                    assert!(self.open.remove(&exchange).is_some(), "what is over is aborted");
                }
            }
        }
        assert!(!self.client.has_event());
    }

    fn note(&mut self, event: Event) {
        assert!(!self.is_closed, "an event behind the end");
        check_text(&event);
        match event {
            Event::Response { id, .. } => {
                assert!(self.calls.contains(&id), "a call that never was has ended");
                assert!(self.ended.insert(id), "a call has ended twice");
            }
            Event::Progress { id, progress } => {
                assert!(!self.ended.contains(&id), "progress behind the end");
                let before = self.reports.insert(id, progress.progress);
                assert!(before.is_none_or(|before| before < progress.progress), "out of order");
            }
            Event::Request { id, .. } => self.requests.push(id),
            Event::Closed(_) => {
                self.is_closed = true;
                let all = self.calls.iter().all(|id| self.ended.contains(id));
                assert!(all, "a call outlives the conversation");
            }
            _ => {}
        }
    }

    /// The faults stop: everything must come to its end.
    fn end(&mut self) {
        self.pass(Duration::from_secs(30));
        self.client.close(self.now);
        self.poll();
        for _ in 0..10_000 {
            let Some(exchange) = self.open.keys().next().copied() else { break };
            self.end_of(exchange, false);
        }
        assert!(self.is_closed && self.client.is_finished(), "{:?}", self.client);
        assert_eq!((self.client.calls_in_flight(), self.ended.len()), (0, self.calls.len()));
        assert_eq!(self.client.poll_timeout(), None);
    }

    fn bytes(&self, exchange: Exchange, piece: &Piece) -> Vec<u8> {
        match piece {
            Piece::Event { id, retry, is_address, message } => {
                let mut event = Vec::new();
                if *is_address {
                    event.extend_from_slice(b"event: endpoint\n");
                }
                if let Some(id) = id {
                    event.extend_from_slice(format!("id: {id}\n").as_bytes());
                }
                if let Some(retry) = retry {
                    event.extend_from_slice(format!("retry: {retry}\n").as_bytes());
                }
                event.extend_from_slice(b"data: ");
                event.extend_from_slice(&self.text(exchange, message));
                event.extend_from_slice(b"\n\n");
                event
            }
            Piece::Message(message) => self.text(exchange, message),
            Piece::Half(message, length) => {
                let text = self.text(exchange, message);
                [b"data: ", text.get(..usize::from(*length)).unwrap_or(&text)].concat()
            }
            Piece::Raw(bytes) => bytes.clone(),
        }
    }

    fn text(&self, exchange: Exchange, message: &Message) -> Vec<u8> {
        let own = self.open.get(&exchange).copied().flatten().unwrap_or(1);
        let id = |at: &Option<u8>| at.map_or(own, i64::from);
        match message {
            Message::Result(at) => format!(r#"{{"jsonrpc":"2.0","id":{},"result":{{}}}}"#, id(at)),
            Message::Error(at, code) => {
                let others = if code % 2 == 0 { "" } else { r#","2025-11-25""# };
                format!(
                    r#"{{"jsonrpc":"2.0","id":{},"error":{{"code":{code},"message":"m","data":{{"supported":["2026-07-28"{others}]}}}}}}"#,
                    id(at)
                )
            }
            Message::Report(at, progress) => format!(
                r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{},"progress":{progress}}}}}"#,
                id(at)
            ),
            Message::Anonymous(code) => format!(r#"{{"jsonrpc":"2.0","error":{{"code":{code},"message":"m"}}}}"#),
            Message::Welcome(at) => {
                let version = Revision::ALL[usize::from(*at) % 4];
                format!(
                    r#"{{"jsonrpc":"2.0","id":{own},"result":{{"protocolVersion":"{version}","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"s","version":"1"}},"supportedVersions":["2026-07-28"]}}}}"#
                )
            }
            Message::Tools(kind) => {
                let property = match kind % 4 {
                    0 => r#""a":{"type":"string","x-mcp-header":"A"}"#,
                    1 => r#""b":{"type":"integer","x-mcp-header":"B"},"c":{"type":"boolean","x-mcp-header":"C"}"#,
                    2 => r#""a":{"type":"string","x-mcp-header":"a b"}"#,
                    _ => r#""a":{"type":"string"}"#,
                };
                let (name, next) = (kind % 4, if *kind < 128 { "" } else { r#","nextCursor":"n""# });
                format!(
                    r#"{{"jsonrpc":"2.0","id":{own},"result":{{"resultType":"complete","tools":[{{"name":"t{name}","inputSchema":{{"properties":{{{property}}}}}}}]{next}}}}}"#
                )
            }
            Message::Request(id) => {
                let method = if id % 2 == 0 { "ping" } else { "roots/list" };
                format!(r#"{{"jsonrpc":"2.0","id":"s{id}","method":"{method}"}}"#)
            }
            Message::Notification => r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#.into(),
            Message::Batch(messages) => {
                let members: Vec<_> = messages.iter().map(|message| self.text(exchange, message)).collect();
                return [b"[".as_slice(), &members.join(&b','), b"]"].concat();
            }
            Message::Raw(bytes) => return bytes.clone(),
        }
        .into_bytes()
    }
}

fn pick<T>(items: &[T], at: u8) -> Option<&T> {
    items.get(usize::from(at).checked_rem(items.len())?)
}

fn response(head: &Head) -> Response<()> {
    let mut response = Response::new(());
    let status = match head.status {
        Status::Ok => 200,
        Status::Accepted => 202,
        Status::NotFound => 404,
        Status::Unavailable => 503,
        Status::Any(status) => 100 + status % 900,
    };
    *response.status_mut() = status.try_into().expect("a status");
    let headers: &mut HeaderMap = response.headers_mut();
    let kind = match &head.kind {
        Kind::Json => Ok(HeaderValue::from_static("application/json")),
        Kind::Events => Ok(HeaderValue::from_static("text/event-stream")),
        Kind::Text => Ok(HeaderValue::from_static("text/plain")),
        Kind::None => HeaderValue::from_bytes(b"\0"),
        Kind::Any(bytes) => HeaderValue::from_bytes(bytes),
    };
    if let Ok(kind) = kind {
        headers.insert("content-type", kind);
    }
    let session = match &head.session {
        None => return response,
        Some(Session::Good(n)) => HeaderValue::from_str(&format!("s{n}")).ok(),
        Some(Session::Any(bytes)) => HeaderValue::from_bytes(bytes).ok(),
    };
    if let Some(session) = session {
        headers.insert("mcp-session-id", session);
    }
    if head.is_compressed {
        headers.insert("content-encoding", HeaderValue::from_static("gzip"));
    }
    response
}

/// The id of a request; none of what has no answer.
fn id_of(body: &[u8]) -> Option<i64> {
    let message: serde_json::Value = serde_json::from_slice(body).ok()?;
    message.get("method")?;
    message.get("id")?.as_i64()
}

/// `fuzz/seeds` writes them as `arbitrary` reads them.
#[test]
fn the_sessions_among_the_seeds_are_what_they_are_called() {
    let seed = |name: &str| {
        let path = format!("{}/corpus/http_client/{name}", env!("CARGO_MANIFEST_DIR"));
        let seed = std::fs::read(path).expect("a seed");
        let schedule = Schedule::arbitrary(&mut Unstructured::new(&seed)).expect("a schedule");
        played(schedule)
    };
    for name in ["call-1", "call-3", "resumption-1", "resumption-3", "modern"] {
        let world = seed(name);
        assert_eq!((world.calls.len(), world.ended.len()), (1, 1), "{name}");
        assert!(!world.reports.is_empty(), "{name}");
    }
    assert_eq!(seed("asked-3").requests.len(), 1);
    let world = seed("lost-3");
    assert_eq!(world.ended.len(), 1, "its session is gone");
    assert!(seed("http-sse").client.peer().is_some());
    // The list was asked for, and the call was said again and answered.
    let world = seed("modern-refused-known");
    assert_eq!((world.calls.len(), world.ended.len(), world.known.len()), (1, 1, 5));
    assert_eq!(seed("modern-refused-unknown").ended.len(), 1);
    let era = |world: World| world.client.peer().map(|peer| peer.revision.era());
    assert_eq!(era(seed("exchanged-modern-31")), Some(mcp_proto::Era::Legacy));
    assert_eq!(era(seed("exchanged-legacy-31")), Some(mcp_proto::Era::Modern));
}
