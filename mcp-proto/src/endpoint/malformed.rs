//! What cannot be read, or not be taken: what is answered, and what is told of it.

use super::answers::Allowance;
use super::calls::Purpose;
use super::core::{Core, MAX_TEXT_LEN};
use crate::era::Lifecycle;
use crate::error::{CallError, CloseReason, ErrorObject, Violation};
use crate::event::Event;
use crate::id::RequestId;
use crate::json::bounded;
use crate::time::Instant;
use crate::wire::{ErrorId, Malformed, MalformedKind, Salvaged, salvage};

impl Core {
    /// A line that was longer than the limit; `head` is how it began.
    pub(crate) fn handle_too_long(&mut self, head: &[u8], at: Instant) {
        // What was due before it may have been the handshake, which ends everything.
        self.begin_message(at);
        if self.is_closed() {
            return;
        }
        let violation = Violation::TooLong { limit: self.limits.max_message_len };
        let (id, kind) = match salvage(head, &self.limits) {
            Salvaged { id, kind: Some(kind) } => (id, kind),
            // Whose id it is cannot be told, and both sides count theirs from 1: nobody's.
            Salvaged { kind: None, .. } => (None, MalformedKind::Request),
        };
        self.handle_malformed(Malformed { violation, id, kind }, at);
        self.settle();
    }

    /// A request with the id of another one that is worked on, or whose answer waits for its batch.
    #[cold]
    pub(super) fn handle_duplicate(&mut self, id: RequestId, at: Instant) {
        let violation = Violation::DuplicateId(id.clone());
        let is_server = matches!(self.life, Lifecycle::Server(_));
        match violation.answer().filter(|_| is_server && !self.is_in_use(&id)) {
            // The other one was cancelled: this one alone is waited for.
            Some((code, why)) => {
                self.refuse(ErrorId::Known(&id), &ErrorObject::new(code, why));
                self.violation(violation);
            }
            // An answer with this id would end the other one at the peer, so none bears it.
            None => {
                let kind = MalformedKind::Request;
                self.handle_malformed(Malformed { violation, id: None, kind }, at);
            }
        }
    }

    /// Whether the peer still waits for an answer with this id. It does not for one that it has cancelled, whose handler
    /// may run yet.
    fn is_in_use(&self, id: &RequestId) -> bool {
        self.requests.get(id).is_some_and(|inbound| !inbound.cancelled) || self.batches.holds(id)
    }

    pub(super) fn handle_malformed(&mut self, malformed: Malformed, at: Instant) {
        let Malformed { violation, id, kind } = malformed;
        match kind {
            MalformedKind::Notification => {}
            MalformedKind::Response => {
                let number = id.as_ref().and_then(|id| id.as_i64().or_else(|| self.lenient(id)));
                if let Some(number) = number
                    .filter(|number| self.is_sent(*number))
                    .filter(|number| self.may_answer(*number))
                {
                    self.end_malformed(number, violation.clone(), at);
                }
            }
            MalformedKind::Request => self.answer_malformed(&violation, id, at),
        }
        self.violation(violation);
    }

    /// The answer came but cannot be read: waiting on would be waiting for ever.
    fn end_malformed(&mut self, number: i64, violation: Violation, at: Instant) {
        let Some((call, _)) = self.end_call(number) else { return };
        match call.purpose {
            Purpose::Application => self.events.push_back(Event::Response {
                id: number.into(),
                outcome: Err(CallError::Protocol(violation)),
            }),
            Purpose::Probe => {
                let Lifecycle::Client(negotiation) = &self.life else { return };
                let next = negotiation.handle_probe_nonsense();
                self.proceed(next, at);
            }
            Purpose::Initialize => self.close(CloseReason::HandshakeInvalid, at),
            Purpose::Courtesy => {}
        }
    }

    /// Servers answer what they cannot read, within a budget; clients never do, or two broken peers
    /// would answer each other for ever.
    fn answer_malformed(&mut self, violation: &Violation, id: Option<RequestId>, at: Instant) {
        let Lifecycle::Server(serving) = &self.life else { return };
        let null = serving.says_null_id();
        let Some((code, why)) = violation.answer() else { return };
        match self.answers.take(at) {
            Allowance::Silence => return,
            Allowance::Exhausted => return self.close(CloseReason::TooManyViolations, at),
            Allowance::Answer => {}
        }
        let error = ErrorObject::new(code, bounded(why, MAX_TEXT_LEN));
        // An id that is in use would end the request that owns it.
        let id = id.filter(|id| !self.is_in_use(id));
        let id = match &id {
            Some(id) => ErrorId::Known(id),
            None if null => ErrorId::Null,
            None => ErrorId::Absent,
        };
        self.refuse(id, &error);
    }

    pub(crate) fn violation(&mut self, violation: Violation) {
        if !self.is_closed() && self.reports.take(self.read_at) {
            self.report_left_out();
            self.events.push_back(Event::Violation(violation));
        }
    }

    /// Says how many violations were not reported.
    pub(super) fn report_left_out(&mut self) {
        if let Some(count) = self.reports.take_left_out() {
            self.events.push_back(Event::Violation(Violation::More(count)));
        }
    }
}
