//! Tokio's readers and writers as the driver wants them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mcp_proto::net::{Duplex, Input, Output, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A reader, a writer or both of Tokio.
pub(crate) struct Io<T>(Pin<Box<T>>);

impl<T> Io<T> {
    pub(crate) fn new(io: T) -> Self {
        Self(Box::pin(io))
    }
}

/// A reader and a writer as one transport.
pub(crate) fn duplex<R, W>(reader: R, writer: W) -> Duplex<Io<R>, Io<W>> {
    Duplex::new(Io::new(reader), Io::new(writer))
}

/// A stream of Tokio, such as one of a TLS library, under the type that every adapter knows.
pub fn stream(io: impl AsyncRead + AsyncWrite + Send + 'static) -> Stream {
    Stream::of(Io::new(io))
}

impl<R: AsyncRead> Input for Io<R> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        ready!(self.0.as_mut().poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }
}

impl<W: AsyncWrite> Output for Io<W> {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(cx)
    }
}
