//! Faults of other libraries with cancellation, each a test named after the fault.

use mcp_proto::role::Server;
use mcp_proto::{
    CallError, CallOptions, CallToolResult, ClientConfig, CloseReason, ErrorObject, Event, Limits,
    LogLevel, LogMessage, Revision, SendError, ServerConfig, Timeouts,
};
use mcp_tests::{Hand, endings, result, secs, tool_call, violations, work};

fn cancelled(id: &str) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{id}}}}}\n"
    )
}

/// Every order of some things.
fn orders<T: Copy>(things: &[T]) -> Vec<Vec<T>> {
    let Some((first, rest)) = things.split_first() else { return vec![Vec::new()] };
    let mut all = Vec::new();
    for order in orders(rest) {
        for at in 0..=order.len() {
            let mut longer = order.clone();
            longer.insert(at, *first);
            all.push(longer);
        }
    }
    all
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Happening {
    Cancel,
    CancelAgain,
    Result,
    Error,
    Abandon,
    Eof,
}

fn happen(server: &mut Hand<Server>, id: &mcp_proto::RequestId, happening: Happening) {
    let now = server.now();
    match happening {
        Happening::Cancel | Happening::CancelAgain => server.feed(cancelled("5")),
        // Refusals are part of what is tested: they must not answer.
        Happening::Result => drop(server.conn().respond(id, &CallToolResult::text("done"), now)),
        Happening::Error => drop(server.conn().fail(id, &ErrorObject::internal("no"), now)),
        Happening::Abandon => server.conn().abandon(id, now),
        Happening::Eof => server.eof(),
    }
}

/// FIELD-BUGS 53; R-CANC-11, R-RPC-07. A late cancel answered twice and killed the server.
#[test]
fn no_order_of_cancel_result_error_and_eof_answers_twice() {
    use Happening::{Abandon, Cancel, CancelAgain, Eof, Error, Result};
    for order in orders(&[Cancel, CancelAgain, Result, Error, Abandon, Eof]) {
        for reads_at_once in [true, false] {
            let mut server = Hand::server();
            let id = server.accept(&tool_call("5", Some("5")));
            let mut answers = Vec::new();
            let mut told = Vec::new();
            for happening in &order {
                happen(&mut server, &id, *happening);
                if reads_at_once {
                    told.extend(server.told());
                    answers.extend(server.said());
                }
            }
            server.pass(secs(60));
            answers.extend(server.said());
            told.extend(server.told());
            let answers = answers.iter().filter(|line| line.contains("\"id\":5")).count();
            assert!(answers <= 1, "{order:?}");
            // What comes behind the end of the input is no message.
            let end = order.iter().position(|happening| *happening == Eof).unwrap();
            let (heard, unheard) = order.split_at(end);
            let is_answer = |it: &&Happening| matches!(it, Result | Error | Abandon);
            let first = heard.first().or_else(|| unheard.iter().find(is_answer)).unwrap();
            if reads_at_once {
                assert_eq!(answers, usize::from(is_answer(&first)), "{order:?}");
            }
            let cancels =
                told.iter().filter(|event| matches!(event, Event::Cancelled { .. })).count();
            assert!(cancels <= 1, "{order:?}: {told:?}");
            assert!(
                matches!(told.last(), Some(Event::Closed(CloseReason::Eof { unread: 0 }))),
                "{order:?}"
            );
            assert!(violations(&told).is_empty(), "{order:?}: {told:?}");
        }
    }
}

/// FIELD-BUGS 53; R-CANC-09, R-RPC-12. The same from the other side: one ending, whatever comes.
#[test]
fn no_order_of_cancel_result_timeout_and_eof_ends_a_call_twice() {
    for order in orders(&[0, 1, 2, 3, 4]) {
        let mut client = Hand::client();
        let id = client.call(CallOptions::default().timeouts(Timeouts::NEVER.total(secs(1))));
        for happening in &order {
            let now = client.now();
            match happening {
                0 => client.conn().cancel(&id, Some("enough"), now),
                1 => client.feed(result(&id)),
                2 => client.feed(
                    "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-1,\"message\":\"no\"}}\n",
                ),
                3 => client.pass(secs(1)),
                _ => client.eof(),
            }
        }
        assert!(client.said().len() <= 1, "{order:?}: one cancellation at most");
        let told = client.told();
        assert_eq!(endings(&told).len(), 1, "{order:?}");
        let closed = told.iter().filter(|event| matches!(event, Event::Closed(_))).count();
        assert_eq!(closed, 1, "{order:?}");
        assert_eq!(client.conn().calls_in_flight(), 0);
    }
}

/// FIELD-BUGS 54; R-CANC-06, R-CANC-07.
#[test]
fn a_cancelled_request_is_not_answered() {
    let mut server = Hand::server();
    let ids = ["5", "6", "7"].map(|id| server.accept(&tool_call(id, None)));
    for id in ["5", "6", "7"] {
        server.feed(cancelled(id));
    }
    server.told();
    let now = server.now();
    let conn = server.conn();
    assert_eq!(
        conn.respond(&ids[0], &CallToolResult::text("done"), now),
        Err(SendError::Cancelled)
    );
    assert_eq!(conn.fail(&ids[1], &ErrorObject::internal("no"), now), Err(SendError::Cancelled));
    conn.abandon(&ids[2], now);
    assert_eq!(server.said(), [""; 0]);
    assert_eq!(server.conn().requests_in_flight(), 0);
}

/// FIELD-BUGS 55; R-CANC-11, R-RPC-03. Zero and the empty string are ids.
#[test]
fn requests_with_id_zero_or_empty_can_be_cancelled() {
    for id in ["0", "\"\"", "-0", "1.0", "\"0\""] {
        let mut server = Hand::silent_server(mcp_proto::ServerConfig::new("s", "1"));
        server.feed(
            mcp_tests::handshake(Revision::V2025_11_25).replace("\"id\":0", "\"id\":\"first\""),
        );
        server.told();
        let request = server.accept(&tool_call(id, None));
        server.feed(cancelled(id));
        assert_eq!(server.told(), [Event::Cancelled { id: request.clone(), reason: None }], "{id}");
        assert!(server.conn().is_cancelled(&request));
    }
}

/// FIELD-BUGS 55; R-RPC-13. A cancellation is about the peer's own requests, never about ours.
#[test]
fn a_servers_cancellation_does_not_hit_our_call_of_the_same_id() {
    let mut client = Hand::client();
    let id = client.call(CallOptions::default());
    client.feed(cancelled("2") + &cancelled("\"2\"") + &result(&id));
    assert_eq!(endings(&client.told()), [(id, true)]);
    // And one that comes too early swallows nothing.
    let mut server = Hand::server();
    server.feed(cancelled("9"));
    server.accept(&tool_call("9", None));
}

/// FIELD-BUGS 56; R-LIFE-07.
#[test]
fn initialize_is_never_cancelled() {
    let config =
        || ClientConfig::new("c", "1").revisions(Revision::V2025_11_25).handshake_timeout(secs(5));
    // Its deadline passes.
    let mut client = Hand::client_with(config());
    assert!(client.said()[0].contains("\"initialize\""));
    client.pass(secs(5));
    assert_eq!(client.told(), [Event::Closed(CloseReason::HandshakeTimeout)]);
    assert_eq!(client.said(), [""; 0]);
    // Its id is cancelled by hand.
    let mut client = Hand::client_with(config());
    client.said();
    let now = client.now();
    client.conn().cancel(&1.into(), Some("no"), now);
    assert_eq!((client.said(), client.told()), (vec![], vec![]));
    // The connection is dropped in the middle of it.
    let mut client = Hand::client_with(config());
    client.said();
    let now = client.now();
    client.conn().close(now);
    assert_eq!(client.said(), [""; 0]);
    // A call that waits for it is given up: the server has not heard of it.
    let mut client = Hand::client_with(config());
    client.said();
    let now = client.now();
    let ticket = client.conn().request(&work(), CallOptions::default(), now).unwrap();
    client.conn().cancel(ticket.id(), None, now);
    assert_eq!(endings(&client.told()), [(ticket.id().clone(), false)]);
    client.feed(mcp_tests::welcome(Revision::V2025_11_25));
    assert_eq!(client.said().len(), 1, "initialized, and nothing of that call");
    // The probe of a client of both eras, when it is met with silence.
    let mut client = Hand::client_with(ClientConfig::new("c", "1"));
    assert!(client.said()[0].contains("server/discover"));
    client.pass(secs(10));
    let said = client.said();
    assert!(said.len() == 1 && said[0].contains("\"initialize\""), "{said:?}");
}

/// FIELD-BUGS 59; R-CANC-02, R-CANC-04.
#[test]
fn giving_a_call_up_is_said_exactly_once() {
    let mut client = Hand::client();
    let id = client.call(CallOptions::default().tracked());
    for _ in 0..5 {
        let now = client.now();
        client.conn().cancel(&id, Some("dropped"), now);
    }
    let said = client.said();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("\"params\":{\"requestId\":2,\"reason\":\"dropped\"}"), "{said:?}");
    let told = client.told();
    assert!(
        matches!(&told[..], [Event::Response { outcome: Err(CallError::Cancelled), .. }]),
        "{told:?}"
    );
    assert_eq!(client.conn().calls_in_flight(), 0, "its entry is free at once");
}

/// FIELD-BUGS 59; R-CANC-01. Nobody is told of a call that never left.
#[test]
fn giving_up_what_was_never_sent_is_silent() {
    let mut client = Hand::client();
    let now = client.now();
    let ticket = client.conn().request(&work(), CallOptions::default(), now).unwrap();
    client.conn().cancel(ticket.id(), None, now);
    assert_eq!(client.said(), [""; 0]);
    // Held back until the server is known.
    let config = ClientConfig::new("c", "1").revisions(Revision::V2025_11_25);
    let mut early = Hand::client_with(config);
    let held = early.conn().request(&work(), CallOptions::default(), now).unwrap();
    assert_eq!(early.said().len(), 1, "initialize");
    early.conn().cancel(held.id(), None, now);
    early.feed(mcp_tests::welcome(Revision::V2025_11_25));
    let said = early.said();
    assert!(matches!(&said[..], [said] if said.contains("notifications/initialized")), "{said:?}");
    // Its first byte has left: the message is finished, and then cancelled.
    let ticket = client.conn().request(&work(), CallOptions::default(), now).unwrap();
    client.conn().poll_transmit();
    client.conn().advance_transmit(1);
    client.conn().cancel(ticket.id(), None, now);
    let said = client.said();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].ends_with('}') && said[1].contains("notifications/cancelled"), "{said:?}");
}

/// FIELD-BUGS 61; R-CANC-11. The cancellation blocked its caller while the pipe was full.
#[test]
fn cancelling_does_not_wait_for_the_transport() {
    let mut limits = Limits::default();
    limits.max_outbox_len = 4096;
    let config = ClientConfig::new("c", "1").revisions(Revision::V2025_11_25).limits(limits);
    let mut client = Hand::client_with(config);
    client.feed(mcp_tests::welcome(Revision::V2025_11_25));
    client.said();
    let written = client.call(CallOptions::default());
    client.told();
    let now = client.now();
    let mut refused = false;
    while !refused {
        refused = client.conn().request(&work(), CallOptions::default(), now).is_err();
    }
    // Nothing can be asked any more, and nobody reads; a call is still given up at once.
    client.conn().cancel(&written, None, now);
    assert_eq!(endings(&client.told()), [(written.clone(), false)]);
    let said = client.said();
    assert!(said.last().unwrap().contains("\"requestId\":2"), "and told as soon as the peer reads");
}

/// R-CANC-06. What is logged about a request that was cancelled is refused, and nothing of it leaves; nor does what is
/// longer than the output may be.
#[test]
fn nothing_is_logged_about_a_cancelled_request_nor_beyond_the_output() {
    let mut limits = Limits::default();
    limits.max_output_len = 2_000;
    let config = ServerConfig::new("s", "1").limits(limits);
    let capabilities = config.capabilities.clone().logging();
    let mut server = Hand::server_with(config.capabilities(capabilities));
    let id = server.accept(&tool_call("5", None));
    let log = |text: &str| LogMessage::text(LogLevel::Error, text);
    // What waits takes room as well: the second does not fit beside the first.
    let long = "x".repeat(1_200);
    assert_eq!(server.conn().log(Some(&id), &log(&long)), Ok(true));
    assert_eq!(server.conn().log(Some(&id), &log(&long)), Err(SendError::OutboxFull));
    assert_eq!(server.said().len(), 1);
    assert_eq!(server.conn().log(Some(&id), &log(&long)), Ok(true));
    assert_eq!(server.said().len(), 1);
    // Two that fit beside each other.
    for _ in 0..2 {
        assert_eq!(server.conn().log(Some(&id), &log(&"x".repeat(800))), Ok(true));
    }
    assert_eq!(server.said().len(), 2);
    server.feed(cancelled("5"));
    assert!(matches!(server.told()[..], [Event::Cancelled { .. }]));
    assert_eq!(server.conn().log(Some(&id), &log("late")), Err(SendError::Cancelled));
    assert_eq!(server.said(), [""; 0]);
    assert_eq!(server.conn().log(None, &log("about nothing")), Ok(true));
    assert_eq!(server.said().len(), 1);
}
