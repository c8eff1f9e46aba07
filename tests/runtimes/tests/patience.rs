//! How long peers of WebSockets and other connections are waited for, on Tokio alone, whose clock can be paused.
#![cfg(unix)]

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use async_channel::{Sender, bounded};
use futures_lite::future::{or, poll_once, zip};
use mcp_proto::Timeouts;
use mcp_proto::driver::Transport;
use mcp_proto::net::{Listener, Stream, prelude::*, ws};
use mcp_runtimes_tests::raw::*;
use mcp_runtimes_tests::tools::tools;
use mcp_runtimes_tests::{Ends, idle};
use tokio::task::JoinHandle;

/// Runs it on a paused clock: minutes pass, and exactly as many as have to.
fn paused(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(test);
}

/// A server over a pipe that holds so many bytes each way, and its client by hand.
async fn piped(capacity: usize) -> (Server, Raw) {
    let (near, far) = tokio::io::duplex(capacity);
    let (acceptor, config) = (mcp_tokio::ws::acceptor(), ServerConfig::new("s", "1"));
    let (near, far) = (mcp_tokio::stream(near), mcp_tokio::stream(far));
    let (server, raw) = zip(acceptor.accept(far, config), Raw::open(near)).await;
    (server.unwrap(), raw)
}

#[test]
fn a_peer_that_says_nothing_is_asked_and_then_given_up() {
    paused(async {
        let (server, mut raw) = piped(1 << 16).await;
        let start = tokio::time::Instant::now();
        for _ in 0..3 {
            let ping = raw.next().await.unwrap();
            assert_eq!(ping.opcode, PING);
            raw.send(&frame(FIN | PONG, &ping.payload)).await;
        }
        // While it answers, it is asked every other time; then no more.
        assert!(start.elapsed() < Duration::from_secs(200), "{:?}", start.elapsed());
        assert_eq!(raw.next().await.unwrap().opcode, PING);
        assert_eq!(raw.ended().await, 1008);
        drop(raw);
        assert_eq!(server.closed().await, CloseReason::Transport);
    });
}

/// Sends pings until none is taken any more.
async fn flood(raw: &mut Raw) {
    let pings = frame(FIN | PING, &[0; 100]).repeat(10_000);
    or(async { panic!("all were taken: {:?}", raw.send(&pings).await) }, idle()).await;
}

#[test]
fn one_that_goes_on_pinging_and_reads_nothing_is_let_go_and_told_why() {
    paused(async {
        let (server, mut raw) = piped(1 << 10).await;
        flood(&mut raw).await;
        tokio::time::sleep(Duration::from_secs(31)).await;
        assert_eq!(raw.ended().await, 1008);
        drop(raw);
        assert_eq!(server.closed().await, CloseReason::Transport);
    });
}

#[test]
fn one_that_reads_at_last_is_heard_again() {
    paused(async {
        let (server, mut raw) = piped(1 << 10).await;
        flood(&mut raw).await;
        tokio::time::sleep(Duration::from_secs(29)).await;
        while let Ok(frame) = tokio::time::timeout(Duration::from_secs(1), raw.next()).await {
            assert_eq!(frame.unwrap().opcode, PONG);
        }
        let still = tokio::time::timeout(Duration::from_secs(25), server.closed()).await;
        assert!(still.is_err(), "{still:?}");
    });
}

#[test]
fn one_that_reads_slowly_is_waited_for_and_let_go_once_it_stops() {
    paused(async {
        let (server, mut raw) = piped(1 << 10).await;
        flood(&mut raw).await;
        // Two minutes: far longer than it may read nothing.
        for _ in 0..5 {
            tokio::time::sleep(Duration::from_secs(25)).await;
            for _ in 0..10 {
                assert_eq!(raw.next().await.unwrap().opcode, PONG);
            }
        }
        tokio::time::sleep(Duration::from_secs(31)).await;
        assert_eq!(raw.ended().await, 1008);
        drop(raw);
        assert_eq!(server.closed().await, CloseReason::Transport);
    });
}

/// A call whose listener pauses, after so many reports that nothing more is read: the server, what it works on, and the call.
async fn paused_call(
    connector: ws::Connector,
    then: impl AsyncFnOnce(Server, Incoming),
) -> (u32, Result<CallToolResult, CallError>) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let (near, far) = (mcp_tokio::stream(near), mcp_tokio::stream(far));
    let config = ServerConfig::new("s", "1").pacing(Pacing::UNLIMITED);
    let opening =
        connector.open_over(near, "ws://localhost/mcp", ClientConfig::new("c", "1"), |_| ());
    let acceptor = mcp_tokio::ws::acceptor();
    let (server, client) = zip(acceptor.accept(far, config), opening).await;
    let (mut server, client) = (server.unwrap(), client.unwrap());
    let mut seen = 0;
    let call = client
        .call(CallTool::new("t"))
        .delivery(Delivery::Every)
        .timeouts(Timeouts::NEVER)
        .on_progress(|_| seen += 1);
    let mut call = Box::pin(call.outcome());
    assert!(poll_once(&mut call).await.is_none());
    let request = server.accept().await.unwrap();
    let reporter = request.reporter();
    for step in 1..=STEPS {
        reporter.milestone(Progress::new(step.into())).unwrap();
        reporter.delivered().await;
    }
    drop(reporter);
    then(server, request).await;
    let result = call.await.result;
    (seen, result)
}

const STEPS: u32 = 400;

fn done() -> CallToolResult {
    CallToolResult::text("done")
}

/// While so many reports wait that nothing more is read, what asks whether it is there lies behind them.
#[test]
fn a_client_whose_listener_pauses_says_that_it_is_there() {
    let connectors =
        [mcp_tokio::ws::connector(), mcp_tokio::ws::connector().ping_after(10 * LATEST)];
    for connector in connectors {
        paused(async {
            let answer_late = async |_server: Server, request: Incoming| {
                tokio::time::sleep(Duration::from_secs(1_000)).await;
                request.respond(&done()).unwrap();
                // Its answer leaves before it does.
                tokio::time::sleep(Duration::from_secs(1)).await;
            };
            let (seen, result) = paused_call(connector, answer_late).await;
            result.unwrap();
            assert_eq!(seen, STEPS);
        });
    }
}

/// That nobody is told any more takes nothing from what came before.
#[test]
fn a_client_whose_listener_pauses_hears_what_a_server_said_that_is_gone() {
    paused(async {
        let answer_and_go = async |server: Server, request: Incoming| {
            request.respond(&done()).unwrap();
            drop(server);
            tokio::time::sleep(Duration::from_secs(1_000)).await;
        };
        let (seen, result) = paused_call(mcp_tokio::ws::connector(), answer_and_go).await;
        result.unwrap();
        assert_eq!(seen, STEPS);
    });
}

/// A server with this one connection, and what stops it.
fn served_once(stream: Stream, is_web_socket: bool) -> (JoinHandle<()>, Sender<()>) {
    let address = Some(([127, 0, 0, 1], 80).into());
    let mut listener = Listener::new(Ends::of([stream]), address, mcp_tokio::Tokio::new());
    if is_web_socket {
        listener = mcp_tokio::ws::acceptor().over(listener).unwrap();
    }
    let (stop, stopped) = bounded::<()>(1);
    let until = async move {
        let _ = stopped.recv().await;
    };
    (tokio::spawn(listener.run(tools().0, until)), stop)
}

#[test]
fn a_server_stops_in_time_whoever_pings_and_reads_nothing() {
    paused(async {
        let (near, far) = tokio::io::duplex(1 << 10);
        let (running, stop) = served_once(mcp_tokio::stream(far), true);
        let mut raw = Raw::open(mcp_tokio::stream(near)).await;
        flood(&mut raw).await;
        let began = tokio::time::Instant::now();
        stop.close();
        running.await.unwrap();
        // So long the last bytes may take.
        assert!(began.elapsed().as_secs() <= 5, "{:?}", began.elapsed());
    });
}

/// Past the limit for what was accepted, which is 5 s here, and 6 s for the last bytes.
const LATEST: Duration = Duration::from_secs(12);

/// A peer that has always said more, and takes whatever it is told.
struct Endless {
    said: Vec<u8>,
    at: usize,
    /// Where it begins again.
    again: usize,
}

impl Transport for Endless {
    type Error = std::io::Error;

    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<std::io::Result<usize>> {
        let rest = &self.said[self.at..];
        let len = rest.len().min(buf.len());
        buf[..len].copy_from_slice(&rest[..len]);
        self.at += len;
        if self.at == self.said.len() {
            self.at = self.again;
        }
        Poll::Ready(Ok(len))
    }

    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_server_stops_in_time_whoever_talks_without_end() {
    const NOTE: &str = r#"{"jsonrpc":"2.0","method":"notifications/roots/list_changed"}"#;
    for is_web_socket in [false, true] {
        paused(async move {
            let (mut said, note) = if is_web_socket {
                (handshake(GOOD).into_bytes(), frame(FIN | TEXT, NOTE.as_bytes()))
            } else {
                (Vec::new(), format!("{NOTE}\n").into_bytes())
            };
            let again = said.len();
            said.extend(note);
            let endless = Stream::new(Endless { said, at: 0, again });
            let (running, stop) = served_once(endless, is_web_socket);
            // By hand: while somebody has something to do, time stands still.
            let moment = Duration::from_millis(100);
            tokio::time::advance(moment).await;
            assert!(!running.is_finished());
            stop.close();
            let began = tokio::time::Instant::now();
            while !running.is_finished() && began.elapsed() < 2 * LATEST {
                tokio::time::advance(moment).await;
            }
            assert!(began.elapsed() <= LATEST, "{is_web_socket} {:?}", began.elapsed());
        });
    }
}

#[test]
fn a_server_stops_in_time_whoever_reads_a_little_now_and_then() {
    paused(async {
        let (near, far) = tokio::io::duplex(1 << 10);
        let (running, stop) = served_once(mcp_tokio::stream(far), false);
        let mut raw = Raw::new(mcp_tokio::stream(near));
        let pings: String = (1..40_000)
            .map(|id| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n"))
            .collect();
        // More answers than may wait: nothing more is read of it.
        or(async { assert!(!raw.offer(pings.as_bytes()).await) }, idle()).await;
        let began = tokio::time::Instant::now();
        stop.close();
        let reading = async {
            while raw.fill().await > 0 {
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
            std::future::pending().await
        };
        or(async { running.await.unwrap() }, reading).await;
        assert!(began.elapsed() <= LATEST, "{:?}", began.elapsed());
    });
}
