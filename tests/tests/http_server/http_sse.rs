//! HTTP+SSE of 2024-11-05 (R-OSSE-01 to R-OSSE-08).

use bytes::Bytes;
use http::{Method, Request};
use mcp_proto::http::ServerOptions;
use mcp_proto::progress::Weight;
use mcp_proto::{CallToolResult, Event, Progress, Revision, ServerConfig};
use mcp_tests::web::{Web, bare, call, events, initialize, to_announced};
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
