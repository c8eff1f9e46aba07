//! What comes back: heads, bodies and their messages.

use bytes::Bytes;
use http::response;

use super::exchange::{Aim, End, Entry, Failing, Lane, Promise, State};
use super::position::Outage;
use super::{Client, Exchange, requests};
use crate::endpoint::{Carries, Purpose};
use crate::era::is_modern;
use crate::error::{CallError, ErrorObject, HttpError, Violation};
use crate::id::RequestId;
use crate::time::Instant;
use crate::wire::sse::{Decoder, Event};
use crate::wire::{Message, read_message};

impl Client {
    pub(super) fn read_head(&mut self, exchange: Exchange, head: &response::Parts, now: Instant) {
        let Some(entry) = self.exchanges.get(&exchange) else { return };
        if matches!(entry.state, State::Leaving(_)) {
            return self.leave(exchange);
        }
        if !matches!(entry.state, State::Asked) || entry.ended.is_some() {
            return;
        }
        let promise = Promise::read(head, self.options.max_head_len);
        match &entry.aim {
            Aim::Call(..) if entry.position.is_some() => self.read_resumed(exchange, promise, now),
            Aim::Call(number, opening) => {
                let purpose = opening.as_ref().map(|opening| opening.purpose);
                self.read_answer(exchange, *number, purpose, head, promise, now);
            }
            Aim::Message(lane) => {
                let lane = lane.clone();
                self.read_receipt(exchange, &lane, promise, now);
            }
            Aim::Listen => self.read_listening(exchange, promise, now),
            Aim::Channel => self.read_channel_head(exchange, promise, now),
            Aim::Delete => self.ignore(exchange),
        }
    }

    /// The head of what a call is answered with.
    fn read_answer(
        &mut self,
        exchange: Exchange,
        number: i64,
        purpose: Option<Purpose>,
        head: &response::Parts,
        promise: Promise,
        now: Instant,
    ) {
        if purpose == Some(Purpose::Initialize) && head.status.is_success() {
            match requests::session_of(&head.headers) {
                Ok(id) => self.session.id = id,
                Err(()) => self.remark(HttpError::BadSession),
            }
        }
        if head.status.is_success() {
            if purpose.is_none() {
                self.lost = 0;
            }
            self.accept_refusal(exchange);
            if self.has_channel() {
                // The answer comes there.
                return self.ignore(exchange);
            }
        }
        match promise {
            Promise::Json => self.set_state(exchange, State::Json(alloc::vec::Vec::new())),
            Promise::Stream => {
                let is_modern = self.is_modern() || purpose == Some(Purpose::Probe);
                if let Some(entry) = self.exchanges.get_mut(&exchange).filter(|_| !is_modern) {
                    entry.position.get_or_insert_default();
                }
                self.begin_stream(exchange, now);
            }
            Promise::Error(failing) => self.set_state(exchange, State::Error(failing)),
            Promise::Accepted => self.fail_call(exchange, number, HttpError::NoAnswer.into(), now),
            Promise::Nonsense(error) => self.fail_call(exchange, number, error.into(), now),
        }
    }

    /// The head of what a message is answered with that has no answer.
    fn read_receipt(&mut self, exchange: Exchange, lane: &Lane, promise: Promise, now: Instant) {
        if let Promise::Error(failing) = promise {
            let in_session = self.exchanges.get(&exchange).is_some_and(|entry| entry.in_session);
            if failing.status == 404 && in_session && !self.is_closing {
                return self.lose_session(now);
            }
            self.remark(failing.error());
        }
        self.ignore(exchange);
        self.said(lane);
    }

    pub(super) fn begin_stream(&mut self, exchange: Exchange, now: Instant) {
        let max_len = self.endpoint.core().limits().max_message_len;
        let mut decoder = Decoder::new(max_len, self.options.max_event_id_len);
        self.set_due(exchange, None);
        let Some(entry) = self.exchanges.get_mut(&exchange) else { return };
        if let Some(position) = &mut entry.position {
            position.handle_open(now);
            decoder = decoder.behind(position.last_event_id());
            if position.outage == Outage::IsOver {
                // That it goes on is told in its turn.
                self.readable.push_back(exchange);
            }
        }
        entry.state = State::Stream(decoder.into());
    }

    pub(super) fn set_state(&mut self, exchange: Exchange, state: State) {
        if let Some(entry) = self.exchanges.get_mut(&exchange) {
            entry.state = state;
        }
    }

    pub(super) fn read_chunk(&mut self, exchange: Exchange, chunk: &[u8], now: Instant) {
        let max_message_len = self.endpoint.core().limits().max_message_len;
        let Some(entry) = self.exchanges.get_mut(&exchange) else { return };
        if entry.ended.is_some() {
            return;
        }
        let before = entry.buffered();
        let limit = match &mut entry.state {
            State::Json(body) if body.len() + chunk.len() > max_message_len => {
                Some(max_message_len)
            }
            State::Json(body) => {
                body.extend_from_slice(chunk);
                None
            }
            State::Stream(decoder) => {
                if let Some(position) = &mut entry.position {
                    position.heard = now;
                    position.is_filled |= decoder.is_empty() && chunk.starts_with(b":");
                }
                decoder.handle_input(chunk, now);
                None
            }
            State::Error(failing) => {
                if !failing.push(chunk, self.options.max_error_len) {
                    // What has come is enough.
                    self.buffered += entry.buffered() - before;
                    return self.finish(exchange, End::Complete, now);
                }
                None
            }
            State::Waiting | State::Asked | State::Leaving(_) | State::Ignored => return,
        };
        self.buffered += entry.buffered() - before;
        let most = self.options.max_buffered_len;
        let limit = limit.or_else(|| (self.buffered > most).then_some(most));
        match limit {
            Some(limit) => self.overflow(exchange, limit, now),
            None => self.readable.push_back(exchange),
        }
    }

    /// More has come than may be kept.
    fn overflow(&mut self, exchange: Exchange, limit: usize, now: Instant) {
        match self.exchanges.get(&exchange).map(|entry| &entry.aim) {
            Some(Aim::Call(number, _)) => {
                let error = CallError::Protocol(Violation::TooLong { limit });
                self.fail_call(exchange, *number, error, now);
            }
            Some(Aim::Channel) => self.lose_channel(exchange, HttpError::TooLong { limit }, now),
            _ => {
                self.remark(HttpError::TooLong { limit });
                self.abort(exchange);
            }
        }
    }

    /// Reads everything, as far as there is room for its events.
    pub(super) fn read_all(&mut self) {
        while !self.endpoint.core().is_crowded() && self.read_next() {}
    }

    /// Reads one message or one end. Whether there was one, and room for its answer.
    pub(super) fn read_next(&mut self) -> bool {
        let Some(exchange) = self.readable.front().copied() else { return false };
        if self.is_stalled(exchange) {
            self.readable.pop_front();
            self.set_aside(exchange);
            return true;
        }
        if !self.endpoint.core_mut().admits_input() {
            self.endpoint.core_mut().hold_input();
            return false;
        }
        if !self.read_one(exchange) {
            self.readable.pop_front();
        }
        true
    }

    /// Whether more of it may be there.
    fn read_one(&mut self, exchange: Exchange) -> bool {
        let Some(entry) = self.exchanges.get_mut(&exchange) else { return false };
        if let State::Stream(decoder) = &mut entry.state {
            if entry.position.as_mut().is_some_and(|position| position.take_return()) {
                let id = entry.aim.call();
                self.endpoint.core_mut().tell(crate::event::Event::Resumed { id });
                return true;
            }
            let before = decoder.len();
            let event = decoder.poll_event();
            self.buffered -= before - decoder.len();
            match event {
                Some(Ok(event)) => {
                    let is_new = match &mut entry.position {
                        Some(position) => {
                            position.follow(decoder);
                            position.handle_event(&event)
                        }
                        None => true,
                    };
                    if is_new {
                        self.read_event(exchange, event);
                    }
                    return true;
                }
                Some(Err(error)) => {
                    let now = self.clock();
                    self.overflow(exchange, error.limit, now);
                    return false;
                }
                None => {
                    let ended = entry.ended;
                    if let Some(position) = &mut entry.position {
                        position.follow(decoder);
                        if position.is_watched() {
                            self.watch(exchange);
                        }
                    }
                    if let Some((end, at)) = ended {
                        self.finish(exchange, end, at);
                    }
                    return false;
                }
            }
        }
        if let Some((end, at)) = entry.ended {
            self.finish(exchange, end, at);
        }
        false
    }

    fn read_event(&mut self, exchange: Exchange, event: Event) {
        let Some(entry) = self.exchanges.get(&exchange) else { return };
        if matches!(entry.aim, Aim::Channel) {
            return self.read_channel_event(exchange, event);
        }
        // An event without data only says where the stream stands.
        if !event.data.is_empty() && (event.name.is_empty() || event.name == "message") {
            self.deliver(exchange, event.data, event.at);
        }
    }

    /// Gives a message to the endpoint, with what may come on this exchange.
    pub(super) fn deliver(&mut self, exchange: Exchange, frame: Bytes, at: Instant) {
        let Some(entry) = self.exchanges.get(&exchange) else { return };
        let (carries, number) = match &entry.aim {
            Aim::Call(number, _) => (Carries::Only(*number), Some(*number)),
            Aim::Channel => (Carries::All, None),
            Aim::Message(_) | Aim::Listen | Aim::Delete => (Carries::Nothing, None),
        };
        let page = self.page_in(number, &frame);
        let before = self.endpoint.core().events_behind(0).len();
        self.endpoint.core_mut().handle_message_on(carries, frame, at);
        self.follow_doubt();
        self.follow_stalled(exchange, before);
        if let Some(number) = number
            && !self.endpoint.core().has_call(number)
        {
            self.ignore(exchange);
            if let Some(page) = page {
                self.turn_page(page, at);
            }
        }
    }

    /// An exchange has come to its end, and everything before it was read.
    fn finish(&mut self, exchange: Exchange, end: End, at: Instant) {
        let Some(entry) = self.exchanges.get_mut(&exchange) else { return };
        match (&entry.aim, &mut entry.state) {
            (Aim::Call(number, _), State::Json(body)) if end == End::Complete => {
                let (number, frame) = (*number, Bytes::from(core::mem::take(body)));
                self.buffered -= frame.len();
                if frame.is_empty() {
                    return self.fail_call(exchange, number, HttpError::NoAnswer.into(), at);
                }
                self.deliver(exchange, frame, at);
                // Nothing more can come that would answer it.
                let why = Violation::InvalidResponse("the body is no answer to its request".into());
                self.fail_call(exchange, number, CallError::Protocol(why), at);
            }
            (Aim::Call(number, _), State::Json(_)) => {
                let number = *number;
                self.fail_call(exchange, number, HttpError::Cut.into(), at);
            }
            (Aim::Call(number, _), State::Asked) if entry.position.is_none() => {
                let number = *number;
                self.fail_call(exchange, number, HttpError::Unreachable.into(), at);
            }
            (Aim::Call(..) | Aim::Listen, State::Asked | State::Stream(_)) => {
                if let (State::Stream(_), Some(position)) = (&entry.state, &mut entry.position) {
                    position.handle_cut(end);
                }
                self.resume(exchange, None, at);
            }
            (_, State::Leaving(_)) => self.leave(exchange),
            (Aim::Call(..), State::Error(_)) => self.read_refusal(exchange, at),
            (Aim::Channel, _) => self.end_channel(exchange, at),
            (Aim::Message(lane), State::Asked) => {
                let lane = lane.clone();
                self.remark(HttpError::Unreachable);
                self.remove(exchange);
                self.said(&lane);
            }
            _ => {
                self.remove(exchange);
            }
        }
    }

    /// A call was answered with a status that is none of success: what is in the body decides.
    fn read_refusal(&mut self, exchange: Exchange, now: Instant) {
        let Some(Entry {
            aim: Aim::Call(number, opening),
            state: State::Error(failing),
            in_session,
            message: said,
            ..
        }) = self.exchanges.get_mut(&exchange)
        else {
            return;
        };
        let (number, opening, in_session) = (*number, opening.clone(), *in_session);
        let said = said.take();
        let (status, error, message) = (failing.status, failing.error(), failing.message());
        // Who may not come in is told the status; and what says nothing of the era must not decide it.
        let is_message = match &opening {
            Some(_) if self.is_in_doubt() && status >= 500 => false,
            Some(_) => !error.says_nothing_of_the_era(),
            None => !matches!(status, 401 | 403 | 407),
        };
        // What is no error of JSON-RPC may be of whatever stands before the server, and is no sign that it has changed.
        let is_sign = opening.is_none()
            || !self.is_in_doubt()
            || message.as_ref().is_some_and(|frame| self.peer_error(frame).is_some());
        let told = message.filter(|_| is_message).and_then(|frame| {
            let (code, is_ours) = self.code_of(&frame, number)?;
            Some((frame, code, is_ours))
        });
        let is_unknown_method = matches!(told, Some((_, ErrorObject::METHOD_NOT_FOUND, true)));
        // -32601 in answer to this very call is of a server that knows the session, and not the method.
        if status == 404 && in_session && !is_unknown_method {
            return self.lose_session(now);
        }
        if let (Some((refusal, ErrorObject::HEADER_MISMATCH, _)), Some(said)) = (&told, said) {
            let refusal = refusal.clone();
            self.abort(exchange);
            return self.refresh(number, said, refusal, now);
        }
        let is_initialize =
            opening.as_ref().is_some_and(|opening| opening.purpose == Purpose::Initialize);
        let is_modern = told.as_ref().is_some_and(|(frame, ..)| self.is_modern_error(frame));
        // SHOULD; 2025-03-26 basic/transports, backwards compatibility
        if is_initialize
            && !is_modern
            && (400..500).contains(&status)
            && !error.says_nothing_of_the_era()
            && let Some(opening) = opening
        {
            let because = match &told {
                Some((frame, ..)) => self.peer_error(frame).unwrap_or_else(|| error.clone().into()),
                None => error.clone().into(),
            };
            if let Err(because) = self.fall_back(number, opening, because) {
                self.fail_call(exchange, number, because, now);
            } else {
                self.abort(exchange);
            }
            return;
        }
        let is_doubtful = opening.is_none() && self.is_doubtful(status, told.as_ref());
        let error = if is_sign { error } else { HttpError::ContentType };
        if let Some((frame, ..)) = told {
            self.deliver(exchange, frame, now);
        }
        self.fail_call(exchange, number, error.into(), now);
        if is_doubtful {
            self.doubt(now);
        }
    }

    /// The code of an error that answers this call, and whether it names it.
    fn code_of(&self, frame: &Bytes, number: i64) -> Option<(i64, bool)> {
        let core = self.endpoint.core();
        match read_message(frame, core.limits(), core.tolerance()).ok()? {
            Message::Response { id, outcome: Err(error) } => {
                let named = id.as_i64().or_else(|| id.lenient_i64());
                (named == Some(number)).then_some((error.code, true))
            }
            Message::AnonymousError(error) => Some((error.code, false)),
            _ => None,
        }
    }

    /// Whether it is an error of JSON-RPC that only a server of the modern era says.
    fn is_modern_error(&self, frame: &Bytes) -> bool {
        let core = self.endpoint.core();
        match read_message(frame, core.limits(), core.tolerance()) {
            Ok(Message::Response { outcome: Err(error), .. } | Message::AnonymousError(error)) => {
                is_modern(error.code, error.data)
            }
            _ => false,
        }
    }

    fn peer_error(&self, frame: &Bytes) -> Option<CallError> {
        let core = self.endpoint.core();
        match read_message(frame, core.limits(), core.tolerance()).ok()? {
            Message::Response { outcome: Err(error), .. } | Message::AnonymousError(error) => {
                Some(CallError::Peer(ErrorObject::new(error.code, error.message)))
            }
            _ => None,
        }
    }

    /// The exchange of a call has failed, and the call with it, unless it has ended by other means.
    pub(super) fn fail_call(
        &mut self,
        exchange: Exchange,
        number: i64,
        error: CallError,
        now: Instant,
    ) {
        self.abort(exchange);
        self.endpoint.handle_call_failed(&RequestId::from(number), error, now);
        self.follow_doubt();
    }

    /// Tells of what belongs to no call.
    pub(super) fn remark(&mut self, error: HttpError) {
        self.endpoint.core_mut().violation(Violation::Http(error));
    }
}

impl Failing {
    /// Whether a stream may be opened later: a server that has not noticed yet that its former connection is broken says
    /// 409.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self.status, 408 | 409 | 429 | 500..)
    }
}
