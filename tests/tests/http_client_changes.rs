//! The server behind the address is exchanged for one of the other era. R-ERA-09, R-VER-14, -16; PROTOCOL.md §1.6.

use std::time::Duration;

use mcp_proto::http::{ClientOptions, Exchange};
use mcp_proto::{CallError, CallOptions, Event, HttpError, RequestId, Revision};
use mcp_tests::http_hand::{
    HttpHand, JSON, config, data, done, error_of, header, id_of, method_of, report, result_of,
};

const DUAL: [Revision; 4] =
    [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28];
const LEGACY: Revision = Revision::V2025_11_25;
const MODERN: Revision = Revision::V2026_07_28;

/// A client of both eras that speaks with a modern server.
fn modern() -> HttpHand {
    let mut hand = HttpHand::new(config(&DUAL), ClientOptions::default());
    hand.shake_hands(MODERN, None);
    hand
}

/// One that found a legacy server instead.
fn legacy() -> HttpHand {
    let mut hand = HttpHand::new(config(&DUAL), ClientOptions::default());
    let (probe, _) = hand.take();
    hand.status(probe, 400);
    hand.shake_hands(LEGACY, Some("sess-1"));
    hand
}

fn unsupported(id: &str, supported: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32022,"message":"m","data":{{"supported":[{supported}]}}}}}}"#
    )
}

fn refuse(hand: &mut HttpHand, exchange: Exchange, status: u16, body: &str) {
    let kind = if body.starts_with('{') { JSON } else { "text/plain" };
    hand.answer(exchange, status, &[("content-type", kind)], body.as_bytes());
}

/// Calls, and gives the call this refusal.
fn refused(hand: &mut HttpHand, status: u16, body: impl Fn(&str) -> String) -> RequestId {
    let (id, exchange) = hand.call("a");
    let body = body(&id.to_string());
    refuse(hand, exchange, status, &body);
    assert!(hand.error(&id).to_string().len() > 3);
    id
}

fn probe(hand: &mut HttpHand) -> Exchange {
    let (exchange, request) = hand.take();
    assert_eq!(method_of(&request), "server/discover");
    assert_eq!(header(&request, "mcp-protocol-version"), Some("2026-07-28"));
    exchange
}

fn revision(hand: &HttpHand) -> Option<Revision> {
    hand.client.peer().map(|peer| peer.revision)
}

fn meetings(hand: &HttpHand) -> usize {
    hand.told.iter().filter(|event| matches!(event, Event::Ready(_))).count()
}

#[test]
fn a_server_that_was_rolled_back_is_found_out_and_spoken_to() {
    type Body = fn(&str) -> String;
    let bodies: [Body; 5] = [
        |id| unsupported(id, r#""2025-11-25","2025-06-18""#),
        |_| unsupported("null", r#""2025-11-25""#),
        |id| error_of(id, -32600),
        |_| error_of("null", -32000),
        |_| error_of(r#""server-error""#, -32600),
    ];
    for body in bodies {
        let mut hand = modern();
        let (other, beside) = hand.call("other");
        hand.stream(beside);
        let id = refused(&mut hand, 400, body);
        let exchange = probe(&mut hand);
        // Nothing is decided yet: what runs goes on, what is asked for is asked.
        hand.chunk(beside, data(&report(&other, 1)));
        assert_eq!((hand.reports(&other), hand.outcome(&other)), (vec![1.0], None));
        let asked = id_of(&hand.requests[&exchange]);
        refuse(&mut hand, exchange, 400, &body(&asked));
        // Now it is.
        assert_eq!(hand.error(&other), CallError::Http(HttpError::SessionExpired));
        assert!(hand.aborted.contains(&beside));
        assert_eq!(revision(&hand), None);
        let held = hand.begin("held", CallOptions::default());
        let (_, request) = hand.opened.front().unwrap();
        assert_eq!(method_of(request), "initialize");
        assert_eq!(header(request, "mcp-protocol-version"), None);
        // What follows is a handshake like any other.
        let (exchange, request) = hand.take();
        hand.head(exchange, 200, &[("content-type", JSON), ("mcp-session-id", "s")]);
        let result = mcp_tests::http_hand::initialize_result(LEGACY);
        hand.chunk(exchange, result_of(&id_of(&request), &result));
        hand.end(exchange);
        let (exchange, request) = hand.take();
        assert_eq!(method_of(&request), "notifications/initialized");
        hand.accept(exchange);
        let calls: Vec<_> = hand.opened.drain(..).collect();
        let (exchange, request) =
            calls.iter().find(|(_, request)| method_of(request) == "tools/call").unwrap();
        assert_eq!(header(request, "mcp-session-id"), Some("s"));
        assert_eq!(header(request, "mcp-method"), None);
        hand.answer_json(*exchange, &done(&held));
        assert!(hand.outcome(&held).unwrap().is_ok());
        assert_eq!((revision(&hand), meetings(&hand)), (Some(LEGACY), 2));
        // The call that met it was sent once.
        let sent = |(_, request): &(_, _)| id_of(request) == id.to_string();
        assert_eq!(hand.requests.iter().map(|(a, b)| (*a, b.clone())).filter(sent).count(), 1);
        assert!(hand.violations().is_empty());
    }
}

#[test]
fn a_server_that_has_not_changed_is_asked_and_nothing_else_happens() {
    let mut hand = modern();
    let (other, beside) = hand.call("other");
    hand.stream(beside);
    refused(&mut hand, 400, |_| "Bad Request".into());
    hand.shake_hands(MODERN, None);
    hand.chunk(beside, data(&report(&other, 1)) + &data(&done(&other)));
    hand.end(beside);
    assert!(hand.outcome(&other).unwrap().is_ok());
    assert_eq!((revision(&hand), meetings(&hand)), (Some(MODERN), 1));
    assert!(hand.opened.is_empty() && hand.violations().is_empty() && hand.aborted.is_empty());
}

#[test]
fn what_says_nothing_of_the_era_makes_nobody_ask() {
    type Body = fn(&str) -> String;
    let cases: [(u16, Body); 18] = [
        (401, |_| String::new()),
        (403, |_| error_of("null", -32000)),
        (404, |_| "Not Found".into()),
        (404, |id| error_of(id, -32601)),
        (405, |_| String::new()),
        (408, |_| String::new()),
        (413, |_| String::new()),
        (429, |_| String::new()),
        (500, |_| "boom".into()),
        (502, |_| String::new()),
        (503, |_| error_of("null", -32000)),
        // Of this call alone.
        (400, |id| error_of(id, -32602)),
        (400, |id| error_of(id, -32603)),
        (400, |id| error_of(id, -32000)),
        // No legacy server says these.
        (400, |id| error_of(id, -32021)),
        (400, |id| unsupported(id, r#""2025-11-25","2026-07-28""#)),
        // None that both speak: there is nowhere to go.
        (400, |id| unsupported(id, r#""2024-11-05","2031-01-01""#)),
        (200, |id| error_of(id, -32601)),
    ];
    for (status, body) in cases {
        let mut hand = modern();
        refused(&mut hand, status, body);
        assert!(hand.opened.is_empty(), "{status} {}", body("1"));
        assert_eq!(meetings(&hand), 1);
    }
    for id in [None, Some("null")] {
        // Headers that are not as the server wants them are asked for, and that is all.
        let mut hand = modern();
        let (call, exchange) = hand.call("a");
        let error = error_of(id.unwrap_or(&call.to_string()), -32020);
        refuse(&mut hand, exchange, 400, &error);
        let (exchange, request) = hand.take();
        assert_eq!(method_of(&request), "tools/list");
        hand.status(exchange, 503);
        assert!(matches!(hand.error(&call), CallError::Peer(error) if error.code == -32020));
        assert!(hand.opened.is_empty());
    }
    let mut hand = modern();
    let ((one, first), (two, second)) = (hand.call("a"), hand.call("b"));
    hand.cut(first);
    hand.stream(second);
    hand.cut(second);
    assert_eq!(hand.error(&one), CallError::Http(HttpError::Unreachable));
    assert_eq!(hand.error(&two), CallError::Http(HttpError::Cut));
    assert!(hand.opened.is_empty());
    // And who speaks no other era has nothing to find out.
    let mut hand = HttpHand::ready(MODERN);
    refused(&mut hand, 400, |_| String::new());
    refused(&mut hand, 400, |id| unsupported(id, r#""2025-11-25""#));
    let mut hand = HttpHand::ready(LEGACY);
    refused(&mut hand, 400, |id| unsupported(id, r#""2026-07-28""#));
    assert!(hand.opened.is_empty());
}

#[test]
fn a_question_that_is_not_answered_changes_nothing() {
    type Fault = fn(&mut HttpHand, Exchange);
    let faults: [Fault; 12] = [
        |hand, exchange| hand.status(exchange, 401),
        |hand, exchange| hand.status(exchange, 429),
        |hand, exchange| hand.status(exchange, 500),
        |hand, exchange| {
            let id = id_of(&hand.requests[&exchange]);
            refuse(hand, exchange, 503, &error_of(&id, -32603));
        },
        |hand, exchange| hand.cut(exchange),
        |hand, exchange| hand.accept(exchange),
        |hand, exchange| refuse(hand, exchange, 400, &error_of("null", -32020)),
        |hand, _| hand.pass(Duration::from_secs(11)),
        // What stands before the server may refuse anything, for as long as the server is exchanged.
        |hand, exchange| hand.status(exchange, 404),
        |hand, exchange| refuse(hand, exchange, 400, "no such upstream"),
        |hand, exchange| {
            let id = id_of(&hand.requests[&exchange]);
            hand.answer_json(exchange, &result_of(&id, "{}"));
        },
        |hand, exchange| hand.answer_json(exchange, "{"),
    ];
    for fault in faults {
        let mut hand = modern();
        let (other, beside) = hand.call("other");
        refused(&mut hand, 400, |_| String::new());
        let exchange = probe(&mut hand);
        fault(&mut hand, exchange);
        assert!(hand.opened.is_empty());
        hand.answer_json(beside, &done(&other));
        assert!(hand.outcome(&other).unwrap().is_ok());
        assert_eq!((revision(&hand), meetings(&hand)), (Some(MODERN), 1));
    }
}

#[test]
fn it_is_asked_once_at_a_time_and_not_for_ever() {
    let mut hand = modern();
    let calls: Vec<_> = (0..5).map(|_| hand.call("a")).collect();
    for (_, exchange) in &calls {
        hand.status(*exchange, 400);
    }
    assert_eq!(hand.opened.len(), 1, "one question for all");
    hand.shake_hands(MODERN, None);
    let mut asked = 1;
    for _ in 0..10 {
        refused(&mut hand, 400, |_| String::new());
        if !hand.opened.is_empty() {
            asked += 1;
            hand.shake_hands(MODERN, None);
        }
    }
    assert_eq!(asked, 3);
    // A call that goes well shows that the era holds: from there it is counted anew.
    let (id, exchange) = hand.call("a");
    hand.answer_json(exchange, &done(&id));
    refused(&mut hand, 400, |_| String::new());
    probe(&mut hand);
}

#[test]
fn a_session_whose_server_has_become_modern_is_left() {
    let mut hand = legacy();
    for _ in 0..2 {
        let (other, beside) = hand.call("other");
        hand.stream(beside);
        let (id, exchange) = hand.call("a");
        let refusal = unsupported(&id.to_string(), r#""2026-07-28""#);
        refuse(&mut hand, exchange, 400, &refusal);
        assert!(matches!(hand.error(&id), CallError::Peer(error) if error.code == -32022));
        assert_eq!(hand.error(&other), CallError::Http(HttpError::SessionExpired));
        assert!(hand.aborted.contains(&beside));
        let (_, request) = hand.opened.front().unwrap();
        assert_eq!(header(request, "mcp-session-id"), None);
        hand.shake_hands(MODERN, None);
        assert_eq!(revision(&hand), Some(MODERN));
        let (id, exchange) = hand.call("a");
        hand.answer_json(exchange, &done(&id));
        assert!(hand.outcome(&id).unwrap().is_ok());
        // And back.
        refused(&mut hand, 400, |id| unsupported(id, r#""2025-11-25""#));
        let exchange = probe(&mut hand);
        refuse(&mut hand, exchange, 400, &unsupported("null", r#""2025-11-25""#));
        hand.shake_hands(LEGACY, Some("sess-2"));
        let (id, exchange) = hand.call("a");
        hand.answer_json(exchange, &done(&id));
        assert!(hand.outcome(&id).unwrap().is_ok());
    }
    assert_eq!(meetings(&hand), 5);
    // What a legacy server may say too, or what speaks against itself, is an error of its call.
    for body in [
        |id: &str| error_of(id, -32602),
        |id: &str| error_of(id, -32600),
        |_: &str| error_of("null", -32000),
        |id: &str| unsupported(id, r#""2025-11-25","2026-07-28""#),
        |id: &str| unsupported(id, r#""2025-06-18""#),
    ] {
        refused(&mut hand, 400, body);
        assert!(hand.opened.is_empty(), "{}", body("1"));
    }
}
