//! Whatever becomes of a call over HTTP, nothing of it is left: after thousands of each outcome as many bytes are live
//! as before.
//!
//! A program of its own, because the counting allocator is that of the whole program.

use allocation_counter::measure;
use mcp_proto::http::ClientOptions;
use mcp_proto::{CallOptions, Revision, Timeouts};
use mcp_tests::http_hand::{HttpHand, JSON, data, done, error_of, event, id_of, report, result_of};
use mcp_tests::secs;

/// Of each outcome: as many as an unoptimised build has time for in some seconds.
const CALLS: usize = 2_000;

/// Calls after which the tables have the size that they keep.
const WARM_UP: usize = 300;

#[track_caller]
fn leaves_nothing(what: &str, hand: &mut HttpHand, mut step: impl FnMut(&mut HttpHand)) {
    let mut once = || {
        step(hand);
        // What lingers is closed, and what the hand keeps is let go.
        hand.pass(secs(3));
        assert!(hand.opened.is_empty(), "{what}: {:?}", hand.opened);
        hand.requests.clear();
        hand.told.clear();
        hand.aborted.clear();
    };
    (0..WARM_UP).for_each(|_| once());
    let counted = measure(|| (0..CALLS).for_each(|_| once()));
    assert!(counted.count_total > 0, "nothing was counted");
    assert_eq!(
        (counted.bytes_current, counted.count_current),
        (0, 0),
        "{what}: bytes and allocations left"
    );
}

#[test]
fn no_outcome_of_a_call_leaves_anything_behind() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let options = ClientOptions::default().deaf();
        let mut ready = HttpHand::ready_with(revision, Some("s"), options);
        let hand = &mut ready;
        leaves_nothing("JSON", hand, |hand| {
            let (id, exchange) = hand.call("a");
            hand.answer_json(exchange, &done(&id));
        });
        leaves_nothing("a stream that ends", hand, |hand| {
            let (id, exchange) = hand.call("a");
            hand.stream(exchange);
            hand.chunk(exchange, data(&report(&id, 1)) + &data(&done(&id)));
            hand.end(exchange);
        });
        leaves_nothing("a stream that does not", hand, |hand| {
            let (id, exchange) = hand.call("a");
            hand.stream(exchange);
            hand.chunk(exchange, data(&done(&id)) + "data: half");
        });
        leaves_nothing("a cut", hand, |hand| {
            let (_, exchange) = hand.call("a");
            hand.stream(exchange);
            hand.chunk(exchange, "data: half");
            hand.cut(exchange);
        });
        leaves_nothing("a refusal", hand, |hand| {
            let (_, exchange) = hand.call("a");
            hand.answer(exchange, 500, &[("content-type", "text/plain")], b"no");
        });
        leaves_nothing("no server", hand, |hand| {
            let (_, exchange) = hand.call("a");
            hand.cut(exchange);
        });
        leaves_nothing("giving up", hand, |hand| {
            let (id, exchange) = hand.call("a");
            hand.stream(exchange);
            hand.client.cancel(&id, None, hand.now);
            hand.poll();
            if let Some((exchange, _)) = hand.opened.pop_front() {
                hand.accept(exchange);
            }
        });
        leaves_nothing("a deadline", hand, |hand| {
            hand.begin("a", CallOptions::default().timeouts(Timeouts::NEVER.total(secs(1))));
            hand.take();
            hand.pass(secs(1));
            if let Some((exchange, _)) = hand.opened.pop_front() {
                hand.accept(exchange);
            }
        });
        if revision == Revision::V2025_11_25 {
            leaves_nothing("resumption", hand, |hand| {
                let (id, exchange) = hand.call("a");
                hand.stream(exchange);
                hand.chunk(exchange, "id: 1\ndata:\n\n");
                hand.cut(exchange);
                hand.pass(secs(1));
                let (exchange, _) = hand.take();
                hand.stream(exchange);
                hand.chunk(exchange, event("2", &done(&id)));
                hand.end(exchange);
            });
            leaves_nothing("a session that is lost", hand, |hand| {
                let (_, exchange) = hand.call("a");
                hand.status(exchange, 404);
                hand.shake_hands(revision, Some("s"));
                // Of use, so that it is not given up.
                let (id, exchange) = hand.call("a");
                hand.answer_json(exchange, &done(&id));
            });
        } else {
            leaves_nothing("wrong headers", hand, |hand| {
                let (id, exchange) = hand.call("a");
                let refusal = error_of(&id.to_string(), -32020);
                hand.answer(exchange, 400, &[("content-type", JSON)], refusal.as_bytes());
                let (exchange, request) = hand.take();
                hand.answer_json(exchange, &result_of(&id_of(&request), r#"{"tools":[]}"#));
                let (exchange, _) = hand.take();
                hand.answer_json(exchange, &done(&id));
            });
        }
    }
}
