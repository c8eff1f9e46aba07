//! How connections end.

use core::fmt;

use super::{ErrorObject, HttpError};

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CloseReason {
    /// This side closed it.
    Local,
    /// The peer closed it; so many bytes of an unfinished line were left.
    Eof {
        /// Bytes of the last line, which had no end.
        unread: usize,
    },
    /// The transport failed. A handle of the driver has what it said: `last_trouble`.
    Transport,
    /// HTTP failed while the conversation was opened, or so often that it cannot go on.
    Http(HttpError),
    /// The peer did not answer the handshake in time.
    HandshakeTimeout,
    /// The peer refused the handshake.
    HandshakeRefused(
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] ErrorObject,
    ),
    /// The peer answered the handshake with something else.
    HandshakeInvalid,
    /// The two sides share no revision.
    NoCommonVersion,
    /// The peer has not read for too long, with output waiting for it.
    Stalled,
    /// The peer broke the protocol too often.
    TooManyViolations,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str("closed by this side"),
            Self::Eof { unread: 0 } => f.write_str("the peer closed it"),
            Self::Eof { unread } => {
                write!(f, "the peer closed it in the middle of a message, {unread} bytes in")
            }
            Self::Transport => f.write_str("the transport failed"),
            Self::Http(error) => error.fmt(f),
            Self::HandshakeTimeout => f.write_str("the peer did not answer the handshake in time"),
            Self::HandshakeRefused(error) => write!(f, "the peer refused the handshake: {error}"),
            Self::HandshakeInvalid => {
                f.write_str("the peer's answer to the handshake cannot be read")
            }
            Self::NoCommonVersion => f.write_str("the two sides share no revision of the protocol"),
            Self::Stalled => f.write_str("the peer stopped reading"),
            Self::TooManyViolations => f.write_str("the peer broke the protocol too often"),
        }
    }
}

impl core::error::Error for CloseReason {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Http(error) => Some(error),
            Self::HandshakeRefused(error) => Some(error),
            _ => None,
        }
    }
}
