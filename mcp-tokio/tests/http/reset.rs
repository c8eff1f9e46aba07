//! Requests that are opened and reset at once, over HTTP/2 (CVE-2023-44487).

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mcp_tokio::Revision;
use tokio::net::TcpStream;

use crate::world::{World, call, connect, soon};

/// Resets of one connection, and connections.
const RESETS: usize = 300;
const CONNECTIONS: usize = 10;

fn request(world: &World) -> hyper::Request<Full<Bytes>> {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    hyper::Request::post(world.url())
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "wait")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap()
}

#[tokio::test]
async fn requests_that_are_reset_at_once_hold_up_nobody() {
    // It waits for its handlers as long as it takes.
    let world = World::with(|server| server.grace(Duration::from_secs(3600))).await;
    let mut asked = 0;
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(world.address).await.unwrap();
        let (mut sender, connection) =
            soon(http2::handshake(TokioExecutor::new(), TokioIo::new(stream))).await.unwrap();
        let connection = tokio::spawn(connection);
        // The server ends a connection on which too many wait to be reset.
        while asked % RESETS != RESETS - 1 && sender.ready().await.is_ok() {
            asked += 1;
            tokio::select! {
                biased;
                _ = sender.send_request(request(&world)) => {}
                () = tokio::task::yield_now() => {}
            }
        }
        asked += 1;
        drop(sender);
        // How it ends is its own affair.
        let _ = soon(connection).await.unwrap();
    }
    assert!(asked >= CONNECTIONS, "{asked} requests");
    // Whoever behaves is served, and what was reset has let go: otherwise the server would not end.
    let client = connect(&world.url(), Revision::V2026_07_28).await;
    let result = soon(client.call(call("steps"))).await.unwrap();
    assert_eq!(result.content[0].as_text(), Some("done"));
    drop(client);
    world.end().await;
}
