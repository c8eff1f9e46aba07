//! What one end does with a peer that floods, stalls, or leaves.

use super::*;
use crate::config::{CallOptions, Limits, Timeouts};
use crate::endpoint::DeadlineReason;
use crate::error::{CallError, CloseReason};
use crate::progress::{Pacing, Weight};
use crate::revision::Revision;
use crate::types::{CallTool, Progress};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

const LIMIT: usize = 1 << 20;
/// More than any single answer takes.
const ONE_ANSWER: usize = 4 << 10;

/// So many requests that the engine answers by itself, about 3.5 MB with the rest of their lines.
const REQUESTS: usize = 18_000;

fn discover(id: usize) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"server/discover\",\"params\":{{\"_meta\":\
         {{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\
         \"io.modelcontextprotocol/clientCapabilities\":{{}},\
         \"io.modelcontextprotocol/clientInfo\":{{\"name\":\"c\",\"version\":\"1\"}}}}}}}}\n"
    )
}

/// A server that has been sent far more than it may answer before the peer reads.
fn flooded() -> Connection<Server> {
    // An answer of a real server: instructions of 2 KB.
    let config = ServerConfig::new("s", "1").instructions("i".repeat(2_000));
    let mut server = Connection::server(config);
    let flood: String = (0..REQUESTS).map(discover).collect();
    assert!(flood.len() > 3_500_000, "{}", flood.len());
    server.handle_input(flood.as_bytes(), Instant::ZERO);
    server
}

fn waiting<R: Role>(end: &mut Connection<R>) -> usize {
    let waiting = end.poll_transmit().map_or(0, <[u8]>::len);
    end.advance_transmit(0);
    waiting
}

/// Polls as the documentation of `Endpoint` says, until nothing is left to do. What was written.
fn read_everything<R: Role>(
    end: &mut Connection<R>,
    events: &mut Vec<Event>,
    now: Instant,
) -> String {
    let mut written = Vec::new();
    loop {
        events.extend(core::iter::from_fn(|| end.poll_event()));
        while let Some(chunk) = end.poll_transmit() {
            assert!(chunk.len() <= LIMIT + ONE_ANSWER, "{}", chunk.len());
            written.extend_from_slice(chunk);
            let length = chunk.len();
            end.advance_transmit(length);
        }
        if end.poll_timeout().is_none_or(|at| at > now) {
            events.extend(core::iter::from_fn(|| end.poll_event()));
            return String::from_utf8(written).unwrap();
        }
        end.handle_timeout(now);
    }
}

fn ids(written: &str) -> Vec<usize> {
    let id = |line: &str| line.split_once("\"id\":")?.1.split_once(',')?.0.parse().ok();
    written.lines().map(|line| id(line).unwrap()).collect()
}

#[test]
fn one_read_full_of_requests_fills_the_outbox_to_its_limit_and_no_further() {
    let mut server = flooded();
    for _ in 0..3 {
        assert_eq!(server.poll_event(), None);
        server.handle_timeout(Instant::ZERO);
        let length = waiting(&mut server);
        assert!((LIMIT..LIMIT + ONE_ANSWER).contains(&length), "{length}");
    }
    assert!(!server.wants_input());
    assert_eq!(server.deadline_reason(), Some(DeadlineReason::Stall), "nobody spins");
    let written = read_everything(&mut server, &mut Vec::new(), Instant::ZERO);
    assert_eq!(ids(&written), (0..REQUESTS).collect::<Vec<_>>(), "each once, in order");
    assert!(server.wants_input());
    assert_eq!(server.poll_timeout(), None);
}

#[test]
fn what_had_arrived_before_the_transport_failed_still_counts() {
    let config = ClientConfig::new("c", "1").revisions(Revision::V2025_11_25);
    let mut client = Connection::client(config, Instant::ZERO);
    let refused = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no"}}"#;
    client.handle_input(format!("{refused}\n").as_bytes(), Instant::ZERO);
    client.handle_transport_error(Instant::ZERO);
    let closed = client.poll_event();
    assert!(matches!(closed, Some(Event::Closed(CloseReason::HandshakeRefused(_)))), "{closed:?}");
    assert_eq!(client.poll_event(), None);
}

#[test]
fn the_end_of_the_input_waits_behind_what_has_no_room_yet() {
    let mut server = flooded();
    server.handle_input(discover(REQUESTS).trim_end().as_bytes(), Instant::ZERO);
    server.handle_eof(Instant::ZERO);
    assert!(waiting(&mut server) <= LIMIT + ONE_ANSWER);
    assert!(!server.is_closed() && !server.wants_input());
    let mut events = Vec::new();
    let written = read_everything(&mut server, &mut events, Instant::ZERO);
    assert_eq!(ids(&written), (0..=REQUESTS).collect::<Vec<_>>());
    assert_eq!(events, [Event::Closed(CloseReason::Eof { unread: 0 })]);
}

/// The machine has slept, or its caller: the peer could not yet read what is answered only now.
#[test]
fn what_is_read_late_is_waited_for_from_then_on() {
    let late = Instant::from(Duration::from_secs(40));
    for polls in [true, false] {
        let mut server = flooded();
        assert!(!polls || server.poll_event().is_none());
        server.handle_timeout(late);
        assert!(!server.is_closed());
        assert_eq!(server.poll_timeout(), Some(late + Duration::from_secs(30)));
    }
}

#[test]
fn a_peer_that_floods_and_never_reads_is_given_up() {
    let mut server = flooded();
    assert_eq!(server.poll_event(), None);
    assert_eq!(server.poll_timeout(), Some(Instant::ZERO), "it asks what time it is");
    server.handle_timeout(Instant::ZERO);
    let due = server.poll_timeout().unwrap();
    assert_eq!(due, Instant::from(Duration::from_secs(30)));
    server.handle_timeout(due);
    assert_eq!(server.poll_event(), Some(Event::Closed(CloseReason::Stalled)));
    assert_eq!((server.poll_event(), server.poll_timeout()), (None, None));
}

#[test]
fn a_peer_that_reads_a_little_and_then_nothing_is_given_up() {
    let mut server = flooded();
    assert_eq!(server.poll_event(), None);
    server.handle_timeout(Instant::ZERO);
    assert!(server.poll_transmit().is_some());
    server.advance_transmit(1);
    let due = server.poll_timeout().unwrap();
    server.handle_timeout(due);
    assert!(!server.is_closed(), "it has read something");
    let due = server.poll_timeout().unwrap();
    server.handle_timeout(due);
    assert_eq!(server.poll_event(), Some(Event::Closed(CloseReason::Stalled)));
    assert_eq!((server.poll_event(), server.poll_timeout()), (None, None));
}

#[test]
fn a_full_outbox_has_a_deadline_whatever_filled_it() {
    let limits = Limits { max_outbox_len: 1, ..Limits::default() };
    let config = ClientConfig::new("c", "1").limits(limits).revisions(Revision::V2025_11_25);
    let mut client = Connection::client(config, Instant::ZERO);
    assert!(waiting(&mut client) > 1, "the handshake fills it before anybody names a time again");
    let reason = |client: &Connection<Client>| client.deadline_reason();
    assert_eq!(reason(&client), Some(DeadlineReason::Stall));
    let late = Instant::from(Duration::from_secs(3));
    client.handle_timeout(late);
    assert!(!client.is_closed(), "it is given its time from now on");
    assert_eq!(client.poll_timeout(), Some(late + Duration::from_secs(30)));
}

/// A client with a call in flight whose server floods it, answers the call, and does not read.
fn flooded_client() -> Connection<Client> {
    let config = ClientConfig::new("c", "1").revisions(Revision::V2025_11_25);
    let mut client = Connection::client(config, Instant::ZERO);
    let options = CallOptions::default().timeouts(Timeouts::NEVER.total(Duration::from_secs(1)));
    let _ticket = client.request(&CallTool::new("t"), options, Instant::ZERO).unwrap();
    client.handle_input(
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\",\
          \"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}\n",
        Instant::ZERO,
    );
    read_everything(&mut client, &mut Vec::new(), Instant::ZERO);
    let ping = |id| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n");
    let mut flood: String = (0..80_000).map(ping).collect();
    flood.push_str("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[]}}\n");
    client.handle_input(flood.as_bytes(), Instant::ZERO);
    assert_eq!(client.poll_event(), None);
    client.handle_timeout(Instant::ZERO);
    assert!(waiting(&mut client) <= LIMIT + ONE_ANSWER);
    client
}

#[test]
fn a_peer_that_does_not_read_stops_no_deadline() {
    let mut client = flooded_client();
    let due = client.poll_timeout().unwrap();
    client.handle_timeout(due);
    let ended = client.poll_event();
    let Some(Event::Response { outcome: Err(CallError::TimedOut(_)), .. }) = ended else {
        panic!("{ended:?}")
    };
    assert!(waiting(&mut client) <= LIMIT + ONE_ANSWER);
}

#[test]
fn what_was_read_before_the_transport_failed_still_counts() {
    let mut client = flooded_client();
    client.handle_transport_error(Instant::ZERO);
    let events: Vec<_> = core::iter::from_fn(|| client.poll_event()).collect();
    let [Event::Response { outcome: Ok(_), .. }, Event::Closed(CloseReason::Transport)] =
        &events[..]
    else {
        panic!("{events:?}")
    };
}

#[test]
fn progress_that_waited_for_room_is_not_due_after_the_end() {
    let limits = Limits { max_outbox_len: 100, ..Limits::default() };
    let config = ServerConfig::new("s", "1").limits(limits).pacing(Pacing::UNLIMITED);
    let mut server = Connection::server(config);
    server.handle_input(
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"_meta\":{\
          \"progressToken\":1,\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\
          \"io.modelcontextprotocol/clientCapabilities\":{}}}}\n",
        Instant::ZERO,
    );
    assert!(matches!(server.poll_event(), Some(Event::Request { .. })));
    for step in 0..4 {
        let report = Progress::new(f64::from(step));
        server.report(&1.into(), report, Weight::Ordinary, Instant::ZERO).unwrap();
    }
    assert!(!server.wants_input(), "the last of them waits");
    server.handle_transport_error(Instant::ZERO);
    assert!(server.is_closed());
    assert_eq!((server.poll_timeout(), waiting(&mut server)), (None, 0));
}

#[test]
fn what_held_calls_take_is_given_back_to_the_byte() {
    let limits = Limits { max_outbox_len: 10_000, ..Limits::default() };
    let config = ClientConfig::new("c", "1").limits(limits);
    let mut client = Connection::client(config, Instant::ZERO);
    let mut room = None;
    for round in 0..20 {
        let mut held = Vec::new();
        let options = CallOptions::default;
        while let Ok(ticket) = client.request(&CallTool::new("tool"), options(), Instant::ZERO) {
            held.push(ticket.id().clone());
        }
        assert!(held.len() > 50);
        assert_eq!(*room.get_or_insert(held.len()), held.len(), "round {round}");
        // Some from the middle, some from the ends.
        for start in [1, 0] {
            for id in held.iter().skip(start).step_by(2) {
                client.cancel(id, None, Instant::ZERO);
            }
        }
    }
    assert_eq!(client.calls_in_flight(), 1, "the handshake");
}

/// Steps through the outbox for so many requests, each of which has something queued and is cancelled,
/// while the peer reads nothing.
fn steps_for(pairs: usize) -> usize {
    let mut server = Connection::server(ServerConfig::new("s", "1"));
    server.handle_input(
        b"{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":\
          {\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\
          \"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}\n\
          {\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n",
        Instant::ZERO,
    );
    for n in 0..pairs {
        let request = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"tools/call\",\"params\":{{\"name\":\"t\",\"_meta\":{{\"progressToken\":{n}}}}}}}\n"
        );
        server.handle_input(request.as_bytes(), Instant::ZERO);
        while server.poll_event().is_some() {}
        let id = (n as i64).into();
        server.report(&id, Progress::new(1.0), Weight::Milestone, Instant::ZERO).unwrap();
        assert!(!server.is_progress_flushed(&id), "it is queued");
        let cancelled = format!(
            "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{n}}}}}\n"
        );
        server.handle_input(cancelled.as_bytes(), Instant::ZERO);
        while server.poll_event().is_some() {}
        assert!(server.is_cancelled(&id));
        server.abandon(&id, Instant::ZERO);
    }
    server.endpoint.core().outbox_steps()
}

#[test]
fn request_and_cancel_pairs_cost_linear_time() {
    let (few, many) = (steps_for(50), steps_for(500));
    assert!(few > 0, "each is looked at");
    assert!(many <= 10 * few, "{few} steps for 50 pairs, {many} for 500");
}

#[test]
fn answers_that_a_failed_transport_loses_have_not_been_delivered() {
    let mut server = Connection::server(ServerConfig::new("s", "1"));
    server.handle_input(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n", Instant::ZERO);
    server.handle_eof(Instant::ZERO);
    assert_eq!(server.poll_event(), None);
    assert_ne!(waiting(&mut server), 0, "the answer");
    server.handle_transport_error(Instant::ZERO);
    assert_eq!(server.poll_event(), Some(Event::Closed(CloseReason::Transport)));
}

/// A caller that goes on reading where nothing comes any more.
#[test]
fn what_is_told_behind_the_end_of_the_input_is_no_message() {
    let call = |id: usize| {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"_meta\":{{\"io.modelcontextprotocol/protocolVersion\":\
             \"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{{}},\
             \"io.modelcontextprotocol/clientInfo\":{{\"name\":\"c\",\"version\":\"1\"}}}}}}}}\n"
        )
    };
    let late = Instant::from(Duration::from_secs(1));
    for is_owned in [true, false] {
        let tell = |server: &mut Connection<Server>, text: String| match is_owned {
            true => server.handle_input_owned(text.into(), late),
            false => server.handle_input(text.as_bytes(), late),
        };
        let mut server = Connection::server(ServerConfig::new("s", "1"));
        tell(&mut server, call(1));
        let Some(Event::Request { id, .. }) = server.poll_event() else { panic!() };
        server.handle_eof(Instant::ZERO);
        let due = server.poll_timeout();
        tell(&mut server, call(2));
        server.handle_eof(late);
        assert_eq!((server.poll_event(), server.poll_timeout()), (None, due));
        server.respond(&id, &crate::json::RawJson::empty_object(), late).unwrap();
        let mut events = Vec::new();
        assert_eq!(ids(&read_everything(&mut server, &mut events, late)), [1]);
        assert_eq!(events, [Event::Closed(CloseReason::Eof { unread: 0 })]);

        // The end waits behind what has no room yet.
        let mut server = flooded();
        server.handle_eof(Instant::ZERO);
        tell(&mut server, call(REQUESTS));
        let mut events = Vec::new();
        let written = read_everything(&mut server, &mut events, late);
        assert_eq!(ids(&written), (0..REQUESTS).collect::<Vec<_>>());
        assert_eq!(events, [Event::Closed(CloseReason::Eof { unread: 0 })]);

        let mut server = Connection::server(ServerConfig::new("s", "1"));
        server.handle_transport_error(Instant::ZERO);
        tell(&mut server, call(1));
        assert_eq!(server.poll_event(), Some(Event::Closed(CloseReason::Transport)));
        assert_eq!(server.poll_event(), None);
    }
}

/// What is over holds nothing back, and can be taken along like everything else.
#[cfg(feature = "snapshot")]
#[test]
fn a_connection_that_was_closed_with_its_end_held_back_is_restored() {
    let config = || ServerConfig::new("s", "1").instructions("i".repeat(2_000));
    let mut server = Connection::server(config());
    for id in 0.. {
        if waiting(&mut server) > LIMIT {
            break;
        }
        server.handle_input(discover(id).as_bytes(), Instant::ZERO);
        assert_eq!(server.poll_event(), None);
    }
    // All is read, and the end waits until the peer does.
    server.handle_eof(Instant::ZERO);
    assert_eq!(server.poll_event(), None);
    server.close(Instant::ZERO);
    server.handle_transport_error(Instant::ZERO);
    let snapshot = server.snapshot(Instant::ZERO);
    let restored = Connection::<Server>::restore(snapshot, config(), Instant::ZERO);
    assert!(restored.is_ok_and(|server| server.is_closed()));
}

/// Thousands of connections may idle: what they read while they met is given back, and what comes after is kept room for.
#[test]
fn a_connection_that_has_met_its_peer_keeps_no_room_for_what_it_read() {
    let mut server = Connection::server(ServerConfig::new("s", "1"));
    let mut hear = |message: &str| {
        server
            .handle_input(format!("{{\"jsonrpc\":\"2.0\",{message}}}\n").as_bytes(), Instant::ZERO);
        while server.poll_event().is_some() {}
        server.input.clone().give_back()
    };
    hear(
        r#""id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}"#,
    );
    assert!(!hear(r#""method":"notifications/initialized""#));
    assert!(hear(r#""id":2,"method":"ping""#), "it would be allocated anew for each message");
}
