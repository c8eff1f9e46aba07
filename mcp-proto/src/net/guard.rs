//! Inputs with a rule of their own: until when they are read, and how they must begin.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;

use super::halves::Input;
use super::signal::{Raised, Signal};
use super::stream::Stream;
use crate::driver::Transport;

/// An input that ends when it is told to and what is there is read: the pipe of a process that is gone, a socket
/// whose server stops.
#[derive(Debug)]
pub(crate) struct Until<I> {
    input: I,
    end: Raised,
    is_told: bool,
}

impl<I> Until<I> {
    pub(crate) fn new(input: I, end: &Signal) -> Self {
        Self { input, end: end.raised(), is_told: false }
    }

    fn poll_until(
        &mut self,
        cx: &mut Context<'_>,
        read: impl FnOnce(&mut I, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if !self.is_told {
            // Asked before it is read: what is not there afterwards came too late.
            self.is_told = Pin::new(&mut self.end).poll(cx).is_ready();
        }
        match read(&mut self.input, cx) {
            Poll::Pending if self.is_told => Poll::Ready(Ok(0)),
            polled => polled,
        }
    }
}

impl<I: Input> Input for Until<I> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_until(cx, |input, cx| input.poll_read(cx, buf))
    }
}

/// A socket's stream, as a server that listens reads it: until it stops, and only if it begins as a message does.
///
/// A line that is no message is skipped, as it must be on a server's standard output. To a socket anyone may speak: in
/// the body of an HTTP request, which any web page can make a browser send, there would be good messages behind the
/// lines of the head.
#[derive(Debug)]
pub(crate) struct Accepted {
    stream: Until<Stream>,
    is_checked: bool,
}

impl Accepted {
    pub(crate) fn new(stream: Stream, stop: &Signal) -> Self {
        Self { stream: Until::new(stream, stop), is_checked: false }
    }

    fn inner(self: Pin<&mut Self>) -> Pin<&mut Stream> {
        Pin::new(&mut self.get_mut().stream.input)
    }
}

impl Transport for Accepted {
    type Error = io::Error;

    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let read = |stream: &mut Stream, cx: &mut Context<'_>| Pin::new(stream).poll_read(cx, buf);
        let len = ready!(this.stream.poll_until(cx, read))?;
        if !this.is_checked {
            match buf.get(..len).unwrap_or_default().trim_ascii_start().first() {
                // The last is how a byte order mark begins.
                Some(b'{' | b'[' | 0xEF) => this.is_checked = true,
                Some(_) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                None => {}
            }
        }
        Poll::Ready(Ok(len))
    }

    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_close(cx)
    }
}
