//! Calls that are given up before the server may have heard of them: nothing overtakes them. R-CANC-11, -14.

use std::time::Duration;

use mcp_proto::http::ClientOptions;
use mcp_proto::{CallError, Event, Revision};
use mcp_tests::http_hand::{HttpHand, data, done, method_of};

const LEGACY: [Revision; 3] = [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];

/// What was said since it was asked last.
fn said(hand: &mut HttpHand) -> Vec<String> {
    hand.opened.drain(..).map(|(_, request)| method_of(&request)).collect()
}

#[test]
fn a_cancellation_waits_until_the_server_has_heard_of_its_call() {
    type Sign = fn(&mut HttpHand, mcp_proto::http::Exchange);
    let signs: [(Sign, bool); 5] = [
        (|hand, exchange| hand.stream(exchange), true),
        (|hand, exchange| hand.head(exchange, 202, &[]), true),
        (|hand, exchange| hand.cut(exchange), false),
        (|hand, exchange| hand.end(exchange), false),
        // None comes: it is not waited for without end.
        (|hand, _| hand.pass(Duration::from_secs(1)), true),
    ];
    for revision in LEGACY {
        for (sign, is_open) in signs {
            let mut hand = HttpHand::ready(revision);
            let (id, exchange) = hand.call("a");
            hand.pass(Duration::from_millis(10));
            hand.client.cancel(&id, None, hand.now);
            hand.poll();
            assert_eq!(hand.error(&id), CallError::Cancelled, "the caller is told at once");
            assert!(hand.opened.is_empty() && hand.aborted.is_empty());
            sign(&mut hand, exchange);
            assert_eq!(said(&mut hand), ["notifications/cancelled"]);
            assert_eq!(hand.aborted.contains(&exchange), is_open);
            // What comes behind is of no interest, and nothing is said twice.
            hand.chunk(exchange, data(&done(&id)));
            hand.pass(Duration::from_secs(100));
            assert!(hand.opened.is_empty(), "{revision}");
            let told = |event: &&Event| matches!(event, Event::Response { .. });
            assert_eq!(hand.told.iter().filter(told).count(), 1);
        }
    }
}

#[test]
fn a_call_that_was_asked_long_ago_is_given_up_at_once() {
    for revision in LEGACY {
        let mut hand = HttpHand::ready(revision);
        let (id, exchange) = hand.call("a");
        hand.pass(Duration::from_secs(1));
        hand.client.cancel(&id, None, hand.now);
        hand.poll();
        assert_eq!(said(&mut hand), ["notifications/cancelled"]);
        assert_eq!(hand.aborted, [exchange]);
    }
}

#[test]
fn nothing_waits_where_its_place_is_wanted_or_all_is_over() {
    let mut options = ClientOptions::default();
    options.max_exchanges = 1;
    let mut hand = HttpHand::ready_with(Revision::V2025_11_25, Some("s"), options);
    let (id, exchange) = hand.call("a");
    hand.client.cancel(&id, None, hand.now);
    hand.poll();
    assert_eq!(said(&mut hand), ["notifications/cancelled"]);
    assert_eq!(hand.aborted, [exchange]);

    let mut hand = HttpHand::ready(Revision::V2025_11_25);
    let (id, exchange) = hand.call("a");
    hand.client.cancel(&id, None, hand.now);
    hand.poll();
    assert!(hand.opened.is_empty());
    hand.client.close(hand.now);
    hand.poll();
    assert_eq!(said(&mut hand), ["notifications/cancelled"]);
    assert_eq!(hand.aborted, [exchange]);
}
