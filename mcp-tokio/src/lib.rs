//! MCP clients and servers on Tokio.
//!
//! The protocol is `mcp-proto`'s; this crate gives it Tokio's readers, writers and timers, the process's
//! own standard input and output, servers as child processes, TCP and Unix sockets, and with the feature `ws`
//! WebSockets. Everything that a program needs is named here.
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

#[cfg(feature = "process")]
pub mod child;
#[cfg(feature = "process")]
mod group;
#[cfg(feature = "http")]
pub mod http;
mod io;
mod listen;
mod run;
mod stdio;
#[cfg(any(feature = "http", feature = "ws"))]
mod target;
pub mod tcp;
#[cfg(any(feature = "http", feature = "ws"))]
mod tls;
#[cfg(unix)]
pub mod unix;
#[cfg(feature = "ws")]
pub mod ws;

use std::fmt;

use mcp_proto::driver;
use tokio::io::{AsyncRead, AsyncWrite};

use self::io::{Clock, Io};

#[cfg(feature = "process")]
pub use self::child::spawn;
#[cfg(feature = "http")]
pub use self::http::{connect as connect_url, serve as serve_http};
pub use self::listen::Listener;
pub use self::run::{run, run_local, run_stdio};
pub use self::stdio::{Stdin, Stdout, stdio};
#[cfg(feature = "ws")]
pub use self::ws::connect as connect_ws;
pub use mcp_proto;
pub use mcp_proto::driver::{
    Call, Client, Delivery, Incoming, ListenerError, Outcome, Reporter, Server, Steps,
};
pub use mcp_proto::progress::{Pacing, ProgressView, ReportError};
#[cfg(feature = "schemars")]
pub use mcp_proto::router::Structured;
pub use mcp_proto::router::{Context, LocalRouter, Router, ToolError, ToolInfo, ToolOutput};
pub use mcp_proto::types::{LogLevel, LogMessage, Progress, Tool};
pub use mcp_proto::{
    CallError, CallTool, CallToolResult, ClientConfig, CloseReason, ContentBlock, ErrorObject,
    ListTools, PeerInfo, ProgressToken, RawJson, Request, RequestId, Revision, SendError,
    ServerConfig, Timeouts, Violation,
};
#[cfg(feature = "process")]
pub use tokio::process::Command;

/// Why there is no connection to a server that listens.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody could be reached.
    Io(std::io::Error),
    /// Whoever was reached did not become ready.
    NotReady(CloseReason),
    /// The URL is none, of another scheme, or names a user.
    Url,
    /// A header is none, or one that cannot be chosen; this is its name.
    Header(String),
    /// Whoever was reached answered with this HTTP status.
    Status(u16),
    /// Whoever was reached does not speak this transport.
    NoWebSocket(String),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(what) => write!(f, "cannot connect: {what}"),
            Self::NotReady(what) => write!(f, "the server did not become ready: {what}"),
            Self::Url => f.write_str("no URL of a server"),
            Self::Header(what) => write!(f, "the header {what:?} cannot be sent"),
            Self::Status(what) => write!(f, "the server answered with HTTP status {what}"),
            Self::NoWebSocket(what) => write!(f, "the server does not speak WebSocket: {what}"),
        }
    }
}

impl From<std::io::Error> for ConnectError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<CloseReason> for ConnectError {
    fn from(error: CloseReason) -> Self {
        Self::NotReady(error)
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::NotReady(error) => Some(error),
            _ => None,
        }
    }
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
    R: AsyncRead + Send + 'static,
    W: AsyncWrite + Send + 'static,
{
    let client = client(reader, writer, config, |_| ());
    client.ready().await?;
    Ok(client)
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
    let (client, driver) = driver::client(Io::new(reader, writer), config, Clock::new());
    prepare(&client);
    tokio::spawn(driver);
    client
}

/// Serves the client at the other end of a reader and a writer: its requests are to be
/// [accepted](Server::accept).
pub fn serve<R, W>(reader: R, writer: W, config: ServerConfig) -> Server
where
    R: AsyncRead + Send + 'static,
    W: AsyncWrite + Send + 'static,
{
    let (server, driver) = driver::server(Io::new(reader, writer), config, Clock::new());
    tokio::spawn(driver);
    server
}

/// Serves the client that started this process, over standard input and output. See [`stdio()`] for what
/// becomes of them.
///
/// # Errors
///
/// If they cannot be had.
pub fn serve_stdio(config: ServerConfig) -> std::io::Result<Server> {
    let (reader, writer) = stdio()?;
    Ok(serve(reader, writer, config))
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
