//! Sockets that tell their peers that they are closed. async-std's own do nothing when they are closed, so that a peer which
//! waits for that, such as one of a WebSocket, would hear of it only when they are dropped.

use std::any::Any;
use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_std::io::{Read, Write};
use async_std::net::TcpStream;
#[cfg(unix)]
use async_std::os::unix::net::UnixStream;
use mcp_proto::net::Duplex;
use mcp_smol::parts::{self, Io};

/// A reader, a writer or both.
pub(crate) struct Closing<T>(Pin<Box<T>>);

impl<T> Closing<T> {
    pub(crate) fn new(io: T) -> Self {
        Self(Box::pin(io))
    }
}

/// A reader and a writer as one transport.
pub(crate) fn duplex<R, W>(reader: R, writer: W) -> Duplex<Io<R>, Io<Closing<W>>> {
    parts::duplex(reader, Closing::new(writer))
}

impl<R: Read> Read for Closing<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_read(cx, buf)
    }
}

impl<W: Write + 'static> Write for Closing<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.as_mut().poll_close(cx))?;
        Poll::Ready(shut_down(&*self.0))
    }
}

fn shut_down(io: &dyn Any) -> io::Result<()> {
    if let Some(socket) = io.downcast_ref::<TcpStream>() {
        return socket.shutdown(Shutdown::Write);
    }
    #[cfg(unix)]
    if let Some(socket) = io.downcast_ref::<UnixStream>() {
        return socket.shutdown(Shutdown::Write);
    }
    Ok(())
}
