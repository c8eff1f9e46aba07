//! The layers `http-client` and `sse`: whole answers and event streams, against the client over HTTP.
//!
//! What is observed here are requests, so the reactions are other ones than those of a byte stream.

use std::collections::BTreeMap;

use http::Method;
use mcp_proto::http::{ClientOptions, Exchange};
use mcp_proto::{CallOptions, CloseReason, Event, RequestId, Revision};
use serde::Deserialize;
use serde_json::Value;

use super::case::{After, Case, Pending};
use super::memory::{self, Flood, Measure, SLACK, SMALL};
use super::message::cut;
use super::names::Names;
use super::observed::{names_of, names_of_close, shown};
use super::reaction::Report;
use super::run::{Outcome, unless_another_fails};
use super::subject::CHUNK;
use crate::http_hand::{
    HttpHand, JSON, config, done, header, id_of, initialize_result, method_of, result_of,
};
use crate::{millis, secs};

/// The layers that are run here.
pub const LAYERS: [&str; 2] = ["http-client", "sse"];

/// An answer as the layers have it that do not read HTTP/1.1 themselves.
#[derive(Clone, Debug, Deserialize)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

/// What a client may do about an answer. An unknown one is refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
enum Reaction {
    All {
        of: Vec<Self>,
    },
    Complete {
        call: String,
        with: Vec<String>,
        /// `none` or `unchanged`: what later requests bear.
        #[serde(default)]
        session: Option<String>,
    },
    Resume {
        last_event_id: String,
        #[serde(default)]
        not_before_ms: u64,
        #[serde(default)]
        pending: Vec<String>,
    },
    Silent {
        #[serde(default)]
        pending: Vec<String>,
        #[serde(default)]
        report: Report,
    },
    NoListenStream,
    FallbackInitialize,
    NewInitialize,
    Refuse,
    Use {
        value: String,
    },
    /// What this client does not do: the other reactions of the case are its own.
    #[serde(alias = "retry_later")]
    Follow,
    RefreshToolsAndRetry,
}

#[derive(Clone, Debug, Deserialize)]
struct Expect {
    any_of: Vec<Reaction>,
    after: After,
    #[serde(default)]
    never: Vec<String>,
}

/// How an answer arrives.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Whole,
    Bytewise,
    /// In two pieces.
    Cut(usize),
}

/// The state in which the answer arrives.
struct Started {
    hand: HttpHand,
    /// On which exchange.
    exchange: Exchange,
    calls: BTreeMap<String, RequestId>,
    /// The call that opens the conversation, if the answer is to that.
    is_opening: bool,
    names: Names,
    session: Option<String>,
}

/// Bytes of an input that is tried in every way.
const SHORT: usize = 2 << 10;

/// Runs a case in one revision, in one piece and in others.
pub fn run(case: &Case, revision: Revision, measure: Option<Measure>) -> Outcome {
    let first = once(case, revision, measure, Way::Whole);
    let length = input(case, &start(case, revision).names).len();
    if !first.failures.is_empty() || length > SHORT {
        return first;
    }
    let others = [Way::Bytewise].into_iter().chain((1..length).map(Way::Cut));
    unless_another_fails(first, others, |way| once(case, revision, measure, way))
}

fn input(case: &Case, names: &Names) -> Vec<u8> {
    match answer(case) {
        Some(answer) => names.fill(answer.body.as_bytes()),
        None => case.input(names),
    }
}

fn answer(case: &Case) -> Option<Answer> {
    case.http.as_ref().map(|answer| Answer::deserialize(answer).expect("an answer"))
}

fn once(case: &Case, revision: Revision, measure: Option<Measure>, way: Way) -> Outcome {
    let started = start(case, revision);
    let expect = case.expect_as::<Expect>(&started.names);
    let input = input(case, &started.names);
    let Started { mut hand, exchange, calls, is_opening, session, .. } = started;
    hand.told.clear();
    let begun = hand.requests.len();
    let answer = answer(case);
    let mut play = || {
        head(&mut hand, exchange, answer.as_ref());
        let pieces: Vec<&[u8]> = match way {
            Way::Whole => input.chunks(CHUNK).collect(),
            Way::Bytewise => input.chunks(1).collect(),
            Way::Cut(at) => vec![&input[..at], &input[at..]],
        };
        for piece in pieces {
            // An exchange that was closed gives nothing more.
            if !hand.aborted.contains(&exchange) {
                hand.chunk(exchange, piece);
            }
        }
        if (answer.is_some() || case.setup.eof) && !hand.aborted.contains(&exchange) {
            hand.end(exchange);
        }
    };
    let taken = match measure {
        None => {
            play();
            None
        }
        Some(measure) => Some(measure(&input, &mut play)),
    };
    let judge = Judge { hand: hand.clone(), calls, begun, is_opening, session, revision };
    let verdicts: Vec<_> = expect.any_of.iter().map(|reaction| judge.judge(reaction)).collect();
    let reaction = verdicts.iter().position(Result::is_ok);
    let mut failures = Vec::new();
    if reaction.is_none() {
        failures.extend(verdicts.into_iter().filter_map(Result::err));
    }
    for what in &expect.never {
        if judge.has_happened(what) {
            failures.push(format!("never: {what}"));
        }
    }
    let kept = match &answer {
        Some(answer) if answer.status >= 300 => ClientOptions::default().max_error_len,
        _ => limit(case),
    };
    let memory = taken.unwrap_or_default().most;
    let bound = bound(kept.min(input.len()));
    let mut faults = Vec::new();
    if memory > bound {
        faults.push(format!("{memory} bytes of memory, more than {bound}"));
    }
    let flood = measure
        .filter(|_| memory::is_judged(case, revision))
        .map(|measure| flood(case, revision, input.len(), measure));
    faults.extend(flood.and_then(|flood| flood.fault()));
    failures.extend(faults.iter().cloned());
    let is_untold = hand.violations().is_empty()
        && matches!(
            reaction.map(|reaction| &expect.any_of[reaction]),
            Some(Reaction::Silent { report: Report::Should, .. })
        );
    let transcript = hand.told.iter().map(shown).chain(judge.requests()).collect();
    if failures.is_empty() {
        failures.extend(judge.after(expect.after));
    }
    Outcome { failures, faults, reaction, is_untold, transcript, memory, flood }
}

/// The head of the answer, or of a stream.
fn head(hand: &mut HttpHand, exchange: Exchange, answer: Option<&Answer>) {
    match answer {
        Some(answer) => {
            let headers: Vec<_> =
                answer.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
            hand.head(exchange, answer.status, &headers);
        }
        None => hand.stream(exchange),
    }
}

/// Bytes of memory where so many of an answer are kept: what has come of it may be copied once into a buffer that doubles.
fn bound(kept: usize) -> usize {
    3 * (kept + CHUNK) + SLACK
}

/// Plays a case once more whose answer is so long that whoever keeps it is seen.
fn flood(case: &Case, revision: Revision, length: usize, measure: Measure) -> Flood {
    let mut case = case.clone();
    case.setup.limits.entry("max_event_bytes".to_owned()).or_insert(SMALL);
    let bound = bound(limit(&case));
    let case = case.repeated(memory::times(bound, length));
    let Started { mut hand, exchange, names, .. } = start(&case, revision);
    let input = input(&case, &names);
    head(&mut hand, exchange, answer(&case).as_ref());
    let (first, second) = input.split_at(input.len() / 2);
    let mut half = |half: &[u8]| {
        measure(half, &mut || {
            for piece in half.chunks(CHUNK) {
                if !hand.aborted.contains(&exchange) {
                    hand.chunk(exchange, piece);
                }
            }
            hand.told.clear();
        })
    };
    let (first, second) = (half(first), half(second));
    Flood::of(first, second, bound)
}

/// Bytes of one message.
fn limit(case: &Case) -> usize {
    let usual = config(&[Revision::LATEST]).limits.max_message_len;
    case.setup.limits.get("max_event_bytes").copied().unwrap_or(usual)
}

fn start(case: &Case, revision: Revision) -> Started {
    let setup = &case.setup;
    let mut settings = config(&[revision]);
    let options = ClientOptions::default();
    settings.limits.max_message_len = limit(case);
    if setup.era.as_deref() == Some("dual") {
        settings.revisions = mcp_proto::RevisionSet::ALL;
    }
    let mut names = Names::default();
    names.set("gzip_bomb:1GiB_of_spaces", "compressed");
    let session = match setup.other.get("session") {
        None => Some("sess-1".to_owned()),
        Some(Value::Null) => None,
        Some(session) => Some(session.as_str().expect("a session").to_owned()),
    };
    let mut calls = BTreeMap::new();
    let url: &'static str = match setup.other.get("url").and_then(Value::as_str) {
        Some("https://a.example/sse") => "https://a.example/sse",
        _ => "https://a.example/mcp",
    };
    let mut hand = HttpHand::at(url, settings, options);
    let mut is_opening = false;
    let exchange = match setup.base.as_str() {
        "client.http.initializing" | "client.http_sse.connecting" => {
            is_opening = true;
            let (exchange, request) = hand.take();
            names.call("INIT", &id_of(&request), None);
            exchange
        }
        "client.http.get" => {
            let (exchange, request) = hand.take();
            let headers: Vec<_> =
                session.iter().map(|id| ("mcp-session-id", id.as_str())).collect();
            hand.head(exchange, 200, &[&[("content-type", JSON)], &headers[..]].concat());
            hand.chunk(exchange, result_of(&id_of(&request), &initialize_result(revision)));
            hand.end(exchange);
            let (exchange, _) = hand.take();
            hand.accept(exchange);
            hand.take().0
        }
        "client.http.pending" | "client.http.sse" => {
            hand.shake_hands(revision, session.as_deref());
            let mut exchanges = Vec::new();
            for pending in &setup.pending {
                let Pending::Call(name) = pending else { panic!("{}: a request", case.id) };
                let (id, exchange) = hand.call("work");
                names.call(name, &id.to_string(), Some(&id.to_string()));
                calls.insert(name.clone(), id);
                exchanges.push(exchange);
            }
            exchanges[0]
        }
        unknown => panic!("{}: a starting state that is not built: {unknown}", case.id),
    };
    Started { hand, exchange, calls, is_opening, names, session }
}

/// What was seen, and what the future would bring.
struct Judge {
    hand: HttpHand,
    calls: BTreeMap<String, RequestId>,
    /// Requests before the answer.
    begun: usize,
    is_opening: bool,
    session: Option<String>,
    revision: Revision,
}

type Verdict = Result<(), String>;

impl Judge {
    fn judge(&self, reaction: &Reaction) -> Verdict {
        match reaction {
            Reaction::All { of } => of.iter().try_for_each(|one| self.judge(one)),
            Reaction::Complete { call, with, session } => {
                let ended = self.ending(call)?;
                check(with.iter().any(|name| ended.contains(&&**name)), || {
                    format!("{call} ended with {ended:?}")
                })?;
                let later = match session.as_deref() {
                    None => return Ok(()),
                    Some("none") => None,
                    Some("unchanged") => self.session.clone(),
                    Some(other) => return Err(format!("an unknown session: {other}")),
                };
                let mut hand = self.hand.clone();
                hand.begin("later", CallOptions::default());
                if self.is_opening {
                    let (exchange, _) = hand.take();
                    hand.accept(exchange);
                }
                let bears = hand
                    .requests
                    .last_key_value()
                    .and_then(|(_, request)| header(request, "mcp-session-id"));
                check(bears == later.as_deref(), || format!("later requests bear {bears:?}"))
            }
            Reaction::Resume { last_event_id, not_before_ms, pending } => {
                self.pending(pending)?;
                let mut hand = self.hand.clone();
                hand.opened.clear();
                hand.pass(millis(not_before_ms.saturating_sub(1)));
                check(hand.opened.is_empty(), || "it comes back too early".to_owned())?;
                hand.pass(secs(1));
                let (_, request) = hand.opened.front().ok_or("it does not come back")?;
                check(request.method() == Method::GET, || "by no GET".to_owned())?;
                let bears = header(request, "last-event-id");
                check(bears == Some(last_event_id), || format!("behind {bears:?}"))
            }
            Reaction::Silent { pending, report } => {
                self.pending(pending)?;
                check(self.new_requests().next().is_none(), || "something was sent".to_owned())?;
                let is_told = !self.hand.violations().is_empty();
                check(is_told || matches!(report, Report::May | Report::Should), || {
                    "nothing was reported".to_owned()
                })
            }
            Reaction::NoListenStream => {
                let mut hand = self.hand.clone();
                hand.pass(secs(600));
                check(hand.opened.is_empty() && !hand.client.is_closed(), || {
                    "it goes on".to_owned()
                })
            }
            Reaction::FallbackInitialize => self.has_sent("initialize"),
            Reaction::NewInitialize => {
                self.has_sent("initialize")?;
                let request = self.new_requests().last().expect("one");
                check(header(request, "mcp-session-id").is_none(), || "with a session".to_owned())
            }
            Reaction::Refuse => check(
                self.new_requests().next().is_none() || !self.hand.violations().is_empty(),
                || "it was taken".to_owned(),
            ),
            Reaction::Use { value } => {
                let request = self.new_requests().last().ok_or("nothing was sent")?;
                let target = request.uri().path_and_query().map(ToString::to_string);
                check(target.as_deref() == Some(value), || format!("it goes to {target:?}"))
            }
            Reaction::RefreshToolsAndRetry => self.has_sent("tools/list"),
            Reaction::Follow => Err("this client does not do that".to_owned()),
        }
    }

    /// What the catalogue calls the way in which a call ended.
    fn ending(&self, call: &str) -> Result<Vec<&'static str>, String> {
        if call == "INIT" {
            let ended = self.hand.told.iter().find_map(|event| match event {
                Event::Ready(_) => Some(vec!["result"]),
                Event::Closed(reason) => Some(names_of_close(reason)),
                _ => None,
            });
            return ended.ok_or_else(|| "INIT has not ended".to_owned());
        }
        match self.hand.outcome(&self.calls[call]) {
            None => Err(format!("{call} has not ended")),
            Some(Ok(_)) => Ok(vec!["result"]),
            Some(Err(error)) => Ok(names_of(&error)),
        }
    }

    fn pending(&self, calls: &[String]) -> Verdict {
        calls.iter().try_for_each(|call| {
            check(self.hand.outcome(&self.calls[call]).is_none(), || format!("{call} has ended"))
        })
    }

    fn new_requests(&self) -> impl Iterator<Item = &http::Request<bytes::Bytes>> {
        self.hand.requests.values().skip(self.begun)
    }

    fn requests(&self) -> impl Iterator<Item = String> {
        self.new_requests().map(|request| {
            let body = String::from_utf8_lossy(request.body());
            cut(&format!("> {} {} {body}", request.method(), request.uri()))
        })
    }

    fn has_sent(&self, method: &str) -> Verdict {
        check(self.new_requests().any(|request| method_of(request) == method), || {
            format!("no {method} was sent")
        })
    }

    /// Whether something happened that must not.
    fn has_happened(&self, what: &str) -> bool {
        match what {
            // Both would show as an ending with a result; an ending that comes twice fails in `outcome`.
            "body_shown_as_result" | "partial_parsed" => {
                self.calls.values().any(|id| matches!(self.hand.outcome(id), Some(Ok(_))))
            }
            "completed_twice" => {
                self.calls.values().for_each(|id| drop(self.hand.outcome(id)));
                false
            }
            "auto_resent_same_id" | "followed" => {
                let mut hand = self.hand.clone();
                hand.pass(secs(600));
                hand.requests
                    .values()
                    .skip(self.begun)
                    .any(|request| method_of(request) == "tools/call")
            }
            "busy_loop" => {
                let mut hand = self.hand.clone();
                hand.pass(secs(60));
                hand.requests.len() > self.begun + 20
            }
            "fallback_initialize" => self.has_sent("initialize").is_ok(),
            "session_failed" => self.hand.client.is_closed(),
            "bad_session_echoed" => {
                self.new_requests().any(|request| request.headers().contains_key("mcp-session-id"))
            }
            "post_response" => self.new_requests().next().is_some(),
            "handler_called" => {
                self.hand.told.iter().any(|event| matches!(event, Event::Request { .. }))
            }
            "post_to_other_origin" => {
                self.new_requests().any(|request| request.uri().host() != Some("a.example"))
            }
            // Told by the thread that runs the case, and by the bound of memory.
            "overflow_panic" | "stack_overflow" | "memory_over_limit" => false,
            unknown => panic!("unknown: never {unknown}"),
        }
    }

    /// A fresh call must be answered; a conversation that was never opened must have ended in order.
    fn after(&self, after: After) -> Option<String> {
        let mut hand = self.hand.clone();
        let is_closed = hand.client.is_closed();
        if is_closed {
            let in_order = hand.client.is_finished() && hand.client.calls_in_flight() == 0;
            let is_right = (self.is_opening || after != After::Usable) && in_order;
            return (!is_right).then(|| "the conversation has ended".to_owned());
        }
        if self.is_opening || after == After::Closed {
            return (after == After::Closed).then(|| "the conversation goes on".to_owned());
        }
        // A handshake may be on its way again.
        if hand.opened.front().is_some_and(|(_, request)| method_of(request) == "initialize") {
            hand.shake_hands(self.revision.min(Revision::LATEST_LEGACY), Some("sess-2"));
        }
        let id = hand.begin("probe", CallOptions::default());
        let (exchange, _) = hand.opened.pop_back().expect("the call");
        hand.answer(exchange, 200, &[("content-type", JSON)], done(&id).as_bytes());
        match hand.outcome(&id) {
            Some(Ok(_)) => {}
            other => return Some(format!("a fresh call ended with {other:?}")),
        }
        hand.client.close(hand.now);
        hand.poll();
        let ended = hand
            .told
            .iter()
            .filter(|event| matches!(event, Event::Closed(CloseReason::Local)))
            .count();
        (ended != 1 || hand.client.calls_in_flight() > 0).then(|| "it does not end".to_owned())
    }
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise()) }
}
