//! Refusals of requests that were read: each names its request, or its caller would wait on (RELIABILITY, section 0).

use bytes::Bytes;
use http::Request;
use mcp_proto::http::{Caller, ServerOptions};
use mcp_proto::{Revision, ServerConfig};
use mcp_tests::web::{Answer, Web, call, in_session, initialize, modern, modern_call, post};
use serde_json::{Value, json};

const REVISION: Revision = Revision::V2025_11_25;

/// A request that its sender knows again.
fn ping() -> Value {
    json!({"jsonrpc": "2.0", "id": "mine", "method": "ping"})
}

fn opening() -> Value {
    let mut opening = initialize(REVISION);
    opening["id"] = json!("mine");
    opening
}

fn named(answer: &Answer) -> (u16, Value) {
    (answer.status(), answer.json()["id"].clone())
}

#[test]
fn whoever_has_no_session_is_told_by_the_id_of_the_request() {
    let mut web = Web::new();
    let session = web.open(REVISION);
    assert_eq!(named(&web.ask(post(&ping(), &[]))), (400, json!("mine")));
    let stray = in_session(&ping(), "unknown", REVISION);
    assert_eq!(named(&web.ask(stray)), (404, json!("mine")));
    let other = [("mcp-session-id", &*session), ("mcp-protocol-version", "banana")];
    assert_eq!(named(&web.ask(post(&ping(), &other))), (400, json!("mine")));
    // What can be read of a message that is none.
    let odd = json!({"jsonrpc": "2.0", "id": "mine", "method": "ping", "params": 7});
    assert_eq!(named(&web.ask(in_session(&odd, "unknown", REVISION))), (404, json!("mine")));
    // What opens no request has no id of its own: that of an answer is ours.
    for message in [
        json!({"jsonrpc": "2.0", "method": "notifications/x"}),
        json!({"jsonrpc": "2.0", "id": "ours", "result": {}}),
    ] {
        let answer = web.ask(in_session(&message, "unknown", REVISION));
        assert_eq!(named(&answer), (404, Value::Null), "{message}");
        assert_eq!(answer.json().get("id"), None, "left out, not null");
    }
}

#[test]
fn whoever_opens_no_session_is_told_by_the_id_of_the_request() {
    let mut options = ServerOptions::default().max_sessions(1);
    options.max_opening_len = 1000;
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let mut long = opening();
    long["params"]["clientInfo"]["title"] = "x".repeat(1000).into();
    assert_eq!(named(&web.ask(post(&long, &[]))), (413, json!("mine")));
    let (head, body) = post(&opening(), &[]).into_parts();
    let admission = web.server.handle_head(&head).unwrap();
    let request = Request::from_parts(head, body);
    let unguessable = Caller::default();
    let exchange = web.server.handle_request(admission, request, unguessable, web.now).unwrap();
    assert_eq!(named(&web.take(exchange)), (503, json!("mine")), "no entropy");
    let session = web.open(REVISION);
    web.send(in_session(&call(json!(1), "work"), &session, REVISION)).unwrap();
    assert_eq!(named(&web.ask(post(&opening(), &[]))), (503, json!("mine")), "none is idle");
}

#[test]
fn whoever_comes_when_there_is_no_room_is_told_by_the_id_of_the_request() {
    let options = ServerOptions::default().max_exchanges(2);
    let mut web = Web::with(ServerConfig::new("s", "1"), options);
    let session = web.open(REVISION);
    let early = |web: &Web| {
        let (head, body) = modern_call(json!("mine"), "work").into_parts();
        (web.server.handle_head(&head).unwrap(), Request::from_parts(head, body))
    };
    let (admission, request) = early(&web);
    let (empty_admission, mut empty) = early(&web);
    *empty.body_mut() = Bytes::new();
    for id in 1..=2 {
        web.send(in_session(&call(json!(id), "work"), &session, REVISION)).unwrap();
    }
    // From its head it may have been what finishes work.
    assert_eq!(named(&web.ask(in_session(&ping(), &session, REVISION))), (503, json!("mine")));
    // Others have come in since its head was read.
    let refused = web.server.handle_request(admission, request, Caller::default(), web.now);
    let refused = Answer::refused(refused.unwrap_err());
    assert_eq!(named(&refused), (503, json!("mine")));
    assert!(refused.header("retry-after").is_some());
    let refused = web.server.handle_request(empty_admission, empty, Caller::default(), web.now);
    assert_eq!(named(&Answer::refused(refused.unwrap_err())), (503, Value::Null));
}

#[test]
fn whose_session_or_server_ends_is_told_by_the_id_of_the_request() {
    // Of a revision in which a call with a token is no stream from its start.
    let revision = Revision::V2025_06_18;
    for by_client in [true, false] {
        let mut web = Web::new();
        let session = web.open(revision);
        let exchange =
            web.send(in_session(&call(json!("mine"), "work"), &session, revision)).unwrap();
        let listen = modern(json!("mine"), "subscriptions/listen", json!({"notifications": {}}));
        let subscription = web.send(listen).unwrap();
        web.listen();
        let now = web.now;
        if by_client {
            let headers = [("mcp-session-id", &*session)];
            let delete = mcp_tests::web::bare(http::Method::DELETE, Bytes::new(), &headers);
            assert_eq!(web.ask(delete).status(), 204);
        } else {
            web.server.drain(now);
            assert_eq!(named(&web.take(subscription)), (503, json!("mine")));
            web.server.close(now);
        }
        let status = if by_client { 404 } else { 503 };
        assert_eq!(named(&web.take(exchange)), (status, json!("mine")), "{by_client}");
    }
}

#[test]
fn a_version_that_nobody_knows_is_of_no_session() {
    // PROTOCOL, 1.6.3: a modern or unknown version without the keys of `_meta` is a modern request that is malformed.
    let mut web = Web::new();
    let list = json!({"jsonrpc": "2.0", "id": "mine", "method": "tools/list"});
    for version in ["2026-07-28", "2027-01-01", "banana"] {
        let answer = web.ask(post(&list, &[("mcp-protocol-version", version)]));
        assert_eq!((named(&answer), answer.code()), ((400, json!("mine")), Some(-32602)));
        let announced = json!({"jsonrpc": "2.0", "method": "notifications/x"});
        let answer = web.ask(post(&announced, &[("mcp-protocol-version", version)]));
        match version {
            "2026-07-28" => assert_eq!(answer.status(), 202),
            _ => assert_eq!((answer.status(), answer.code()), (400, Some(-32020)), "{version}"),
        }
    }
    // Of one that is known the session is missing, and `initialize` opens one whatever the header says.
    let answer = web.ask(post(&list, &[("mcp-protocol-version", "2025-11-25")]));
    assert_eq!((named(&answer), answer.code()), ((400, json!("mine")), Some(-32600)));
    let answer = web.ask(post(&opening(), &[("mcp-protocol-version", "2027-01-01")]));
    assert_eq!(answer.status(), 200);
}

#[test]
fn a_modern_request_without_its_meta_is_told_so_whatever_session_it_names() {
    // R-META-04, R-META-05, R-SESS-11: its revision knows no sessions.
    let mut web = Web::new();
    let session = web.open(REVISION);
    for id in ["unknown", &*session] {
        for (message, code, told) in [
            (
                json!({"jsonrpc": "2.0", "id": "mine", "method": "tools/list"}),
                -32602,
                json!("mine"),
            ),
            (json!({"jsonrpc": "2.0", "id": "mine", "result": {}}), -32600, Value::Null),
            (json!([]), -32600, Value::Null),
        ] {
            let answer = web.ask(in_session(&message, id, Revision::V2026_07_28));
            assert_eq!(
                (named(&answer), answer.code()),
                ((400, told), Some(code)),
                "{id} {message}"
            );
        }
        let mut broken = in_session(&json!({}), id, Revision::V2026_07_28);
        *broken.body_mut() = Bytes::from_static(b"not json");
        let answer = web.ask(broken);
        assert_eq!((named(&answer), answer.code()), ((400, Value::Null), Some(-32700)), "{id}");
    }
    assert_eq!(web.server.sessions(), 1);
    assert_eq!(web.ask(in_session(&ping(), &session, REVISION)).status(), 200);
}

#[test]
fn who_opens_a_session_with_a_version_that_cannot_be_read_is_told_so() {
    // R-VER-10. What a readable one names is of no matter: that is what the handshake is for.
    let mut web = Web::new();
    let version = "mcp-protocol-version";
    for headers in [
        vec![(version, "2025-11-25"), (version, "2025-11-25")],
        vec![(version, "2025-11-25"), (version, "2025-06-18")],
        vec![(version, "")],
        vec![(version, " \t")],
        vec![(version, "2025-11-25, 2025-06-18")],
    ] {
        let answer = web.ask(post(&opening(), &headers));
        assert_eq!(
            (named(&answer), answer.code()),
            ((400, json!("mine")), Some(-32600)),
            "{headers:?}"
        );
    }
    assert_eq!(web.server.sessions(), 0);
    for version_said in ["2025-03-26", " 2025-11-25 ", "2027-01-01", "banana"] {
        let answer = web.ask(post(&opening(), &[(version, version_said)]));
        assert_eq!(answer.status(), 200, "{version_said}");
    }
}
