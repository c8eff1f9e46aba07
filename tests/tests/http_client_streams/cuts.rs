//! Streams that are cut, and resumed. R-HTTP-17 to -21, R-RESU, RELIABILITY §2.4.

use http::Method;
use mcp_proto::http::ClientOptions;
use mcp_proto::{CallError, CallOptions, Event, HttpError, RequestId, Revision, Timeouts};
use mcp_tests::http_hand::{HttpHand, JSON, done, event, header, method_of, report};
use mcp_tests::{millis, secs};

use crate::{LATEST, LEGACY, cut_behind, listening, outages, resumed};

/// FIELD-BUGS 78; R-RESU-03, R-RESU-04.
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

/// FIELD-BUGS 63; R-LIFE-10.
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

/// FIELD-BUGS 78; R-HTTP-20.
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

/// FIELD-BUGS 78; R-HTTP-20.
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
fn a_server_that_still_sees_the_broken_connection_is_asked_again() {
    let (mut hand, id) = cut_behind(LATEST, "retry: 500\nid: 1\ndata:\n\n");
    let exchange = resumed(&mut hand, millis(500), "1");
    hand.status(exchange, 409);
    let exchange = resumed(&mut hand, secs(1), "1");
    hand.stream(exchange);
    hand.chunk(exchange, event("2", &done(&id)));
    assert!(hand.outcome(&id).unwrap().is_ok());
}

/// FIELD-BUGS 50; R-TIME-04.
#[test]
fn a_timeout_says_that_the_stream_was_cut_and_since_when() {
    let idle = CallOptions::default().tracked().timeouts(Timeouts::NEVER.idle(secs(3)));
    // How its server comes back: never, once, after a while that it has named; and whether it was cut at all.
    for (said, comes_back, expected) in [
        ("id: 1\ndata:\n\n", false, Some(secs(2))),
        ("retry: 100\nid: 1\ndata:\n\n", false, Some(secs(2))),
        ("id: 1\ndata:\n\n", true, None),
    ] {
        for revision in LEGACY {
            let mut hand = HttpHand::ready(revision);
            let id = hand.begin("a", idle.clone());
            let (exchange, _) = hand.take();
            hand.stream(exchange);
            hand.chunk(exchange, said);
            hand.pass(secs(1));
            hand.end(exchange);
            let until = hand.now + secs(2);
            while hand.outcome(&id).is_none() && hand.now < until {
                hand.pass(millis(100));
                while let Some((exchange, _)) = hand.opened.pop_front() {
                    match comes_back {
                        true => hand.stream(exchange),
                        false => hand.status(exchange, 503),
                    }
                }
            }
            let CallError::TimedOut(expired) = hand.error(&id) else { panic!("{said:?}") };
            assert_eq!(expired.interrupted(), expected, "{revision}: {said:?}");
            let told = expired.to_string().contains("its stream was cut 2s before");
            assert_eq!(told, expected.is_some(), "{expired}");
        }
    }
    // What is cut again has been cut since then.
    let mut hand = HttpHand::ready(LATEST);
    let id = hand.begin("a", idle);
    let (exchange, _) = hand.take();
    hand.stream(exchange);
    hand.chunk(exchange, "id: 1\ndata:\n\n");
    hand.cut(exchange);
    let exchange = resumed(&mut hand, secs(1), "1");
    hand.stream(exchange);
    hand.pass(millis(500));
    hand.cut(exchange);
    hand.pass(secs(9));
    let CallError::TimedOut(expired) = hand.error(&id) else { panic!() };
    assert_eq!(expired.interrupted(), Some(millis(1_500)));
}
