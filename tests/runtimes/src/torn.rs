//! A stream of which a write fails half-way.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use mcp_proto::driver::Transport;
use mcp_proto::net::Stream;

/// A stream that takes so many bytes more and then fails once. What is written after that goes through: whoever reads at
/// the other end sees who goes on.
pub struct Torn {
    stream: Stream,
    tear: Tear,
}

/// When a stream is torn.
#[derive(Clone, Debug)]
pub struct Tear(Arc<AtomicUsize>);

const NEVER: usize = usize::MAX;

impl Torn {
    /// Of a stream, which is whole until it is told otherwise.
    pub fn new(stream: Stream) -> (Self, Tear) {
        let tear = Tear(Arc::new(AtomicUsize::new(NEVER)));
        (Self { stream, tear: tear.clone() }, tear)
    }
}

impl Tear {
    /// Once it has taken so many bytes more.
    pub fn after(&self, len: usize) {
        self.0.store(len, Ordering::Release);
    }

    /// Whether that has happened.
    pub fn is_over(&self) -> bool {
        self.0.load(Ordering::Acquire) == NEVER
    }
}

impl Transport for Torn {
    type Error = io::Error;

    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }

    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let left = self.tear.0.load(Ordering::Acquire);
        if left == 0 {
            self.tear.0.store(NEVER, Ordering::Release);
            return Poll::Ready(Err(io::Error::other("torn")));
        }
        let taken = Pin::new(&mut self.stream).poll_write(cx, &buf[..buf.len().min(left)]);
        if let Poll::Ready(Ok(len)) = taken
            && left != NEVER
        {
            self.tear.0.store(left - len, Ordering::Release);
        }
        taken
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
