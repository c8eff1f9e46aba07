//! Faults of other libraries with the order, loss and lateness of progress, each a test named after the
//! fault, at the engine. Its numbers are in `field_progress_values.rs`, what needs a callback in `field_callbacks.rs`.

use std::time::Duration;

use mcp_proto::progress::{Pacing, ReportError, Weight};
use mcp_proto::testing::{Pair, SimNet};
use mcp_proto::{
    CallOptions, CallToolResult, ClientConfig, ErrorObject, Event, Progress, RawJson, RequestId,
    Revision, SendError, ServerConfig, Timeouts, Violation,
};
use mcp_tests::{Hand, endings, millis, progress, result, secs, tool_call, values, work, working};

fn report(pair: &mut Pair, id: &RequestId, value: f64) -> Result<(), ReportError> {
    pair.server.report(id, Progress::new(value), Weight::Ordinary, pair.now)
}

fn unpaced(revision: Revision) -> Pair {
    let client = ClientConfig::new("client", "1").revisions(revision);
    let server = ServerConfig::new("server", "1").revisions(revision).pacing(Pacing::UNLIMITED);
    Pair::new(client, server).shaken()
}

/// FIELD-BUGS 17; R-PROG-13.
#[test]
fn progress_in_one_read_with_the_response_is_no_unknown_token() {
    let mut first = Hand::client();
    let id = first.call(CallOptions::default().tracked());
    let mut stream: String = (0..40).map(|n| progress("2", &n.to_string())).collect();
    stream += &result(&id);
    let expected: Vec<f64> = (0..40).map(f64::from).collect();
    for split in 0..=stream.len() {
        let mut client = first.clone();
        let (head, tail) = stream.split_at(split);
        client.feed(head);
        let mut told = if split % 2 == 0 { client.told() } else { Vec::new() };
        client.feed(tail);
        told.extend(client.told());
        assert_eq!(values(&told), expected, "split at {split}");
        assert_eq!(told.len(), 41, "split at {split}: nothing else");
        assert!(
            matches!(told.last(), Some(Event::Response { outcome: Ok(_), .. })),
            "split at {split}"
        );
    }
}

/// FIELD-BUGS 18; R-PROG-13.
#[test]
fn late_or_unknown_progress_closes_nothing() {
    let mut client = Hand::client();
    let done = client.call(CallOptions::default().tracked());
    let running = client.call(CallOptions::default().tracked());
    client.feed(result(&done));
    client.told();
    for n in 0..1000 {
        client.feed(progress("2", &n.to_string()) + &progress("99999", "1"));
        // Slow enough for each to be told.
        client.pass(millis(40));
    }
    let told = client.told();
    assert_eq!(told.len(), 2000);
    for pair in told.chunks(2) {
        assert_eq!(pair[0], Event::Violation(Violation::LateProgress(2.into())));
        assert_eq!(pair[1], Event::Violation(Violation::UnknownToken(99999.into())));
    }
    assert!(!client.conn().is_closed());
    client.feed(progress("3", "1") + &result(&running));
    let told = client.told();
    assert_eq!((values(&told), endings(&told)), (vec![1.0], vec![(running, true)]));
}

/// FIELD-BUGS 19; R-PROG-03, R-PROG-05.
#[test]
fn order_and_completeness_before_the_result_hold() {
    for revision in Revision::ALL {
        for seed in 0..50 {
            let net =
                SimNet::new(seed).chunks(1..=90).delay(Duration::ZERO..=millis(40)).capacity(300);
            let mut pair = Pair::ready(revision).over(net);
            let id = working(&mut pair);
            for n in 0..30 {
                report(&mut pair, &id, f64::from(n)).unwrap();
                if n % 7 == 0 {
                    pair.jump();
                }
            }
            pair.server.respond(&id, &CallToolResult::text("done"), pair.now).unwrap();
            while endings(&pair.client_events).is_empty() {
                assert!(pair.jump(), "{revision}, {}", pair.net);
            }
            let expected: Vec<f64> = (0..30).map(f64::from).collect();
            assert_eq!(values(&pair.client_events), expected, "{revision}, {}", pair.net);
            assert_eq!(pair.client_events.len(), 31, "{revision}, {}", pair.net);
            assert!(matches!(
                pair.client_events.last(),
                Some(Event::Response { outcome: Ok(_), .. })
            ));
        }
    }
}

/// FIELD-BUGS 20; R-PROG-03. Ten reports were seen 10..1, and all after the result.
#[test]
fn a_slow_reader_does_not_turn_the_order_around() {
    let mut client = Hand::client();
    let id = client.call(CallOptions::default().tracked());
    let mut seen = Vec::new();
    for n in 1..=10 {
        client.feed(progress("2", &n.to_string()));
        // It takes one for every three that come.
        if n % 3 == 0 {
            seen.extend(client.conn().poll_event());
        }
    }
    client.feed(result(&id));
    while let Some(event) = client.conn().poll_event() {
        seen.push(event);
    }
    assert_eq!(values(&seen), (1..=10).map(f64::from).collect::<Vec<_>>());
    assert!(matches!(seen.last(), Some(Event::Response { .. })));
}

/// FIELD-BUGS 21; R-PROG-03. Spawned tasks raced; here there is nothing that could.
#[test]
fn twenty_thousand_reports_have_no_inversion() {
    let mut pair = unpaced(Revision::V2025_11_25);
    let id = working(&mut pair);
    for n in 0..20_000 {
        report(&mut pair, &id, f64::from(n)).unwrap();
        if n % 100 == 0 {
            pair.settle();
        }
    }
    pair.server.respond(&id, &CallToolResult::text("done"), pair.now).unwrap();
    pair.settle();
    assert_eq!(values(&pair.client_events), (0..20_000).map(f64::from).collect::<Vec<_>>());
    assert_eq!(pair.client_events.len(), 20_001);
    assert_eq!(pair.server.merged_reports(&id), 0);
}

/// FIELD-BUGS 22; R-PROG-03.
#[test]
fn what_was_sent_zero_to_five_is_not_seen_shuffled() {
    for seed in 0..200 {
        let net = SimNet::new(seed).chunks(1..=200).delay(Duration::ZERO..=secs(1));
        let mut pair = Pair::ready(Revision::V2026_07_28).over(net);
        let id = working(&mut pair);
        for n in 0..=5 {
            report(&mut pair, &id, f64::from(n)).unwrap();
            pair.advance(millis(200));
        }
        pair.server.respond(&id, &CallToolResult::text("done"), pair.now).unwrap();
        pair.advance(secs(20));
        assert_eq!(values(&pair.client_events), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "{}", pair.net);
    }
}

/// FIELD-BUGS 23; R-PROG-05. And the author is told.
#[test]
fn a_report_after_the_result_is_refused() {
    let mut server = Hand::server();
    let id = server.accept(&tool_call("5", Some("5")));
    let now = server.now();
    server.conn().respond(&id, &CallToolResult::text("done"), now).unwrap();
    for n in 0..10 {
        let late = server.conn().report(&id, Progress::new(f64::from(n)), Weight::Milestone, now);
        assert_eq!(late, Err(ReportError::Finished));
    }
    let said = server.said();
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("\"result\""), "{said:?}");
}

/// How a request may end at the server.
type End = fn(&mut Hand<mcp_proto::role::Server>, &RequestId);

/// FIELD-BUGS 24; R-PROG-05, R-PROG-26.
#[test]
fn no_bytes_leave_for_a_request_that_has_ended() {
    let ends: [(&str, End); 5] = [
        ("answered", |server, id| {
            let now = server.now();
            server.conn().respond(id, &CallToolResult::text("done"), now).unwrap();
        }),
        ("failed", |server, id| {
            let now = server.now();
            server.conn().fail(id, &ErrorObject::internal("no"), now).unwrap();
        }),
        ("abandoned", |server, id| {
            let now = server.now();
            server.conn().abandon(id, now);
        }),
        ("cancelled", |server, _| {
            server.feed(
                "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":5}}\n",
            );
        }),
        ("closed", |server, _| {
            let now = server.now();
            server.conn().close(now);
        }),
    ];
    for (name, end) in ends {
        // With one report that has left, several that wait for the bucket, and none.
        for reports in [0, 1, 5, 100] {
            let mut server = Hand::server();
            let id = server.accept(&tool_call("5", Some("5")));
            let now = server.now();
            for n in 0..reports {
                server
                    .conn()
                    .report(&id, Progress::new(f64::from(n)), Weight::Milestone, now)
                    .unwrap();
            }
            if reports == 5 {
                server.said();
            }
            end(&mut server, &id);
            let said = server.said();
            let reported = |line: &String| line.contains("notifications/progress");
            match name {
                // What waited for the transport is taken back: nobody wants it any more.
                "cancelled" | "closed" => assert!(!said.iter().any(reported), "{name}: {said:?}"),
                _ => assert!(!said.last().is_some_and(reported), "{name}: {said:?}"),
            }
            let report = server.conn().report(&id, Progress::new(1e6), Weight::Ordinary, now);
            assert_eq!(report, Err(ReportError::Finished), "{name}");
            let answer = server.conn().respond(&id, &CallToolResult::text("again"), now);
            assert!(answer.is_err(), "{name}");
            server.pass(secs(60));
            assert_eq!(server.said(), [""; 0], "{name} with {reports} reports");
            assert_eq!(server.conn().poll_timeout(), None, "{name}: nothing waits");
        }
    }
}

/// FIELD-BUGS 24; R-PROG-05. A call that timed out or was cancelled says one last thing: that.
#[test]
fn no_bytes_leave_for_a_call_that_has_ended() {
    let mut client = Hand::client();
    let cancelled = client.call(CallOptions::default().tracked());
    let timed_out = client.call(CallOptions::default().timeouts(Timeouts::NEVER.idle(secs(1))));
    let done = client.call(CallOptions::default().tracked());
    let now = client.now();
    client.conn().cancel(&cancelled, None, now);
    client.pass(secs(1));
    client.feed(result(&done));
    let said = client.said();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said.iter().all(|line| line.contains("notifications/cancelled")), "{said:?}");
    for id in [&cancelled, &timed_out, &done] {
        client.feed(progress(&id.to_string(), "1") + &result(id));
        let now = client.now();
        client.conn().cancel(id, None, now);
    }
    client.pass(secs(1000));
    assert_eq!(client.said(), [""; 0]);
    assert_eq!(endings(&client.told()).len(), 3);
    // Whatever ends a call that is still unwritten, its request never leaves.
    let answers: [fn(&RequestId) -> String; 3] = [
        |id| result(id),
        |id| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":5}}\n"),
        |id| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{{}}}}\n"),
    ];
    for answer in answers {
        let now = client.now();
        let ticket = client.conn().request(&work(), CallOptions::default(), now).unwrap();
        let answer = answer(ticket.id());
        client.feed(&answer);
        assert_eq!(client.said(), [""; 0], "{answer}");
        assert_eq!(endings(&client.told()).len(), 1, "{answer}");
    }
}

/// FIELD-BUGS 25; R-PROG-26, R-CANC-06. The tool ignores the cancellation and reports 13 times more.
#[test]
fn nothing_follows_a_cancellation_even_if_the_tool_goes_on() {
    for pacing in [Pacing::default(), Pacing::default().burst(1), Pacing::UNLIMITED] {
        let mut server = Hand::server_with(ServerConfig::new("s", "1").pacing(pacing));
        let id = server.accept(&tool_call("5", Some("5")));
        let now = server.now();
        for n in 0..3 {
            server.conn().report(&id, Progress::new(f64::from(n)), Weight::Ordinary, now).unwrap();
        }
        server.feed("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":5}}\n");
        let told = server.told();
        assert_eq!(told, [Event::Cancelled { id: id.clone(), reason: None }]);
        assert_eq!(server.conn().requests_in_flight(), 1, "its handler is still at work");
        for n in 3..16 {
            let now = server.now();
            let report =
                server.conn().report(&id, Progress::new(f64::from(n)), Weight::Milestone, now);
            assert_eq!(report, Err(ReportError::Finished));
            server.pass(secs(1));
        }
        let now = server.now();
        let answer = server.conn().respond(&id, &CallToolResult::text("done"), now);
        assert_eq!(answer, Err(SendError::Cancelled));
        assert_eq!(server.said(), [""; 0], "not even what waited when the cancellation came");
        assert_eq!(server.conn().requests_in_flight(), 0);
    }
}

/// FIELD-BUGS 39; R-PROG-11. Progress names the call that its ticket names.
#[test]
fn progress_of_a_call_is_found_from_its_own_handle() {
    let mut pair = Pair::ready(Revision::V2025_11_25);
    let options = CallOptions::default().tracked();
    let tickets: Vec<_> =
        (0..20).map(|_| pair.client.request(&work(), options.clone(), pair.now).unwrap()).collect();
    pair.settle();
    let requests: Vec<_> = pair
        .server_events
        .drain(..)
        .filter_map(|event| match event {
            Event::Request { id, .. } => Some(id),
            _ => None,
        })
        .collect();
    for (n, id) in (0..20).zip(&requests).rev() {
        report(&mut pair, id, f64::from(n)).unwrap();
    }
    pair.settle();
    for (n, ticket) in (0..20).zip(&tickets) {
        let mine = pair.client_events.iter().filter_map(|event| match event {
            Event::Progress { id, progress } if id == ticket.id() => Some(progress.progress),
            _ => None,
        });
        assert_eq!(mine.collect::<Vec<_>>(), [f64::from(n)]);
    }
}

/// FIELD-BUGS 40; R-PROG-11. The call is known before its bytes are sent, and is over with its result.
#[test]
fn early_reports_are_not_lost_and_the_stream_ends() {
    let mut client = Hand::client();
    let now = client.now();
    let ticket = client.conn().request(&work(), CallOptions::default().tracked(), now).unwrap();
    // The answer is there in the very moment in which the request leaves.
    assert!(client.conn().poll_transmit().is_some());
    client.feed(
        progress("2", "0") + &progress("2", "1") + &result(ticket.id()) + &progress("2", "2"),
    );
    let told = client.told();
    assert_eq!(values(&told), [0.0, 1.0]);
    assert_eq!(endings(&told), [(ticket.id().clone(), true)]);
    assert_eq!(told.last(), Some(&Event::Violation(Violation::LateProgress(2.into()))));
}

/// FIELD-BUGS 85; R-PROG-12. The throttle: a burst, so many a second, and always the last value.
#[test]
fn authors_need_no_throttle_of_their_own() {
    let mut pair = Pair::ready(Revision::V2025_11_25);
    let id = working(&mut pair);
    for n in 0..1_000_000 {
        report(&mut pair, &id, f64::from(n)).unwrap();
        if n % 1000 == 0 {
            pair.advance(millis(10));
        }
    }
    let merged = pair.server.merged_reports(&id);
    pair.server.respond(&id, &CallToolResult::text("done"), pair.now).unwrap();
    pair.settle();
    let seen = values(&pair.client_events);
    // Ten seconds at 20 a second, after a burst of 32.
    assert!((230..=234).contains(&seen.len()), "{}", seen.len());
    assert_eq!(seen.last(), Some(&999_999.0));
    assert!(seen.is_sorted());
    assert_eq!(merged + seen.len() as u64, 1_000_000, "what was merged is counted");
}

/// FIELD-BUGS 22; R-PROG-03. The bucket has been refilled for long, but nobody has called `handle_timeout`.
#[test]
fn a_report_does_not_overtake_one_that_waits() {
    let pacing = Pacing::default().burst(1);
    for weight in [Weight::Ordinary, Weight::Milestone] {
        let mut server = Hand::server_with(ServerConfig::new("s", "1").pacing(pacing));
        let id = server.accept(&tool_call("5", Some("5")));
        let mut now = server.now();
        for value in [1.0, 2.0, 3.0, 4.0] {
            server.conn().report(&id, Progress::new(value), weight, now).unwrap();
            now = now + secs(60);
        }
        server.conn().respond(&id, &CallToolResult::text("done"), now).unwrap();
        let said = server.said();
        let (result, reports) = said.split_last().unwrap();
        assert!(result.contains("\"result\""), "{said:?}");
        let value = |line: &String| {
            let raw = mcp_proto::json::Raw::parse(line.as_bytes(), 64).unwrap();
            raw.get("params").unwrap().get("progress").unwrap().as_f64().unwrap()
        };
        let values: Vec<_> = reports.iter().map(value).collect();
        assert!(values.is_sorted(), "{weight:?}: {values:?}");
        assert_eq!((values.first(), values.last()), (Some(&1.0), Some(&4.0)), "{weight:?}");
    }
}

/// R-PROG-12. Nothing more is reported: what waits must leave by itself, each as soon as the pacing lets it.
#[test]
fn what_waits_leaves_one_by_one_though_nothing_follows() {
    let pacing = Pacing::default().burst(1).every(millis(50));
    let mut server = Hand::server_with(ServerConfig::new("s", "1").pacing(pacing));
    let id = server.accept(&tool_call("5", Some("5")));
    let now = server.now();
    for value in [1.0, 2.0, 3.0, 4.0] {
        server.conn().report(&id, Progress::new(value), Weight::Milestone, now).unwrap();
    }
    assert_eq!(server.said().len(), 1);
    for value in ["2", "3", "4"] {
        server.pass(millis(49));
        assert_eq!(server.said(), [""; 0], "before {value} may leave");
        server.pass(millis(1));
        let said = server.said();
        let is_next = |line: &str| line.contains(&format!("\"progress\":{value}"));
        assert!(matches!(&said[..], [line] if is_next(line)), "{value}: {said:?}");
    }
}

/// The lines among these bytes that have this in them.
fn lines_with<'a>(bytes: &'a [u8], part: &str) -> Vec<&'a str> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines().filter(|line| line.contains(part)).collect()
}

/// FIELD-BUGS 38; R-PROG-01, R-PROG-03, R-PROG-05. Nobody could ask for progress of what a server asks its client, or report it.
#[test]
fn a_client_reports_on_what_its_server_asks_in_every_legacy_revision() {
    for revision in Revision::ALL.into_iter().filter(|revision| *revision < Revision::V2026_07_28) {
        let mut pair = Pair::ready(revision);
        let options = CallOptions::default().tracked();
        let asked = pair.server.request_raw("roots/list", None, options, pair.now).unwrap();
        pair.settle();
        let [Event::Request { id, method, .. }] = &pair.client_events[..] else {
            panic!("{revision}: {:?}", pair.client_events)
        };
        assert_eq!((id, method.as_str()), (&asked, "roots/list"));
        let id = id.clone();
        // The token is the id, as in the other direction.
        let [request] = lines_with(&pair.server_sent, "roots/list")[..] else {
            panic!("{revision}: {:?}", String::from_utf8_lossy(&pair.server_sent))
        };
        assert!(request.contains(&format!(r#""_meta":{{"progressToken":{asked}}}"#)), "{request}");
        for value in [0.0, 0.5, 3.0] {
            let report = Progress::new(value).of(3.0).message("reading");
            pair.client.report(&id, report, Weight::Ordinary, pair.now).unwrap();
        }
        let roots = RawJson::parse(r#"{"roots":[]}"#).unwrap();
        pair.client.respond(&id, &roots, pair.now).unwrap();
        let late = pair.client.report(&id, Progress::new(4.0), Weight::Ordinary, pair.now);
        assert_eq!(late, Err(ReportError::Finished));
        pair.settle();
        assert_eq!(values(&pair.server_events), [0.0, 0.5, 3.0], "{revision}");
        assert_eq!(pair.server_events.len(), 4, "{revision}: {:?}", pair.server_events);
        assert!(
            matches!(&pair.server_events[3], Event::Response { id, outcome: Ok(_) } if *id == asked)
        );
        // And so it was on the wire: three reports on that token, and then the answer.
        let said = lines_with(&pair.client_sent, "");
        let is_report = |line: &&str| line.contains(&format!(r#""progressToken":{asked},"#));
        assert_eq!(said.len(), 4, "{revision}: {said:?}");
        assert!(
            said[..3].iter().all(is_report) && said[3].contains(r#""result":{"roots":[]"#),
            "{said:?}"
        );
        let has_message = revision > Revision::V2024_11_05;
        assert_eq!(said[0].contains(r#""message":"reading""#), has_message, "{revision}");
    }
}

/// FIELD-BUGS 38; R-PROG-08. And who does not ask for it gets none.
#[test]
fn a_client_reports_nothing_on_what_its_server_asks_without_a_token() {
    let mut pair = Pair::ready(Revision::V2025_11_25);
    let options = CallOptions::default().untracked();
    let asked = pair.server.request_raw("roots/list", None, options, pair.now).unwrap();
    pair.settle();
    assert_eq!(lines_with(&pair.server_sent, "progressToken"), [""; 0]);
    assert!(!pair.client.is_progress_wanted(&asked));
    pair.client.report(&asked, Progress::new(1.0), Weight::Ordinary, pair.now).unwrap();
    pair.settle();
    assert_eq!((pair.client_sent.len(), values(&pair.server_events).len()), (0, 0));
}

/// FIELD-BUGS 38; R-PROG-14. In 2026-07-28 a server asks nothing and a client reports nothing: the author is told, and nothing
/// is said.
#[test]
fn in_the_modern_era_a_server_that_asks_is_refused_with_a_reason() {
    let mut pair = Pair::ready(Revision::V2026_07_28);
    let id = working(&mut pair);
    pair.forget();
    for options in [CallOptions::default(), CallOptions::default().related(id)] {
        for method in ["roots/list", "sampling/createMessage", "elicitation/create", "ping"] {
            let refused =
                pair.server.request_raw(method, None, options.clone().tracked(), pair.now);
            assert_eq!(refused, Err(SendError::Unsupported), "{method}");
        }
    }
    assert_eq!(pair.server.calls_in_flight(), 0);
    pair.settle();
    assert_eq!((pair.server_sent.len(), pair.client_events.len()), (0, 0));
}
