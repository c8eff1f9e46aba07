//! Streams of the client over HTTP: what comes on them, and in which order. R-PROG, R-HTTP-16 to -27.

mod cuts;
mod listening;
mod silence;

use std::time::Duration;

use http::Method;
use mcp_proto::http::{ClientOptions, Exchange};
use mcp_proto::testing::transcript::describe;
use mcp_proto::{CallError, Event, HttpError, RequestId, Revision, Violation};
use mcp_tests::http_hand::{EVENTS, HttpHand, config, data, done, event, header, report};
use mcp_tests::millis;

const LEGACY: [Revision; 3] = [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];
const LATEST: Revision = Revision::V2025_11_25;

/// A call whose stream has said this and ended.
fn cut_behind(revision: Revision, said: &str) -> (HttpHand, RequestId) {
    let mut hand = HttpHand::ready(revision);
    let (id, exchange) = hand.call("a");
    hand.stream(exchange);
    hand.chunk(exchange, said.replace("{id}", &id.to_string()));
    hand.end(exchange);
    (hand, id)
}

/// Waits until the stream is asked for again.
fn resumed(hand: &mut HttpHand, after: Duration, last_event_id: &str) -> Exchange {
    hand.pass(after - millis(1));
    assert!(hand.opened.is_empty(), "too early");
    hand.pass(millis(1));
    let (exchange, request) = hand.take();
    assert_eq!(request.method(), Method::GET);
    assert_eq!(header(&request, "accept"), Some(EVENTS));
    assert_eq!(header(&request, "last-event-id"), Some(last_event_id));
    assert_eq!(header(&request, "mcp-session-id"), Some("sess-1"));
    assert!(request.body().is_empty());
    exchange
}

/// What is told of streams that are cut, in words.
fn outages(hand: &HttpHand) -> Vec<String> {
    let is_one =
        |event: &&Event| matches!(event, Event::Interrupted { .. } | Event::Resumed { .. });
    hand.told.iter().filter(is_one).map(describe).collect()
}

fn listening(revision: Revision) -> (HttpHand, Exchange) {
    let mut hand = HttpHand::new(config(&[revision]), ClientOptions::default());
    hand.shake_hands_and_listen(revision);
    let (exchange, request) = hand.take();
    assert_eq!((request.method(), header(&request, "accept")), (&Method::GET, Some(EVENTS)));
    assert_eq!(header(&request, "last-event-id"), None);
    (hand, exchange)
}

#[test]
fn progress_stays_in_order_whatever_the_pieces() {
    for size in [1, 2, 3, 7, 64] {
        let mut hand = HttpHand::ready(LATEST);
        let ((one, first), (two, second)) = (hand.call("a"), hand.call("b"));
        let said = |id: &RequestId| -> Vec<u8> {
            let reports = (1..=20).map(|n| event(&format!("{id}/{n}"), &report(id, n)));
            (reports.collect::<String>() + &event("end", &done(id))).into_bytes()
        };
        let (mut one_said, mut two_said) = (said(&one), said(&two));
        for exchange in [first, second] {
            hand.stream(exchange);
        }
        while !one_said.is_empty() || !two_said.is_empty() {
            for (exchange, said) in [(first, &mut one_said), (second, &mut two_said)] {
                let piece: Vec<u8> = said.drain(..size.min(said.len())).collect();
                hand.chunk(exchange, piece);
            }
        }
        for id in [one, two] {
            assert_eq!(hand.reports(&id), (1..=20).map(f64::from).collect::<Vec<_>>());
            assert!(hand.outcome(&id).unwrap().is_ok());
        }
    }
}

#[test]
fn modern_progress_comes_on_its_own_stream_alone() {
    // R-PROG-15.
    let mut hand = HttpHand::ready(Revision::V2026_07_28);
    let ((one, first), (two, second)) = (hand.call("a"), hand.call("b"));
    hand.stream(first);
    hand.stream(second);
    hand.chunk(first, data(&report(&two, 1)) + &data(&report(&one, 1)));
    hand.chunk(
        second,
        data(&report(&two, 2)) + &data(r#"{"jsonrpc":"2.0","id":7,"method":"roots/list"}"#),
    );
    assert_eq!((hand.reports(&one), hand.reports(&two)), (vec![1.0], vec![2.0]));
    assert_eq!(hand.violations().len(), 2);
    assert!(hand.opened.is_empty(), "a server's request is never answered");
}

#[test]
fn events_of_another_kind_are_none_of_ours() {
    let mut hand = HttpHand::ready(LATEST);
    let (id, exchange) = hand.call("a");
    hand.stream(exchange);
    let error = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":1,"message":"m"}}}}"#);
    hand.chunk(
        exchange,
        format!("event: error\ndata: {error}\n\n") + &data("{\"oops\":") + &data(&done(&id)),
    );
    assert!(hand.outcome(&id).unwrap().is_ok());
    assert!(matches!(&hand.violations()[..], [Violation::NotJson { .. }]));
}

#[test]
fn a_server_that_talks_without_end_is_read_as_the_caller_takes_it() {
    let mut hand = HttpHand::ready(LATEST);
    let (id, exchange) = hand.call("a");
    hand.stream(exchange);
    let flood: String = (1..=5_000).map(|n| data(&report(&id, n))).collect();
    hand.client.handle_body(exchange, flood.as_bytes(), hand.now);
    assert!(!hand.client.wants_input(exchange));
    hand.client.handle_end(exchange, hand.now);
    hand.client.handle_body(exchange, b"late", hand.now);
    hand.poll();
    assert_eq!(hand.reports(&id).len(), 5_000);
    assert_eq!(hand.error(&id), CallError::Http(HttpError::Cut));
    assert!(hand.client.wants_input(exchange), "it is over");
}
