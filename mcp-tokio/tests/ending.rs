//! How calls and connections end: by a drop, by the peer, by time, with a pipe that is full.
//!
//! Time is Tokio's paused clock, which jumps to the next deadline when every task waits.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod support;

use std::time::Duration;

use mcp_tokio::{
    CallError, CallTool, CallToolResult, ClientConfig, CloseReason, Incoming, Revision, Server,
    ServerConfig,
};
use support::{done, pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dropping_the_future_of_a_call_cancels_it_once() {
    let (client, mut peer) = pair(1 << 16).await;
    let call = client.call(CallTool::new("slow"));
    let task = tokio::spawn(call);
    let asked = peer.next().await.unwrap();
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());

    let cancelled = peer.next().await.unwrap();
    assert_eq!(cancelled.method, "notifications/cancelled");
    let id = cancelled.line.get("params").unwrap().get("requestId").unwrap();
    assert_eq!(id.as_bytes(), asked.id.as_bytes());

    // The late answer changes nothing, and the next message is the next call: nothing was said twice.
    peer.send(&done(&asked.id)).await;
    let next = tokio::spawn(client.call(CallTool::new("next")));
    let asked = peer.next().await.unwrap();
    assert_eq!(asked.method, "tools/call");
    peer.send(&done(&asked.id)).await;
    assert_eq!(next.await.unwrap().unwrap().content[0].as_text(), Some("done"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_call_that_was_never_awaited_sends_nothing() {
    let (client, mut peer) = pair(1 << 16).await;
    drop(client.call(CallTool::new("never")));
    client.close();
    assert!(peer.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_dies_ends_every_call_with_the_reason() {
    let (client, mut peer) = pair(1 << 16).await;
    let calls: Vec<_> = (0..3).map(|_| tokio::spawn(client.call(CallTool::new("t")))).collect();
    for _ in 0..3 {
        peer.next().await.unwrap();
    }
    // It dies in the middle of a message.
    peer.send(r#"{"jsonrpc":"2.0","id":"#).await;
    drop(peer);
    let reason = CloseReason::Eof { unread: 22 };
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap_err(), CallError::Closed(reason.clone()));
    }
    assert_eq!(client.closed().await, reason);
    assert!(matches!(client.call(CallTool::new("t")).await, Err(CallError::Send(_))));
}

/// A handshake of 2025-11-25 and a call of each tool.
fn talk(tools: &[&str]) -> String {
    let mut talk = String::from(concat!(
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#,
        "\n",
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        "\n"
    ));
    for (id, tool) in tools.iter().enumerate() {
        let id = id + 1;
        talk += &format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}"}}}}"#
        );
        talk.push('\n');
    }
    talk
}

fn server(config: ServerConfig) -> (DuplexStream, Server) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let (reader, writer) = tokio::io::split(far);
    (near, mcp_tokio::serve(reader, writer, config))
}

/// Answers when a second has passed, except to `never`.
async fn answer(request: Incoming) {
    let call: CallTool = request.params().unwrap();
    match call.name.as_str() {
        "never" => std::future::pending::<()>().await,
        _ => tokio::time::sleep(Duration::from_secs(1)).await,
    }
    request.respond(&CallToolResult::text(call.name)).unwrap();
}

#[tokio::test(start_paused = true)]
async fn half_close_what_was_accepted_is_answered_before_the_end() {
    let (mut client, mut server) = server(ServerConfig::new("test", "1.0"));
    client.write_all(talk(&["one", "two"]).as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    while let Some(request) = server.accept().await {
        tokio::spawn(answer(request));
    }
    // The loop is over, so everything is written: a program may exit now.
    let mut answers = String::new();
    client.read_to_string(&mut answers).await.unwrap();
    let lines: Vec<_> = answers.lines().collect();
    assert_eq!(lines.len(), 3, "{answers}");
    assert!(
        answers.contains(r#""text":"one""#) && answers.contains(r#""text":"two""#),
        "{answers}"
    );
    assert_eq!(server.closed().await, CloseReason::Eof { unread: 0 });
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_input_ends_a_server_within_its_drain_limit_though_work_goes_on() {
    let config = ServerConfig::new("test", "1.0").drain_timeout(Duration::from_secs(3));
    let (mut client, mut server) = server(config);
    client.write_all(talk(&["never", "one"]).as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    let began = Instant::now();
    while let Some(request) = server.accept().await {
        tokio::spawn(answer(request));
    }
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(3) && took < Duration::from_secs(4), "{took:?}");
    let mut answers = String::new();
    client.read_to_string(&mut answers).await.unwrap();
    assert!(answers.contains(r#""text":"one""#) && !answers.contains(r#""id":1"#), "{answers}");
}

#[tokio::test(start_paused = true)]
async fn close_works_while_a_write_is_blocked() {
    let (client, peer) = pair(64).await;
    // Far more than the pipe holds, and nobody reads it.
    let call = client.call(CallTool::new("big").argument("data", "x".repeat(100_000)));
    let task = tokio::spawn(call);
    tokio::time::sleep(Duration::from_secs(1)).await;
    client.close();
    // The call ends at once, the connection when the last bytes are given up.
    let began = Instant::now();
    assert_eq!(task.await.unwrap().unwrap_err(), CallError::Closed(CloseReason::Local));
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(client.closed().await, CloseReason::Local);
    assert!(began.elapsed() <= Duration::from_secs(6), "{:?}", began.elapsed());
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_fires_while_a_write_is_blocked() {
    let (client, peer) = pair(64).await;
    let patience = mcp_tokio::Timeouts::default().total(Duration::from_secs(10));
    let call =
        client.call(CallTool::new("big").argument("data", "x".repeat(100_000))).timeouts(patience);
    let began = Instant::now();
    assert!(matches!(call.await, Err(CallError::TimedOut(_))));
    assert!(began.elapsed() < Duration::from_secs(11), "{:?}", began.elapsed());
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn a_server_closes_while_its_client_does_not_read() {
    let (mut client, mut server) = {
        let (near, far) = tokio::io::duplex(256);
        let (reader, writer) = tokio::io::split(far);
        (near, mcp_tokio::serve(reader, writer, ServerConfig::new("test", "1.0")))
    };
    client.write_all(talk(&["big"]).as_bytes()).await.unwrap();
    let request = server.accept().await.unwrap();
    request.respond(&CallToolResult::text("x".repeat(10_000))).unwrap();
    let began = Instant::now();
    server.close();
    assert!(server.accept().await.is_none());
    assert_eq!(server.closed().await, CloseReason::Local);
    assert!(began.elapsed() <= Duration::from_secs(6), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_ends_the_handshake_in_its_time() {
    let (near, far) = tokio::io::duplex(1 << 16);
    let (reader, writer) = tokio::io::split(near);
    let config = ClientConfig::new("test", "1.0")
        .revisions(Revision::V2025_06_18)
        .handshake_timeout(Duration::from_secs(7));
    let began = Instant::now();
    let error = mcp_tokio::connect(reader, writer, config).await.unwrap_err();
    assert_eq!(error, CloseReason::HandshakeTimeout);
    assert_eq!(began.elapsed().as_secs(), 7);
    drop(far);
}
