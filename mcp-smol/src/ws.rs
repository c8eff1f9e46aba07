//! WebSocket: one message in each text message, subprotocol `mcp`; see [`mcp_proto::net::ws`] for how it maps.
//!
//! A server looks at `Host` and `Origin` first, see [`Access`]: by default only programs and pages of this machine
//! may connect. Nothing is encrypted and nobody is authenticated here: what is reached from other machines stands
//! behind a proxy that does both, or speaks over streams of its own, see [`Acceptor::accept`].
//!
//! ```
//! use mcp_smol::{CallTool, CallToolResult, ClientConfig, Context, RawJson, Router, Tool};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # smol::block_on(async {
//! let schema = RawJson::parse(r#"{"type":"object"}"#)?;
//! let hello = async |_: Context, _: Option<RawJson>| CallToolResult::text("hello");
//! let router = Router::new("greeter", "1.0").raw_tool(Tool::new("hello", schema), hello);
//!
//! let listener = mcp_smol::ws::listen("127.0.0.1:0").await?;
//! let url = format!("ws://{}/mcp", listener.local_addr().expect("TCP has one"));
//! let (stop, stopped) = smol::channel::bounded::<()>(1);
//! let running = smol::spawn(listener.run(router, async move { drop(stopped.recv().await) }));
//!
//! let client = mcp_smol::connect_ws(&url, ClientConfig::new("example", "1.0")).await?;
//! let result = client.call(CallTool::new("hello")).await?;
//! assert_eq!(result.content[0].as_text(), Some("hello"));
//! drop(stop); // a program would wait for Ctrl-C instead
//! running.await;
//! # Ok(())
//! # })
//! # }
//! ```

use std::io;

use smol::net::AsyncToSocketAddrs as ToSocketAddrs;

use crate::{Client, ClientConfig, ConnectError, Listener, Smol, tcp};

pub use mcp_proto::http::Access;
pub use mcp_proto::net::ws::{AcceptError, Acceptor, Connector};

/// Connects to the server at a `ws://` or `wss://` URL, and waits until it is ready. See [`connector`] for headers
/// and more.
///
/// # Errors
///
/// [`ConnectError`]: there is no connection, or no server at its other end.
pub async fn connect(url: &str, config: ClientConfig) -> Result<Client, ConnectError> {
    connector().connect(url, config).await
}

/// How to connect, to be chosen.
///
/// ```no_run
/// # async fn example() -> Result<(), mcp_smol::ConnectError> {
/// use mcp_smol::ClientConfig;
///
/// let connector = mcp_smol::ws::connector().header("Authorization", "Bearer abc");
/// let client = connector.connect("wss://mcp.example.com/mcp", ClientConfig::new("example", "1.0")).await?;
/// # Ok(())
/// # }
/// ```
pub fn connector() -> Connector {
    Connector::new(Smol::new())
}

/// How WebSockets are accepted, to be chosen: over a [stream](crate::stream) of your own, or by [`listen_exposed`].
pub fn acceptor() -> Acceptor {
    Acceptor::new(Smol::new())
}

/// Listens for WebSockets on a loopback address, such as `127.0.0.1:4000`, for programs and pages of this machine.
/// With port 0 the system chooses one, see [`Listener::local_addr`].
///
/// # Errors
///
/// [`PermissionDenied`](io::ErrorKind::PermissionDenied) for an address that other machines reach; else why the
/// system refuses it.
pub async fn listen(address: impl ToSocketAddrs) -> io::Result<Listener> {
    acceptor().over(tcp::listen(address).await?)
}

/// Listens for WebSockets on any address. What authenticates and encrypts has to be before it, such as a proxy.
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput) if others reach the address and `acceptor` knows no name to be
/// reached by, see [`Access::host`]; else why the system refuses it.
pub async fn listen_exposed(
    address: impl ToSocketAddrs,
    acceptor: Acceptor,
) -> io::Result<Listener> {
    acceptor.over(tcp::listen_exposed(address).await?)
}
