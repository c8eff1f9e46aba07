//! Streams of the client over HTTP: cuts, resumption, order of progress, the stream for what belongs to no call.
//! R-HTTP-16 to -27, R-RESU, R-PROG, RELIABILITY §2.4.

use std::time::Duration;

use http::Method;
use mcp_proto::http::{ClientOptions, Exchange};
use mcp_proto::testing::transcript::describe;
use mcp_proto::{
    CallError, CallOptions, Event, HttpError, RequestId, Revision, Timeouts, Violation,
};
use mcp_tests::http_hand::{
    EVENTS, HttpHand, JSON, config, data, done, event, header, method_of, report,
};
use mcp_tests::{millis, secs};

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

#[test]
fn a_stream_is_resumed_behind_the_last_event_and_loses_nothing() {
    // R-RESU-03, R-HTTP-17, -20, -21.
    for revision in LEGACY {
        let (mut hand, id) = cut_behind(revision, "retry: 500\nid: s/0\ndata:\n\n");
        let exchange = resumed(&mut hand, millis(500), "s/0");
        hand.stream(exchange);
        hand.chunk(exchange, event("s/1", &report(&id, 1)));
        hand.cut(exchange);
        let exchange = resumed(&mut hand, millis(500), "s/1");
        hand.stream(exchange);
        hand.chunk(exchange, event("s/2", &report(&id, 2)) + &event("s/3", &done(&id)));
        hand.end(exchange);
        assert_eq!(hand.reports(&id), [1.0, 2.0]);
        assert!(hand.outcome(&id).unwrap().is_ok() && hand.violations().is_empty());
        hand.pass(secs(1_000));
        assert!(hand.opened.is_empty() && hand.client.poll_timeout().is_none());
    }
}

#[test]
fn an_event_that_is_repeated_is_taken_once() {
    // R-RESU-06: progress, the answer, and what would ask the user twice.
    let asks = r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{}}"#;
    let said = "id: 1\ndata: {q}\n\n".replace("{q}", asks);
    let (mut hand, id) = cut_behind(LATEST, &said);
    let asked = |hand: &HttpHand| {
        hand.told.iter().filter(|event| matches!(event, Event::Request { .. })).count()
    };
    assert_eq!(asked(&hand), 1);
    hand.client
        .respond(&RequestId::from("q"), &mcp_proto::json::RawJson::empty_object(), hand.now)
        .unwrap();
    hand.poll();
    let (exchange, _) = hand.take();
    hand.accept(exchange);
    let mut last = "1".to_owned();
    for n in 2..5_u32 {
        let exchange = resumed(&mut hand, secs(1), &last);
        hand.stream(exchange);
        // From the beginning, whatever was asked for.
        let mut said = event("1", asks);
        for m in 2..=n {
            said += &event(&m.to_string(), &report(&id, m));
        }
        hand.chunk(exchange, said);
        hand.cut(exchange);
        last = n.to_string();
    }
    assert_eq!(asked(&hand), 1);
    let exchange = resumed(&mut hand, secs(1), &last);
    hand.stream(exchange);
    hand.chunk(exchange, event("5", &done(&id)) + &event("5", &done(&id)));
    assert_eq!(hand.reports(&id), [2.0, 3.0, 4.0]);
    assert!(hand.outcome(&id).unwrap().is_ok() && hand.violations().is_empty());
}

#[test]
fn what_cannot_be_resumed_ends_its_call_once() {
    for said in [
        "",
        "data: {\"jsonrpc\":\"2.0\",\"id\":{id},\"resu",
        "id: 1\ndata: {\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{}}\n",
        "id: a\u{1}b\ndata:\n\n",
    ] {
        for revision in LEGACY {
            let (mut hand, id) = cut_behind(revision, said);
            assert_eq!(hand.error(&id), CallError::Http(HttpError::Cut), "{said:?}");
            hand.pass(secs(1_000));
            assert!(hand.opened.is_empty() && !hand.client.is_closed());
        }
    }
    // R-H26-28: nothing is resumed in the modern era, whatever ids there are.
    let (mut hand, id) = cut_behind(Revision::V2026_07_28, "id: 1\nretry: 1\ndata:\n\n");
    assert_eq!(hand.error(&id), CallError::Http(HttpError::Cut));
    hand.pass(secs(1_000));
    assert!(hand.opened.is_empty());
}

/// What is told of streams that are cut, in words.
fn outages(hand: &HttpHand) -> Vec<String> {
    let is_one =
        |event: &&Event| matches!(event, Event::Interrupted { .. } | Event::Resumed { .. });
    hand.told.iter().filter(is_one).map(describe).collect()
}

#[test]
fn an_interruption_and_its_end_are_told_once_and_in_order() {
    let (mut hand, id) = cut_behind(LATEST, "id: 1\ndata:\n\n");
    let mut expected = vec![format!("interrupted {id}")];
    assert_eq!(outages(&hand), expected);
    // Tries that fail are no news.
    for _ in 0..2 {
        hand.pass(secs(5));
        let (exchange, _) = hand.take();
        hand.status(exchange, 503);
    }
    assert_eq!(outages(&hand), expected);
    hand.pass(secs(5));
    let (exchange, _) = hand.take();
    hand.stream(exchange);
    expected.push(format!("resumed {id}"));
    assert_eq!(outages(&hand), expected, "before anything has come");
    hand.chunk(exchange, event("2", &report(&id, 1)));
    hand.cut(exchange);
    expected.push(format!("interrupted {id}"));
    hand.pass(secs(5));
    let (exchange, _) = hand.take();
    hand.stream(exchange);
    hand.chunk(exchange, event("3", &done(&id)));
    expected.push(format!("resumed {id}"));
    assert_eq!(outages(&hand), expected);
    let report =
        hand.told.iter().position(|event| matches!(event, Event::Progress { .. })).unwrap();
    let again = hand.told.iter().rposition(|event| matches!(event, Event::Interrupted { .. }));
    assert!(report < again.unwrap(), "{:?}", hand.told);
}

#[test]
fn a_server_that_says_when_to_come_back_interrupts_nothing() {
    let (mut hand, _) = cut_behind(LATEST, "retry: 200\nid: 1\ndata:\n\n");
    let exchange = resumed(&mut hand, millis(200), "1");
    hand.stream(exchange);
    assert_eq!(outages(&hand), [""; 0]);
    hand.cut(exchange);
    assert_eq!(outages(&hand).len(), 1, "it was broken off");
    // What was said on an earlier connection excuses no later one.
    let (mut hand, _) = cut_behind(LATEST, "retry: 200\nid: 1\ndata:\n\n");
    let exchange = resumed(&mut hand, millis(200), "1");
    hand.stream(exchange);
    hand.chunk(exchange, "id: 2\ndata:\n\n");
    hand.end(exchange);
    assert_eq!(outages(&hand).len(), 1, "it has not said that it would");
    let exchange = resumed(&mut hand, millis(200), "2");
    hand.stream(exchange);
    assert_eq!(outages(&hand).len(), 2);
}

#[test]
fn a_server_may_refuse_to_resume() {
    for (status, headers, is_cut) in [
        (400, &[][..], true),
        (405, &[], true),
        (200, &[("content-type", JSON)], true),
        (202, &[], true),
        (401, &[], false),
    ] {
        let (mut hand, id) = cut_behind(LATEST, "id: 1\ndata:\n\n");
        let exchange = resumed(&mut hand, secs(1), "1");
        hand.answer(exchange, status, headers, b"");
        match hand.error(&id) {
            CallError::Http(HttpError::Cut) => assert!(is_cut),
            CallError::Http(HttpError::Status { status: told, .. }) => {
                assert_eq!((told, is_cut), (status, false))
            }
            error => panic!("{error:?}"),
        }
    }
    let (mut hand, id) = cut_behind(LATEST, "id: 1\ndata:\n\n");
    let exchange = resumed(&mut hand, secs(1), "1");
    hand.status(exchange, 404);
    assert_eq!(hand.error(&id), CallError::Http(HttpError::SessionExpired));
    assert_eq!(method_of(&hand.take().1), "initialize");
}

#[test]
fn tries_that_bring_nothing_are_paced_and_end() {
    // RELIABILITY T46: `retry: 0` for ever, a server that is gone, one that never answers, one that is busy.
    for how in ["end", "cut", "silence", "503", "409"] {
        let (mut hand, id) = cut_behind(LATEST, "retry: 0\nid: 1\ndata:\n\n");
        let (mut tries, from) = (0, hand.now);
        while hand.outcome(&id).is_none() {
            hand.pass(millis(50));
            let Some((exchange, request)) = hand.opened.pop_front() else { continue };
            assert_eq!(request.method(), Method::GET);
            tries += 1;
            match how {
                "cut" => hand.cut(exchange),
                "silence" => {}
                "503" | "409" => hand.status(exchange, how.parse().unwrap()),
                _ => {
                    hand.stream(exchange);
                    hand.chunk(exchange, "retry: 0\nid: 1\ndata:\n\n");
                    hand.end(exchange);
                }
            }
        }
        assert_eq!((hand.error(&id), tries), (CallError::Http(HttpError::Cut), 5), "{how}");
        let took = hand.now.saturating_duration_since(from);
        assert!(took > secs(14) && took < secs(200), "{how}: {took:?}");
        assert!(!hand.client.is_closed());
    }
}

#[test]
fn an_absurd_time_to_wait_is_bounded() {
    let mut hand = HttpHand::ready(LATEST);
    hand.begin("a", CallOptions::default().timeouts(Timeouts::NEVER));
    let (exchange, _) = hand.take();
    hand.stream(exchange);
    hand.chunk(exchange, "retry: 99999999999999999999\nid: 1\ndata:\n\n");
    hand.end(exchange);
    resumed(&mut hand, secs(300), "1");
}

#[test]
fn a_call_that_waits_to_be_resumed_can_be_given_up() {
    let (mut hand, id) = cut_behind(LATEST, "id: 1\ndata:\n\n");
    hand.client.cancel(&id, None, hand.now);
    hand.poll();
    let (exchange, request) = hand.take();
    assert_eq!(method_of(&request), "notifications/cancelled");
    hand.accept(exchange);
    hand.pass(secs(100));
    assert!(hand.opened.is_empty() && hand.aborted.is_empty());
}

#[test]
fn a_polled_stream_may_go_on_for_ever() {
    // SEP-1699: the server closes the connection again and again and goes on with the work.
    let (mut hand, id) = cut_behind(LATEST, "retry: 200\nid: 0\ndata:\n\n");
    for n in 1..100_u32 {
        let exchange = resumed(&mut hand, millis(200), &(n - 1).to_string());
        hand.stream(exchange);
        hand.chunk(
            exchange,
            event(&n.to_string(), &if n % 7 == 0 { report(&id, n) } else { String::new() }),
        );
        hand.end(exchange);
    }
    assert_eq!(hand.reports(&id).len(), 14);
    assert_eq!(hand.outcome(&id), None);
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

// The stream for what belongs to no call. R-HTTP-22 to -27.

fn listening(revision: Revision) -> (HttpHand, Exchange) {
    let mut hand = HttpHand::new(config(&[revision]), ClientOptions::default());
    hand.shake_hands_and_listen(revision);
    let (exchange, request) = hand.take();
    assert_eq!((request.method(), header(&request, "accept")), (&Method::GET, Some(EVENTS)));
    assert_eq!(header(&request, "last-event-id"), None);
    (hand, exchange)
}

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
        assert_eq!(mcp_tests::http_hand::id_of(&request), "p");
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
        assert_eq!(mcp_tests::http_hand::id_of(&hand.take().1), "p");
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
fn a_busy_server_says_when_to_come_back() {
    for status in [429, 503] {
        let (mut hand, id) = cut_behind(LATEST, "retry: 500\nid: 1\ndata:\n\n");
        let mut exchange = resumed(&mut hand, millis(500), "1");
        for (asked, waited) in [("7", 7), ("0", 2), ("soon", 4), ("60", 60)] {
            hand.answer(exchange, status, &[("retry-after", asked)], b"");
            exchange = resumed(&mut hand, secs(waited), "1");
        }
        hand.stream(exchange);
        hand.chunk(exchange, event("2", &done(&id)));
        assert!(hand.outcome(&id).unwrap().is_ok());
    }
    let (mut hand, exchange) = listening(LATEST);
    hand.answer(exchange, 503, &[("retry-after", "5")], b"");
    hand.pass(millis(4_999));
    assert!(hand.opened.is_empty());
    hand.pass(millis(1));
    hand.take();
}

#[test]
fn an_empty_id_takes_back_where_to_go_on() {
    // WHATWG: the last event id is set to the empty string.
    let (hand, id) = cut_behind(LATEST, "id: 1\ndata:\n\nid\ndata:\n\n");
    assert_eq!(hand.error(&id), CallError::Http(HttpError::Cut), "there is no place to name");
    assert!(hand.opened.is_empty());
    let (mut hand, exchange) = listening(LATEST);
    hand.stream(exchange);
    hand.chunk(exchange, event("g/1", ""));
    hand.cut(exchange);
    let exchange = resumed(&mut hand, secs(1), "g/1");
    hand.stream(exchange);
    hand.cut(exchange);
    let exchange = resumed(&mut hand, secs(1), "g/1");
    hand.stream(exchange);
    hand.chunk(exchange, "id:\n\n");
    hand.cut(exchange);
    hand.pass(secs(2));
    assert_eq!(header(&hand.take().1, "last-event-id"), None);
}

#[test]
fn clients_with_other_seeds_come_back_at_other_moments_and_one_seed_repeats_itself() {
    let waited = |seed| {
        let mut options = ClientOptions::default();
        options.spread = Some(seed);
        let mut hand = HttpHand::ready_with(LATEST, Some("sess-1"), options);
        let (id, exchange) = hand.call("a");
        hand.stream(exchange);
        hand.chunk(exchange, event("1", ""));
        hand.cut(exchange);
        let from = hand.now;
        while hand.outcome(&id).is_none() {
            let due = hand.client.poll_timeout().unwrap();
            hand.pass(due.saturating_duration_since(hand.now));
            if let Some((exchange, _)) = hand.opened.pop_front() {
                hand.cut(exchange);
            }
        }
        hand.now.saturating_duration_since(from)
    };
    let all: Vec<_> = (0..20).map(waited).collect();
    assert!(all.iter().all(|time| (secs(8)..secs(16)).contains(time)), "{all:?}");
    let different: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(different.len(), 20);
    assert_eq!(all[7], waited(7));
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
    assert_eq!(mcp_tests::http_hand::id_of(&hand.take().1), "p");
    // A server that refuses the stream itself is not asked again.
    let (mut hand, exchange) = listening(LATEST);
    hand.status(exchange, 400);
    hand.pass(secs(1_000));
    assert!(hand.opened.is_empty());
}

#[test]
fn a_server_that_still_sees_the_broken_connection_is_asked_again() {
    let (mut hand, id) = cut_behind(LATEST, "retry: 500\nid: 1\ndata:\n\n");
    let exchange = resumed(&mut hand, millis(500), "1");
    hand.status(exchange, 409);
    let exchange = resumed(&mut hand, secs(1), "1");
    hand.stream(exchange);
    hand.chunk(exchange, event("2", &done(&id)));
    assert!(hand.outcome(&id).unwrap().is_ok());
}

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
