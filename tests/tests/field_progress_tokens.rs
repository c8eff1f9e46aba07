//! Faults of other libraries with progress tokens, each a test named after the fault.

use mcp_proto::progress::{ReportError, Weight};
use mcp_proto::testing::Pair;
use mcp_proto::{
    CallOptions, CallToolResult, ClientConfig, Event, Progress, ProgressToken, RawJson, RequestId,
    Revision, SendError, Timeouts, Tolerance, Violation,
};
use mcp_tests::{
    Hand, endings, millis, progress, result, secs, tool_call, values, violations, welcome, work,
};
use proptest::prelude::*;

/// The token on the wire of a report for a request that carried `token`.
fn echoed(token: &str) -> Vec<String> {
    let mut server = Hand::server();
    let id = server.accept(&tool_call("5", Some(token)));
    let now = server.now();
    server.conn().report(&id, Progress::new(1.0), Weight::Ordinary, now).unwrap();
    server.said()
}

fn report_line(token: &str) -> String {
    progress(token, "1").trim_end().to_owned()
}

/// FIELD-BUGS 1; R-PROG-01, R-PROG-06.
#[test]
fn token_zero_and_the_empty_token_get_progress() {
    for token in ["0", "\"\"", "-0"] {
        assert_eq!(echoed(token), [report_line(token)]);
    }
    for token in [ProgressToken::from(0), ProgressToken::from("")] {
        let json = RawJson::of(&token).unwrap();
        let mut client = Hand::client();
        let id = client.call(CallOptions::default().progress_token(token));
        client.feed(progress(json.as_str(), "0") + &result(&id));
        let told = client.told();
        assert_eq!(values(&told), [0.0], "a first value of 0 is a report");
        assert_eq!(endings(&told), [(id, true)]);
        assert!(violations(&told).is_empty(), "{told:?}");
    }
}

/// R-PROG-11. A call that is held back until the server is known: nobody has seen its token.
#[test]
fn nobody_reports_on_a_request_that_was_never_written() {
    for (options, token) in [
        (CallOptions::default().tracked(), "2"),
        (CallOptions::default().progress_token("mine"), "\"mine\""),
    ] {
        let config = ClientConfig::new("c", "1").revisions(Revision::V2025_11_25);
        let mut client = Hand::client_with(config);
        let id = client.call(options.timeouts(Timeouts::NEVER.idle(secs(100))));
        assert_eq!(id, RequestId::from(2));
        client.pass(secs(10));
        client.feed(progress(token, "1"));
        let told = client.told();
        assert_eq!((values(&told), violations(&told).len()), (vec![], 1), "{told:?}");
        client.feed(welcome(Revision::V2025_11_25));
        client.said();
        client.feed(progress(token, "0.5"));
        assert_eq!(values(&client.told()), [0.5], "now it is known, and nothing was before");
    }
}

proptest! {
    /// FIELD-BUGS 2; R-PROG-06. Truthiness, again: every legal value works on both sides.
    #[test]
    fn no_legal_token_value_is_special(number in any::<i64>(), text in ".{0,40}") {
        for token in [RawJson::of(&number).unwrap(), RawJson::string(&text)] {
            prop_assert_eq!(echoed(token.as_str()), [report_line(token.as_str())]);
        }
        let mut client = Hand::client();
        let id = client.call(CallOptions::default().progress_token(text.as_str()));
        client.feed(progress(RawJson::string(&text).as_str(), "1") + &result(&id));
        let told = client.told();
        prop_assert_eq!(values(&told), [1.0]);
        prop_assert_eq!(violations(&told).len(), 0);
    }
}

/// FIELD-BUGS 3; R-PROG-06, R-PROG-13. One stated rule: it is matched and said, once; strictly it is unknown.
#[test]
fn a_stringified_token_is_not_met_with_silence() {
    let mut client = Hand::client();
    let id = client.call(CallOptions::default().tracked());
    assert_eq!(id, RequestId::from(2));
    client.feed(progress("\"2\"", "1") + &progress("\"2\"", "2") + &result(&id));
    let told = client.told();
    assert_eq!(values(&told), [1.0, 2.0]);
    assert_eq!(violations(&told), [&Violation::LenientToken("2".into())]);
    assert_eq!(endings(&told), [(id, true)]);

    let mut config = ClientConfig::new("c", "1").revisions(Revision::V2025_11_25);
    config.tolerance = Tolerance::Strict;
    let mut client = Hand::client_with(config);
    client.feed(welcome(Revision::V2025_11_25));
    client.said();
    let id = client.call(CallOptions::default().tracked());
    client.feed(progress("\"2\"", "1") + &result(&id));
    let told = client.told();
    assert_eq!(values(&told), [0.0; 0]);
    assert_eq!(violations(&told), [&Violation::UnknownToken("2".into())]);
    assert_eq!(endings(&told), [(id, true)]);
}

/// FIELD-BUGS 3; R-PROG-02. A caller's own text token is matched exactly before any leniency.
#[test]
fn a_callers_text_token_is_not_taken_for_anothers_number() {
    let mut client = Hand::client();
    let by_number = client.call(CallOptions::default().tracked());
    let by_text = client.call(CallOptions::default().progress_token("2"));
    client.feed(progress("\"2\"", "7") + &progress("2", "8"));
    let told = client.told();
    let ids: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            Event::Progress { id, progress } => Some((id.clone(), progress.progress)),
            _ => None,
        })
        .collect();
    assert_eq!(ids, [(by_text, 7.0), (by_number, 8.0)]);
    assert!(violations(&told).is_empty());
}

/// FIELD-BUGS 3; R-PROG-02. What is said too late of a call with the token "3" is not said of call 3.
#[test]
fn a_late_report_on_a_text_token_is_not_taken_for_anothers_number() {
    let mut client = Hand::client();
    let by_text = client.call(CallOptions::default().progress_token("3"));
    client.feed(result(&by_text));
    let by_number = client.call(CallOptions::default().tracked());
    assert_eq!((by_text, &by_number), (RequestId::from(2), &RequestId::from(3)));
    client.told();
    client.feed(progress("\"3\"", "1") + &progress("3", "2") + &result(&by_number));
    let told = client.told();
    assert_eq!(values(&told), [2.0]);
    assert_eq!(violations(&told), [&Violation::UnknownToken("3".into())]);
}

/// FIELD-BUGS 3; R-PROG-02. Nor is what is said too late of call 2 said of one whose caller would choose 2.
#[test]
fn a_number_that_an_ended_call_had_is_no_token_for_another() {
    let mut client = Hand::client();
    let ended = client.call(CallOptions::default().tracked());
    client.feed(result(&ended));
    let options = CallOptions::default().progress_token(2);
    let now = client.now();
    let refused = client.conn().request(&work(), options, now).err();
    assert_eq!(refused, Some(SendError::TokenInUse));
}

/// Token values that are no tokens.
const NO_TOKENS: [&str; 8] = ["true", "false", "null", "1.5", "[1]", "{\"a\":1}", "[]", "1e-400"];

/// FIELD-BUGS 4; R-PROG-01, R-PROG-13.
#[test]
fn a_token_of_another_type_is_never_coerced() {
    for token in NO_TOKENS {
        let mut server = Hand::server();
        server.feed(tool_call("1", Some("1")) + &tool_call("2", Some(token)));
        let told = server.told();
        assert_eq!(violations(&told), [&Violation::BadToken], "{token}");
        let id = RequestId::from(2);
        assert!(!server.conn().is_progress_wanted(&id), "{token}");
        let now = server.now();
        assert_eq!(server.conn().report(&id, Progress::new(1.0), Weight::Ordinary, now), Ok(()));
        assert_eq!(server.said(), [""; 0], "{token}: nobody asked");
        server.conn().respond(&id, &CallToolResult::text("done"), now).unwrap();
        assert_eq!(server.said().len(), 1, "{token}: the call still runs");
    }
    for token in NO_TOKENS {
        let mut client = Hand::client();
        let id = client.call(CallOptions::default().tracked());
        client.feed(progress(token, "1") + &result(&id));
        let told = client.told();
        assert_eq!(values(&told), [0.0; 0], "{token}");
        assert_eq!(violations(&told), [&Violation::BadToken], "{token}");
        assert_eq!(endings(&told), [(id, true)], "{token}");
    }
}

/// FIELD-BUGS 5; R-PROG-13, R-RPC-07.
#[test]
fn a_call_with_an_odd_token_is_answered() {
    let long = format!("\"{}\"", "x".repeat(2000));
    let digits = "9".repeat(100);
    let odd = ["9007199254740993", "1e400", "-1e400", "1e30", &long, &digits];
    for token in NO_TOKENS.iter().copied().chain(odd) {
        let mut server = Hand::server();
        let id = server.accept(&tool_call("\"q\"", Some(token)));
        let now = server.now();
        server.conn().report(&id, Progress::new(1.0), Weight::Ordinary, now).unwrap();
        server.conn().respond(&id, &CallToolResult::text("done"), now).unwrap();
        assert_eq!(
            server.conn().respond(&id, &CallToolResult::text("again"), now),
            Err(SendError::UnknownRequest)
        );
        let answers =
            server.said().into_iter().filter(|line| line.contains("\"id\":\"q\"")).count();
        assert_eq!(answers, 1, "{token}");
    }
}

/// FIELD-BUGS 6; R-PROG-06.
#[test]
fn tokens_are_not_parsed_as_numbers() {
    let mut client = Hand::client();
    let zero = client.call(CallOptions::default().progress_token(0));
    let ids: Vec<_> = (3..=5).map(|_| client.call(CallOptions::default().tracked())).collect();
    assert_eq!(ids.last(), Some(&RequestId::from(5)));
    for token in [
        "\"\"", "\" \"", "\" 5 \"", "\"05\"", "\"+5\"", "\"5.0\"", "\"5e0\"", "\"0x5\"", "\"-0\"",
        "\"٥\"",
    ] {
        client.feed(progress(token, "1"));
        let told = client.told();
        assert_eq!(values(&told), [0.0; 0], "{token}");
        assert!(matches!(violations(&told)[..], [Violation::UnknownToken(_)]), "{token}: {told:?}");
    }
    client.feed(progress("0", "1"));
    assert!(matches!(&client.told()[..], [Event::Progress { id, .. }] if *id == zero));
}

/// FIELD-BUGS 7; R-ID-06, R-PROG-06.
#[test]
fn large_tokens_do_not_pass_through_a_float() {
    for token in [
        "9007199254740993",
        "-9007199254740993",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "123456789012345678901234567890",
    ] {
        assert_eq!(echoed(token), [report_line(token)]);
    }
    for token in [i64::MIN, -9_007_199_254_740_993] {
        let mut client = Hand::client();
        let line = client.call_line(CallOptions::default().progress_token(token));
        assert!(line.contains(&format!("\"progressToken\":{token}}}")), "{line}");
        client.feed(progress(&token.to_string(), "1"));
        assert_eq!(values(&client.told()), [1.0]);
        client.feed(progress(&(token + 1).to_string(), "2"));
        assert!(
            matches!(violations(&client.told())[..], [Violation::UnknownToken(_)]),
            "its neighbour"
        );
    }
}

/// FIELD-BUGS 8; R-PROG-01.
#[test]
fn an_integer_token_is_not_sent_as_text() {
    let mut client = Hand::client();
    let own = client.call_line(CallOptions::default().tracked());
    assert!(own.contains("\"progressToken\":2}"), "{own}");
    let number = client.call_line(CallOptions::default().progress_token(-7));
    assert!(number.contains("\"progressToken\":-7}"), "{number}");
    let text = client.call_line(CallOptions::default().progress_token("-7"));
    assert!(text.contains("\"progressToken\":\"-7\"}"), "{text}");
}

/// FIELD-BUGS 9; R-PROG-04, R-PROG-13.
#[test]
fn a_token_that_a_server_invented_is_counted_and_never_fatal() {
    let mut client = Hand::client();
    let id = client.call(CallOptions::default().tracked());
    for n in 0..157 {
        client.feed(
            progress(&format!("\"invented-{n}\""), "1") + &progress(&(1000 + n).to_string(), "1"),
        );
        // Slow enough for each to be told.
        client.pass(millis(40));
    }
    let told = client.told();
    assert_eq!(violations(&told).len(), 314);
    assert!(
        violations(&told).iter().all(|violation| matches!(violation, Violation::UnknownToken(_)))
    );
    assert_eq!(told.len(), 314, "and nothing else");
    assert_eq!(client.said(), [""; 0]);
    client.feed(progress("2", "1") + &result(&id));
    let told = client.told();
    assert_eq!((values(&told), endings(&told)), (vec![1.0], vec![(id, true)]));
}

/// FIELD-BUGS 9, 10; R-PROG-04. Our server cannot name a token: only a request that came with one has it.
#[test]
fn a_server_cannot_invent_a_token() {
    let mut server = Hand::server();
    let id = server.accept(&tool_call("5", None));
    let now = server.now();
    assert_eq!(server.conn().report(&id, Progress::new(1.0), Weight::Milestone, now), Ok(()));
    let unknown =
        server.conn().report(&RequestId::from(77), Progress::new(1.0), Weight::Ordinary, now);
    assert_eq!(unknown, Err(ReportError::Finished));
    server.pass(secs(10));
    assert_eq!(server.said(), [""; 0]);
}

/// FIELD-BUGS 11; R-META-13. Trace context and everything else of the caller's survives.
#[test]
fn asking_for_progress_keeps_the_callers_metadata() {
    let meta = r#"{"traceparent":"00-0af7-b7ad-01","progressToken":"not this","com.example/x":{"y":[1,2.50]}}"#;
    for revision in Revision::ALL {
        let mut pair = Pair::ready(revision);
        let options = CallOptions::default().tracked().meta(RawJson::parse(meta).unwrap());
        let ticket = pair.client.request(&mcp_tests::work(), options, pair.now).unwrap();
        pair.settle();
        let Some(Event::Request { params: Some(params), .. }) = pair.server_events.pop() else {
            panic!()
        };
        let meta = params.get("_meta").unwrap();
        let text =
            |name: &str| String::from_utf8(meta.get(name).unwrap().as_bytes().to_vec()).unwrap();
        assert_eq!(text("traceparent"), "\"00-0af7-b7ad-01\"", "{revision}");
        assert_eq!(text("com.example/x"), r#"{"y":[1,2.50]}"#, "{revision}");
        assert_eq!(text("progressToken"), ticket.id().to_string(), "{revision}");
        let tokens = meta.members().filter(|(name, _)| name == "progressToken").count();
        assert_eq!(tokens, 1, "{revision}");
    }
}

/// FIELD-BUGS 12; R-TIME-03, R-META-13.
#[test]
fn every_pair_of_call_options_combines() {
    let bare = CallOptions::default;
    let tracking =
        [bare(), bare().tracked(), bare().progress_token("mine"), bare().progress_token(0)];
    let timeouts = [
        None,
        Some(Timeouts::NEVER),
        Some(Timeouts::default().idle(secs(3))),
        Some(Timeouts::default().total(secs(9))),
        Some(Timeouts::NEVER.idle(secs(3)).total(secs(9))),
    ];
    let metas = [None, Some(RawJson::empty_object()), Some(RawJson::parse("{\"a\":1}").unwrap())];
    for revision in Revision::ALL {
        for tracked in &tracking {
            for timeout in timeouts {
                for meta in &metas {
                    let mut options = tracked.clone();
                    options.timeouts = timeout;
                    options.meta.clone_from(meta);
                    let wanted = tracked.tracking != bare().tracking
                        || timeout.is_some_and(|t| t.max_idle() == Some(secs(3)));
                    let mut pair = Pair::ready(revision);
                    let ticket =
                        pair.client.request(&mcp_tests::work(), options, pair.now).unwrap();
                    pair.settle();
                    let Some(Event::Request { id, .. }) = pair.server_events.pop() else {
                        panic!()
                    };
                    assert_eq!(pair.server.is_progress_wanted(&id), wanted);
                    pair.server
                        .report(&id, Progress::new(1.0), Weight::Ordinary, pair.now)
                        .unwrap();
                    pair.server.respond(&id, &CallToolResult::text("done"), pair.now).unwrap();
                    pair.settle();
                    assert_eq!(
                        values(&pair.client_events),
                        if wanted { vec![1.0] } else { vec![] }
                    );
                    assert_eq!(endings(&pair.client_events), [(ticket.id().clone(), true)]);
                    assert!(violations(&pair.client_events).is_empty());
                }
            }
        }
    }
}

/// FIELD-BUGS 13; R-PROG-21.
#[test]
fn the_deadline_watches_the_token_that_was_sent() {
    let idle = Timeouts::NEVER.idle(secs(10));
    for (options, token) in [
        (CallOptions::default(), "2"),
        (CallOptions::default().tracked(), "2"),
        (CallOptions::default().progress_token("mine"), "\"mine\""),
        (CallOptions::default().progress_token(0), "0"),
    ] {
        let mut client = Hand::client();
        let id = client.call(options.timeouts(idle));
        for value in 1..=5 {
            client.pass(secs(9));
            client.feed(progress(token, &value.to_string()));
        }
        let told = client.told();
        assert_eq!(endings(&told), [], "{token}: it was heard of every 9 s");
        assert_eq!(values(&told).len(), 5);
        client.pass(secs(10));
        assert_eq!(endings(&client.told()), [(id, false)], "{token}");
    }
    // A number that happens to be the call's id is not its token.
    let mut client = Hand::client();
    let id = client.call(CallOptions::default().progress_token("mine").timeouts(idle));
    client.pass(secs(9));
    client.feed(progress(&id.to_string(), "1"));
    client.pass(secs(1));
    assert_eq!(endings(&client.told()), [(id, false)]);
}

/// FIELD-BUGS 15; R-PROG-08.
#[test]
fn no_token_goes_out_without_a_listener() {
    for revision in Revision::ALL {
        let mut pair = Pair::ready(revision);
        let options = [
            CallOptions::default(),
            CallOptions::default().timeouts(Timeouts::NEVER),
            CallOptions::default().timeouts(Timeouts::default().total(secs(5))),
            CallOptions::default().timeouts(Timeouts::default().idle(None)),
        ];
        for options in options {
            let _ticket = pair.client.request(&mcp_tests::work(), options, pair.now).unwrap();
        }
        pair.settle();
        assert_eq!(pair.server_events.len(), 4);
        assert!(
            !String::from_utf8_lossy(&pair.client_sent).contains("progressToken"),
            "{revision}"
        );
    }
}

/// FIELD-BUGS 16; R-PROG-02. Whoever wants to know, the user and the deadline: the call has one token, and
/// serves both.
#[test]
fn listener_and_deadline_do_not_fight_for_one_slot() {
    for options in [
        CallOptions::default().tracked().timeouts(Timeouts::NEVER.idle(secs(10))),
        CallOptions::default()
            .progress_token(-2)
            .timeouts(Timeouts::NEVER.idle(secs(10)))
            .tracked(),
    ] {
        let mut client = Hand::client();
        let busy = client.call(CallOptions::default());
        client.feed(result(&busy));
        client.told();
        let line = client.call_line(options);
        assert_eq!(line.matches("progressToken").count(), 1, "{line}");
        let token = if line.contains("\"progressToken\":3") { "3" } else { "-2" };
        for value in 0..5 {
            client.pass(secs(9));
            client.feed(progress(token, &value.to_string()));
        }
        let told = client.told();
        assert_eq!((values(&told).len(), endings(&told)), (5, vec![]), "{line}");
    }
}

/// R-PROG-01. Two calls in flight never go by one token, whoever chose it; once a call has ended, its token is free.
#[test]
fn a_token_that_is_in_use_is_refused_and_the_call_with_it() {
    let mut client = Hand::client();
    let now = client.now();
    let with = |token: ProgressToken| CallOptions::default().progress_token(token);
    let id = client.call(with("mine".into()));
    let own = client.call(CallOptions::default().tracked());
    client.said();
    let taken = [ProgressToken::from("mine"), own.as_i64().unwrap().into(), 1_000_000.into()];
    for token in taken {
        let refused = client.conn().request(&work(), with(token.clone()), now).map(|_| ());
        assert_eq!(refused, Err(SendError::TokenInUse), "{token}");
    }
    assert_eq!((client.said(), client.conn().calls_in_flight()), (vec![], 2));
    client.feed(result(&id));
    assert_eq!(endings(&client.told()), [(id, true)]);
    client.call(with("mine".into()));
}

/// FIELD-BUGS 14; R-META-13, R-PROG-01. A token was set on metadata that was not there.
#[test]
fn a_request_without_parameters_or_metadata_takes_a_token() {
    for revision in Revision::ALL {
        for (params, meta) in [(None, None), (None, Some("{}")), (Some(r#"{"a":1}"#), None)] {
            let mut pair = Pair::ready(revision);
            let params = params.map(|params| RawJson::parse(params).unwrap());
            let mut options = CallOptions::default().tracked();
            if let Some(meta) = meta {
                options = options.meta(RawJson::parse(meta).unwrap());
            }
            let id = pair.client.request_raw("x", params.as_ref(), options, pair.now).unwrap();
            pair.settle();
            let sent: serde_json::Value = serde_json::from_slice(&pair.client_sent).unwrap();
            let token = &sent["params"]["_meta"]["progressToken"];
            assert_eq!((token, &sent["method"]), (&sent["id"], &"x".into()), "{revision}: {sent}");
            assert_eq!(id.as_i64(), token.as_i64());
            let members = sent["params"].as_object().unwrap();
            assert_eq!(members.get("a").is_some(), params.is_some(), "{revision}: {sent}");
            assert_eq!(members.len(), 1 + usize::from(params.is_some()), "{revision}: {sent}");
            // Nothing else is there but what the modern era puts on every request.
            let stamps = if revision == Revision::V2026_07_28 { 3 } else { 0 };
            assert_eq!(members["_meta"].as_object().unwrap().len(), 1 + stamps, "{sent}");
        }
    }
}
