//! What can go wrong, sorted by fault: the peer's (`Violation`), the caller's (`SendError`), and how
//! calls and connections end (`CallError`, `CloseReason`).

use alloc::string::String;
use core::fmt::{self, Write};
use core::num::NonZeroU32;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{ProgressToken, RequestId};
use crate::json::{DecodeError, EncodeError, RawJson, ScanErrorKind, Text, bounded};
#[cfg(feature = "snapshot")]
use crate::state::Kept;
use crate::types::ClientCapabilities;

/// The error member of a response: `basic/index`, error responses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ErrorObject {
    /// What kind: negative codes from -32768 to -32000 are JSON-RPC's and the protocol's own.
    pub code: i64,
    /// What happened, in a sentence.
    pub message: String,
    /// More, in a form that the code defines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<RawJson>,
}

impl ErrorObject {
    /// -32700: not JSON.
    pub const PARSE_ERROR: i64 = -32700;
    /// -32600: JSON, but no message.
    pub const INVALID_REQUEST: i64 = -32600;
    /// -32601: no such method here.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// -32602: the method is known, its parameters are wrong.
    pub const INVALID_PARAMS: i64 = -32602;
    /// -32603: failed inside.
    pub const INTERNAL_ERROR: i64 = -32603;
    /// -32020: an HTTP header differs from the body; from 2026-07-28.
    pub const HEADER_MISMATCH: i64 = -32020;
    /// -32021: the client lacks a capability; from 2026-07-28.
    pub const MISSING_CLIENT_CAPABILITY: i64 = -32021;
    /// -32022: the revision of the request is not served; from 2026-07-28.
    pub const UNSUPPORTED_VERSION: i64 = -32022;

    /// An error without data.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// Adds data.
    #[must_use]
    pub fn data(mut self, data: RawJson) -> Self {
        self.data = Some(data);
        self
    }

    /// The method is not known. The name is not echoed: a peer chose it.
    pub fn method_not_found() -> Self {
        Self::new(Self::METHOD_NOT_FOUND, "method not found")
    }

    /// The parameters are wrong, and how.
    pub fn invalid_params(why: impl Into<String>) -> Self {
        Self::new(Self::INVALID_PARAMS, why)
    }

    /// The request needs what its client does not say it can do, and what that is; 2026-07-28 `basic/index`.
    ///
    /// ```
    /// use mcp_proto::{ErrorObject, RawJson, types::ClientCapabilities};
    ///
    /// let mut needed = ClientCapabilities::default();
    /// needed.sampling = Some(RawJson::parse("{}")?);
    /// let error = ErrorObject::missing_capability(&needed);
    /// assert_eq!(error.data.unwrap().as_str(), r#"{"requiredCapabilities":{"sampling":{}}}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn missing_capability(required: &ClientCapabilities) -> Self {
        let why = "the client has not declared a capability that this needs";
        let data = RawJson::empty_object().with_member("requiredCapabilities", required);
        Self::new(Self::MISSING_CLIENT_CAPABILITY, why).data(data)
    }

    /// Something failed inside.
    pub fn internal(why: impl Into<String>) -> Self {
        Self::new(Self::INTERNAL_ERROR, why)
    }
}

/// Its members one after the other: in JSON one of them may be absent, which not every format can say.
#[cfg(feature = "snapshot")]
impl Kept for ErrorObject {
    type Form = (i64, String, Option<String>);

    fn form(&self) -> Self::Form {
        (self.code, self.message.clone(), self.data.form())
    }

    fn of((code, message, data): Self::Form) -> Result<Self, &'static str> {
        Ok(Self { code, message, data: Option::of(data)? })
    }
}

/// One line for a log: a peer chose the message, so control characters are shown with escapes, and of a long one
/// only the beginning.
impl fmt::Display for ErrorObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = bounded(&self.message, MAX_SHOWN);
        for character in shown.chars() {
            match character.is_control() {
                true => character.escape_default().fmt(f)?,
                false => f.write_char(character)?,
            }
        }
        let more = if shown.len() < self.message.len() { "…" } else { "" };
        write!(f, "{more} (code {})", self.code)
    }
}

/// Bytes of a peer's message that are shown.
const MAX_SHOWN: usize = 1 << 10;

impl core::error::Error for ErrorObject {}

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

/// Which deadline of a call passed, and what had happened until then.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Expired {
    /// Which deadline.
    pub limit: Limit,
    /// How long it was.
    pub after: Duration,
    /// How long the call had run.
    pub elapsed: Duration,
    /// Whether progress was asked for, so that reports could have re-armed the idle deadline.
    pub tracked: bool,
    /// Reports accepted until then.
    pub reports: u64,
    /// The value of the last one.
    #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
    pub last: Option<f64>,
    /// Other calls in flight at that moment.
    pub others: usize,
    /// One more than the milliseconds since the stream of its answer was cut. So small, it makes no event larger.
    #[cfg_attr(feature = "snapshot", serde(skip))] // nothing of a client over HTTP is kept
    pub(crate) interrupted: Option<NonZeroU32>,
}

/// A deadline of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
#[allow(clippy::exhaustive_enums)] // two deadlines a call is the design
pub enum Limit {
    /// Nothing was heard of the call for too long. Accepted progress re-arms it.
    Idle,
    /// The call took too long. Nothing re-arms it.
    Total,
}

impl Expired {
    /// How long the stream of its answer had been cut and not been taken up again, if it was: over HTTP, to the
    /// millisecond, and up to 49 days.
    pub fn interrupted(&self) -> Option<Duration> {
        self.interrupted.map(|more| Duration::from_millis((more.get() - 1).into()))
    }

    /// The stream of its answer was cut so long ago.
    #[cfg(feature = "http")]
    pub(crate) fn interrupted_for(&mut self, time: Duration) {
        let millis = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        self.interrupted = NonZeroU32::new(millis.saturating_add(1));
    }
}

impl core::error::Error for Expired {}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            Limit::Idle => {
                write!(f, "timed out: nothing was heard of the call for {:?}", self.after)?
            }
            Limit::Total => {
                write!(f, "timed out: the call took longer than {:?} in all", self.after)?
            }
        }
        match self.last {
            Some(last) => write!(f, "; {} reports had come, the last said {last}", self.reports)?,
            None if self.tracked => f.write_str("; no progress was ever reported")?,
            None => f.write_str(
                "; progress was not asked for: listen for it or set an idle deadline, and reports re-arm the deadline",
            )?,
        }
        if let Some(interrupted) = self.interrupted() {
            write!(f, "; its stream was cut {interrupted:?} before, and not taken up again")?;
        }
        if self.others > 0 {
            write!(f, "; {} other calls were in flight", self.others)?;
        }
        Ok(())
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn what_an_error_stands_for_is_its_source() {
        use core::error::Error;
        fn root(error: &dyn Error) -> Option<alloc::string::String> {
            let source = error.source()?;
            root(source).or_else(|| Some(source.to_string()))
        }
        let encode = EncodeError::not_an_object();
        let unsaid = CallError::Send(SendError::Encode(encode.clone()));
        assert_eq!(root(&unsaid), Some(encode.to_string()));
        let refused = CloseReason::HandshakeRefused(ErrorObject::new(7, "no"));
        let said = ErrorObject::new(7, "no").to_string();
        assert_eq!(root(&CallError::Closed(refused)), Some(said.clone()));
        assert_eq!(root(&CallError::Peer(ErrorObject::new(7, "no"))), Some(said));
        assert_eq!(root(&CallError::Cancelled), None);
    }

    #[test]
    fn what_a_peer_says_is_shown_on_one_short_line() {
        let error = ErrorObject::new(-32000, "no\n\u{1b}[31msuch\u{9b}é \"tool\"");
        assert_eq!(error.to_string(), "no\\n\\u{1b}[31msuch\\u{9b}é \"tool\" (code -32000)");
        let long = ErrorObject::new(1, "é".repeat(100_000)).to_string();
        assert_eq!(long, "é".repeat(512) + "… (code 1)");
    }
}
