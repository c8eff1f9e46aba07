//! A server's connection that leaves its driver, and goes on under another one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod runtime;

use std::task::Poll;

use mcp_proto::driver::{self, Incoming, Server};
use mcp_proto::progress::Pacing;
use mcp_proto::snapshot::{ConnectionSnapshot, RestoreError};
use mcp_proto::types::CallToolResult;
use mcp_proto::{Progress, RequestId, Revision, SendError, ServerConfig};
use runtime::*;

fn config() -> ServerConfig {
    ServerConfig::new("test", "1").pacing(Pacing::UNLIMITED)
}

/// A call of this id, with it as progress token.
fn tracked_call(id: u32) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"t{id}\",\"_meta\":{{\"progressToken\":{id},\
         \"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\
         \"io.modelcontextprotocol/clientCapabilities\":{{}}}}}}}}\n"
    )
}

/// The next request, which is there.
fn accepted(world: &mut World, server: &mut Server) -> Incoming {
    let mut accepting = Box::pin(server.accept());
    let Poll::Ready(Some(incoming)) = world.poll(&mut accepting) else { panic!("no request") };
    incoming
}

/// A request at work, one that nobody has accepted, half of a third; a report that has left and one that has not.
#[test]
fn a_server_with_calls_in_flight_leaves_its_driver_and_goes_on_under_another() {
    let mut world = World::new();
    let (left, right) = pipe(1 << 20);
    let (mut server, mut driver) = driver::server(left, config(), world.clock.clone());
    let mut wire = Wire(right);
    let third = tracked_call(3);
    let (half, rest) = third.split_at(third.len() / 2);
    wire.send(&format!("{}{}{half}", tracked_call(1), tracked_call(2)));
    assert!(world.poll(&mut driver).is_pending());
    let first = accepted(&mut world, &mut server);
    first.progress(Progress::new(1.0)).unwrap();
    assert!(world.poll(&mut driver).is_pending());
    assert!(wire.received().contains("\"progress\":1"));
    first.progress(Progress::new(2.0)).unwrap();
    let text = serde_json::to_string(&driver.export()).unwrap();

    assert!(first.is_cancelled());
    let late = first.respond(&CallToolResult::text("late"));
    assert!(
        matches!(late, Err(SendError::Cancelled | SendError::Closed | SendError::UnknownRequest)),
        "{late:?}"
    );
    assert!(!wire.has_ended() && wire.received().is_empty(), "it leaves without a word");

    // Another process, with another clock.
    let mut world = World::new();
    let (left, right) = pipe(1 << 20);
    let snapshot: ConnectionSnapshot = serde_json::from_str(&text).unwrap();
    let (mut server, mut driver) =
        driver::restored_server(left, snapshot, config(), world.clock.clone()).unwrap();
    let mut wire = Wire(right);
    wire.send(rest);
    assert!(world.poll(&mut driver).is_pending());
    for (id, name, is_resumed) in [(1_i64, "t1", true), (2, "t2", true), (3, "t3", false)] {
        let incoming = accepted(&mut world, &mut server);
        assert_eq!((incoming.id(), incoming.is_resumed()), (&RequestId::from(id), is_resumed));
        assert!(incoming.raw_params().unwrap().as_str().contains(name));
        incoming.progress(Progress::new(3.0)).unwrap();
        incoming.respond(&CallToolResult::text(name)).unwrap();
    }
    assert!(world.poll(&mut driver).is_pending());
    let said = wire.received();
    let told: Vec<_> = ["\"progress\":2", "\"progress\":3", "\"t1\"", "\"t2\"", "\"t3\""]
        .map(|text| said.find(text).unwrap_or_else(|| panic!("{text} is missing: {said}")))
        .into();
    assert!(told.is_sorted(), "{said}");
    assert_eq!(said.lines().count(), 7, "{said}");
    wire.hang_up();
    assert!(world.poll(&mut driver).is_ready());
}

#[test]
fn a_server_that_does_not_speak_as_the_other_did_is_refused() {
    let mut world = World::new();
    let (left, right) = pipe(1 << 20);
    let (_server, mut driver) = driver::server(left, config(), world.clock.clone());
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
    Wire(right).send(&format!("{initialize}\n"));
    assert!(world.poll(&mut driver).is_pending());
    let snapshot = driver.export();
    let other = config().revisions(Revision::V2025_03_26);
    let refused = driver::restored_server(pipe(1).0, snapshot, other, world.clock.clone());
    assert!(matches!(refused, Err(RestoreError::Config(_))));
}

#[test]
fn a_connection_that_has_ended_is_not_restored() {
    let mut world = World::new();
    let (left, right) = pipe(1 << 20);
    let (server, mut driver) = driver::server(left, config(), world.clock.clone());
    Wire(right).hang_up();
    let ended = world.poll(&mut driver);
    assert!(ended.is_ready());
    drop(server);
    let snapshot = driver.export();
    let refused = driver::restored_server(pipe(1).0, snapshot, config(), world.clock.clone());
    assert!(matches!(refused, Err(RestoreError::Invalid(_))), "{:?}", refused.err());
}
