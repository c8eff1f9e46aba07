//! Routers at work: requests accepted, handlers run, the end waited for.

use mcp_proto::CloseReason;
use mcp_proto::driver::{self, Server};
use mcp_proto::router::{LocalRouter, Router};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use crate::io::{Clock, Io};

/// Serves the client at the other end of a reader and a writer with a router's tools. Each request runs in
/// a task of its own.
///
/// Ready when the connection has ended and everything is written: what was accepted is answered first,
/// within the drain limit; what then still runs is dropped.
pub async fn run<R, W>(router: Router, reader: R, writer: W) -> CloseReason
where
    R: AsyncRead + Send + 'static,
    W: AsyncWrite + Send + 'static,
{
    let server = crate::serve(reader, writer, router.config());
    run_handlers(router, server).await
}

/// Runs each request of a connection in a task of its own, until it has ended.
pub(crate) async fn run_handlers(router: Router, mut server: Server) -> CloseReason {
    let mut handlers = JoinSet::new();
    while let Some(incoming) = server.accept().await {
        while handlers.try_join_next().is_some() {}
        handlers.spawn(router.handle(incoming));
    }
    server.closed().await
}

/// Serves the client that started this process with a router's tools, over standard input and output. See
/// [`stdio`](crate::stdio()) for what becomes of them, and [`run`]. If they cannot be had, it is over at once with
/// [`CloseReason::Transport`].
pub async fn run_stdio(router: Router) -> CloseReason {
    match crate::stdio() {
        Ok((reader, writer)) => run(router, reader, writer).await,
        Err(_) => CloseReason::Transport,
    }
}

/// Serves with tools, a reader and a writer that need not be `Send`: everything is polled in the task that
/// awaits this.
///
/// Ready as [`run`] is.
pub async fn run_local<R, W>(router: LocalRouter, reader: R, writer: W) -> CloseReason
where
    R: AsyncRead,
    W: AsyncWrite,
{
    let (server, driver) = driver::server(Io::new(reader, writer), router.config(), Clock::new());
    tokio::join!(driver, router.serve(server)).0
}
