//! Answers that are whole from the start, and which status an error has.

use alloc::vec::Vec;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use super::super::media::{Accepts, EVENT_STREAM, JSON};
use crate::error::ErrorObject;
use crate::revision::Era;
use crate::wire::sse::write_event;
use crate::wire::{ErrorId, write_error};

const JSON_TYPE: HeaderValue = HeaderValue::from_static(JSON);
const STREAM_TYPE: HeaderValue = HeaderValue::from_static(EVENT_STREAM);

/// The response to a request that no conversation hears of, and whose body was not read.
pub(super) fn refusal(status: StatusCode, why: &'static str) -> Response<Bytes> {
    refusal_of(status, ErrorId::Absent, why)
}

/// The response to a request that no conversation hears of. Without its id its caller would wait on.
pub(super) fn refusal_of(
    status: StatusCode,
    id: ErrorId<'_>,
    why: &'static str,
) -> Response<Bytes> {
    let code = match status.is_server_error() {
        true => ErrorObject::INTERNAL_ERROR,
        false => ErrorObject::INVALID_REQUEST,
    };
    let mut response = failure(status, id, &ErrorObject::new(code, why));
    let headers = response.headers_mut();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}

/// The method is not served; these are.
pub(super) fn not_allowed(allowed: &'static str) -> Response<Bytes> {
    let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "this method is not served here");
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// An error as the whole response.
pub(super) fn failure(status: StatusCode, id: ErrorId<'_>, error: &ErrorObject) -> Response<Bytes> {
    let mut body = Vec::new();
    write_error(&mut body, id, error);
    whole(status, JSON_TYPE, body.into())
}

/// An answer that was there at once, in a form that the client takes.
pub(super) fn said(status: StatusCode, answer: Bytes, accepts: Accepts) -> Response<Bytes> {
    if accepts.json || status != StatusCode::OK {
        return whole(status, JSON_TYPE, answer);
    }
    let mut event = Vec::new();
    write_event(&mut event, None, &answer);
    whole(status, STREAM_TYPE, event.into())
}

/// A body of one piece.
fn whole(status: StatusCode, media: HeaderValue, body: Bytes) -> Response<Bytes> {
    let mut response = empty(status);
    response.headers_mut().insert(CONTENT_TYPE, media);
    *response.body_mut() = body;
    response
}

/// No body.
pub(super) fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// The head of a response that is one JSON text.
pub(super) fn json_head(status: StatusCode) -> Response<()> {
    whole(status, JSON_TYPE, Bytes::new()).map(drop)
}

/// The head of a stream of events.
pub(super) fn stream_head() -> Response<()> {
    const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
    let mut response = Response::new(());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, STREAM_TYPE);
    headers.insert(CACHE_CONTROL, const { HeaderValue::from_static("no-cache, no-transform") });
    headers.insert(BUFFERING, const { HeaderValue::from_static("no") });
    response
}

/// The status of an answer that is the first thing said of its request. `at_once`: the engine gave it, before the
/// application saw the request.
///
/// 2026-07-28 `basic/transports/streamable-http`; earlier revisions say an error of a request with 200.
pub(super) fn status_of(answer: &[u8], era: Era, at_once: bool) -> StatusCode {
    let Some(code) = error_code(answer) else { return StatusCode::OK };
    match code {
        _ if era == Era::Legacy => StatusCode::OK,
        ErrorObject::METHOD_NOT_FOUND => StatusCode::NOT_FOUND,
        ErrorObject::HEADER_MISMATCH
        | ErrorObject::MISSING_CLIENT_CAPABILITY
        | ErrorObject::UNSUPPORTED_VERSION => StatusCode::BAD_REQUEST,
        ErrorObject::PARSE_ERROR | ErrorObject::INVALID_REQUEST | ErrorObject::INVALID_PARAMS
            if at_once =>
        {
            StatusCode::BAD_REQUEST
        }
        _ => StatusCode::OK,
    }
}

/// Whether an answer is an error of no request in particular.
pub(super) fn names_no_request(answer: &[u8]) -> bool {
    let rest = answer.strip_prefix(BEGINNING).unwrap_or_default();
    rest.starts_with(b"\"error\":") || rest.starts_with(b"\"id\":null,\"error\":")
}

/// What the engine's answers begin with.
const BEGINNING: &[u8] = b"{\"jsonrpc\":\"2.0\",";

/// The code of an error that [`write_error`] wrote. Results may be long, so nothing behind the id is looked at.
fn error_code(answer: &[u8]) -> Option<i64> {
    let rest = answer.strip_prefix(BEGINNING)?;
    let rest = match rest.strip_prefix(b"\"id\":") {
        None => rest,
        Some(id @ [b'"', text @ ..]) => {
            let mut escaped = false;
            let end = text.iter().position(|byte| {
                let ends = *byte == b'"' && !escaped;
                escaped = *byte == b'\\' && !escaped;
                ends
            })?;
            id.get(end + 3..)?
        }
        Some(id) => id.get(memchr::memchr(b',', id)? + 1..)?,
    };
    let code = rest.strip_prefix(b"\"error\":{\"code\":")?;
    let end = memchr::memchr(b',', code)?;
    core::str::from_utf8(code.get(..end)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::RequestId;

    #[test]
    fn the_code_is_found_behind_every_id() {
        let error = ErrorObject::new(-32_601, "Method \"x\" not found");
        let ids = [
            RequestId::from(7),
            RequestId::from(-7),
            RequestId::from("a,\"b\\\",\"error\""),
            RequestId::from("\\"),
            RequestId::from(""),
        ];
        let known = ids.iter().map(ErrorId::Known);
        for id in known.chain([ErrorId::Null, ErrorId::Absent]) {
            let mut answer = Vec::new();
            write_error(&mut answer, id, &error);
            assert_eq!(error_code(&answer), Some(-32_601), "{id:?}");
            assert_eq!(names_no_request(&answer), !matches!(id, ErrorId::Known(_)));
        }
        let result = br#"{"jsonrpc":"2.0","id":1,"result":{"error":{"code":1,"message":""}}}"#;
        assert_eq!(error_code(result), None);
        assert_eq!(error_code(b"[]"), None);
    }

    #[test]
    fn statuses_follow_the_errors_of_the_modern_era() {
        let answer = |code| {
            let mut answer = Vec::new();
            write_error(&mut answer, ErrorId::Absent, &ErrorObject::new(code, "x"));
            answer
        };
        for (code, at_once, later) in [
            (-32_700, 400, 200),
            (-32_600, 400, 200),
            (-32_601, 404, 404),
            (-32_602, 400, 200),
            (-32_603, 200, 200),
            (-32_020, 400, 400),
            (-32_021, 400, 400),
            (-32_022, 400, 400),
            (-32_000, 200, 200),
        ] {
            let answer = answer(code);
            assert_eq!(status_of(&answer, Era::Modern, true).as_u16(), at_once, "{code}");
            assert_eq!(status_of(&answer, Era::Modern, false).as_u16(), later, "{code}");
            assert_eq!(status_of(&answer, Era::Legacy, true), StatusCode::OK);
        }
    }
}
