//! Messages to HTTP requests: what the headers say.

use alloc::borrow::Cow;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderMap, HeaderName,
    HeaderValue, TRANSFER_ENCODING,
};
use http::{Method, Request, Uri};
use serde::ser::Error as _;

use super::super::media;
use super::super::names::{LAST_EVENT, METHOD, NAME, SESSION, VERSION, named_by};
use super::super::params::{Argument, Unfit};
use super::super::value;
use super::tools::Tools;
use crate::json::{EncodeError, Params};
use crate::revision::{Era, Revision};
use crate::types::meta;
use crate::wire::Message;

/// What every request of a legacy session says about it.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub(super) id: Option<HeaderValue>,
    /// What was agreed, once it was.
    pub(super) revision: Option<Revision>,
}

/// The headers of the application, without those that are the protocol's own.
pub(super) fn permitted(mut headers: HeaderMap) -> HeaderMap {
    let removed: alloc::vec::Vec<_> = headers.keys().filter(|name| is_own(name)).cloned().collect();
    for name in removed {
        headers.remove(name);
    }
    headers
}

/// Whether the protocol, or the library below, sets this header itself.
pub(super) fn is_own(name: &HeaderName) -> bool {
    name.as_str().starts_with("mcp-")
        || [ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, CONTENT_LENGTH, HOST, TRANSFER_ENCODING]
            .contains(name)
        || *name == LAST_EVENT
}

/// The session that the head of the answer to `initialize` opens. `Err`: its id cannot be used.
pub(super) fn session_of(headers: &HeaderMap) -> Result<Option<HeaderValue>, ()> {
    let mut ids = headers.get_all(SESSION).iter();
    let (id, more) = (ids.next(), ids.next());
    match id {
        None => Ok(None),
        Some(id)
            if more.is_none()
                && !id.is_empty()
                && id.len() <= MAX_SESSION_LEN
                && id.as_bytes().iter().all(u8::is_ascii_graphic) =>
        {
            let mut id = id.clone();
            // MUST be handled securely; 2025-11-25 basic/transports
            id.set_sensitive(true);
            Ok(Some(id))
        }
        Some(_) => Err(()),
    }
}

/// Bytes of the id of a session, which we store and echo.
const MAX_SESSION_LEN: usize = 4 << 10;

fn request(method: Method, uri: &Uri, headers: &HeaderMap, body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri.clone();
    *request.headers_mut() = headers.clone();
    // A few compressed bytes could become gigabytes.
    request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    request
}

fn put_session(headers: &mut HeaderMap, session: &Session) {
    if let Some(id) = &session.id {
        headers.insert(SESSION, id.clone());
    }
    // MUST from 2025-06-18; basic/transports
    if let Some(revision) = session.revision.filter(|revision| *revision >= Revision::V2025_06_18) {
        headers.insert(VERSION, HeaderValue::from_static(revision.as_str()));
    }
}

/// The POST of one message.
///
/// # Errors
///
/// An argument that a header MUST repeat is such that none can.
pub(super) fn post(
    uri: &Uri,
    more: &HeaderMap,
    session: &Session,
    read: Option<&Message<'_>>,
    tools: &Tools,
    body: Bytes,
) -> Result<Request<Bytes>, EncodeError> {
    let mut request = request(Method::POST, uri, more, body);
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static(media::BOTH));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media::JSON));
    match read.and_then(|message| modern(message, session)) {
        Some(version) => put_modern(headers, &version, read, tools)?,
        None => put_session(headers, session),
    }
    Ok(request)
}

/// The GET that opens a stream, or resumes one behind the event with this id.
pub(super) fn get(
    uri: &Uri,
    more: &HeaderMap,
    session: &Session,
    last_event_id: &[u8],
) -> Request<Bytes> {
    let mut request = request(Method::GET, uri, more, Bytes::new());
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static(media::EVENT_STREAM));
    put_session(headers, session);
    if !last_event_id.is_empty()
        && let Ok(id) = HeaderValue::from_bytes(last_event_id)
    {
        headers.insert(LAST_EVENT, id);
    }
    request
}

/// Whether an event id can be sent back: no header can bear a control character.
pub(super) fn is_bearable(id: &[u8]) -> bool {
    HeaderValue::from_bytes(id).is_ok()
}

/// The DELETE that ends a session.
pub(super) fn delete(uri: &Uri, more: &HeaderMap, session: &Session) -> Request<Bytes> {
    let mut request = request(Method::DELETE, uri, more, Bytes::new());
    put_session(request.headers_mut(), session);
    request
}

/// The version that a message of the modern era names; nothing in the legacy era. Notifications name none in
/// themselves.
fn modern<'a>(message: &Message<'a>, session: &Session) -> Option<Cow<'a, str>> {
    match message {
        Message::Request { params, .. } => {
            params.as_ref()?.get("_meta")?.get(meta::PROTOCOL_VERSION)?.as_str()
        }
        Message::Notification { .. } => session
            .revision
            .filter(|revision| revision.era() == Era::Modern)
            .map(|revision| Cow::Borrowed(revision.as_str())),
        _ => None,
    }
}

fn put_modern(
    headers: &mut HeaderMap,
    version: &str,
    message: Option<&Message<'_>>,
    tools: &Tools,
) -> Result<(), EncodeError> {
    put(headers, VERSION, version);
    let Some(Message::Request { method, params, .. } | Message::Notification { method, params }) =
        message
    else {
        return Ok(());
    };
    let Ok(method) = core::str::from_utf8(method) else { return Ok(()) };
    put(headers, METHOD, method);
    let Some(params) = params.as_ref() else { return Ok(()) };
    if let Some(name) = name_of(method, params) {
        put(headers, NAME, &name);
        if method == "tools/call"
            && let Some(arguments) = params.get("arguments")
        {
            for param in tools.params(&name) {
                match param.of(arguments) {
                    Ok(Some(Argument { text, .. })) => put(headers, param.header.clone(), &text),
                    Ok(None) => {}
                    Err(Unfit::Doubled) => {} // for the server to refuse
                    Err(Unfit::Unsayable) => {
                        let place = param.place();
                        let why = format_args!("{} cannot say the argument {place}", param.header);
                        return Err(EncodeError::custom(why));
                    }
                }
            }
        }
    }
    Ok(())
}

/// What `Mcp-Name` says.
fn name_of<'a>(method: &str, params: &Params<'a>) -> Option<Cow<'a, str>> {
    params.get(named_by(method.as_bytes())?)?.as_str()
}

/// Whatever the text is, the value is a legal one: what is not visible ASCII is encoded.
fn put(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(&value::encode(text)) {
        headers.insert(name, value);
    }
}
