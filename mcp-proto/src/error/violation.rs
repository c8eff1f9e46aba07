//! What the peer did wrong.

use alloc::string::String;
use core::fmt;

use super::{ErrorObject, HttpError};
use crate::id::{ProgressToken, RequestId};
use crate::json::{ScanErrorKind, Text};

/// How the peer broke the protocol. Already dealt with: this is for logs.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Violation {
    /// A line is not JSON.
    NotJson {
        /// What is wrong with it.
        fault: ScanErrorKind,
        /// Where, in bytes.
        offset: usize,
        /// How the line begins: 80 bytes of it at most. A peer chose it, so it is shown with escapes.
        start: String,
    },
    /// JSON, but no JSON-RPC message.
    NotAMessage(Text),
    /// A message nests deeper than the limit, or uses a reserved key.
    Refused(ScanErrorKind),
    /// A line is longer than the limit.
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A batch, which the revision in force does not have.
    Batch,
    /// A batch has more messages than the limit.
    BatchTooLong {
        /// The limit in messages.
        limit: usize,
    },
    /// A request uses the id of one that still waits for its answer.
    DuplicateId(#[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] RequestId),
    /// More requests at once than the limit.
    TooManyRequests,
    /// A response to a call that has ended.
    LateResponse(#[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] RequestId),
    /// A response to a call that never was.
    UnknownResponse(
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] RequestId,
    ),
    /// An error that names no request.
    AnonymousError(
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] ErrorObject,
    ),
    /// An id of another JSON type than the one that was sent; it was matched all the same.
    LenientId(#[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] RequestId),
    /// The response is not what the revision allows.
    InvalidResponse(Text),
    /// Progress for a call that has ended.
    LateProgress(
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] ProgressToken,
    ),
    /// Progress for a token that was never given out.
    UnknownToken(
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] ProgressToken,
    ),
    /// A token of another JSON type than the one that was sent; it was matched all the same.
    LenientToken(
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] ProgressToken,
    ),
    /// Progress with a token that is neither a string nor an integer.
    BadToken,
    /// Progress whose value is no finite number.
    BadProgress,
    /// Progress that did not increase; it was dropped.
    NotIncreasing {
        /// The call.
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
        id: RequestId,
        /// The value accepted before.
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
        last: f64,
        /// The value refused.
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
        progress: f64,
    },
    /// A message that the revision in force does not have in this direction.
    UnexpectedMethod(Text),
    /// A notification whose parameters cannot be read.
    BadNotification(Text),
    /// A tool whose arguments cannot be repeated in headers as its schema asks; it was left out of the list.
    BadTool {
        /// Its name, 256 bytes of it at most.
        tool: String,
        /// What is wrong with it.
        why: String,
    },
    /// An HTTP exchange that belongs to no call failed: that of a notification, of a reply, of a stream.
    Http(HttpError),
    /// So many violations came too fast to be reported one by one.
    More(u64),
}

impl Violation {
    /// The JSON-RPC error that a server answers a malformed message with, where that is to be answered at all.
    pub(crate) fn answer(&self) -> Option<(i64, &str)> {
        Some(match self {
            Self::NotJson { .. } => (ErrorObject::PARSE_ERROR, "parse error"),
            Self::NotAMessage(why) => (ErrorObject::INVALID_REQUEST, why.as_str()),
            Self::Refused(_) => {
                (ErrorObject::INVALID_REQUEST, "nested too deeply, or a reserved key")
            }
            Self::TooLong { .. } => (ErrorObject::INVALID_REQUEST, "message too long"),
            Self::Batch => (ErrorObject::INVALID_REQUEST, "batches are not part of this revision"),
            Self::BatchTooLong { .. } => {
                (ErrorObject::INVALID_REQUEST, "too many messages in a batch")
            }
            Self::DuplicateId(_) => {
                (ErrorObject::INVALID_REQUEST, "a request with this id is in flight")
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson { fault, offset, start } => {
                write!(f, "a line is not JSON: {fault} at byte {offset} of {start:?}")
            }
            Self::NotAMessage(why) => write!(f, "not a JSON-RPC message: {why}"),
            Self::Refused(kind) => write!(f, "a message was refused: {kind}"),
            Self::TooLong { limit } => write!(f, "a line is longer than {limit} bytes"),
            Self::Batch => f.write_str("a batch, which this revision does not have"),
            Self::BatchTooLong { limit } => write!(f, "a batch of more than {limit} messages"),
            Self::DuplicateId(id) => write!(f, "request id {id} is already in flight"),
            Self::TooManyRequests => f.write_str("too many requests at once"),
            Self::LateResponse(id) => write!(f, "a response to call {id}, which has ended"),
            Self::UnknownResponse(id) => write!(f, "a response to {id}, which was never called"),
            Self::AnonymousError(error) => {
                write!(f, "an error for no request in particular: {error}")
            }
            Self::LenientId(id) => {
                write!(f, "a response names its call {id}, of another type than was sent")
            }
            Self::InvalidResponse(why) => write!(f, "an invalid response: {why}"),
            Self::LateProgress(token) => write!(f, "progress for {token}, whose call has ended"),
            Self::UnknownToken(token) => {
                write!(f, "progress for {token}, which was never given out")
            }
            Self::LenientToken(token) => {
                write!(f, "progress for {token}, of another type than was sent")
            }
            Self::BadToken => {
                f.write_str("progress with a token that is neither string nor integer")
            }
            Self::BadProgress => f.write_str("progress whose value is no finite number"),
            Self::NotIncreasing { id, last, progress } => {
                write!(f, "progress of call {id} did not increase: {progress} after {last}")
            }
            Self::UnexpectedMethod(why) => write!(f, "an unexpected message: {why}"),
            Self::BadNotification(method) => write!(f, "the parameters of {method} cannot be read"),
            Self::BadTool { tool, why } => write!(f, "tool {tool:?} was left out: {why:?}"),
            Self::Http(error) => write!(f, "what belongs to no call failed: {error}"),
            Self::More(count) => write!(f, "{count} more, too fast to be reported one by one"),
        }
    }
}

impl core::error::Error for Violation {}
