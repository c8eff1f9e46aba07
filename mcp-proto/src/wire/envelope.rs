//! A frame to a message: classified in one place.

use alloc::borrow::Cow;
use alloc::string::String;

use crate::config::{Limits, Tolerance};
use crate::error::Violation;
use crate::id::RequestId;
use crate::json::{Frame, Kind, Params, Raw, ScanErrorKind, Shape, scan_frame, scan_head};

/// One JSON-RPC message, borrowed from its frame.
#[derive(Debug)]
pub(crate) enum Message<'a> {
    Request {
        id: RequestId,
        /// Its text as bytes.
        method: Cow<'a, [u8]>,
        params: Option<Params<'a>>,
    },
    Notification {
        /// Its text as bytes.
        method: Cow<'a, [u8]>,
        params: Option<Params<'a>>,
    },
    Response {
        id: RequestId,
        outcome: Result<Raw<'a>, PeerError<'a>>,
    },
    /// An error that names no request: the peer could not read what we sent.
    AnonymousError(PeerError<'a>),
    /// An array: it may be several messages.
    Batch,
}

/// The error member of a response, read but not owned.
#[derive(Debug)]
pub(crate) struct PeerError<'a> {
    pub(crate) code: i64,
    pub(crate) message: Cow<'a, str>,
    pub(crate) data: Option<Raw<'a>>,
}

/// A frame that is no message.
#[derive(Debug)]
pub(crate) struct Malformed {
    pub(crate) violation: Violation,
    pub(crate) id: Option<RequestId>,
    pub(crate) kind: MalformedKind,
}

/// Whom a malformed frame concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MalformedKind {
    /// It may be a request: a server answers it.
    Request,
    /// It tries to be a response: it ends the call that it names, and is never answered.
    Response,
    /// It is a notification: it is never answered.
    Notification,
}

/// How much of a line that is no JSON is shown: enough to see what it was.
const SHOWN: usize = 80;

/// Reads one frame.
pub(crate) fn read_message<'a>(
    frame: &'a [u8],
    limits: &Limits,
    tolerance: Tolerance,
) -> Result<Message<'a>, Malformed> {
    let mut fields = Frame::default();
    if let Err(error) = scan_frame(frame, limits.max_depth, &mut fields) {
        return Err(match error.kind {
            fault @ (ScanErrorKind::Syntax | ScanErrorKind::Utf8) => {
                // What cannot be parsed has no readable id: half of a number may look like one.
                let start = frame.get(..SHOWN).unwrap_or(frame);
                let start = String::from_utf8_lossy(start).into_owned();
                let violation = Violation::NotJson { fault, offset: error.offset, start };
                Malformed { violation, id: None, kind: MalformedKind::Request }
            }
            // Only the member is refused that it is in.
            _ if fields.shape == Shape::Array => return Ok(Message::Batch),
            fault => malformed(Violation::Refused(fault), &fields, limits),
        });
    }
    let fault =
        |why: &'static str| Err(malformed(Violation::NotAMessage(why.into()), &fields, limits));
    match fields.shape {
        Shape::Object => {}
        Shape::Array => return Ok(Message::Batch),
        Shape::Scalar => return fault("not an object"),
    }
    if fields.duplicate {
        // Which of the two ids is meant cannot be known, so none is answered.
        let violation = Violation::NotAMessage("a member occurs twice".into());
        return Err(Malformed { violation, id: None, kind: MalformedKind::Request });
    }
    if fields.jsonrpc.is_none_or(|version| version.as_bytes() != b"\"2.0\"") {
        return fault("jsonrpc is not \"2.0\"");
    }
    if tolerance == Tolerance::Strict {
        if frame.last() == Some(&b'\r') {
            return fault("a carriage return before the newline");
        }
        if fields.id.and_then(Raw::number_text).is_some_and(|id| id.contains(['.', 'e', 'E'])) {
            return fault("id is not written as an integer");
        }
    }
    match (fields.method, fields.result, fields.error) {
        (Some(method), None, None) => read_call(&fields, method, limits),
        (None, Some(_), None) | (None, None, Some(_)) => read_response(&fields, limits),
        (None, Some(_), Some(_)) => fault("both result and error"),
        (None, None, None) => fault("neither method nor result nor error"),
        _ => fault("both a request and a response"),
    }
}

/// What the head of a message that was too long shows of it.
pub(crate) struct Salvaged {
    pub(crate) id: Option<RequestId>,
    /// Whom it concerns, if that is shown.
    pub(crate) kind: Option<MalformedKind>,
}

/// Reads the head of a message that was too long to be read whole.
pub(crate) fn salvage(head: &[u8], limits: &Limits) -> Salvaged {
    let mut fields = Frame::default();
    let begun = scan_head(head, limits.max_depth, &mut fields);
    let is_cut_in = |names: [&str; 2]| begun.as_ref().is_some_and(|name| names.contains(&&**name));
    // What makes it a request is looked for first: an answer to it says nothing of a call of ours.
    let kind = if fields.method.is_some()
        || fields.params.is_some()
        || is_cut_in(["method", "params"])
    {
        Some(MalformedKind::Request)
    } else if fields.result.is_some() || fields.error.is_some() || is_cut_in(["result", "error"]) {
        Some(MalformedKind::Response)
    } else {
        None
    };
    Salvaged { id: whole_id(head, &fields, limits), kind }
}

fn whole_id(head: &[u8], fields: &Frame<'_>, limits: &Limits) -> Option<RequestId> {
    let id = fields.id.filter(|_| !fields.duplicate)?;
    // A number is whole only if something follows it: where the head is cut, half of one looks like one.
    let end = id.as_bytes().as_ptr_range().end.addr() - head.as_ptr().addr();
    matches!(head.get(end)?, b',' | b'}' | b' ' | b'\t' | b'\r' | b'\n').then_some(())?;
    RequestId::read(id, limits.max_id_len).ok()
}

fn read_call<'a>(
    fields: &Frame<'a>,
    method_raw: Raw<'a>,
    limits: &Limits,
) -> Result<Message<'a>, Malformed> {
    let fault =
        |why: &'static str| Err(malformed(Violation::NotAMessage(why.into()), fields, limits));
    let method = match method_raw.plain_str() {
        Some(method) => Cow::Borrowed(method),
        None => match method_raw.as_str() {
            Some(method) => Cow::Owned(method.into_owned().into_bytes()),
            None => return fault("method is not a string"),
        },
    };
    let params = match fields.params {
        Some(params) if params.raw().kind() != Kind::Object => {
            return fault("params is not an object");
        }
        params => params,
    };
    let Some(id) = fields.id else {
        return Ok(Message::Notification { method, params });
    };
    match RequestId::read(id, limits.max_id_len) {
        Ok(id) => Ok(Message::Request { id, method, params }),
        Err(_) => fault("id is neither a string nor an integer"),
    }
}

fn read_response<'a>(fields: &Frame<'a>, limits: &Limits) -> Result<Message<'a>, Malformed> {
    let fault =
        |why: &'static str| Err(malformed(Violation::NotAMessage(why.into()), fields, limits));
    let outcome = match (fields.result, fields.error) {
        (Some(result), _) if result.kind() == Kind::Object => Ok(result),
        (Some(_), _) => return fault("result is not an object"),
        (None, Some(error)) => match PeerError::read(error) {
            Some(error) => Err(error),
            None => return fault("error has no integer code and string message"),
        },
        (None, None) => return fault("neither result nor error"),
    };
    let id = fields.id.filter(|id| !id.is_null());
    match (id.map(|id| RequestId::read(id, limits.max_id_len)), outcome) {
        (Some(Ok(id)), outcome) => Ok(Message::Response { id, outcome }),
        (None, Err(error)) => Ok(Message::AnonymousError(error)),
        (None, Ok(_)) => fault("a result without id"),
        (Some(Err(_)), _) => fault("id is neither a string nor an integer"),
    }
}

fn malformed(violation: Violation, fields: &Frame<'_>, limits: &Limits) -> Malformed {
    let kind = if fields.method.is_none() && (fields.result.is_some() || fields.error.is_some()) {
        MalformedKind::Response
    } else if fields.method.is_some_and(|method| method.kind() == Kind::String)
        && fields.id.is_none()
    {
        MalformedKind::Notification
    } else {
        MalformedKind::Request
    };
    // What is refused for its depth may have two ids as well.
    let id = fields.id.filter(|_| !fields.duplicate);
    let id = id.and_then(|id| RequestId::read(id, limits.max_id_len).ok());
    Malformed { violation, id, kind }
}

impl<'a> PeerError<'a> {
    fn read(error: Raw<'a>) -> Option<Self> {
        let (mut code, mut message, mut data) = (None, None, None);
        for (key, value) in error.members() {
            match &*key {
                "code" => code = read_code(value),
                "message" => message = value.as_str(),
                "data" => data = Some(value),
                _ => {}
            }
        }
        Some(Self { code: code?, message: message?, data })
    }
}

/// An error code of any size: one beyond `i64` must not lose the response that carries it.
fn read_code(value: Raw<'_>) -> Option<i64> {
    let text = value.number_text()?;
    if let Ok(code) = text.parse() {
        return Some(code);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let saturated = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    digits.bytes().all(|digit| digit.is_ascii_digit()).then_some(saturated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn half_an_id_at_the_cut_is_no_id() {
        let limits = Limits::default();
        for id in ["12345", "-12", "1.5e3", "\"1234\"", "\"\\u0041\""] {
            for space in ["", " "] {
                let text = format!(
                    "{{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"id\":{space}{id}{space},\"params\":{{\"a\":[1]}}}}"
                );
                let whole = salvage(text.as_bytes(), &limits).id;
                assert!(whole.is_some(), "{text}");
                let end = text.find(",\"params").unwrap() - space.len();
                for cut in 0..text.len() {
                    let expected = if cut > end { whole.clone() } else { None };
                    assert_eq!(
                        salvage(&text.as_bytes()[..cut], &limits).id,
                        expected,
                        "{}",
                        &text[..cut]
                    );
                }
            }
        }
        for text in ["{\"id\":12x", "{\"id\":12\"", "{\"id\":1,\"id\":2,"] {
            assert_eq!(salvage(text.as_bytes(), &limits).id, None, "{text}");
        }
    }
}
