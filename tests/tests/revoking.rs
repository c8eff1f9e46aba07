//! What is taken back before it leaves takes its room with it, and nothing that is being written is taken back.

use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::role::Server;
use mcp_proto::{CallOptions, CallTool, CloseReason, Event, Progress, RequestId, ServerConfig};
use mcp_tests::{Hand, at, millis, secs, tool_call};

fn large_call() -> CallTool {
    CallTool::new("t").argument("v", "x".repeat(2 << 20))
}

/// R-CANC-11. The outbox was above its limit for a moment, with a peer that reads everything.
#[test]
fn a_connection_that_has_nothing_to_write_is_not_stalled() {
    let mut client = Hand::client();
    let ticket = client.conn().request(&large_call(), CallOptions::default(), at(secs(0))).unwrap();
    assert!(!client.conn().wants_input());
    client.conn().cancel(ticket.id(), None, at(secs(1)));
    client.told();
    assert!(client.conn().wants_input());
    assert_eq!((client.said(), client.conn().poll_timeout()), (vec![], None));
    client.pass(secs(3600));
    assert_eq!(client.told(), []);
    // The time of an earlier wait does not count for the next one.
    let now = client.now();
    let _large = client.conn().request(&large_call(), CallOptions::default(), now).unwrap();
    client.conn().handle_timeout(now);
    assert!(client.conn().poll_timeout() >= Some(now + secs(30)));
}

/// R-PROG-04. The reports of one request had filled the outbox, and the request was cancelled.
#[test]
fn reports_of_others_leave_when_room_is_made_by_taking_back() {
    let config = ServerConfig::new("s", "1").pacing(Pacing::UNLIMITED);
    let mut server = Hand::server_with(config);
    let long = server.accept(&tool_call("1", Some("1")));
    let other = server.accept(&tool_call("2", Some("2")));
    let now = server.now();
    for n in 0..6 {
        let report = Progress::new(n.into()).message("x".repeat(15 << 10));
        server.conn().report(&long, report, Weight::Ordinary, now).unwrap();
    }
    server.conn().report(&other, Progress::new(1.0), Weight::Ordinary, now).unwrap();
    server.feed("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}\n");
    server.told();
    assert_eq!(server.conn().poll_timeout(), Some(now), "there is something to do at once");
    server.conn().handle_timeout(now);
    let said = server.said();
    assert!(matches!(&said[..], [line] if line.contains("\"progressToken\":2")), "{said:?}");
}

/// R-PROG-04. While as much waits as the outbox may hold, reports wait; and what waits counts once against what may
/// be written in all.
#[test]
fn a_report_leaves_as_long_as_there_is_room() {
    let report = || Progress::new(1.0).message("x".repeat(1_000));
    let send = |max_outbox_len: usize, max_output_len: usize, count: usize| {
        let mut config = ServerConfig::new("s", "1").pacing(Pacing::UNLIMITED);
        config.limits.max_outbox_len = max_outbox_len;
        config.limits.max_output_len = max_output_len;
        let mut server = Hand::server_with(config);
        let ids: Vec<_> = (0..count)
            .map(|n| server.accept(&tool_call(&n.to_string(), Some(&n.to_string()))))
            .collect();
        let now = server.now();
        for id in &ids {
            server.conn().report(id, report(), Weight::Ordinary, now).unwrap();
        }
        server
    };
    let waits = |server: &mut Hand<Server>| server.conn().poll_transmit().map_or(0, <[u8]>::len);
    const MUCH: usize = 1 << 20;
    let len = waits(&mut send(MUCH, MUCH, 1));
    for count in 1..4 {
        assert_eq!(waits(&mut send(count * len - 1, MUCH, count + 1)), count * len);
        assert_eq!(waits(&mut send(count * len, MUCH, count + 1)), count * len, "the last waits");
        assert_eq!(waits(&mut send(count * len + 1, MUCH, count + 1)), (count + 1) * len);
        assert_eq!(waits(&mut send(MUCH, count * len, count)), count * len, "all fit");
    }
    let mut server = send(len, MUCH, 2);
    server.conn().poll_transmit();
    server.conn().advance_transmit(len);
    let now = server.now();
    server.conn().handle_timeout(now);
    let said = server.said();
    assert!(matches!(&said[..], [line] if line.contains("\"progressToken\":1")), "{said:?}");
}

/// R-CANC-11. Bytes are with the transport, and nobody knows yet how many of them it took.
#[test]
fn what_is_being_written_is_finished_and_then_cancelled() {
    let mut client = Hand::client();
    let now = client.now();
    let request = |client: &mut Hand<mcp_proto::role::Client>, tool: &'static str| -> RequestId {
        let ticket = client.conn().request(&CallTool::new(tool), CallOptions::default(), now);
        ticket.unwrap().id().clone()
    };
    let first = request(&mut client, "first");
    let length = client.conn().poll_transmit().unwrap().len();
    client.conn().cancel(&first, None, now);
    client.conn().advance_transmit(length);
    let said = client.said();
    assert!(matches!(&said[..], [line] if line.contains("notifications/cancelled")), "{said:?}");
    // What is taken back later is still found.
    request(&mut client, "second");
    let third = request(&mut client, "third");
    client.conn().cancel(&third, None, now);
    let said = client.said();
    assert!(matches!(&said[..], [line] if line.contains("second")), "{said:?}");
    // Nothing of it was written after all.
    let fourth = request(&mut client, "fourth");
    assert!(client.conn().poll_transmit().is_some());
    client.conn().advance_transmit(0);
    client.conn().cancel(&fourth, None, now);
    assert_eq!((client.said(), client.conn().has_transmit()), (vec![], false));
}

/// RELIABILITY §5, 4. The last report was being written when its request was cancelled, and the input ended.
#[test]
fn a_drain_does_not_wait_for_what_was_taken_back() {
    let config = ServerConfig::new("s", "1").pacing(Pacing::UNLIMITED);
    let mut server = Hand::server_with(config);
    let id = server.accept(&tool_call("1", Some("1")));
    let now = server.now();
    server.conn().report(&id, Progress::new(1.0), Weight::Ordinary, now).unwrap();
    let length = server.conn().poll_transmit().unwrap().len();
    server.conn().report(&id, Progress::new(2.0), Weight::Ordinary, now).unwrap();
    server.feed("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}\n");
    server.told();
    server.conn().advance_transmit(length);
    server.conn().abandon(&id, now);
    server.eof();
    server.pass(millis(0));
    let told = server.told();
    let is_end = |event: &Event| matches!(event, Event::Closed(CloseReason::Eof { unread: 0 }));
    assert!(told.last().is_some_and(is_end), "{told:?}");
}
