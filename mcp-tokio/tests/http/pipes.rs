//! Pipes in the place of sockets, on a clock that is paused, which only Tokio's can be: how long a connection may say or take
//! nothing.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use mcp_tokio::http::{Connector, HttpServer};
use mcp_tokio::mcp_proto::Instant;
use mcp_tokio::mcp_proto::driver::{Runtime, Timer};
use mcp_tokio::mcp_proto::net::{Accept, Dial, Dialing, Platform, Resolving, Task};
use mcp_tokio::{Stream, Tokio, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::world::{World, request_by_hand};

/// A client's way to pipes, whose other ends a test gets.
pub(crate) fn pipes() -> (Connector, UnboundedReceiver<DuplexStream>) {
    let (ends, others) = unbounded_channel();
    (Connector::new(Pipes { tokio: Tokio::new(), ends }), others)
}

struct Pipes {
    tokio: Tokio,
    ends: UnboundedSender<DuplexStream>,
}

impl Runtime for Pipes {
    fn now(&self) -> Instant {
        self.tokio.now()
    }

    fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>> {
        self.tokio.timer(at)
    }
}

impl Platform for Pipes {
    fn spawn(&self, task: Task) {
        self.tokio.spawn(task);
    }
}

impl Dial for Pipes {
    fn resolve(&self, host: &str, port: u16) -> Resolving {
        assert_eq!(host, "localhost");
        Box::pin(async move { Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]) })
    }

    fn dial(&self, _: SocketAddr) -> Dialing {
        let (near, far) = duplex(1 << 16);
        let dialled = self.ends.send(far).map_err(|_| io::ErrorKind::ConnectionRefused.into());
        Box::pin(async { dialled.map(|()| stream(near)) })
    }
}

/// The server's ends of pipes.
pub(crate) struct Ends(pub(crate) UnboundedReceiver<Stream>);

impl Accept for Ends {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        match ready!(self.0.poll_recv(cx)) {
            Some(end) => Poll::Ready(Ok(end)),
            None => Poll::Pending,
        }
    }
}

/// A server on pipes.
pub(crate) fn served() -> (World, UnboundedSender<Stream>) {
    let (ends, others) = unbounded_channel();
    let address = SocketAddr::from(([127, 0, 0, 1], 80));
    (World::of(HttpServer::new(Ends(others), address, Tokio::new()), address), ends)
}

/// A connection to it that holds so many bytes on their way.
pub(crate) fn connected(ends: &UnboundedSender<Stream>, capacity: usize) -> DuplexStream {
    let (near, far) = duplex(capacity);
    ends.send(stream(far)).unwrap();
    near
}

const GREETING: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_or_little_is_closed_in_time() {
    let (world, ends) = served();
    for said in ["", "P", "PRI * HTTP/2.0\r\n"] {
        let mut near = connected(&ends, 64);
        near.write_all(said.as_bytes()).await.unwrap();
        let began = tokio::time::Instant::now();
        assert_eq!(near.read_to_end(&mut Vec::new()).await.unwrap_or(0), 0);
        assert_eq!(began.elapsed().as_secs(), GREETING.as_secs(), "{said:?}");
    }
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_has_begun_to_speak_may_be_silent_for_longer() {
    let (world, ends) = served();
    let mut near = connected(&ends, 64);
    near.write_all(b"POST /mcp HTTP/1.1\r\nhost: a").await.unwrap();
    let more = tokio::time::timeout(GREETING * 2, near.read_u8()).await;
    assert!(more.is_err(), "{more:?}");
    world.end().await;
}

/// How long a connection may be idle, or half as long again.
const IDLE: Duration = Duration::from_secs(60);

fn is_idle_time(time: Duration) -> bool {
    (IDLE..=IDLE * 3 / 2 + Duration::from_secs(10)).contains(&time)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_idle_or_never_ends_a_head_is_closed() {
    let (world, ends) = served();
    let began = tokio::time::Instant::now();
    let mut near = connected(&ends, 1 << 16);
    near.write_all(b"GET /mcp HTTP/1.1\r\nhost: elsewhere.example\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    near.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 403"));
    assert!(is_idle_time(began.elapsed()), "{:?}", began.elapsed());

    for before in ["", "GET /mcp HTTP/1.1\r\nhost: elsewhere.example\r\n\r\n"] {
        let began = tokio::time::Instant::now();
        let mut near = connected(&ends, 1 << 16);
        near.write_all(before.as_bytes()).await.unwrap();
        near.write_all(b"POST /mcp HTTP/1.1\r\n").await.unwrap();
        while near.write_all(b"x: y\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        assert!(is_idle_time(began.elapsed()), "{:?}", began.elapsed());
    }
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_http2_that_only_answers_pings_is_closed() {
    let (world, ends) = served();
    let began = tokio::time::Instant::now();
    let near = TokioIo::new(connected(&ends, 1 << 16));
    let (sender, connection) =
        http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), near).await.unwrap();
    connection.await.unwrap();
    assert!(is_idle_time(began.elapsed()), "{:?}", began.elapsed());
    drop(sender);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_drop_by_drop_is_refused_in_time() {
    let (world, ends) = served();
    let mut near = connected(&ends, 1 << 16);
    let request = request_by_hand(world.address, "wait");
    let (head, _) = request.split_once("content-length").unwrap();
    let began = tokio::time::Instant::now();
    near.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes()).await.unwrap();
    let (mut hears, mut says) = tokio::io::split(near);
    let dripping = async {
        let mut clock = tokio::time::interval(Duration::from_secs(1));
        for _ in 0..60 {
            says.write_all(b"1\r\n \r\n").await.unwrap();
            clock.tick().await;
        }
    };
    let answering = async {
        let mut answer = [0; 12];
        hears.read_exact(&mut answer).await.unwrap();
        answer
    };
    let answer = tokio::select! {
        answer = answering => answer,
        () = dripping => panic!("it waits on"),
    };
    assert_eq!(answer, *b"HTTP/1.1 400");
    assert_eq!(began.elapsed().as_secs(), 30);
    drop((hears, says));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_a_request_under_way_is_not_idle() {
    let (world, ends) = served();
    let mut near = connected(&ends, 1 << 16);
    let request = request_by_hand(world.address, "wait");
    near.write_all(request.as_bytes()).await.unwrap();
    world.gate.entered.one_more().await;
    tokio::time::sleep(IDLE * 5).await;
    world.gate.open.notify_waiters();
    let began = tokio::time::Instant::now();
    let mut answer = Vec::new();
    near.read_to_end(&mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("waited"));
    assert!(is_idle_time(began.elapsed()), "{:?}", began.elapsed());
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_given_up_and_a_slow_one_is_not() {
    let patience = Duration::from_secs(30);
    let (world, ends) = served();
    let mut near = connected(&ends, 16);
    near.write_all(b"GET /mcp HTTP/1.1\r\nhost: elsewhere.example\r\n\r\n").await.unwrap();
    for _ in 0..2 {
        tokio::time::sleep(patience * 2 / 3).await;
        near.read_exact(&mut [0; 16]).await.unwrap();
    }
    tokio::time::sleep(patience - Duration::from_secs(1)).await;
    near.write_u8(b'x').await.expect("a connection that may still take something");
    tokio::time::sleep(Duration::from_secs(2)).await;
    near.write_u8(b'x').await.expect_err("a connection that is given up");
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn one_that_takes_nothing_is_given_up_where_the_stream_keeps_what_is_written() {
    let (world, ends) = served();
    let (mut near, far) = duplex(16);
    ends.send(stream(tokio::io::BufStream::new(far))).unwrap();
    near.write_all(b"GET /mcp HTTP/1.1\r\nhost: elsewhere.example\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_secs(29)).await;
    near.write_u8(b'x').await.expect("a connection that may still take something");
    tokio::time::sleep(Duration::from_secs(2)).await;
    near.write_u8(b'x').await.expect_err("a connection that is given up");
    world.end().await;
}
