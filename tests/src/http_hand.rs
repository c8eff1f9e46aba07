//! A client over HTTP whose server is the test.
#![allow(missing_docs)] // the names say it

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, Uri};
use mcp_proto::http::{Client, ClientOptions, Exchange, Transmit};
use mcp_proto::json::RawJson;
use mcp_proto::{
    CallError, CallOptions, CallTool, ClientConfig, Event, Instant, RequestId, Revision,
    RevisionSet, Violation,
};

/// The client, what it has opened and closed, and what it told.
#[derive(Clone)]
pub struct HttpHand {
    pub client: Client,
    pub now: Instant,
    /// Opened, and not taken by the test yet.
    pub opened: VecDeque<(Exchange, Request<Bytes>)>,
    /// Every request so far.
    pub requests: BTreeMap<Exchange, Request<Bytes>>,
    pub aborted: Vec<Exchange>,
    pub told: Vec<Event>,
}

pub const JSON: &str = "application/json";
pub const EVENTS: &str = "text/event-stream";

pub fn config(revisions: &[Revision]) -> ClientConfig {
    let first = RevisionSet::only(*revisions.first().unwrap());
    let all = revisions.iter().fold(first, |set, revision| set.with(*revision));
    ClientConfig::new("c", "1").revisions(all)
}

impl HttpHand {
    pub fn new(config: ClientConfig, options: ClientOptions) -> Self {
        Self::at("https://a.example/mcp", config, options)
    }

    pub fn at(uri: &'static str, config: ClientConfig, options: ClientOptions) -> Self {
        let now = Instant::ZERO + Duration::from_secs(1);
        let client = Client::new(config, Uri::from_static(uri), options, now);
        let mut hand = Self {
            client,
            now,
            opened: VecDeque::new(),
            requests: BTreeMap::new(),
            aborted: Vec::new(),
            told: Vec::new(),
        };
        hand.poll();
        hand
    }

    /// One that speaks this revision, past its handshake. A legacy session is `sess-1`; the server offers no stream for
    /// what belongs to no call.
    pub fn ready(revision: Revision) -> Self {
        Self::ready_with(revision, Some("sess-1"), ClientOptions::default())
    }

    pub fn ready_with(revision: Revision, session: Option<&str>, options: ClientOptions) -> Self {
        let mut hand = Self::new(config(&[revision]), options);
        hand.shake_hands(revision, session);
        hand.told.clear();
        hand
    }

    /// Answers the handshake of a legacy revision. What comes next is the stream for what belongs to no call.
    pub fn shake_hands_and_listen(&mut self, revision: Revision) {
        let (exchange, request) = self.take();
        self.head(exchange, 200, &[("content-type", JSON), ("mcp-session-id", "sess-1")]);
        self.chunk(exchange, result_of(&id_of(&request), &initialize_result(revision)));
        self.end(exchange);
        let (exchange, request) = self.take();
        assert_eq!(method_of(&request), "notifications/initialized");
        self.accept(exchange);
    }

    /// Answers the handshake.
    pub fn shake_hands(&mut self, revision: Revision, session: Option<&str>) {
        let (exchange, request) = self.take();
        if revision >= Revision::V2026_07_28 {
            let result = r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#;
            return self.answer_json(exchange, &result_of(&id_of(&request), result));
        }
        let result = initialize_result(revision);
        let headers: Vec<_> = session.map(|id| ("mcp-session-id", id)).into_iter().collect();
        self.head(exchange, 200, &[&[("content-type", JSON)], &headers[..]].concat());
        self.chunk(exchange, result_of(&id_of(&request), &result));
        self.end(exchange);
        let (exchange, request) = self.take();
        assert_eq!(method_of(&request), "notifications/initialized");
        self.accept(exchange);
        if let Some((exchange, request)) = self.opened.pop_front() {
            assert_eq!(request.method(), Method::GET);
            self.status(exchange, 405);
        }
        assert!(self.opened.is_empty());
    }

    /// Calls a tool.
    pub fn call(&mut self, tool: &'static str) -> (RequestId, Exchange) {
        let id = self.begin(tool, CallOptions::default().tracked());
        let (exchange, request) = self.take();
        assert_eq!(id_of(&request), id.to_string());
        (id, exchange)
    }

    pub fn begin(&mut self, tool: &'static str, options: CallOptions) -> RequestId {
        let id = self.client.request(&CallTool::new(tool), options, self.now).unwrap().id().clone();
        self.poll();
        id
    }

    /// The oldest request that was not taken.
    pub fn take(&mut self) -> (Exchange, Request<Bytes>) {
        self.opened.pop_front().expect("a request")
    }

    // What the server does.

    pub fn head(&mut self, exchange: Exchange, status: u16, headers: &[(&str, &str)]) {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, value.as_bytes());
        }
        let (head, ()) = response.body(()).unwrap().into_parts();
        self.client.handle_head(exchange, &head, self.now);
        self.poll();
    }

    pub fn chunk(&mut self, exchange: Exchange, bytes: impl AsRef<[u8]>) {
        self.client.handle_body(exchange, bytes.as_ref(), self.now);
        self.poll();
    }

    pub fn end(&mut self, exchange: Exchange) {
        self.client.handle_end(exchange, self.now);
        self.poll();
    }

    pub fn cut(&mut self, exchange: Exchange) {
        self.client.handle_failure(exchange, self.now);
        self.poll();
    }

    pub fn answer(
        &mut self,
        exchange: Exchange,
        status: u16,
        headers: &[(&str, &str)],
        body: &[u8],
    ) {
        self.head(exchange, status, headers);
        if !body.is_empty() {
            self.chunk(exchange, body);
        }
        self.end(exchange);
    }

    pub fn answer_json(&mut self, exchange: Exchange, body: &str) {
        self.answer(exchange, 200, &[("content-type", JSON)], body.as_bytes());
    }

    pub fn accept(&mut self, exchange: Exchange) {
        self.answer(exchange, 202, &[], b"");
    }

    pub fn status(&mut self, exchange: Exchange, status: u16) {
        self.answer(exchange, status, &[], b"");
    }

    pub fn stream(&mut self, exchange: Exchange) {
        self.head(exchange, 200, &[("content-type", EVENTS)]);
    }

    // Time.

    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.client.poll_timeout().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.client.handle_timeout(self.now);
            self.poll();
        }
        self.now = until;
    }

    pub fn poll(&mut self) {
        loop {
            self.told.extend(std::iter::from_fn(|| self.client.poll_event()));
            let Some(transmit) = self.client.poll_transmit() else {
                // A call that cannot be sent has ended, and is told at once.
                match self.client.poll_timeout() {
                    Some(due) if due <= self.now && self.client.has_event() => continue,
                    _ => break,
                }
            };
            match transmit {
                Transmit::Open { exchange, request } => {
                    assert!(self.requests.insert(exchange, request.clone()).is_none());
                    self.opened.push_back((exchange, request));
                }
                Transmit::Abort(exchange) => {
                    assert!(self.requests.contains_key(&exchange), "aborted before it was opened");
                    self.opened.retain(|(opened, _)| *opened != exchange);
                    self.aborted.push(exchange);
                }
            }
        }
        assert!(!self.client.has_event());
    }

    // What was told.

    /// How a call ended, if it has.
    pub fn outcome(&self, id: &RequestId) -> Option<Result<RawJson, CallError>> {
        let mut outcomes = self.told.iter().filter_map(|event| match event {
            Event::Response { id: ended, outcome } if ended == id => Some(outcome.clone()),
            _ => None,
        });
        let outcome = outcomes.next();
        assert_eq!(outcomes.next(), None, "{id} ended twice");
        outcome
    }

    pub fn error(&self, id: &RequestId) -> CallError {
        self.outcome(id).expect("it has ended").expect_err("without a result")
    }

    /// The reports of a call, of which none came behind its end.
    pub fn reports(&self, id: &RequestId) -> Vec<f64> {
        let (mut reports, mut has_ended) = (Vec::new(), false);
        for event in &self.told {
            match event {
                Event::Progress { id: of, progress } if of == id => {
                    assert!(!has_ended, "progress behind the end of {id}");
                    reports.push(progress.progress);
                }
                Event::Response { id: of, .. } if of == id => has_ended = true,
                _ => {}
            }
        }
        reports
    }

    pub fn violations(&self) -> Vec<Violation> {
        let violation = |event: &Event| match event {
            Event::Violation(violation) => Some(violation.clone()),
            _ => None,
        };
        self.told.iter().filter_map(violation).collect()
    }
}

// Messages.

pub fn result_of(id: &str, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

pub fn done(id: &RequestId) -> String {
    result_of(&id.to_string(), r#"{"resultType":"complete","content":[]}"#)
}

pub fn error_of(id: &str, code: i64) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"m"}}}}"#)
}

/// A report for a call whose token is its id.
pub fn report(id: &RequestId, progress: u32) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{{"progressToken":{id},"progress":{progress}}}}}"#
    )
}

pub fn event(id: &str, data: &str) -> String {
    format!("id: {id}\ndata: {data}\n\n")
}

pub fn data(data: &str) -> String {
    format!("data: {data}\n\n")
}

pub fn initialize_result(revision: Revision) -> String {
    format!(
        r#"{{"protocolVersion":"{}","capabilities":{{"tools":{{}}}},"serverInfo":{{"name":"s","version":"1"}}}}"#,
        revision.as_str()
    )
}

// Requests.

fn member(request: &Request<Bytes>, name: &str) -> Option<String> {
    let body = RawJson::parse(request.body().clone()).ok()?;
    let value = body.get(name)?;
    Some(value.as_str().map_or_else(
        || String::from_utf8_lossy(value.as_bytes()).into_owned(),
        std::borrow::Cow::into_owned,
    ))
}

pub fn method_of(request: &Request<Bytes>) -> String {
    member(request, "method").unwrap_or_default()
}

pub fn id_of(request: &Request<Bytes>) -> String {
    member(request, "id").unwrap_or_default()
}

/// The value of a header that occurs once.
pub fn header<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    let mut values = request.headers().get_all(name).iter();
    let value = values.next().map(|value| value.to_str().unwrap());
    assert!(values.next().is_none(), "{name} occurs twice");
    value
}
