//! How HTTP fails what needed it.

use alloc::string::String;
use core::fmt;

/// How an HTTP exchange failed that a message needed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum HttpError {
    /// The server was not reached, or hung up before it said anything.
    Unreachable,
    /// The connection broke before the answer, and what is missing cannot be asked for again. Whether the
    /// server did what it was asked is not known.
    Cut,
    /// The server answered with a status and no message.
    Status {
        /// The status.
        status: u16,
        /// How the body begins, if it is a text: 256 bytes of it at most. A peer chose it, so it is shown with escapes.
        text: String,
    },
    /// The server accepted a request and gave no answer.
    NoAnswer,
    /// The answer is compressed, or neither JSON nor an event stream.
    ContentType,
    /// The head, the body or an event of the answer is longer than its limit.
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The server has forgotten the session, or is one of the other era now. A new conversation is being opened; whether the
    /// server did what it was asked is not known.
    SessionExpired,
    /// The server named an id for its session that no header can bear; it is not used.
    BadSession,
    /// The server named no address for messages, or one of another origin (HTTP+SSE of 2024-11-05).
    BadAddress,
    /// The server did not answer in time what is no call: a notification, a reply, the opening of a stream.
    TimedOut,
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => {
                f.write_str("the server was not reached, or hung up before it said anything")
            }
            Self::Cut => f.write_str("the stream ended before the answer"),
            Self::Status { status, text } => {
                write!(f, "the server answered with status {status}{}", Remark(text))
            }
            Self::NoAnswer => f.write_str("the server gave an empty answer"),
            Self::ContentType => {
                f.write_str("the answer is of another content type than the protocol's")
            }
            Self::TooLong { limit } => write!(f, "the answer is longer than {limit} bytes"),
            Self::SessionExpired => f.write_str("the server has ended the session"),
            Self::BadSession => f.write_str("the server named a session that no header can bear"),
            Self::BadAddress => f.write_str("the server named no address of its own for messages"),
            Self::TimedOut => f.write_str("the server did not answer in time"),
        }
    }
}

impl core::error::Error for HttpError {}

impl HttpError {
    /// Whether a server of any era may answer so.
    pub(crate) fn says_nothing_of_the_era(&self) -> bool {
        match self {
            Self::Unreachable => true,
            Self::Status { status, .. } => matches!(status, 401 | 403 | 407 | 408 | 429),
            _ => false,
        }
    }

    /// Whether the server refuses what it was asked, as it is.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(self, Self::Status { status: 400..500, .. })
    }
}

/// What a body says beside its status.
struct Remark<'a>(&'a str);

impl fmt::Display for Remark<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            "" => Ok(()),
            text => write!(f, ": {text:?}"),
        }
    }
}
