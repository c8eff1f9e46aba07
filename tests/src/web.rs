//! A server on HTTP with a client's hands on it: requests in, responses out, on a clock that the test moves.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use mcp_proto::http::{Body, Caller, Exchange, Scope, Server, ServerOptions};
use mcp_proto::sse::Decoder;
use mcp_proto::{Event, Instant, Revision, ServerConfig};
use serde_json::{Value, json};

/// A server, the time, and what it has told.
pub struct Web {
    /// The machine.
    pub server: Server,
    /// The time.
    pub now: Instant,
    /// What it has told, and of which conversation.
    pub events: Vec<(Scope, Event)>,
    seeds: u8,
}

/// What came of one exchange so far.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its head, once it is known.
    pub head: Option<Response<()>>,
    /// Its body, as far as it has come.
    pub body: Vec<u8>,
    /// How it ended, if it has: `End` or `Broken`.
    pub end: Option<Body>,
}

/// One event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamEvent {
    /// Its id, if it has one of its own.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Its data.
    pub data: String,
}

impl Web {
    /// A server with every default, which serves all revisions.
    pub fn new() -> Self {
        Self::with(ServerConfig::new("server", "1"), ServerOptions::default())
    }

    /// A server of this kind.
    pub fn with(config: ServerConfig, options: ServerOptions) -> Self {
        let now = Instant::from_nanos(1_000_000_000);
        Self { server: Server::new(config, options), now, events: Vec::new(), seeds: 0 }
    }

    /// With session ids of its own, where there is another server.
    #[must_use]
    pub fn seeds_from(mut self, seed: u8) -> Self {
        self.seeds = seed;
        self
    }

    /// Sends a request, and says what came of it: an exchange, or a refusal of its head.
    pub fn send(&mut self, request: Request<Bytes>) -> Result<Exchange, Box<Response<Bytes>>> {
        self.send_as(None, request)
    }

    /// As [`send`](Self::send), in somebody's name.
    pub fn send_as(
        &mut self,
        principal: Option<&str>,
        request: Request<Bytes>,
    ) -> Result<Exchange, Box<Response<Bytes>>> {
        let (head, body) = request.into_parts();
        let admission = self.server.handle_head(&head)?;
        if body.len() > admission.max_body {
            return Err(Server::too_long().into());
        }
        let mut caller = Caller::default();
        if admission.wants_seed {
            self.seeds += 1;
            caller = caller.seed([self.seeds; 24]);
        }
        if let Some(principal) = principal {
            caller = caller.principal(principal.to_owned());
        }
        let request = Request::from_parts(head, body);
        let exchange = self.server.handle_request(admission, request, caller, self.now);
        self.listen();
        Ok(exchange?)
    }

    /// Sends a request and takes all of its response that there is.
    pub fn ask(&mut self, request: Request<Bytes>) -> Answer {
        match self.send(request) {
            Ok(exchange) => self.take(exchange),
            Err(refusal) => Answer::refused(*refusal),
        }
    }

    /// Takes all there is of a response.
    pub fn take(&mut self, exchange: Exchange) -> Answer {
        let mut answer =
            Answer { head: self.server.poll_head(exchange), body: Vec::new(), end: None };
        while let Some(body) = self.server.poll_body(exchange) {
            match body {
                Body::Chunk(chunk) => answer.body.extend_from_slice(&chunk),
                end => {
                    answer.end = Some(end);
                    break;
                }
            }
        }
        answer
    }

    /// The client hangs up.
    pub fn hang_up(&mut self, exchange: Exchange) {
        self.server.handle_disconnect(exchange, self.now);
        self.listen();
    }

    /// Notes what the server tells.
    pub fn listen(&mut self) {
        while let Some(event) = self.server.poll_event() {
            self.events.push(event);
        }
    }

    /// The requests that it has told since this was asked last.
    pub fn requests(&mut self) -> Vec<(Scope, mcp_proto::RequestId)> {
        self.listen();
        let events = std::mem::take(&mut self.events);
        let request = |(scope, event)| match event {
            Event::Request { id, .. } => Some((scope, id)),
            _ => None,
        };
        events.into_iter().filter_map(request).collect()
    }

    /// The one request that it has told since.
    ///
    /// # Panics
    ///
    /// If it is not one.
    pub fn request(&mut self) -> (Scope, mcp_proto::RequestId) {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// Time passes, every deadline on the way at its own moment.
    ///
    /// # Panics
    ///
    /// If the server wants to be woken at once, for ever.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        let mut wakes = 0;
        while let Some(due) = self.server.poll_timeout().filter(|due| *due <= until) {
            wakes = if due <= self.now { wakes + 1 } else { 0 };
            assert!(wakes < 1000, "it wants to be woken at once, for ever");
            self.now = self.now.max(due);
            self.server.handle_timeout(self.now);
            self.listen();
        }
        self.now = until;
    }

    /// Opens a session, and gives its id.
    ///
    /// # Panics
    ///
    /// If it is refused.
    pub fn open(&mut self, revision: Revision) -> String {
        let answer = self.ask(post(&initialize(revision), &[]));
        assert_eq!(answer.status(), 200, "{answer:?}");
        let id = answer.header("mcp-session-id").expect("a session id").to_owned();
        let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let answer = self.ask(in_session(&ready, &id, revision));
        assert_eq!(answer.status(), 202, "{answer:?}");
        self.listen();
        self.events.clear();
        id
    }
}

impl Default for Web {
    fn default() -> Self {
        Self::new()
    }
}

impl Answer {
    /// The answer to a request whose head was refused.
    pub fn refused(refusal: Response<Bytes>) -> Self {
        let (head, body) = refusal.into_parts();
        Self {
            head: Some(Response::from_parts(head, ())),
            body: body.to_vec(),
            end: Some(Body::End),
        }
    }

    /// Its status; 0 if it has no head yet.
    pub fn status(&self) -> u16 {
        self.head.as_ref().map(Response::status).map_or(0, |status: StatusCode| status.as_u16())
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.as_ref()?.headers().get(name)?.to_str().ok()
    }

    /// Its body as JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The code of the error in it.
    pub fn code(&self) -> Option<i64> {
        self.json()["error"]["code"].as_i64()
    }

    /// Its body as events.
    pub fn events(&self) -> Vec<StreamEvent> {
        events(&self.body)
    }

    /// Its body as messages: the data of its events that have any.
    pub fn messages(&self) -> Vec<Value> {
        let events = self.events().into_iter().filter(|event| !event.data.is_empty());
        events.map(|event| serde_json::from_str(&event.data).expect("JSON")).collect()
    }

    /// Whether it is a stream of events.
    pub fn is_stream(&self) -> bool {
        self.header("content-type") == Some("text/event-stream")
    }
}

/// The events of a stream, those without data included.
pub fn events(body: &[u8]) -> Vec<StreamEvent> {
    let mut decoder = Decoder::new(1 << 24, 1 << 10);
    decoder.handle_input(body, Instant::ZERO);
    let mut events = Vec::new();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    while let Some(event) = decoder.poll_event() {
        let event = event.expect("an event");
        let id = text(decoder.last_event_id());
        events.push(StreamEvent { id, name: text(&event.name), data: text(&event.data) });
    }
    events
}

/// A request with a body, from a client that takes both kinds of answer.
///
/// # Panics
///
/// If a header is none.
pub fn post(message: &Value, headers: &[(&str, &str)]) -> Request<Bytes> {
    let mut request = bare(Method::POST, message.to_string().into(), headers);
    let more =
        [("content-type", "application/json"), ("accept", "application/json, text/event-stream")];
    add_missing(request.headers_mut(), &more);
    request
}

/// A message of HTTP+SSE, to the address that the first event on the stream of `/mcp` gave.
///
/// # Panics
///
/// If it is not a query alone, which means the stream's own address.
pub fn to_announced(reference: &str, message: &Value) -> Request<Bytes> {
    assert!(reference.starts_with('?'), "{reference}");
    let mut request = post(message, &[]);
    *request.uri_mut() = format!("/mcp{reference}").parse().expect("an address");
    request
}

/// A request with these headers and `Host`.
///
/// # Panics
///
/// If a header is none.
pub fn bare(method: Method, body: Bytes, headers: &[(&str, &str)]) -> Request<Bytes> {
    let mut request = Request::builder().method(method).uri("/mcp").body(body).expect("a request");
    for (name, value) in headers {
        let name = http::HeaderName::try_from(*name).expect("a name");
        request.headers_mut().append(name, value.parse().expect("a value"));
    }
    add_missing(request.headers_mut(), &[("host", "127.0.0.1:8080")]);
    request
}

fn add_missing(headers: &mut HeaderMap, more: &[(&'static str, &'static str)]) {
    for (name, value) in more {
        if !headers.contains_key(*name) {
            headers.insert(*name, http::HeaderValue::from_static(value));
        }
    }
}

/// A message in a session.
pub fn in_session(message: &Value, session: &str, revision: Revision) -> Request<Bytes> {
    let headers = [("mcp-session-id", session), ("mcp-protocol-version", revision.as_str())];
    post(message, &headers)
}

/// Opens a stream of a session, or takes one up again.
pub fn get(session: &str, revision: Revision, last_event: Option<&str>) -> Request<Bytes> {
    let mut headers = vec![
        ("accept", "text/event-stream"),
        ("mcp-session-id", session),
        ("mcp-protocol-version", revision.as_str()),
    ];
    headers.extend(last_event.map(|id| ("last-event-id", id)));
    bare(Method::GET, Bytes::new(), &headers)
}

/// What opens a session.
pub fn initialize(revision: Revision) -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": revision.as_str(), "capabilities": {},
        "clientInfo": {"name": "client", "version": "1"}}})
}

/// A call of a tool of a session, which asks for progress under its own id.
pub fn call(id: Value, tool: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": {"name": tool, "arguments": {}, "_meta": {"progressToken": id}}})
}

/// A modern request, with the headers that belong to it.
pub fn modern(id: Value, method: &str, params: Value) -> Request<Bytes> {
    let (message, headers) = modern_parts(id, method, params);
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    post(&message, &headers)
}

/// The message and the headers of a modern request.
pub fn modern_parts(
    id: Value,
    method: &str,
    mut params: Value,
) -> (Value, BTreeMap<&'static str, String>) {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = Revision::LATEST.as_str().into();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
    let mut headers = BTreeMap::from([
        ("mcp-protocol-version", Revision::LATEST.as_str().to_owned()),
        ("mcp-method", method.to_owned()),
    ]);
    if let Some(name) = params.get("name").or_else(|| params.get("uri")).and_then(Value::as_str) {
        headers.insert("mcp-name", name.to_owned());
    }
    let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
    (message, headers)
}

/// A modern call of a tool, which asks for progress under its own id.
pub fn modern_call(id: Value, tool: &str) -> Request<Bytes> {
    let params = json!({"name": tool, "arguments": {}, "_meta": {"progressToken": id}});
    modern(id, "tools/call", params)
}
