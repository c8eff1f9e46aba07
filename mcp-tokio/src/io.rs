//! Tokio's readers, writers and timers as the driver wants them.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mcp_proto::Instant;
use mcp_proto::driver::{Runtime, Timer, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;

/// A reader and a writer as one transport.
pub(crate) struct Io<R, W> {
    reader: Pin<Box<R>>,
    /// Gone once the output has ended: for a pipe, dropping it is what ends it.
    writer: Option<Pin<Box<W>>>,
}

impl<R, W> Io<R, W> {
    pub(crate) fn new(reader: R, writer: W) -> Self {
        Self { reader: Box::pin(reader), writer: Some(Box::pin(writer)) }
    }
}

impl<R: AsyncRead, W: AsyncWrite> Io<R, W> {
    fn writer(&mut self) -> io::Result<Pin<&mut W>> {
        match &mut self.writer {
            Some(writer) => Ok(writer.as_mut()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl<R: AsyncRead, W: AsyncWrite> Transport for Io<R, W> {
    type Error = io::Error;

    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(retried(|| self.reader.as_mut().poll_read(cx, &mut buf)))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        retried(|| self.writer()?.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        retried(|| self.writer()?.poll_flush(cx))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Ok(writer) = self.writer() else { return Poll::Ready(Ok(())) };
        let closed = ready!(writer.poll_shutdown(cx));
        self.writer = None;
        Poll::Ready(closed)
    }
}

/// A reader that ends when it is told to and what is there is read: the pipe of a process that is gone, a socket
/// whose server stops.
pub(crate) struct Until<R> {
    reader: R,
    told: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    is_told: bool,
}

impl<R> Until<R> {
    /// Ends when `end` becomes true, or nobody can make it so any more.
    pub(crate) fn new(reader: R, mut end: watch::Receiver<bool>) -> Self {
        let told = async move {
            let _ = end.wait_for(|is_end| *is_end).await;
        };
        Self { reader, told: Box::pin(told), is_told: false }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Until<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.is_told {
            // Asked before it is read: what is not there afterwards came too late.
            this.is_told = this.told.as_mut().poll(cx).is_ready();
        }
        match Pin::new(&mut this.reader).poll_read(cx, buf) {
            Poll::Pending if this.is_told => Poll::Ready(Ok(())),
            polled => polled,
        }
    }
}

impl<R: fmt::Debug> fmt::Debug for Until<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reader.fmt(f)
    }
}

/// A system call that a signal interrupted has done nothing: it is made again.
fn retried<T>(mut attempt: impl FnMut() -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
    loop {
        match attempt() {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Tokio's clock, which tests can pause.
pub(crate) struct Clock {
    start: tokio::time::Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl Runtime for Clock {
    fn now(&self) -> Instant {
        self.start.elapsed().into()
    }

    fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>> {
        // Relative, because a deadline centuries away may be no `Instant` of the system.
        Box::pin(tokio::time::sleep(at - self.now()))
    }

    #[cfg(feature = "http")]
    fn seed(&self) -> Option<[u8; 24]> {
        let mut seed = [0; 24];
        getrandom::fill(&mut seed).ok().map(|()| seed)
    }
}
