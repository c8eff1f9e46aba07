//! Faults of WebSocket on every adapter: connections that are cut, closed in the middle by either side, or given a message
//! that is too long.
#![cfg(unix)]

use std::time::Duration;

use futures_lite::future::{or, zip};
use mcp_proto::Limits;
use mcp_proto::net::{Dial, prelude::*, ws};
use mcp_runtimes_tests::listening::{Serving, serving};
use mcp_runtimes_tests::raw::Raw;
use mcp_runtimes_tests::tools::{all, reports, tools};
use mcp_runtimes_tests::{Cable, Hurried, Web, on_every_adapter, sockets, spawn};

/// What a message may have in bytes, where that is tried.
const LIMIT: usize = 64 << 10;

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
    let (router, gate) = tools();
    let (serving, url) = listen::<H>(router).await;
    let cable = Cable::to(serving.address.unwrap());
    let url_of_cable = format!("ws://{}/mcp", cable.address);
    for revision in [Revision::V2025_03_26, Revision::V2025_11_25, Revision::V2026_07_28] {
        let client = H::connect_ws(&url_of_cable, config().revisions(revision)).await.unwrap();
        let calls = [(); 3].map(|()| spawn(&H::platform(), client.call(CallTool::new("wait"))));
        for _ in &calls {
            gate.entered.recv().await.unwrap();
        }
        cable.cut();
        for call in calls {
            let error = call.join().await.unwrap_err();
            assert_eq!(error, CallError::Closed(CloseReason::Transport), "{revision}");
        }
        assert_eq!(client.closed().await, CloseReason::Transport);
        for _ in 0..3 {
            gate.left.recv().await.unwrap();
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
    let (near, far) = sockets();
    let (acceptor, connector) = (H::ws_acceptor(), H::ws_connector());
    let accepting = acceptor.accept(H::stream(far), server);
    let opening = connector.open_over(H::stream(near), "ws://localhost/mcp", client, |_| ());
    let (accepted, opened) = zip(accepting, opening).await;
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
    let (router, _) = tools();
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

async fn a_call_that_is_dropped_is_cancelled_over_there<H: Web>() {
    let (router, gate) = tools();
    let (serving, url) = listen::<H>(router).await;
    let client = H::connect_ws(&url, config()).await.unwrap();
    let calling = client.call(CallTool::new("wait"));
    let leaving = async {
        gate.entered.recv().await.unwrap();
        None
    };
    let ended = or(async { Some(calling.await) }, leaving).await;
    assert!(ended.is_none(), "{ended:?}");
    gate.cancelled.recv().await.unwrap();
    assert_eq!(reports(&client, "steps", |_| ()).await, Ok(all("done")));
    drop(client);
    serving.stop().await;
}

async fn a_call_ends_when_its_server_stops<H: Web>() {
    let (router, gate) = tools();
    let listener = H::tcp_listen("127.0.0.1:0").await.unwrap();
    // Its handler waits for a cancellation, which the drain limit of 5 s brings: 50 ms here.
    let listener = ws::Acceptor::new(Hurried(H::platform())).over(listener).unwrap();
    let serving = serving::<H>(listener, router);
    let url = format!("ws://{}/mcp", serving.address.unwrap());
    let client = H::connect_ws(&url, config()).await.unwrap();
    let calling = spawn(&H::platform(), client.call(CallTool::new("wait")));
    gate.entered.recv().await.unwrap();
    serving.stop().await;
    assert!(calling.join().await.is_err());
    gate.left.recv().await.unwrap();
}

async fn each_end_says_why_it_closes<H: Web>() {
    let (serving, _) = listen::<H>(tools().0).await;
    let raw = async || {
        let stream = H::platform().dial(serving.address.unwrap()).await.unwrap();
        Raw::open(stream).await
    };
    assert_eq!(raw().await.close().await, 1000);
    let mut stays = raw().await;
    let (code, ()) = zip(async move { stays.ended().await }, serving.stop()).await;
    assert_eq!(code, 1001);

    let (server, client) = met::<H>(ServerConfig::new("s", "1"), config()).await;
    client.ready().await.unwrap();
    drop(client);
    assert_eq!(server.closed().await, CloseReason::Eof { unread: 0 });
}

async fn a_client_says_why_there_is_no_connection<H: Web>() {
    let (serving, url) = listen::<H>(tools().0).await;
    let (address, connector) = (serving.address.unwrap(), H::ws_connector());
    let stream = H::platform().dial(address).await.unwrap();
    let refused = connector.open_over(stream, "ws://evil.example/", config(), |_| ()).await;
    assert!(matches!(refused, Err(ConnectError::Status(403))), "{refused:?}");
    serving.stop().await;
    assert!(matches!(H::connect_ws(&url, config()).await, Err(ConnectError::Io(_))));
    let refused = H::connect_ws("http://localhost/", config()).await;
    assert!(matches!(refused, Err(ConnectError::Url)));

    // A server of HTTP that knows no WebSocket.
    let (near, far) = sockets();
    let connector = H::ws_connector().header("Authorization", "Bearer secret");
    let url = "ws://localhost/mcp?x=1";
    let opening = connector.open_over(H::stream(near), url, config(), |_| ());
    let mut raw = Raw::new(H::stream(far));
    let answering = async {
        let request = raw.read_head().await;
        raw.send(b"HTTP/1.1 200 OK\r\n\r\n").await;
        request.to_lowercase()
    };
    let (refused, request) = zip(opening, answering).await;
    assert!(matches!(refused, Err(ConnectError::Status(200))), "{refused:?}");
    assert!(request.starts_with("get /mcp?x=1 http/1.1\r\n"), "{request}");
    for header in ["sec-websocket-protocol: mcp", "authorization: bearer secret", "host: localhost"]
    {
        assert!(request.contains(&format!("{header}\r\n")), "{request}");
    }
}

on_every_adapter!(
    a_connection_that_is_cut_in_the_middle_ends_each_call_with_its_reason,
    a_client_that_closes_in_the_middle_ends_its_calls_here_and_there,
    a_server_that_closes_in_the_middle_ends_the_call_with_its_reason,
    a_message_that_is_too_long_ends_its_connection_and_no_other,
    a_call_that_is_dropped_is_cancelled_over_there,
    a_call_ends_when_its_server_stops,
    each_end_says_why_it_closes,
    a_client_says_why_there_is_no_connection,
);
