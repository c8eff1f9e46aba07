//! An application at one end: it does things to its engine and has them booked.

use mcp_proto::progress::Weight;
use mcp_proto::testing::End;
use mcp_proto::{
    CallError, CallOptions, ErrorObject, Event, Instant, Progress, RawJson, RequestId, SendError,
};

use super::call::LetGo;
use super::ledger::{Ledger, answer_to};
use super::machine::{Engine, Machine};
use super::message::Token;
use super::planted::Planted;
use super::{Broken, Kept, holds};

/// One end: its engine, and the books.
#[allow(clippy::exhaustive_structs)]
pub struct Actor<'a, M: ?Sized = dyn Machine + 'a> {
    /// Which end.
    pub end: End,
    /// Its engine.
    pub machine: &'a mut M,
    /// The books of both ends.
    pub ledger: &'a mut Ledger,
    /// The time.
    pub now: Instant,
    /// Bytes of text in what it says.
    pub padding: usize,
    /// A fault on purpose.
    pub planted: Option<Planted>,
}

impl<M: Machine + ?Sized> Actor<'_, M> {
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
    ///
    /// # Errors
    ///
    /// A broken promise.
    pub fn cancel(&mut self, id: i64) -> Kept {
        self.ledger.dropped(self.end, id)?;
        self.machine.cancel(&id.into(), self.now);
        Ok(())
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
}

impl<M: Engine + ?Sized> Actor<'_, M> {
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
