//! What a runtime has to offer to be tried.

use std::io;
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::pin::Pin;
use std::process::Command;
use std::task::Poll;
use std::thread;

use async_channel::Receiver;
use mcp_proto::driver::{Client, Server};
use mcp_proto::net::child::Spawn;
use mcp_proto::net::{ConnectError, Listener, Platform, Stream};
use mcp_proto::router::{LocalRouter, Router};
use mcp_proto::{ClientConfig, CloseReason, ServerConfig};

use crate::doomed::Doomed;

/// A runtime with its adapter. Sockets become what the runtime itself calls a reader and a writer.
pub trait Host: Sized + Send + Sync + 'static {
    /// Its name, as a test of it is called.
    const NAME: &'static str;

    /// Its platform.
    type Platform: Platform + Clone;

    /// What can be shut down, or what comes next to it.
    type Doomed: Doomed;

    /// Runs a future to its end on a runtime, which ends with it where a runtime can.
    fn block_on<F: Future>(body: F) -> F::Output;

    /// Its platform, from now.
    fn platform() -> Self::Platform;

    /// A socket as one stream.
    fn stream(socket: UnixStream) -> Stream;

    /// The adapter's `connect`.
    fn connect(
        socket: UnixStream,
        config: ClientConfig,
    ) -> impl Future<Output = Result<Client, CloseReason>> + Send;

    /// The adapter's `client`.
    fn client(socket: UnixStream, config: ClientConfig, prepare: impl FnOnce(&Client)) -> Client;

    /// The adapter's `client_local`.
    fn client_local(
        socket: UnixStream,
        config: ClientConfig,
    ) -> (Client, impl Future<Output = CloseReason>);

    /// The adapter's `serve`.
    fn serve(socket: UnixStream, config: ServerConfig) -> Server;

    /// The adapter's `run`.
    fn run(router: Router, socket: UnixStream) -> impl Future<Output = CloseReason> + Send;

    /// The adapter's `run_local`.
    fn run_local(router: LocalRouter, socket: UnixStream) -> impl Future<Output = CloseReason>;

    /// The adapter's `spawn`.
    fn spawn(command: Command) -> Spawn;

    /// The adapter's `serve_stdio`.
    ///
    /// # Errors
    ///
    /// If they cannot be had.
    fn serve_stdio(config: ServerConfig) -> io::Result<Server>;

    /// The adapter's `run_stdio`.
    fn run_stdio(router: Router) -> impl Future<Output = io::Result<CloseReason>> + Send;

    /// The adapter's `tcp::connect`.
    fn tcp_connect(
        address: SocketAddr,
        config: ClientConfig,
    ) -> impl Future<Output = Result<Client, ConnectError>> + Send;

    /// The adapter's `tcp::listen`.
    fn tcp_listen(address: &str) -> impl Future<Output = io::Result<Listener>> + Send;

    /// The adapter's `tcp::listen_exposed`.
    fn tcp_listen_exposed(address: &str) -> impl Future<Output = io::Result<Listener>> + Send;

    /// The adapter's `unix::connect`.
    fn unix_connect(
        path: &Path,
        config: ClientConfig,
    ) -> impl Future<Output = Result<Client, ConnectError>> + Send;

    /// The adapter's `unix::listen`.
    fn unix_listen(path: &Path) -> impl Future<Output = io::Result<Listener>> + Send;
}

/// A task that was spawned: what it yields. Dropped, it lets the task go on.
#[derive(Debug)]
pub struct Job<T>(Receiver<thread::Result<T>>);

/// Runs a task on a platform beside the body.
pub fn spawn<T: Send + 'static>(
    platform: &impl Platform,
    task: impl Future<Output = T> + Send + 'static,
) -> Job<T> {
    let (yields, yielded) = async_channel::bounded(1);
    platform.spawn(Box::pin(async move {
        let mut task = Some(Box::pin(task));
        let output = std::future::poll_fn(|cx| {
            let Some(future) = &mut task else { return Poll::Pending };
            match catch_unwind(AssertUnwindSafe(|| Pin::new(future).poll(cx))) {
                Ok(polled) => polled.map(Ok),
                Err(panic) => Poll::Ready(Err(panic)),
            }
        })
        .await;
        // What the task owned is gone before it counts as over.
        task = None;
        let _ = yields.try_send(output);
        drop(task);
    }));
    Job(yielded)
}

impl<T> Job<T> {
    /// What it yields. Its panic goes on here.
    pub async fn join(self) -> T {
        let output = self.0.recv().await.expect("its runtime is gone");
        output.unwrap_or_else(|panic| resume_unwind(panic))
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        !self.0.is_empty() || self.0.is_closed()
    }
}
