//! A stream that moves little at a time.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use mcp_proto::driver::Transport;
use mcp_proto::net::Stream;

/// A stream whose reads and writes are as short as two functions say, 1 byte at least.
pub struct Narrow<F> {
    stream: Stream,
    next: F,
}

impl<F: FnMut() -> usize> Narrow<F> {
    /// Of a stream; `next` is how many bytes the next read or write may move.
    pub fn new(stream: Stream, next: F) -> Self {
        Self { stream, next }
    }
}

impl<F: FnMut() -> usize + Unpin> Transport for Narrow<F> {
    type Error = io::Error;

    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let len = (self.next)().clamp(1, buf.len());
        Pin::new(&mut self.stream).poll_read(cx, &mut buf[..len])
    }

    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let len = (self.next)().clamp(1, buf.len());
        Pin::new(&mut self.stream).poll_write(cx, &buf[..len])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
