//! Faults of WebSocket on every adapter: connections that are cut, closed in the middle by either side, or given a message
//! that is too long.
#![cfg(unix)]

use std::os::unix::net::UnixStream;
use std::time::Duration;

use async_channel::{Receiver, Sender, unbounded};
use mcp_proto::Limits;
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::listening::{Serving, serving};
use mcp_runtimes_tests::{Cable, Web, on_every_adapter, spawn};

/// What a message may have in bytes, where that is tried.
const LIMIT: usize = 64 << 10;

/// Says that a handler is gone: it has ended, or was dropped.
struct Left(Sender<()>);

impl Drop for Left {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

/// `echo` reports once and answers with as many letters as it is asked for; `wait` is there until it is cancelled or dropped,
/// and says when it begins and when it is gone.
fn router() -> (Router, Receiver<()>, Receiver<()>) {
    let ((enter, entered), (leave, left)) = (unbounded(), unbounded());
    let schema = || RawJson::parse(r#"{"type":"object"}"#).unwrap();
    let echo = async |ctx: Context, asked: Option<RawJson>| {
        let len = asked.and_then(|asked| asked.get("len")?.to_string().parse().ok()).unwrap();
        ctx.progress().report(Progress::new(1.0))?;
        Ok::<_, ToolError>(CallToolResult::text("x".repeat(len)))
    };
    let wait = move |ctx: Context, _: Option<RawJson>| {
        let (enter, left): (Sender<()>, _) = (enter.clone(), Left(leave.clone()));
        async move {
            enter.send(()).await.unwrap();
            ctx.cancelled().await;
            drop(left);
            CallToolResult::text("cancelled")
        }
    };
    let router = Router::new("test", "1.0")
        .raw_tool(Tool::new("echo", schema()), echo)
        .raw_tool(Tool::new("wait", schema()), wait);
    (router, entered, left)
}

fn config() -> ClientConfig {
    ClientConfig::new("test", "1.0")
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_message_len = LIMIT;
    limits
}

async fn listen<H: Web>(router: Router) -> (Serving, String) {
    let serving = serving::<H>(H::ws_listen("127.0.0.1:0").await.unwrap(), router);
    let url = format!("ws://{}/mcp", serving.address.unwrap());
    (serving, url)
}

async fn echo(client: &Client, len: u64) -> Result<usize, CallError> {
    let mut reports = Vec::new();
    let call = client.call(CallTool::new("echo").argument("len", len));
    let result: CallToolResult = call.on_progress(|report| reports.push(report.progress)).await?;
    assert_eq!(reports, [1.0]);
    Ok(result.content[0].as_text().unwrap().len())
}

async fn a_connection_that_is_cut_in_the_middle_ends_each_call_with_its_reason<H: Web>() {
    let (router, entered, left) = router();
    let (serving, url) = listen::<H>(router).await;
    let cable = Cable::to(serving.address.unwrap());
    let url_of_cable = format!("ws://{}/mcp", cable.address);
    for revision in [Revision::V2025_03_26, Revision::V2025_11_25, Revision::V2026_07_28] {
        let client = H::connect_ws(&url_of_cable, config().revisions(revision)).await.unwrap();
        let calls = [(); 3].map(|()| spawn(&H::platform(), client.call(CallTool::new("wait"))));
        for _ in &calls {
            entered.recv().await.unwrap();
        }
        cable.cut();
        for call in calls {
            let error = call.join().await.unwrap_err();
            assert_eq!(error, CallError::Closed(CloseReason::Transport), "{revision}");
        }
        assert_eq!(client.closed().await, CloseReason::Transport);
        for _ in 0..3 {
            left.recv().await.unwrap();
        }
        cable.mend();
    }
    // It was the connection's affair alone.
    let client = H::connect_ws(&url, config()).await.unwrap();
    assert_eq!(echo(&client, 7).await, Ok(7));
    drop(client);
    serving.stop().await;
}

/// A server that waits for no answer of its own for long.
fn hurried() -> ServerConfig {
    ServerConfig::new("s", "1").drain_timeout(Duration::from_millis(10))
}

/// A server that accepts one client over a socket, and that client.
async fn met<H: Web>(server: ServerConfig, client: ClientConfig) -> (Server, Client) {
    let (near, far) = UnixStream::pair().unwrap();
    let (acceptor, connector) = (H::ws_acceptor(), H::ws_connector());
    let accepting = acceptor.accept(H::stream(far), server);
    let opening = connector.open_over(H::stream(near), "ws://localhost/mcp", client, |_| ());
    let (accepted, opened) = futures_lite::future::zip(accepting, opening).await;
    (accepted.unwrap(), opened.unwrap())
}

async fn a_client_that_closes_in_the_middle_ends_its_calls_here_and_there<H: Web>() {
    let (mut server, client) = met::<H>(hurried(), config()).await;
    let calling = spawn(&H::platform(), client.call(CallTool::new("t")));
    let request = server.accept().await.unwrap();
    client.close();
    let error = calling.join().await.unwrap_err();
    assert_eq!(error, CallError::Closed(CloseReason::Local));
    assert_eq!(client.closed().await, CloseReason::Local);
    request.cancelled().await;
    // That its request was given up can be told to nobody.
    assert_eq!(server.closed().await, CloseReason::Transport);
}

async fn a_server_that_closes_in_the_middle_ends_the_call_with_its_reason<H: Web>() {
    let (mut server, client) = met::<H>(hurried(), config()).await;
    let calling = spawn(&H::platform(), client.call(CallTool::new("t")));
    let request = server.accept().await.unwrap();
    server.close();
    let error = calling.join().await.unwrap_err();
    assert_eq!(error, CallError::Closed(CloseReason::Eof { unread: 0 }));
    assert_eq!(client.closed().await, CloseReason::Eof { unread: 0 });
    assert_eq!(server.closed().await, CloseReason::Local);
    assert!(request.is_cancelled());
}

async fn a_message_that_is_too_long_ends_its_connection_and_no_other<H: Web>() {
    let (router, ..) = router();
    let (serving, url) = listen::<H>(router).await;
    let [small, large] = [config().limits(limits()), config()];
    let small = H::connect_ws(&url, small).await.unwrap();
    let large = H::connect_ws(&url, large).await.unwrap();
    let len = u64::try_from(LIMIT).unwrap();
    assert_eq!(echo(&small, 100).await, Ok(100));
    let error = echo(&small, len).await.unwrap_err();
    assert_eq!(error, CallError::Closed(CloseReason::Transport));
    assert_eq!(small.closed().await, CloseReason::Transport);
    assert_eq!(echo(&large, len).await, Ok(LIMIT));
    drop(large);
    serving.stop().await;

    // The same towards a server.
    let (mut server, client) =
        met::<H>(ServerConfig::new("s", "1").limits(limits()), config()).await;
    let said = "x".repeat(LIMIT);
    let calling = spawn(&H::platform(), client.call(CallTool::new("t").argument("text", said)));
    assert!(server.accept().await.is_none(), "it is no request");
    assert_eq!(server.closed().await, CloseReason::Transport);
    let error = calling.join().await.unwrap_err();
    assert!(matches!(error, CallError::Closed(_)), "{error:?}");
}

on_every_adapter!(
    a_connection_that_is_cut_in_the_middle_ends_each_call_with_its_reason,
    a_client_that_closes_in_the_middle_ends_its_calls_here_and_there,
    a_server_that_closes_in_the_middle_ends_the_call_with_its_reason,
    a_message_that_is_too_long_ends_its_connection_and_no_other,
);
