//! The books of a conversation, and what each message does to them.

use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;

use super::message::{Fault, Outcome, Params, Said, id, token};
use super::requests::{Asked, Requests};
use super::session::{Session, Stage};
use super::{Place, results, rules};
use crate::id::{ProgressToken, RequestId};
use crate::json::{Kind, Raw};
use crate::method::LISTEN;
use crate::revision::{Era, Revision};
use crate::testing::End;
use crate::types::{LogLevel, meta};

/// After so long a side has read what was said to it, whatever is between the two.
const GRACE: Duration = Duration::from_secs(1);

/// What was said until now.
#[derive(Debug)]
pub(super) struct Judge {
    client: Requests,
    server: Requests,
    session: Option<Session>,
    /// The client has said its version with a request.
    is_modern: bool,
    /// Of the message at hand.
    revision: Revision,
}

impl Default for Judge {
    fn default() -> Self {
        Self {
            client: Requests::default(),
            server: Requests::default(),
            session: None,
            is_modern: false,
            revision: Revision::LATEST_LEGACY,
        }
    }
}

impl Judge {
    fn asked_by(&mut self, side: End) -> &mut Requests {
        match side {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        }
    }

    /// The revision of what is about no request.
    pub(super) fn in_force(&self) -> Revision {
        match &self.session {
            Some(session) => session.revision(),
            None if self.is_modern => Revision::LATEST,
            None => Revision::LATEST_LEGACY,
        }
    }

    /// Each request stands alone, as far as anybody has said.
    fn is_stateless(&self) -> bool {
        self.in_force().era() == Era::Modern
    }

    /// A message that cannot be told what it is; with its id, if that can be read.
    pub(super) fn unreadable(&mut self, by: End, id: Option<RequestId>) {
        let requests = self.asked_by(by);
        match id {
            Some(id) => requests.malformed.push(id),
            None => requests.unreadable += 1,
        }
    }

    /// Takes one message into the books. Its revision.
    pub(super) fn said(
        &mut self,
        by: End,
        said: Said<'_>,
        is_in_batch: bool,
        place: Place,
        faults: &mut Vec<Fault>,
    ) -> Revision {
        self.revision = self.in_force();
        match said {
            Said::Request { id, method, params } => {
                if is_in_batch && method == "initialize" {
                    faults.push((&rules::INITIALIZE_IN_BATCH, format!("request {id}")));
                }
                let asked = Asked { is_in_batch, ..Asked::new(id, &method, place) };
                self.request(by, asked, params, faults);
            }
            Said::Notification { method, params } => {
                self.notification(by, &method, params, place, faults);
            }
            Said::Answer { id, outcome } => self.answer(by, id, outcome, place, faults),
        }
        self.revision
    }

    fn request(&mut self, by: End, mut asked: Asked, params: Params<'_>, faults: &mut Vec<Fault>) {
        let (id, method) = (asked.id.clone(), asked.method.clone());
        let is_clients = by == End::Client;
        if is_clients {
            self.judge_era(&mut asked, params, faults);
        } else if self.is_stateless() {
            faults.push((&rules::SERVER_REQUEST, method.clone()));
        } else if self.session.is_none() && method != "ping" {
            faults.push((&rules::EARLY_SERVER, method.clone()));
        }
        if let Some(session) = &self.session
            && method != "initialize"
            && !asked.is_modern
        {
            session.judge_request(is_clients, &method, faults);
        }
        if method == "initialize" && is_clients {
            if self.session.as_ref().is_some_and(|session| session.stage() > Stage::Asked) {
                faults.push((&rules::SECOND_INITIALIZE, format!("request {id}")));
            } else {
                self.session = Some(Session::new(id.clone(), params, faults));
            }
        }
        self.revision = asked.revision(self.in_force());
        if let Some(earlier) = self.asked_by(by).by_id(&id) {
            let what = format!("{id}, as in line {}", earlier.place.line);
            let waits = earlier.answered.is_none();
            // What stands alone is in no session. While it waits it keeps its id, as a probe does from `initialize`.
            if !earlier.is_modern && !asked.is_modern {
                faults.push((&rules::ID_REUSED, what));
            } else if waits && (asked.is_modern || method == "initialize") {
                faults.push((&rules::ID_IN_USE, what));
            }
        }
        let given = params.meta(meta::PROGRESS_TOKEN);
        let token = given.and_then(token);
        if let (Some(given), None) = (given, &token) {
            faults.push((&rules::BAD_TOKEN, format!("{given}")));
        }
        if let Some(token) = &token
            && let Some(other) = self.asked_by(by).by_token(token)
            && other.is_at_work()
        {
            faults.push((&rules::TOKEN_IN_USE, format!("{token}, by request {}", other.id)));
        }
        self.asked_by(by).enter(asked, token);
    }

    /// Whether a request of the client stands alone, belongs to a session, or neither.
    fn judge_era(&mut self, asked: &mut Asked, params: Params<'_>, faults: &mut Vec<Fault>) {
        let version = params.meta(meta::PROTOCOL_VERSION);
        let version = version.filter(|version| version.kind() == Kind::String);
        let capabilities = params.meta(meta::CLIENT_CAPABILITIES);
        let capabilities = capabilities.filter(|all| all.kind() == Kind::Object);
        let method = asked.method.as_str();
        let level = params.meta(meta::LOG_LEVEL).and_then(Raw::as_str);
        asked.log_level = level.and_then(|level| LogLevel::parse(&level));
        if method == "initialize" {
            return;
        }
        match (version, capabilities) {
            (Some(_), Some(_)) => asked.is_modern = true,
            (Some(_), None) => {
                (asked.is_modern, asked.lacks_meta) = (true, true);
                faults.push((&rules::NO_CAPABILITIES, method.into()));
            }
            (None, Some(_)) => {
                (asked.is_modern, asked.lacks_meta) = (true, true);
                faults.push((&rules::NO_META, method.into()));
            }
            (None, None) if self.session.is_none() && method != "ping" => {
                // Whoever has spoken the modern era once goes on with it, until there is a session.
                let is_modern = self.is_modern || method == "server/discover";
                (asked.is_modern, asked.lacks_meta) = (is_modern, is_modern);
                let rule = if is_modern { &rules::NO_META } else { &rules::BEFORE_INITIALIZE };
                faults.push((rule, method.into()));
            }
            (None, None) => {}
        }
        self.is_modern |= asked.is_modern;
    }

    fn notification(
        &mut self,
        by: End,
        method: &str,
        params: Params<'_>,
        place: Place,
        faults: &mut Vec<Fault>,
    ) {
        let is_clients = by == End::Client;
        match method {
            "notifications/initialized" if is_clients => match &mut self.session {
                Some(session) => session.open(faults),
                None => faults.push((&rules::BEFORE_INITIALIZE, method.into())),
            },
            "notifications/cancelled" => return self.cancel(by, params, place, faults),
            "notifications/progress" => return self.report(by, params, place, faults),
            "notifications/message" if !is_clients => self.log(params, faults),
            _ => {}
        }
        if let Some(session) = &self.session {
            session.judge_news(is_clients, method, faults);
        }
    }

    fn cancel(&mut self, by: End, params: Params<'_>, place: Place, faults: &mut Vec<Fault>) {
        let Some(id) = params.get("requestId").and_then(id) else {
            // 2025-11-25 lets it be absent.
            if self.revision != Revision::V2025_11_25 {
                faults.push((&rules::CANCEL_OF_NOTHING, "it names no request".into()));
            }
            return;
        };
        if by == End::Server {
            // A stream that it ends is the client's request.
            if self.client.by_id(&id).is_some_and(|asked| is_listening(&asked.method)) {
                return;
            }
            if self.is_stateless() {
                return faults.push((&rules::SERVER_CANCEL, format!("request {id}")));
            }
        }
        let in_force = self.revision;
        let Some(asked) = self.asked_by(by).by_id_mut(&id) else {
            faults.push((&rules::CANCEL_OF_NOTHING, format!("{id} was never asked")));
            return;
        };
        let revision = asked.revision(in_force);
        if asked.method == "initialize" && by == End::Client {
            faults.push((&rules::INITIALIZE_CANCELLED, format!("request {id}")));
        }
        if asked.answered.is_some_and(|answered| place.at - answered.at >= GRACE) {
            faults.push((&rules::CANCEL_OF_NOTHING, format!("{id} was answered long before")));
        }
        asked.cancelled.get_or_insert(place);
        self.revision = revision;
    }

    /// The client has closed an exchange of HTTP. In the modern era that is how a request is cancelled, and in others it
    /// means nothing (`basic/transports`), but that nobody waits there.
    pub(super) fn hung_up(&mut self, exchange: u64, place: Place) {
        let of_it = |asked: &&mut Asked| asked.place.exchange == Some(exchange);
        for asked in self.client.all_mut().iter_mut().filter(of_it) {
            asked.is_left = true;
            if asked.is_modern {
                asked.cancelled.get_or_insert(place);
            }
        }
    }

    fn report(&mut self, by: End, params: Params<'_>, place: Place, faults: &mut Vec<Fault>) {
        let is_number = |value: Raw<'_>| value.kind() == Kind::Number;
        let value = params.get("progress").filter(|value| is_number(*value)).and_then(Raw::as_f64);
        if value.is_none() || params.get("total").is_some_and(|total| !is_number(total)) {
            faults.push((&rules::BAD_REPORT, "`progress` or `total` is no number".into()));
        }
        let Some(token) = params.get("progressToken").and_then(token) else {
            faults.push((&rules::INVENTED_TOKEN, "no token".into()));
            return;
        };
        if by == End::Client && self.is_stateless() {
            faults.push((&rules::CLIENT_REPORT, format!("for token {token}")));
            return;
        }
        let in_force = self.revision;
        let requests = self.asked_by(by.peer());
        let token = match requests.by_token(&token) {
            Some(_) => token,
            None => match requests.changed_token(&token) {
                Some(meant) => {
                    faults.push((&rules::TOKEN_CHANGED, format!("{token} instead of {meant}")));
                    meant
                }
                None => {
                    let what = format!("token {token} is of no request");
                    return faults.push((&rules::INVENTED_TOKEN, what));
                }
            },
        };
        let asked = requests.by_token(&token);
        let revision = asked.map_or(in_force, |asked| asked.revision(in_force));
        judge_report(requests, &token, value, place, faults);
        self.revision = revision;
    }

    fn log(&mut self, params: Params<'_>, faults: &mut Vec<Fault>) {
        let level = params.get("level").and_then(Raw::as_str);
        let Some(level) = level.as_deref().and_then(LogLevel::parse) else {
            let level = level.as_deref().unwrap_or("no level");
            return faults.push((&rules::BAD_LEVEL, level.into()));
        };
        if !self.is_stateless() {
            return;
        }
        // It does not say for which request it is, so the one counts that wants most.
        let at_work = self.client.all().iter().filter(|asked| asked.is_at_work());
        match at_work.filter_map(|asked| asked.log_level).min() {
            None => faults.push((&rules::LOG_NOT_WANTED, level.as_str().into())),
            Some(wanted) if level < wanted => {
                let what = format!("{}, where {} was wanted", level.as_str(), wanted.as_str());
                faults.push((&rules::LOG_TOO_FINE, what));
            }
            Some(_) => {}
        }
    }

    fn answer(
        &mut self,
        by: End,
        id: Option<RequestId>,
        outcome: Outcome<'_>,
        place: Place,
        faults: &mut Vec<Fault>,
    ) {
        let asker = by.peer();
        if by == End::Client && self.is_stateless() {
            faults.push((
                &rules::CLIENT_ANSWER,
                id.map_or_else(|| "an error".into(), |id| format!("to {id}")),
            ));
            return;
        }
        let Some(id) = id else {
            let unreadable = &mut self.asked_by(asker).unreadable;
            match (outcome, unreadable.checked_sub(1)) {
                (Outcome::Error { .. }, Some(rest)) => *unreadable = rest,
                (Outcome::Error { code, .. }, None) => {
                    let code = code.unwrap_or_default();
                    let what = format!("an error, code {code}, and everything could be read");
                    faults.push((&rules::ANSWER_WITHOUT_ID, what));
                }
                (Outcome::Result(_), _) => {
                    faults.push((&rules::ANSWER_WITHOUT_ID, "a result".into()))
                }
            }
            return;
        };
        let malformed = &mut self.asked_by(asker).malformed;
        if let Some(at) = malformed.iter().position(|other| *other == id) {
            malformed.remove(at);
            return;
        }
        let in_force = self.revision;
        let requests = self.asked_by(asker);
        let id = match requests.by_id(&id) {
            Some(_) => id,
            None => match requests.changed(&id) {
                Some(meant) => {
                    faults.push((&rules::ID_CHANGED, format!("{id} instead of {meant}")));
                    meant
                }
                None => {
                    return faults
                        .push((&rules::ANSWER_TO_NOBODY, format!("{id} was never asked")));
                }
            },
        };
        let read_until = requests.read_until;
        let Some(asked) = requests.by_id_mut(&id) else { return };
        let revision = asked.revision(in_force);
        if let Some(first) = asked.answered {
            let what = format!("{id} was answered in line {}", first.line);
            let is_of_batch = asked.is_in_batch && revision.rules().batches;
            let rule = if is_of_batch { &rules::BATCH_ANSWERS } else { &rules::TWO_ANSWERS };
            return faults.push((rule, what));
        }
        if is_known(asked.cancelled, read_until, place) && asked.method != "initialize" {
            faults.push((&rules::ANSWER_AFTER_CANCEL, format!("request {id}")));
        }
        asked.answered = Some(place);
        if by == End::Server {
            results::judge(asked, outcome, faults);
        }
        asked.is_task = revision == Revision::V2025_11_25
            && matches!(outcome, Outcome::Result(result) if result.get("task").is_some());
        let number = asked.place.number;
        requests.read_until = read_until.max(number);
        self.revision = revision;
        if let Some(session) = &mut self.session
            && by == End::Server
            && session.is_opened_by(&id)
            && !session.answered(outcome, faults)
        {
            self.session = None;
        }
    }

    /// The requests that were neither answered nor cancelled: who asked, where, and which.
    pub(super) fn unanswered(&self) -> Vec<(End, Place, Fault)> {
        let in_force = self.in_force();
        let of = |side, requests: &Requests| -> Vec<(End, Place, Fault)> {
            let open = requests.all().iter().filter(|asked| asked.is_at_work());
            // A stream stays open; a probe that only a modern server understands was given up.
            let open = open.filter(|asked| {
                let is_probe = asked.method == "server/discover" && self.session.is_some();
                !is_listening(&asked.method) && !is_probe && !asked.is_left
            });
            open.map(|asked| {
                let what = format!("request {} ({})", asked.id, asked.method);
                let is_of_batch = asked.is_in_batch && asked.revision(in_force).rules().batches;
                let rule = if is_of_batch { &rules::BATCH_ANSWERS } else { &rules::NO_ANSWER };
                (side, asked.place, (rule, what))
            })
            .collect()
        };
        let mut all = of(End::Client, &self.client);
        // Without a session a client must not answer.
        if !self.is_stateless() {
            all.extend(of(End::Server, &self.server));
        }
        all.sort_by_key(|(_, place, ..)| place.number);
        all
    }
}

fn is_listening(method: &str) -> bool {
    method == LISTEN
}

/// Whether the side that works must have read of a cancellation.
fn is_known(cancelled: Option<Place>, read_until: usize, now: Place) -> bool {
    cancelled.is_some_and(|at| read_until > at.number || now.at - at.at >= GRACE)
}

/// A report for a token that is known.
fn judge_report(
    requests: &mut Requests,
    token: &ProgressToken,
    value: Option<f64>,
    place: Place,
    faults: &mut Vec<Fault>,
) {
    let read_until = requests.read_until;
    let Some(asked) = requests.by_token_mut(token) else { return };
    if let Some(answered) = asked.answered.filter(|_| !asked.is_task) {
        let what = format!("token {token}, answered in line {}", answered.line);
        return faults.push((&rules::LATE_REPORT, what));
    }
    if is_known(asked.cancelled, read_until, place) {
        let what = format!("token {token} of request {}", asked.id);
        return faults.push((&rules::REPORT_AFTER_CANCEL, what));
    }
    if let (Some(value), Some(last)) = (value, asked.last_report)
        && value <= last
    {
        faults.push((&rules::NOT_INCREASING, format!("{value} after {last}, token {token}")));
        return;
    }
    asked.last_report = value.or(asked.last_report);
    let number = asked.place.number;
    requests.read_until = read_until.max(number);
}
