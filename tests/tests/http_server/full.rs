//! A server that takes nothing new still takes what frees or finishes work (RELIABILITY, section 3).

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use mcp_proto::http::{Body, Exchange, Scope, ServerOptions};
use mcp_proto::progress::Weight;
use mcp_proto::{CallToolResult, Event, Progress, RequestId, Revision, ServerConfig};
use mcp_tests::web::{Web, bare, call, get, in_session, initialize, modern, modern_call, post};
use serde_json::{Value, json};

const REVISION: Revision = Revision::V2025_11_25;

/// A server that takes no requests any more, and a call that runs in a session of it.
struct Full {
    web: Web,
    session: String,
    exchange: Exchange,
    scope: Scope,
    id: RequestId,
}

/// Why it takes none.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Why {
    Exchanges,
    Waiting,
    Draining,
}

const REASONS: [Why; 3] = [Why::Exchanges, Why::Waiting, Why::Draining];

impl Full {
    fn new(why: Why) -> Self {
        let mut options = ServerOptions::default().max_exchanges(3);
        (options.max_finishing, options.max_waiting_len) = (2, 1000);
        let mut web = Web::with(ServerConfig::new("s", "1"), options);
        let session = web.open(REVISION);
        let exchange = web.send(in_session(&call(json!(1), "work"), &session, REVISION)).unwrap();
        let (scope, id) = web.request();
        let now = web.now;
        match why {
            Why::Exchanges => {
                for _ in 0..2 {
                    web.send(modern_call(json!(1), "work")).unwrap();
                }
            }
            Why::Waiting => {
                web.send(modern_call(json!(1), "work")).unwrap();
                let (scope, id) = web.request();
                let long = CallToolResult::text("y".repeat(2000));
                web.server.endpoint_mut(scope).unwrap().respond(&id, &long, now).unwrap();
            }
            Why::Draining => web.server.drain(now),
        }
        web.listen();
        web.events.clear();
        let mut full = Self { web, session, exchange, scope, id };
        assert_eq!(full.say(&call(json!(2), "work")), 503, "{why:?}: it takes no request");
        assert_eq!(full.web.ask(modern_call(json!(2), "work")).status(), 503);
        full
    }

    fn request(&self, message: &Value) -> Request<Bytes> {
        in_session(message, &self.session, REVISION)
    }

    /// Sends a message in the session. The status of its response.
    fn say(&mut self, message: &Value) -> u16 {
        let request = self.request(message);
        self.web.ask(request).status()
    }

    fn told(&self, is_it: fn(&Event) -> bool) -> bool {
        self.web.events.iter().any(|(_, event)| is_it(event))
    }
}

fn pong(id: &RequestId) -> Value {
    json!({"jsonrpc": "2.0", "id": id.as_i64(), "result": {}})
}

#[test]
fn answers_to_calls_of_the_server_come_in() {
    for why in REASONS {
        let mut full = Full::new(why);
        let now = full.web.now;
        let endpoint = full.web.server.endpoint_mut(full.scope).unwrap();
        let asked = endpoint.request_raw("roots/list", None, Default::default(), now).unwrap();
        full.web.server.poll_ready();
        assert_eq!(full.say(&pong(&asked)), 202, "{why:?}");
        assert!(full.told(|event| matches!(event, Event::Response { .. })), "{why:?}");
    }
}

#[test]
fn cancellations_and_other_notifications_come_in() {
    for why in REASONS {
        let mut full = Full::new(why);
        let changed = json!({"jsonrpc": "2.0", "method": "notifications/roots/list_changed"});
        assert_eq!(full.say(&changed), 202, "{why:?}");
        assert!(full.told(|event| matches!(event, Event::Notification { .. })));
        let cancelled = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": {"requestId": 1}});
        assert_eq!(full.say(&cancelled), 202, "{why:?}");
        assert!(full.told(|event| matches!(event, Event::Cancelled { .. })), "{why:?}");
        // What opens a request is no notification, whatever it says of itself.
        let mut disguised = full.request(&call(json!(3), "work"));
        let notification = "notifications/cancelled".parse().unwrap();
        disguised.headers_mut().insert("mcp-method", notification);
        assert_eq!(full.web.ask(disguised).status(), 503, "{why:?}");
        assert_eq!(full.say(&json!([call(json!(4), "work")])), 503, "{why:?}");
    }
}

#[test]
fn sessions_can_be_ended_and_none_opened() {
    for why in REASONS {
        let mut full = Full::new(why);
        assert_eq!(full.web.ask(post(&initialize(REVISION), &[])).status(), 503, "{why:?}");
        let headers = [("mcp-session-id", &*full.session)];
        assert_eq!(full.web.ask(bare(Method::DELETE, Bytes::new(), &headers)).status(), 204);
        assert_eq!(full.web.server.sessions(), 0, "{why:?}");
    }
}

#[test]
fn a_stream_of_a_request_is_taken_up_again() {
    for why in REASONS {
        let mut full = Full::new(why);
        let first = full.web.take(full.exchange).events().remove(0).id;
        let now = full.web.now;
        full.web.hang_up(full.exchange);
        // Hanging up makes no room: it still runs.
        assert_eq!(full.web.ask(modern_call(json!(1), "work")).status(), 503);
        let endpoint = full.web.server.endpoint_mut(full.scope).unwrap();
        endpoint.report(&full.id, Progress::new(1.0), Weight::Ordinary, now).unwrap();
        endpoint.respond(&full.id, &CallToolResult::text("done"), now).unwrap();
        let exchange = full.web.send(get(&full.session, REVISION, Some(&first))).unwrap();
        let answer = full.web.take(exchange);
        assert_eq!(answer.messages().len(), 2, "{why:?}: {answer:?}");
        assert_eq!(answer.end, Some(Body::End));
        // It names the end of it, but there is nothing to take up.
        let unnamed = full.web.ask(get(&full.session, REVISION, Some("")));
        assert_eq!(unnamed.status(), if why == Why::Draining { 503 } else { 200 });
    }
}

#[test]
fn what_finishes_work_has_a_limit_of_its_own() {
    let mut full = Full::new(Why::Exchanges);
    let ready = full.request(&json!({"jsonrpc": "2.0", "method": "notifications/x"}));
    let untaken: Vec<_> =
        (0..2).map(|_| full.web.send(ready.clone()).expect("there is room")).collect();
    assert_eq!(full.web.ask(ready.clone()).status(), 503, "nobody takes the responses");
    assert_eq!(full.web.take(untaken[0]).status(), 202);
    assert_eq!(full.web.ask(ready).status(), 202, "there is room again");
}

#[test]
fn a_response_that_is_never_taken_gives_its_place_back_in_time() {
    let mut full = Full::new(Why::Exchanges);
    let ready = full.request(&json!({"jsonrpc": "2.0", "method": "notifications/x"}));
    let untaken: Vec<_> =
        (0..2).map(|_| full.web.send(ready.clone()).expect("there is room")).collect();
    assert_eq!(full.web.ask(ready.clone()).status(), 503);
    while full.web.server.poll_ready().is_some() {}
    full.web.pass(Duration::from_secs(29));
    assert_eq!(full.web.ask(ready.clone()).status(), 503);
    full.web.pass(Duration::from_secs(2));
    assert_eq!(full.web.ask(ready).status(), 202, "who does not read has no place");
    for exchange in untaken {
        assert_eq!(full.web.take(exchange).end, Some(Body::Broken));
    }
}

#[test]
fn bodies_that_were_let_in_at_once_find_the_room_that_is_left() {
    let mut full = Full::new(Why::Exchanges);
    let request = full.request(&json!({"jsonrpc": "2.0", "method": "notifications/x"}));
    let (head, body) = request.into_parts();
    let admitted: Vec<_> =
        (0..4).map(|_| full.web.server.handle_head(&head).expect("there is room")).collect();
    let mut statuses = Vec::new();
    for admission in admitted {
        let request = Request::from_parts(head.clone(), body.clone());
        let now = full.web.now;
        statuses.push(full.web.server.handle_request(admission, request, Default::default(), now));
    }
    let status = |said: Result<Exchange, http::Response<Bytes>>| match said {
        Ok(exchange) => full.web.take(exchange).status(),
        Err(refusal) => refusal.status().as_u16(),
    };
    let statuses: Vec<_> = statuses.into_iter().map(status).collect();
    assert_eq!(statuses, [202, 202, 503, 503]);
}

#[test]
fn idle_streams_take_no_place_of_requests_and_have_a_limit_of_their_own() {
    let options = ServerOptions::default().max_exchanges(2).max_standing_streams(3).http_sse();
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let sessions: Vec<_> = (0..4).map(|_| web.open(REVISION)).collect();
    let streams: Vec<_> =
        (0..3).map(|at| web.send(get(&sessions[at], REVISION, None)).unwrap()).collect();
    let refused = web.ask(get(&sessions[3], REVISION, None));
    assert_eq!((refused.status(), refused.header("retry-after").is_some()), (503, true));
    let sse = || bare(Method::GET, Bytes::new(), &[("accept", "text/event-stream")]);
    assert_eq!(web.ask(sse()).status(), 503, "HTTP+SSE counts too");
    let mut returning = sse();
    returning.headers_mut().insert("last-event-id", "1-1".parse().unwrap());
    assert_eq!(web.ask(returning).status(), 503, "without a session there is nothing to take up");

    // Requests do not notice.
    let exchange = web.send(in_session(&call(json!(1), "x"), &sessions[0], REVISION)).unwrap();
    let modern = web.send(modern(json!(1), "tools/list", json!({}))).unwrap();
    assert_eq!(web.requests().len(), 2);
    assert_eq!(web.ask(modern_call(json!(1), "x")).status(), 503, "and they have their limit");
    web.hang_up(modern);
    web.take(exchange);

    // A stream that ends makes room, and so does one that nobody reads.
    web.hang_up(streams[0]);
    let opened = web.send(sse()).unwrap();
    assert_eq!(web.ask(get(&sessions[3], REVISION, None)).status(), 503);
    web.hang_up(opened);
    web.send(get(&sessions[3], REVISION, None)).unwrap();
    assert_eq!(web.ask(sse()).status(), 503);
}

#[test]
fn a_stream_of_no_request_that_is_taken_up_again_counts_among_its_kind() {
    let options = ServerOptions::default().max_standing_streams(1);
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let session = web.open(REVISION);
    let stream = web.send(get(&session, REVISION, None)).unwrap();
    let id = web.take(stream).events().remove(0).id;
    let again = get(&session, REVISION, Some(&id));
    assert_eq!(web.ask(again.clone()).status(), 503, "its former connection is there still");
    web.hang_up(stream);
    web.send(again).unwrap();
    let other = web.open(REVISION);
    assert_eq!(web.ask(get(&other, REVISION, None)).status(), 503);
}

#[test]
fn streams_that_were_cut_and_never_let_go_have_the_limit_of_all_others() {
    let standing = |web: &mut Web, session: &str| web.send(get(session, REVISION, None));
    let passing = |web: &mut Web, _: &str| web.send(modern_call(json!(1), "work"));
    // As many as there are places, and then as many as each kind may have.
    for (open, most) in [(standing as Open, 4 + 4), (passing, 4 + 3)] {
        let mut options = ServerOptions::default().max_exchanges(3).max_standing_streams(2);
        (options.max_finishing, options.keep_alive) = (1, Some(Duration::from_secs(1)));
        let mut web = Web::with(ServerConfig::new("s", "1"), options);
        let session = web.open(REVISION);
        for cut in 0..most {
            open(&mut web, &session).unwrap_or_else(|_| panic!("{cut} take no place"));
            // Nobody reads it, so it is cut; and nobody asks for it again.
            web.pass(Duration::from_secs(60));
            for (scope, id) in web.requests() {
                let now = web.now;
                web.server.endpoint_mut(scope).unwrap().abandon(&id, now);
            }
            assert_eq!(web.server.exchanges(), 0);
        }
        assert_eq!(open(&mut web, &session).unwrap_err().status(), 503);
    }
}

type Open = fn(&mut Web, &str) -> Result<Exchange, Box<http::Response<Bytes>>>;
