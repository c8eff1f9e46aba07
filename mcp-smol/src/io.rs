//! smol's readers, writers and timers as the driver wants them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mcp_proto::Instant;
use mcp_proto::driver::{Runtime, Timer, Transport};
use smol::io::{AsyncRead, AsyncWrite};

/// A reader and a writer as one transport.
pub(crate) struct Io<R, W> {
    reader: Pin<Box<R>>,
    /// Gone once the output has ended: for a pipe, dropping it is what ends it.
    writer: Option<Pin<Box<W>>>,
}

impl<R: AsyncRead, W: AsyncWrite> Io<R, W> {
    pub(crate) fn new(reader: R, writer: W) -> Self {
        Self { reader: Box::pin(reader), writer: Some(Box::pin(writer)) }
    }

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
        retried(|| self.reader.as_mut().poll_read(cx, buf))
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
        let closed = ready!(writer.poll_close(cx));
        self.writer = None;
        Poll::Ready(closed)
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

/// The system's clock.
pub(crate) struct Clock {
    start: std::time::Instant,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl Runtime for Clock {
    fn now(&self) -> Instant {
        self.start.elapsed().into()
    }

    fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>> {
        let wait = at - self.now();
        Box::pin(async move {
            smol::Timer::after(wait).await;
        })
    }
}
