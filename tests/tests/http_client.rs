//! The client over HTTP: answers, statuses, cancellation, sessions. By requirement, see the names of the tests;
//! requests, eras and streams are in files of their own.

use std::time::Duration;

use http::Method;
use mcp_proto::http::{ClientOptions, Exchange};
use mcp_proto::json::RawJson;
use mcp_proto::{
    CallError, CallOptions, CallTool, CloseReason, Event, HttpError, Notification, RequestId,
    Revision, Violation,
};
use mcp_tests::RootsChanged;
use mcp_tests::http_hand::{
    HttpHand, JSON, config, data, done, error_of, header, id_of, initialize_result, method_of,
    result_of,
};

const LEGACY: [Revision; 3] = [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];
const MODERN: Revision = Revision::V2026_07_28;
const ALL: [Revision; 4] =
    [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25, MODERN];

// Answers. R-HTTP-11, R-H26-19, -24.

#[test]
fn both_kinds_of_answer_are_read() {
    for revision in ALL {
        let mut hand = HttpHand::ready(revision);
        let (id, exchange) = hand.call("a");
        hand.answer(
            exchange,
            200,
            &[("content-type", "application/json; charset=utf-8")],
            done(&id).as_bytes(),
        );
        assert!(hand.outcome(&id).unwrap().is_ok());

        let (id, exchange) = hand.call("a");
        hand.stream(exchange);
        hand.chunk(exchange, ": keep-alive\n\nretry: 10\n\ndata:\n\n");
        hand.chunk(exchange, data(&mcp_tests::http_hand::report(&id, 1)));
        assert_eq!(hand.outcome(&id), None);
        hand.chunk(exchange, data(&done(&id)));
        assert!(hand.outcome(&id).unwrap().is_ok());
        assert_eq!(hand.reports(&id), [1.0]);
        hand.end(exchange);
        assert!(hand.violations().is_empty() && hand.aborted.is_empty());
        assert_eq!(hand.client.calls_in_flight(), 0);
    }
}

#[test]
fn a_stream_that_stays_open_behind_the_answer_is_cut_and_what_it_says_is_dropped() {
    for revision in ALL {
        let mut hand = HttpHand::ready(revision);
        let (id, exchange) = hand.call("a");
        hand.stream(exchange);
        hand.chunk(
            exchange,
            data(&done(&id)) + &data(&mcp_tests::http_hand::report(&id, 9)) + &data(&done(&id)),
        );
        hand.chunk(exchange, data(r#"{"jsonrpc":"2.0","id":"s","method":"ping"}"#));
        assert!(hand.outcome(&id).unwrap().is_ok() && hand.reports(&id).is_empty());
        assert!(hand.opened.is_empty() && hand.aborted.is_empty());
        hand.pass(Duration::from_secs(1));
        assert_eq!(hand.aborted, [exchange]);
        assert_eq!(hand.client.poll_timeout(), None);
    }
}

#[test]
fn an_answer_that_is_none_ends_its_call_once() {
    let http = |error: HttpError| CallError::Http(error);
    for revision in ALL {
        for (status, headers, body, error) in [
            (204, &[][..], "", http(HttpError::NoAnswer)),
            (202, &[], "", http(HttpError::NoAnswer)),
            (200, &[("content-type", JSON)], "", http(HttpError::NoAnswer)),
            (200, &[("content-type", "text/html")], "<html>", http(HttpError::ContentType)),
            (200, &[], "{}", http(HttpError::ContentType)),
            (
                200,
                &[("content-type", JSON), ("content-encoding", "gzip")],
                "x",
                http(HttpError::ContentType),
            ),
            (
                200,
                &[("content-type", "application/json; charset=utf-16")],
                "x",
                http(HttpError::ContentType),
            ),
            (
                302,
                &[("location", "file:///etc/passwd")],
                "",
                http(HttpError::Status { status: 302, text: String::new() }),
            ),
            (
                429,
                &[("retry-after", "99999999999999")],
                "",
                http(HttpError::Status { status: 429, text: String::new() }),
            ),
            (
                500,
                &[("content-type", "text/plain")],
                "oh\u{1b} no",
                http(HttpError::Status { status: 500, text: "oh\u{1b} no".into() }),
            ),
        ] {
            let mut hand = HttpHand::ready(revision);
            let (id, exchange) = hand.call("a");
            hand.answer(exchange, status, headers, body.as_bytes());
            assert_eq!(hand.error(&id), error, "{status} {headers:?}");
            assert!(hand.opened.is_empty() && !hand.client.is_closed());
        }
        for (body, is_peer) in [
            ("<html>login</html>".to_owned(), false),
            (result_of("\"other\"", "{}"), false),
            (result_of("99", "{}"), false),
            (format!("[{}]", result_of("\"other\"", "{}")), false),
            (
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"m"}}"#.to_owned(),
                true,
            ),
            (r#"{"jsonrpc":"2.0","error":{"code":-32600,"message":"m"}}"#.to_owned(), true),
        ] {
            let mut hand = HttpHand::ready(revision);
            let (id, exchange) = hand.call("a");
            let (other, beside) = hand.call("b");
            hand.answer_json(exchange, &body);
            let is_right = match hand.error(&id) {
                CallError::Peer(_) => is_peer,
                CallError::Protocol(_) => !is_peer,
                _ => false,
            };
            assert!(is_right, "{body}: {:?}", hand.error(&id));
            assert_eq!(hand.outcome(&other), None, "it is not concerned");
            hand.answer_json(beside, &done(&other));
            assert!(hand.outcome(&other).unwrap().is_ok());
        }
    }
}

#[test]
fn the_answer_to_one_call_is_taken_on_no_other_exchange() {
    // RELIABILITY T10.
    for revision in ALL {
        let mut hand = HttpHand::ready(revision);
        let ((one, first), (two, second)) = (hand.call("a"), hand.call("b"));
        hand.stream(first);
        hand.chunk(first, data(&done(&two)));
        assert_eq!(hand.outcome(&two), None);
        assert_eq!(hand.violations(), [Violation::UnknownResponse(two.clone())]);
        hand.chunk(first, data(&done(&one)));
        hand.answer_json(second, &done(&two));
        assert!(hand.outcome(&one).unwrap().is_ok() && hand.outcome(&two).unwrap().is_ok());
    }
}

#[test]
fn the_error_in_the_body_of_a_status_is_the_peers() {
    for revision in ALL {
        for (status, code) in [(400, -32021), (400, -32602), (404, -32601), (500, -32603)] {
            let mut hand = HttpHand::ready(revision);
            let (id, exchange) = hand.call("a");
            let body = error_of(&id.to_string(), code);
            hand.answer(exchange, status, &[("content-type", JSON)], body.as_bytes());
            assert!(matches!(hand.error(&id), CallError::Peer(error) if error.code == code));
            assert!(hand.opened.is_empty(), "it stays in its era and its session");
        }
        // Who may not come in is told the status, whatever else is said.
        let mut hand = HttpHand::ready(revision);
        let (id, exchange) = hand.call("a");
        let body = error_of(&id.to_string(), -32000);
        hand.answer(exchange, 401, &[("content-type", JSON)], body.as_bytes());
        assert!(matches!(hand.error(&id), CallError::Http(HttpError::Status { status: 401, .. })));
    }
}

#[test]
fn an_endless_error_page_is_cut_off() {
    let mut hand = HttpHand::ready(MODERN);
    let (id, exchange) = hand.call("a");
    hand.head(exchange, 500, &[("content-type", "text/plain")]);
    for _ in 0..4 {
        hand.chunk(exchange, [b'A'; 16 << 10]);
    }
    assert_eq!(hand.outcome(&id), None);
    hand.chunk(exchange, b"A");
    assert!(
        matches!(hand.error(&id), CallError::Http(HttpError::Status { status: 500, text }) if text.len() == 256)
    );
    assert_eq!(hand.aborted, [exchange]);
}

#[test]
fn answers_are_bounded() {
    let mut options = ClientOptions::default();
    options.max_buffered_len = 300;
    options.max_head_len = 200;
    let mut config = config(&[MODERN]);
    config.limits.max_message_len = 200;
    let mut hand = HttpHand::new(config, options);
    hand.shake_hands(MODERN, None);
    // One body, one event, all bodies.
    let (id, exchange) = hand.call("a");
    hand.head(exchange, 200, &[("content-type", JSON)]);
    hand.chunk(exchange, [b' '; 201]);
    assert_eq!(hand.error(&id), CallError::Protocol(Violation::TooLong { limit: 200 }));
    let (id, exchange) = hand.call("a");
    hand.stream(exchange);
    for _ in 0..40 {
        hand.chunk(exchange, "data: x\n");
    }
    assert_eq!(hand.error(&id), CallError::Protocol(Violation::TooLong { limit: 200 }));
    let (one, first) = hand.call("a");
    let (two, second) = hand.call("b");
    for exchange in [first, second] {
        hand.head(exchange, 200, &[("content-type", JSON)]);
        hand.chunk(exchange, [b' '; 160]);
    }
    assert_eq!(hand.error(&two), CallError::Protocol(Violation::TooLong { limit: 300 }));
    hand.chunk(first, done(&one).get(..30).unwrap());
    hand.cut(first);
    assert_eq!(hand.error(&one), CallError::Http(HttpError::Cut));
    // 100,000 headers, in small.
    let (id, exchange) = hand.call("a");
    hand.head(exchange, 200, &[("content-type", JSON); 20]);
    assert_eq!(hand.error(&id), CallError::Http(HttpError::TooLong { limit: 200 }));
    // Nothing of it is left.
    let (id, exchange) = hand.call("a");
    hand.answer_json(exchange, &done(&id));
    assert!(hand.outcome(&id).unwrap().is_ok());
}

#[test]
fn a_call_whose_server_is_not_reached_ends() {
    for revision in ALL {
        let mut hand = HttpHand::ready(revision);
        let (id, exchange) = hand.call("a");
        hand.cut(exchange);
        assert_eq!(hand.error(&id), CallError::Http(HttpError::Unreachable));
        hand.cut(exchange);
        hand.end(exchange);
        hand.chunk(exchange, done(&id));
        assert!(hand.outcome(&id).unwrap().is_err(), "once");
        assert!(hand.aborted.is_empty(), "what has ended is not cut off");
    }
}

// Notifications and replies.

#[test]
fn what_has_no_answer_is_said_in_order_and_its_refusal_is_told() {
    let mut hand = HttpHand::ready(Revision::V2025_11_25);
    let (id, exchange) = hand.call("a");
    hand.stream(exchange);
    hand.chunk(
        exchange,
        data(r#"{"jsonrpc":"2.0","id":"s1","method":"ping"}"#)
            + &data(r#"{"jsonrpc":"2.0","id":"s2","method":"ping"}"#),
    );
    let ((first, one), (second, two)) = (hand.take(), hand.take());
    assert_eq!([id_of(&one), id_of(&two)], ["s1", "s2"]);
    // Anything of the kind 2xx will do, with or without a body.
    hand.answer_json(first, "{}");
    hand.status(second, 400);
    assert!(matches!(
        &hand.violations()[..],
        [Violation::Http(HttpError::Status { status: 400, .. })]
    ));
    hand.chunk(exchange, data(&done(&id)));
    assert!(hand.outcome(&id).unwrap().is_ok());

    // A server that never answers a notification holds up the next for a while only.
    for _ in 0..2 {
        hand.client.notify(&RootsChanged {}).unwrap();
    }
    hand.poll();
    let (_, request) = hand.take();
    assert_eq!((method_of(&request).as_str(), hand.opened.len()), (RootsChanged::METHOD, 0));
    hand.pass(Duration::from_secs(30));
    assert_eq!((hand.opened.len(), hand.aborted.len()), (1, 2));
}

#[test]
fn nothing_is_sent_before_the_server_has_heard_that_it_is_initialized() {
    let mut hand = HttpHand::new(config(&[Revision::V2025_11_25]), ClientOptions::default().deaf());
    let id = hand.begin("a", CallOptions::default());
    let (exchange, request) = hand.take();
    hand.answer_json(
        exchange,
        &result_of(&id_of(&request), &initialize_result(Revision::V2025_11_25)),
    );
    let (exchange, request) = hand.take();
    assert_eq!(method_of(&request), "notifications/initialized");
    assert!(hand.opened.is_empty());
    hand.head(exchange, 202, &[]);
    let (_, request) = hand.take();
    assert_eq!((method_of(&request).as_str(), id_of(&request)), ("tools/call", id.to_string()));
}

// Cancellation. R-CANC-05, -14; §4.1.

/// FIELD-BUGS 57, 58; R-CANC-05, R-CANC-14.
#[test]
fn a_call_is_given_up_by_closing_its_stream_or_by_a_message() {
    for revision in ALL {
        let mut hand = HttpHand::ready(revision);
        let (id, exchange) = hand.call("a");
        hand.stream(exchange);
        hand.client.cancel(&id, Some("enough"), hand.now);
        hand.poll();
        assert_eq!(hand.error(&id), CallError::Cancelled);
        assert_eq!(hand.aborted, [exchange]);
        let said: Vec<_> = hand.opened.iter().map(|(_, request)| method_of(request)).collect();
        let expected: &[&str] = if revision == MODERN { &[] } else { &["notifications/cancelled"] };
        assert_eq!(said, expected);
        hand.chunk(exchange, data(&done(&id)));
        assert_eq!(hand.error(&id), CallError::Cancelled);
        assert!(hand.violations().is_empty());
    }
}

#[test]
fn nothing_is_posted_to_give_up_a_call_of_the_modern_era() {
    // R-CANC-04, FIELD-BUGS 58 (http): given up and timed out, before and behind the head, and with half an answer.
    type How = fn(&mut HttpHand, &RequestId);
    let ways: [How; 2] = [
        |hand, id| hand.client.cancel(id, Some("enough"), hand.now),
        |hand, _| hand.pass(Duration::from_secs(300)),
    ];
    let answers: [fn(&mut HttpHand, Exchange); 4] = [
        |_, _| (),
        |hand, exchange| hand.stream(exchange),
        |hand, exchange| hand.head(exchange, 200, &[("content-type", JSON)]),
        |hand, exchange| {
            hand.stream(exchange);
            hand.chunk(exchange, "id: 1\nretry: 1\ndata: {");
        },
    ];
    for give_up in ways {
        for answer in answers {
            let mut hand = HttpHand::ready(MODERN);
            let (id, exchange) = hand.call("a");
            answer(&mut hand, exchange);
            give_up(&mut hand, &id);
            hand.poll();
            assert!(matches!(hand.error(&id), CallError::Cancelled | CallError::TimedOut(_)));
            assert_eq!(hand.aborted, [exchange]);
            hand.chunk(exchange, data(&done(&id)));
            hand.pass(Duration::from_secs(1_000));
            assert!(hand.opened.is_empty(), "{:?}", hand.opened);
            assert!(hand.client.poll_timeout().is_none() && hand.violations().is_empty());
        }
    }
}

#[test]
fn a_call_that_is_given_up_before_it_left_never_does() {
    let mut hand = HttpHand::ready(MODERN);
    let ticket =
        hand.client.request(&CallTool::new("a"), CallOptions::default(), hand.now).unwrap();
    hand.client.cancel(ticket.id(), None, hand.now);
    hand.poll();
    assert!(hand.opened.is_empty() && hand.aborted.is_empty());
    assert_eq!(hand.error(ticket.id()), CallError::Cancelled);
}

// Sessions. R-SESS-03, -06, -07.

#[test]
fn a_lost_session_is_opened_anew() {
    for revision in LEGACY {
        let mut hand = HttpHand::ready(revision);
        let ((one, first), (two, second)) = (hand.call("a"), hand.call("b"));
        hand.stream(second);
        hand.answer(
            first,
            404,
            &[("content-type", JSON)],
            br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Session not found"}}"#,
        );
        for id in [one, two] {
            assert_eq!(hand.error(&id), CallError::Http(HttpError::SessionExpired));
        }
        assert_eq!(hand.aborted, [second]);
        let (exchange, request) = hand.take();
        assert_eq!(method_of(&request), "initialize");
        assert_eq!(
            (header(&request, "mcp-session-id"), header(&request, "mcp-protocol-version")),
            (None, None)
        );
        // What is asked for meanwhile waits.
        let id = hand.begin("c", CallOptions::default());
        assert!(hand.opened.is_empty());
        hand.head(exchange, 200, &[("content-type", JSON), ("mcp-session-id", "sess-2")]);
        hand.chunk(exchange, result_of(&id_of(&request), &initialize_result(revision)));
        hand.end(exchange);
        let (exchange, _) = hand.take();
        hand.accept(exchange);
        assert_eq!(hand.told.iter().filter(|event| matches!(event, Event::Ready(_))).count(), 1);
        let (exchange, request) =
            hand.opened.drain(..).find(|(_, request)| method_of(request) == "tools/call").unwrap();
        assert_eq!(header(&request, "mcp-session-id"), Some("sess-2"));
        hand.answer_json(exchange, &done(&id));
        assert!(hand.outcome(&id).unwrap().is_ok());
    }
}

#[test]
fn a_404_without_a_session_is_just_an_error() {
    for revision in ALL {
        let mut hand = HttpHand::ready_with(revision, None, ClientOptions::default());
        let (id, exchange) = hand.call("a");
        hand.answer(exchange, 404, &[("content-type", "text/html")], b"not found");
        assert!(matches!(hand.error(&id), CallError::Http(HttpError::Status { status: 404, .. })));
        assert!(hand.opened.is_empty() && !hand.client.is_closed());
    }
}

#[test]
fn a_server_that_forgets_every_session_is_left() {
    let mut hand =
        HttpHand::ready_with(Revision::V2025_11_25, Some("s"), ClientOptions::default().deaf());
    for _ in 0..3 {
        let (_, exchange) = hand.call("a");
        hand.status(exchange, 404);
        hand.shake_hands(Revision::V2025_11_25, Some("s"));
    }
    let (id, exchange) = hand.call("a");
    hand.status(exchange, 404);
    assert!(matches!(
        hand.error(&id),
        CallError::Closed(CloseReason::Http(HttpError::SessionExpired))
    ));
    assert!(hand.client.is_closed() && hand.client.is_finished());
}

/// Where the handshake was answered by one server and the next message by another, which does not know the session yet.
/// R-SESS-06.
#[test]
fn a_session_that_is_lost_with_its_first_message_is_opened_anew() {
    for revision in LEGACY {
        let mut hand = HttpHand::new(config(&[revision]), ClientOptions::default().deaf());
        for lost in 0..=3 {
            let (exchange, request) = hand.take();
            assert_eq!(method_of(&request), "initialize");
            assert_eq!(header(&request, "mcp-session-id"), None);
            hand.head(exchange, 200, &[("content-type", JSON), ("mcp-session-id", "s")]);
            hand.chunk(exchange, result_of(&id_of(&request), &initialize_result(revision)));
            hand.end(exchange);
            let (exchange, request) = hand.take();
            assert_eq!(method_of(&request), "notifications/initialized");
            assert_eq!(header(&request, "mcp-session-id"), Some("s"));
            hand.status(exchange, 404);
            assert_eq!(hand.client.is_closed(), lost == 3, "{revision} {lost}");
        }
        assert!(hand.opened.is_empty() && hand.client.is_finished());

        // One that knows the session the second time is spoken to as any other.
        let mut hand = HttpHand::new(config(&[revision]), ClientOptions::default().deaf());
        let (exchange, request) = hand.take();
        hand.head(exchange, 200, &[("content-type", JSON), ("mcp-session-id", "s")]);
        hand.chunk(exchange, result_of(&id_of(&request), &initialize_result(revision)));
        hand.end(exchange);
        let (exchange, _) = hand.take();
        hand.status(exchange, 404);
        hand.shake_hands(revision, Some("t"));
        let (id, exchange) = hand.call("a");
        hand.answer_json(exchange, &done(&id));
        assert!(hand.outcome(&id).unwrap().is_ok());
    }
}

#[test]
fn a_session_is_taken_from_the_answer_to_initialize_alone() {
    for revision in LEGACY {
        let mut hand = HttpHand::ready(revision);
        let (id, exchange) = hand.call("a");
        hand.head(exchange, 200, &[("content-type", JSON), ("mcp-session-id", "other")]);
        hand.chunk(exchange, done(&id));
        hand.end(exchange);
        hand.call("b");
        let (_, request) = hand.requests.last_key_value().unwrap();
        assert_eq!(header(request, "mcp-session-id"), Some("sess-1"));
        // R-SESS-01.
        for bad in ["s\u{e9}ance", "", "a b"] {
            let mut hand = HttpHand::new(config(&[revision]), ClientOptions::default().deaf());
            hand.shake_hands(revision, Some(bad));
            assert_eq!(hand.violations(), [Violation::Http(HttpError::BadSession)]);
            let (_, request) = hand.requests.last_key_value().unwrap();
            assert_eq!(header(request, "mcp-session-id"), None);
        }
    }
}

#[test]
fn the_end_is_told_to_the_server() {
    let mut hand = HttpHand::ready(Revision::V2025_11_25);
    let (id, exchange) = hand.call("a");
    hand.stream(exchange);
    hand.client.close(hand.now);
    hand.poll();
    assert_eq!(hand.error(&id), CallError::Closed(CloseReason::Local));
    assert_eq!(hand.aborted, [exchange]);
    assert!(!hand.client.is_finished());
    let (exchange, request) = hand.take();
    assert_eq!(
        (request.method(), header(&request, "mcp-session-id")),
        (&Method::DELETE, Some("sess-1"))
    );
    assert_eq!(header(&request, "mcp-protocol-version"), Some("2025-11-25"));
    hand.status(exchange, 405);
    assert!(hand.client.is_finished());

    for mut hand in [
        HttpHand::ready(MODERN),
        HttpHand::ready_with(Revision::V2025_11_25, None, ClientOptions::default()),
    ] {
        hand.client.close(hand.now);
        hand.poll();
        assert!(hand.opened.is_empty() && hand.client.is_finished());
    }
}

#[test]
fn subscriptions_are_exchanges_that_stay_open() {
    // §2.7, R-SUB-07, -08.
    let mut hand = HttpHand::ready(MODERN);
    let params = RawJson::parse(r#"{"notifications":{"toolsListChanged":true}}"#).unwrap();
    let options = CallOptions::default().timeouts(mcp_proto::Timeouts::NEVER);
    let listen = |hand: &mut HttpHand| -> (RequestId, _) {
        let id = hand
            .client
            .request_raw("subscriptions/listen", Some(&params), options.clone(), hand.now)
            .unwrap();
        hand.poll();
        (id, hand.take().0)
    };
    let ((one, first), (two, second)) = (listen(&mut hand), listen(&mut hand));
    for (id, exchange) in [(&one, first), (&two, second)] {
        hand.stream(exchange);
        for method in ["subscriptions/acknowledged", "tools/list_changed"] {
            hand.chunk(exchange, data(&format!(r#"{{"jsonrpc":"2.0","method":"notifications/{method}","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}}}}}"#)));
        }
    }
    hand.pass(Duration::from_secs(100_000));
    hand.chunk(first, ":\n\n");
    let heard =
        hand.told.iter().filter(|event| matches!(event, Event::Notification { .. })).count();
    assert_eq!((heard, hand.client.calls_in_flight()), (4, 2));
    hand.chunk(first, data(&done(&one)));
    hand.cut(second);
    assert!(hand.outcome(&one).unwrap().is_ok());
    assert_eq!(hand.error(&two), CallError::Http(HttpError::Cut));
}

#[test]
fn calls_that_are_given_up_make_room_for_others() {
    // A server that answers nothing must not take every exchange for ever.
    for revision in [Revision::V2025_11_25, MODERN] {
        let mut options = ClientOptions::default();
        options.max_exchanges = 3;
        let mut hand = HttpHand::ready_with(revision, Some("sess-1"), options);
        let silent: Vec<_> = (0..3).map(|_| hand.call("silent")).collect();
        let last = hand.begin("good", CallOptions::default());
        assert!(hand.opened.is_empty(), "it waits for room");
        for (id, _) in &silent {
            hand.client.cancel(id, None, hand.now);
        }
        hand.poll();
        for (_, exchange) in &silent {
            assert!(hand.aborted.contains(exchange), "{revision}");
        }
        let (mut is_sent, mut cancelled) = (false, 0);
        while let Some((exchange, request)) = hand.opened.pop_front() {
            is_sent |= id_of(&request) == last.to_string();
            if method_of(&request) == "notifications/cancelled" {
                cancelled += 1;
                hand.accept(exchange);
            }
        }
        // In the modern era nothing says so but that they are closed.
        let expected = if revision == MODERN { 0 } else { silent.len() };
        assert_eq!((is_sent, cancelled), (true, expected), "{revision}");
    }
}
