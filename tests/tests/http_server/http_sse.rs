//! HTTP+SSE of 2024-11-05 (R-OSSE-01 to R-OSSE-08).

use bytes::Bytes;
use http::{Method, Request};
use mcp_proto::http::{Body, Exchange, Scope, ServerOptions};
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::{CallToolResult, Event, Progress, RequestId, Revision, ServerConfig};
use mcp_tests::secs;
use mcp_tests::web::{Answer, Web, bare, call, events, initialize, to_announced};
use serde_json::json;

fn stream() -> Request<Bytes> {
    bare(Method::GET, Bytes::new(), &[("accept", "text/event-stream")])
}

#[test]
fn one_stream_is_the_session_and_bears_everything() {
    let mut web = Web::with(ServerConfig::new("s", "1"), ServerOptions::default().http_sse());
    let exchange = web.send(stream()).unwrap();
    let answer = web.take(exchange);
    assert!(answer.is_stream());
    let first = &answer.events()[0];
    assert_eq!(first.name, "endpoint", "R-OSSE-02");
    let address = first.data.clone();
    // A path would be the one that the server sees, and not the one by which its client reaches it.
    assert!(address.starts_with("?sessionId="), "{address}");

    let answer = web.ask(to_announced(&address, &initialize(Revision::V2024_11_05)));
    assert_eq!((answer.status(), answer.body.len()), (202, 0), "answers are on the stream");
    let welcome = events(&web.take(exchange).body);
    assert!(welcome[0].name.is_empty() && welcome[0].id.is_empty(), "R-OSSE-04");
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    assert_eq!(web.ask(to_announced(&address, &ready)).status(), 202);

    assert_eq!(web.ask(to_announced(&address, &call(json!(1), "work"))).status(), 202);
    let (scope, id) = web.requests().pop().unwrap();
    let now = web.now;
    let endpoint = web.server.endpoint_mut(scope).unwrap();
    endpoint.report(&id, Progress::new(1.0), Weight::Ordinary, now).unwrap();
    endpoint.respond(&id, &CallToolResult::text("done"), now).unwrap();
    endpoint.request_raw("roots/list", None, Default::default(), now).unwrap();
    let messages = web.take(exchange).messages();
    assert_eq!(messages[0]["params"]["progress"], 1.0);
    assert_eq!((&messages[1]["id"], &messages[2]["method"]), (&json!(1), &json!("roots/list")));
    assert_eq!(web.ask(to_announced(&address, &json!([]))).status(), 400);

    assert_eq!(web.ask(to_announced(&address, &call(json!(2), "slow"))).status(), 202);
    web.listen();
    web.events.clear();
    web.hang_up(exchange);
    assert!(matches!(web.events.last(), Some((_, Event::Closed(_)))), "{:?}", web.events);
    assert_eq!(web.ask(to_announced(&address, &ready)).status(), 404);
    assert_eq!((web.server.sessions(), web.server.exchanges()), (0, 0));
}

#[test]
fn it_is_served_only_where_it_is_wanted() {
    // R-OSSE-07
    let mut web = Web::new();
    assert_eq!(web.ask(stream()).status(), 400);
    let options = ServerOptions::default().http_sse();
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let mut foreign = stream();
    foreign.headers_mut().insert("origin", "http://evil.example".parse().unwrap());
    assert_eq!(web.ask(foreign).status(), 403, "R-OSSE-05");
}

#[test]
fn the_address_for_messages_keeps_what_that_of_the_stream_says() {
    // R-OSSE-02; a key may stand there, and the address of each message replaces the query of the stream.
    let options = ServerOptions::default().http_sse();
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    for (query, kept) in [("key=a%20b&x", "?key=a%20b&x&sessionId="), ("", "?sessionId=")] {
        let mut request = stream();
        *request.uri_mut() = format!("/sse?{query}").parse().unwrap();
        let exchange = web.send(request).unwrap();
        let address = web.take(exchange).events().remove(0).data;
        assert!(address.starts_with(kept), "{address}");
        let answer = web.ask(to_announced(&address, &initialize(Revision::V2024_11_05)));
        assert_eq!(answer.status(), 202, "{address}");
    }
}

/// A session that is open, its stream, and where messages go.
fn opened(options: ServerOptions) -> (Web, Exchange, String) {
    let config = ServerConfig::new("s", "1").pacing(Pacing::UNLIMITED);
    let mut web = Web::with(config, options.http_sse());
    let exchange = web.send(stream()).unwrap();
    let address = web.take(exchange).events().remove(0).data;
    let ready = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    for message in [initialize(Revision::V2024_11_05), ready] {
        assert_eq!(web.ask(to_announced(&address, &message)).status(), 202);
    }
    web.take(exchange);
    (web, exchange, address)
}

fn report(web: &mut Web, scope: Scope, id: &RequestId, value: u32) {
    let now = web.now;
    let endpoint = web.server.endpoint_mut(scope).unwrap();
    endpoint.report(id, Progress::new(value.into()), Weight::Ordinary, now).unwrap();
    web.server.poll_ready();
}

/// The values that were reported of a request.
fn values(answer: &Answer, token: u32) -> Vec<f64> {
    let of_it = answer.messages().into_iter().map(|message| message["params"].clone());
    let of_it = of_it.filter(|report| report["progressToken"] == token);
    of_it.map(|report| report["progress"].as_f64().unwrap()).collect()
}

#[test]
fn reports_of_a_request_that_comes_while_the_stream_is_held_merge_too() {
    // RELIABILITY T8, T38
    let (mut web, exchange, address) = opened(ServerOptions::default());
    assert_eq!(web.ask(to_announced(&address, &call(json!(1), "work"))).status(), 202);
    let (scope, first) = web.request();
    let mut step = 0;
    while web.server.endpoint(scope).unwrap().merged_reports(&first) == 0 {
        step += 1;
        report(&mut web, scope, &first, step);
        assert!(step < 5000, "it is held before long");
    }
    assert_eq!(web.ask(to_announced(&address, &call(json!(2), "work"))).status(), 202);
    let (_, second) = web.request();
    for value in 1..=10_000 {
        report(&mut web, scope, &second, value);
    }
    let answer = web.take(exchange);
    assert!(answer.body.len() < 200 << 10, "{} bytes wait", answer.body.len());
    assert_eq!(values(&answer, 2), [10_000.0], "the newest leaves when there is room");
}

/// FIELD-BUGS 24, 25; R-CANC-07.
#[test]
fn reports_of_a_cancelled_request_do_not_leave() {
    let (mut web, exchange, address) = opened(ServerOptions::default());
    for id in [1, 2] {
        assert_eq!(web.ask(to_announced(&address, &call(json!(id), "work"))).status(), 202);
    }
    let requests = web.requests();
    for value in 1..=3 {
        requests.iter().for_each(|(scope, id)| report(&mut web, *scope, id, value));
    }
    let cancel =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}});
    assert_eq!(web.ask(to_announced(&address, &cancel)).status(), 202);
    let answer = web.take(exchange);
    assert_eq!((values(&answer, 1), values(&answer, 2)), (vec![], vec![1.0, 2.0, 3.0]));
}

#[test]
fn a_stream_that_is_only_opened_ends() {
    // RELIABILITY T36
    let options = ServerOptions::default().http_sse().max_standing_streams(1);
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let exchange = web.send(stream()).unwrap();
    for _ in 0..59 {
        web.take(exchange);
        web.pass(secs(1));
    }
    assert_eq!(web.ask(stream()).status(), 503, "it has its place");
    web.pass(secs(2));
    assert_eq!(web.server.sessions(), 0);
    assert_eq!(web.take(exchange).end, Some(Body::End));
    web.send(stream()).unwrap();
    // One that is used stays.
    let (mut web, exchange, _) = opened(ServerOptions::default());
    for _ in 0..61 {
        web.take(exchange);
        web.pass(secs(10));
    }
    assert_eq!((web.server.sessions(), web.take(exchange).end), (1, None));
}
