//! HTTP and WebSocket on every adapter: reports over each of them, redirects, and a server and a client without a socket
//! between them.
#![cfg(unix)]

use std::convert::Infallible;
use std::io::{BufReader, ErrorKind, Write};
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Task, Poll};

use bytes::Bytes;
use futures_lite::future::zip;
use http::Request;
use http_body::{Body, Frame};
use mcp_proto::driver::http::{HttpClient, Responding, ResponseBody, Service};
use mcp_proto::http::{ClientOptions, ServerOptions};
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::by_hand::Requested;
use mcp_runtimes_tests::listening::serving;
use mcp_runtimes_tests::tools::{all, reports, tools};
use mcp_runtimes_tests::{Shelf, Site, Web, apart, on_every_adapter, spawn};

/// The revisions of Streamable HTTP.
const STREAMABLE: [Revision; 4] =
    [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28];

fn config(revision: Revision) -> ClientConfig {
    ClientConfig::new("test", "1.0").revisions(revision)
}

/// Calls once, and then three times at once; every report of each comes in order before its result.
async fn counts(client: &Client, how: &str) {
    let expected = Ok(all("done"));
    let call = || reports(client, "steps", |_| ());
    assert_eq!(call().await, expected, "{how}");
    let (one, (two, three)) = zip(call(), zip(call(), call())).await;
    assert!(one == expected && two == expected && three == expected, "{how}");
}

async fn every_report_comes_in_order_before_the_result<H: Web>() {
    let site = Site::with::<H>(tools().0, |server| server);
    for revision in STREAMABLE {
        for is_http2 in [false, true] {
            let connector = match is_http2 {
                true => H::connector().http2(),
                false => H::connector(),
            };
            let client = connector.connect(&site.url(), config(revision)).await.unwrap();
            assert_eq!(client.peer().unwrap().revision, revision);
            counts(&client, &format!("{revision}, HTTP/2 {is_http2}")).await;
        }
    }
    site.stop().await;
}

async fn every_report_comes_in_order_before_the_result_over_websocket<H: Web>() {
    let serving = serving::<H>(H::ws_listen("127.0.0.1:0").await.unwrap(), tools().0);
    let url = format!("ws://{}/mcp", serving.address.unwrap());
    for revision in Revision::ALL {
        let client = H::connect_ws(&url, config(revision)).await.unwrap();
        assert_eq!(client.peer().unwrap().revision, revision);
        counts(&client, &format!("{revision}")).await;
        client.close();
        assert_eq!(client.closed().await, CloseReason::Local);
    }
    serving.stop().await;
}

async fn many_calls_at_once_keep_their_reports_apart<H: Web>() {
    let site = Site::with::<H>(tools().0, |server| server);
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let client = site.client::<H>(revision).await;
        let calls = [(); 32].map(|()| {
            let client = client.clone();
            spawn(&H::platform(), async move { reports(&client, "steps", |_| ()).await })
        });
        for call in calls {
            assert_eq!(call.join().await, Ok(all("done")), "{revision}");
        }
    }
    site.stop().await;
}

async fn a_client_of_both_eras_speaks_the_newer_one<H: Web>() {
    let site = Site::with::<H>(tools().0, |server| server);
    let config = ClientConfig::new("test", "1.0");
    let client = H::connect_url(&site.url(), config).await.unwrap();
    assert_eq!(client.peer().unwrap().revision, Revision::V2026_07_28);
    site.stop().await;
}

async fn the_tools_are_listed<H: Web>() {
    let site = Site::with::<H>(tools().0, |server| server);
    for revision in STREAMABLE {
        let client = site.client::<H>(revision).await;
        let tools = client.list_tools().await.unwrap();
        let names: Vec<_> = tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names, ["steps", "wait", "slow", "part", "pour", "echo"], "{revision}");
    }
    site.stop().await;
}

/// Sends requests to a service of the same process, and counts them.
struct Inside {
    service: Service,
    sent: Arc<AtomicUsize>,
}

impl HttpClient for Inside {
    type Body = ResponseBody;
    type Error = Infallible;
    type Sending = Responding<Whole>;

    fn send(&mut self, request: Request<Bytes>) -> Self::Sending {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.service.respond(request.map(|body| Whole(Some(body))))
    }
}

/// A body that is there at once.
struct Whole(Option<Bytes>);

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|body| Ok(Frame::data(body))))
    }
}

/// Answers every request after three reports, until nobody can ask any more.
async fn answer(mut server: Server) {
    while let Some(request) = server.accept().await {
        for step in 1..=3 {
            request.reporter().milestone(Progress::new(step.into())).unwrap();
        }
        request.respond(&CallToolResult::text("done")).unwrap();
    }
}

async fn a_service_and_a_client_need_no_socket<H: Web>() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        for has_store in [false, true] {
            let (config, options) = (ServerConfig::new("s", "1"), ServerOptions::default());
            let shelf = Shelf::of(64);
            let (server, service) = match has_store {
                true => H::http_service_with(config, options, Box::new(shelf.clone())),
                false => H::http_service(config, options),
            };
            let answering = spawn(&H::platform(), answer(server));
            let sent = Arc::new(AtomicUsize::new(0));
            let inside = Inside { service, sent: sent.clone() };
            let (url, options) =
                ("http://localhost/mcp".parse().unwrap(), ClientOptions::default());
            let mut is_prepared = false;
            let client = H::http_client(inside, url, self::config(revision), options, |client| {
                is_prepared = client.peer().is_none();
            });
            assert!(is_prepared, "before anything is sent");
            let (seen, said) = reports(&client, "t", |_| ()).await.unwrap();
            assert_eq!((seen, said.as_str()), (vec![1.0, 2.0, 3.0], "done"), "{revision}");
            assert!(sent.load(Ordering::Relaxed) >= 2, "a handshake and a call");
            // Only the older era takes up a stream again.
            let is_kept = has_store && revision == Revision::V2025_11_25;
            assert_eq!(shelf.kept() >= 4, is_kept, "{revision}: {shelf:?}");
            client.close();
            client.closed().await;
            drop(client);
            answering.join().await;
        }
    }
}

/// A tool that wants an argument of this type in a header too.
fn mirroring(kind: &str) -> Router {
    let schema = format!(
        r#"{{"type":"object","properties":{{"region":{{"type":"{kind}","x-mcp-header":"Region"}}}}}}"#
    );
    let deploy = async |_: Context, _: Option<RawJson>| CallToolResult::text("deployed");
    let tool = Tool::new("deploy", RawJson::parse(schema).unwrap());
    Router::new("s", "1").raw_tool(tool, deploy)
}

async fn a_service_of_a_router_checks_the_headers_that_its_tools_want<H: Web>() {
    // R-XHDR-12, R-XHDR-13
    let service = H::http_router_service(mirroring("string"), ServerOptions::default()).unwrap();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"deploy","arguments":{"region":"eu"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    for (region, status) in [(Some("eu"), 200), (Some("us"), 400), (None, 400)] {
        let mut request = Request::post("http://localhost/mcp")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", "deploy");
        if let Some(region) = region {
            request = request.header("mcp-param-region", region);
        }
        let request = request.body(Whole(Some(Bytes::from_static(body.as_bytes())))).unwrap();
        let response = service.respond(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{region:?}");
    }
    let bad = H::http_router_service(mirroring("number"), ServerOptions::default());
    assert!(bad.is_err(), "no header is a number");
}

/// Takes a request of a new connection, and sends it elsewhere. Gives what it was.
fn redirect(listener: &TcpListener, status: &str, place: &str) -> Requested {
    let mut stream = BufReader::new(listener.accept().unwrap().0);
    let request = Requested::next(&mut stream).unwrap().unwrap();
    let head = format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {place}\r\n");
    let response = head + "content-length: 0\r\nconnection: close\r\n\r\n";
    stream.get_mut().write_all(response.as_bytes()).unwrap();
    request
}

/// Whether somebody has connected.
fn is_visited(listener: &TcpListener) -> bool {
    listener.set_nonblocking(true).unwrap();
    match listener.accept() {
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            false
        }
        Ok(_) => true,
    }
}

async fn within_the_origin_a_redirect_is_followed_with_everything<H: Web>() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/old", listener.local_addr().unwrap());
    let connector = H::connector().header("Authorization", "Bearer secret");
    let _client = connector.open(&url, config(Revision::V2026_07_28), |_| ()).unwrap();
    let (first, second) = apart(move || {
        let first = redirect(&listener, "307", "/new?x=1");
        (first, redirect(&listener, "307", "/newer"))
    })
    .await;
    assert!(first.head.starts_with("POST /old HTTP/1.1"), "{first:?}");
    assert!(second.head.starts_with("POST /new?x=1 HTTP/1.1"), "{second:?}");
    assert!(second.head.contains("authorization: Bearer secret"), "{second:?}");
    assert_eq!(second.said.unwrap().method, "server/discover");
}

async fn to_another_origin_nothing_is_sent<H: Web>() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    for status in ["301", "302", "303", "307", "308"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/mcp", listener.local_addr().unwrap());
        let place = format!("http://{}/mcp", elsewhere.local_addr().unwrap());
        let connector = H::connector().header("Authorization", "Bearer secret");
        let connecting = connector.connect(&url, config(Revision::V2026_07_28));
        let redirecting = apart(move || redirect(&listener, status, &place));
        let (connected, _) = zip(connecting, redirecting).await;
        let error = connected.unwrap_err();
        assert!(matches!(error, ConnectError::NotReady(CloseReason::Http(_))), "{error:?}");
        assert!(!is_visited(&elsewhere), "{status}");
    }
}

async fn a_server_that_sends_its_clients_round_and_round_is_left<H: Web>() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/mcp", listener.local_addr().unwrap());
    let client = H::connector().open(&url, config(Revision::V2026_07_28), |_| ()).unwrap();
    // The first request, and five redirects.
    let redirecting = apart(move || {
        for _ in 0..6 {
            redirect(&listener, "308", "/mcp");
        }
        listener
    });
    let (listener, called) = zip(redirecting, client.call(CallTool::new("t")).into_future()).await;
    let error = called.unwrap_err();
    assert!(matches!(error, CallError::Closed(CloseReason::Http(_))), "{error:?}");
    assert!(!is_visited(&listener), "a seventh request");
}

on_every_adapter!(
    every_report_comes_in_order_before_the_result,
    every_report_comes_in_order_before_the_result_over_websocket,
    many_calls_at_once_keep_their_reports_apart,
    a_client_of_both_eras_speaks_the_newer_one,
    the_tools_are_listed,
    a_service_and_a_client_need_no_socket,
    a_service_of_a_router_checks_the_headers_that_its_tools_want,
    within_the_origin_a_redirect_is_followed_with_everything,
    to_another_origin_nothing_is_sent,
    a_server_that_sends_its_clients_round_and_round_is_left,
);
