//! The client over HTTP keeps notifications and later calls in order, although each is a request of its own.
//! (http).

use std::time::Duration;

use http::Method;
use mcp_proto::http::{ClientOptions, Exchange};
use mcp_proto::json::RawJson;
use mcp_proto::{CallError, CallOptions, Notification, RequestId, Revision, Timeouts, role};
use mcp_tests::http_hand::{
    HttpHand, config, data, done, event, id_of, initialize_result, method_of, result_of,
};

const MODERN: Revision = Revision::V2026_07_28;
const LEGACY: [Revision; 3] = [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];
const ALL: [Revision; 4] =
    [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25, MODERN];

/// Something that a client may announce in any revision: it is no one's own.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Changed {}

impl Notification for Changed {
    const METHOD: &'static str = "notifications/x-changed";
    type Sender = role::Client;
}

fn notify(hand: &mut HttpHand) {
    hand.client.notify(&Changed {}).unwrap();
    hand.poll();
}

fn begin(hand: &mut HttpHand, tool: &'static str) -> RequestId {
    hand.begin(tool, CallOptions::default())
}

/// What was opened since it was asked last.
fn said(hand: &mut HttpHand) -> Vec<String> {
    let name = |request: &http::Request<bytes::Bytes>| match id_of(request) {
        id if id.is_empty() => method_of(request),
        id => id,
    };
    hand.opened.drain(..).map(|(_, request)| name(&request)).collect()
}

/// FIELD-BUGS 80; R-LIFE-05.
#[test]
fn a_call_waits_until_what_was_announced_before_it_has_arrived() {
    type Sign = fn(&mut HttpHand, Exchange);
    let signs: [Sign; 5] = [
        |hand, exchange| hand.head(exchange, 202, &[]),
        |hand, exchange| hand.head(exchange, 400, &[]),
        |hand, exchange| hand.cut(exchange),
        |hand, exchange| hand.end(exchange),
        // None comes.
        |hand, _| hand.pass(Duration::from_secs(21)),
    ];
    for revision in ALL {
        for sign in signs {
            let mut hand = HttpHand::ready(revision);
            notify(&mut hand);
            let id = begin(&mut hand, "a");
            let (exchange, request) = hand.take();
            assert_eq!(method_of(&request), Changed::METHOD, "{revision}");
            hand.pass(Duration::from_secs(9));
            assert!(hand.opened.is_empty(), "{revision}");
            sign(&mut hand, exchange);
            let (exchange, request) = hand.take();
            assert_eq!(id_of(&request), id.to_string(), "{revision}");
            hand.answer_json(exchange, &done(&id));
            assert!(hand.outcome(&id).unwrap().is_ok());
            // Behind it nothing waits any more.
            begin(&mut hand, "b");
            assert_eq!(hand.opened.len(), 1);
        }
    }
}

#[test]
fn a_call_waits_for_what_was_announced_before_it_and_not_for_more() {
    for revision in ALL {
        let mut hand = HttpHand::ready(revision);
        notify(&mut hand);
        let (first, _) = hand.take();
        let ids = [begin(&mut hand, "a"), begin(&mut hand, "b")];
        notify(&mut hand);
        let last = begin(&mut hand, "c");
        assert!(hand.opened.is_empty());
        hand.accept(first);
        let opened: Vec<_> = hand.opened.drain(..).collect();
        let mut names: Vec<_> = opened.iter().map(|(_, request)| id_of(request)).collect();
        names.sort();
        let mut expected = vec![String::new(), ids[0].to_string(), ids[1].to_string()];
        expected.sort();
        assert_eq!(names, expected, "{revision}");
        let second = opened.iter().find(|(_, request)| id_of(request).is_empty()).unwrap().0;
        hand.accept(second);
        assert_eq!(said(&mut hand), [last.to_string()]);
    }
}

#[test]
fn a_call_that_waits_can_be_given_up_or_end_and_never_leaves_then() {
    for revision in ALL {
        let mut hand = HttpHand::ready(revision);
        notify(&mut hand);
        let (exchange, _) = hand.take();
        let given_up = begin(&mut hand, "a");
        let soon = Timeouts::default().total(Duration::from_secs(5));
        let late = hand.begin("b", CallOptions::default().timeouts(soon));
        let left = begin(&mut hand, "c");
        hand.client.cancel(&given_up, None, hand.now);
        hand.poll();
        assert_eq!(hand.error(&given_up), CallError::Cancelled);
        hand.pass(Duration::from_secs(5));
        assert!(matches!(hand.error(&late), CallError::TimedOut(_)), "{revision}");
        assert!(hand.opened.is_empty(), "the server has heard of none of them: {revision}");
        hand.accept(exchange);
        assert_eq!(said(&mut hand), [left.to_string()], "{revision}");
    }
}

#[test]
fn cancellations_neither_wait_nor_are_waited_for() {
    for revision in ALL {
        let mut hand = HttpHand::ready(revision);
        let ((one, first), (two, second)) = (hand.call("a"), hand.call("b"));
        hand.stream(first);
        hand.stream(second);
        notify(&mut hand);
        let (unanswered, _) = hand.take();
        hand.client.cancel(&one, None, hand.now);
        hand.poll();
        let cancelled: &[&str] =
            if revision == MODERN { &[] } else { &["notifications/cancelled"] };
        assert_eq!(said(&mut hand), cancelled, "{revision}");
        assert_eq!(hand.aborted, [first]);
        hand.accept(unanswered);
        // No answer to the cancellation comes: nobody waits for that.
        let id = begin(&mut hand, "c");
        assert_eq!(said(&mut hand), [id.to_string()], "{revision}");
        hand.client.cancel(&two, None, hand.now);
        hand.poll();
        assert_eq!(said(&mut hand), cancelled);
        assert_eq!(hand.aborted, [first, second]);
    }
}

#[test]
fn an_answer_to_the_server_waits_for_no_notification() {
    for revision in LEGACY {
        let mut hand = HttpHand::ready(revision);
        let (_, exchange) = hand.call("a");
        hand.stream(exchange);
        notify(&mut hand);
        hand.take();
        hand.chunk(exchange, data(r#"{"jsonrpc":"2.0","id":"q","method":"roots/list"}"#));
        let asked = RequestId::from("q".to_owned());
        hand.client.respond(&asked, &RawJson::empty_object(), hand.now).unwrap();
        hand.poll();
        assert_eq!(said(&mut hand), ["q"], "{revision}");
    }
}

#[test]
fn a_lost_session_lets_nobody_wait_for_what_was_announced_in_it() {
    for revision in LEGACY {
        let mut hand = HttpHand::ready(revision);
        let (_, exchange) = hand.call("a");
        notify(&mut hand);
        hand.take();
        let waits = begin(&mut hand, "b");
        hand.status(exchange, 404);
        assert!(hand.outcome(&waits).unwrap().is_err());
        hand.shake_hands(revision, Some("t"));
        let id = begin(&mut hand, "c");
        assert_eq!(said(&mut hand), [id.to_string()], "{revision}");
    }
}

#[test]
fn the_end_waits_for_no_call_that_waited() {
    for revision in LEGACY {
        let mut hand = HttpHand::ready(revision);
        notify(&mut hand);
        let (exchange, _) = hand.take();
        let waits = begin(&mut hand, "a");
        hand.client.close(hand.now);
        hand.poll();
        assert!(hand.outcome(&waits).unwrap().is_err());
        hand.accept(exchange);
        let (exchange, request) = hand.take();
        assert_eq!(request.method(), Method::DELETE, "{revision}");
        hand.status(exchange, 200);
        assert!(hand.opened.is_empty() && hand.client.is_finished());
    }
}

#[test]
fn it_is_the_same_where_answers_come_on_the_one_stream() {
    let revision = Revision::V2024_11_05;
    let mut hand = HttpHand::new(config(&[revision]), ClientOptions::default());
    let (channel, _) = hand.take();
    hand.stream(channel);
    hand.chunk(channel, "event: endpoint\ndata: /messages\n\n");
    let (exchange, request) = hand.take();
    hand.accept(exchange);
    hand.chunk(channel, event("", &result_of(&id_of(&request), &initialize_result(revision))));
    let (exchange, _) = hand.take();
    hand.accept(exchange);
    notify(&mut hand);
    let id = begin(&mut hand, "a");
    let (exchange, request) = hand.take();
    assert_eq!(method_of(&request), Changed::METHOD);
    assert!(hand.opened.is_empty());
    hand.head(exchange, 202, &[]);
    assert_eq!(said(&mut hand), [id.to_string()]);
}
