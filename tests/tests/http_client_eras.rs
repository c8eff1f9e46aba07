//! How a client over HTTP finds out with whom it speaks. PROTOCOL.md §1.6.2, R-ERA, R-OSSE.

use std::time::Duration;

use http::Method;
use mcp_proto::http::{ClientOptions, Exchange};
use mcp_proto::{CallError, CallOptions, CloseReason, Event, HttpError, Revision, Violation};
use mcp_tests::http_hand::{
    HttpHand, JSON, config, data, done, error_of, header, id_of, initialize_result, method_of,
    report, result_of,
};

const DUAL: [Revision; 5] = Revision::ALL;
const STREAMABLE: [Revision; 4] =
    [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28];

fn dual() -> (HttpHand, Exchange) {
    let mut hand = HttpHand::new(config(&STREAMABLE), ClientOptions::default());
    let (exchange, request) = hand.take();
    assert_eq!(method_of(&request), "server/discover");
    assert_eq!(header(&request, "mcp-protocol-version"), Some("2026-07-28"));
    (hand, exchange)
}

fn closed(hand: &HttpHand) -> Option<CloseReason> {
    hand.told.iter().find_map(|event| match event {
        Event::Closed(reason) => Some(reason.clone()),
        _ => None,
    })
}

fn revision(hand: &HttpHand) -> Option<Revision> {
    hand.client.peer().map(|peer| peer.revision)
}

#[test]
fn a_modern_server_answers_the_probe() {
    let (mut hand, _) = dual();
    hand.opened.extend(
        hand.requests
            .iter()
            .map(|(exchange, request)| (*exchange, request.clone()))
            .collect::<Vec<_>>(),
    );
    hand.shake_hands(Revision::V2026_07_28, None);
    assert_eq!(revision(&hand), Some(Revision::V2026_07_28));
    assert!(hand.opened.is_empty(), "no GET in this era");
}

#[test]
fn a_refusal_that_no_modern_server_gives_leads_to_the_older_handshake() {
    // R-ERA-02, -04, -05, -06.
    for (status, kind, body) in [
        (400, JSON, error_of("1", -32600)),
        (400, JSON, error_of("null", -32000)),
        (400, "text/plain", "Bad Request".into()),
        (400, JSON, String::new()),
        (404, JSON, error_of("1", -32601)),
        (404, "text/html", "<html>".into()),
        (405, JSON, String::new()),
        (406, JSON, "{".into()),
        (500, "text/plain", "boom".into()),
        (200, JSON, error_of("1", -32601)),
        (200, JSON, error_of("1", -32602)),
        (200, JSON, result_of("1", "{}")),
        (200, JSON, "no JSON".into()),
        (202, JSON, String::new()),
    ] {
        let (mut hand, exchange) = dual();
        hand.answer(exchange, status, &[("content-type", kind)], body.as_bytes());
        assert_eq!(closed(&hand), None, "{status} {body}");
        let (exchange, request) = hand.take();
        assert_eq!(method_of(&request), "initialize", "{status} {body}");
        for name in ["mcp-protocol-version", "mcp-method", "mcp-session-id"] {
            assert_eq!(header(&request, name), None);
        }
        assert_ne!(id_of(&request), "1", "ids are not used twice");
        hand.opened.push_front((exchange, request));
        hand.shake_hands(Revision::V2025_11_25, Some("s"));
        assert_eq!(revision(&hand), Some(Revision::V2025_11_25));
    }
}

#[test]
fn silence_leads_to_the_older_handshake() {
    let (mut hand, exchange) = dual();
    hand.pass(Duration::from_secs(10));
    assert_eq!(hand.aborted, [exchange]);
    hand.answer_json(
        exchange,
        &result_of("1", r#"{"supportedVersions":["2026-07-28"],"capabilities":{}}"#),
    );
    hand.shake_hands(Revision::V2025_06_18, Some("s"));
    assert_eq!(revision(&hand), Some(Revision::V2025_06_18));
}

#[test]
fn a_modern_error_keeps_the_client_modern() {
    // R-ERA-03; the suite's request-metadata refuses even the right version once.
    let (mut hand, exchange) = dual();
    let refusal = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"m","data":{"supported":["2026-07-28"]}}}"#;
    hand.answer(exchange, 400, &[("content-type", JSON)], refusal.as_bytes());
    let (_, request) = hand.opened.front().unwrap();
    assert_eq!((method_of(request).as_str(), id_of(request).as_str()), ("server/discover", "2"));
    hand.shake_hands(Revision::V2026_07_28, None);
    assert_eq!(revision(&hand), Some(Revision::V2026_07_28));
    // Without an id too, which a server leaves out that did not get so far as to read it.
    let needed = r#""error":{"code":-32021,"message":"m","data":{"requiredCapabilities":{}}}"#;
    for (code, error) in [
        (-32020, error_of("1", -32020)),
        (-32020, r#"{"jsonrpc":"2.0","error":{"code":-32020,"message":"m"}}"#.into()),
        (-32021, format!(r#"{{"jsonrpc":"2.0","id":1,{needed}}}"#)),
        (-32021, format!(r#"{{"jsonrpc":"2.0",{needed}}}"#)),
    ] {
        let (mut hand, exchange) = dual();
        hand.answer(exchange, 400, &[("content-type", JSON)], error.as_bytes());
        assert!(hand.opened.is_empty());
        assert!(
            matches!(closed(&hand), Some(CloseReason::HandshakeRefused(error)) if error.code == code)
        );
    }
}

/// R-ERA-02, R-ERA-04: a code alone is anybody's.
#[test]
fn a_code_of_the_modern_era_without_its_data_keeps_nobody_modern() {
    let bare = |id: &str, code: i64, data: &str| {
        let error = format!(r#"{{"code":{code},"message":"m"{data}}}"#);
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#)
    };
    for (code, data) in [
        (-32022, ""),
        (-32022, r#","data":{"supported":"2026-07-28"}"#),
        (-32021, ""),
        (-32021, r#","data":{"requiredCapabilities":["sampling"]}"#),
        (-32021, r#","data":7"#),
    ] {
        let (mut hand, exchange) = dual();
        hand.answer(exchange, 400, &[("content-type", JSON)], bare("1", code, data).as_bytes());
        let (_, request) = hand.take();
        assert_eq!(method_of(&request), "initialize", "{code}{data}");
        // And so it is with what refuses that: the first revision is looked for.
        let mut hand = HttpHand::new(config(&DUAL[..4]), ClientOptions::default());
        let (exchange, request) = hand.take();
        let refusal = bare(&id_of(&request), code, data);
        hand.answer(exchange, 400, &[("content-type", JSON)], refusal.as_bytes());
        let (_, request) = hand.take();
        assert_eq!(request.method(), Method::GET, "{code}{data}");
    }
}

#[test]
fn who_wants_credentials_or_is_not_there_says_nothing_of_its_era() {
    for status in [401, 403, 429] {
        let (mut hand, exchange) = dual();
        hand.answer(exchange, status, &[("content-type", JSON)], error_of("1", -32000).as_bytes());
        assert!(hand.opened.is_empty());
        let told = closed(&hand);
        assert!(
            matches!(&told, Some(CloseReason::Http(HttpError::Status { status: told, .. })) if *told == status),
            "{told:?}"
        );
    }
    let (mut hand, exchange) = dual();
    hand.cut(exchange);
    assert_eq!(closed(&hand), Some(CloseReason::Http(HttpError::Unreachable)));
    assert!(hand.client.is_finished());
}

#[test]
fn a_client_of_one_era_falls_back_on_none() {
    let mut hand = HttpHand::new(config(&[Revision::V2026_07_28]), ClientOptions::default());
    let (exchange, _) = hand.take();
    hand.status(exchange, 404);
    assert!(matches!(
        closed(&hand),
        Some(CloseReason::Http(HttpError::Status { status: 404, .. }))
    ));
    let mut hand = HttpHand::new(config(&[Revision::V2025_11_25]), ClientOptions::default());
    let (exchange, request) = hand.take();
    assert_eq!(method_of(&request), "initialize");
    hand.status(exchange, 404);
    assert!(matches!(
        closed(&hand),
        Some(CloseReason::Http(HttpError::Status { status: 404, .. }))
    ));
}

#[test]
fn traps_in_the_answers_of_a_modern_server_are_none() {
    // §8.7: a session id on every answer.
    let mut hand = HttpHand::new(config(&DUAL), ClientOptions::default());
    let (exchange, _) = hand.take();
    let result = r#"{"supportedVersions":["2026-07-28"],"capabilities":{},"serverInfo":{"name":"s","version":"1"}}"#;
    hand.answer(
        exchange,
        200,
        &[("content-type", JSON), ("mcp-session-id", "s")],
        result_of("1", result).as_bytes(),
    );
    let (id, exchange) = hand.call("a");
    hand.answer(exchange, 404, &[("content-type", "text/plain"), ("mcp-session-id", "s")], b"");
    assert!(matches!(hand.error(&id), CallError::Http(HttpError::Status { status: 404, .. })));
    assert!(hand.opened.is_empty());
    assert!(hand.requests.values().all(|request| header(request, "mcp-session-id").is_none()));
}

// HTTP+SSE.

/// A client that has opened the stream of an old server, after it was refused as a new one.
fn refused(revisions: &[Revision], status: u16) -> (HttpHand, Exchange) {
    let mut hand =
        HttpHand::at("https://a.example/b/sse", config(revisions), ClientOptions::default());
    if revisions.contains(&Revision::V2026_07_28) {
        let (exchange, _) = hand.take();
        hand.status(exchange, status);
    }
    if revisions.len() > 1 {
        let (exchange, request) = hand.take();
        assert_eq!(method_of(&request), "initialize");
        hand.status(exchange, status);
    }
    let (exchange, request) = hand.take();
    assert_eq!(
        (request.method(), header(&request, "accept")),
        (&Method::GET, Some("text/event-stream"))
    );
    assert_eq!(request.uri(), "https://a.example/b/sse");
    (hand, exchange)
}

#[test]
fn a_server_of_the_first_revision_is_found_and_spoken_to() {
    // R-ERA-07, R-OSSE-02, -03, -04.
    for (revisions, status) in
        [(&DUAL[..], 404), (&DUAL, 405), (&DUAL, 400), (&DUAL[..4], 404), (&DUAL[..1], 0)]
    {
        let (mut hand, channel) = refused(revisions, status);
        hand.stream(channel);
        hand.chunk(channel, "event: endpoint\r\ndata: ../m?session=1\r\n\r\n");
        let (exchange, request) = hand.take();
        assert_eq!(
            (method_of(&request).as_str(), request.uri().to_string().as_str()),
            ("initialize", "https://a.example/m?session=1")
        );
        hand.answer(exchange, 200, &[("content-type", "text/plain")], b"Accepted");
        let result = initialize_result(Revision::V2024_11_05);
        hand.chunk(
            channel,
            format!("event: message\ndata: {}\n\n", result_of(&id_of(&request), &result)),
        );
        assert_eq!(revision(&hand), Some(Revision::V2024_11_05));
        let (exchange, request) = hand.take();
        assert_eq!(method_of(&request), "notifications/initialized");
        assert_eq!(
            (header(&request, "mcp-protocol-version"), header(&request, "mcp-session-id")),
            (None, None)
        );
        hand.accept(exchange);
        assert!(hand.opened.is_empty(), "no other stream");

        let ((one, first), (two, second)) = (hand.call("a"), hand.call("b"));
        hand.accept(first);
        hand.chunk(
            channel,
            data(&report(&one, 1))
                + &data(&report(&two, 1))
                + &data(&done(&two))
                + &data(&report(&one, 2)),
        );
        hand.accept(second);
        hand.chunk(channel, data(r#"{"jsonrpc":"2.0","id":"s","method":"ping"}"#));
        let (exchange, request) = hand.take();
        assert_eq!((id_of(&request).as_str(), request.uri().path()), ("s", "/m"));
        hand.accept(exchange);
        hand.chunk(channel, data(&done(&one)));
        assert!(hand.outcome(&one).unwrap().is_ok() && hand.outcome(&two).unwrap().is_ok());
        assert_eq!((hand.reports(&one), hand.reports(&two)), (vec![1.0, 2.0], vec![1.0]));

        let (id, exchange) = hand.call("c");
        hand.status(exchange, 500);
        assert!(matches!(hand.error(&id), CallError::Http(HttpError::Status { status: 500, .. })));
        let (id, exchange) = hand.call("d");
        hand.accept(exchange);
        hand.client.cancel(&id, None, hand.now);
        hand.poll();
        let (exchange, request) = hand.take();
        assert_eq!(method_of(&request), "notifications/cancelled");
        hand.accept(exchange);

        // The stream is the session.
        let id = hand.begin("e", CallOptions::default());
        hand.cut(channel);
        assert_eq!(hand.error(&id), CallError::Closed(CloseReason::Http(HttpError::Cut)));
        assert!(hand.violations().is_empty());
    }
}

#[test]
fn messages_go_to_no_other_origin_and_the_address_does_not_move() {
    // RELIABILITY T47.
    for address in ["//evil.example/m", "http://a.example/m", "https://a.example:444/m", ""] {
        let (mut hand, channel) = refused(&DUAL[..1], 0);
        hand.stream(channel);
        hand.chunk(channel, format!("event: endpoint\ndata: {address}\n\n"));
        if address.is_empty() {
            assert_eq!(hand.take().1.uri(), "https://a.example/b/sse");
        } else {
            assert_eq!(closed(&hand), Some(CloseReason::Http(HttpError::BadAddress)));
            assert!(hand.opened.is_empty() && hand.client.is_finished());
            assert_eq!(hand.aborted, [channel]);
        }
    }
    let (mut hand, channel) = refused(&DUAL[..1], 0);
    hand.stream(channel);
    hand.chunk(
        channel,
        "event: endpoint\ndata: /m?sessionId=1\n\nevent: endpoint\ndata: /n?sessionId=2\n\n",
    );
    assert_eq!(
        hand.violations(),
        [Violation::UnexpectedMethod("a second address for messages".into())]
    );
    let (exchange, request) = hand.take();
    assert_eq!(request.uri(), "https://a.example/m?sessionId=1");
    hand.accept(exchange);
    hand.chunk(channel, data(&result_of("1", &initialize_result(Revision::V2024_11_05))));
    assert_eq!(hand.take().1.uri(), "https://a.example/m?sessionId=1");
}

#[test]
fn what_is_no_server_of_the_first_revision_either_is_told_by_its_first_refusal() {
    for how in ["405", "json", "event", "silence", "cut", "end"] {
        let (mut hand, channel) = refused(&DUAL[..4], 404);
        match how {
            "405" => hand.status(channel, 405),
            "json" => hand.answer_json(channel, "{}"),
            "event" => {
                hand.stream(channel);
                hand.chunk(channel, data(&result_of("1", "{}")));
            }
            "silence" => {
                hand.stream(channel);
                hand.pass(Duration::from_secs(60));
            }
            "cut" => hand.cut(channel),
            _ => {
                hand.stream(channel);
                hand.end(channel);
            }
        }
        let reason = closed(&hand);
        let is_right = match how {
            "event" => reason == Some(CloseReason::Http(HttpError::BadAddress)),
            "silence" => reason == Some(CloseReason::HandshakeTimeout),
            _ => matches!(reason, Some(CloseReason::Http(HttpError::Status { status: 404, .. }))),
        };
        assert!(is_right, "{how}: {reason:?}");
        assert!(hand.client.is_finished(), "{how}");
    }
    // An error with a message is told in its words.
    let mut hand = HttpHand::new(config(&DUAL[..4]), ClientOptions::default());
    let (exchange, _) = hand.take();
    hand.answer(exchange, 400, &[("content-type", JSON)], error_of("1", -32602).as_bytes());
    let (channel, _) = hand.take();
    hand.status(channel, 405);
    assert!(
        matches!(closed(&hand), Some(CloseReason::HandshakeRefused(error)) if error.code == -32602)
    );
}

/// FIELD-BUGS 50; R-TIME-04. No other cause is made up.
#[test]
fn a_stream_of_the_first_revision_that_does_not_open_is_told_as_it_is() {
    type Fault = fn(&mut HttpHand, Exchange);
    let only: [(Fault, HttpError); 7] = [
        (|hand, channel| hand.cut(channel), HttpError::Unreachable),
        (|hand, channel| hand.end(channel), HttpError::Unreachable),
        (|hand, channel| hand.answer_json(channel, "{}"), HttpError::ContentType),
        (|hand, channel| hand.accept(channel), HttpError::ContentType),
        (
            |hand, channel| {
                hand.head(channel, 200, &[("content-type", "text/html")]);
            },
            HttpError::ContentType,
        ),
        (
            |hand, channel| {
                hand.stream(channel);
                hand.cut(channel);
            },
            HttpError::Cut,
        ),
        (
            |hand, channel| {
                hand.stream(channel);
                hand.end(channel);
            },
            HttpError::Cut,
        ),
    ];
    for (fault, error) in only {
        let (mut hand, channel) = refused(&DUAL[..1], 0);
        fault(&mut hand, channel);
        assert_eq!(closed(&hand), Some(CloseReason::Http(error)));
        assert!(hand.client.is_finished());
    }
    let status = |hand: &HttpHand| match closed(hand) {
        Some(CloseReason::Http(HttpError::Status { status, text })) => (status, text),
        other => panic!("{other:?}"),
    };
    for refusal in [400, 401, 403, 404, 405, 500, 503] {
        let (mut hand, channel) = refused(&DUAL[..1], 0);
        hand.answer(channel, refusal, &[("content-type", "text/plain")], b"because");
        assert_eq!(status(&hand), (refusal, "because".into()));
        assert!(hand.client.is_finished());
        // What nobody reads is not waited for.
        let (mut hand, channel) = refused(&DUAL[..1], 0);
        hand.head(channel, refusal, &[("content-type", "text/html")]);
        assert_eq!(status(&hand), (refusal, String::new()));
        let (mut hand, channel) = refused(&DUAL[..1], 0);
        hand.head(channel, refusal, &[("content-type", "text/plain")]);
        hand.chunk(channel, vec![b'x'; 70 << 10]);
        assert_eq!(status(&hand).0, refusal);
    }
    // Where another handshake failed before, its refusal says more, but not than a demand for credentials or patience.
    for (refusal, told) in [(401, 401), (403, 403), (407, 407), (429, 429), (405, 404), (500, 404)]
    {
        let (mut hand, channel) = refused(&DUAL, 404);
        hand.status(channel, refusal);
        assert_eq!(status(&hand).0, told, "{refusal}");
    }
}
