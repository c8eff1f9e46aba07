//! Connections that die without a word. RELIABILITY fault 37.

use std::time::Duration;

use mcp_proto::http::{ClientOptions, Exchange};
use mcp_proto::{CallError, CallOptions, HttpError, RequestId, Revision, Timeouts};
use mcp_tests::http_hand::{HttpHand, done, event, report};
use mcp_tests::{millis, secs};

use crate::{LATEST, LEGACY, listening, outages, resumed};

/// A call whose stream has said this, and what is sent into silence; then its connection has died without a word.
fn dead_behind(revision: Revision, said: &str) -> (HttpHand, RequestId, Exchange) {
    let mut hand = HttpHand::ready(revision);
    let id = hand.begin("a", CallOptions::default().tracked().timeouts(Timeouts::NEVER));
    let (exchange, _) = hand.take();
    hand.stream(exchange);
    hand.chunk(exchange, said);
    hand.chunk(exchange, ":\n\n");
    (hand, id, exchange)
}

/// FIELD-BUGS 48; R-LIFE-10.
#[test]
fn a_connection_that_dies_without_a_word_is_noticed_by_its_silence() {
    // RELIABILITY fault 37.
    for revision in LEGACY {
        let (mut hand, id, exchange) = dead_behind(revision, "id: 1\ndata:\n\n");
        hand.pass(secs(60) - millis(1));
        assert_eq!(outages(&hand), [""; 0]);
        hand.pass(millis(1));
        assert_eq!((&hand.aborted[..], outages(&hand).len()), (&[exchange][..], 1));
        let exchange = resumed(&mut hand, secs(1), "1");
        hand.stream(exchange);
        hand.chunk(exchange, event("2", &report(&id, 1)));
        // It is known to fill silence, whatever has come on this connection.
        hand.pass(secs(60));
        let exchange = resumed(&mut hand, secs(1), "2");
        hand.stream(exchange);
        hand.chunk(exchange, event("3", &report(&id, 2)) + &event("4", &done(&id)));
        assert_eq!(hand.reports(&id), [1.0, 2.0]);
        assert!(hand.outcome(&id).unwrap().is_ok() && hand.violations().is_empty());
        assert_eq!(outages(&hand).len(), 4);
        hand.pass(secs(1_000));
        assert!(hand.opened.is_empty() && hand.client.poll_timeout().is_none());
    }
    // A server that is gone for good.
    let (mut hand, id, _) = dead_behind(LATEST, "id: 1\ndata:\n\n");
    let from = hand.now;
    while hand.outcome(&id).is_none() {
        hand.pass(secs(1));
        if let Some((exchange, _)) = hand.opened.pop_front() {
            hand.cut(exchange);
        }
    }
    assert_eq!(hand.error(&id), CallError::Http(HttpError::Cut));
    assert!(hand.now.saturating_duration_since(from) < secs(90));
}

#[test]
fn a_stream_for_what_belongs_to_no_call_is_noticed_too() {
    let (mut hand, exchange) = listening(LATEST);
    hand.stream(exchange);
    hand.chunk(exchange, ":\n\n");
    hand.pass(secs(1_000));
    assert!(hand.aborted.is_empty(), "what is missed meanwhile could not be had again");
    hand.chunk(exchange, event("g/1", ""));
    hand.pass(secs(60));
    assert_eq!(hand.aborted, [exchange]);
    resumed(&mut hand, secs(1), "g/1");
}

#[test]
fn any_byte_breaks_the_silence() {
    let (mut hand, id, exchange) = dead_behind(LATEST, "id: 1\ndata:\n\n");
    for bytes in [":", "\n", "d", "ata:", "\n\n", "\n", ": ping\n\n"] {
        hand.pass(secs(60) - millis(1));
        hand.chunk(exchange, bytes);
    }
    assert!(hand.aborted.is_empty());
    // An end that was told in time is one.
    hand.pass(secs(59));
    hand.end(exchange);
    let exchange = resumed(&mut hand, secs(1), "1");
    hand.stream(exchange);
    hand.chunk(exchange, event("2", &done(&id)));
    assert!(hand.outcome(&id).unwrap().is_ok());
}

#[test]
fn silence_ends_no_stream_of_which_it_says_nothing() {
    let quiet = |said: &str, revision| {
        let mut hand = HttpHand::ready(revision);
        let id = hand.begin("a", CallOptions::default().timeouts(Timeouts::NEVER));
        let (exchange, _) = hand.take();
        hand.stream(exchange);
        for event in said.split_inclusive("\n\n") {
            hand.chunk(exchange, event);
        }
        hand.pass(secs(100_000));
        assert!(hand.aborted.is_empty() && hand.client.poll_timeout().is_none(), "{said:?}");
        hand.chunk(exchange, event("2", &done(&id)));
        assert!(hand.outcome(&id).unwrap().is_ok(), "{said:?}");
    };
    for revision in LEGACY {
        quiet("id: 1\ndata:\n\n", revision);
        quiet(":\n\n:\n\n", revision);
        quiet("id: 1\ndata:\n\n:\n\nid\ndata:\n\n", revision);
    }
    quiet("id: 1\ndata:\n\n:\n\n", Revision::V2026_07_28);
    // Whoever wants no limit has none.
    let mut options = ClientOptions::default();
    options.silence = Duration::MAX;
    let mut hand = HttpHand::ready_with(LATEST, Some("sess-1"), options);
    hand.begin("a", CallOptions::default().timeouts(Timeouts::NEVER));
    let (exchange, _) = hand.take();
    hand.stream(exchange);
    hand.chunk(exchange, "id: 1\ndata:\n\n");
    hand.chunk(exchange, ":\n\n");
    hand.pass(secs(100_000));
    assert!(hand.aborted.is_empty());
}

#[test]
fn who_does_not_listen_does_not_call_it_silence() {
    let (mut hand, id, exchange) = dead_behind(LATEST, "id: 1\ndata:\n\n");
    // Told, and not taken: what the server sends waits in the socket.
    hand.client.handle_body(exchange, event("2", &report(&id, 1)).as_bytes(), hand.now);
    assert!(!hand.client.wants_input(exchange));
    for _ in 0..5 {
        hand.now = hand.client.poll_timeout().expect("it is watched");
        hand.client.handle_timeout(hand.now);
    }
    hand.poll();
    assert!(hand.aborted.is_empty() && hand.opened.is_empty());
    hand.pass(secs(60));
    assert_eq!(hand.aborted, [exchange]);
}
