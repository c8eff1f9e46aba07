//! The machine alone, asked for what no peer sees of it.

mod cancelled;
mod digests;
mod held;
mod inbound;
mod kept;
mod places;

use ::core::time::Duration;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::core::KEPT_EVENTS;
use super::*;
use crate::config::Timeouts;
use crate::error::{HttpError, Limit};
use crate::revision::Era;
use crate::types::EmptyResult;

const NOW: Instant = Instant::ZERO;

/// A client that has not heard of its server.
fn new_client(set: impl FnOnce(&mut ClientConfig)) -> Endpoint<Client> {
    let mut config = ClientConfig::new("c", "1");
    set(&mut config);
    Endpoint::client(config, NOW)
}

/// A client whose handshake is over, in this revision; the id 1 is used, and nothing waits.
fn client_in(revision: Revision, set: impl FnOnce(&mut ClientConfig)) -> Endpoint<Client> {
    let mut client = new_client(|config| {
        config.revisions = revision.into();
        set(config);
    });
    hear(&mut client, &welcome(revision));
    said(&mut client);
    told(&mut client);
    client
}

/// The answer to what opens the conversation.
fn welcome(revision: Revision) -> String {
    let version = match revision.era() {
        Era::Modern => format!(r#""supportedVersions":["{revision}"]"#),
        Era::Legacy => format!(r#""protocolVersion":"{revision}""#),
    };
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"result":{{{version},"capabilities":{{}},"serverInfo":{{"name":"s","version":"1"}}}}}}"#
    )
}

fn new_server() -> Endpoint<Server> {
    Endpoint::server(ServerConfig::new("s", "1"))
}

fn initialize(revision: Revision) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":0,"method":"initialize","params":{{"protocolVersion":"{revision}","capabilities":{{}},"clientInfo":{{"name":"c","version":"1"}}}}}}"#
    )
}

const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;

/// A server in a session, in this revision; nothing waits.
fn server_in(revision: Revision, set: impl FnOnce(&mut ServerConfig)) -> Endpoint<Server> {
    let mut config = ServerConfig::new("s", "1");
    set(&mut config);
    let mut server = Endpoint::server(config);
    hear(&mut server, &initialize(revision));
    hear(&mut server, INITIALIZED);
    said(&mut server);
    told(&mut server);
    server
}

/// A request of 2026-07-28.
fn modern_request(id: u32, method: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}},"progressToken":{id}}}}}}}"#
    )
}

/// A message arrives.
fn hear<R: Role>(end: &mut Endpoint<R>, message: &str) {
    end.handle_message(Bytes::copy_from_slice(message.as_bytes()), NOW);
}

/// What is to be sent.
fn said<R: Role>(end: &mut Endpoint<R>) -> Vec<String> {
    let text = |sent: Transmit| String::from_utf8(sent.message.to_vec()).unwrap();
    ::core::iter::from_fn(|| end.poll_transmit()).map(text).collect()
}

/// What happened.
fn told<R: Role>(end: &mut Endpoint<R>) -> Vec<Event> {
    ::core::iter::from_fn(|| end.poll_event()).collect()
}

/// Calls with parameters of so many bytes and no deadline.
fn call<R: Role>(end: &mut Endpoint<R>, len: usize) -> Result<RequestId, SendError> {
    let params = RawJson::parse(format!("{{\"x\":\"{}\"}}", "x".repeat(len - 8))).unwrap();
    let options = CallOptions::default().timeouts(Timeouts::NEVER);
    end.request_raw("tools/call", Some(&params), options, NOW)
}

#[test]
fn a_debugger_is_shown_what_there_is() {
    let shown = format!("{:?}", new_server());
    assert!(shown.contains("Serving") && shown.contains("outbox"), "{shown}");
}

/// The driver holds answers back until so many bytes wait.
#[test]
fn so_many_bytes_of_output_wait() {
    let mut client = new_client(|_| ());
    let waiting = client.clone().poll_transmit().unwrap().message.len() + 1;
    assert!(client.has_output(waiting) && !client.has_output(waiting + 1));
    said(&mut client);
    assert!(client.has_output(0) && !client.has_output(1));
}

/// A burst of events leaves no room behind, and room is not moved while some of them wait.
#[test]
fn room_that_many_events_took_is_given_back_once_all_are_told() {
    let mut server = server_in(Revision::V2025_11_25, |_| ());
    for _ in 0..1_000 {
        hear(&mut server, r#"{"jsonrpc":"2.0","method":"notifications/x"}"#);
    }
    let room = server.core.events.capacity();
    assert!(server.poll_event().is_some());
    assert_eq!(server.core.events.capacity(), room);
    assert_eq!(told(&mut server).len(), 999);
    assert!((KEPT_EVENTS..=2 * KEPT_EVENTS).contains(&server.core.events.capacity()));
}

#[test]
fn why_it_wants_to_be_woken() {
    let client = new_client(|_| ());
    assert_eq!(client.deadline_reason(), Some(DeadlineReason::Handshake));
    let secs = Duration::from_secs;
    for (idle, total, limit) in [(5, 50, Limit::Idle), (5, 3, Limit::Total), (5, 5, Limit::Idle)] {
        let mut client = client_in(Revision::V2026_07_28, |_| ());
        assert_eq!(client.deadline_reason(), None);
        let timeouts = Timeouts::NEVER.idle(secs(idle)).total(secs(total));
        let options = CallOptions::default().timeouts(timeouts);
        let id = client.request_raw("tools/list", None, options, NOW).unwrap();
        assert_eq!(client.deadline_reason(), Some(DeadlineReason::Call { id, limit }));
    }
}
