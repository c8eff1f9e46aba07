//! MCP clients and servers on Tokio.
//!
//! The protocol is `mcp-proto`'s; this crate gives it Tokio's readers, writers and timers, the process's own standard
//! input and output, servers as child processes, TCP and Unix sockets, and with features HTTP and WebSockets.
//! What most programs need is named here, the rest in [`mcp_proto`].
//!
//! A client, here with a server in the same process:
//!
//! ```
//! use mcp_tokio::{CallTool, CallToolResult, ClientConfig, Progress, ServerConfig};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (near, far) = tokio::io::duplex(4096);
//! let (reader, writer) = tokio::io::split(far);
//! let mut server = mcp_tokio::serve(reader, writer, ServerConfig::new("image-server", "1.0"));
//! tokio::spawn(async move {
//!     while let Some(request) = server.accept().await {
//!         let _ = request.progress(Progress::new(1.0).of(2.0).message("half of it"));
//!         let _ = request.respond(&CallToolResult::text("resized"));
//!     }
//! });
//!
//! let (reader, writer) = tokio::io::split(near);
//! let client = mcp_tokio::connect(reader, writer, ClientConfig::new("resize-cli", "1.0")).await?;
//! let mut last = 0.0; // the closure runs inside our own `.await`, so it may borrow
//! let result = client
//!     .call(CallTool::new("resize").argument("width", 800))
//!     .on_progress(|report| last = report.progress)
//!     .await?; // dropping this future instead would cancel the call
//! assert_eq!((last, result.content[0].as_text()), (1.0, Some("resized")));
//! # Ok(())
//! # }
//! ```
//!
//! Every function here must be called within a Tokio runtime that has its timer enabled, and its I/O for
//! [`serve_stdio`], [`run_stdio`], `spawn`, [`tcp`] and `unix`. Both kinds of runtime will do.
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "process")]
pub mod child;
#[cfg(feature = "http")]
pub mod http;
mod io;
mod platform;
mod stdio;
pub mod tcp;
#[cfg(unix)]
pub mod unix;
#[cfg(feature = "ws")]
pub mod ws;

use std::future::Future;
use std::pin::Pin;

use mcp_proto::net;
use tokio::io::{AsyncRead, AsyncWrite};

use self::io::duplex;

#[cfg(feature = "process")]
pub use self::child::spawn;
#[cfg(feature = "http")]
pub use self::http::{connect as connect_url, run as run_http};
pub use self::io::stream;
pub use self::platform::Tokio;
pub use self::stdio::stdio;
#[cfg(feature = "ws")]
pub use self::ws::connect as connect_ws;
pub use mcp_proto;
#[doc(inline)]
pub use mcp_proto::net::prelude::*;

/// Connects to the server at the other end of a reader and a writer, and waits until it is ready.
///
/// The last clone of the client, dropped, closes the connection.
///
/// # Errors
///
/// Why the connection ended before the server was ready.
pub async fn connect<R, W>(
    reader: R,
    writer: W,
    config: ClientConfig,
) -> Result<Client, CloseReason>
where
    R: AsyncRead + Send + 'static,
    W: AsyncWrite + Send + 'static,
{
    net::connect(duplex(reader, writer), config, Tokio::new()).await
}

/// As [`connect`], without the waiting. `prepare` runs before the first byte is read, so that listeners set
/// there miss nothing of what a server says while it starts. Calls may be made at once; they leave when the
/// server is ready.
pub fn client<R, W>(
    reader: R,
    writer: W,
    config: ClientConfig,
    prepare: impl FnOnce(&Client),
) -> Client
where
    R: AsyncRead + Send + 'static,
    W: AsyncWrite + Send + 'static,
{
    net::client(duplex(reader, writer), config, Tokio::new(), prepare)
}

/// A client whose reader and writer need not be `Send`, and what moves it: that is to be polled beside the client,
/// in the same task or by `spawn_local`, and is ready when the connection has ended.
pub fn client_local<R: AsyncRead, W: AsyncWrite>(
    reader: R,
    writer: W,
    config: ClientConfig,
) -> (Client, impl Future<Output = CloseReason>) {
    mcp_proto::driver::client(duplex(reader, writer), config, Tokio::new())
}

/// Serves the client at the other end of a reader and a writer: its requests are to be
/// [accepted](Server::accept).
pub fn serve<R, W>(reader: R, writer: W, config: ServerConfig) -> Server
where
    R: AsyncRead + Send + 'static,
    W: AsyncWrite + Send + 'static,
{
    net::serve(duplex(reader, writer), config, Tokio::new())
}

/// Serves the client that started this process, over standard input and output. See [`stdio()`] for what
/// becomes of them.
///
/// # Errors
///
/// If they cannot be had.
pub fn serve_stdio(config: ServerConfig) -> std::io::Result<Server> {
    Ok(net::serve(stdio()?, config, Tokio::new()))
}

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
    net::run(router, duplex(reader, writer), Tokio::new()).await
}

/// Serves the client that started this process with a router's tools, over standard input and output. See
/// [`stdio`](stdio()) for what becomes of them, and [`run`].
///
/// # Errors
///
/// If they cannot be had: nothing was served then.
pub async fn run_stdio(router: Router) -> std::io::Result<CloseReason> {
    Ok(served(router, stdio()?).await)
}

/// Serves over standard input and output, compiled here: the body of an `async fn` is compiled in each program that
/// awaits it, anew after each edit.
fn served(router: Router, io: net::Stream) -> Pin<Box<dyn Future<Output = CloseReason> + Send>> {
    Box::pin(net::run(router, io, Tokio::new()))
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
    net::run_local(router, duplex(reader, writer), Tokio::new()).await
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
