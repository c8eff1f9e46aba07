//! What is decided from the head of a request alone, before its body is read.

use core::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use http::{HeaderMap, Method, Response, StatusCode};

use super::super::access::Denied;
use super::super::media::{Accepts, JSON, is_of, is_plain};
use super::super::names::{METHOD, SESSION};
use super::headers::{is_mirror, version};
use super::status::{not_allowed, refusal};
use super::{SESSION_METHODS, Server};
use crate::method::Request as _;
use crate::revision::{Era, Revision};
use crate::types::Initialize;

/// A request may come in: how long its body may be, and how long it may take.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Admission {
    /// Bytes of its body. If there are more, answer [`Server::too_long`] and read no further.
    pub max_body: usize,
    /// How long its body may take to arrive. After that close the connection, or answer
    /// [`Server::unreadable`].
    pub body_timeout: Duration,
    /// Bytes of all bodies together that have not arrived completely. If there are more, answer
    /// [`Server::too_busy`] and read no further.
    pub max_arriving: usize,
    /// It may open a session, for which [`Caller::seed`](super::Caller) is wanted.
    pub wants_seed: bool,
    pub(super) accepts: Accepts,
}

impl Server {
    /// Decides from the head of a request whether to read its body: who speaks to whom, how large it is, what it
    /// carries.
    ///
    /// # Errors
    ///
    /// The response, if it may not come in. The body need not be read.
    #[allow(clippy::result_large_err)] // a response goes out as it is
    pub fn handle_head(&self, head: &Parts) -> Result<Admission, Response<Bytes>> {
        let (headers, options) = (&head.headers, &self.hub.options);
        if let Err(denied) = options.access.check(&head.uri, headers) {
            return Err(refusal(StatusCode::FORBIDDEN, why(denied)));
        }
        let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
        let room = options.max_head_len.checked_sub(target);
        if room.is_none_or(|room| is_too_large(headers, options.max_head_fields, room))
            || mirrors_too_much(headers, options.max_mirrored_len)
        {
            let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Err(refusal(status, "too many header fields, or too long ones"));
        }
        let revisions = self.hub.served.config.revisions;
        let has_sessions = revisions.newest(Era::Legacy).is_some();
        let is_modern = |known: Revision| known.era() == Era::Modern && revisions.contains(known);
        let names_modern = matches!(version(headers), Ok(Some(Ok(known))) if is_modern(known));
        match head.method {
            Method::POST => {}
            // It has neither streams to open nor sessions to end, and `Mcp-Session-Id` means nothing there.
            Method::GET | Method::DELETE if names_modern => return Err(not_allowed("POST")),
            Method::GET | Method::DELETE if has_sessions => {}
            _ if has_sessions => return Err(not_allowed(SESSION_METHODS)),
            _ => return Err(not_allowed("POST")),
        }
        if let Err(why) = self.room_for(head) {
            return Err(refusal(StatusCode::SERVICE_UNAVAILABLE, why));
        }
        let accepts = Accepts::read(headers);
        let is_opening = has_sessions && !headers.contains_key(&SESSION);
        let mut admission = Admission {
            max_body: 0,
            body_timeout: options.body_timeout,
            max_arriving: options.max_arriving_len,
            wants_seed: is_opening && options.http_sse,
            accepts,
        };
        match head.method {
            Method::POST => {
                admission.max_body = self.hub.served.config.limits.max_message_len;
                let is_modern =
                    matches!(version(headers), Ok(Some(Ok(known))) if known.era() == Era::Modern);
                // `initialize` is legacy, whatever version a header names; everything else says its method there.
                let is_other =
                    headers.get(METHOD).is_some_and(|method| *method != *Initialize::METHOD);
                admission.wants_seed = is_opening && !(is_modern && is_other);
                check_body(headers, admission.max_body)?;
                if !accepts.json && !accepts.stream {
                    let why = "the answer is application/json or text/event-stream";
                    return Err(refusal(StatusCode::NOT_ACCEPTABLE, why));
                }
            }
            Method::GET if !accepts.stream => {
                let why = "GET opens a text/event-stream";
                return Err(refusal(StatusCode::NOT_ACCEPTABLE, why));
            }
            _ => {}
        }
        Ok(admission)
    }

    /// The response to a request whose body is longer than [`Admission::max_body`].
    pub fn too_long() -> Response<Bytes> {
        refusal(StatusCode::PAYLOAD_TOO_LARGE, "the message is too long")
    }

    /// The response to a request whose body would exceed [`Admission::max_arriving`].
    pub fn too_busy() -> Response<Bytes> {
        refusal(StatusCode::SERVICE_UNAVAILABLE, "too many messages arrive at once")
    }

    /// The response to a request whose body broke off, or did not come in time.
    pub fn unreadable() -> Response<Bytes> {
        refusal(StatusCode::BAD_REQUEST, "the body did not arrive")
    }
}

/// A page can send forms and plain text anywhere without asking, but not JSON.
#[allow(clippy::result_large_err)]
fn check_body(headers: &HeaderMap, max_len: usize) -> Result<(), Response<Bytes>> {
    let unsupported = |why| refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, why);
    if !is_of(headers, JSON) {
        return Err(unsupported("the body is not application/json"));
    }
    if !is_plain(headers) {
        return Err(unsupported("a compressed body is not read"));
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    match length.map(str::parse::<u64>) {
        Some(Ok(length)) if length > max_len as u64 => Err(Server::too_long()),
        _ => Ok(()),
    }
}

fn why(denied: Denied) -> &'static str {
    match denied {
        Denied::Host => "this host is not served here",
        Denied::Origin => "pages of this origin may not speak here",
    }
}

fn is_too_large(headers: &HeaderMap, max_fields: usize, max_len: usize) -> bool {
    if headers.len() > max_fields {
        return true;
    }
    let fields = headers.iter().map(|(name, value)| name.as_str().len() + value.len());
    fields.sum::<usize>() > max_len
}

/// Whether one of the values that repeat what a body says is too long.
fn mirrors_too_much(headers: &HeaderMap, max_len: usize) -> bool {
    headers.iter().any(|(name, value)| value.len() > max_len && is_mirror(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn fields_are_counted_and_so_are_their_bytes() {
        let mut headers = HeaderMap::new();
        for at in 0..10 {
            let name = HeaderName::try_from(alloc::format!("x-{at}")).unwrap();
            headers.append(name, HeaderValue::from_static("1234567"));
        }
        assert!(!is_too_large(&headers, 10, 100));
        assert!(is_too_large(&headers, 9, 100) && is_too_large(&headers, 10, 99));
    }
}
