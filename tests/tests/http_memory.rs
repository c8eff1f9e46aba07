//! `memory_bound` of HTTP: every table of one server, and of one client, is driven to its limit at once, and what the
//! allocator was asked for is compared with what was promised.
//!
//! A program of its own, because the counting allocator is that of the whole program.

use allocation_counter::measure;
use bytes::Bytes;
use http::Method;
use mcp_proto::http::{ClientOptions, Exchange, Ring, Scope, Server, ServerOptions};
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::sse::Decoder;
use mcp_proto::{
    CallOptions, CallTool, CallToolResult, ClientConfig, Instant, Limits, Progress, RequestId,
    Revision, ServerConfig,
};
use mcp_tests::http_hand::{HttpHand, JSON, data, event, result_of};
use mcp_tests::secs;
use mcp_tests::web::{Web, bare, get, in_session, initialize, modern_call, post};
use serde_json::{Value, json};

const REVISION: Revision = Revision::V2025_11_25;

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_message_len = 128 << 10;
    limits.max_id_len = 256;
    limits.max_calls = 16;
    limits.max_requests = 20;
    limits.max_batch_len = 4;
    limits.max_outbox_len = 512 << 10;
    limits.max_output_len = 1 << 20;
    limits.max_milestones = 10;
    limits.max_events = 50;
    limits
}

fn server_options() -> ServerOptions {
    let options =
        ServerOptions::default().max_exchanges(60).max_sessions(12).max_standing_streams(10);
    let mut options = options.http_sse();
    (options.max_finishing, options.max_streams, options.max_complete_streams) = (20, 2, 6);
    (options.max_waiting_len, options.max_stream_len) = (4 << 20, 64 << 10);
    options.max_opening_len = 64 << 10;
    options
}

fn ring() -> Ring {
    Ring::new(64, 128 << 10, 2 << 20)
}

/// A request of a session, with an id and a token as long as may be.
fn long_call(at: usize) -> Value {
    let id = format!("{at:i<256}");
    json!({"jsonrpc": "2.0", "id": id, "method": "x/y", "params": {"_meta": {
        "progressToken": format!("{at:t<256}")}}})
}

/// The shortest message there is.
#[derive(serde::Serialize, serde::Deserialize)]
struct Short {}

impl mcp_proto::Notification for Short {
    const METHOD: &'static str = "a";
    type Sender = mcp_proto::role::Server;
}

/// A server, everything of which is at its limit.
struct Full {
    web: Web,
    sessions: Vec<String>,
    running: Vec<(Scope, RequestId)>,
}

impl Full {
    fn new(limits: Limits, options: ServerOptions) -> Self {
        let pacing = Pacing::default().burst(1).every(secs(3600));
        let mut config = ServerConfig::new("s", "1").limits(limits).pacing(pacing);
        config.capabilities = config.capabilities.logging();
        let mut web = Web::with(config.clone(), options.clone());
        web.server = Server::with_replay(config, options.clone(), Box::new(ring()));
        let mut full = Self { web, sessions: Vec::new(), running: Vec::new() };
        full.open_sessions(&options);
        full.call_clients(&limits, &options);
        full.complete_streams(&options);
        full.run_requests(&options, &limits);
        full.wait_for_readers(&options);
        full.fill_exchanges(&options);
        full
    }

    /// Sessions whose clients say much of themselves.
    fn open_sessions(&mut self, options: &ServerOptions) {
        for _ in 0..options.max_sessions {
            let mut opening = initialize(REVISION);
            let name = "n".repeat(options.max_opening_len - 300);
            opening["params"]["clientInfo"]["name"] = name.into();
            let answer = self.web.ask(post(&opening, &[]));
            let id = answer.header("mcp-session-id").expect("a session").to_owned();
            let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
            assert_eq!(self.web.ask(in_session(&ready, &id, REVISION)).status(), 202);
            self.sessions.push(id);
        }
        self.web.listen();
        self.web.events.clear();
    }

    /// Scopes are named in the order in which they open.
    fn scopes(&mut self) -> Vec<Scope> {
        let mut scopes = Vec::new();
        for session in self.sessions.clone() {
            let ping = long_call(0);
            let exchange = self.web.send(in_session(&ping, &session, REVISION)).unwrap();
            let (scope, id) = self.web.request();
            let now = self.web.now;
            self.web.server.endpoint_mut(scope).unwrap().respond(&id, &json!({}), now).unwrap();
            self.web.take(exchange);
            scopes.push(scope);
        }
        scopes
    }

    /// As many calls to each client as may be, and the streams that stay open.
    fn call_clients(&mut self, limits: &Limits, options: &ServerOptions) {
        let scopes = self.scopes();
        let now = self.web.now;
        for (at, scope) in scopes.iter().enumerate() {
            let stream = self.web.send(get(&self.sessions[at], REVISION, None));
            assert_eq!(stream.is_ok(), at < options.max_standing_streams, "{at}");
            let asked = if at < options.max_standing_streams { limits.max_calls } else { 3 };
            for call in 0..asked {
                let options = CallOptions::default().progress_token(format!("{call:c<256}"));
                let endpoint = self.web.server.endpoint_mut(*scope).unwrap();
                endpoint.request_raw("roots/list", None, options, now).unwrap();
                if let Ok(stream) = &stream {
                    self.web.take(*stream);
                }
            }
        }
    }

    /// Streams that are complete, and whose readers have left.
    fn complete_streams(&mut self, options: &ServerOptions) {
        for session in self.sessions.clone() {
            for at in 0..options.max_complete_streams {
                let exchange =
                    self.web.send(in_session(&long_call(at), &session, REVISION)).unwrap();
                self.web.take(exchange);
                let (scope, id) = self.web.request();
                self.web.hang_up(exchange);
                let now = self.web.now;
                let result = CallToolResult::text("r".repeat(4 << 10));
                self.web.server.endpoint_mut(scope).unwrap().respond(&id, &result, now).unwrap();
                self.web.server.poll_ready();
            }
        }
    }

    /// As many requests as may run, each with reports that wait for a reader who stands still.
    fn run_requests(&mut self, options: &ServerOptions, limits: &Limits) {
        let text = "m".repeat(6 << 10);
        for at in 0..options.max_exchanges {
            let exchange = match at % 3 {
                0 => self.web.send(modern_call(format!("{at:m<256}").into(), "x")),
                _ => {
                    let session = self.sessions[at % self.sessions.len()].clone();
                    self.web.send(in_session(&long_call(100 + at), &session, REVISION))
                }
            };
            exchange.unwrap();
            let running = self.web.request();
            self.running.push(running);
        }
        let now = self.web.now;
        for (scope, id) in self.running.clone() {
            // Its stream has as much as may be, in one go; then its reports wait where they merge.
            let endpoint = self.web.server.endpoint_mut(scope).unwrap();
            while endpoint.notify_for(&id, &Short {}).is_ok() {}
            self.web.server.poll_ready();
            for step in 0..2 * limits.max_milestones {
                let endpoint = self.web.server.endpoint_mut(scope).unwrap();
                let report = Progress::new(step as f64).message(text.clone());
                endpoint.report(&id, report, Weight::Milestone, now).unwrap();
            }
            let endpoint = self.web.server.endpoint_mut(scope).unwrap();
            let last = Progress::new(1e6).message("o".repeat(20 << 10));
            endpoint.report(&id, last, Weight::Ordinary, now).unwrap();
        }
        assert_eq!(self.web.server.requests_in_flight(), options.max_exchanges);
        let refused = self.web.ask(modern_call(json!(1), "x"));
        assert_eq!(refused.status(), 503, "it is full");
    }

    /// What belongs to no request, until no more is taken; some answers, of which each is as long as it may be.
    fn wait_for_readers(&mut self, options: &ServerOptions) {
        let now = self.web.now;
        let scopes: Vec<_> = self.running.iter().map(|(scope, _)| *scope).collect();
        for scope in scopes {
            for _ in 0..5000 {
                let endpoint = self.web.server.endpoint_mut(scope).unwrap();
                if endpoint.notify(&Short {}).is_err() {
                    break;
                }
                self.web.server.poll_ready();
            }
        }
        for (scope, id) in self.running.split_off(options.max_exchanges / 2) {
            let result = CallToolResult::text("a".repeat(options.max_stream_len - (4 << 10)));
            self.web.server.endpoint_mut(scope).unwrap().respond(&id, &result, now).unwrap();
            self.web.server.poll_ready();
        }
    }

    /// Responses that nobody takes.
    fn fill_exchanges(&mut self, options: &ServerOptions) {
        let most = options.max_exchanges + options.max_finishing;
        let delete = || bare(Method::DELETE, Bytes::new(), &[("mcp-session-id", "x")]);
        while self.web.send(delete()).is_ok() {}
        let open = self.web.server.exchanges();
        assert_eq!(open, most + options.max_standing_streams, "every exchange is taken");
    }
}

/// What is live of `make` compared with the bound; which part of it that is.
#[track_caller]
fn check<T>(what: &str, bound: usize, own: usize, make: impl FnOnce() -> T) -> f64 {
    let mut full = None;
    let counted = measure(|| full = Some(make()));
    let live = usize::try_from(counted.bytes_current).unwrap();
    let peak = usize::try_from(counted.bytes_max).unwrap();
    println!("{what}: {live} of {bound} bytes live, {peak} at the peak with the test's own");
    assert!(live <= bound, "{what}: {live} bytes are live, {bound} were promised");
    assert!(peak <= bound + own, "{what}: {peak} bytes at the peak, {bound} were promised");
    drop(full);
    live as f64 / bound as f64
}

#[test]
fn every_table_of_a_server_at_its_limit_at_once_is_within_the_bound() {
    let (limits, options) = (limits(), server_options());
    let bound = options.memory_bound(&limits) + ring().memory_bound();
    let part = check("server", bound, 4 << 20, || Full::new(limits, options));
    assert!(part > 0.07, "only {part} of the bound is reached");
}

fn client_options() -> ClientOptions {
    let mut options = ClientOptions::default();
    (options.max_exchanges, options.max_buffered_len) = (24, 2 << 20);
    (options.max_error_len, options.max_tools_len, options.max_tools) = (16 << 10, 64 << 10, 50);
    options
}

/// A client past its handshake, to whom the server has said much of itself.
fn met(limits: Limits, revision: Revision) -> HttpHand {
    let config = ClientConfig::new("c", "1").revisions(revision).limits(limits);
    let mut hand = HttpHand::new(config, client_options());
    let (exchange, request) = hand.take();
    let text = "n".repeat(limits.max_message_len - 400);
    let result = match revision {
        Revision::V2026_07_28 => format!(
            r#"{{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{{"tools":{{}}}},"instructions":"{text}"}}"#
        ),
        _ => format!(
            r#"{{"protocolVersion":"{revision}","capabilities":{{}},"serverInfo":{{"name":"s","version":"1"}},"instructions":"{text}"}}"#
        ),
    };
    let answer = result_of(&mcp_tests::http_hand::id_of(&request), &result);
    hand.answer(
        exchange,
        200,
        &[("content-type", JSON), ("mcp-session-id", "s")],
        answer.as_bytes(),
    );
    if revision < Revision::V2026_07_28 {
        let (exchange, _) = hand.take();
        hand.accept(exchange);
    }
    assert!(hand.client.peer().is_some());
    hand
}

/// Bytes of an answer, in reads of the size that is asked for.
fn feed(hand: &mut HttpHand, exchange: Exchange, bytes: &[u8]) {
    for chunk in bytes.chunks(64 << 10) {
        hand.chunk(exchange, chunk);
    }
}

/// A legacy client, everything of which is at its limit.
fn full_client(limits: Limits) -> HttpHand {
    let options = client_options();
    let mut hand = met(limits, REVISION);
    let (listening, _) = hand.take();
    hand.stream(listening);
    let mut streams = vec![listening];
    for at in 0..limits.max_calls {
        let token = format!("{at:c<256}");
        let call = CallOptions::default().progress_token(token);
        hand.client.request_raw("x/y", None, call, hand.now).unwrap();
        hand.poll();
        let (exchange, _) = hand.take();
        hand.stream(exchange);
        streams.push(exchange);
    }
    // Requests of the server, with long names; they come on its own stream.
    for at in 0..limits.max_requests {
        let request = long_call(at).to_string();
        feed(&mut hand, listening, data(&request).as_bytes());
    }
    assert_eq!(hand.client.requests_in_flight(), limits.max_requests);
    // Each stream has named many places, and is in the middle of a long event of several lines.
    let part = options.max_buffered_len / streams.len() - (8 << 10);
    let len = part.min(limits.max_message_len - 1000);
    for (at, stream) in streams.iter().enumerate() {
        let ids: String = (0..300).map(|n| event(&format!("{at}-{n:i<1000}"), "")).collect();
        feed(&mut hand, *stream, ids.as_bytes());
        let line = format!("data: {}\n", "x".repeat(len / 8));
        feed(&mut hand, *stream, line.repeat(7).as_bytes());
        feed(&mut hand, *stream, &vec![b'y'; len / 8]);
    }
    // What is announced waits for what was announced before it.
    while hand.client.notify(&Said {}).is_ok() {
        hand.poll();
    }
    hand.poll();
    forget_own(hand)
}

/// A modern one: calls that may have to be said again, tools, refusals that wait.
fn full_modern_client(limits: Limits) -> HttpHand {
    let options = client_options();
    let mut hand = met(limits, Revision::V2026_07_28);
    let _ = hand.client.request_raw("tools/list", None, CallOptions::default(), hand.now).unwrap();
    hand.poll();
    let (exchange, request) = hand.take();
    let tool = |at: usize| {
        format!(
            r#"{{"name":"{at:t<600}","inputSchema":{{"type":"object","properties":{{"{at:p<500}":{{"type":"string","x-mcp-header":"H{at}"}}}}}}}}"#
        )
    };
    let tools: Vec<_> = (0..60).map(tool).collect();
    let list = format!(r#"{{"resultType":"complete","tools":[{}]}}"#, tools.join(","));
    hand.answer_json(exchange, &result_of(&mcp_tests::http_hand::id_of(&request), &list));
    assert!(!hand.violations().is_empty(), "not all of them are kept");
    let mut calls = Vec::new();
    for _ in 0..limits.max_calls - 1 {
        let call = CallTool::new("t").argument("a", "x".repeat(60 << 10));
        let token = CallOptions::default().progress_token(format!("{:c<256}", calls.len()));
        hand.client.request(&call, token, hand.now).map(drop).unwrap();
        hand.poll();
        calls.push(hand.take());
    }
    // Half of them are refused for their headers, and wait for the list.
    for (exchange, request) in calls.drain(..calls.len() / 2) {
        let id = mcp_tests::http_hand::id_of(&request);
        let why = "w".repeat(options.max_error_len - 200);
        let error =
            format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32020,"message":"{why}"}}}}"#);
        hand.answer(exchange, 400, &[("content-type", JSON)], error.as_bytes());
    }
    // The others are in the middle of a long answer.
    let part = options.max_buffered_len / calls.len() - 1000;
    let len = part.min(limits.max_message_len - 1000);
    for (exchange, _) in &calls {
        hand.head(*exchange, 200, &[("content-type", JSON)]);
        feed(&mut hand, *exchange, &vec![b'y'; len]);
    }
    forget_own(hand)
}

/// What the test keeps is none of the client's.
fn forget_own(mut hand: HttpHand) -> HttpHand {
    (hand.told, hand.opened, hand.requests) = Default::default();
    hand
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Said {}

impl mcp_proto::Notification for Said {
    const METHOD: &'static str = "a";
    type Sender = mcp_proto::role::Client;
}

#[test]
fn every_table_of_a_client_at_its_limit_at_once_is_within_the_bound() {
    let mut limits = limits();
    (limits.max_outbox_len, limits.max_output_len) = (128 << 10, 256 << 10);
    let bound = client_options().memory_bound(&limits);
    let legacy = check("client, legacy", bound, 4 << 20, || full_client(limits));
    let modern = check("client, modern", bound, 4 << 20, || full_modern_client(limits));
    assert!(legacy > 0.07 && modern > 0.025, "only {legacy} and {modern} of the bound is reached");
}

#[test]
fn what_is_left_over_of_a_stream_does_not_keep_what_came_before_it() {
    let now = Instant::ZERO;
    for rest in ["d", "data: x\n", "event: e\nid: 7\ndata: x\nda", ": comment", ""] {
        let mut kept = None;
        let counted = measure(|| {
            let mut decoder = Decoder::new(8 << 20, 1 << 10);
            let long = "x".repeat(4 << 20);
            decoder.handle_input(format!("data: {long}\n\n{rest}").as_bytes(), now);
            let mut events = 0;
            while let Some(event) = decoder.poll_event() {
                assert_eq!(event.unwrap().data.len(), long.len());
                events += 1;
            }
            assert_eq!(events, 1);
            kept = Some(decoder);
        });
        assert!(counted.bytes_current < 64 << 10, "{rest:?} keeps {}", counted.bytes_current);
        // And it is read as ever.
        let mut decoder = kept.unwrap();
        decoder.handle_input(b"\n\ndata: y\n\n", now);
        let last = std::iter::from_fn(|| decoder.poll_event()).last().unwrap().unwrap();
        assert_eq!(last.data, "y", "{rest:?}");
    }
}
