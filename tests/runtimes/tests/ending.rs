//! How calls and connections end: by a drop, by the peer, by time, with a socket that is full.
#![cfg(unix)]

use std::time::{Duration, Instant};

use futures_lite::future::poll_once;
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::{
    Host, Hurried, Peer, done, on_every_runtime, pair, pair_over, sleep, small_sockets, sockets,
    spawn, talk,
};

/// No machine is slower than this.
const LONG: Duration = Duration::from_secs(20);

async fn dropping_the_future_of_a_call_cancels_it_once<H: Host>() {
    let (client, mut peer) = pair::<H>().await;
    let mut call = Box::pin(client.call(CallTool::new("slow")).outcome());
    assert!(poll_once(&mut call).await.is_none());
    let asked = peer.next().await.unwrap();
    drop(call);

    let cancelled = peer.next().await.unwrap();
    assert_eq!(cancelled.method, "notifications/cancelled");
    let id = cancelled.line.get("params").unwrap().get("requestId").unwrap();
    assert_eq!(id.as_bytes(), asked.id.as_bytes());
    assert_eq!(client.calls_in_flight(), 0);

    // The late answer changes nothing, and the next message is the next call: nothing was said twice.
    peer.send(&done(&asked.id)).await;
    let next = spawn(&H::platform(), client.call(CallTool::new("next")));
    let asked = peer.next().await.unwrap();
    assert_eq!(asked.method, "tools/call");
    peer.send(&done(&asked.id)).await;
    assert_eq!(next.join().await.unwrap().content[0].as_text(), Some("done"));
}

async fn a_call_that_was_never_awaited_sends_nothing<H: Host>() {
    let (client, mut peer) = pair::<H>().await;
    drop(client.call(CallTool::new("never")));
    client.close();
    assert!(peer.next().await.is_none());
}

async fn a_server_that_dies_ends_every_call_with_the_reason<H: Host>() {
    let (client, mut peer) = pair::<H>().await;
    let calls = (0..3).map(|_| spawn(&H::platform(), client.call(CallTool::new("t"))));
    let calls: Vec<_> = calls.collect();
    for _ in 0..3 {
        peer.next().await.unwrap();
    }
    // It dies in the middle of a message.
    peer.send(r#"{"jsonrpc":"2.0","id":"#).await;
    drop(peer);
    let reason = CloseReason::Eof { unread: 22 };
    for call in calls {
        assert_eq!(call.join().await.unwrap_err(), CallError::Closed(reason.clone()));
    }
    assert_eq!(client.closed().await, reason);
    assert!(matches!(client.call(CallTool::new("t")).await, Err(CallError::Send(_))));
}

fn server<H: Host>(config: ServerConfig) -> (Peer, Server) {
    let (near, far) = sockets();
    (Peer::new::<H>(near), H::serve(far, config))
}

/// Answers after some work, except to `never`.
async fn answer<H: Host>(request: Incoming) {
    let call: CallTool = request.params().unwrap();
    match call.name.as_str() {
        "never" => std::future::pending::<()>().await,
        _ => sleep::<H>(Duration::from_millis(20)).await,
    }
    request.respond(&CallToolResult::text(call.name)).unwrap();
}

async fn half_close_what_was_accepted_is_answered_before_the_end<H: Host>() {
    let (mut client, mut server) = server::<H>(ServerConfig::new("test", "1.0"));
    client.send(&talk(&["one", "two"])).await;
    client.hang_up().await;
    while let Some(request) = server.accept().await {
        drop(spawn(&H::platform(), answer::<H>(request)));
    }
    // The loop is over, so everything is written: a program may exit now.
    let answers = client.rest().await;
    assert_eq!(answers.lines().count(), 3, "{answers}");
    assert!(
        answers.contains(r#""text":"one""#) && answers.contains(r#""text":"two""#),
        "{answers}"
    );
    assert_eq!(server.closed().await, CloseReason::Eof { unread: 0 });
}

async fn the_end_of_the_input_ends_a_server_within_its_drain_limit_though_work_goes_on<H: Host>() {
    let limit = Duration::from_millis(100);
    let config = ServerConfig::new("test", "1.0").drain_timeout(limit);
    let (mut client, mut server) = server::<H>(config);
    let began = Instant::now();
    client.send(&talk(&["never"])).await;
    client.hang_up().await;
    while let Some(request) = server.accept().await {
        drop(spawn(&H::platform(), answer::<H>(request)));
    }
    let took = began.elapsed();
    assert!(took >= limit && took < LONG, "{took:?}");
    let answers = client.rest().await;
    assert!(answers.contains(r#""id":0"#) && !answers.contains(r#""id":1"#), "{answers}");
}

/// More than sockets and threads hold.
fn big() -> CallTool {
    CallTool::new("big").argument("data", "x".repeat(1 << 20))
}

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

async fn a_timeout_fires_while_a_write_is_blocked<H: Host>() {
    let (near, far) = small_sockets();
    let (client, peer) = pair_over(H::platform(), H::stream(near), Peer::new::<H>(far)).await;
    let (patience, began) = (Duration::from_millis(50), Instant::now());
    let call = client.call(big()).timeouts(Timeouts::default().total(patience));
    assert!(matches!(call.await, Err(CallError::TimedOut(_))));
    assert!(began.elapsed() >= patience && began.elapsed() < LONG, "{:?}", began.elapsed());
    drop(peer);
}

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
    dropping_the_future_of_a_call_cancels_it_once,
    a_call_that_was_never_awaited_sends_nothing,
    a_server_that_dies_ends_every_call_with_the_reason,
    half_close_what_was_accepted_is_answered_before_the_end,
    the_end_of_the_input_ends_a_server_within_its_drain_limit_though_work_goes_on,
    close_works_while_a_write_is_blocked,
    a_timeout_fires_while_a_write_is_blocked,
    a_server_closes_while_its_client_does_not_read,
    a_silent_server_ends_the_handshake_in_its_time,
);
