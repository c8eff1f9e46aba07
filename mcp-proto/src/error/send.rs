//! Why something is not sent: the fault of the caller, or nobody's.

use core::fmt;

use crate::json::EncodeError;

/// Why something could not be sent. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum SendError {
    /// The peer cancelled this request: its answer is no longer wanted.
    Cancelled,
    /// The connection has ended.
    Closed,
    /// The value cannot be expressed as a JSON object.
    Encode(EncodeError),
    /// The peer has not finished the handshake.
    NotReady,
    /// The output waiting for the peer has reached its limit: it does not read, or this is too long.
    OutboxFull,
    /// The caller's own progress token is longer than the limit of tokens, so no report could name it.
    TokenTooLong,
    /// The caller's own progress token is in use, or a positive number: those are the engine's, which are call ids.
    TokenInUse,
    /// As many calls are in flight as the limits allow.
    TooManyCalls,
    /// There is no way to the client but for the answer: its connection is gone, or takes nothing else.
    Undeliverable,
    /// No such request waits for an answer: it was answered before, or never came.
    UnknownRequest,
    /// The revision in force has no such message in this direction.
    Unsupported,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the peer cancelled this request"),
            Self::Closed => f.write_str("the connection has ended"),
            Self::Encode(what) => write!(f, "cannot be sent: {what}"),
            Self::NotReady => f.write_str("the handshake is not finished"),
            Self::OutboxFull => {
                f.write_str("the output waiting for the peer has reached its limit")
            }
            Self::TokenTooLong => f.write_str("the progress token is too long"),
            Self::TokenInUse => f.write_str("the progress token is in use or reserved"),
            Self::TooManyCalls => f.write_str("too many calls are in flight"),
            Self::Undeliverable => f.write_str("nothing but the answer can reach the client"),
            Self::UnknownRequest => f.write_str("no such request waits for an answer"),
            Self::Unsupported => {
                f.write_str("the revision in force has no such message in this direction")
            }
        }
    }
}

impl core::error::Error for SendError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            _ => None,
        }
    }
}

impl From<EncodeError> for SendError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}
