//! MCP clients and servers on smol.
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod io;

use mcp_proto::driver;
use smol::io::{AsyncRead, AsyncWrite};

use self::io::{Clock, Io};

pub use mcp_proto;
pub use mcp_proto::driver::{
    Call, Client, Delivery, Incoming, ListenerError, Outcome, Reporter, Server, Steps,
};
pub use mcp_proto::progress::{Pacing, ProgressView, ReportError};
#[cfg(feature = "schemars")]
pub use mcp_proto::router::Structured;
pub use mcp_proto::router::{Context, Router, ToolError, ToolInfo, ToolOutput};
pub use mcp_proto::types::{LogLevel, LogMessage, Progress, Tool};
pub use mcp_proto::{
    CallError, CallTool, CallToolResult, ClientConfig, CloseReason, ContentBlock, ErrorObject,
    ListTools, PeerInfo, ProgressToken, RawJson, Request, RequestId, Revision, SendError,
    ServerConfig, Timeouts, Violation,
};

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
    smol::spawn(driver).detach();
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
    smol::spawn(driver).detach();
    server
}

/// Serves the client at the other end of a reader and a writer with a router's tools. Each request runs in
/// a task of its own.
///
/// Ready when the connection has ended and everything is written: what was accepted is answered first,
/// within the drain limit.
pub async fn run<R, W>(router: Router, reader: R, writer: W) -> CloseReason
where
    R: AsyncRead + Send + 'static,
    W: AsyncWrite + Send + 'static,
{
    let mut server = serve(reader, writer, router.config());
    while let Some(incoming) = server.accept().await {
        smol::spawn(router.handle(incoming)).detach();
    }
    server.closed().await
}
