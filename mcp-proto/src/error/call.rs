//! How a call ends without a result.

use core::fmt;

use super::{CloseReason, ErrorObject, Expired, HttpError, SendError, Violation};
use crate::json::DecodeError;

/// How a call ended without a result.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum CallError {
    /// This side gave it up.
    Cancelled,
    /// The connection ended first.
    Closed(CloseReason),
    /// The result came, but it is not what the method promises.
    Decode(DecodeError),
    /// The HTTP exchange of the call failed.
    Http(HttpError),
    /// The peer answered with an error.
    Peer(#[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] ErrorObject),
    /// The answer breaks the protocol.
    Protocol(Violation),
    /// It was never sent.
    Send(SendError),
    /// A deadline passed.
    TimedOut(Expired),
    /// The server has ended the subscription that the call had opened; 2026-07-28 `basic/patterns/cancellation`.
    Withdrawn,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("cancelled"),
            Self::Closed(what) => write!(f, "the connection ended: {what}"),
            Self::Decode(what) => write!(f, "the result cannot be read: {what}"),
            Self::Http(error) => error.fmt(f),
            Self::Peer(what) => write!(f, "the peer answered with an error: {what}"),
            Self::Protocol(what) => write!(f, "the answer breaks the protocol: {what}"),
            Self::Send(error) => error.fmt(f),
            Self::TimedOut(error) => error.fmt(f),
            Self::Withdrawn => f.write_str("the server has ended the subscription"),
        }
    }
}

impl core::error::Error for CallError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Cancelled | Self::Withdrawn => None,
            Self::Closed(reason) => Some(reason),
            Self::Decode(error) => Some(error),
            Self::Http(error) => Some(error),
            Self::Peer(error) => Some(error),
            Self::Protocol(violation) => Some(violation),
            Self::Send(error) => Some(error),
            Self::TimedOut(expired) => Some(expired),
        }
    }
}

impl From<HttpError> for CallError {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl From<SendError> for CallError {
    fn from(error: SendError) -> Self {
        Self::Send(error)
    }
}
