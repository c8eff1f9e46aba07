//! Heads of 100,000 fields, to a server and to a client, on every adapter: they are refused by what was read of them so far.
#![cfg(unix)]

use std::convert::Infallible;
use std::io::ErrorKind;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use bytes::Bytes;
use futures_lite::future::zip;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{Empty, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use mcp_proto::HttpError;
use mcp_proto::net::{http as net, prelude::*};
use mcp_runtimes_tests::raw::Raw;
use mcp_runtimes_tests::tools::tools;
use mcp_runtimes_tests::{
    Ends, Host, Seen, Site, TokioCurrentThread, Web, apart, on_every_adapter, sockets, watched,
};

const FIELDS: usize = 100_000;

/// Bytes that a server may have read of a head when it is refused. Whole, each is longer than a megabyte.
const READ: usize = 128 << 10;

/// The same of a client, where the bound is hyper's.
const READ_BY_CLIENT: usize = 512 << 10;

/// Fields, and what follows them; one that has no end is as bad.
fn heads() -> [(&'static str, String); 3] {
    let many: String = (0..FIELDS).map(|at| format!("x-{at}: 1\r\n")).collect();
    let long = "1".repeat(many.len());
    [
        ("many", format!("{many}\r\n")),
        ("long", format!("x-long: {long}\r\n\r\n")),
        ("endless", format!("x-{long}")),
    ]
}

/// A server of one connection, and what passes there.
fn served<H: Web>(end: UnixStream) -> (Site, Arc<Seen>) {
    let (end, seen) = watched(H::stream(end));
    (Site::on::<H>(Ends::of([end]), tools().0), seen)
}

async fn a_server_refuses_a_head_that_is_too_long<H: Web>() {
    for (how, fields) in heads() {
        let (near, far) = sockets();
        let (site, seen) = served::<H>(far);
        let head = format!("POST /mcp HTTP/1.1\r\nhost: localhost\r\n{fields}");
        let answer = Raw::new(H::stream(near)).exchange(head.as_bytes()).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 431 "), "{how}: {answer}");
        assert!(seen.read() < READ, "{} bytes of {how}", seen.read());
        // Nothing of it is under way.
        site.stop().await;
    }
}

/// A client of whoever is at the other end, and why it was never ready.
async fn refused<H: Web>(end: UnixStream, is_http2: bool) -> (HttpError, ConnectError, Arc<Seen>) {
    let (end, seen) = watched(H::stream(end));
    let connector = net::Connector::new(Ends::on(H::platform(), [end]));
    let connector = if is_http2 { connector.http2() } else { connector };
    let (url, config) = ("http://localhost/mcp", ClientConfig::new("test", "1.0"));
    let hyper = connector.reach(url).unwrap();
    let config = config.revisions(Revision::V2025_11_25);
    let client = connector.open_over(hyper.clone(), url, config, |_| ()).unwrap();
    let Err(CloseReason::Http(error)) = client.ready().await else { panic!("it is no server") };
    (error, hyper.take_trouble().unwrap(), seen)
}

async fn a_client_refuses_a_head_that_is_too_long<H: Web>() {
    for (how, fields) in heads() {
        let (near, far) = sockets();
        let serving = async {
            let mut raw = Raw::new(H::stream(far));
            raw.read_head().await;
            raw.exchange(format!("HTTP/1.1 200 OK\r\n{fields}").as_bytes()).await;
        };
        let ((error, trouble, seen), ()) = zip(refused::<H>(near, false), serving).await;
        assert_eq!(error, HttpError::Unreachable, "{how}");
        // It speaks HTTP, though too much of it.
        let ConnectError::Io(trouble) = trouble else { panic!("{how}: {trouble}") };
        assert_eq!(trouble.kind(), ErrorKind::InvalidData, "{how}: {trouble}");
        assert!(seen.read() < READ_BY_CLIENT, "{} bytes of {how}", seen.read());
    }
}

/// The same field again and again, which on HTTP/2 is a byte each; and fields of which none is like another.
fn floods() -> [HeaderMap; 2] {
    let (mut same, mut others) = (HeaderMap::new(), HeaderMap::new());
    for at in 0..FIELDS {
        same.append("x-field", HeaderValue::from_static("1"));
        others.append("x-field", format!("value {at:0>20}").parse().unwrap());
    }
    [same, others]
}

/// A client's end of a connection of HTTP/2 on which such a request is sent: what comes of it.
async fn ask(end: UnixStream, fields: HeaderMap) -> Option<u16> {
    end.set_nonblocking(true).unwrap();
    let end = TokioIo::new(tokio::net::UnixStream::from_std(end).unwrap());
    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), end).await;
    let (mut sender, connection) = handshake.unwrap();
    let connection = tokio::spawn(connection);
    let mut request = Request::post("http://localhost/mcp").body(Empty::<Bytes>::new()).unwrap();
    *request.headers_mut() = fields;
    let answer = sender.send_request(request).await;
    drop(sender);
    // How it ends is its own affair.
    let _ = connection.await.unwrap();
    answer.ok().map(|response| response.status().as_u16())
}

async fn a_server_refuses_a_head_that_is_too_long_over_http2<H: Web>() {
    for fields in floods() {
        let (near, far) = sockets();
        let (site, seen) = served::<H>(far);
        let answer = apart(|| TokioCurrentThread::block_on(ask(near, fields))).await;
        assert!(matches!(answer, None | Some(431)), "{answer:?}");
        assert!(seen.read() < READ, "{} bytes", seen.read());
        site.stop().await;
    }
}

/// A server's end of a connection of HTTP/2 on which all is answered so.
async fn answer(end: UnixStream, fields: HeaderMap) {
    end.set_nonblocking(true).unwrap();
    let end = TokioIo::new(tokio::net::UnixStream::from_std(end).unwrap());
    let service = hyper::service::service_fn(move |_| {
        let mut response = Response::new(Full::<Bytes>::default());
        *response.headers_mut() = fields.clone();
        async { Ok::<_, Infallible>(response) }
    });
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    // How it ends is its own affair.
    let _ = server.serve_connection(end, service).await;
}

async fn a_client_refuses_a_head_that_is_too_long_over_http2<H: Web>() {
    for fields in floods() {
        let (near, far) = sockets();
        let serving = apart(|| TokioCurrentThread::block_on(answer(far, fields)));
        let ((error, trouble, seen), ()) = zip(refused::<H>(near, true), serving).await;
        assert_eq!(error, HttpError::Unreachable);
        assert!(matches!(trouble, ConnectError::Io(_)), "{trouble}");
        assert!(seen.read() < READ_BY_CLIENT, "{} bytes", seen.read());
    }
}

on_every_adapter!(
    a_server_refuses_a_head_that_is_too_long,
    a_client_refuses_a_head_that_is_too_long,
    a_server_refuses_a_head_that_is_too_long_over_http2,
    a_client_refuses_a_head_that_is_too_long_over_http2,
);
