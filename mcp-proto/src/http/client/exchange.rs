//! One exchange: what it is for, and how far it has come.

use alloc::boxed::Box;
use alloc::vec::Vec;

use core::time::Duration;

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, response};

use super::super::media;
use super::position::Position;
use crate::endpoint::Purpose;
use crate::error::HttpError;
use crate::id::RequestId;
use crate::json::bounded;
use crate::time::Instant;
use crate::wire::sse::Decoder;

/// An exchange in flight, or one that is to be opened when it is due.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) aim: Aim,
    pub(super) state: State,
    /// When its request was handed over.
    pub(super) asked: Instant,
    /// When something is to happen to it.
    pub(super) due: Option<Instant>,
    /// Its end, while something that came before it waits to be read.
    pub(super) ended: Option<(End, Instant)>,
    /// Whether its request named a session.
    pub(super) in_session: bool,
    /// Of a stream that may be resumed.
    pub(super) position: Option<Box<Position>>,
    /// What was said, while it may have to be said again with other headers.
    pub(super) message: Option<Bytes>,
}

/// What an exchange is for.
#[derive(Clone, Debug)]
pub(super) enum Aim {
    /// The answer to a call: its POST, or a GET that resumes its stream.
    Call(i64, Option<Opening>),
    /// To say something that has no answer.
    Message(Lane),
    /// What belongs to no call; a GET.
    Listen,
    /// Everything that a server of 2024-11-05 says.
    Channel,
    /// The end of the session.
    Delete,
}

/// A call that opens the conversation.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    pub(super) purpose: Purpose,
    /// To be said again to a server that wants it elsewhere.
    pub(super) message: Bytes,
}

/// Messages that must arrive in order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Lane {
    /// The handshake is not over before this has arrived.
    Initialized,
    /// What belongs to nothing.
    Standalone,
    /// What belongs to this request of the server.
    Request(RequestId),
    /// What gives up this call.
    Cancel(i64),
}

#[derive(Clone, Debug)]
pub(super) enum State {
    /// Its request is to be opened when it is due.
    Waiting,
    /// The head of its answer has not come.
    Asked,
    /// Nor has it, and the call was given up: what says so goes when the server has heard of the call.
    Leaving(Bytes),
    /// One message.
    Json(Vec<u8>),
    /// Messages, as events.
    Stream(Box<Decoder>),
    /// What went wrong.
    Error(Failing),
    /// Nobody cares for the rest.
    Ignored,
}

/// How a body came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Complete,
    Broken,
}

/// The answer of a server that refuses.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    pub(super) status: u16,
    /// How long to wait before it is asked again, if it says so.
    pub(super) retry_after: Option<Duration>,
    is_json: bool,
    is_text: bool,
    body: Vec<u8>,
}

/// What the head of an answer promises.
pub(super) enum Promise {
    Json,
    Stream,
    /// It was accepted, and that is all.
    Accepted,
    Error(Failing),
    Nonsense(HttpError),
}

impl Aim {
    /// The call that it is for.
    pub(super) fn call(&self) -> Option<RequestId> {
        match self {
            Self::Call(number, _) => Some(RequestId::from(*number)),
            Self::Message(_) | Self::Listen | Self::Channel | Self::Delete => None,
        }
    }

    /// Whether it stays open as long as the session.
    pub(super) fn is_standing(&self) -> bool {
        matches!(self, Self::Listen | Self::Channel)
    }
}

/// Bytes of a refusal that are shown.
const SHOWN: usize = 256;

impl Entry {
    pub(super) fn new(aim: Aim, in_session: bool) -> Self {
        Self {
            aim,
            state: State::Asked,
            asked: Instant::ZERO,
            due: None,
            ended: None,
            in_session,
            position: None,
            message: None,
        }
    }

    /// Bytes that wait for their end or to be read.
    pub(super) fn buffered(&self) -> usize {
        match &self.state {
            State::Json(body) => body.len(),
            State::Stream(decoder) => decoder.len(),
            State::Error(failing) => failing.body.len(),
            State::Waiting | State::Asked | State::Leaving(_) | State::Ignored => 0,
        }
    }
}

impl Failing {
    /// Takes some of the body. Whether there is room for more.
    pub(super) fn push(&mut self, chunk: &[u8], max_len: usize) -> bool {
        let room = max_len.saturating_sub(self.body.len());
        if self.is_readable() {
            self.body.extend(chunk.iter().take(room));
        }
        chunk.len() <= room && self.is_readable()
    }

    /// Whether its body is worth waiting for.
    pub(super) fn is_readable(&self) -> bool {
        self.is_json || self.is_text
    }

    /// The body, if it may be a message.
    pub(super) fn message(&mut self) -> Option<Bytes> {
        (self.is_json && !self.body.is_empty()).then(|| Bytes::copy_from_slice(&self.body))
    }

    pub(super) fn error(&self) -> HttpError {
        let text = alloc::string::String::from_utf8_lossy(&self.body);
        HttpError::Status { status: self.status, text: bounded(text.trim(), SHOWN).into() }
    }
}

impl Promise {
    pub(super) fn read(head: &response::Parts, max_head_len: usize) -> Self {
        let headers = &head.headers;
        let len: usize =
            headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        if len > max_head_len {
            return Self::Nonsense(HttpError::TooLong { limit: max_head_len });
        }
        let is_plain = media::is_plain(headers);
        let is_json = is_plain && media::is_of(headers, media::JSON);
        let status = head.status;
        if !status.is_success() {
            let is_text = is_plain && media::is_of(headers, "text/plain");
            let body = Vec::new();
            let (status, retry_after) = (status.as_u16(), retry_after(headers));
            return Self::Error(Failing { status, retry_after, is_json, is_text, body });
        }
        if !is_plain {
            return Self::Nonsense(HttpError::ContentType);
        }
        if matches!(status.as_u16(), 202 | 204 | 205) {
            Self::Accepted
        } else if is_json {
            Self::Json
        } else if media::is_of(headers, media::EVENT_STREAM) {
            Self::Stream
        } else {
            Self::Nonsense(HttpError::ContentType)
        }
    }
}

/// The form in seconds. Of a date nothing can be told without a calendar.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| Duration::from_secs(value.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_wait_is_a_number_of_seconds() {
        for (value, secs) in [
            ("5", Some(5)),
            (" 0 ", Some(0)),
            ("99999999999999999999", Some(u64::MAX)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("Wed, 21 Oct 2015 07:28:00 GMT", None),
        ] {
            let headers = [(RETRY_AFTER, value.parse().unwrap())].into_iter().collect();
            assert_eq!(retry_after(&headers), secs.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
