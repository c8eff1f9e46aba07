//! The client over HTTP whose places for exchanges are all taken: what waits, and what still moves.

use std::time::Duration;

use http::Method;
use mcp_proto::http::{ClientOptions, Exchange};
use mcp_proto::{CallOptions, CallTool, Event, RequestId, Revision};
use mcp_tests::http_hand::{
    HttpHand, JSON, config, data, done, event, header, id_of, method_of, result_of,
};

const REVISIONS: [Revision; 2] = [Revision::V2025_11_25, Revision::V2026_07_28];

fn places(max: usize) -> ClientOptions {
    let mut options = ClientOptions::default();
    options.max_exchanges = max;
    options
}

/// Calls until no more can be asked, and those of them that have left.
fn many(hand: &mut HttpHand) -> (Vec<RequestId>, Vec<Exchange>) {
    let long = "x".repeat(10 << 10);
    let mut ids = Vec::new();
    while ids.len() < 200 {
        let call = CallTool::new("t").argument("a", &long);
        let Ok(ticket) = hand.client.request(&call, CallOptions::default(), hand.now) else {
            break;
        };
        ids.push(ticket.id().clone());
        hand.poll();
    }
    let sent = hand.opened.drain(..).map(|(exchange, _)| exchange).collect();
    (ids, sent)
}

#[test]
fn calls_beyond_the_places_wait_for_long_and_each_is_answered() {
    for revision in REVISIONS {
        let mut hand = HttpHand::ready_with(revision, Some("s"), places(8));
        let (ids, sent) = many(&mut hand);
        // What waits for a place counts as waiting output: 1 MiB of it.
        assert!((102..=112).contains(&ids.len()), "{}", ids.len());
        assert_eq!(sent.len(), 8, "{revision}");
        // Longer than a server may take to read: it is not the server that keeps them waiting.
        hand.pass(Duration::from_secs(100));
        assert_eq!(hand.client.calls_in_flight(), ids.len(), "{revision}: {:?}", hand.told.last());
        let mut open: std::collections::VecDeque<_> = sent.into();
        for id in &ids {
            let exchange = open.pop_front().expect("another one has left");
            assert!(hand.client.wants_input(exchange), "{revision}: the answer to {id}");
            hand.answer_json(exchange, &done(id));
            assert!(hand.outcome(id).unwrap().is_ok());
            open.extend(hand.opened.drain(..).map(|(exchange, _)| exchange));
        }
        assert_eq!((open.len(), hand.client.calls_in_flight()), (0, 0));
        assert_eq!(many(&mut hand).0.len(), ids.len(), "what has left counts no more");
    }
}

#[test]
fn a_reply_that_a_call_waits_for_is_not_kept_back_by_calls() {
    let mut hand = HttpHand::ready_with(Revision::V2025_11_25, Some("s"), places(1));
    let (id, exchange) = hand.call("asks");
    let other = hand.begin("other", CallOptions::default());
    hand.stream(exchange);
    hand.chunk(exchange, data(r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#));
    assert!(matches!(hand.told.last(), Some(Event::Request { .. })));
    let asked = RequestId::from("q".to_owned());
    hand.client.respond(&asked, &mcp_proto::json::RawJson::empty_object(), hand.now).unwrap();
    hand.poll();
    let (reply, request) = hand.take();
    assert_eq!(id_of(&request), "q");
    assert!(hand.opened.is_empty(), "the other call has no place yet");
    hand.accept(reply);
    hand.chunk(exchange, data(&done(&id)));
    hand.end(exchange);
    assert!(hand.outcome(&id).unwrap().is_ok());
    assert_eq!(id_of(&hand.take().1), other.to_string());
}

#[test]
fn what_a_server_makes_us_answer_stays_bounded_while_calls_wait() {
    let limits = {
        let mut limits = config(&[Revision::V2025_11_25]).limits;
        limits.max_outbox_len = 4 << 10;
        limits
    };
    let mut hand = HttpHand::new(config(&[Revision::V2025_11_25]).limits(limits), places(1));
    hand.shake_hands(Revision::V2025_11_25, Some("s"));
    let (_, exchange) = hand.call("floods");
    hand.stream(exchange);
    let mut pings = 0;
    while pings < 10_000 && hand.client.wants_input(exchange) {
        let ping = format!(r#"{{"jsonrpc":"2.0","id":"{pings}","method":"ping"}}"#);
        hand.chunk(exchange, data(&ping));
        pings += 1;
    }
    assert!((50..200).contains(&pings), "{pings}");
}

#[test]
fn calls_that_wait_for_a_place_can_be_given_up_and_never_leave() {
    for revision in REVISIONS {
        let mut hand = HttpHand::ready_with(revision, Some("s"), places(1));
        let (first, exchange) = hand.call("first");
        let waiting: Vec<_> = (0..3).map(|_| hand.begin("waits", CallOptions::default())).collect();
        assert!(hand.opened.is_empty());
        hand.client.cancel(&waiting[1], None, hand.now);
        hand.poll();
        assert!(hand.opened.is_empty(), "{revision}: the server has heard of none of them");
        hand.answer_json(exchange, &done(&first));
        for id in [&waiting[0], &waiting[2]] {
            let (exchange, request) = hand.take();
            assert_eq!(id_of(&request), id.to_string(), "{revision}: in their order");
            hand.answer_json(exchange, &done(id));
        }
        assert!(hand.opened.is_empty());
        // At the end of all, what still waits does not leave either.
        let (_, exchange) = hand.call("last");
        let late = hand.begin("late", CallOptions::default());
        let given_up = hand.begin("late", CallOptions::default());
        hand.client.cancel(&given_up, None, hand.now);
        hand.client.close(hand.now);
        hand.poll();
        assert!(hand.error(&late).to_string().contains("closed"), "{}", hand.error(&late));
        assert!(hand.aborted.contains(&exchange));
        assert!(hand.opened.iter().all(|(_, request)| request.method() == Method::DELETE));
    }
}

#[test]
fn a_session_that_is_lost_takes_along_the_calls_that_wait_for_a_place() {
    let mut hand = HttpHand::ready_with(Revision::V2025_11_25, Some("s"), places(1));
    let (_, exchange) = hand.call("first");
    let waiting = hand.begin("waits", CallOptions::default());
    hand.status(exchange, 404);
    assert!(hand.outcome(&waiting).is_some_and(|outcome| outcome.is_err()));
    hand.shake_hands(Revision::V2025_11_25, Some("t"));
    assert!(hand.opened.is_empty());
}

#[test]
fn a_stream_that_stands_takes_no_place() {
    // The one for what belongs to no call.
    let mut hand = HttpHand::new(config(&[Revision::V2025_11_25]), places(1));
    hand.shake_hands_and_listen(Revision::V2025_11_25);
    let (listening, request) = hand.take();
    assert_eq!(header(&request, "accept"), Some("text/event-stream"));
    hand.stream(listening);
    let (id, exchange) = hand.call("a");
    hand.answer_json(exchange, &done(&id));
    assert!(hand.outcome(&id).unwrap().is_ok());
    // And that of a server of the first revision.
    let mut hand = HttpHand::new(config(&[Revision::V2024_11_05]), places(1));
    let (channel, _) = hand.take();
    hand.stream(channel);
    hand.chunk(channel, "event: endpoint\ndata: /messages\n\n");
    let (exchange, request) = hand.take();
    hand.accept(exchange);
    let result = mcp_tests::http_hand::initialize_result(Revision::V2024_11_05);
    hand.chunk(channel, event("", &result_of(&id_of(&request), &result)));
    let (exchange, request) = hand.take();
    assert_eq!(method_of(&request), "notifications/initialized");
    hand.answer(exchange, 202, &[("content-type", JSON)], b"");
    let (_, exchange) = hand.call("a");
    hand.accept(exchange);
}
