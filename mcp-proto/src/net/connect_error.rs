//! Why there is no connection.

use alloc::string::String;

use crate::error::CloseReason;

/// Why there is no connection to a server that listens.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody could be reached.
    #[error("cannot connect: {0}")]
    Io(#[from] std::io::Error),
    /// Whoever was reached did not become ready.
    #[error("the server did not become ready: {0}")]
    NotReady(#[from] CloseReason),
    /// The URL is none, of another scheme, or names a user.
    #[error("no URL of a server")]
    Url,
    /// A header is none, or one that cannot be chosen; this is its name.
    #[error("the header {0:?} cannot be sent")]
    Header(String),
    /// Whoever was reached answered with this HTTP status.
    #[error("the server answered with HTTP status {0}")]
    Status(u16),
    /// Whoever was reached does not speak this transport.
    #[error("the server does not speak WebSocket: {0}")]
    NoWebSocket(String),
}
