//! Peers of HTTP/2 that give no room for what they have asked for, and answer pings all the while.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Response;
use hyper::body::Incoming;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mcp_tokio::Stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::pipes::{connected, served};
use crate::world::{LARGE, World, soon};

/// A connection of which each response may say so many bytes, until more of it is read.
struct Narrow {
    sender: SendRequest<Full<Bytes>>,
    connection: JoinHandle<hyper::Result<()>>,
    url: String,
}

impl Narrow {
    async fn new(world: &World, ends: &UnboundedSender<Stream>, window: u32) -> Self {
        Self::over(connected(ends, 1 << 20), world, window).await
    }

    async fn over(near: DuplexStream, world: &World, window: u32) -> Self {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.initial_stream_window_size(window).initial_connection_window_size(1 << 24);
        let (sender, connection) = builder.handshake(TokioIo::new(near)).await.unwrap();
        Self {
            sender,
            connection: tokio::spawn(connection),
            url: format!("http://{}/mcp", world.address),
        }
    }

    /// A call: its response, which is read by nobody yet.
    fn call(
        &mut self,
        tool: &str,
        accept: &str,
    ) -> impl Future<Output = hyper::Result<Response<Incoming>>> + Send + use<> {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","_meta":{{"progressToken":1,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
        );
        let request = hyper::Request::post(&self.url)
            .header("content-type", "application/json")
            .header("accept", accept)
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", tool)
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        self.sender.send_request(request)
    }
}

const JSON: &str = "application/json";
const BOTH: &str = "application/json, text/event-stream";

/// How long it may take nothing, or half as long again.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn a_peer_that_gives_a_response_no_room_is_cut_whatever_else_it_does() {
    for (tool, accept, window) in [
        ("small", JSON, 0),
        ("small", BOTH, 0),
        ("tell", BOTH, 0),
        ("large", JSON, 0),
        // All of it was taken from the server's machine, and waits in hyper.
        ("large", JSON, 1),
        ("large", BOTH, 20_000),
        ("tell", BOTH, 1),
    ] {
        let (world, ends) = served();
        let mut narrow = Narrow::new(&world, &ends, window).await;
        let began = Instant::now();
        let mut unread = Vec::new();
        for _ in 0..3 {
            let response = soon(narrow.call(tool, accept)).await.unwrap();
            assert_eq!(response.status(), 200, "{tool}");
            unread.push(response);
        }
        // A request under way keeps it open, and so does a peer that asks for more.
        let waits = tokio::spawn(narrow.call("wait", JSON));
        soon(world.gate.entered.one_more()).await;
        let _ = narrow.connection.await.unwrap();
        let waited = began.elapsed();
        let in_time = PATIENCE..=PATIENCE * 3 / 2 + Duration::from_secs(2);
        assert!(in_time.contains(&waited), "{tool} {accept} {window}: {waited:?}");
        assert!(waits.await.unwrap().is_err(), "{tool}: what else it has asked for ends, too");
        // Handlers have heard that nobody wants them.
        world.end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_reads_slowly_is_not_cut() {
    let (world, ends) = served();
    let mut narrow = Narrow::new(&world, &ends, 1 << 14).await;
    let began = Instant::now();
    let mut response = soon(narrow.call("large", JSON)).await.unwrap();
    let mut len = 0;
    while let Some(frame) = response.frame().await {
        len += frame.unwrap().data_ref().map_or(0, Bytes::len);
        tokio::time::sleep(PATIENCE * 2 / 3).await;
    }
    assert!(len > LARGE && began.elapsed() > PATIENCE * 3, "{len} {:?}", began.elapsed());
    assert_eq!(soon(narrow.call("small", JSON)).await.unwrap().status(), 200);
    world.end().await;
}

/// Many responses share a slow line: each piece waits for all before it, and the line never stands still.
#[tokio::test(start_paused = true)]
async fn many_that_share_a_slow_line_are_not_cut() {
    let (world, ends) = served();
    let (mut from, mut into) = tokio::io::split(connected(&ends, 1 << 14));
    let (near, far) = tokio::io::duplex(1 << 14);
    let (mut asked, mut told) = tokio::io::split(far);
    tokio::spawn(async move { tokio::io::copy(&mut asked, &mut into).await });
    tokio::spawn(async move {
        let mut bytes = vec![0; 1 << 14];
        loop {
            let len = from.read(&mut bytes).await.unwrap();
            if len == 0 || told.write_all(&bytes[..len]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let mut narrow = Narrow::over(near, &world, 1 << 22).await;
    let began = Instant::now();
    let calls: Vec<_> = (0..64)
        .map(|_| {
            let response = narrow.call("large", JSON);
            tokio::spawn(async move { response.await?.into_body().collect().await })
        })
        .collect();
    for call in calls {
        let body = tokio::time::timeout(PATIENCE * 1000, call).await.unwrap().unwrap();
        assert!(body.unwrap().to_bytes().len() > LARGE);
    }
    assert!(began.elapsed() > PATIENCE * 4, "{:?}", began.elapsed());
    drop(narrow);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_on_which_nothing_is_said_is_no_stall() {
    let (world, ends) = served();
    let mut narrow = Narrow::new(&world, &ends, 1 << 16).await;
    let mut told = soon(narrow.call("tell", BOTH)).await.unwrap();
    world.gate.entered.one_more().await;
    let reading = tokio::spawn(async move {
        let mut read = Vec::new();
        while let Some(frame) = told.frame().await {
            read.extend_from_slice(frame.unwrap().data_ref().unwrap());
        }
        String::from_utf8(read).unwrap()
    });
    tokio::time::sleep(PATIENCE * 10).await;
    world.gate.open.notify_waiters();
    assert!(soon(reading).await.unwrap().contains("waited"));
    world.end().await;
}

/// The frame with which HTTP/2 says goodbye, at the beginning of what was written at once or behind others.
fn says_goodbye(mut written: &[u8]) -> bool {
    const GOAWAY: u8 = 7;
    while let [a, b, c, kind, ..] = *written {
        let len = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        match written.get(9 + len..) {
            _ if kind == GOAWAY => return true,
            Some(rest) => written = rest,
            None => return false,
        }
    }
    false
}

/// A server that has said goodbye, for its connection was idle, still takes what was asked before that was heard.
#[tokio::test(start_paused = true)]
async fn one_that_was_idle_before_is_cut_as_well() {
    let (world, ends) = served();
    let (mut from, mut into) = tokio::io::split(connected(&ends, 1 << 16));
    let (near, far) = tokio::io::duplex(1 << 16);
    let (mut asked, mut told) = tokio::io::split(far);
    tokio::spawn(async move { tokio::io::copy(&mut asked, &mut into).await });
    let (left, has_left) = tokio::sync::oneshot::channel();
    let (hear, heard) = tokio::sync::oneshot::channel::<()>();
    tokio::spawn(async move {
        let mut goodbye = Some((left, heard));
        let mut bytes = vec![0; 1 << 16];
        while let Ok(len @ 1..) = from.read(&mut bytes).await {
            if let Some((left, heard)) = goodbye.take_if(|_| says_goodbye(&bytes[..len])) {
                left.send(()).unwrap();
                heard.await.unwrap();
            }
            told.write_all(&bytes[..len]).await.unwrap();
        }
        told.shutdown().await.unwrap();
    });
    let mut narrow = Narrow::over(near, &world, 0).await;
    has_left.await.unwrap();
    let began = Instant::now();
    let calls: Vec<_> = (0..3).map(|_| tokio::spawn(narrow.call("large", JSON))).collect();
    // Time goes on when nobody has anything to do: they are on their way.
    tokio::time::sleep(Duration::from_millis(1)).await;
    hear.send(()).unwrap();
    let mut unread = Vec::new();
    for call in calls {
        unread.push(soon(call).await.unwrap().unwrap());
    }
    let _ = tokio::time::timeout(PATIENCE * 100, narrow.connection).await.expect("it is cut");
    let in_time = PATIENCE..=PATIENCE * 3 / 2 + Duration::from_secs(2);
    assert!(in_time.contains(&began.elapsed()), "{:?}", began.elapsed());
    drop(unread);
    world.end().await;
}
