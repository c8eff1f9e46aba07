//! The stream for what belongs to no call. R-HTTP-22 to -27.

use http::Method;
use mcp_proto::http::ClientOptions;
use mcp_proto::{Event, HttpError, Violation};
use mcp_tests::http_hand::{
    HttpHand, JSON, config, data, done, event, header, id_of, method_of, report,
};
use mcp_tests::{millis, secs};

use crate::{LATEST, LEGACY, listening, resumed};

#[test]
fn what_belongs_to_no_call_has_a_stream_of_its_own_which_is_resumed() {
    for revision in LEGACY {
        let (mut hand, exchange) = listening(revision);
        hand.stream(exchange);
        hand.chunk(
            exchange,
            event("g/1", r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#),
        );
        hand.chunk(exchange, event("g/2", r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#));
        let (reply, request) = hand.take();
        assert_eq!(id_of(&request), "p");
        hand.accept(reply);
        // R-HTTP-24: no answers here; progress is let pass in this era (§3.5).
        let (id, call) = hand.call("a");
        hand.chunk(exchange, data(&report(&id, 1)) + &data(&done(&id)));
        assert_eq!((hand.reports(&id), hand.outcome(&id)), (vec![1.0], None));
        hand.answer_json(call, &done(&id));
        hand.cut(exchange);
        let exchange = resumed(&mut hand, secs(1), "g/2");
        hand.stream(exchange);
        hand.chunk(exchange, event("g/2", r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#));
        assert!(hand.opened.is_empty(), "it was answered");
        let heard =
            hand.told.iter().filter(|event| matches!(event, Event::Notification { .. })).count();
        assert_eq!((heard, hand.violations()), (1, vec![Violation::UnknownResponse(id)]));
    }
}

#[test]
fn a_server_may_have_no_such_stream() {
    for (status, headers, body, is_told) in [
        (405, &[][..], "", false),
        (404, &[], "", false),
        (403, &[], "", true),
        (200, &[("content-type", JSON)], "{}", true),
        (204, &[], "", true),
    ] {
        let (mut hand, exchange) = listening(LATEST);
        hand.answer(exchange, status, headers, body.as_bytes());
        hand.pass(secs(1_000));
        assert!(hand.opened.is_empty() && !hand.client.is_closed(), "{status}");
        assert_eq!(hand.violations().len(), usize::from(is_told), "{status}");
        let (id, exchange) = hand.call("a");
        hand.answer_json(exchange, &done(&id));
        assert!(hand.outcome(&id).unwrap().is_ok());
    }
}

#[test]
fn a_stream_of_its_own_is_tried_as_long_as_the_session_lives_and_seldom() {
    for how in ["end", "cut", "503"] {
        let (mut hand, mut exchange) = listening(LATEST);
        let mut waits = Vec::new();
        for _ in 0..100 {
            match how {
                "cut" => hand.cut(exchange),
                "503" => hand.status(exchange, 503),
                _ => {
                    hand.stream(exchange);
                    hand.end(exchange);
                }
            }
            let before = hand.now;
            while hand.opened.is_empty() {
                hand.pass(millis(500));
            }
            let (next, request) = hand.take();
            assert_eq!((request.method(), header(&request, "last-event-id")), (&Method::GET, None));
            waits.push(hand.now.saturating_duration_since(before).as_secs());
            exchange = next;
        }
        assert_eq!(waits[..7], [1, 1, 2, 4, 8, 16, 30], "{how}");
        assert!(waits[7..].iter().all(|wait| *wait == 30), "{how}: {waits:?}");
        assert_eq!(hand.violations(), [Violation::Http(HttpError::Cut)], "{how}: it is said once");

        // The server is back, and everything is as before.
        hand.stream(exchange);
        hand.chunk(exchange, event("g/1", r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#));
        assert_eq!(id_of(&hand.take().1), "p");
        hand.cut(exchange);
        resumed(&mut hand, secs(1), "g/1");
        hand.client.close(hand.now);
        hand.poll();
        hand.pass(secs(1_000));
        assert_eq!(hand.client.poll_timeout(), None, "{how}: not beyond the session");
    }
    // Whoever wants no stream to be resumed gets none.
    let mut hand = HttpHand::new(config(&[LATEST]), {
        let mut options = ClientOptions::default();
        options.max_tries = 0;
        options
    });
    hand.shake_hands_and_listen(LATEST);
    let (exchange, _) = hand.take();
    hand.cut(exchange);
    hand.pass(secs(1_000));
    assert!(hand.opened.is_empty());
}

#[test]
fn a_session_that_is_gone_may_be_noticed_by_its_stream() {
    let (mut hand, exchange) = listening(LATEST);
    hand.stream(exchange);
    hand.chunk(exchange, event("g/1", ""));
    hand.end(exchange);
    let exchange = resumed(&mut hand, secs(1), "g/1");
    hand.status(exchange, 404);
    assert_eq!(method_of(&hand.take().1), "initialize");
}

#[test]
fn a_stream_of_its_own_goes_on_where_the_server_has_lost_its_place() {
    let (mut hand, exchange) = listening(LATEST);
    hand.stream(exchange);
    hand.chunk(exchange, event("g/1", ""));
    hand.end(exchange);
    let exchange = resumed(&mut hand, secs(1), "g/1");
    hand.status(exchange, 400);
    assert!(matches!(
        &hand.violations()[..],
        [Violation::Http(HttpError::Status { status: 400, .. })]
    ));
    hand.pass(secs(1));
    let (exchange, request) = hand.take();
    assert_eq!((request.method(), header(&request, "last-event-id")), (&Method::GET, None));
    hand.stream(exchange);
    hand.chunk(exchange, event("g/9", r#"{"jsonrpc":"2.0","id":"p","method":"ping"}"#));
    assert_eq!(id_of(&hand.take().1), "p");
    // A server that refuses the stream itself is not asked again.
    let (mut hand, exchange) = listening(LATEST);
    hand.status(exchange, 400);
    hand.pass(secs(1_000));
    assert!(hand.opened.is_empty());
}
