//! What arrives: one message at a time, to the table that it concerns.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::time::Duration;

use bytes::Bytes;

use super::calls::{Purpose, Tracked};
use super::core::Core;
use super::exchanges::Carries;
use super::requests::{Inbound, Outlet, Reporter, Settled};
use crate::config::Tolerance;
use crate::era::{Answer, Lifecycle, Speech, Verdict};
use crate::error::{CallError, ErrorObject, Violation};
use crate::event::Event;
use crate::id::{ProgressToken, RequestId};
use crate::json::{Kind, Params, Raw, RawJson, Text, text_of};
use crate::progress::Sender;
use crate::revision::{Era, Revision};
use crate::time::Instant;
use crate::types::{EmptyResult, Progress};
use crate::wire::{
    ErrorId, Malformed, Message, PeerError, ProgressFields, ProgressLayout, RequestMeta,
    read_message,
};

impl Core {
    /// One whole message, complete at `at`. What was due before that has ended before it.
    pub(crate) fn handle_message(&mut self, frame: Bytes, at: Instant) {
        // What was due before it may have been the handshake, which ends everything.
        self.begin_message(at);
        if self.is_closed() {
            return;
        }
        let layout = self.progress_layout.as_ref();
        if let Some(fields) = layout.and_then(|layout| layout.read(&frame)) {
            self.handle_progress(&frame, &fields, at);
            self.settle();
            return;
        }
        let read = read_message(&frame, &self.limits, self.tolerance);
        self.handle_read(&frame, read, at);
        self.settle();
    }

    /// As [`handle_message`](Self::handle_message), of a message that came where only some answers may come.
    #[cfg(feature = "http")]
    pub(crate) fn handle_message_on(&mut self, carries: Carries, frame: Bytes, at: Instant) {
        self.carries = carries;
        self.handle_message(frame, at);
        self.carries = Carries::All;
    }

    /// One message, read from `frame`.
    #[inline]
    pub(super) fn handle_read(
        &mut self,
        frame: &Bytes,
        read: Result<Message<'_>, Malformed>,
        at: Instant,
    ) {
        match read {
            Ok(Message::Request { id, method, params }) => {
                self.handle_request(frame, id, method, params, &RequestMeta::of(params), at);
            }
            Ok(Message::Notification { method, params }) => {
                self.handle_notification(frame, method, params, at);
            }
            Ok(Message::Response { id, outcome }) => self.handle_response(frame, &id, outcome, at),
            // It can only be about the one request that was asked here.
            Ok(Message::AnonymousError(error)) if let Carries::Only(number) = self.carries => {
                self.handle_response(frame, &number.into(), Err(error), at);
            }
            Ok(Message::AnonymousError(error)) => {
                let error = own_error(frame, &error);
                self.violation(Violation::AnonymousError(error));
            }
            Ok(Message::Batch) => self.handle_batch(frame, at),
            Err(malformed) => self.handle_malformed(malformed, at),
        }
    }

    /// A message is read that was complete at `at`. Ends what was due strictly before: bytes that came at a
    /// deadline win over it.
    pub(super) fn begin_message(&mut self, at: Instant) {
        self.read_at = at;
        self.expire(at.before(Duration::from_nanos(1)));
    }

    // Requests.

    pub(super) fn handle_request(
        &mut self,
        frame: &Bytes,
        id: RequestId,
        method: Cow<'_, [u8]>,
        params: Option<Params<'_>>,
        meta: &RequestMeta<'_>,
        at: Instant,
    ) {
        let vacancy = self.requests.vacancy(&id).filter(|_| !self.batches.holds(&id));
        let Some(vacancy) = vacancy else { return self.handle_duplicate(id, at) };
        let verdict = match &mut self.life {
            Lifecycle::Server(serving) => serving.judge(&method, params, meta),
            Lifecycle::Client(negotiation) => match negotiation.revision() {
                // A client never responds; 2026-07-28 basic/transports/stdio
                Some(revision) if revision.era() == Era::Modern => {
                    self.violation(Violation::UnexpectedMethod("a request from the server".into()));
                    return;
                }
                revision => {
                    let revision = revision.unwrap_or(Revision::LATEST_LEGACY);
                    let speech = Speech { revision, log_level: None };
                    if *method == *b"ping" {
                        Verdict::Answer(Answer::Empty, speech)
                    } else {
                        Verdict::Pass(speech)
                    }
                }
            },
        };
        match verdict {
            Verdict::Refuse(error) => self.refuse(ErrorId::Known(&id), &error),
            Verdict::Answer(_, speech) | Verdict::Pass(speech)
                if self.batches.reading().is_some() && !speech.revision.rules().batches =>
            {
                let error = ErrorObject::new(ErrorObject::INVALID_REQUEST, "not in a batch");
                self.refuse(ErrorId::Known(&id), &error);
            }
            Verdict::Answer(answer, speech) => self.answer_by_itself(&id, answer, speech),
            Verdict::Pass(_)
                if method.len() > self.limits.max_method_len
                    || method.starts_with(b"notifications/") =>
            {
                self.refuse(ErrorId::Known(&id), &ErrorObject::method_not_found());
            }
            Verdict::Pass(_) if self.requests.len() >= self.limits.max_requests => {
                // It was read, so it is refused like any other, without a budget: one answer to each.
                let error = ErrorObject::internal("too many requests");
                self.refuse(ErrorId::Known(&id), &error);
                self.violation(Violation::TooManyRequests);
            }
            Verdict::Pass(speech) => {
                let reporter = self.reporter(meta).map(Box::new);
                let batch = self.batches.reading();
                if let Some(batch) = batch {
                    self.batches.join(batch);
                }
                #[cfg(feature = "snapshot")]
                let asked = {
                    let params = params.map(|params| params.raw());
                    self.requests.keep(&method, params, self.limits.max_message_len)
                };
                self.requests.insert(
                    vacancy,
                    id.clone(),
                    Inbound {
                        serial: 0, // given when it is entered
                        speech,
                        reporter,
                        cancelled: false,
                        queued: None,
                        flush_at: None,
                        batch,
                        origin: self.reading,
                        outlet: Outlet::Open,
                        #[cfg(feature = "snapshot")]
                        asked,
                    },
                );
                self.events.push_back(Event::Request {
                    id,
                    method: Text::of(frame, method),
                    params: params.map(|params| RawJson::slice_of(frame, params.raw())),
                });
            }
        }
    }

    fn answer_by_itself(&mut self, id: &RequestId, answer: Answer, speech: Speech) {
        let era = speech.revision.era();
        match answer {
            Answer::Empty => self.answer(id, &EmptyResult {}, era),
            Answer::Discover(result) => {
                self.answer(id, &*result, era);
            }
            Answer::Initialize(result, peer) => {
                self.answer(id, &*result, era);
                self.met(peer);
            }
        }
    }

    /// Where progress of a request goes. A token of a wrong type costs the progress, not the request.
    fn reporter(&mut self, meta: &RequestMeta<'_>) -> Option<Reporter> {
        match ProgressToken::read(meta.progress_token?, self.limits.max_id_len) {
            Ok(token) => Some(Reporter {
                token,
                sender: Sender::new(self.life.pacing(), self.limits.max_milestones),
            }),
            Err(_) => {
                self.violation(Violation::BadToken);
                None
            }
        }
    }

    // Notifications.

    fn handle_notification(
        &mut self,
        frame: &Bytes,
        method: Cow<'_, [u8]>,
        params: Option<Params<'_>>,
        at: Instant,
    ) {
        match &*method {
            b"notifications/progress" => {
                let fields = ProgressFields::new(params.as_ref());
                let unknown = || Box::new(ProgressLayout::unknown());
                self.progress_layout.get_or_insert_with(unknown).learn(frame, &fields);
                self.handle_progress(frame, &fields, at);
            }
            b"notifications/cancelled" => self.handle_cancelled(frame, params),
            b"notifications/initialized" => match &mut self.life {
                Lifecycle::Server(serving) => serving.handle_initialized(),
                Lifecycle::Client(_) => self
                    .violation(Violation::UnexpectedMethod("initialized from the server".into())),
            },
            _ if method.len() > self.limits.max_method_len => {
                self.violation(Violation::UnexpectedMethod(
                    "a method name beyond its limit".into(),
                ));
            }
            _ => self.events.push_back(Event::Notification {
                method: Text::of(frame, method),
                params: params.map(|params| RawJson::slice_of(frame, params.raw())),
            }),
        }
    }

    fn handle_cancelled(&mut self, frame: &Bytes, params: Option<Params<'_>>) {
        let named = params.and_then(|params| params.get("requestId"));
        if named.is_none() && self.life.revision() == Some(Revision::V2025_11_25) {
            return; // it may name a task instead, of which this side has none
        }
        let id = named.and_then(|id| RequestId::read(id, self.limits.max_id_len).ok());
        let Some(id) = id else {
            return self.violation(Violation::BadNotification("notifications/cancelled".into()));
        };
        if self.has_modern_server() {
            return self.end_subscription(&id);
        }
        let reason = params
            .and_then(|params| params.get("reason"))
            .and_then(|reason| text_of(frame, reason));
        self.withdraw(id, reason);
    }

    /// Whether this is a client whose server is known to be of the modern era: that era has no sessions for a server to be in.
    fn has_modern_server(&self) -> bool {
        self.life.revision().is_some_and(|revision| revision.era() == Era::Modern)
    }

    /// The server has ended a subscription of ours: nothing else may it take back, for it asks nothing.
    ///
    /// 2026-07-28 basic/patterns/cancellation.
    fn end_subscription(&mut self, id: &RequestId) {
        let number = id.as_i64().filter(|number| self.is_sent(*number));
        let Some(number) = number else { return };
        if !self.calls.get(number).is_some_and(|call| call.subscribes) || !self.may_answer(number) {
            let why = "a cancellation of what is no subscription";
            return self.violation(Violation::UnexpectedMethod(why.into()));
        }
        if self.end_call(number).is_some() {
            let outcome = Err(CallError::Withdrawn);
            self.events.push_back(Event::Response { id: number.into(), outcome });
        }
    }

    /// The peer no longer wants the answer to a request.
    ///
    /// Only requests from that peer are looked at: a call of ours may well have the same id. One that is unknown
    /// leaves no trace: it may come later. If it is answered already, the answer does not leave any more, unless it
    /// has begun to.
    pub(crate) fn withdraw(&mut self, id: RequestId, reason: Option<Text>) {
        let Some(inbound) = self.requests.get_mut(&id) else {
            return self.revoke_answer(&id);
        };
        if inbound.cancelled {
            return;
        }
        inbound.cancelled = true;
        inbound.reporter = None;
        inbound.flush_at = None;
        let (queued, batch) = (inbound.queued, inbound.batch.take());
        self.settled.extend(Settled::new(inbound.origin, queued.map(|_| &id)));
        self.revoke(queued);
        if let Some(batch) = batch {
            self.batches.leave(batch, &mut self.outbox);
        }
        self.events.push_back(Event::Cancelled { id, reason });
    }

    /// 2026-07-28 basic/patterns/cancellation: MUST NOT send what was cancelled; a transport that tells exchanges
    /// apart sees to it by itself.
    fn revoke_answer(&mut self, id: &RequestId) {
        // `initialize` cannot be cancelled, nor a part of the answer to a batch.
        let may_be = match &self.life {
            Lifecycle::Server(serving) => match serving.session() {
                Some(session) => serving.is_initialized() && !session.rules().batches,
                None => true,
            },
            Lifecycle::Client(negotiation) => {
                negotiation.revision().is_some_and(|revision| !revision.rules().batches)
            }
        };
        if may_be {
            self.revoke(self.outbox.reply_to(id));
        }
    }

    fn handle_progress(&mut self, frame: &Bytes, fields: &ProgressFields<'_>, at: Instant) {
        if self.is_server_of_modern_client() {
            // MUST NOT; 2026-07-28 basic/patterns/progress
            return self.violation(Violation::UnexpectedMethod("progress from a client".into()));
        }
        let read = |token| ProgressToken::read(token, self.limits.max_id_len);
        let Some(Ok(token)) = fields.token.map(read) else {
            return self.violation(Violation::BadToken);
        };
        let Some(number) = self.find_call(&token) else { return };
        if !self.may_report(number) {
            return self
                .violation(Violation::UnexpectedMethod("progress beside its own stream".into()));
        }
        let Some(value) =
            fields.progress.filter(|value| value.kind() == Kind::Number).and_then(Raw::as_f64)
        else {
            return self.violation(Violation::BadProgress);
        };
        let Some(call) = self.calls.get_mut(number) else { return };
        let id = RequestId::from(number);
        if let Err(refused) = call.receiver.accept(value) {
            return self.violation(Violation::NotIncreasing {
                id,
                last: refused.last,
                progress: value,
            });
        }
        call.rearm(at);
        let progress = Progress {
            progress: value,
            total: fields.total.filter(|total| total.kind() == Kind::Number).and_then(Raw::as_f64),
            message: fields.message.and_then(|message| text_of(frame, message)),
        };
        self.events.push_back(Event::Progress { id, progress });
    }

    fn is_server_of_modern_client(&self) -> bool {
        match &self.life {
            Lifecycle::Server(serving) => serving.session().is_none(),
            Lifecycle::Client(_) => false,
        }
    }

    /// The call that a token belongs to. Anything else is reported and leaves no state.
    fn find_call(&mut self, token: &ProgressToken) -> Option<i64> {
        // Nobody can report on a request that was not even written.
        let is_known = |number: &i64| self.calls.get(*number).is_some_and(|call| !call.is_held());
        if let Some(number) = self.calls.by_token(token).filter(is_known) {
            return Some(number);
        }
        let is_tracked = |number: i64| {
            let call = self.calls.get(number).filter(|call| !call.is_held());
            call.is_some_and(|call| call.tracking == Tracked::Own)
        };
        if let Some(number) = token.as_i64() {
            if is_tracked(number) {
                return Some(number);
            }
            let was_issued = self.calls.was_issued(number) && self.calls.get(number).is_none();
            let token = token.clone();
            self.violation(if was_issued {
                Violation::LateProgress(token)
            } else {
                Violation::UnknownToken(token)
            });
            return None;
        }
        let is_lenient = self.tolerance == Tolerance::Lenient;
        let lenient = self.calls.by_lenient_token(token).filter(|_| is_lenient);
        let Some(number) = lenient.filter(|number| is_tracked(*number)) else {
            self.violation(Violation::UnknownToken(token.clone()));
            return None;
        };
        if let Some(call) = self.calls.get_mut(number)
            && !core::mem::replace(&mut call.lenient, true)
        {
            self.violation(Violation::LenientToken(token.clone()));
        }
        Some(number)
    }

    // Responses.

    fn handle_response(
        &mut self,
        frame: &Bytes,
        id: &RequestId,
        outcome: Result<Raw<'_>, PeerError<'_>>,
        at: Instant,
    ) {
        let Some(number) = self.find_answered(id) else { return };
        if !self.may_answer(number) {
            return self.violation(Violation::UnknownResponse(id.clone()));
        }
        let Some((call, _)) = self.end_call(number) else { return };
        match (call.purpose, outcome) {
            (Purpose::Courtesy, _) => {}
            (Purpose::Application, outcome) => {
                let outcome = match outcome {
                    Ok(result) => {
                        self.check_result(result).map(|()| RawJson::slice_of(frame, result))
                    }
                    Err(error) => Err(CallError::Peer(own_error(frame, &error))),
                };
                self.events.push_back(Event::Response { id: number.into(), outcome });
            }
            (purpose, outcome) => {
                let Lifecycle::Client(negotiation) = &mut self.life else { return };
                let next = match (purpose, outcome) {
                    (Purpose::Probe, Ok(result)) if check_type(result).is_err() => {
                        negotiation.handle_probe_nonsense()
                    }
                    (Purpose::Probe, Ok(result)) => negotiation.handle_discovered(result),
                    (Purpose::Probe, Err(error)) => {
                        negotiation.handle_probe_error(&own_error(frame, &error))
                    }
                    (_, Ok(result)) => negotiation.handle_initialized(result),
                    (_, Err(error)) => negotiation.handle_refused(own_error(frame, &error)),
                };
                self.proceed(next, at);
            }
        }
    }

    /// The call that a response answers. Anything else is reported and leaves no state.
    fn find_answered(&mut self, id: &RequestId) -> Option<i64> {
        match id.as_i64() {
            Some(number) if self.is_sent(number) => Some(number),
            Some(number) if self.calls.was_issued(number) && self.calls.get(number).is_none() => {
                self.violation(Violation::LateResponse(id.clone()));
                None
            }
            Some(_) => {
                self.violation(Violation::UnknownResponse(id.clone()));
                None
            }
            None => match self.lenient(id).filter(|number| self.is_sent(*number)) {
                Some(number) => {
                    self.violation(Violation::LenientId(id.clone()));
                    Some(number)
                }
                None => {
                    self.violation(Violation::UnknownResponse(id.clone()));
                    None
                }
            },
        }
    }

    /// Whether a call waits for its answer, and the peer may have heard of it.
    pub(super) fn is_sent(&self, number: i64) -> bool {
        self.calls.get(number).is_some_and(|call| !call.is_held())
    }

    /// The call that an id of another type than ours means, where that is put up with.
    pub(super) fn lenient(&self, id: &RequestId) -> Option<i64> {
        id.lenient_i64().filter(|_| self.tolerance == Tolerance::Lenient)
    }

    fn check_result(&self, result: Raw<'_>) -> Result<(), CallError> {
        if self.has_modern_server() { check_type(result) } else { Ok(()) }
    }
}

pub(super) fn own_error(frame: &Bytes, error: &PeerError<'_>) -> ErrorObject {
    ErrorObject {
        code: error.code,
        message: error.message.clone().into_owned(),
        data: error.data.map(|data| RawJson::slice_of(frame, data)),
    }
}

/// 2026-07-28 basic/index: absent means complete; what this client does not know is invalid.
fn check_type(result: Raw<'_>) -> Result<(), CallError> {
    let why = match result.get("resultType").map(|kind| kind.as_str()) {
        None => return Ok(()),
        Some(Some(kind)) if kind == "complete" => return Ok(()),
        Some(Some(kind)) if kind == "input_required" => "input is required that was not offered",
        Some(_) => "unknown resultType",
    };
    Err(CallError::Protocol(Violation::InvalidResponse(why.into())))
}
