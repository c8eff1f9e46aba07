//! The tool behind the servers: it reports, asks back, ends its response for a while, and answers.

use std::time::Duration;

use mcp_proto::http::Scope;
use mcp_proto::progress::Weight;
use mcp_proto::testing::Random;
use mcp_proto::{
    CallOptions, CallToolResult, ErrorObject, Event, Progress, RequestId, Revision, Timeouts,
    Violation,
};

use super::plan::{Lot, Pace, Plan};
use super::world::{Coming, World};
use crate::{millis, secs};

/// A conversation of a server.
pub(super) type Talk = (usize, Scope);

/// One request that a tool works at.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) talk: Talk,
    id: RequestId,
    end: usize,
    total: u32,
    done: u32,
    random: Random,
    /// It was told that its reports have no way.
    is_undelivered: bool,
}

/// What a tool has asked its client.
#[derive(Debug)]
pub(super) struct Question {
    /// The work that waits for the answer.
    by: u64,
    pub(super) has_ended: bool,
}

/// A tool waits so long for an answer.
const PATIENCE: Duration = secs(20);

/// What the tool is told with the call of this number.
pub(super) fn arguments(end: usize, number: u64, total: u32) -> String {
    format!(r#"{{"total":{total},"end":{end},"number":{number}}}"#)
}

impl Plan {
    fn pause(&self, random: &mut Random) -> Duration {
        match self.pace {
            Pace::Slow => millis(60 + random.below(400)),
            Pace::Lazy => secs(1 + random.below(30)),
            Pace::Merged | Pace::Unpaced => Duration::from_micros(random.below(5_000)),
        }
    }
}

impl World {
    /// A server tells what happened.
    pub(super) fn serve(&mut self, talk: Talk, event: Event) {
        match event {
            Event::Request { id, method, params } if method.as_str() == "tools/call" => {
                let argument = |name| {
                    let argument = params.as_ref()?.get_in(&["arguments", name]);
                    argument.and_then(|it| it.as_f64()).map(|number| number as u64)
                };
                let number = |name| argument(name).expect("a number");
                let (end, total) = (number("end") as usize, number("total") as u32);
                let is_new = self.begun.insert((end, number("number")));
                assert!(is_new, "call {} of {end} has begun before", number("number"));
                let random = self.plan.lot(Lot::Call, end, number("number"));
                let work = Work { talk, id, end, total, done: 0, random, is_undelivered: false };
                self.begin(work);
            }
            Event::Request { id, .. } => {
                let now = self.hosts[talk.0].clock(self.now);
                let endpoint = self.hosts[talk.0].server.endpoint_mut(talk.1).expect("it asks");
                let _ = endpoint.fail(&id, &ErrorObject::method_not_found(), now);
            }
            Event::Cancelled { id, .. } => {
                if let Some(number) = self.find_work(talk, &id) {
                    self.works.remove(&number);
                }
                let now = self.hosts[talk.0].clock(self.now);
                if let Some(endpoint) = self.hosts[talk.0].server.endpoint_mut(talk.1) {
                    endpoint.abandon(&id, now);
                }
            }
            Event::Response { id, outcome } => {
                let key = (talk, id.clone());
                let question = self.questions.get_mut(&key).expect("it was asked");
                assert!(!std::mem::replace(&mut question.has_ended, true), "{id} ended twice");
                let by = question.by;
                // A call that was given up may be overtaken by its cancellation, and works on for nobody.
                let is_wanted = |work: &Work| !self.ends[work.end].calls[&work.id].is_cancelled;
                let is_lost = outcome.is_err() && self.works.get(&by).is_some_and(is_wanted);
                assert!(!is_lost || self.is_stormy(), "{id} ended with {outcome:?}");
                self.put(self.now, Coming::Work(by));
            }
            Event::Undelivered { id } => {
                if let Some(number) = self.find_work(talk, &id)
                    && let Some(work) = self.works.get_mut(&number)
                {
                    let is_new = !std::mem::replace(&mut work.is_undelivered, true);
                    assert!(is_new, "that {id} is not heard was told twice");
                    let is_cancelled = self.ends[work.end].calls[&id].is_cancelled;
                    assert!(is_cancelled || self.is_stormy(), "nothing is in the way of {id}");
                }
            }
            Event::Violation(Violation::LateResponse(_)) if self.is_stormy() => {}
            Event::Violation(violation) => panic!("a client broke the protocol: {violation}"),
            _ => {}
        }
    }

    fn begin(&mut self, work: Work) {
        let (host, scope) = work.talk;
        let peer = self.hosts[host].server.endpoint(scope).and_then(|endpoint| endpoint.peer());
        // HTTP+SSE has no way to come back, and the modern era nothing to come back to.
        let can_return = peer.is_some_and(|peer| {
            peer.revision > Revision::V2024_11_05 && peer.revision < Revision::V2026_07_28
        });
        if can_return && !self.sessions.contains(&work.talk) {
            self.sessions.push(work.talk);
        }
        self.last_work += 1;
        self.works.insert(self.last_work, work);
        self.put(self.now, Coming::Work(self.last_work));
    }

    fn find_work(&self, talk: Talk, id: &RequestId) -> Option<u64> {
        let mut works = self.works.iter();
        works.find(|(_, work)| work.talk == talk && work.id == *id).map(|(number, _)| *number)
    }

    /// A tool takes its next step.
    pub(super) fn work(&mut self, number: u64) {
        let Some(work) = self.works.get_mut(&number) else { return };
        let (host, scope) = work.talk;
        let host = &mut self.hosts[host];
        let now = host.clock(self.now);
        if host.server.endpoint(scope).is_none() {
            self.works.remove(&number);
            return;
        }
        let (plan, id) = (&self.plan, work.id.clone());
        if work.done < work.total && work.random.below(1_000) < plan.parts {
            // Whether it can is for the revision to say, and whether it is away already.
            let parts = host.server.close_stream(scope, &id, now);
            let endpoint = host.server.endpoint(scope);
            let revision = endpoint.and_then(|it| it.peer()).map(|peer| peer.revision);
            assert!(!parts || revision == Some(Revision::V2025_11_25), "{revision:?}");
            if parts && let Some(call) = self.ends[work.end].calls.get_mut(&id) {
                self.counts.parted += 1;
                call.is_slow = true;
            }
        }
        let Some(endpoint) = host.server.endpoint_mut(scope) else { return };
        if work.done < work.total && work.random.below(1_000) < plan.asks {
            let options = CallOptions::default().timeouts(Timeouts::NEVER.total(PATIENCE));
            // On the stream of the call, or on the one for what belongs to none.
            let is_related = work.random.below(2) == 0;
            let options = if is_related { options.related(id.clone()) } else { options };
            // A modern server asks nothing.
            if let Ok(asked) = endpoint.request_raw("roots/list", None, options, now) {
                let question = Question { by: number, has_ended: false };
                assert!(self.questions.insert((work.talk, asked), question).is_none());
                return;
            }
        }
        if work.done == work.total {
            if let Some(call) = self.ends[work.end].calls.get_mut(&id) {
                call.answered_at = Some(self.now);
            }
            self.works.remove(&number);
            let _ = endpoint.respond(&id, &CallToolResult::text("done"), now);
            return;
        }
        work.done += 1;
        let progress = Progress::new(f64::from(work.done)).of(f64::from(work.total));
        let progress = progress.message("x".repeat(plan.padding));
        endpoint.report(&id, progress, Weight::Ordinary, now).expect("it increases");
        let pause = plan.pause(&mut work.random);
        self.put(self.now + pause, Coming::Work(number));
    }

    /// A server forgets one of its sessions.
    pub(super) fn forget(&mut self) {
        let is_open = |(host, scope): &&Talk| {
            let endpoint = self.hosts[*host].server.endpoint(*scope);
            endpoint.is_some_and(|endpoint| !endpoint.is_closed())
        };
        let open: Vec<_> = self.sessions.iter().filter(is_open).copied().collect();
        if open.is_empty() {
            return;
        }
        let (host, scope) = open[super::plan::below(&mut self.random, open.len())];
        let host = &mut self.hosts[host];
        let now = host.clock(self.now);
        host.server.endpoint_mut(scope).expect("it is open").close(now);
        self.counts.forgotten += 1;
    }
}
