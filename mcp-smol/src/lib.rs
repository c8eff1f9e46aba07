//! MCP clients and servers on smol.
//!
//! The protocol is `mcp-proto`'s; this crate gives it smol's readers, writers and timers, the process's own standard
//! input and output, servers as child processes, TCP and Unix sockets, and with features HTTP and WebSockets. Names and
//! behaviour are those of `mcp-tokio`.
//!
//! A client, here with a server in the same process:
//!
//! ```
//! use mcp_smol::{CallTool, CallToolResult, ClientConfig, Progress, ServerConfig};
//! use smol::net::unix::UnixStream;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # smol::block_on(async {
//! let (near, far) = UnixStream::pair()?;
//! let mut server = mcp_smol::serve(far.clone(), far, ServerConfig::new("image-server", "1.0"));
//! let serving = smol::spawn(async move {
//!     while let Some(request) = server.accept().await {
//!         let _ = request.progress(Progress::new(1.0).of(2.0).message("half of it"));
//!         let _ = request.respond(&CallToolResult::text("resized"));
//!     }
//! });
//!
//! let client = mcp_smol::connect(near.clone(), near, ClientConfig::new("resize-cli", "1.0")).await?;
//! let mut last = 0.0; // the closure runs inside our own `.await`, so it may borrow
//! let result = client
//!     .call(CallTool::new("resize").argument("width", 800))
//!     .on_progress(|report| last = report.progress)
//!     .await?; // dropping this future instead would cancel the call
//! assert_eq!((last, result.content[0].as_text()), (1.0, Some("resized")));
//! drop(client);
//! serving.await;
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! Tasks run on smol's global executor, which starts with the first of them. What must run on an executor of your own, a
//! `LocalExecutor` for instance, is polled in place: [`run_local`], [`client_local`]; or take [`parts`].
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "process")]
pub mod child;
#[cfg(feature = "http")]
pub mod http;
pub mod parts;
mod platform;
#[cfg(feature = "process")]
mod process;
pub mod tcp;
#[cfg(unix)]
pub mod unix;
#[cfg(feature = "ws")]
pub mod ws;

use std::future::Future;
use std::pin::Pin;

use mcp_proto::net;
use smol::io::{AsyncRead, AsyncWrite};

use self::parts::duplex;

#[cfg(feature = "process")]
pub use self::child::spawn;
#[cfg(feature = "http")]
pub use self::http::{connect as connect_url, run as run_http};
pub use self::parts::stream;
pub use self::platform::Smol;
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
    net::connect(duplex(reader, writer), config, Smol::new()).await
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
    net::client(duplex(reader, writer), config, Smol::new(), prepare)
}

/// A client whose reader and writer need not be `Send`, and what moves it: that is to be polled beside the client,
/// in the same task or by `spawn_local`, and is ready when the connection has ended.
pub fn client_local<R: AsyncRead, W: AsyncWrite>(
    reader: R,
    writer: W,
    config: ClientConfig,
) -> (Client, impl Future<Output = CloseReason>) {
    mcp_proto::driver::client(duplex(reader, writer), config, Smol::new())
}

/// Serves the client at the other end of a reader and a writer: its requests are to be
/// [accepted](Server::accept).
pub fn serve<R, W>(reader: R, writer: W, config: ServerConfig) -> Server
where
    R: AsyncRead + Send + 'static,
    W: AsyncWrite + Send + 'static,
{
    net::serve(duplex(reader, writer), config, Smol::new())
}

/// Serves the client that started this process, over standard input and output. See [`stdio()`] for what
/// becomes of them.
///
/// # Errors
///
/// If they cannot be had.
pub fn serve_stdio(config: ServerConfig) -> std::io::Result<Server> {
    Ok(net::serve(stdio()?, config, Smol::new()))
}

/// Takes the process's standard input and output for the protocol.
///
/// With the feature `guard`, on by default, on Unix, the process's standard input is empty from then on, so that a child
/// process cannot swallow messages; and what is printed to its standard output goes to standard error, so that a stray
/// `println!` cannot break the protocol. Without it a print stands between the messages, fails where the output is full,
/// and a child process has to be given an input and an output of its own.
///
/// Pipes and sockets, which is what clients hand out, are read and written without a helper thread.
///
/// Call it once: later calls get the empty input, or share with the first.
///
/// # Errors
///
/// If a descriptor is closed or cannot be duplicated.
pub fn stdio() -> std::io::Result<Stream> {
    parts::stdio()
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
    net::run(router, duplex(reader, writer), Smol::new()).await
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
    Box::pin(net::run(router, io, Smol::new()))
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
    net::run_local(router, duplex(reader, writer), Smol::new()).await
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
