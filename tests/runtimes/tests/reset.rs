//! Requests that are opened and reset at once, over HTTP/2 (CVE-2023-44487): a client that means harm, and is hyper's.
#![cfg(unix)]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::tools::{all, reports, tools};
use mcp_runtimes_tests::{Host, Site, TokioCurrentThread, Web, apart, on_every_adapter};
use tokio::net::TcpStream;

/// Resets of one connection, and connections.
const RESETS: usize = 300;
const CONNECTIONS: usize = 10;

fn request(address: SocketAddr) -> hyper::Request<Full<Bytes>> {
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait","_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    hyper::Request::post(format!("http://{address}/mcp"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "wait")
        .body(Full::new(Bytes::from_static(body.as_bytes())))
        .unwrap()
}

/// Opens and resets as much as it can, and says how many requests that were.
async fn storm(address: SocketAddr) -> usize {
    let mut asked = 0;
    for _ in 0..CONNECTIONS {
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        // The server ends a connection on which too many wait to be reset.
        let mut opened = 0;
        while opened < RESETS && sender.ready().await.is_ok() {
            opened += 1;
            let sending = async { drop(sender.send_request(request(address)).await) };
            futures_lite::future::or(sending, tokio::task::yield_now()).await;
        }
        asked += opened;
        drop(sender);
        // How it ends is its own affair.
        let _ = connection.await.unwrap();
    }
    asked
}

async fn requests_that_are_reset_at_once_hold_up_nobody<H: Web>() {
    // It waits for its handlers as long as it takes.
    let site = Site::with::<H>(tools().0, |server| server.grace(Duration::from_secs(3600)));
    let address = site.address;
    let asked = apart(move || TokioCurrentThread::block_on(storm(address))).await;
    // It bears 20 on a connection that were reset before it looked at them.
    assert!(asked > 10 * CONNECTIONS, "{asked} requests");
    // Whoever behaves is served, and what was reset has let go: otherwise the server would not end.
    let client = site.client::<H>(Revision::V2026_07_28).await;
    assert_eq!(reports(&client, "steps", |_| ()).await, Ok(all("done")));
    drop(client);
    site.stop().await;
}

on_every_adapter!(requests_that_are_reset_at_once_hold_up_nobody);
