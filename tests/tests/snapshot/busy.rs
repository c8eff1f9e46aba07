//! Machines in the middle of everything, with small limits.

use std::time::Duration;

use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::role::{Client, Server};
use mcp_proto::{
    CallOptions, CallTool, CallToolResult, ClientConfig, Connection, Event, Instant, Limits,
    Notification, Progress, RawJson, ServerConfig, Timeouts,
};

/// Limits that a few messages reach.
pub fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_message_len = 2 << 10;
    limits.max_requests = 4;
    limits.max_calls = 4;
    limits.max_milestones = 2;
    limits.max_outbox_len = 4 << 10;
    limits.max_output_len = 64 << 10;
    limits
}

pub fn server_config() -> ServerConfig {
    let pacing = Pacing::default().burst(1).every(Duration::from_secs(9));
    ServerConfig::new("s", "1").limits(limits()).pacing(pacing)
}

pub fn client_config() -> ClientConfig {
    ClientConfig::new("c", "1").limits(limits())
}

/// A server of a session with a batch that is half answered, reports that wait, half a message written, lines and half a
/// line read and not decoded, and events that wait.
pub fn busy_server() -> (Connection<Server>, Instant) {
    let now = Instant::from_nanos(7_000_000_000);
    let mut server = Connection::server(server_config());
    let open = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{"roots":{}},"clientInfo":{"name":"c","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"progressToken":"t"}}},{"jsonrpc":"2.0","id":"two","method":"tools/call","params":{"name":"b"}}]
{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"c"}}
"#;
    server.handle_input(open.as_bytes(), now);
    while server.poll_event().is_some() {}
    server.poll_transmit();
    server.advance_transmit(10);
    for (value, weight) in
        [(1.0, Weight::Ordinary), (2.0, Weight::Milestone), (3.0, Weight::Ordinary)]
    {
        server
            .report(&1.into(), Progress::new(value).of(9.5).message("some"), weight, now)
            .unwrap();
    }
    server.respond(&"two".into(), &CallToolResult::text("b"), now).unwrap();
    server
        .request_raw("roots/list", None, CallOptions::default().progress_token("own"), now)
        .unwrap();
    let later = now + Duration::from_secs(1);
    let more = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}
{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":99,"progress":1}}
{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"own","progress":0.5}}
no JSON
{"jsonrpc":"2.0","id":4,"met"#;
    server.handle_input(more.as_bytes(), now);
    assert!(matches!(server.poll_event(), Some(Event::Cancelled { .. })));
    server.handle_timeout(now);
    server.handle_input(b"hod\":\"ping\"}\n{\"half\":", later);
    server.poll_transmit();
    (server, later)
}

/// A client that probes, with calls and a notification held back.
pub fn new_client() -> (Connection<Client>, Instant) {
    let now = Instant::from_nanos(3);
    let mut client = Connection::client(client_config(), now);
    let options = CallOptions::default().tracked().meta(RawJson::parse(r#"{"a":1}"#).unwrap());
    let _ = client.request(&CallTool::new("held"), options, now).unwrap();
    client.notify(&RootsChanged {}).unwrap();
    let _ = client.request(&CallTool::new("gone"), CallOptions::default(), now).unwrap();
    client.cancel(&3.into(), Some("why"), now);
    (client, now)
}

#[derive(serde::Serialize)]
struct RootsChanged {}

impl Notification for RootsChanged {
    const METHOD: &'static str = "notifications/roots/list_changed";
    type Sender = Client;
}

/// A client with calls of every kind in flight, and events that wait.
pub fn busy_client() -> (Connection<Client>, Instant) {
    let (mut client, now) = new_client();
    let found = r#"{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"capabilities":{},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}}}}
"#;
    client.handle_input(found.as_bytes(), now);
    client.handle_timeout(now);
    let timed = Timeouts::default().idle(Duration::from_secs(5)).total(Duration::from_secs(50));
    for options in
        [CallOptions::default().timeouts(timed), CallOptions::default().progress_token("own")]
    {
        let _ = client.request(&CallTool::new("more"), options, now).unwrap();
    }
    let told = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":2,"progress":0.1,"total":0.3}}
{"jsonrpc":"2.0","id":99,"error":{"code":-1,"message":"what","data":[1.0]}}
{"jsonrpc":"2.0","id":2,"result":{"resultType":"other"}}
"#;
    client.handle_input(told.as_bytes(), now + Duration::from_millis(1));
    client.handle_timeout(now + Duration::from_millis(1));
    (client, now + Duration::from_secs(2))
}
