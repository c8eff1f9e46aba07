//! WebSocket: progress over it, who may connect, and what hostile peers get.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod hostile;
#[path = "../support/listening.rs"]
mod listening;
mod raw;

use std::sync::Arc;
use std::time::Duration;

use mcp_tokio::ws::{AcceptError, Access, acceptor, connector};
use mcp_tokio::{
    CallTool, CallToolResult, Client, ClientConfig, CloseReason, ConnectError, Context, Delivery,
    Pacing, Progress, RawJson, Revision, Router, Server, ServerConfig, Tool, ToolError, connect_ws,
    stream, ws,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use listening::*;
use raw::*;

/// `count` reports 64 steps and answers; `wait` never does, and says that it was entered.
fn router() -> (Router, Arc<Semaphore>) {
    let schema = || RawJson::parse(r#"{"type":"object"}"#).unwrap();
    let count = async |ctx: Context, _: Option<RawJson>| {
        for step in 1..=64 {
            ctx.progress().report(Progress::new(f64::from(step)).of(64.0))?;
        }
        Ok::<_, ToolError>(CallToolResult::text("counted"))
    };
    let entered = Arc::new(Semaphore::new(0));
    let inside = entered.clone();
    let wait = move |ctx: Context, _: Option<RawJson>| {
        inside.add_permits(1);
        async move {
            ctx.cancelled().await;
            CallToolResult::text("cancelled")
        }
    };
    let router = Router::new("test", "1.0")
        .pacing(Pacing::UNLIMITED)
        .raw_tool(Tool::new("count", schema()), count)
        .raw_tool(Tool::new("wait", schema()), wait);
    (router, entered)
}

impl Running {
    async fn local(router: Router) -> Self {
        run(ws::listen("127.0.0.1:0").await.unwrap(), router)
    }

    fn url(&self) -> String {
        format!("ws://{}/mcp", self.address.unwrap())
    }

    async fn raw(&self) -> Raw<TcpStream> {
        Raw::open(TcpStream::connect(self.address.unwrap()).await.unwrap()).await
    }
}

fn config() -> ClientConfig {
    ClientConfig::new("test", "1.0")
}

async fn count(client: &Client) -> Vec<f64> {
    let mut seen = Vec::new();
    let call = client
        .call(CallTool::new("count"))
        .delivery(Delivery::Every)
        .on_progress(|report| seen.push(report.progress));
    let result = soon(call).await.unwrap();
    assert_eq!(result.content[0].as_text(), Some("counted"));
    seen
}

#[tokio::test]
async fn every_report_arrives_in_order_before_the_result() {
    let running = Running::local(router().0).await;
    let all: Vec<_> = (1..=64).map(f64::from).collect();
    for revision in Revision::ALL {
        let client = connect_ws(&running.url(), config().revisions(revision)).await.unwrap();
        assert_eq!(count(&client).await, all, "{revision}");
        let (one, two, three) = tokio::join!(count(&client), count(&client), count(&client));
        assert!(one == all && two == all && three == all, "{revision}");
        client.close();
        assert_eq!(soon(client.closed()).await, CloseReason::Local);
    }
    running.stop().await;
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled_over_there() {
    let (router, entered) = router();
    let running = Running::local(router).await;
    let client = connect_ws(&running.url(), config()).await.unwrap();
    let call = client.call(CallTool::new("wait"));
    tokio::select! {
        _ = call => panic!("it never ends by itself"),
        permit = soon(entered.acquire()) => permit.unwrap().forget(),
    }
    assert_eq!(count(&client).await.len(), 64);
    drop(client);
    running.stop().await;
}

#[tokio::test]
async fn a_call_ends_when_its_server_stops() {
    let (router, entered) = router();
    let running = Running::local(router).await;
    let client = connect_ws(&running.url(), config()).await.unwrap();
    let call = tokio::spawn(async move { client.call(CallTool::new("wait")).await });
    soon(entered.acquire()).await.unwrap().forget();
    // Its handler waits for a cancellation, which the drain limit of 5 s brings.
    running.stop().await;
    assert!(soon(call).await.unwrap().is_err());
}

#[tokio::test]
async fn each_end_says_why_it_closes() {
    let running = Running::local(router().0).await;
    let mut leaves = running.raw().await;
    assert_eq!(soon(leaves.close()).await, 1000);
    let mut stays = running.raw().await;
    let ended = tokio::spawn(async move { stays.ended().await });
    running.stop().await;
    assert_eq!(soon(ended).await.unwrap(), 1001);

    let (near, far) = tokio::io::duplex(1 << 16);
    let accepting = tokio::spawn(async move {
        let server = acceptor().accept(stream(far), ServerConfig::new("s", "1")).await.unwrap();
        server.closed().await
    });
    let client =
        connector().open_over(stream(near), "ws://localhost/", config(), |_| ()).await.unwrap();
    client.ready().await.unwrap();
    drop(client);
    assert_eq!(soon(accepting).await.unwrap(), CloseReason::Eof { unread: 0 });
}

#[tokio::test]
async fn requests_of_a_client_that_has_left_are_cancelled() {
    let (router, entered) = router();
    let running = Running::local(router).await;
    let client = connect_ws(&running.url(), config()).await.unwrap();
    let call = client.call(CallTool::new("wait"));
    let calling = tokio::spawn(call);
    soon(entered.acquire()).await.unwrap().forget();
    client.close();
    assert!(soon(calling).await.unwrap().is_err());
    soon(client.closed()).await;
    running.stop().await;
}

#[tokio::test]
async fn only_this_machine_may_connect_and_only_for_mcp() {
    let running = Running::local(router().0).await;
    let answer = async |headers: String| {
        let mut raw = Raw(TcpStream::connect(running.address.unwrap()).await.unwrap());
        let head = soon(raw.shake_hands(&headers)).await;
        head.split(' ').nth(1).unwrap().to_owned()
    };
    let offer = "Sec-WebSocket-Protocol: mcp\r\n";
    for (headers, status) in [
        (format!("Host: localhost\r\n{offer}"), "101"),
        (format!("Host: 127.0.0.1:80\r\nOrigin: http://localhost:3000\r\n{offer}"), "101"),
        ("Host: localhost\r\nSec-WebSocket-Protocol: chat, mcp\r\n".into(), "101"),
        (
            "Host: localhost\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: mcp\r\n"
                .into(),
            "101",
        ),
        ("Host: localhost\r\n".into(), "400"),
        ("Host: localhost\r\nSec-WebSocket-Protocol: chat\r\n".into(), "400"),
        ("Host: localhost\r\nSec-WebSocket-Protocol: mcp2\r\n".into(), "400"),
        (format!("Host: evil.example\r\n{offer}"), "403"),
        (format!("Host: localhost\r\nHost: localhost\r\n{offer}"), "403"),
        (offer.into(), "403"),
        (format!("Host: localhost\r\nOrigin: http://evil.example\r\n{offer}"), "403"),
        (format!("Host: localhost\r\nOrigin: null\r\n{offer}"), "403"),
    ] {
        assert_eq!(answer(headers.clone()).await, status, "{headers}");
    }
    running.stop().await;
}

#[tokio::test]
async fn what_others_reach_must_know_its_name() {
    let refused = ws::listen_exposed("0.0.0.0:0", acceptor()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::InvalidInput);
    let refused = ws::listen("0.0.0.0:0").await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied);
    let acceptor = acceptor().access(Access::local().host("mcp.example.com"));
    let running = run(ws::listen_exposed("127.0.0.1:0", acceptor).await.unwrap(), router().0);
    let socket = TcpStream::connect(running.address.unwrap()).await.unwrap();
    let url = "ws://mcp.example.com/mcp";
    let client = connector().open_over(stream(socket), url, config(), |_| ()).await.unwrap();
    assert_eq!(count(&client).await.len(), 64);
    drop(client);
    running.stop().await;
}

#[tokio::test]
async fn a_client_says_why_there_is_no_connection() {
    let running = Running::local(router().0).await;
    let socket = TcpStream::connect(running.address.unwrap()).await.unwrap();
    let refused =
        connector().open_over(stream(socket), "ws://evil.example/", config(), |_| ()).await;
    assert!(matches!(refused, Err(ConnectError::Status(403))), "{refused:?}");
    let url = running.url();
    running.stop().await;
    assert!(matches!(connect_ws(&url, config()).await, Err(ConnectError::Io(_))));
    assert!(matches!(connect_ws("http://localhost/", config()).await, Err(ConnectError::Url)));

    // A server that does not take the subprotocol, and one that says nothing.
    let (near, mut far) = tokio::io::duplex(1 << 16);
    let answers = tokio::spawn(async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(far.read_u8().await.unwrap());
        }
        far.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        String::from_utf8(request).unwrap()
    });
    let connector = connector().header("Authorization", "Bearer secret");
    let refused =
        connector.open_over(stream(near), "ws://localhost/mcp?x=1", config(), |_| ()).await;
    assert!(matches!(refused, Err(ConnectError::Status(200))), "{refused:?}");
    let request = answers.await.unwrap().to_lowercase();
    assert!(request.starts_with("get /mcp?x=1 http/1.1\r\n"), "{request}");
    for header in ["sec-websocket-protocol: mcp", "authorization: bearer secret", "host: localhost"]
    {
        assert!(request.contains(&format!("{header}\r\n")), "{request}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_for_a_handshake() {
    let (_silent, far) = tokio::io::duplex(1 << 10);
    let accepted = acceptor().accept(stream(far), ServerConfig::new("s", "1")).await;
    assert!(matches!(accepted, Err(AcceptError::TimedOut)), "{accepted:?}");
    let (near, _silent) = tokio::io::duplex(1 << 10);
    let opened = connector().open_over(stream(near), "ws://localhost/", config(), |_| ()).await;
    let Err(ConnectError::Io(error)) = opened else { panic!("{opened:?}") };
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}

/// A server over a pipe of so many bytes, and its client by hand.
async fn served(capacity: usize, config: ServerConfig) -> (Server, Raw<DuplexStream>) {
    let (near, far) = tokio::io::duplex(capacity);
    let acceptor = acceptor();
    let (server, raw) = tokio::join!(acceptor.accept(stream(far), config), Raw::open(near));
    (server.unwrap(), raw)
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_is_asked_and_then_given_up() {
    let (server, mut raw) = served(1 << 16, ServerConfig::new("s", "1")).await;
    let start = tokio::time::Instant::now();
    for _ in 0..3 {
        let ping = raw.next().await.unwrap();
        assert_eq!(ping.opcode, PING);
        raw.send(FIN | PONG, &ping.payload).await;
    }
    // While it answers, it is asked every other time; then no more.
    assert!(start.elapsed() < Duration::from_secs(200), "{:?}", start.elapsed());
    assert_eq!(raw.next().await.unwrap().opcode, PING);
    assert_eq!(raw.ended().await, 1008);
    drop(raw);
    assert_eq!(server.closed().await, CloseReason::Transport);
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_its_handler_and_loses_nothing() {
    let config = ServerConfig::new("s", "1").pacing(Pacing::UNLIMITED);
    let (mut server, mut raw) = served(1 << 10, config).await;
    raw.say(&modern("count", true)).await;
    let request = server.accept().await.unwrap();
    let reporter = request.reporter();
    let told = Arc::new(Semaphore::new(0));
    let tells = told.clone();
    let handler = tokio::spawn(async move {
        for step in 1..=2_000 {
            let report = Progress::new(f64::from(step)).message("x".repeat(100));
            reporter.milestone(report).unwrap();
            // Waits until it has left.
            reporter.delivered().await;
            tells.add_permits(1);
        }
        request.respond(&CallToolResult::text("done")).unwrap();
    });
    // The handler gets as far as buffers reach.
    let mut before = usize::MAX;
    while told.available_permits() != before {
        before = told.available_permits();
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    }
    assert!(before < 500, "{before} reports left for a client that reads nothing");
    for step in 1..=2_000 {
        let frame = soon(raw.next()).await.unwrap();
        assert!(
            frame.text().contains(&format!("\"progress\":{step},")),
            "{step}: {}",
            frame.text()
        );
    }
    assert!(soon(raw.next()).await.unwrap().text().contains("done"));
    soon(handler).await.unwrap();
}

/// A call of 2026-07-28.
fn modern(tool: &str, is_tracked: bool) -> String {
    let token = if is_tracked { "\"progressToken\":1," } else { "" };
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\n\"params\":{{\"name\":\"{tool}\",\"_meta\":{{{token}\
         \"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\
         \"io.modelcontextprotocol/clientCapabilities\":{{}}}}}}}}"
    )
}

#[tokio::test]
async fn tls_is_spoken_with_those_who_prove_their_name() {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let certificate = |pem: &[u8]| CertificateDer::from_pem_slice(pem).unwrap();
    let provider = || Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/key.pem")).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate(include_bytes!("tls/cert.pem"))], key)
        .unwrap();
    let tls = tokio_rustls::TlsAcceptor::from(Arc::new(server));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (router, _) = router();
    let serving = tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let Ok(socket) = tls.accept(socket).await else { continue };
            acceptor().run(stream(socket), router.clone()).await.unwrap();
        }
    });
    let url = format!("wss://localhost:{port}/");
    let stranger = soon(connect_ws(&url, config())).await;
    assert!(matches!(stranger, Err(ConnectError::Certificate(_))), "{stranger:?}");
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate(include_bytes!("tls/ca.pem"))).unwrap();
    let trusting = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = connector().tls(Arc::new(trusting));
    let client = soon(connector.connect(&url, config())).await.unwrap();
    assert_eq!(count(&client).await.len(), 64);
    serving.abort();
}
