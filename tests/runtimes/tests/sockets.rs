//! Servers that listen: many clients at once, hostile ones among them, and an orderly end.
#![cfg(unix)]

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::pin::Pin;

use async_channel::{Receiver, Sender, unbounded};
use mcp_proto::driver::Transport;
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::listening::serving;
use mcp_runtimes_tests::{Host, apart, on_every_runtime, spawn, talk};

/// What tests share with the tools that they call.
struct Gate {
    /// One for each call of `wait` that runs.
    entered: Receiver<()>,
    /// What is sent here lets one of them go on.
    open: Sender<()>,
}

/// `echo` reports once and answers; `wait` is there until the gate opens; `panic` does what it says.
fn router() -> (Router, Gate) {
    let ((enter, entered), (open, opened)) = (unbounded(), unbounded());
    let schema = || RawJson::parse(r#"{"type":"object"}"#).unwrap();
    let echo = async |ctx: Context, _: Option<RawJson>| {
        ctx.progress().report(Progress::new(1.0).message("half"))?;
        Ok::<_, ToolError>(CallToolResult::text("echo"))
    };
    let wait = move |_: Context, _: Option<RawJson>| {
        let (enter, opened): (Sender<()>, Receiver<()>) = (enter.clone(), opened.clone());
        async move {
            enter.send(()).await.unwrap();
            opened.recv().await.unwrap();
            CallToolResult::text("waited")
        }
    };
    let panics =
        async |_: Context, _: Option<RawJson>| -> CallToolResult { panic!("a tool panics") };
    let router = Router::new("test", "1.0")
        .raw_tool(Tool::new("echo", schema()), echo)
        .raw_tool(Tool::new("wait", schema()), wait)
        .raw_tool(Tool::new("panic", schema()), panics);
    (router, Gate { entered, open })
}

fn config() -> ClientConfig {
    ClientConfig::new("test", "1.0")
}

async fn echo(client: &Client) -> Vec<f64> {
    let mut reports = Vec::new();
    let call =
        client.call(CallTool::new("echo")).on_progress(|report| reports.push(report.progress));
    assert_eq!(call.await.unwrap().content[0].as_text(), Some("echo"));
    reports
}

async fn clients_call_over_tcp_in_every_revision<H: Host>() {
    let serving = serving::<H>(H::tcp_listen("127.0.0.1:0").await.unwrap(), router().0);
    for revision in Revision::ALL {
        let config = config().revisions(revision);
        let client = H::tcp_connect(serving.address.unwrap(), config).await.unwrap();
        assert_eq!(client.peer().unwrap().revision, revision);
        assert_eq!(echo(&client).await, [1.0]);
    }
    serving.stop().await;
}

async fn an_address_that_others_reach_has_to_be_named_as_such<H: Host>() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let refused = H::tcp_listen(address).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied, "{address}");
    }
    let serving = serving::<H>(H::tcp_listen_exposed("0.0.0.0:0").await.unwrap(), router().0);
    let address = SocketAddr::from(([127, 0, 0, 1], serving.address.unwrap().port()));
    let client = H::tcp_connect(address, config()).await.unwrap();
    assert_eq!(echo(&client).await, [1.0]);
    serving.stop().await;
    let nobody = H::tcp_connect(address, config()).await.unwrap_err();
    assert!(matches!(nobody, ConnectError::Io(_)), "{nobody}");
}

async fn what_is_closed_says_so_before_it_is_dropped<H: Host>() {
    let (near, mut far) = UnixStream::pair().unwrap();
    let mut stream = H::stream(near);
    poll_fn(|cx| Transport::poll_close(Pin::new(&mut stream), cx)).await.unwrap();
    let said = apart(move || {
        let mut said = Vec::new();
        far.read_to_end(&mut said).map(|_| said)
    });
    assert_eq!(said.await.unwrap(), b"");
    drop(stream);
}

/// Sends this and reads until the server closes.
async fn say(address: SocketAddr, bytes: impl Into<Vec<u8>>) -> Vec<u8> {
    let bytes = bytes.into();
    apart(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        // The server may have closed before all is written.
        let _ = stream.write_all(&bytes).and_then(|()| stream.shutdown(Shutdown::Write));
        let mut said = Vec::new();
        let _ = stream.read_to_end(&mut said);
        said
    })
    .await
}

async fn one_peer_ends_no_other<H: Host>() {
    let (router, gate) = router();
    let serving = serving::<H>(H::tcp_listen("127.0.0.1:0").await.unwrap(), router);
    let address = serving.address.unwrap();
    let client = H::tcp_connect(address, config()).await.unwrap();
    let waiting = spawn(&H::platform(), client.call(CallTool::new("wait")));
    gate.entered.recv().await.unwrap();

    let panicked = client.call(CallTool::new("panic")).await;
    assert!(panicked.is_err(), "it is answered all the same: {panicked:?}");
    let storm = b"{not json\n".repeat(5_000);
    for hostile in
        [&b"\xff\xfe\x00junk\n"[..], &storm, b"{\"jsonrpc\":\"2.0\",\"id\":1,\"meth", b""]
    {
        say(address, hostile).await;
        assert_eq!(echo(&client).await, [1.0]);
    }
    // Gone without a word, while a call of its own runs.
    let other = H::tcp_connect(address, config()).await.unwrap();
    let left = spawn(&H::platform(), other.call(CallTool::new("wait")));
    gate.entered.recv().await.unwrap();
    other.close();
    assert!(left.join().await.is_err());
    assert_eq!(echo(&client).await, [1.0]);

    // Both may go on, also the one that nobody waits for.
    for _ in 0..2 {
        gate.open.send(()).await.unwrap();
    }
    assert_eq!(waiting.join().await.unwrap().content[0].as_text(), Some("waited"));
    serving.stop().await;
}

async fn a_web_page_that_posts_to_the_port_reaches_no_tool<H: Host>() {
    let (router, gate) = router();
    let serving = serving::<H>(H::tcp_listen("127.0.0.1:0").await.unwrap(), router);
    let request = talk(&["wait"]);
    let post =
        format!("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n\r\n{request}");
    for page in [post.clone(), format!("\r\n \n{post}")] {
        assert_eq!(say(serving.address.unwrap(), page).await, b"");
    }
    assert!(gate.entered.is_empty());
    // The same without the head is a conversation.
    gate.open.send(()).await.unwrap();
    let said = say(serving.address.unwrap(), request).await;
    assert!(String::from_utf8(said).unwrap().contains("waited"));
    serving.stop().await;
}

async fn no_more_connections_than_the_bound_and_the_next_waits_its_turn<H: Host>() {
    let listener = H::tcp_listen("127.0.0.1:0").await.unwrap().max_connections(2);
    let serving = serving::<H>(listener, router().0);
    let address = serving.address.unwrap();
    let first = H::tcp_connect(address, config()).await.unwrap();
    let second = H::tcp_connect(address, config()).await.unwrap();
    let third = spawn(&H::platform(), H::tcp_connect(address, config()));
    for _ in 0..20 {
        echo(&first).await;
        echo(&second).await;
        assert!(!third.is_over());
    }
    first.close();
    let third = third.join().await.unwrap();
    echo(&third).await;
    echo(&second).await;
    serving.stop().await;
}

async fn a_listener_that_stops_answers_what_it_has_accepted<H: Host>() {
    let (router, gate) = router();
    let serving = serving::<H>(H::tcp_listen("127.0.0.1:0").await.unwrap(), router);
    let address = serving.address.unwrap();
    let busy = H::tcp_connect(address, config()).await.unwrap();
    let idle = H::tcp_connect(address, config()).await.unwrap();
    let silent = TcpStream::connect(address).unwrap();
    let call = spawn(&H::platform(), busy.call(CallTool::new("wait")));
    gate.entered.recv().await.unwrap();
    let stopped = spawn(&H::platform(), serving.stop());
    assert_eq!(idle.closed().await, CloseReason::Eof { unread: 0 });
    assert!(!stopped.is_over(), "a call is still worked on");
    gate.open.send(()).await.unwrap();
    assert_eq!(call.join().await.unwrap().content[0].as_text(), Some("waited"));
    stopped.join().await;
    drop(silent);
    assert!(TcpStream::connect(address).is_err(), "the port is free");
}

async fn a_program_accepts_requests_by_itself<H: Host>() {
    let listener = H::tcp_listen("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = unbounded::<()>();
    let until = async move {
        let _ = stopped.recv().await;
    };
    let served = listener.serve(ServerConfig::new("own", "1.0"), until, |mut server| async move {
        while let Some(request) = server.accept().await {
            let _ = request.respond(&CallToolResult::text("by hand"));
        }
    });
    let running = spawn(&H::platform(), served);
    let client = H::tcp_connect(address, config()).await.unwrap();
    let result = client.call(CallTool::new("any")).await.unwrap();
    assert_eq!(result.content[0].as_text(), Some("by hand"));
    drop(stop);
    running.join().await;
}

fn scratch<H: Host>(name: &str) -> PathBuf {
    let host = H::NAME;
    std::env::temp_dir().join(format!("mcp-{}-{host}-{name}.sock", std::process::id()))
}

async fn clients_call_over_a_socket_that_only_its_owner_may_use<H: Host>() {
    let path = scratch::<H>("owner");
    let serving = serving::<H>(H::unix_listen(&path).await.unwrap(), router().0);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let clients = [H::unix_connect(&path, config()).await, H::unix_connect(&path, config()).await];
    for client in &clients {
        assert_eq!(echo(client.as_ref().unwrap()).await, [1.0]);
    }
    let in_use = H::unix_listen(&path).await.unwrap_err();
    assert_eq!(in_use.kind(), io::ErrorKind::AddrInUse);
    assert_eq!(echo(clients[0].as_ref().unwrap()).await, [1.0]);
    serving.stop().await;
    assert!(!path.exists());
}

async fn a_socket_of_a_process_that_died_is_replaced_and_nothing_else_is<H: Host>() {
    let path = scratch::<H>("left-over");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "as after a crash");
    let serving = serving::<H>(H::unix_listen(&path).await.unwrap(), router().0);
    let client = H::unix_connect(&path, config()).await.unwrap();
    assert_eq!(echo(&client).await, [1.0]);
    // Somebody else takes the path: their socket is theirs.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    serving.stop().await;
    assert_eq!(H::unix_listen(&path).await.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_file(&path).unwrap();
}

on_every_runtime!(
    what_is_closed_says_so_before_it_is_dropped,
    clients_call_over_tcp_in_every_revision,
    an_address_that_others_reach_has_to_be_named_as_such,
    one_peer_ends_no_other,
    a_web_page_that_posts_to_the_port_reaches_no_tool,
    no_more_connections_than_the_bound_and_the_next_waits_its_turn,
    a_listener_that_stops_answers_what_it_has_accepted,
    a_program_accepts_requests_by_itself,
    clients_call_over_a_socket_that_only_its_owner_may_use,
    a_socket_of_a_process_that_died_is_replaced_and_nothing_else_is,
);
