//! Why there is no connection.

use alloc::string::String;
use core::fmt;
use std::io;

use crate::error::CloseReason;

/// Why there is no connection to a server that listens.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody could be reached.
    Io(io::Error),
    /// Whoever was reached does not speak TLS: an `https://` or `wss://` URL of a server without it.
    NoTls(io::Error),
    /// The certificate of whoever was reached is not trusted, or is another's; the error holds the one of rustls.
    Certificate(io::Error),
    /// Whoever was reached does not speak HTTP, or none without TLS.
    NoHttp(String),
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
            Self::NoTls(what) => write!(f, "the server does not speak TLS: {what}"),
            Self::Certificate(what) => write!(f, "the server is not trusted: {what}"),
            Self::NoHttp(what) => write!(f, "the server does not speak HTTP: {what}"),
            Self::NotReady(what) => write!(f, "the server did not become ready: {what}"),
            Self::Url => f.write_str("no URL of a server"),
            Self::Header(what) => write!(f, "the header {what:?} cannot be sent"),
            Self::Status(what) => write!(f, "the server answered with HTTP status {what}"),
            Self::NoWebSocket(what) => write!(f, "the server does not speak WebSocket: {what}"),
        }
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<CloseReason> for ConnectError {
    fn from(error: CloseReason) -> Self {
        Self::NotReady(error)
    }
}

impl core::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io(error) | Self::NoTls(error) | Self::Certificate(error) => Some(error),
            Self::NotReady(error) => Some(error),
            _ => None,
        }
    }
}
