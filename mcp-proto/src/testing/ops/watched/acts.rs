//! What the application of the end that is watched does.

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use super::super::operation::{CallPlan, Step, TokenPlan, pick};
use super::super::record::{Answer, Asked, CallRecord, Deed, FIRST_CODE};
use super::super::spoken::{PAD, STOLEN_META};
use super::Watched;
use crate::config::{CallOptions, Timeouts};
use crate::error::{ErrorObject, SendError};
use crate::id::{ProgressToken, RequestId};
use crate::json::RawJson;
use crate::progress::Weight;
use crate::role::Role;
use crate::testing::End;
use crate::types::{CallToolResult, LogLevel, LogMessage, Progress};

impl<R: Role> Watched<R> {
    pub(super) fn call(&mut self, plan: CallPlan) {
        let time = |millis: Option<u16>| millis.map(|millis| Duration::from_millis(millis.into()));
        let token: Option<ProgressToken> = match plan.token {
            TokenPlan::None | TokenPlan::Own => None,
            TokenPlan::Number(number) => Some((i64::from(number) - 128).into()),
            TokenPlan::Text(number) => Some(number.to_string().into()),
        };
        let options = match (&token, plan.token) {
            (Some(token), _) => CallOptions::default().progress_token(token.clone()),
            (None, TokenPlan::Own) => CallOptions::default().tracked(),
            (None, _) => CallOptions::default().untracked(),
        };
        let (idle, total) = (time(plan.idle), time(plan.total));
        let mut options = options.timeouts(Timeouts::default().idle(idle).total(total));
        if plan.padding % 3 == 1 {
            options.meta = RawJson::parse(STOLEN_META).ok();
        }
        let (number, pad) = (self.calls.len() as u64, pad(plan.padding));
        let (method, params) = match self.end {
            End::Client => (
                "tools/call",
                format!("{{\"name\":\"t\",\"arguments\":{{\"n\":{number},\"pad\":\"{pad}\"}}}}"),
            ),
            End::Server => ("roots/list", format!("{{\"n\":{number},\"pad\":\"{pad}\"}}")),
        };
        let params = RawJson::parse(params).unwrap_or_else(|_| RawJson::empty_object());
        let done = self.connection.request_raw(method, Some(&params), options, self.now);
        let id = match done {
            Ok(id) => id,
            Err(error) => return self.check_refusal(&error, token.as_ref()),
        };
        assert!(self.left.is_none(), "a call was made after the end");
        let record = CallRecord {
            number,
            token,
            made: self.now,
            idle,
            total,
            is_tracked: plan.token != TokenPlan::None,
            given_up: false,
            last: None,
            ending: None,
        };
        assert!(self.calls.insert(id.clone(), record).is_none(), "the id {id} was given out twice");
        self.deeds.push(Deed::Called(number, id));
    }

    /// What is not wanted, or not possible for this end, is refused.
    pub(super) fn announce(&mut self, which: Option<u8>) {
        let request = which.and_then(|which| pick(self.asked.iter(), which));
        let request = request.map(|asked| asked.id.clone());
        let core = self.connection.endpoint_mut().core_mut();
        let message = LogMessage::text(LogLevel::Warning, "careful");
        let params = RawJson::empty_object();
        let logged = core.log(request.as_ref(), &message);
        let told = match &request {
            Some(request) => core.notify_for(request, "notifications/own", &params),
            None => core.notify("notifications/own", &params),
        };
        for error in [logged.err(), told.err()].into_iter().flatten() {
            assert!(!error.to_string().is_empty());
        }
        for method in ["cancelled", "progress", "initialized"] {
            let method = format!("notifications/{method}");
            let stolen = core.notify(&method, &params).is_ok()
                || request.as_ref().is_some_and(|id| core.notify_for(id, &method, &params).is_ok());
            assert!(!stolen, "{method} was said by the application");
        }
    }

    /// Whether there was a reason not to make a call.
    fn check_refusal(&self, error: &SendError, token: Option<&ProgressToken>) {
        let limits = self.connection.core().limits();
        let calls = self.connection.calls_in_flight();
        let open = || self.calls.values().filter(|call| call.ending.is_none());
        let is_fit = match error {
            SendError::Closed => self.connection.is_closed() || self.end == End::Server,
            SendError::TooManyCalls => calls >= limits.max_calls,
            // A number may be one that the engine uses itself.
            SendError::TokenInUse => token.is_some_and(|token| {
                token.as_i64().is_some_and(|number| number > 0)
                    || open().any(|call| call.token.as_ref() == Some(token))
            }),
            SendError::NotReady | SendError::Unsupported => self.end == End::Server,
            SendError::OutboxFull => true,
            _ => false,
        };
        assert!(is_fit, "a call was refused: {error}");
    }

    pub(super) fn cancel(&mut self, which: u8) {
        let open = self.in_flight();
        let Some((id, _)) = pick(open.iter(), which) else { return };
        let id = RequestId::from(*id);
        self.connection.cancel(&id, Some("no longer"), self.now);
        if let Some(call) = self.calls.get_mut(&id) {
            call.given_up = true;
        }
    }

    pub(super) fn answer(&mut self, which: u8, answer: Answer) {
        let Some(Asked { id, number, .. }) = pick(self.asked.iter(), which).cloned() else {
            return;
        };
        let now = self.now;
        let before = self.connection.requests_in_flight();
        let value = number.unwrap_or_default();
        let done = match answer {
            Answer::Result => {
                self.connection.respond(&id, &CallToolResult::text(value.to_string()), now)
            }
            Answer::Error => {
                let code = FIRST_CODE.saturating_sub_unsigned(value);
                self.connection.fail(&id, &ErrorObject::new(code, "failed"), now)
            }
            Answer::Abandoned => {
                self.connection.abandon(&id, now);
                Ok(())
            }
        };
        self.asked.retain(|asked| asked.id != id);
        self.spoken.note_let_go(&id);
        if done.is_ok() && !self.connection.is_closed() {
            let after = self.connection.requests_in_flight();
            assert_eq!(after + 1, before, "an answered request stays");
        }
        let again = self.connection.respond(&id, &CallToolResult::text("again"), now);
        assert!(again.is_err(), "{id} was answered twice");
        if let (Ok(()), Some(number)) = (&done, number) {
            self.deeds.push(Deed::Answered(number, answer));
        }
        if let Err(error) = done {
            let is_fit = match error {
                SendError::Cancelled | SendError::UnknownRequest => true,
                SendError::Closed => self.connection.is_closed(),
                _ => false,
            };
            assert!(is_fit, "the answer to {id} was refused: {error}");
        }
    }

    pub(super) fn report(
        &mut self,
        which: u8,
        step: Step,
        total: Option<f64>,
        weight: Weight,
        padding: u8,
    ) {
        let Some(Asked { id, number, last }) = pick(self.asked.iter(), which).cloned() else {
            return;
        };
        let value = match step {
            Step::Forward(by) => last.unwrap_or(-1.0) + f64::from(by),
            Step::Any(value) => value,
        };
        let mut progress = Progress::new(value);
        progress.total = total;
        if let Some(number) = number {
            progress.message = Some(format!("{number} {}", pad(padding)).into());
        }
        let is_wanted = self.connection.is_progress_wanted(&id);
        let done = self.connection.report(&id, progress, weight, self.now);
        if done.is_err() || !is_wanted {
            return;
        }
        assert!(
            value.is_finite() && total.is_none_or(f64::is_finite),
            "{value} of {total:?} was taken"
        );
        if weight != Weight::Heartbeat {
            assert!(last.is_none_or(|last| last < value), "{value} was taken after {last:?}");
            if let Some(asked) = self.asked.iter_mut().find(|asked| asked.id == id) {
                asked.last = Some(value);
            }
        }
        if let Some(number) = number {
            self.deeds.push(Deed::Reported(number, value, weight));
        }
    }
}

/// So much text.
fn pad(padding: u8) -> String {
    PAD.repeat(padding.into())
}
