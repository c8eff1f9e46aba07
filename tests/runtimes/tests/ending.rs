//! How calls and connections end, in ways that are no fault of anybody's or leave nothing to count: see `faults.rs` for those.
#![cfg(unix)]

use std::time::{Duration, Instant};

use futures_lite::future::poll_once;
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::{
    Host, Hurried, Peer, on_every_runtime, pair, pair_over, small_sockets, sockets, talk,
};

/// No machine is slower than this.
const LONG: Duration = Duration::from_secs(20);

async fn a_listener_that_is_prepared_hears_what_was_said_before_the_client_was_there<H: Host>() {
    let (near, far) = sockets();
    let mut peer = Peer::new::<H>(far);
    peer.send("no message\n").await;
    let (tells, told) = async_channel::unbounded();
    let config = ClientConfig::new("test", "1.0").revisions(Revision::V2025_11_25);
    let client = H::client(near, config, |client| {
        client.on_violation(move |violation| tells.try_send(violation).unwrap());
    });
    told.recv().await.unwrap();
    // It is not waited for: a call leaves when the server is ready, which it never is.
    let mut call = Box::pin(client.call(CallTool::new("t")).outcome());
    assert!(poll_once(&mut call).await.is_none());
    assert_eq!(peer.next().await.unwrap().method, "initialize");
    drop(peer);
    let reason = CloseReason::Eof { unread: 0 };
    assert_eq!(call.await.result.unwrap_err(), CallError::Closed(reason));
    assert!(told.is_empty());
}

async fn a_call_that_was_never_awaited_sends_nothing<H: Host>() {
    let (client, mut peer) = pair::<H>().await;
    drop(client.call(CallTool::new("never")));
    client.close();
    assert!(peer.next().await.is_none());
}

fn server<H: Host>(config: ServerConfig) -> (Peer, Server) {
    let (near, far) = sockets();
    (Peer::new::<H>(near), H::serve(far, config))
}

/// FIELD-BUGS 73; R-STDIO-07.
async fn the_end_of_the_input_ends_a_server_within_its_drain_limit_though_work_goes_on<H: Host>() {
    let limit = Duration::from_millis(100);
    let config = ServerConfig::new("test", "1.0").drain_timeout(limit);
    let (mut client, mut server) = server::<H>(config);
    let began = Instant::now();
    client.send(&talk(&["never"])).await;
    client.hang_up().await;
    let mut held = Vec::new();
    while let Some(request) = server.accept().await {
        held.push(request);
    }
    assert_eq!(held.len(), 1);
    let took = began.elapsed();
    assert!(took >= limit && took < LONG, "{took:?}");
    let answers = client.rest().await;
    assert!(answers.contains(r#""id":0"#) && !answers.contains(r#""id":1"#), "{answers}");
}

/// More than sockets and threads hold.
fn big() -> CallTool {
    CallTool::new("big").argument("data", "x".repeat(1 << 20))
}

/// FIELD-BUGS 77, 81; R-STDIO-06.
async fn close_works_while_a_write_is_blocked<H: Host>() {
    let (near, far) = small_sockets();
    // The last bytes are given up after 5 s, which here are 50 ms.
    let platform = Hurried(H::platform());
    let (client, peer) = pair_over(platform, H::stream(near), Peer::new::<H>(far)).await;
    let mut call = Box::pin(client.call(big()).outcome());
    assert!(poll_once(&mut call).await.is_none());
    client.close();
    // The call ends at once, the connection when the last bytes are given up.
    assert_eq!(call.await.result.unwrap_err(), CallError::Closed(CloseReason::Local));
    assert_eq!(client.closed().await, CloseReason::Local);
    drop(peer);
}

/// FIELD-BUGS 77, 81; R-STDIO-06.
async fn a_server_closes_while_its_client_does_not_read<H: Host>() {
    let (near, far) = small_sockets();
    let mut client = Peer::new::<H>(near);
    let config = ServerConfig::new("test", "1.0");
    let mut server = mcp_proto::net::serve(H::stream(far), config, Hurried(H::platform()));
    client.send(&talk(&["big"])).await;
    let request = server.accept().await.unwrap();
    request.respond(&CallToolResult::text("x".repeat(1 << 20))).unwrap();
    server.close();
    assert!(server.accept().await.is_none());
    assert_eq!(server.closed().await, CloseReason::Local);
    drop(client);
}

async fn a_silent_server_ends_the_handshake_in_its_time<H: Host>() {
    let (near, far) = sockets();
    let patience = Duration::from_millis(50);
    let config = ClientConfig::new("test", "1.0")
        .revisions(Revision::V2025_06_18)
        .handshake_timeout(patience);
    let began = Instant::now();
    assert_eq!(H::connect(near, config).await.unwrap_err(), CloseReason::HandshakeTimeout);
    assert!(began.elapsed() >= patience && began.elapsed() < LONG, "{:?}", began.elapsed());
    drop(far);
}

on_every_runtime!(
    a_listener_that_is_prepared_hears_what_was_said_before_the_client_was_there,
    a_call_that_was_never_awaited_sends_nothing,
    the_end_of_the_input_ends_a_server_within_its_drain_limit_though_work_goes_on,
    close_works_while_a_write_is_blocked,
    a_server_closes_while_its_client_does_not_read,
    a_silent_server_ends_the_handshake_in_its_time,
);
