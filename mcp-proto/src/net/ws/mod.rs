//! WebSocket for adapters: one message in each text message, subprotocol `mcp`.
//!
//! The specification does not define this transport; it follows its rules for custom ones, and is what the
//! WebSocket client of the TypeScript SDK speaks.
//!
//! | what | how |
//! |---|---|
//! | opening | a WebSocket handshake (RFC 6455) that names the subprotocol `mcp`, within a limit |
//! | framing | one JSON-RPC message in each text message, fragmented or not; compression is not negotiated |
//! | silence | a ping after 30 s; the connection fails when nothing is heard for that long again. Who reads nothing for a while, because what came is not taken yet, sends pongs unasked |
//! | cancellation | as over standard input and output: `notifications/cancelled` |
//! | closing | 1000 by choice, 1001 a server that stops, 1002 a broken WebSocket, 1003 a binary message, 1007 no UTF-8, 1008 a peer that is refused or silent, 1009 a message above the limit, 1011 else |
//!
//! A server looks at `Host` and `Origin` first, see [`Access`](crate::http::Access): by default only programs and pages
//! of this machine may connect. Nothing is encrypted and nobody is authenticated here: what is reached from other machines
//! stands behind a proxy that does both, or speaks over streams of its own, see [`Acceptor::accept`].

mod client;
mod counted;
mod server;
mod socket;

use core::time::Duration;

pub use self::client::Connector;
pub use self::server::{AcceptError, Acceptor};
pub use self::socket::Socket;

/// What a WebSocket that carries MCP is called in its handshake.
const SUBPROTOCOL: &str = "mcp";

/// How long nothing may be heard before the peer is asked whether it is still there.
const PULSE: Duration = Duration::from_secs(30);
