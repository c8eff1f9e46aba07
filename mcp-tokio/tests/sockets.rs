//! Servers that listen: many clients at once, hostile ones among them, and an orderly end.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "support/listening.rs"]
mod listening;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use mcp_tokio::{
    CallTool, CallToolResult, Client, ClientConfig, CloseReason, ConnectError, Context, Progress,
    RawJson, Revision, Router, ServerConfig, Tool, ToolError, tcp,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore, oneshot};

use listening::*;

/// What tests share with the tools that they call.
#[derive(Clone)]
struct Gate {
    entered: Arc<Semaphore>,
    open: Arc<Notify>,
}

/// `echo` reports once and answers; `wait` is there until the gate opens; `panic` does what it says.
fn router() -> (Router, Gate) {
    let gate = Gate { entered: Arc::new(Semaphore::new(0)), open: Arc::new(Notify::new()) };
    let schema = || RawJson::parse(r#"{"type":"object"}"#).unwrap();
    let echo = async |ctx: Context, _: Option<RawJson>| {
        ctx.progress().report(Progress::new(1.0).message("half"))?;
        Ok::<_, ToolError>(CallToolResult::text("echo"))
    };
    let inside = gate.clone();
    let wait = move |_: Context, _: Option<RawJson>| {
        let inside = inside.clone();
        async move {
            let opened = inside.open.notified();
            inside.entered.add_permits(1);
            opened.await;
            CallToolResult::text("waited")
        }
    };
    let panics =
        async |_: Context, _: Option<RawJson>| -> CallToolResult { panic!("a tool panics") };
    let router = Router::new("test", "1.0")
        .raw_tool(Tool::new("echo", schema()), echo)
        .raw_tool(Tool::new("wait", schema()), wait)
        .raw_tool(Tool::new("panic", schema()), panics);
    (router, gate)
}

fn config() -> ClientConfig {
    ClientConfig::new("test", "1.0")
}

async fn echo(client: &Client) -> Vec<f64> {
    let mut reports = Vec::new();
    let call =
        client.call(CallTool::new("echo")).on_progress(|report| reports.push(report.progress));
    let result = soon(call).await.unwrap();
    assert_eq!(result.content[0].as_text(), Some("echo"));
    reports
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_call_over_tcp_in_every_revision() {
    let running = run(tcp::listen("127.0.0.1:0").await.unwrap(), router().0);
    for revision in Revision::ALL {
        let config = config().revisions(revision);
        let client = soon(tcp::connect(running.address.unwrap(), config)).await.unwrap();
        assert_eq!(client.peer().unwrap().revision, revision);
        assert_eq!(echo(&client).await, [1.0]);
    }
    running.stop().await;
}

#[tokio::test]
async fn an_address_that_others_reach_has_to_be_named_as_such() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let refused = tcp::listen(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "{address}");
    }
    let running = run(tcp::listen_exposed("0.0.0.0:0").await.unwrap(), router().0);
    let address = SocketAddr::from(([127, 0, 0, 1], running.address.unwrap().port()));
    let client = soon(tcp::connect(address, config())).await.unwrap();
    assert_eq!(echo(&client).await, [1.0]);
    running.stop().await;
    let nobody = soon(tcp::connect(address, config())).await.unwrap_err();
    assert!(matches!(nobody, ConnectError::Io(_)), "{nobody}");
}

/// Sends this and reads until the server closes.
async fn say(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may have closed before all is written.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut said = Vec::new();
    let _ = soon(stream.read_to_end(&mut said)).await;
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_peer_ends_no_other() {
    let (router, gate) = router();
    let running = run(tcp::listen("127.0.0.1:0").await.unwrap(), router);
    let address = running.address.unwrap();
    let client = soon(tcp::connect(address, config())).await.unwrap();
    let waiting = tokio::spawn(client.call(CallTool::new("wait")));
    soon(gate.entered.acquire()).await.unwrap().forget();

    let panicked = soon(client.call(CallTool::new("panic"))).await;
    assert!(panicked.is_err(), "it is answered all the same: {panicked:?}");
    let storm = b"{not json\n".repeat(5_000);
    for hostile in
        [&b"\xff\xfe\x00junk\n"[..], &storm, b"{\"jsonrpc\":\"2.0\",\"id\":1,\"meth", b""]
    {
        say(address, hostile).await;
        assert_eq!(echo(&client).await, [1.0]);
    }
    // Gone without a word, while a call of its own runs.
    let other = soon(tcp::connect(address, config())).await.unwrap();
    let left = tokio::spawn(other.call(CallTool::new("wait")));
    soon(gate.entered.acquire()).await.unwrap().forget();
    other.close();
    assert!(soon(left).await.unwrap().is_err());
    assert_eq!(echo(&client).await, [1.0]);

    gate.open.notify_waiters();
    assert_eq!(soon(waiting).await.unwrap().unwrap().content[0].as_text(), Some("waited"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_web_page_that_posts_to_the_port_reaches_no_tool() {
    let (router, gate) = router();
    let running = run(tcp::listen("127.0.0.1:0").await.unwrap(), router);
    let request = concat!(
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#,
        "\n",
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait"}}"#,
        "\n"
    );
    let post =
        format!("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n\r\n{request}");
    for page in [post.clone(), format!("\r\n \n{post}")] {
        assert_eq!(say(running.address.unwrap(), page.as_bytes()).await, b"");
    }
    assert_eq!(gate.entered.available_permits(), 0);
    // The same without the head is a conversation.
    gate.open.notify_one();
    let said = say(running.address.unwrap(), request.as_bytes()).await;
    assert!(String::from_utf8(said).unwrap().contains("waited"));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_connections_than_the_bound_and_the_next_waits_its_turn() {
    let listener = tcp::listen("127.0.0.1:0").await.unwrap().max_connections(2);
    let running = run(listener, router().0);
    let address = running.address.unwrap();
    let first = soon(tcp::connect(address, config())).await.unwrap();
    let second = soon(tcp::connect(address, config())).await.unwrap();
    let third = tokio::spawn(tcp::connect(address, config()));
    for _ in 0..20 {
        echo(&first).await;
        echo(&second).await;
        assert!(!third.is_finished());
    }
    first.close();
    let third = soon(third).await.unwrap().unwrap();
    echo(&third).await;
    echo(&second).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_stops_answers_what_it_has_accepted() {
    let (router, gate) = router();
    let running = run(tcp::listen("127.0.0.1:0").await.unwrap(), router);
    let address = running.address.unwrap();
    let busy = soon(tcp::connect(address, config())).await.unwrap();
    let idle = soon(tcp::connect(address, config())).await.unwrap();
    let silent = TcpStream::connect(address).await.unwrap();
    let call = tokio::spawn(busy.call(CallTool::new("wait")));
    soon(gate.entered.acquire()).await.unwrap().forget();
    let stopped = tokio::spawn(running.stop());
    assert_eq!(soon(idle.closed()).await, CloseReason::Eof { unread: 0 });
    assert!(!stopped.is_finished(), "a call is still worked on");
    gate.open.notify_one();
    assert_eq!(soon(call).await.unwrap().unwrap().content[0].as_text(), Some("waited"));
    soon(stopped).await.unwrap();
    drop(silent);
    assert!(TcpStream::connect(address).await.is_err(), "the port is free");
}

#[tokio::test]
async fn a_program_accepts_requests_by_itself() {
    let listener = tcp::listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let until = async { drop(stopped.await) };
    let served = listener.serve(ServerConfig::new("own", "1.0"), until, |mut server| async move {
        while let Some(request) = server.accept().await {
            let _ = request.respond(&CallToolResult::text("by hand"));
        }
    });
    let running = tokio::spawn(served);
    let client = soon(tcp::connect(address, config())).await.unwrap();
    let result = soon(client.call(CallTool::new("any"))).await.unwrap();
    assert_eq!(result.content[0].as_text(), Some("by hand"));
    drop(stop);
    soon(running).await.unwrap();
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use mcp_tokio::unix;

    use super::*;

    fn scratch(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("mcp-tokio-{}-{name}.sock", std::process::id()))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn clients_call_over_a_socket_that_only_its_owner_may_use() {
        let path = scratch("owner");
        let running = run(unix::listen(&path).await.unwrap(), router().0);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let clients = [
            soon(unix::connect(&path, config())).await,
            soon(unix::connect(&path, config())).await,
        ];
        for client in &clients {
            assert_eq!(echo(client.as_ref().unwrap()).await, [1.0]);
        }
        let in_use = unix::listen(&path).await.unwrap_err();
        assert_eq!(in_use.kind(), io::ErrorKind::AddrInUse);
        assert_eq!(echo(clients[0].as_ref().unwrap()).await, [1.0]);
        running.stop().await;
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_of_a_process_that_died_is_replaced_and_nothing_else_is() {
        let path = scratch("left-over");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "as after a crash");
        let running = run(unix::listen(&path).await.unwrap(), router().0);
        let client = soon(unix::connect(&path, config())).await.unwrap();
        assert_eq!(echo(&client).await, [1.0]);
        // Somebody else takes the path: their socket is theirs.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "precious").unwrap();
        running.stop().await;
        assert_eq!(unix::listen(&path).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        std::fs::remove_file(&path).unwrap();
    }
}
