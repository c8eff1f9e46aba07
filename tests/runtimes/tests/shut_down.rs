//! Runtimes that are shut down while they are at work: each call that waits ends once, with its reason; nothing is left,
//! which is counted; and nothing hangs.
#![cfg(target_os = "linux")] // where what a process holds is a file to read

use std::future::pending;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use futures_lite::future::{block_on, poll_once, zip};
use mcp_proto::HttpError;
use mcp_proto::net::{Dial, Platform, http, prelude::*, ws};
use mcp_runtimes_tests::by_hand::{self, Requested};
use mcp_runtimes_tests::doomed::{Accounted, Doomed};
use mcp_runtimes_tests::tools::{Gate, tools};
use mcp_runtimes_tests::{
    Host, Web, apart, leaves_nothing, on_every_adapter, on_every_runtime, sockets, spawn, talk,
    until,
};

fn config() -> ClientConfig {
    ClientConfig::new("test", "1.0").revisions(Revision::V2025_11_25)
}

/// A client whose runtime is gone knows it, and so do its next calls.
fn has_ended(client: &Client) {
    assert_eq!(block_on(client.closed()), CloseReason::Transport);
    calls_no_more(client);
}

fn calls_no_more(client: &Client) {
    assert_eq!(client.calls_in_flight(), 0);
    let late = block_on(client.call(CallTool::new("late"))).unwrap_err();
    assert_eq!(late, CallError::Send(SendError::Closed));
}

/// A server whose runtime is gone knows it, and so does the request that it works on.
fn has_stopped(mut server: Server, request: Incoming) {
    assert!(block_on(server.accept()).is_none());
    assert_eq!(block_on(server.closed()), CloseReason::Transport);
    assert!(request.is_cancelled());
    assert!(request.respond(&CallToolResult::text("late")).is_err());
    assert_eq!(server.requests_in_flight(), 0);
}

async fn a_runtime_that_is_shut_down<H: Host>() {
    leaves_nothing::<H>(async |_| {
        apart(|| {
            shut_down_client::<Accounted<H::Doomed>>();
            shut_down_server::<Accounted<H::Doomed>>();
            shut_down_listener::<Accounted<H::Doomed>>();
        })
        .await;
    })
    .await;
}

fn shut_down_client<D: Doomed>() {
    let doomed = D::begin();
    let ((near, mut far), platform) = (sockets(), doomed.platform());
    let client = mcp_proto::net::client(doomed.stream(near), config(), platform, |_| ());
    let mut call = Box::pin(client.call(CallTool::new("t")).outcome());
    assert!(block_on(poll_once(&mut call)).is_none());
    // It is at work: it has asked for the handshake.
    far.read_exact(&mut [0; 20]).unwrap();
    doomed.end();
    let error = block_on(call).result.unwrap_err();
    assert_eq!(error, CallError::Closed(CloseReason::Transport));
    has_ended(&client);
    // Its socket is closed.
    let _ = far.read_to_end(&mut Vec::new());
}

fn shut_down_server<D: Doomed>() {
    let doomed = D::begin();
    let ((mut near, far), platform) = (sockets(), doomed.platform());
    let config = ServerConfig::new("test", "1.0");
    let mut server = mcp_proto::net::serve(doomed.stream(far), config, platform);
    near.write_all(talk(&["t"]).as_bytes()).unwrap();
    let request = doomed.block_on(server.accept()).unwrap();
    doomed.end();
    has_stopped(server, request);
    let _ = near.read_to_end(&mut Vec::new());
}

/// A socket that listens on a port of its own.
fn bound() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Has what listens serve with the tools for ever.
fn listen<D: Doomed>(doomed: &D, opened: impl FnOnce(Listener) -> Listener) -> (SocketAddr, Gate) {
    let ((listener, address), (router, gate)) = (bound(), tools());
    let source = doomed.accept(listener).unwrap();
    let listener = opened(Listener::new(source, Some(address), doomed.platform()));
    doomed.platform().spawn(Box::pin(listener.run(router, pending())));
    (address, gate)
}

/// What served is gone: the handlers, and the socket.
fn is_gone(address: SocketAddr, gate: &Gate) {
    gate.left.recv_blocking().unwrap();
    // A reactor may let go of the socket a little later.
    block_on(until(|| "the port is free", || TcpStream::connect(address).is_err()));
}

fn shut_down_listener<D: Doomed>() {
    let doomed = D::begin();
    let (address, gate) = listen(&doomed, |listener| listener);
    let mut near = BufReader::new(TcpStream::connect(address).unwrap());
    near.get_mut().write_all(talk(&["wait"]).as_bytes()).unwrap();
    let mut said = String::new();
    near.read_line(&mut said).unwrap();
    assert!(said.contains(r#""id":0"#), "{said}");
    gate.entered.recv_blocking().unwrap();
    // One that has said nothing yet.
    let silent = TcpStream::connect(address).unwrap();
    doomed.end();
    is_gone(address, &gate);
    // That the handler is gone can still be said if it goes first.
    let _ = near.read_to_string(&mut said);
    assert!(!said.contains("waited"), "{said}");
    drop(silent);
}

async fn a_runtime_that_is_shut_down_with_http_at_work<H: Web>() {
    leaves_nothing::<H>(async |_| {
        apart(|| {
            shut_down_http_client::<Accounted<H::Doomed>>();
            shut_down_http_server::<Accounted<H::Doomed>>();
        })
        .await;
    })
    .await;
}

fn shut_down_http_client<D: Doomed<Platform: Dial>>() {
    let doomed = D::begin();
    let (listener, address) = bound();
    let config = ClientConfig::new("test", "1.0").revisions(Revision::V2026_07_28);
    let connector = http::Connector::new(doomed.platform());
    let client = connector.open(&format!("http://{address}/mcp"), config, |_| ()).unwrap();
    let mut call = client.call(CallTool::new("t"));
    assert!(block_on(poll_once(call.next_progress())).is_none());
    let accept = || BufReader::new(listener.accept().unwrap().0);
    let mut far = accept();
    let discovery = Requested::next(&mut far).unwrap().unwrap();
    far.get_mut().write_all(discovery.response(0).as_bytes()).unwrap();
    drop(far);
    // The response to the call has begun, and does not end.
    let mut far = accept();
    let asked = Requested::next(&mut far).unwrap().unwrap().said.unwrap();
    let begun = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n".to_owned();
    far.get_mut().write_all((begun + &asked.report(1)).as_bytes()).unwrap();
    assert_eq!(block_on(call.next_progress()).unwrap().progress, 1.0);
    doomed.end();
    assert!(block_on(call.next_progress()).is_none());
    // The connection may go before its driver, which sees it cut then.
    let error = block_on(call).unwrap_err();
    let is_cut = error == CallError::Http(HttpError::Cut);
    assert!(is_cut || error == CallError::Closed(CloseReason::Transport), "{error:?}");
    has_ended(&client);
    // Its connection is closed.
    assert!(far.read_line(&mut String::new()).unwrap_or(0) == 0);
}

fn shut_down_http_server<D: Doomed<Platform: Dial>>() {
    let doomed = D::begin();
    let ((listener, address), (router, gate)) = (bound(), tools());
    let source = doomed.accept(listener).unwrap();
    let server = http::HttpServer::new(source, address, doomed.platform());
    let serving = async { drop(server.run(router, pending()).await) };
    doomed.platform().spawn(Box::pin(serving));
    let mut near = by_hand::call(address, "wait");
    gate.entered.recv_blocking().unwrap();
    doomed.end();
    is_gone(address, &gate);
    let mut said = String::new();
    let _ = near.read_to_string(&mut said);
    assert!(!said.contains("waited"), "{said}");
}

async fn a_runtime_that_is_shut_down_with_websockets_at_work<H: Web>() {
    leaves_nothing::<H>(async |_| {
        apart(|| {
            shut_down_websocket::<Accounted<H::Doomed>>(true);
            shut_down_websocket::<Accounted<H::Doomed>>(false);
            shut_down_listener_of_websockets::<Accounted<H::Doomed>>();
        })
        .await;
    })
    .await;
}

/// A client and a server, each on a runtime of its own, with a call that has brought a report. One of them is shut down.
fn shut_down_websocket<D: Doomed<Platform: Dial>>(is_client: bool) {
    let [clients, servers] = [D::begin(), D::begin()];
    let (near, far) = sockets();
    let (near, far) = (clients.stream(near), servers.stream(far));
    let acceptor = ws::Acceptor::new(servers.platform());
    let accepting = spawn(&servers.platform(), async move {
        acceptor.accept(far, ServerConfig::new("test", "1.0")).await
    });
    let connector = ws::Connector::new(clients.platform());
    let opening = spawn(&clients.platform(), async move {
        let config = ClientConfig::new("test", "1.0");
        connector.open_over(near, "ws://localhost/mcp", config, |_| ()).await
    });
    let (opened, accepted) = block_on(zip(opening.join(), accepting.join()));
    let (client, mut server) = (opened.unwrap(), accepted.unwrap());
    let mut call = client.call(CallTool::new("t"));
    assert!(block_on(poll_once(call.next_progress())).is_none());
    let request = block_on(server.accept()).unwrap();
    request.progress(Progress::new(1.0)).unwrap();
    assert_eq!(block_on(call.next_progress()).unwrap().progress, 1.0);
    // Either end sees a connection that was cut, the one that lives on too.
    let survivor = if is_client {
        clients.end();
        servers
    } else {
        servers.end();
        clients
    };
    assert!(block_on(call.next_progress()).is_none());
    assert_eq!(block_on(call).unwrap_err(), CallError::Closed(CloseReason::Transport));
    has_ended(&client);
    block_on(request.cancelled());
    has_stopped(server, request);
    survivor.end();
}

fn shut_down_listener_of_websockets<D: Doomed<Platform: Dial>>() {
    let [doomed, survivor] = [D::begin(), D::begin()];
    let acceptor = ws::Acceptor::new(doomed.platform());
    let (address, gate) = listen(&doomed, |listener| acceptor.over(listener).unwrap());
    let connector = ws::Connector::new(survivor.platform());
    let url = format!("ws://{address}/mcp");
    let opening =
        spawn(&survivor.platform(), async move { connector.connect(&url, config()).await });
    let client = block_on(opening.join()).unwrap();
    let mut call = Box::pin(client.call(CallTool::new("wait")).outcome());
    assert!(block_on(poll_once(&mut call)).is_none());
    gate.entered.recv_blocking().unwrap();
    doomed.end();
    is_gone(address, &gate);
    let error = block_on(call).result.unwrap_err();
    // What serves may go before the connection, which ends in good order then: the handler's end is told, and its own.
    let is_told =
        matches!(&error, CallError::Peer(error) if error.code == ErrorObject::INTERNAL_ERROR);
    let reason = block_on(client.closed());
    assert!(is_told || error == CallError::Closed(reason.clone()), "{error:?}");
    let reasons = [CloseReason::Transport, CloseReason::Eof { unread: 0 }];
    assert!(reasons.contains(&reason), "{reason:?}");
    calls_no_more(&client);
    survivor.end();
}

on_every_runtime!(
    alone:
    a_runtime_that_is_shut_down,
);
on_every_adapter!(
    alone:
    a_runtime_that_is_shut_down_with_http_at_work,
    a_runtime_that_is_shut_down_with_websockets_at_work,
);
