//! An application at one end: it does things to its engine and has them booked.

use std::any::Any;
use std::hash::Hasher;

use bytes::Bytes;
use mcp_proto::progress::{ReportError, Weight};
use mcp_proto::role::{Role, Server};
use mcp_proto::testing::End;
use mcp_proto::types::{LogLevel, LogMessage};
use mcp_proto::{
    CallError, CallOptions, Endpoint, ErrorObject, Event, Instant, Progress, RawJson, RequestId,
    Revision, SendError,
};

use super::call::LetGo;
use super::ledger::{Ledger, Tables, answer_to};
use super::message::Token;
use super::planted::Planted;
use super::{Broken, Kept, holds};

/// An engine of either role.
#[allow(missing_docs)] // the methods are those of `Endpoint`
pub trait Machine {
    fn request(
        &mut self,
        method: &str,
        params: Option<&RawJson>,
        options: CallOptions,
        now: Instant,
    ) -> Result<RequestId, SendError>;
    /// Nothing if this end sends none.
    fn log(&mut self, request: Option<&RequestId>, text: &str) -> Option<Result<bool, SendError>>;
    fn revision(&self) -> Option<Revision>;
    fn cancel(&mut self, id: &RequestId, now: Instant);
    fn report(
        &mut self,
        id: &RequestId,
        progress: Progress,
        weight: Weight,
        now: Instant,
    ) -> Result<(), ReportError>;
    fn respond(&mut self, id: &RequestId, result: &RawJson, now: Instant) -> Result<(), SendError>;
    fn fail(&mut self, id: &RequestId, error: &ErrorObject, now: Instant) -> Result<(), SendError>;
    fn abandon(&mut self, id: &RequestId, now: Instant);
    fn last_report(&self, id: &RequestId) -> Option<f64>;
    fn close(&mut self, now: Instant);
    fn handle_message(&mut self, message: Bytes, now: Instant);
    fn handle_eof(&mut self, now: Instant);
    fn handle_transport_error(&mut self, now: Instant);
    fn handle_timeout(&mut self, now: Instant);
    fn poll_event(&mut self) -> Option<Event>;
    fn poll_transmit(&mut self) -> Option<Bytes>;
    fn poll_timeout(&self) -> Option<Instant>;
    fn is_closed(&self) -> bool;
    fn tables(&self) -> Tables;
    fn digest(&self, now: Instant, hasher: &mut dyn Hasher);
    /// Messages that it would still write.
    fn messages_left(&self) -> usize;
}

impl<R: Role + 'static> Machine for Endpoint<R> {
    fn request(
        &mut self,
        method: &str,
        params: Option<&RawJson>,
        options: CallOptions,
        now: Instant,
    ) -> Result<RequestId, SendError> {
        self.request_raw(method, params, options, now)
    }
    fn log(&mut self, request: Option<&RequestId>, text: &str) -> Option<Result<bool, SendError>> {
        let server = (self as &mut dyn Any).downcast_mut::<Endpoint<Server>>()?;
        Some(server.log(request, &LogMessage::text(LogLevel::Error, text)))
    }
    fn revision(&self) -> Option<Revision> {
        Some(self.peer()?.revision)
    }
    fn cancel(&mut self, id: &RequestId, now: Instant) {
        Self::cancel(self, id, None, now);
    }
    fn report(
        &mut self,
        id: &RequestId,
        progress: Progress,
        weight: Weight,
        now: Instant,
    ) -> Result<(), ReportError> {
        Self::report(self, id, progress, weight, now)
    }
    fn respond(&mut self, id: &RequestId, result: &RawJson, now: Instant) -> Result<(), SendError> {
        Self::respond(self, id, result, now)
    }
    fn fail(&mut self, id: &RequestId, error: &ErrorObject, now: Instant) -> Result<(), SendError> {
        Self::fail(self, id, error, now)
    }
    fn abandon(&mut self, id: &RequestId, now: Instant) {
        Self::abandon(self, id, now);
    }
    fn last_report(&self, id: &RequestId) -> Option<f64> {
        Self::last_report(self, id).map(|(last, _)| last)
    }
    fn close(&mut self, now: Instant) {
        Self::close(self, now);
    }
    fn handle_message(&mut self, message: Bytes, now: Instant) {
        Self::handle_message(self, message, now);
    }
    fn handle_eof(&mut self, now: Instant) {
        Self::handle_eof(self, 0, now);
    }
    fn handle_transport_error(&mut self, now: Instant) {
        Self::handle_transport_error(self, now);
    }
    fn handle_timeout(&mut self, now: Instant) {
        Self::handle_timeout(self, now);
    }
    fn poll_event(&mut self) -> Option<Event> {
        Self::poll_event(self)
    }
    fn poll_transmit(&mut self) -> Option<Bytes> {
        Self::poll_transmit(self).map(|transmit| transmit.message)
    }
    fn poll_timeout(&self) -> Option<Instant> {
        Self::poll_timeout(self)
    }
    fn is_closed(&self) -> bool {
        Self::is_closed(self)
    }
    fn tables(&self) -> Tables {
        Tables {
            calls: self.calls_in_flight(),
            requests: self.requests_in_flight(),
            has_timer: Self::poll_timeout(self).is_some(),
            closed: Self::is_closed(self),
        }
    }
    fn digest(&self, now: Instant, hasher: &mut dyn Hasher) {
        Self::digest(self, now, hasher);
    }
    fn messages_left(&self) -> usize {
        let mut copy = self.clone();
        std::iter::from_fn(|| Self::poll_transmit(&mut copy)).count()
    }
}

/// One end: its engine, and the books.
#[allow(clippy::exhaustive_structs)]
pub struct Actor<'a> {
    /// Which end.
    pub end: End,
    /// Its engine.
    pub machine: &'a mut dyn Machine,
    /// The books of both ends.
    pub ledger: &'a mut Ledger,
    /// The time.
    pub now: Instant,
    /// Bytes of text in what it says.
    pub padding: usize,
    /// A fault on purpose.
    pub planted: Option<Planted>,
}

impl Actor<'_> {
    /// Makes a call, under a token of its own if one is named. Nothing has happened if the engine refuses it;
    /// else its id is given back.
    ///
    /// # Errors
    ///
    /// A broken promise.
    pub fn call(
        &mut self,
        options: CallOptions,
        own: Option<u16>,
    ) -> Result<Result<i64, SendError>, Broken> {
        let method = match self.end {
            End::Client => "tools/call",
            End::Server => "roots/list",
        };
        let text = "q".repeat(self.padding);
        let params = RawJson::parse(format!("{{\"text\":\"{text}\"}}")).ok();
        let params = params.filter(|_| self.padding > 0);
        let options = match own {
            Some(own) => options.progress_token(Token::text(own)),
            None => options,
        };
        match self.machine.request(method, params.as_ref(), options, self.now) {
            Ok(id) => {
                self.ledger.made(self.end, &id, own)?;
                Ok(Ok(id.as_i64().unwrap_or_default()))
            }
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// Gives a call up.
    pub fn cancel(&mut self, id: i64) {
        self.machine.cancel(&id.into(), self.now);
    }

    /// Reports the next whole number for a request.
    ///
    /// # Errors
    ///
    /// A broken promise.
    pub fn report(&mut self, id: i64, weight: Weight) -> Kept {
        let Some(call) = self.ledger.call(self.end.peer(), id) else { return Ok(()) };
        let (is_wanted, value) = (!call.unwanted, f64::from(call.reports) + 1.0);
        let mut progress = Progress::new(value);
        if self.padding > 0 {
            progress.message = Some("m".repeat(self.padding).into());
        }
        let taken = self.machine.report(&id.into(), progress, weight, self.now);
        holds(taken.is_ok() == is_wanted, "reports_before_the_end", || {
            format!("a report of {id} by the {:?} gave {taken:?}", self.end)
        })?;
        // Where nobody asked for progress a report is taken and forgotten.
        match self.machine.last_report(&id.into()).filter(|_| taken.is_ok()) {
            Some(last) => self.ledger.reported(self.end, id, last, weight == Weight::Heartbeat),
            None => Ok(()),
        }
    }

    /// Answers a request with the result that `answer_to` names.
    ///
    /// # Errors
    ///
    /// A broken promise.
    pub fn respond(&mut self, id: i64) -> Kept {
        let taken = self.machine.respond(&id.into(), &answer_to(id, self.padding), self.now);
        self.answered(id, taken, LetGo::Result)
    }

    /// Sends a log message, for a request or for none. Whether it was taken.
    ///
    /// # Errors
    ///
    /// A broken promise.
    pub fn log(&mut self, id: Option<i64>) -> Result<bool, Broken> {
        let text = "l".repeat(self.padding);
        let id = id.map(RequestId::from);
        let taken = self.machine.log(id.as_ref(), &text);
        let is_taken = matches!(taken, Some(Ok(true)));
        if is_taken {
            self.ledger.logged(self.end);
        }
        Ok(is_taken)
    }

    /// Answers a request with an error.
    ///
    /// # Errors
    ///
    /// A broken promise.
    pub fn fail(&mut self, id: i64) -> Kept {
        let taken = self.machine.fail(&id.into(), &ErrorObject::internal("no"), self.now);
        self.answered(id, taken, LetGo::Error)
    }

    /// Lets go of a request.
    ///
    /// # Errors
    ///
    /// A broken promise.
    pub fn abandon(&mut self, id: i64) -> Kept {
        let is_wanted = self.ledger.call(self.end.peer(), id).is_some_and(|call| !call.unwanted);
        if self.planted != Some(Planted::LeakedRequest) {
            self.machine.abandon(&id.into(), self.now);
        }
        let how = if is_wanted { LetGo::Error } else { LetGo::Silently };
        self.ledger.let_go(self.end, id, how)
    }

    fn answered(&mut self, id: i64, taken: Result<(), SendError>, how: LetGo) -> Kept {
        let is_wanted = self.ledger.call(self.end.peer(), id).is_some_and(|call| !call.unwanted);
        match taken {
            Ok(()) => self.ledger.let_go(self.end, id, how),
            Err(SendError::Cancelled) if !is_wanted => {
                self.ledger.let_go(self.end, id, LetGo::Silently)
            }
            Err(refused) => Err(Broken::new(
                "one_answer",
                format!("the answer to {id} of the {:?} was refused: {refused}", self.end),
            )),
        }
    }

    /// Books an event.
    ///
    /// # Errors
    ///
    /// A broken promise.
    pub fn told(&mut self, event: &Event) -> Kept {
        let is_closing =
            matches!(event, Event::Response { outcome: Err(CallError::Closed(_)), .. });
        if self.planted == Some(Planted::ForgottenCall) && is_closing {
            return Ok(());
        }
        self.ledger.told(self.end, event)?;
        match (self.planted, event) {
            (Some(Planted::SecondEnding), Event::Response { .. })
            | (Some(Planted::LateEvent), Event::Closed(_)) => self.ledger.told(self.end, event),
            _ => Ok(()),
        }
    }

    /// Compares the engine with the books; it has written `since` messages since it was compared last.
    ///
    /// # Errors
    ///
    /// A broken promise.
    pub fn compare(&mut self, since: usize) -> Kept {
        if self.ledger.is_closed(self.end) {
            self.ledger.left(self.end, self.machine.messages_left(), since)?;
        }
        self.ledger.tables(self.end, self.machine.tables())
    }
}
