//! What the other adapters offer, on the [toy adapter](crate::toy): sockets that listen, child processes, standard input
//! and output.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::pin::Pin;
use std::process::{self, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use async_channel::{Receiver, bounded};
use futures_lite::Stream as _;
use mcp_proto::driver::{Client, Server};
use mcp_proto::net::child::{Running, Spawn, Started};
use mcp_proto::net::stdio::{Descriptor, take};
use mcp_proto::net::{self, Accept, ConnectError, Duplex, Listener, Stream};
use mcp_proto::router::{LocalRouter, Router};
use mcp_proto::{ClientConfig, CloseReason, ServerConfig};
use rustix::net::Shutdown as How;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::toy::{Reads, Threads, Writes, reads, start, writes};

fn now() -> Threads {
    Threads(Instant::now())
}

/// One direction of a socket, which ends with this.
struct End(OwnedFd, How);

impl Drop for End {
    fn drop(&mut self) {
        let _ = rustix::net::shutdown(&self.0, self.1);
    }
}

/// A socket that blocks, as what reads and what writes.
pub fn halves(socket: impl AsFd) -> (Reads, Writes) {
    let copy = || socket.as_fd().try_clone_to_owned().expect("a descriptor");
    let reader = reads(File::from(copy()), End(copy(), How::Read));
    (reader, writes(File::from(copy()), End(copy(), How::Write)))
}

/// A socket that blocks, as one stream.
pub fn stream(socket: impl AsFd) -> Stream {
    let (reader, writer) = halves(socket);
    Stream::new(Duplex::new(reader, writer))
}

/// See `mcp_tokio::connect`.
///
/// # Errors
///
/// Why the connection ended before the server was ready.
pub async fn connect(
    reader: Reads,
    writer: Writes,
    config: ClientConfig,
) -> Result<Client, CloseReason> {
    net::connect(Duplex::new(reader, writer), config, now()).await
}

/// See `mcp_tokio::client`.
pub fn client(
    reader: Reads,
    writer: Writes,
    config: ClientConfig,
    prepare: impl FnOnce(&Client),
) -> Client {
    net::client(Duplex::new(reader, writer), config, now(), prepare)
}

/// See `mcp_tokio::client_local`.
pub fn client_local(
    reader: Reads,
    writer: Writes,
    config: ClientConfig,
) -> (Client, impl Future<Output = CloseReason>) {
    mcp_proto::driver::client(Duplex::new(reader, writer), config, now())
}

/// See `mcp_tokio::serve`.
pub fn serve(reader: Reads, writer: Writes, config: ServerConfig) -> Server {
    net::serve(Duplex::new(reader, writer), config, now())
}

/// See `mcp_tokio::run`.
pub async fn run(router: Router, reader: Reads, writer: Writes) -> CloseReason {
    net::run(router, Duplex::new(reader, writer), now()).await
}

/// See `mcp_tokio::run_local`.
pub async fn run_local(router: LocalRouter, reader: Reads, writer: Writes) -> CloseReason {
    net::run_local(router, Duplex::new(reader, writer), now()).await
}

/// See `mcp_tokio::serve_stdio`.
///
/// # Errors
///
/// If they cannot be had.
pub fn serve_stdio(config: ServerConfig) -> io::Result<Server> {
    Ok(net::serve(stdio()?, config, now()))
}

/// See `mcp_tokio::run_stdio`.
///
/// # Errors
///
/// If they cannot be had.
pub async fn run_stdio(router: Router) -> io::Result<CloseReason> {
    Ok(net::run(router, stdio()?, now()).await)
}

fn stdio() -> io::Result<Stream> {
    let (input, output) = take()?;
    let file = |descriptor| match descriptor {
        Descriptor::Pipe(fd) => Ok(File::from(fd)),
        Descriptor::Other(file) => Ok(file),
        Descriptor::Socket(socket) => {
            socket.set_nonblocking(false)?;
            Ok::<_, io::Error>(File::from(OwnedFd::from(socket)))
        }
    };
    Ok(Stream::new(Duplex::new(reads(file(input)?, ()), writes(file(output)?, ()))))
}

/// Connections that a thread accepts.
struct Accepting {
    accepted: Pin<Box<Receiver<io::Result<Stream>>>>,
    _end: End,
    /// What is to be kept as long as it listens.
    _kept: Box<dyn Send>,
}

impl Accepting {
    fn new<L: AsFd + Send + 'static, S: AsFd + 'static>(
        listener: L,
        accept: fn(&L) -> io::Result<S>,
        kept: impl Send + 'static,
    ) -> io::Result<Self> {
        let end = End(listener.as_fd().try_clone_to_owned()?, How::Both);
        let (accepts, accepted) = bounded(1);
        start(move || while accepts.send_blocking(accept(&listener).map(stream)).is_ok() {});
        Ok(Self { accepted: Box::pin(accepted), _end: end, _kept: Box::new(kept) })
    }
}

impl Accept for Accepting {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let accepted = ready!(self.accepted.as_mut().poll_next(cx));
        Poll::Ready(accepted.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into())))
    }
}

/// Sockets on TCP.
pub mod tcp {
    use super::*;

    /// See `mcp_tokio::tcp::connect`.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn connect(
        address: SocketAddr,
        config: ClientConfig,
    ) -> Result<Client, ConnectError> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        Ok(net::connect(stream(socket), config, now()).await?)
    }

    /// See `mcp_tokio::tcp::listen`.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn listen(address: &str) -> io::Result<Listener> {
        listening(net::tcp::bind_loopback(&address.to_socket_addrs()?.collect::<Vec<_>>())?)
    }

    /// See `mcp_tokio::tcp::listen_exposed`.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn listen_exposed(address: &str) -> io::Result<Listener> {
        listening(net::tcp::bind(&address.to_socket_addrs()?.collect::<Vec<_>>())?)
    }

    fn listening(socket: TcpListener) -> io::Result<Listener> {
        let address = socket.local_addr()?;
        Ok(Listener::new(accepting(socket)?, Some(address), now()))
    }

    /// The connections of a socket that is bound.
    pub(crate) fn accepting(socket: TcpListener) -> io::Result<impl Accept> {
        socket.set_nonblocking(false)?;
        let accept = |socket: &TcpListener| {
            let (stream, _) = socket.accept()?;
            stream.set_nodelay(true)?;
            Ok(stream)
        };
        Accepting::new(socket, accept, ())
    }
}

/// Sockets on a path.
pub mod unix {
    use super::*;

    /// See `mcp_tokio::unix::connect`.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn connect(path: &Path, config: ClientConfig) -> Result<Client, ConnectError> {
        Ok(net::connect(stream(UnixStream::connect(path)?), config, now()).await?)
    }

    /// See `mcp_tokio::unix::listen`.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn listen(path: &Path) -> io::Result<Listener> {
        let (socket, file) = net::unix::bind(path)?;
        socket.set_nonblocking(false)?;
        let accept = |socket: &UnixListener| Ok(socket.accept()?.0);
        Ok(Listener::new(Accepting::new(socket, accept, file)?, None, now()))
    }
}

/// See `mcp_tokio::spawn`.
pub fn spawn(command: Command) -> Spawn {
    Spawn::new(command, begin, now())
}

fn begin(mut command: Command, stderr: Stdio) -> io::Result<Started> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr);
    let mut child = command.spawn()?;
    let stdin = child.stdin.take().map(|stdin| writes(stdin, ()));
    let stdout = child.stdout.take().map(|stdout| reads(stdout, ()));
    let stderr = child.stderr.take().map(|stderr| reads(stderr, ()));
    Started::piped(Kept::new(child), stdin, stdout, stderr)
}

/// A process whose end a thread waits for.
struct Kept {
    id: u32,
    child: Arc<Mutex<process::Child>>,
    exited: Pin<Box<Receiver<io::Result<ExitStatus>>>>,
}

impl Kept {
    fn new(child: process::Child) -> Self {
        let (id, child) = (child.id(), Arc::new(Mutex::new(child)));
        let ((exit, exited), waited) = (bounded(1), child.clone());
        start(move || {
            // It stays there to be killed until it is reaped under the lock.
            let pid = i32::try_from(id).ok().and_then(Pid::from_raw).expect("a process");
            while waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).is_err() {
            }
            let _ = exit.try_send(waited.lock().unwrap_or_else(PoisonError::into_inner).wait());
        });
        Self { id, child, exited: Box::pin(exited) }
    }
}

impl Running for Kept {
    fn id(&self) -> Option<u32> {
        Some(self.id)
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        let exited = ready!(self.exited.as_mut().poll_next(cx));
        Poll::Ready(exited.unwrap_or_else(|| Err(io::ErrorKind::NotFound.into())))
    }

    fn kill(&mut self) {
        let _ = self.child.lock().unwrap_or_else(PoisonError::into_inner).kill();
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.kill();
    }
}
