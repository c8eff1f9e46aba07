//! Faults of transport and clock that an adapter has to survive, as the engine sees them.

use mcp_proto::{
    CallError, CallOptions, CallToolResult, ClientConfig, CloseReason, Connection, Event, Instant,
    Revision, ServerConfig, Timeouts,
};
use mcp_tests::{Hand, handshake, result, secs, tool_call, welcome, work};

/// A message is whole or it is the last one: after half of it the stream can only end.
#[test]
fn after_a_torn_write_not_one_byte_is_given_out() {
    let mut client = Hand::client();
    let (conn, now) = (client.conn(), Instant::ZERO);
    let tickets = [(); 3].map(|()| conn.request(&work(), CallOptions::default(), now).unwrap());
    let length = conn.poll_transmit().unwrap().len();
    conn.advance_transmit(length / 2);
    conn.handle_transport_error(now);
    assert!(conn.poll_transmit().is_none());
    assert!(conn.request(&work(), CallOptions::default(), now).is_err());
    conn.cancel(tickets[0].id(), None, now);
    conn.close(now);
    conn.handle_timeout(now + secs(3600));
    assert!(conn.poll_transmit().is_none());
    let told = client.told();
    let ended = |event: &&Event| {
        matches!(event, Event::Response { outcome: Err(CallError::Closed(_)), .. })
    };
    assert_eq!(told.iter().filter(ended).count(), 3, "{told:?}");
}

#[test]
fn a_server_gives_out_nothing_after_a_torn_write_whatever_its_tools_still_say() {
    let mut server = Hand::server();
    let first = server.accept(&tool_call("1", Some("1")));
    let second = server.accept(&tool_call("2", None));
    let now = server.now();
    let conn = server.conn();
    conn.respond(&first, &CallToolResult::text("done"), now).unwrap();
    conn.advance_transmit(1);
    conn.handle_transport_error(now);
    let late = conn.respond(&second, &CallToolResult::text("done"), now);
    assert!(late.is_err());
    assert!(conn.poll_transmit().is_none());
}

/// Answers that the end of the input lets out have no way out either, if writing has failed meanwhile.
#[test]
fn nothing_is_given_out_when_the_transport_fails_behind_the_end_of_the_input() {
    for failed_first in [false, true] {
        let mut server = Hand::server();
        let request = server.accept(&tool_call("1", None));
        let now = server.now();
        let conn = server.conn();
        conn.handle_eof(now);
        if failed_first {
            conn.handle_transport_error(now);
        }
        let answered = conn.respond(&request, &CallToolResult::text("done"), now);
        assert_eq!(answered.is_err(), failed_first);
        assert_eq!(conn.has_transmit(), !failed_first);
        conn.handle_transport_error(now);
        assert!(conn.poll_transmit().is_none());
        assert!(conn.poll_timeout().is_none());
    }
}

/// What had arrived is still told, in as many steps as its reader takes; of what it provokes nothing is given out.
#[test]
fn nothing_is_given_out_while_what_came_before_the_fault_is_still_read() {
    let mut config = ServerConfig::new("s", "1");
    config.limits.max_events = 1;
    let ping = |id| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n");
    for closed in [false, true] {
        let mut server = Connection::server(config.clone());
        let now = Instant::ZERO;
        let mut flood = handshake(Revision::V2025_11_25);
        flood.extend((1..6).map(|id| format!("no message\n{}", ping(id))));
        server.handle_input(flood.as_bytes(), now);
        server.handle_timeout(now);
        assert!(server.has_transmit(), "the handshake is answered");
        if closed {
            server.close(now);
        }
        server.handle_transport_error(now);
        let mut told = Vec::new();
        loop {
            assert!(!server.has_transmit() && server.poll_transmit().is_none(), "{told:?}");
            let Some(event) = server.poll_event() else { break };
            told.push(event);
        }
        let Some(Event::Closed(reason)) = told.pop() else { panic!("{told:?}") };
        let expected = if closed { CloseReason::Local } else { CloseReason::Transport };
        assert_eq!(reason, expected);
        assert!(closed || told.len() > 5, "{told:?}");
    }
}

/// All that is due comes in one go, and no timer is left that would fire again.
#[test]
fn ten_thousand_deadlines_of_one_tick_end_each_call_once() {
    let mut config = ClientConfig::new("c", "1").revisions(Revision::V2025_11_25);
    config.limits.max_calls = 10_000;
    config.limits.max_outbox_len = 64 << 20;
    let mut client = Hand::client_with(config);
    client.feed(welcome(Revision::V2025_11_25));
    let options = CallOptions::default().timeouts(Timeouts::NEVER.total(secs(5)));
    let ids: Vec<_> = (0..10_000).map(|_| client.call(options.clone())).collect();
    // The last one is answered just in time.
    client.feed(result(ids.last().unwrap()));
    client.told();
    // The clock may have stood still for hours, as in a machine that slept.
    client.pass(secs(10 * 3600));
    let told = client.told();
    let timeouts: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            Event::Response { id, outcome: Err(CallError::TimedOut(_)) } => Some(id.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(told.len(), 9_999);
    assert_eq!(timeouts, ids[..9_999], "each once, in the order in which they were made");
    assert_eq!(client.said().len(), 9_999, "each is cancelled on the wire, once");
    assert_eq!(client.conn().calls_in_flight(), 0);
    assert_eq!(client.conn().poll_timeout(), None);
}
