//! For adapters to other executors: everything that stands on smol's reactor, `async-io`, and on no executor.
//!
//! A program that runs its tasks on an executor of its own implements [`Platform`] with [`timer`], and [`Dial`] with
//! [`resolve`] and [`dial`]; what it needs then is here and in [`mcp_proto::net`]. `mcp-async-std` is such an adapter.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use mcp_proto::driver::Timer;
#[cfg(doc)]
use mcp_proto::net::Dial;
use mcp_proto::net::{
    Accept, Dialing, Duplex, Input, Listener, Output, Platform, Resolving, Stream, tcp,
};
use smol::Async;
use smol::io::{AsyncRead, AsyncWrite};
use smol::net::TcpStream;

#[cfg(feature = "process")]
pub use crate::process::spawn;
pub use smol::net::TcpListener;

/// A reader, a writer or both, as a transport's halves.
#[derive(Debug)]
pub struct Io<T>(Pin<Box<T>>);

impl<T> Io<T> {
    /// Of anything that is read or written.
    pub fn new(io: T) -> Self {
        Self(Box::pin(io))
    }
}

impl<R: AsyncRead> Input for Io<R> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_read(cx, buf)
    }
}

impl<W: AsyncWrite> Output for Io<W> {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(cx, buf)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_close(cx)
    }
}

/// A reader and a writer as one transport.
pub fn duplex<R, W>(reader: R, writer: W) -> Duplex<Io<R>, Io<W>> {
    Duplex::new(Io::new(reader), Io::new(writer))
}

/// A stream, such as one of a TLS library, under the type that every adapter knows.
pub fn stream(io: impl AsyncRead + AsyncWrite + Send + 'static) -> Stream {
    Stream::of(Io::new(io))
}

/// A timer of the reactor.
pub fn timer(wait: Duration) -> Pin<Box<dyn Timer>> {
    Box::pin(async move {
        smol::Timer::after(wait).await;
    })
}

/// Random bytes of the system.
#[cfg(feature = "http")]
pub fn seed() -> Option<[u8; 24]> {
    let mut seed = [0; 24];
    getrandom::fill(&mut seed).ok().map(|()| seed)
}

/// The addresses of a name.
pub fn resolve(host: &str, port: u16) -> Resolving {
    let host = host.to_owned();
    Box::pin(async move { smol::net::resolve((host, port)).await })
}

/// Opens a connection, [prepared](tcp::prepare) as all are.
pub fn dial(address: SocketAddr) -> Dialing {
    Box::pin(async move {
        let socket = TcpStream::connect(address).await?;
        tcp::prepare(&socket)?;
        Ok(stream(socket))
    })
}

/// Serves connections of a socket that is bound, on a platform.
///
/// # Errors
///
/// If the reactor does not take it.
pub fn listen_tcp(socket: std::net::TcpListener, platform: impl Platform) -> io::Result<Listener> {
    let address = socket.local_addr()?;
    Ok(Listener::new(accept_tcp(socket.try_into()?), Some(address), platform))
}

/// The connections of a socket that is bound.
pub fn accept_tcp(socket: TcpListener) -> impl Accept {
    let socket = Arc::<Async<std::net::TcpListener>>::from(socket);
    Accepting(move |cx: &mut Context<'_>| {
        let accept = || tcp::accept(socket.get_ref());
        let socket = ready!(poll_socket(cx, accept, |cx| socket.poll_readable(cx)))?;
        Poll::Ready(Ok(stream(TcpStream::from(Async::new(socket)?))))
    })
}

/// The same of a socket on a path, whose file goes with it.
///
/// # Errors
///
/// If the reactor does not take it.
#[cfg(unix)]
pub fn listen_unix(path: &std::path::Path, platform: impl Platform) -> io::Result<Listener> {
    let (socket, file) = mcp_proto::net::unix::bind(path)?;
    let socket = Async::new(socket)?;
    let accepting = Accepting(move |cx: &mut Context<'_>| {
        let _kept = &file;
        let accept = || socket.get_ref().accept();
        let (socket, _) = ready!(poll_socket(cx, accept, |cx| socket.poll_readable(cx)))?;
        Poll::Ready(Ok(stream(smol::net::unix::UnixStream::from(Async::new(socket)?))))
    });
    Ok(Listener::new(accepting, None, platform))
}

struct Accepting<F>(F);

impl<F> Accept for Accepting<F>
where
    F: FnMut(&mut Context<'_>) -> Poll<io::Result<Stream>> + Send,
{
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        (self.0)(cx)
    }
}

/// Tries, and tries again once the socket is ready for it.
fn poll_socket<T>(
    cx: &mut Context<'_>,
    attempt: impl Fn() -> io::Result<T>,
    poll_ready: impl Fn(&mut Context<'_>) -> Poll<io::Result<()>>,
) -> Poll<io::Result<T>> {
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => ready!(poll_ready(cx))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return Poll::Ready(done),
        }
    }
}

/// Takes the process's standard input and output. See [`stdio`](crate::stdio()).
///
/// # Errors
///
/// If a descriptor is closed or cannot be duplicated.
pub fn stdio() -> io::Result<Stream> {
    let (input, output) = os::take()?;
    Ok(Stream::new(Duplex::new(input, output)))
}

type Ends = (Box<dyn Input + Send>, Box<dyn Output + Send>);

#[cfg(unix)]
mod os {
    use std::io::{PipeReader, PipeWriter};

    use mcp_proto::net::stdio::{Descriptor, take as descriptors};
    use smol::Unblock;
    use smol::net::unix::UnixStream;

    use super::*;

    pub(super) fn take() -> io::Result<Ends> {
        let (input, output) = descriptors()?;
        let input: Box<dyn Input + Send> = match input {
            Descriptor::Pipe(fd) => Box::new(Io::new(Async::new(PipeReader::from(fd))?)),
            Descriptor::Socket(stream) => Box::new(Io::new(UnixStream::from(Async::new(stream)?))),
            Descriptor::Other(file) => Box::new(Io::new(Unblock::new(file))),
        };
        let output: Box<dyn Output + Send> = match output {
            Descriptor::Pipe(fd) => Box::new(Io::new(Async::new(PipeWriter::from(fd))?)),
            Descriptor::Socket(stream) => Box::new(Io::new(UnixStream::from(Async::new(stream)?))),
            Descriptor::Other(file) => Box::new(Io::new(Unblock::new(file))),
        };
        Ok((input, output))
    }
}

#[cfg(not(unix))]
mod os {
    use smol::Unblock;

    use super::*;

    pub(super) fn take() -> io::Result<Ends> {
        let (input, output) = (Unblock::new(io::stdin()), Unblock::new(io::stdout()));
        Ok((Box::new(Io::new(input)), Box::new(Io::new(output))))
    }
}
