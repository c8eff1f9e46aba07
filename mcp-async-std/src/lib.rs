//! MCP clients and servers on async-std.
//!
//! **async-std is discontinued** (RUSTSEC-2025-0052). This crate is for programs that are on it already; for new ones
//! take smol and `mcp-smol`. Names and behaviour are the same, and so is most of the code: async-std stands on smol's
//! reactor, so that this crate is `mcp-smol` with its tasks on async-std's executor. One bound is its own: the writers of
//! [`client_local`] and [`run_local`] are `'static`, for async-std's sockets do nothing when they are closed, and have to be
//! found out among all writers to be shut down.
//!
//! A client of a server that it starts:
//!
//! ```no_run
//! use mcp_async_std::{CallTool, ClientConfig, Command};
//!
//! # #[cfg(feature = "process")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # async_std::task::block_on(async {
//! let command = Command::new("image-server");
//! let child = mcp_async_std::spawn(command).connect(ClientConfig::new("resize-cli", "1.0")).await?;
//! let call = child.client.call(CallTool::new("resize").argument("width", 800));
//! let result = call.on_progress(|report| eprintln!("{}", report.progress)).await?;
//! println!("{result:?}");
//! child.shutdown().await;
//! # Ok(())
//! # })
//! # }
//! # #[cfg(not(feature = "process"))]
//! # fn main() {}
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "process")]
pub mod child;
mod closing;
#[cfg(feature = "http")]
pub mod http;
mod platform;
pub mod tcp;
#[cfg(unix)]
pub mod unix;
#[cfg(feature = "ws")]
pub mod ws;

use std::future::Future;
use std::pin::Pin;

use async_std::io::{Read, Write};
use mcp_proto::net;
use mcp_smol::parts;

#[cfg(feature = "process")]
pub use self::child::spawn;
#[cfg(feature = "http")]
pub use self::http::{connect as connect_url, run as run_http};
pub use self::platform::AsyncStd;
#[cfg(feature = "ws")]
pub use self::ws::connect as connect_ws;
pub use mcp_proto;
#[doc(inline)]
pub use mcp_proto::net::prelude::*;

/// A stream, such as one of a TLS library, under the type that every adapter knows.
pub fn stream(io: impl Read + Write + Send + 'static) -> Stream {
    parts::stream(closing::Closing::new(io))
}

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
    R: Read + Send + 'static,
    W: Write + Send + 'static,
{
    net::connect(closing::duplex(reader, writer), config, AsyncStd::new()).await
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
    R: Read + Send + 'static,
    W: Write + Send + 'static,
{
    net::client(closing::duplex(reader, writer), config, AsyncStd::new(), prepare)
}

/// A client whose reader and writer need not be `Send`, and what moves it: that is to be polled beside the client,
/// in the same task or by `spawn_local`, and is ready when the connection has ended.
pub fn client_local<R: Read, W: Write + 'static>(
    reader: R,
    writer: W,
    config: ClientConfig,
) -> (Client, impl Future<Output = CloseReason>) {
    mcp_proto::driver::client(closing::duplex(reader, writer), config, AsyncStd::new())
}

/// Serves the client at the other end of a reader and a writer: its requests are to be
/// [accepted](Server::accept).
pub fn serve<R, W>(reader: R, writer: W, config: ServerConfig) -> Server
where
    R: Read + Send + 'static,
    W: Write + Send + 'static,
{
    net::serve(closing::duplex(reader, writer), config, AsyncStd::new())
}

/// Serves the client that started this process, over standard input and output. See [`stdio()`] for what
/// becomes of them.
///
/// # Errors
///
/// If they cannot be had.
pub fn serve_stdio(config: ServerConfig) -> std::io::Result<Server> {
    Ok(net::serve(stdio()?, config, AsyncStd::new()))
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
    R: Read + Send + 'static,
    W: Write + Send + 'static,
{
    net::run(router, closing::duplex(reader, writer), AsyncStd::new()).await
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
    Box::pin(net::run(router, io, AsyncStd::new()))
}

/// Serves with tools, a reader and a writer that need not be `Send`: everything is polled in the task that
/// awaits this.
///
/// Ready as [`run`] is.
pub async fn run_local<R, W>(router: LocalRouter, reader: R, writer: W) -> CloseReason
where
    R: Read,
    W: Write + 'static,
{
    net::run_local(router, closing::duplex(reader, writer), AsyncStd::new()).await
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
