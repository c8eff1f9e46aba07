//! What a peer can provoke: a server answers nonsense within a budget, a client never.

use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::{CallToolResult, CloseReason, Event, Progress, ServerConfig, Violation};
use mcp_tests::{Hand, millis, result, secs, tool_call};

const NONSENSE: &str = "{\"jsonrpc\":\"2.0\",\"id\":7,\"params\":[]}\n";

#[test]
fn nonsense_is_answered_sixteen_times_a_second_and_then_met_with_silence() {
    let mut server = Hand::server();
    server.feed(NONSENSE.repeat(1_000));
    assert_eq!(server.said().len(), 16);
    let violations = server.told().len();
    assert_eq!(
        violations, 64,
        "what is not answered is still told to the caller, within a budget too"
    );
    server.pass(millis(62));
    server.feed(NONSENSE);
    assert_eq!(server.said().len(), 0, "a sixteenth of a second brings one answer, not less");
    server.pass(millis(1));
    server.feed(NONSENSE.repeat(2));
    assert_eq!(server.said().len(), 1);
    server.pass(secs(60));
    server.feed(NONSENSE.repeat(1_000));
    assert_eq!(server.said().len(), 16, "a minute of peace saves up no more than a burst");
    server.feed("{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\"}\n");
    assert_eq!(server.said().len(), 1, "who asks properly is answered all the while");
}

#[test]
fn a_peer_that_never_stops_provoking_answers_is_given_up() {
    let mut server = Hand::server();
    for second in 0..64 {
        server.feed(NONSENSE.repeat(16));
        assert_eq!(server.said().len(), 16, "second {second}");
        server.pass(secs(1));
    }
    assert!(!server.conn().is_closed(), "1,024 answers are within the limit");
    server.feed(NONSENSE);
    assert_eq!(server.said().len(), 0);
    let closed = server.told().pop();
    assert!(matches!(closed, Some(Event::Closed(CloseReason::TooManyViolations))), "{closed:?}");
}

/// RELIABILITY §3, requests in flight: one answer to each, and an answer makes room for the next.
#[test]
fn as_many_requests_run_as_the_limit_says_and_the_next_is_refused() {
    let mut config = ServerConfig::new("s", "1");
    config.limits.max_requests = 3;
    let mut server = Hand::server_with(config);
    let asked = |told: &[Event]| -> Vec<String> {
        let id = |event: &Event| match event {
            Event::Request { id, .. } => Some(id.to_string()),
            _ => None,
        };
        told.iter().filter_map(id).collect()
    };
    (1..=4).for_each(|id| server.feed(tool_call(&id.to_string(), None)));
    let told = server.told();
    assert_eq!(asked(&told), ["1", "2", "3"]);
    assert!(matches!(told.last(), Some(Event::Violation(Violation::TooManyRequests))), "{told:?}");
    let said = server.said();
    let [refusal] = &said[..] else { panic!("{said:?}") };
    assert!(refusal.contains("\"id\":4") && refusal.contains("-32603"), "{refusal}");
    let now = server.now();
    server.conn().respond(&2.into(), &CallToolResult::text("done"), now).unwrap();
    server.feed(tool_call("5", None) + &tool_call("6", None));
    assert_eq!(asked(&server.told()), ["5"]);
}

/// RELIABILITY T7: an answer of four times the size of what it answers, before any handshake.
#[test]
fn an_error_about_what_was_sent_is_short_however_long_that_was() {
    let initialize = |capabilities: &str| {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{{\"protocolVersion\":\
             \"2025-11-25\",\"capabilities\":{capabilities},\"clientInfo\":{{}}}}}}\n"
        )
    };
    // Shown with escapes, a combining accent takes four times its bytes.
    let long = "\u{301}".repeat(1_000_000);
    let mut server = Hand::silent_server(ServerConfig::new("s", "1"));
    server.feed(initialize(&format!("\"{long}\"")));
    let said = server.said();
    let [refusal] = &said[..] else { panic!("{} answers", said.len()) };
    assert!(refusal.contains("-32602"), "{refusal}");
    assert!(refusal.len() < 1_000, "{} bytes", refusal.len());
}

/// RELIABILITY §3, output queue: reports that wait leave before the answer, and only as far as both fit.
#[test]
fn an_answer_behind_waiting_reports_is_within_the_limit() {
    let pacing = Pacing::default().burst(1).every(secs(3600));
    let mut config = ServerConfig::new("s", "1").pacing(pacing);
    (config.limits.max_output_len, config.limits.max_outbox_len) = (70_000, 70_000);
    let mut server = Hand::server_with(config);
    let id = server.accept(&tool_call("5", Some("5")));
    let now = server.now();
    server.conn().report(&id, Progress::new(0.0), Weight::Milestone, now).unwrap();
    assert_eq!(server.said().len(), 1);
    for n in 1..5 {
        let report = Progress::new(n.into()).message("m".repeat(15_000));
        server.conn().report(&id, report, Weight::Milestone, now).unwrap();
    }
    let result = CallToolResult::text("x".repeat(50_000));
    server.conn().respond(&id, &result, now).unwrap();
    let waiting = server.conn().poll_transmit().unwrap().len();
    assert!(waiting <= 70_000, "{waiting} bytes");
    let said = server.said();
    assert!(said.len() == 2 && said[1].contains("\"result\""), "one report and the answer");
}

#[test]
fn the_budget_is_the_configured_one() {
    let mut config = ServerConfig::new("s", "1");
    config.limits.max_error_answers_per_second = 2;
    config.limits.max_error_answers = 3;
    let mut server = Hand::server_with(config);
    server.feed(NONSENSE.repeat(5));
    assert_eq!(server.said().len(), 2);
    server.pass(secs(1));
    server.feed(NONSENSE);
    assert_eq!(server.said().len(), 1);
    assert!(!server.conn().is_closed());
    server.feed(NONSENSE);
    assert_eq!(server.said().len(), 0);
    assert!(server.conn().is_closed());
}

#[test]
fn violations_beyond_the_budget_are_counted_and_the_count_is_told() {
    let mut client = Hand::client();
    client.feed("no JSON\n".repeat(1_000));
    assert_eq!(client.told().len(), 64);
    client.pass(secs(1));
    client.feed("no JSON\n".repeat(65));
    let told = client.told();
    assert_eq!(told.len(), 65, "the count, and as many as in the first second");
    assert_eq!(told[0], Event::Violation(Violation::More(936)));
    client.eof();
    let told = client.told();
    assert!(
        matches!(&told[..], [Event::Violation(Violation::More(1)), Event::Closed(_)]),
        "nothing is left uncounted at the end: {told:?}"
    );
}

/// Two broken peers that answer each other would do so for ever.
#[test]
fn a_client_answers_no_nonsense_and_its_call_goes_on() {
    let mut client = Hand::client();
    let id = client.call(mcp_proto::CallOptions::default().tracked());
    for line in [
        NONSENSE,
        "no JSON\n",
        "[]\n",
        "{\"jsonrpc\":\"1.0\",\"id\":1,\"result\":{}}\n",
        "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"what?\"}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":99,\"error\":{\"code\":-32600,\"message\":\"what?\"}}\n",
        "\u{0}\u{1}\u{2}\n",
    ] {
        client.feed(line.repeat(100));
        assert_eq!(client.said(), [""; 0], "an answer to {line}");
        let told = client.told();
        assert!((64..=65).contains(&told.len()), "{line}: {}", told.len());
        assert!(told.iter().all(|event| matches!(event, Event::Violation(_))));
        client.pass(secs(1));
    }
    client.feed(result(&id));
    assert_eq!(mcp_tests::endings(&client.told()), [(id, true)]);
}
