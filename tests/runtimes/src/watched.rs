//! Streams that tell what passes, and how they get to those who listen and dial.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_channel::{Receiver, Sender, bounded};
use mcp_proto::Instant;
use mcp_proto::driver::{Runtime, Timer, Transport};
use mcp_proto::net::{Accept, Dial, Dialing, Platform, Resolving, Stream, Task};

/// What has passed through a stream.
#[derive(Debug)]
pub struct Seen {
    read: AtomicUsize,
    writes: Mutex<Vec<Vec<u8>>>,
    full: Receiver<()>,
}

impl Seen {
    /// Bytes that were read from it.
    pub fn read(&self) -> usize {
        self.read.load(Ordering::Relaxed)
    }

    /// What was written to it, write by write.
    pub fn writes(&self) -> Vec<Vec<u8>> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it was full: somebody could not write to it.
    pub async fn filled(&self) {
        self.full.recv().await.expect("a stream");
    }
}

/// A stream, and what passes through it.
pub fn watched(stream: Stream) -> (Stream, Arc<Seen>) {
    let (fills, full) = bounded(1);
    let seen = Arc::new(Seen { read: AtomicUsize::new(0), writes: Mutex::default(), full });
    (Stream::new(Watched { stream, seen: seen.clone(), fills }), seen)
}

struct Watched {
    stream: Stream,
    seen: Arc<Seen>,
    fills: Sender<()>,
}

impl Transport for Watched {
    type Error = io::Error;

    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Poll::Ready(Ok(len)) = read {
            self.seen.read.fetch_add(len, Ordering::Relaxed);
        }
        read
    }

    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, seen, fills } = &mut *self;
        // Locked until it is noted: whoever has read it finds it here.
        let mut writes = seen.writes.lock().unwrap_or_else(PoisonError::into_inner);
        let written = Pin::new(stream).poll_write(cx, buf);
        match written {
            Poll::Ready(Ok(len)) => writes.push(buf[..len].to_vec()),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => drop(fills.try_send(())),
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// Connections that are there already, for who listens and for who dials.
#[derive(Clone, Debug)]
pub struct Ends<P = ()> {
    ends: Arc<Mutex<VecDeque<Stream>>>,
    platform: P,
}

impl Ends {
    /// For who listens: these come, and no others.
    pub fn of(ends: impl IntoIterator<Item = Stream>) -> Self {
        Self::on((), ends)
    }
}

impl<P> Ends<P> {
    /// For who dials, on a platform: it gets these, and is refused then.
    pub fn on(platform: P, ends: impl IntoIterator<Item = Stream>) -> Self {
        Self { ends: Arc::new(Mutex::new(ends.into_iter().collect())), platform }
    }

    fn next(&self) -> Option<Stream> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Accept for Ends {
    fn poll_accept(&mut self, _: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        self.next().map_or(Poll::Pending, |end| Poll::Ready(Ok(end)))
    }
}

impl<P: Platform> Runtime for Ends<P> {
    fn now(&self) -> Instant {
        self.platform.now()
    }

    fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>> {
        self.platform.timer(at)
    }

    fn seed(&self) -> Option<[u8; 24]> {
        self.platform.seed()
    }
}

impl<P: Platform> Platform for Ends<P> {
    fn spawn(&self, task: Task) {
        self.platform.spawn(task);
    }
}

impl<P: Platform> Dial for Ends<P> {
    fn resolve(&self, _: &str, port: u16) -> Resolving {
        Box::pin(async move { Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]) })
    }

    fn dial(&self, _: SocketAddr) -> Dialing {
        let end = self.next().ok_or_else(|| io::ErrorKind::ConnectionRefused.into());
        Box::pin(async { end })
    }
}
