//! The five hosts.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use mcp_proto::driver::{Client, Server};
use mcp_proto::net::child::Spawn;
use mcp_proto::net::{Accept, ConnectError, Listener, Stream};
use mcp_proto::router::{LocalRouter, Router};
use mcp_proto::{ClientConfig, CloseReason, ServerConfig};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::{Host, doomed, threads};

/// A host whose adapter has the names that every adapter has.
macro_rules! host {
    ($(#[$doc:meta])* $host:ident, $name:literal, $adapter:ident, $platform:ty, $now:expr, $doomed:ty, $block_on:path, $halves:path, $stream:path) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $host;

        impl Host for $host {
            const NAME: &'static str = $name;
            type Platform = $platform;
            type Doomed = $doomed;

            fn block_on<F: Future>(body: F) -> F::Output {
                $block_on(body)
            }

            fn platform() -> $platform {
                $now
            }

            fn stream(socket: UnixStream) -> Stream {
                $stream(socket)
            }

            async fn connect(
                socket: UnixStream,
                config: ClientConfig,
            ) -> Result<Client, CloseReason> {
                let (reader, writer) = $halves(socket);
                $adapter::connect(reader, writer, config).await
            }

            fn client(
                socket: UnixStream,
                config: ClientConfig,
                prepare: impl FnOnce(&Client),
            ) -> Client {
                let (reader, writer) = $halves(socket);
                $adapter::client(reader, writer, config, prepare)
            }

            fn client_local(
                socket: UnixStream,
                config: ClientConfig,
            ) -> (Client, impl Future<Output = CloseReason>) {
                let (reader, writer) = $halves(socket);
                $adapter::client_local(reader, writer, config)
            }

            fn serve(socket: UnixStream, config: ServerConfig) -> Server {
                let (reader, writer) = $halves(socket);
                $adapter::serve(reader, writer, config)
            }

            async fn run(router: Router, socket: UnixStream) -> CloseReason {
                let (reader, writer) = $halves(socket);
                $adapter::run(router, reader, writer).await
            }

            async fn run_local(router: LocalRouter, socket: UnixStream) -> CloseReason {
                let (reader, writer) = $halves(socket);
                $adapter::run_local(router, reader, writer).await
            }

            fn spawn(command: Command) -> Spawn {
                $adapter::spawn(command)
            }

            fn serve_stdio(config: ServerConfig) -> io::Result<Server> {
                $adapter::serve_stdio(config)
            }

            async fn run_stdio(router: Router) -> io::Result<CloseReason> {
                $adapter::run_stdio(router).await
            }

            async fn tcp_connect(
                address: SocketAddr,
                config: ClientConfig,
            ) -> Result<Client, ConnectError> {
                $adapter::tcp::connect(address, config).await
            }

            async fn tcp_listen(address: &str) -> io::Result<Listener> {
                $adapter::tcp::listen(address).await
            }

            async fn tcp_listen_exposed(address: &str) -> io::Result<Listener> {
                $adapter::tcp::listen_exposed(address).await
            }

            async fn unix_connect(
                path: &Path,
                config: ClientConfig,
            ) -> Result<Client, ConnectError> {
                $adapter::unix::connect(path, config).await
            }

            async fn unix_listen(path: &Path) -> io::Result<Listener> {
                $adapter::unix::listen(path).await
            }
        }
    };
}

host!(
    /// Tokio, all on the thread that waits.
    TokioCurrentThread, "tokio_current_thread", mcp_tokio, mcp_tokio::Tokio, mcp_tokio::Tokio::new(),
    doomed::TokioCurrentThread, on_this_thread, tokio_halves, tokio_stream
);
host!(
    /// Tokio with four workers.
    TokioMultiThread, "tokio_multi_thread", mcp_tokio, mcp_tokio::Tokio, mcp_tokio::Tokio::new(),
    doomed::TokioMultiThread, on_many_threads, tokio_halves, tokio_stream
);
host!(
    /// smol, on its global executor.
    Smol, "smol", mcp_smol, mcp_smol::Smol, mcp_smol::Smol::new(),
    doomed::Smol, smol::block_on, smol_halves, smol_stream
);
host!(
    /// async-std.
    AsyncStd, "async_std", mcp_async_std, mcp_async_std::AsyncStd, mcp_async_std::AsyncStd::new(),
    doomed::AsyncStd, async_std::task::block_on, async_std_halves, async_std_stream
);
host!(
    /// Threads that block, under the [toy adapter](crate::toy).
    Threads, "threads", threads, crate::toy::Threads, crate::toy::Threads(Instant::now()),
    doomed::Threads, crate::toy::block_on, threads::halves, threads::stream
);

fn on_this_thread<F: Future>(body: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(body)
}

fn on_many_threads<F: Future>(body: F) -> F::Output {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    runtime.expect("a runtime").block_on(body)
}

fn tokio_socket(socket: UnixStream) -> tokio::net::UnixStream {
    socket.set_nonblocking(true).expect("a socket");
    tokio::net::UnixStream::from_std(socket).expect("a runtime")
}

fn tokio_halves(socket: UnixStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    tokio_socket(socket).into_split()
}

pub(crate) fn tokio_stream(socket: UnixStream) -> Stream {
    mcp_tokio::stream(tokio_socket(socket))
}

/// A socket's connections.
struct Accepting(tokio::net::TcpListener);

impl Accept for Accepting {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let (socket, _) = ready!(self.0.poll_accept(cx))?;
        Poll::Ready(Ok(mcp_tokio::stream(socket)))
    }
}

pub(crate) fn tokio_accept(socket: TcpListener) -> io::Result<doomed::Source> {
    socket.set_nonblocking(true)?;
    Ok(doomed::Source::new(Accepting(tokio::net::TcpListener::from_std(socket)?)))
}

/// A socket's connections, for smol and async-std, which share the adapter's.
pub(crate) fn smol_accept(socket: TcpListener) -> io::Result<doomed::Source> {
    Ok(doomed::Source::new(mcp_smol::parts::accept_tcp(socket.try_into()?)))
}

type SmolStream = smol::net::unix::UnixStream;

fn smol_halves(socket: UnixStream) -> (SmolStream, SmolStream) {
    let socket = SmolStream::from(smol::Async::new(socket).expect("a reactor"));
    (socket.clone(), socket)
}

pub(crate) fn smol_stream(socket: UnixStream) -> Stream {
    mcp_smol::stream(SmolStream::from(smol::Async::new(socket).expect("a reactor")))
}

type AsyncStdStream = async_std::os::unix::net::UnixStream;

fn async_std_halves(socket: UnixStream) -> (AsyncStdStream, AsyncStdStream) {
    let socket = AsyncStdStream::from(socket);
    (socket.clone(), socket)
}

pub(crate) fn async_std_stream(socket: UnixStream) -> Stream {
    mcp_async_std::stream(AsyncStdStream::from(socket))
}
