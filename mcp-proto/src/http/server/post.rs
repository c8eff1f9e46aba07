//! A message that was sent: to which era it belongs, and the modern one.
//!
//! 2026-07-28 `basic/transports/streamable-http`, `basic/versioning` (dual-era servers).

use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};

use super::super::Exchange;
use super::super::names::SESSION;
use super::conversation::Conversation;
use super::exchange::Source;
use super::headers::{Mirror, version};
use super::options::ServerOptions;
use super::room::{Room, finishes};
use super::status::{empty, failure, refusal, refusal_of, said, status_of};
use super::stream::{Kind, Stream};
use super::{Admission, Caller, Server};
use crate::endpoint::{Endpoint, Origin, Outlet};
use crate::error::ErrorObject;
use crate::method::{LISTEN, Request};
use crate::revision::{Era, Revision};
use crate::types::Initialize;
use crate::wire::{ErrorId, Malformed, MalformedKind, Message, RequestMeta, read_message};

/// Bytes of most answers.
const ANSWER_LEN: usize = 512;

/// A message as it was read, or why it is none.
pub(super) type Read<'a> = Result<Message<'a>, Malformed>;

impl Server {
    pub(super) fn post(
        &mut self,
        admission: &Admission,
        head: &Parts,
        body: Bytes,
        caller: Caller,
        room: Room,
    ) -> Exchange {
        if body.len() > admission.max_body {
            return self.reply(Self::too_long());
        }
        let served = self.hub.served.clone();
        // A body is one message: nothing may follow it, and space before it means nothing.
        let read = read_message(&body, &served.config.limits, served.config.tolerance);
        if room == Room::Finishing && !finishes(&read) {
            return self.reply(no_room(&read, self.why_busy()));
        }
        let opens = is_opening(&read);
        if opens && body.len() > self.hub.options.max_opening_len {
            let status = StatusCode::PAYLOAD_TOO_LARGE;
            return self.reply(refusal_of(status, id_of(&read), "the message is too long"));
        }
        let has_session = names_session(head, &self.hub.options);
        let version = version(&head.headers);
        // A version that nobody knows yet is newer than all, so what it lacks is `_meta` and no session.
        let is_of_sessions =
            |named: Result<Revision, ()>| named.is_ok_and(|it| it.era() == Era::Legacy);
        let names_modern = matches!(version, Ok(Some(named)) if !is_of_sessions(named));
        let is_modern_here = matches!(version, Ok(Some(Ok(named))) if named.era() == Era::Modern
            && served.config.revisions.contains(named));
        let is_legacy_served = served.config.revisions.newest(Era::Legacy).is_some();
        let meta = match &read {
            Ok(Message::Request { params, .. }) => RequestMeta::of(*params),
            _ => RequestMeta::default(),
        };
        let is_modern = match &read {
            // Its own words decide, whatever it says of a session.
            Ok(_) if meta.version.is_some() => true,
            _ if !is_legacy_served => true,
            _ if opens => false,
            // R-SESS-11: its revision knows no sessions.
            _ if is_modern_here => true,
            _ => names_modern && !has_session,
        };
        if is_modern {
            self.post_modern(admission, head, &body, read, &meta)
        } else if has_session {
            self.post_to_session(admission, head, &body, read, &meta, &caller)
        } else {
            self.open_session(admission, head, &body, read, &meta, caller)
        }
    }

    fn post_modern(
        &mut self,
        admission: &Admission,
        head: &Parts,
        body: &Bytes,
        read: Read<'_>,
        meta: &RequestMeta<'_>,
    ) -> Exchange {
        let served = self.hub.served.clone();
        match &read {
            Err(malformed) => return self.refuse(malformed, ErrorId::Absent),
            Ok(Message::Batch) => {
                return self.invalid("a body is one message, not an array");
            }
            Ok(Message::Response { .. } | Message::AnonymousError(_)) => {
                return self.invalid("a client sends no responses");
            }
            Ok(Message::Notification { .. }) => return self.announce(head, body, read),
            // It knows no `_meta`: the endpoint says what is served (R-VER-18).
            Ok(Message::Request { .. }) if meta.version.is_none() && is_opening(&read) => {}
            Ok(Message::Request { id, method, params }) => {
                let mirror = Mirror {
                    headers: &head.headers,
                    method,
                    params: *params,
                    meta: *meta,
                    mirrored: &self.hub.options.mirrored,
                    served: served.config.revisions,
                };
                if let Err(error) = mirror.check() {
                    let response = failure(StatusCode::BAD_REQUEST, ErrorId::Known(id), &error);
                    return self.reply(response);
                }
            }
        }
        let is_subscription =
            matches!(&read, Ok(Message::Request { method, .. }) if **method == *LISTEN.as_bytes());
        let (scope, name) = (self.conversations.name(), self.hub.name_stream());
        let (origin, now) = (Origin(name.0), self.hub.clock);
        let mut endpoint = Endpoint::sharing(served);
        if endpoint.core_mut().handle_message_from(origin, body, read, meta, now) == 0 {
            // The engine answered by itself.
            let answer = endpoint.core_mut().poll_message().map(|transmit| transmit.message);
            let answer = answer.map(|answer| {
                let status = status_of(&answer, Era::Modern, true);
                said(status, answer, admission.accepts)
            });
            return self.reply(answer.unwrap_or_else(|| empty(StatusCode::ACCEPTED)));
        }
        endpoint.core_mut().expect_output(ANSWER_LEN);
        let source = Source::Stream(scope, name);
        let exchange = self.hub.exchanges.open(source, now);
        let accepts = admission.accepts;
        let mut stream = Stream::new(name, Kind::Answers(Era::Modern), exchange, accepts);
        stream.waiting = 1;
        stream.is_subscription = is_subscription;
        if !accepts.stream {
            endpoint.core_mut().set_outlet(origin, Outlet::Shut, now);
        }
        let mut conversation = Conversation::new(scope, endpoint, None);
        conversation.streams.push(stream);
        if let Some(conversation) = self.conversations.insert(conversation) {
            conversation.is_touched = true;
            self.touched.push(scope);
        }
        self.hub.arm(exchange);
        self.settle();
        exchange
    }

    /// A modern notification: nobody waits for anything.
    fn announce(&mut self, head: &Parts, body: &Bytes, read: Read<'_>) -> Exchange {
        let known = match version(&head.headers) {
            Ok(Some(Ok(known))) => {
                self.hub.served.config.revisions.contains(known).then_some(known)
            }
            _ => None,
        };
        if known.is_none_or(|known| known.era() != Era::Modern) {
            let why = "MCP-Protocol-Version is missing or not served";
            let error = ErrorObject::new(ErrorObject::HEADER_MISMATCH, why);
            return self.reply(failure(StatusCode::BAD_REQUEST, ErrorId::Absent, &error));
        }
        if self.running() >= self.hub.options.max_in_all() {
            return self.reply(refusal(StatusCode::SERVICE_UNAVAILABLE, self.why_busy()));
        }
        let scope = self.conversations.name();
        let mut endpoint = Endpoint::sharing(self.hub.served.clone());
        let meta = RequestMeta::default(); // it is no request
        endpoint.core_mut().handle_message_from(Origin::NONE, body, read, &meta, self.hub.clock);
        if endpoint.core().has_event()
            && let Some(conversation) =
                self.conversations.insert(Conversation::new(scope, endpoint, None))
        {
            conversation.is_touched = true;
            self.touched.push(scope);
        }
        self.reply(empty(StatusCode::ACCEPTED))
    }

    /// What cannot be read is answered: whoever sent it waits for a response.
    pub(super) fn refuse(&mut self, malformed: &Malformed, unreadable: ErrorId<'_>) -> Exchange {
        let (code, why) =
            malformed.violation.answer().unwrap_or((ErrorObject::INVALID_REQUEST, "not a message"));
        let error = ErrorObject::new(code, why);
        let id = malformed.id.as_ref().map_or(unreadable, ErrorId::Known);
        self.reply(failure(StatusCode::BAD_REQUEST, id, &error))
    }

    pub(super) fn invalid(&mut self, why: &'static str) -> Exchange {
        self.reply(refusal(StatusCode::BAD_REQUEST, why))
    }

    /// The response to a request that has come in whole, and for which there is no room any more.
    pub(super) fn turned_back(
        &self,
        admission: &Admission,
        body: &Bytes,
        why: &'static str,
    ) -> Response<Bytes> {
        if body.is_empty() || body.len() > admission.max_body {
            return refusal(StatusCode::SERVICE_UNAVAILABLE, why);
        }
        let config = &self.hub.served.config;
        no_room(&read_message(body, &config.limits, config.tolerance), why)
    }
}

/// Whether a message is the `initialize` of a legacy client, unless its `_meta` says otherwise.
pub(super) fn is_opening(read: &Read<'_>) -> bool {
    matches!(read, Ok(Message::Request { method, .. }) if **method == *Initialize::METHOD.as_bytes())
}

/// The response to a message for which there is no room.
pub(super) fn no_room(read: &Read<'_>, why: &'static str) -> Response<Bytes> {
    refusal_of(StatusCode::SERVICE_UNAVAILABLE, id_of(read), why)
}

/// The id by which the sender of a message waits for its answer.
pub(super) fn id_of<'a>(read: &'a Read<'_>) -> ErrorId<'a> {
    let id = match read {
        Ok(Message::Request { id, .. }) => Some(id),
        Err(malformed) if malformed.kind == MalformedKind::Request => malformed.id.as_ref(),
        _ => None,
    };
    id.map_or(ErrorId::Absent, ErrorId::Known)
}

/// Whether a request says that it belongs to a session.
pub(super) fn names_session(head: &Parts, options: &ServerOptions) -> bool {
    head.headers.contains_key(&SESSION) || sse_session(head, options).is_some()
}

/// The session that the address of a message names, where HTTP+SSE is served.
pub(super) fn sse_session<'a>(head: &'a Parts, options: &ServerOptions) -> Option<&'a [u8]> {
    let pairs = head.uri.query().filter(|_| options.http_sse)?.split('&');
    pairs
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(name, value)| (name == SSE_SESSION).then_some(value.as_bytes()))
}

pub(super) const SSE_SESSION: &str = "sessionId";
