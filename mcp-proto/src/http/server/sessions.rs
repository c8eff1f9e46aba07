//! Requests of the legacy revisions: sessions are opened, used and ended.
//!
//! 2025-03-26, 2025-06-18 and 2025-11-25 `basic/transports`; 2024-11-05 `basic/transports`, HTTP with SSE.

use alloc::boxed::Box;
use alloc::format;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use super::super::Exchange;
use super::super::media::Accepts;
use super::super::names::{LAST_EVENT, SESSION};
use super::conversation::Conversation;
use super::exchange::Source;
use super::headers::{is_version_readable, single, version};
use super::post::{Read, SSE_SESSION, id_of, is_opening, names_session, no_room, sse_session};
use super::room::{finishes, runs};
use super::session::{Session, SessionId};
use super::status::{empty, names_no_request, refusal, refusal_of, said};
use super::stream::{Form, Kind, Stream, read_id};
use super::{Admission, Caller, Scope, Server};
use crate::endpoint::{Endpoint, Origin, Outlet};
use crate::revision::{Era, Revision};
use crate::wire::{ErrorId, Message, RequestMeta};

/// Why a request does not get to a session.
enum Stray {
    /// It names none.
    Nameless,
    /// It names none that there is, or somebody else's.
    Unknown,
    /// It names a version that is not one of sessions.
    Version,
}

/// A session that is about to be opened.
struct Opening {
    session: Session,
    /// One that is idle and ends for it.
    idle: Option<Scope>,
}

impl Server {
    /// The first message of a client: `initialize`, or nothing.
    pub(super) fn open_session(
        &mut self,
        admission: &Admission,
        head: &Parts,
        body: &Bytes,
        read: Read<'_>,
        meta: &RequestMeta<'_>,
        caller: Caller,
    ) -> Exchange {
        match &read {
            Err(malformed) => return self.refuse(malformed, ErrorId::Null),
            // What it names is of no matter: the handshake is to find that out.
            Ok(_) if is_opening(&read) && !is_version_readable(&head.headers) => {
                let why = "MCP-Protocol-Version is there twice, or no version";
                return self.reply(refusal_of(StatusCode::BAD_REQUEST, id_of(&read), why));
            }
            Ok(_) if is_opening(&read) => {}
            Ok(_) => {
                let why = "Mcp-Session-Id is missing, and this is not initialize";
                return self.reply(refusal_of(StatusCode::BAD_REQUEST, id_of(&read), why));
            }
        }
        let opening = match self.new_session(&caller) {
            Ok(opening) => opening,
            Err(why) => return self.reply(no_room(&read, why)),
        };
        let mut endpoint = Endpoint::sharing(self.hub.served.clone());
        // It belongs to a stream that never opens: the answer is there at once.
        let origin = Origin(self.hub.name_stream().0);
        endpoint.core_mut().handle_message_from(origin, body, read, meta, self.hub.clock);
        let answer = endpoint.core_mut().poll_message().map(|transmit| transmit.message);
        let Some(answer) = answer else { return self.invalid("not answered") };
        let mut response = said(StatusCode::OK, answer, admission.accepts);
        if endpoint.peer().is_some()
            && let Some((session, scope)) = self.enter(opening)
        {
            if let Ok(id) = HeaderValue::try_from(session.id.text()) {
                response.headers_mut().insert(SESSION, id);
            }
            self.begin(Conversation::new(scope, endpoint, Some(Box::new(session))));
        }
        self.reply(response)
    }

    /// One more session, if there is or can be room for it. Nothing has changed yet.
    fn new_session(&self, caller: &Caller) -> Result<Opening, &'static str> {
        let Some(seed) = caller.seed else { return Err("no session can be opened now") };
        let options = &*self.hub.options;
        // Whoever is idle comes back with `initialize`; whoever works goes on.
        let idle = match &caller.principal {
            Some(principal)
                if self.hub.sessions.of_principal(principal)
                    >= options.max_sessions_per_principal =>
            {
                Some(self.to_end(Some(principal)).ok_or("too many sessions of this user")?)
            }
            _ if self.hub.sessions.len() >= options.max_sessions => {
                Some(self.to_end(None).ok_or("too many sessions")?)
            }
            _ => None,
        };
        let id = SessionId::new(seed);
        let session = Session::new(id, caller.principal.clone(), self.hub.opening_until());
        Ok(Opening { session, idle })
    }

    /// Enters a session that is opened, and makes room for it. Nothing, if its id cannot be told from another.
    fn enter(&mut self, opening: Opening) -> Option<(Session, Scope)> {
        let Opening { session, idle } = opening;
        let scope = self.conversations.name();
        if !self.hub.sessions.enter(&session, scope) {
            return None;
        }
        if let Some(idle) = idle {
            self.end(idle);
            self.purge();
        }
        Some((session, scope))
    }

    /// The session, of a principal if one is named, that is idle and ends first. One that is only opened and whose stream is
    /// read may be about to be used, so others end before it. It is looked for only at the limit, among those that are idle.
    fn to_end(&self, principal: Option<&Bytes>) -> Option<Scope> {
        let idle =
            self.hub.sessions.idle.iter().filter_map(|(_, scope)| self.conversations.get(*scope));
        let is_of_them = |conversation: &&Conversation| {
            let session = conversation.session.as_ref();
            principal.is_none_or(|it| {
                session.is_some_and(|session| session.principal.as_ref() == Some(it))
            })
        };
        let mut theirs = idle.filter(is_of_them);
        let first = theirs.next()?;
        let unread = core::iter::once(first).chain(theirs).find(|it| !it.is_read());
        Some(unread.unwrap_or(first).scope)
    }

    pub(super) fn begin(&mut self, conversation: Conversation) {
        let scope = conversation.scope;
        if let Some(conversation) = self.conversations.insert(conversation) {
            conversation.is_touched = true;
            self.touched.push(scope);
        }
        self.settle();
    }

    /// The session that a request names, if it may use it.
    fn find_session(&mut self, head: &Parts, caller: &Caller) -> Result<Scope, Stray> {
        let named = match single(&head.headers, &SESSION) {
            Ok(Some(id)) => id,
            Ok(None) => sse_session(head, &self.hub.options).ok_or(Stray::Nameless)?,
            Err(_) => return Err(Stray::Nameless),
        };
        let id = SessionId::read(named).ok_or(Stray::Unknown)?;
        let scope = self.hub.sessions.find(&id).ok_or(Stray::Unknown)?;
        let conversation = self.conversations.get_mut(scope).ok_or(Stray::Unknown)?;
        let session = conversation.session.as_ref().ok_or(Stray::Unknown)?;
        if !session.belongs_to(&id, caller.principal.as_ref()) {
            return Err(Stray::Unknown);
        }
        if self.may_have_session(head) { Ok(scope) } else { Err(Stray::Version) }
    }

    /// Whether the version is one of sessions. What is missing is known from the session; R-VER-10: what is not served is
    /// refused.
    fn may_have_session(&self, head: &Parts) -> bool {
        match version(&head.headers) {
            Ok(None) => true,
            Ok(Some(Ok(named))) => {
                named.era() == Era::Legacy && self.hub.served.config.revisions.contains(named)
            }
            _ => false,
        }
    }

    fn turn_away(&mut self, stray: Stray, id: ErrorId<'_>) -> Exchange {
        let (status, why) = match stray {
            Stray::Nameless => (StatusCode::BAD_REQUEST, "Mcp-Session-Id is missing"),
            Stray::Unknown => (StatusCode::NOT_FOUND, "there is no such session"),
            Stray::Version => (StatusCode::BAD_REQUEST, "MCP-Protocol-Version is not served here"),
        };
        self.reply(refusal_of(status, id, why))
    }

    /// A message of a client whose session is open.
    pub(super) fn post_to_session(
        &mut self,
        admission: &Admission,
        head: &Parts,
        body: &Bytes,
        read: Read<'_>,
        meta: &RequestMeta<'_>,
        caller: &Caller,
    ) -> Exchange {
        let scope = match self.find_session(head, caller) {
            Ok(scope) => scope,
            Err(stray) => return self.turn_away(stray, id_of(&read)),
        };
        let name = self.hub.name_stream();
        let limits = self.hub.served.config.limits;
        let next = self.hub.exchanges.next();
        let Some(conversation) = self.conversations.get_mut(scope) else {
            return self.turn_away(Stray::Unknown, id_of(&read));
        };
        let is_slow = conversation.waiting_len() > limits.max_outbox_len;
        if is_slow && !finishes(&read) || conversation.endpoint.core().is_crowded() {
            return self.reply(no_room(&read, "this session has too much to read"));
        }
        let is_full = conversation.endpoint.requests_in_flight() >= limits.max_requests;
        if is_full && runs(&read) {
            return self.reply(no_room(&read, "too many requests of this session run"));
        }
        conversation.wake(&mut self.hub);
        let everything =
            conversation.streams.first().filter(|first| first.kind == Kind::Everything);
        let origin = Origin(everything.map_or(name, |everything| everything.name).0);
        let is_sse = everything.is_some();
        let is_held = everything.is_some_and(|everything| everything.is_held);
        let revision = conversation.endpoint.peer().map(|peer| peer.revision);
        let has_batches = revision.is_some_and(|revision| revision.rules().batches);
        let is_malformed = match &read {
            Ok(Message::Batch) => !has_batches,
            read => read.is_err(),
        };
        let now = self.hub.clock;
        let core = conversation.endpoint.core_mut();
        let opened = core.handle_message_from(origin, body, read, meta, now);
        conversation.is_touched = true;
        self.touched.push(scope);
        if is_sse {
            // Everything goes out on the one stream, and waits with all that waits for it.
            if is_held && opened > 0 {
                core.set_outlet(origin, Outlet::Held, now);
            }
            self.settle();
            let status = if is_malformed { StatusCode::BAD_REQUEST } else { StatusCode::ACCEPTED };
            return self.reply(empty(status));
        }
        if opened == 0 {
            let answer = conversation.take_answer(origin, &mut self.hub);
            self.settle();
            let is_refused = is_malformed || answer.as_deref().is_some_and(names_no_request);
            let status = if is_refused { StatusCode::BAD_REQUEST } else { StatusCode::OK };
            return self.reply(match answer {
                Some(answer) => said(status, answer, admission.accepts),
                None if is_malformed => empty(status),
                None => empty(StatusCode::ACCEPTED),
            });
        }
        let mut stream = Stream::new(name, Kind::Answers(Era::Legacy), next, admission.accepts);
        stream.waiting = opened;
        self.hub.name(&mut stream, revision);
        if !admission.accepts.stream {
            conversation.endpoint.core_mut().set_outlet(origin, Outlet::Shut, now);
        } else if meta.progress_token.is_some() && stream.primes {
            // A cut before the first report could not be mended otherwise.
            stream.become_stream(&mut *self.hub.replay);
        }
        let may_prime = stream.primes && stream.form == Form::Undecided;
        conversation.streams.push(stream);
        let exchange = self.hub.exchanges.open(Source::Stream(scope, name), now);
        if may_prime && let Some(entry) = self.hub.exchanges.get_mut(exchange) {
            entry.primes_at = Some(now + self.hub.options.prime_after);
        }
        self.hub.arm(exchange);
        self.settle();
        exchange
    }

    /// Opens a stream, or takes one up again.
    pub(super) fn get(&mut self, admission: &Admission, head: &Parts, caller: Caller) -> Exchange {
        let has_session = names_session(head, &self.hub.options);
        if !has_session && self.hub.options.http_sse {
            if !self.may_have_session(head) {
                return self.turn_away(Stray::Version, ErrorId::Absent);
            }
            return self.open_sse(head.uri.query(), admission.accepts, &caller);
        }
        let scope = match self.find_session(head, &caller) {
            Ok(scope) => scope,
            Err(stray) => return self.turn_away(stray, ErrorId::Absent),
        };
        match single(&head.headers, &LAST_EVENT) {
            Ok(None | Some(b"")) => self.open_stream(scope, admission.accepts),
            Ok(Some(id)) => self.resume(scope, id),
            Err(_) => self.invalid("Last-Event-ID occurs twice"),
        }
    }

    fn open_stream(&mut self, scope: Scope, accepts: Accepts) -> Exchange {
        let name = self.hub.name_stream();
        let max_streams = self.hub.options.max_streams;
        let Some(conversation) = self.conversations.get_mut(scope) else {
            return self.turn_away(Stray::Unknown, ErrorId::Absent);
        };
        let is_sse =
            conversation.streams.first().is_some_and(|first| first.kind == Kind::Everything);
        if is_sse || conversation.standalone_streams() >= max_streams {
            return self
                .reply(refusal(StatusCode::CONFLICT, "enough streams of this session are open"));
        }
        let source = Source::Stream(scope, name);
        let exchange = self.hub.exchanges.open_standing(source, self.hub.clock);
        let mut stream = Stream::new(name, Kind::Standalone, exchange, accepts);
        let revision = conversation.endpoint.peer().map(|peer| peer.revision);
        self.hub.name(&mut stream, revision);
        conversation.wake(&mut self.hub);
        conversation.open_standalone(stream, &mut self.hub);
        // Its head can go out at once.
        self.hub.signal(exchange);
        exchange
    }

    fn resume(&mut self, scope: Scope, id: &[u8]) -> Exchange {
        let next = self.hub.exchanges.next();
        let Some(conversation) = self.conversations.get_mut(scope) else {
            return self.turn_away(Stray::Unknown, ErrorId::Absent);
        };
        let Some((name, position)) = read_id(id) else {
            return self.invalid("Last-Event-ID names no event");
        };
        let before = conversation.reader(name);
        let is_standing =
            conversation.find_former(name).is_some_and(|stream| stream.kind == Kind::Standalone);
        if is_standing && self.hub.exchanges.standing() >= self.hub.options.max_standing_streams {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return self.reply(refusal(status, "too many streams are open"));
        }
        // Events of another session are not among these streams.
        let is_whole = conversation
            .find_former(name)
            .filter(|stream| stream.can_resume() && stream.kind != Kind::Everything)
            .is_some_and(|stream| stream.resume(position, next, &*self.hub.replay));
        if !is_whole {
            return self.invalid("what followed Last-Event-ID is not kept here");
        }
        conversation.recall(name);
        conversation.wake(&mut self.hub);
        conversation.is_touched = true;
        self.touched.push(scope);
        if let Some(before) = before {
            // The connection is broken, and only its client knows so far.
            self.hub.signal(before);
        }
        let (source, now) = (Source::Stream(scope, name), self.hub.clock);
        let exchange = match is_standing {
            true => self.hub.exchanges.open_standing(source, now),
            false => self.hub.exchanges.open(source, now),
        };
        self.hub.signal(exchange);
        self.settle();
        exchange
    }

    /// HTTP+SSE: the stream is the session.
    fn open_sse(&mut self, query: Option<&str>, accepts: Accepts, caller: &Caller) -> Exchange {
        let opening = match self.new_session(caller) {
            Ok(opening) => opening,
            Err(why) => return self.reply(refusal(StatusCode::SERVICE_UNAVAILABLE, why)),
        };
        let Some((session, scope)) = self.enter(opening) else {
            return self.reply(refusal(StatusCode::SERVICE_UNAVAILABLE, "try again"));
        };
        let name = self.hub.name_stream();
        let source = Source::Stream(scope, name);
        let exchange = self.hub.exchanges.open_standing(source, self.hub.clock);
        let mut stream = Stream::new(name, Kind::Everything, exchange, accepts);
        // The address of the stream itself (RFC 3986, 5.2.2). Its path as it is seen here would be wrong where somebody in front
        // has taken a prefix off. A query replaces the whole of the other, which may hold a key.
        let id = session.id.text();
        stream.announce(&match query.filter(|query| !query.is_empty()) {
            Some(query) => format!("?{query}&{SSE_SESSION}={id}"),
            None => format!("?{SSE_SESSION}={id}"),
        });
        let endpoint = Endpoint::sharing(self.hub.served.clone());
        let mut conversation = Conversation::new(scope, endpoint, Some(Box::new(session)));
        conversation.streams.push(stream);
        self.begin(conversation);
        self.hub.signal(exchange);
        exchange
    }

    /// A client is done with its session.
    pub(super) fn delete(&mut self, head: &Parts, caller: &Caller) -> Exchange {
        match self.find_session(head, caller) {
            Ok(scope) => {
                self.end(scope);
                self.purge();
                self.reply(empty(StatusCode::NO_CONTENT))
            }
            Err(stray) => self.turn_away(stray, ErrorId::Absent),
        }
    }
}

impl super::hub::Hub {
    /// Whether a stream can be taken up again, and whether an event may say so before there is a message.
    fn name(&self, stream: &mut Stream, revision: Option<Revision>) {
        stream.has_ids = self.options.resumption && stream.accepts.stream;
        stream.primes = stream.has_ids && revision >= Some(Revision::V2025_11_25);
    }
}
