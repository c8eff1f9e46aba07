//! A socket that fails while it accepts: on a clock that is paused, which only Tokio's can be, so that a minute is nothing.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use mcp_tokio::mcp_proto::net::Accept;
use mcp_tokio::{Listener, Router, Stream, Tokio, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

/// Fails always, with this, and tells of the thousandth attempt.
struct Broken {
    kind: io::ErrorKind,
    attempts: Arc<AtomicUsize>,
    enough: Arc<Notify>,
}

impl Accept for Broken {
    fn poll_accept(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        match self.attempts.fetch_add(1, Ordering::Relaxed) {
            0..1000 => Poll::Ready(Err(self.kind.into())),
            _ => {
                self.enough.notify_one();
                Poll::Pending
            }
        }
    }
}

/// Attempts until so many were made or so much time has passed, and the time.
async fn attempts(kind: io::ErrorKind, most: Duration) -> (usize, Duration) {
    let (attempts, enough) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let source = Broken { kind, attempts: attempts.clone(), enough: enough.clone() };
    let start = Instant::now();
    let until = async { drop(tokio::time::timeout(most, enough.notified()).await) };
    Listener::new(source, None, Tokio::new()).run(Router::new("test", "1.0"), until).await;
    (attempts.load(Ordering::Relaxed), start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_listener_without_descriptors_rests_and_still_stops() {
    let broken = io::ErrorKind::Other;
    // After 5 ms, 10 ms, 20 ms and so on.
    let (first, _) = attempts(broken, Duration::from_secs(1)).await;
    assert!((7..10).contains(&first), "{first} attempts in a second");
    let minute = Duration::from_secs(60);
    let (attempts, time) = attempts(broken, minute).await;
    assert!((60..80).contains(&attempts), "{attempts} attempts in a minute");
    assert!(time < minute + Duration::from_millis(10), "it stops when it is told: {time:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_gone_before_it_is_accepted_delays_nobody() {
    let gone = io::ErrorKind::ConnectionAborted;
    let (attempts, time) = attempts(gone, Duration::from_secs(60)).await;
    assert_eq!((attempts, time), (1001, Duration::ZERO));
}

/// A connection at a time.
struct Ends(UnboundedReceiver<Stream>);

impl Accept for Ends {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        match self.0.poll_recv(cx) {
            Poll::Ready(Some(end)) => Poll::Ready(Ok(end)),
            _ => Poll::Pending,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_say_a_line_in_time_gives_its_place_to_others() {
    let (ends, others) = unbounded_channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let listener = Listener::new(Ends(others), None, Tokio::new()).max_connections(3);
    let serving = tokio::spawn(listener.run(Router::new("test", "1.0"), async {
        drop(stopped.await);
    }));
    let connect = || {
        let (near, far) = duplex(1 << 16);
        ends.send(stream(far)).unwrap();
        near
    };
    // They take every place; one of them says a byte a second.
    let mut silent = [(); 3].map(|()| connect());
    let ping = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    let pong = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n".len();
    let mut served = connect();
    served.write_all(ping).await.unwrap();
    silent[1].write_all(b" \n").await.unwrap();
    let start = Instant::now();
    for byte in &ping[..9] {
        silent[2].write_all(&[*byte]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(served.read(&mut [0; 64]).await.unwrap(), pong);
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    for mut one in silent {
        assert_eq!(one.read(&mut [0]).await.unwrap_or(0), 0, "it is closed");
    }
    // Whoever has said one may be silent for as long as it likes.
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    served.write_all(ping).await.unwrap();
    assert_eq!(served.read(&mut [0; 64]).await.unwrap(), pong);
    drop(stop);
    serving.await.unwrap();
}
