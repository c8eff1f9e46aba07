//! The books of both ends, and the promises that are checked against them.

use mcp_proto::testing::End;
use mcp_proto::{CallError, CloseReason, Event, RawJson, RequestId, Violation};

use super::call::{Call, Ending, LetGo, Mark};
use super::message::{Answer, Said, Token};
use super::timing::Heard;
use super::{Broken, Kept, holds};

/// What was done, told and written at both ends.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub struct Ledger {
    client: Side,
    server: Side,
}

/// One end.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
struct Side {
    /// The calls that it makes, in order of their ids.
    calls: Vec<(i64, Call)>,
    ready: bool,
    closed: bool,
    /// What it still had to write when it had ended, in whatever unit its driver counts.
    left: Option<usize>,
    /// Its transport has failed: nothing has a way out any more.
    has_failed: bool,
    /// Requests that it works on at most; 0 stands for no limit.
    max_requests: usize,
    /// Log messages that it has sent and that have not been told.
    logs: u16,
    /// Its last `initialize`.
    opening: Option<i64>,
    /// Its application has closed it.
    is_closing: bool,
    /// Its input has ended.
    has_ended: bool,
}

/// What an engine says of its tables, all events taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)]
pub struct Tables {
    /// Calls in flight.
    pub calls: usize,
    /// Requests in flight.
    pub requests: usize,
    /// Whether it wants to be woken.
    pub has_timer: bool,
    /// Whether it has ended.
    pub closed: bool,
}

impl Ledger {
    /// So many requests are worked on at one end at most; more may be refused.
    pub fn limit_requests(&mut self, end: End, max: usize) {
        self.side_mut(end).max_requests = max;
    }

    /// The calls that an end makes, in order of their ids.
    pub fn calls(&self, of: End) -> &[(i64, Call)] {
        &self.side(of).calls
    }

    /// One of the calls that an end makes.
    pub fn call(&self, of: End, id: i64) -> Option<&Call> {
        let calls = &self.side(of).calls;
        calls.iter().find(|(known, _)| *known == id).map(|(_, call)| call)
    }

    /// Whether an end was told that it has ended.
    pub fn is_closed(&self, end: End) -> bool {
        self.side(end).closed
    }

    /// Whether an end was told whom it speaks to.
    pub fn is_ready(&self, end: End) -> bool {
        self.side(end).ready
    }

    // What is done.

    /// An application has made a call, under a token of its own or not.
    pub fn made(&mut self, by: End, id: &RequestId, own: Option<u16>) -> Kept {
        let id = number(id)?;
        let newest = self.side(by).calls.last().map_or(0, |(id, _)| *id);
        holds(id > newest, "one_request", || format!("call {id} was made after {newest}"))?;
        self.side_mut(by).calls.push((id, Call { made: true, own, ..Call::default() }));
        Ok(())
    }

    /// An engine has taken a report of this value for a request of its peer.
    pub fn reported(&mut self, by: End, id: i64, value: f64, is_heartbeat: bool) -> Kept {
        let call = self.known(by.peer(), id)?;
        holds(call.is_open_at_worker() && !call.unwanted, "reports_before_the_end", || {
            format!("a report was taken for {id}, which is over")
        })?;
        call.reported = Some(Mark(value));
        call.reports = call.reports.saturating_add(1);
        call.heartbeats |= is_heartbeat;
        Ok(())
    }

    /// An application gives a call up.
    pub fn dropped(&mut self, by: End, id: i64) -> Kept {
        self.known(by, id)?.dropped = true;
        Ok(())
    }

    /// An application closes its end.
    pub fn close(&mut self, end: End) {
        let side = self.side_mut(end);
        side.is_closing = !side.closed;
    }

    /// The input of an end ends.
    pub fn end_input(&mut self, end: End) {
        let side = self.side_mut(end);
        side.has_ended = !side.closed;
    }

    /// The transport of an end has failed.
    pub fn fail(&mut self, end: End) {
        self.side_mut(end).has_failed = true;
    }

    /// An engine reads a message at once. If that cancels a request of its peer, all that is said of that one has left.
    pub fn reads(&mut self, at: End, said: Option<&Said>) {
        let Some(Said::Cancel(id)) = said else { return };
        // `initialize` cannot be cancelled.
        if self.side(at).closed || self.side(at.peer()).opening == Some(*id) {
            return;
        }
        if let Ok(call) = self.known(at.peer(), *id) {
            call.recalled = call.asked && !call.answered;
        }
    }

    /// An engine has taken a log message.
    pub fn logged(&mut self, by: End) {
        let side = self.side_mut(by);
        side.logs = side.logs.saturating_add(1);
    }

    /// The call of an end that a token names.
    fn call_with(&self, of: End, token: Token) -> Option<i64> {
        let own = |own| self.calls(of).iter().find(|(_, call)| call.own == Some(own));
        match token {
            Token::Call(id) => Some(id),
            Token::Own(token) => own(token).map(|(id, _)| *id),
        }
    }

    /// What a message is to the end that hears it.
    pub fn heard(&self, at: End, said: &Said) -> Heard {
        match said {
            Said::Report(token, _) => self.call_with(at, *token).map_or(Heard::Else, Heard::Report),
            // After an error another one may follow.
            Said::Answer(id, Answer::Result) if self.side(at).opening == Some(*id) => {
                Heard::Opening
            }
            _ => Heard::Else,
        }
    }

    /// An application has let go of a request of its peer.
    pub fn let_go(&mut self, by: End, id: i64, how: LetGo) -> Kept {
        let call = self.known(by.peer(), id)?;
        holds(how == LetGo::Silently || !call.unwanted, "one_answer", || {
            format!("an answer was taken for {id}, which was cancelled")
        })?;
        call.let_go = Some(how);
        Ok(())
    }

    // What is told.

    /// An engine has told its application something.
    pub fn told(&mut self, at: End, event: &Event) -> Kept {
        let side = self.side_mut(at);
        holds(!side.closed, "silence_after_close", || format!("the {at:?} was told {event:?}"))?;
        match event {
            Event::Closed(reason) => self.closed(at, reason)?,
            Event::Ready(_) => {
                holds(!side.ready, "fitting_events", || format!("the {at:?} is ready twice"))?;
                side.ready = true;
            }
            Event::Request { id, .. } => {
                let id = number(id)?;
                let call = self.known(at.peer(), id)?;
                holds(call.asked && !call.arrived, "fitting_events", || {
                    format!("request {id} came to the {at:?}, but was not asked or had come before")
                })?;
                call.arrived = true;
            }
            Event::Cancelled { id, .. } => {
                let id = number(id)?;
                let call = self.known(at.peer(), id)?;
                let is_open = matches!(call.let_go, None | Some(LetGo::Silently));
                holds(call.arrived && is_open && !call.unwanted, "fitting_events", || {
                    format!("request {id} was cancelled at the {at:?}, where it was not open")
                })?;
                call.unwanted = true;
            }
            Event::Progress { id, progress } => {
                self.progress(at, number(id)?, progress.progress)?
            }
            Event::Response { id, outcome } => self.ended(at, number(id)?, outcome)?,
            Event::Violation(violation) => self.violation(at, violation)?,
            Event::Notification { method, .. } if *method == "notifications/message" => {
                let peer = self.side_mut(at.peer());
                let left = peer.logs.checked_sub(1);
                holds(left.is_some(), "fitting_events", || "nobody wrote this log".into())?;
                peer.logs = left.unwrap_or_default();
            }
            event => {
                return Err(Broken::new("fitting_events", format!("nobody caused {event:?}")));
            }
        }
        Ok(())
    }

    fn closed(&mut self, at: End, reason: &CloseReason) -> Kept {
        self.check_cause(at, reason)?;
        let side = self.side_mut(at);
        side.closed = true;
        // Nobody asks again, and states that differ in this alone are one.
        (side.is_closing, side.has_ended, side.has_failed) = (false, false, false);
        let waits = self.calls(at).iter().find(|(_, call)| call.is_open_at_caller());
        holds(waits.is_none(), "one_ending", || {
            format!("the {at:?} has ended, and nobody was told of {waits:?}")
        })?;
        for (id, call) in &mut self.side_mut(at.peer()).calls {
            if call.is_open_at_worker() {
                holds(call.unwanted, "one_ending", || {
                    format!("the {at:?} has ended, and nobody was told that {id} is unwanted")
                })?;
                call.let_go = Some(LetGo::Silently);
            }
        }
        Ok(())
    }

    /// An end ends for what has happened to it.
    fn check_cause(&self, at: End, reason: &CloseReason) -> Kept {
        let side = self.side(at);
        let has_happened = match reason {
            CloseReason::Local => side.is_closing,
            CloseReason::Eof { .. } => side.has_ended,
            CloseReason::Transport => side.has_failed,
            // Whether that is true is known where the bytes wait.
            CloseReason::Stalled => true,
            CloseReason::HandshakeTimeout
            | CloseReason::HandshakeRefused(_)
            | CloseReason::NoCommonVersion => at == End::Client && !side.ready,
            _ => false,
        };
        holds(has_happened, "fitting_events", || format!("the {at:?} says that {reason}"))
    }

    fn progress(&mut self, at: End, id: i64, value: f64) -> Kept {
        let call = self.known(at, id)?;
        holds(call.is_open_at_caller(), "reports_before_the_end", || {
            format!("the {at:?} was told of a report of {id}, which is not open")
        })?;
        holds(call.seen < Some(Mark(value)), "reports_in_order", || {
            format!("the {at:?} was told {value} of {id} after {:?}", call.seen)
        })?;
        call.seen = Some(Mark(value));
        Ok(())
    }

    fn ended(&mut self, at: End, id: i64, outcome: &Result<RawJson, CallError>) -> Kept {
        if let Err(CallError::Closed(reason)) = outcome {
            self.check_cause(at, reason)?;
        }
        let call = self.known(at, id)?;
        holds(call.is_open_at_caller(), "one_ending", || {
            format!("call {id} of the {at:?} ended and is {:?} already", call.ended)
        })?;
        let ending = match outcome {
            Ok(_) => Ending::Result,
            Err(CallError::Peer(_)) => Ending::Error,
            Err(CallError::Cancelled) => Ending::Cancelled,
            Err(CallError::TimedOut(_)) => Ending::TimedOut,
            Err(CallError::Closed(_)) => Ending::Closed,
            Err(error) => {
                return Err(Broken::new("fitting_events", format!("call {id} ended with {error}")));
            }
        };
        holds(ending != Ending::Cancelled || call.dropped, "one_ending", || {
            format!("the {at:?} is told that it gave {id} up, which it did not")
        })?;
        call.ended = Some(ending);
        if let Ok(result) = outcome {
            holds(is_answer_to(result, id), "own_answer", || format!("{id} ended with {result}"))?;
        }
        if matches!(ending, Ending::Result | Ending::Error) {
            let expected = match ending {
                Ending::Result => call.let_go == Some(LetGo::Result),
                // What never reached the application was answered by the engine.
                _ => call.let_go == Some(LetGo::Error) || !call.arrived,
            };
            holds(call.answered && expected, "own_answer", || {
                format!("call {id} of the {at:?} ended with an answer that nobody gave: {call:?}")
            })?;
            let is_complete = call.seen == call.reported
                || (call.heartbeats && call.seen.is_some() && call.reported.is_some());
            holds(is_complete, "reports_complete", || {
                format!("{:?} was reported of {id}, and {:?} seen", call.reported, call.seen)
            })?;
        }
        Ok(())
    }

    fn violation(&mut self, at: End, violation: &Violation) -> Kept {
        let max_requests = self.side(at).max_requests;
        let worked_on =
            self.side(at.peer()).calls.iter().filter(|(_, call)| call.is_open_at_worker());
        let is_full = max_requests > 0 && worked_on.count() >= max_requests;
        let is_over = |call: &Call| call.ended.is_some() || !call.made;
        let is_late = |id: Option<i64>| {
            id.and_then(|id| self.call(at, id)).is_some_and(|call| call.asked && is_over(call))
        };
        let fits = match violation {
            Violation::LateResponse(id) => is_late(id.as_i64()),
            // A caller's own token leaves nothing behind when its call ends.
            Violation::LateProgress(token) | Violation::UnknownToken(token) => {
                is_late(Token::of(token).and_then(|token| self.call_with(at, token)))
            }
            Violation::TooManyRequests => is_full,
            // That some were left out is told instead of them.
            Violation::More(_) => true,
            _ => false,
        };
        holds(fits, "fitting_events", || {
            format!("the {at:?} blames its peer, which did nothing wrong: {violation}")
        })
    }

    // What is written.

    /// A line, without its newline, has left an engine, or begun to.
    pub fn written(&mut self, by: End, line: &[u8]) -> Kept {
        let said = Said::read_all(line).filter(|said| !said.is_empty());
        let Some(said) = said else { return Err(unforeseen(by, line)) };
        let is_batch = line.starts_with(b"[");
        for said in said {
            match said {
                Said::Answer(id, answer) => self.wrote_answer(by, id, answer)?,
                // Engines batch nothing but the answers to a batch.
                _ if is_batch => return Err(unforeseen(by, line)),
                Said::Request(id, method) => self.wrote_request(by, id, &method)?,
                Said::Report(token, value) => match self.call_with(by.peer(), token) {
                    Some(id) => self.wrote_report(by, id, value)?,
                    None => return Err(unforeseen(by, line)),
                },
                Said::Cancel(id) => self.wrote_cancel(by, id)?,
                Said::Else(_) => {}
            }
        }
        Ok(())
    }

    fn wrote_request(&mut self, by: End, id: i64, method: &str) -> Kept {
        let side = self.side_mut(by);
        if method == "initialize" {
            side.opening = Some(id);
        }
        if !side.calls.iter().any(|(known, _)| *known == id) {
            // Of the engine's own accord, to open the conversation.
            side.calls.push((id, Call::default()));
            side.calls.sort_unstable_by_key(|(id, _)| *id);
        }
        let call = self.known(by, id)?;
        holds(!call.asked && call.ended.is_none(), "one_request", || {
            format!("the {by:?} wrote request {id} twice, or after its end: {call:?}")
        })?;
        call.asked = true;
        Ok(())
    }

    fn wrote_answer(&mut self, by: End, id: i64, answer: Answer) -> Kept {
        let call = self.known(by.peer(), id)?;
        holds(call.asked && !call.answered, "one_answer", || {
            format!("the {by:?} answered {id} twice, or without being asked")
        })?;
        holds(!call.recalled, "one_answer", || {
            format!("the {by:?} answered {id}, of which it had read that it is cancelled")
        })?;
        call.answered = true;
        let by_application = match answer {
            Answer::Result => call.let_go == Some(LetGo::Result),
            Answer::Error => call.let_go == Some(LetGo::Error),
        };
        holds(!call.arrived || by_application, "one_answer", || {
            format!("the {by:?} answered {id} otherwise than its application: {answer:?}, {call:?}")
        })
    }

    fn wrote_report(&mut self, by: End, id: i64, value: f64) -> Kept {
        let call = self.known(by.peer(), id)?;
        let is_open = call.asked && !call.answered && !call.unwanted && !call.recalled;
        holds(is_open, "reports_before_the_end", || {
            format!("the {by:?} wrote a report of {id}, which is over: {call:?}")
        })?;
        holds(call.written < Some(Mark(value)), "reports_in_order", || {
            format!("the {by:?} wrote {value} of {id} after {:?}", call.written)
        })?;
        let was_reported = call.reported >= Some(Mark(value)) || call.heartbeats;
        holds(was_reported, "reports_in_order", || {
            format!("the {by:?} wrote {value} of {id}, which nobody reported")
        })?;
        call.written = Some(Mark(value));
        Ok(())
    }

    fn wrote_cancel(&mut self, by: End, id: i64) -> Kept {
        let call = self.known(by, id)?;
        let gave_up = matches!(call.ended, Some(Ending::Cancelled | Ending::TimedOut));
        holds(call.asked && !call.given_up && (gave_up || !call.made), "one_cancel", || {
            format!("the {by:?} cancelled {id}: {call:?}")
        })?;
        call.given_up = true;
        Ok(())
    }

    // What is left.

    /// How much an end that has ended still has to write; it wrote `since` of it since it was asked last.
    pub fn left(&mut self, end: End, left: usize, since: usize) -> Kept {
        let side = self.side_mut(end);
        if !side.closed {
            return Ok(());
        }
        let (before, is_lost) = (side.left.replace(left), side.has_failed);
        holds(
            match before {
                _ if is_lost => left == 0,
                Some(before) => before.checked_sub(since) == Some(left),
                None => true,
            },
            "silence_after_close",
            || {
                format!(
                    "the {end:?} had {before:?} to write when it ended, wrote {since} and has {left}"
                )
            },
        )
    }

    /// Compares an engine's tables with the books, all its events taken.
    pub fn tables(&self, end: End, tables: Tables) -> Kept {
        let side = self.side(end);
        let made = side.calls.iter().filter(|(_, call)| call.is_open_at_caller()).count();
        let own = usize::from(end == End::Client && !side.ready && !side.closed);
        let worked_on =
            self.side(end.peer()).calls.iter().filter(|(_, call)| call.is_open_at_worker());
        let fits = if side.closed {
            tables == Tables { calls: 0, requests: 0, has_timer: false, closed: true } && made == 0
        } else {
            tables.calls == made + own && tables.requests == worked_on.count() && !tables.closed
        };
        let within = side.max_requests == 0 || tables.requests <= side.max_requests;
        holds(fits && within, "tables_as_booked", || {
            format!(
                "the {end:?} has {tables:?}, and the books say {made} calls and {own} of its own: {self:?}"
            )
        })
    }

    /// Nothing goes on any more: then nothing may be open.
    pub fn rests(&self, end: End, tables: Tables) -> Kept {
        let open = self.calls(end).iter().find(|(_, call)| call.is_open_at_caller());
        holds(open.is_none(), "everything_ends", || {
            format!("nothing goes on, and the {end:?} still waits for {open:?}")
        })?;
        let empty = Tables { calls: 0, requests: 0, has_timer: false, closed: tables.closed };
        holds(tables == empty, "everything_ends", || {
            format!("nothing goes on, and the {end:?} still has {tables:?}")
        })
    }

    fn known(&mut self, of: End, id: i64) -> Result<&mut Call, Broken> {
        let call = self.side_mut(of).calls.iter_mut().find(|(known, _)| *known == id);
        call.map(|(_, call)| call)
            .ok_or_else(|| Broken::new("fitting_events", format!("the {of:?} never called {id}")))
    }

    fn side(&self, end: End) -> &Side {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }

    fn side_mut(&mut self, end: End) -> &mut Side {
        match end {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        }
    }
}

fn unforeseen(by: End, line: &[u8]) -> Broken {
    let line = String::from_utf8_lossy(line).into_owned();
    Broken::new("fitting_events", format!("the {by:?} wrote {line:?}"))
}

/// What the applications of the model and of the simulation answer, with so much text.
pub fn answer_to(id: i64, padding: usize) -> RawJson {
    let text = "r".repeat(padding);
    RawJson::parse(format!("{{\"answer\":{id},\"text\":\"{text}\"}}")).unwrap()
}

fn is_answer_to(result: &RawJson, id: i64) -> bool {
    result.get("answer").and_then(|answer| answer.decode::<i64>().ok()) == Some(id)
}

fn number(id: &RequestId) -> Result<i64, Broken> {
    id.as_i64().ok_or_else(|| Broken::new("fitting_events", format!("{id} is no id of an engine")))
}
