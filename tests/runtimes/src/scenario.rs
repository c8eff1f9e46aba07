//! A scenario, mixed by a seed and played on a host. What happens is the same on each, word for word.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_lite::future::poll_once;
use mcp_proto::driver::{Call, Client, Incoming, Runtime, Server, Timer};
use mcp_proto::net::prelude::*;
use mcp_proto::net::{Platform, Task};
use mcp_proto::testing::{Clock, Random};

use crate::{Host, Narrow, sockets};

/// Calls side by side. The file says what its words mean.
#[derive(Clone, Debug)]
pub struct Scenario(Vec<Actor>);

#[derive(Clone, Debug)]
struct Actor {
    name: String,
    idle: Option<Duration>,
    total: Option<Duration>,
    steps: VecDeque<Step>,
    /// When it times out, once it was called.
    idle_at: Option<Duration>,
    total_at: Option<Duration>,
    reports: u64,
    unheard: Vec<u32>,
}

#[derive(Clone, Debug)]
enum Step {
    Begin,
    Say(u32),
    Hear,
    Log(String),
    Answer(String),
    Fail,
    Leave,
    Cancel,
    Wait(Duration),
    Expire,
}

/// What is done in one moment, and what is to be seen of it. The number is the actor's.
#[derive(Clone, Debug)]
pub enum Deed {
    /// It calls.
    Begin(usize),
    /// The server reports this.
    Say(usize, u32),
    /// The client takes these reports.
    Hear(usize, Vec<u32>),
    /// The server logs this.
    Log(usize, String),
    /// The server answers with this, before which these reports are taken.
    Answer(usize, Vec<u32>, String),
    /// The server answers with an error.
    Fail(usize, Vec<u32>),
    /// The server drops the request.
    Leave(usize, Vec<u32>),
    /// The client drops the call.
    Cancel(usize),
    /// So much time passes.
    Wait(Duration),
    /// Its time is over, after so many reports.
    Expired(usize, u64),
}

impl Scenario {
    /// Reads a scenario.
    pub fn parse(text: &str) -> Self {
        let mut actors = Vec::<Actor>::new();
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        for line in lines.filter(|line| !line.is_empty()) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            if word == "call" {
                actors.push(Actor::parse(rest));
                continue;
            }
            let steps = &mut actors.last_mut().expect("a call comes first").steps;
            match word {
                "say" => steps.push_back(Step::Say(rest.parse().expect("a value"))),
                "report" => {
                    steps.extend([Step::Say(rest.parse().expect("a value")), Step::Hear]);
                }
                "hear" => steps.push_back(Step::Hear),
                "log" => steps.push_back(Step::Log(rest.to_owned())),
                "answer" => steps.push_back(Step::Answer(rest.to_owned())),
                "fail" => steps.push_back(Step::Fail),
                "leave" => steps.push_back(Step::Leave),
                "cancel" => steps.push_back(Step::Cancel),
                "wait" => steps.push_back(Step::Wait(seconds(rest))),
                "expire" => steps.push_back(Step::Expire),
                _ => panic!("no step: {line}"),
            }
        }
        Self(actors)
    }

    /// Its steps, mixed as the seed says. What has a deadline is said and heard at once, so that its time is known.
    pub fn mixed(&self, seed: u64) -> Vec<Deed> {
        let (mut random, mut actors) = (Random::new(seed), self.0.clone());
        let (mut deeds, mut now) = (Vec::new(), Duration::ZERO);
        loop {
            let left: Vec<_> =
                (0..actors.len()).filter(|at| !actors[*at].steps.is_empty()).collect();
            let Some(at) = left.get(random.below(left.len() as u64) as usize) else { return deeds };
            let actor = &mut actors[*at];
            let has_deadline = actor.idle.is_some() || actor.total.is_some();
            let step = actor.steps.pop_front().expect("a step");
            let (before, is_said) = (now, matches!(step, Step::Say(_)));
            actor.act(*at, step, &mut now, &mut deeds);
            if has_deadline && is_said {
                let hear = actor.steps.pop_front().expect("a report of what has a deadline");
                actor.act(*at, hear, &mut now, &mut deeds);
            }
            if now > before {
                deeds.push(Deed::Wait(now - before));
                expire(&mut actors, now, &mut deeds);
            }
        }
    }
}

fn seconds(text: &str) -> Duration {
    let number = text.strip_suffix('s').and_then(|number| number.parse().ok());
    Duration::from_secs(number.expect("seconds, such as 5s"))
}

/// Those whose time is over end, the first first.
fn expire(actors: &mut [Actor], now: Duration, deeds: &mut Vec<Deed>) {
    let mut due: Vec<_> = actors.iter_mut().enumerate().collect();
    due.retain(|(_, actor)| actor.deadline().is_some_and(|deadline| deadline <= now));
    due.sort_by_key(|(_, actor)| actor.deadline());
    for (at, actor) in due {
        deeds.push(Deed::Expired(at, actor.reports));
        actor.end();
    }
}

impl Actor {
    fn parse(line: &str) -> Self {
        let mut words = line.split_whitespace();
        let name = words.next().expect("a name").to_owned();
        let mut actor = Self {
            name,
            idle: None,
            total: None,
            steps: VecDeque::from([Step::Begin]),
            idle_at: None,
            total_at: None,
            reports: 0,
            unheard: Vec::new(),
        };
        while let (Some(which), Some(time)) = (words.next(), words.next()) {
            match which {
                "idle" => actor.idle = Some(seconds(time)),
                "total" => actor.total = Some(seconds(time)),
                _ => panic!("no deadline: {line}"),
            }
        }
        actor
    }

    fn deadline(&self) -> Option<Duration> {
        self.idle_at.into_iter().chain(self.total_at).min()
    }

    fn end(&mut self) {
        self.steps.clear();
        (self.idle_at, self.total_at) = (None, None);
    }

    fn act(&mut self, at: usize, step: Step, now: &mut Duration, deeds: &mut Vec<Deed>) {
        let unheard = |actor: &mut Self| std::mem::take(&mut actor.unheard);
        match step {
            Step::Begin => {
                self.idle_at = self.idle.map(|idle| *now + idle);
                self.total_at = self.total.map(|total| *now + total);
                deeds.push(Deed::Begin(at));
            }
            Step::Say(value) => {
                self.idle_at = self.idle.map(|idle| *now + idle);
                self.reports += 1;
                self.unheard.push(value);
                deeds.push(Deed::Say(at, value));
            }
            Step::Hear => deeds.push(Deed::Hear(at, unheard(self))),
            Step::Log(text) => deeds.push(Deed::Log(at, text)),
            Step::Answer(text) => deeds.push(Deed::Answer(at, unheard(self), text)),
            Step::Fail => deeds.push(Deed::Fail(at, unheard(self))),
            Step::Leave => deeds.push(Deed::Leave(at, unheard(self))),
            Step::Cancel => deeds.push(Deed::Cancel(at)),
            Step::Wait(time) => *now += time,
            // It is not over before its time has come, which is seen to there.
            Step::Expire => return *now = self.deadline().expect("a deadline"),
        }
        if self.steps.is_empty() {
            self.end();
        }
    }
}

impl Scenario {
    /// What has to happen.
    pub fn expected(&self, deeds: &[Deed]) -> Vec<String> {
        let mut lines = Vec::new();
        let name = |at: &usize| self.0[*at].name.as_str();
        for deed in deeds {
            let mut heard = |at: &usize, values: &[u32]| {
                lines.extend(values.iter().map(|value| format!("{}: progress {value}", name(at))));
            };
            let last = match deed {
                Deed::Begin(at) => format!("{0}: calls {0}", name(at)),
                Deed::Say(at, value) => format!("{}: says {value}", name(at)),
                Deed::Hear(at, values) => {
                    heard(at, values);
                    continue;
                }
                Deed::Log(at, text) => format!("{}: logs {text}", name(at)),
                Deed::Answer(at, values, text) => {
                    heard(at, values);
                    format!("{}: result {text}, later reports are refused", name(at))
                }
                Deed::Fail(at, values) => {
                    heard(at, values);
                    format!("{}: error -32000 on purpose", name(at))
                }
                Deed::Leave(at, values) => {
                    heard(at, values);
                    format!("{}: error -32603", name(at))
                }
                Deed::Cancel(at) => format!("{}: cancelled, its answer is refused", name(at)),
                Deed::Wait(time) => format!("{} seconds pass", time.as_secs()),
                Deed::Expired(at, reports) => {
                    format!(
                        "{}: timed out after {reports} reports, its answer is refused",
                        name(at)
                    )
                }
            };
            lines.push(last);
        }
        lines.push("closed: client Local, server Eof { unread: 0 }".to_owned());
        lines.push("left: 0 calls, 0 requests, 0 violations".to_owned());
        lines
    }

    /// What does happen on a host. The seed cuts the bytes.
    pub async fn played<H: Host>(&self, deeds: &[Deed], seed: u64) -> Vec<String> {
        let mut stage = Stage::set::<H>(self.0.len(), seed).await;
        let mut lines = Vec::new();
        for deed in deeds {
            stage.perform(self, deed, &mut lines).await;
        }
        stage.end(&mut lines).await;
        lines
    }
}

/// A client and a server, and the calls between them.
struct Stage {
    client: Client,
    server: Server,
    clock: Clock,
    logs: async_channel::Receiver<String>,
    violations: Arc<AtomicUsize>,
    calls: Vec<Option<(Call<CallToolResult>, Incoming)>>,
}

/// How long the pieces of a seed may be; one in 128 has very short ones.
fn longest(seed: u64) -> u64 {
    match seed % 128 {
        0 => 3,
        other => [40, 150, 600, 4000][(other % 4) as usize],
    }
}

impl Stage {
    async fn set<H: Host>(calls: usize, seed: u64) -> Self {
        let clock = Clock::new();
        let platform = Virtual(H::platform(), clock.clone());
        let (near, far) = sockets();
        let cut = |socket, stream: u64| {
            let mut random = Random::new(seed ^ stream);
            let next = move || 1 + random.below(longest(seed)) as usize;
            Narrow::new(H::stream(socket), next)
        };
        let config = ServerConfig::new("test", "1.0")
            .pacing(Pacing::UNLIMITED)
            .capabilities(mcp_proto::types::ServerCapabilities::default().tools().logging());
        let server = mcp_proto::net::serve(cut(far, 1 << 40), config, platform.clone());
        let config = ClientConfig::new("test", "1.0").log_level(LogLevel::Info);
        let ((tell, logs), violations) =
            (async_channel::unbounded(), Arc::<AtomicUsize>::default());
        let seen = violations.clone();
        let client = mcp_proto::net::client(cut(near, 1 << 41), config, platform, |client| {
            client.on_log(move |log| {
                let _ = tell.try_send(log.data.decode().expect("a text"));
            });
            client.on_violation(move |_| {
                seen.fetch_add(1, Ordering::Relaxed);
            });
        });
        client.ready().await.expect("a handshake");
        let calls = (0..calls).map(|_| None).collect();
        Self { client, server, clock, logs, violations, calls }
    }

    async fn perform(&mut self, scenario: &Scenario, deed: &Deed, lines: &mut Vec<String>) {
        let name = |at: &usize| scenario.0[*at].name.as_str();
        match deed {
            Deed::Begin(at) => {
                let actor = &scenario.0[*at];
                let mut patience = Timeouts::NEVER;
                patience = actor.idle.map_or(patience, |idle| patience.idle(idle));
                patience = actor.total.map_or(patience, |total| patience.total(total));
                let mut call =
                    self.client.call(CallTool::new(name(at).to_owned())).timeouts(patience);
                assert!(poll_once(pin!(call.next_progress())).await.is_none());
                let request = self.server.accept().await.expect("a request");
                let asked: CallTool = request.params().expect("a call");
                lines.push(format!("{}: calls {}", name(at), asked.name));
                self.calls[*at] = Some((call, request));
            }
            Deed::Say(at, value) => {
                let (_, request) = self.calls[*at].as_ref().expect("a call");
                request.progress(Progress::new((*value).into())).expect("it increases");
                lines.push(format!("{}: says {value}", name(at)));
            }
            Deed::Hear(at, values) => {
                let (call, _) = self.calls[*at].as_mut().expect("a call");
                for _ in values {
                    let heard = call.next_progress().await.expect("a report");
                    lines.push(format!("{}: progress {}", name(at), heard.progress));
                }
            }
            Deed::Log(at, text) => {
                let (_, request) = self.calls[*at].as_ref().expect("a call");
                assert!(request.info(text).expect("it is open"), "it is wanted");
                let heard = self.logs.recv().await.expect("a log");
                lines.push(format!("{}: logs {heard}", name(at)));
            }
            Deed::Answer(at, _, text) => {
                let (call, request) = self.calls[*at].take().expect("a call");
                let reporter = request.reporter();
                request.respond(&CallToolResult::text(text.as_str())).expect("it is wanted");
                let result = ended(name(at), call, lines).await.expect("a result");
                let late = reporter.report(Progress::new(1e6)).is_err();
                let (late, text) =
                    (if late { "refused" } else { "sent" }, result.content[0].as_text());
                let text = text.unwrap_or_default();
                lines.push(format!("{}: result {text}, later reports are {late}", name(at)));
            }
            Deed::Fail(at, _) => {
                let (call, request) = self.calls[*at].take().expect("a call");
                request.fail(&ErrorObject::new(-32000, "on purpose")).expect("it is wanted");
                let CallError::Peer(error) = ended(name(at), call, lines).await.unwrap_err() else {
                    panic!("another error")
                };
                lines.push(format!("{}: error {} {}", name(at), error.code, error.message));
            }
            Deed::Leave(at, _) => {
                let (call, request) = self.calls[*at].take().expect("a call");
                drop(request);
                let CallError::Peer(error) = ended(name(at), call, lines).await.unwrap_err() else {
                    panic!("another error")
                };
                lines.push(format!("{}: error {}", name(at), error.code));
            }
            Deed::Cancel(at) => {
                let (call, request) = self.calls[*at].take().expect("a call");
                drop(call);
                let late = refused(request).await;
                lines.push(format!("{}: cancelled, its answer is {late}", name(at)));
            }
            Deed::Wait(time) => {
                let before = self.clock.now();
                self.clock.advance(*time);
                let passed = self.clock.now() - before;
                lines.push(format!("{} seconds pass", passed.as_secs()));
            }
            Deed::Expired(at, _) => {
                let (call, request) = self.calls[*at].take().expect("a call");
                let CallError::TimedOut(expired) = ended(name(at), call, lines).await.unwrap_err()
                else {
                    panic!("another error")
                };
                let (reports, late) = (expired.reports, refused(request).await);
                lines.push(format!(
                    "{}: timed out after {reports} reports, its answer is {late}",
                    name(at)
                ));
            }
        }
    }

    async fn end(mut self, lines: &mut Vec<String>) {
        self.client.close();
        let client = self.client.closed().await;
        assert!(self.server.accept().await.is_none());
        let server = self.server.closed().await;
        lines.push(format!("closed: client {client:?}, server {server:?}"));
        let (calls, requests) = (self.client.calls_in_flight(), self.server.requests_in_flight());
        let violations = self.violations.load(Ordering::Relaxed);
        lines.push(format!("left: {calls} calls, {requests} requests, {violations} violations"));
    }
}

/// The reports that a call still has, and how it ends.
async fn ended(
    name: &str,
    mut call: Call<CallToolResult>,
    lines: &mut Vec<String>,
) -> Result<CallToolResult, CallError> {
    while let Some(report) = call.next_progress().await {
        lines.push(format!("{name}: progress {}", report.progress));
    }
    call.await
}

/// What becomes of an answer that nobody wants any more.
async fn refused(request: Incoming) -> &'static str {
    request.cancelled().await;
    match request.respond(&CallToolResult::text("late")) {
        Ok(()) => "sent",
        Err(_) => "refused",
    }
}

/// A platform on which time passes when it is told to.
#[derive(Clone, Debug)]
struct Virtual<P>(P, Clock);

impl<P: Platform> Runtime for Virtual<P> {
    fn now(&self) -> mcp_proto::Instant {
        self.1.now()
    }

    fn timer(&self, at: mcp_proto::Instant) -> std::pin::Pin<Box<dyn Timer>> {
        self.1.timer(at)
    }
}

impl<P: Platform> Platform for Virtual<P> {
    fn spawn(&self, task: Task) {
        self.0.spawn(task);
    }
}
