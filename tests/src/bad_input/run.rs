//! One case in one revision: start, feed, look, judge, and see whether the engine still works.

use std::fmt::{self, Write};
use std::time::Duration;

use mcp_proto::Revision;
use mcp_proto::role::Role;
use rustix::time::{ClockId, clock_gettime};

use super::case::{Case, Feed, Side};
use super::forbidden;
use super::judge::Judge;
use super::memory::{self, Fill, Flood, Measure};
use super::message::cut;
use super::names::Names;
use super::observed::Observed;
use super::probe;
use super::start::Started;
use super::subject::Subject;
use super::{http_client, http_server};

/// What came of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Why it failed; nothing if it did not.
    pub failures: Vec<String>,
    /// What of that no exception excuses: what no case may show.
    pub faults: Vec<String>,
    /// Which of the acceptable reactions was seen; 0 is the preferred one.
    pub reaction: Option<usize>,
    /// Whether nothing was reported that should have been.
    pub is_untold: bool,
    /// What was seen, line by line.
    pub transcript: Vec<String>,
    /// Memory in use at most, above what was in use before the input.
    pub memory: usize,
    /// What was in use when the input was made longer.
    pub flood: Option<Flood>,
}

/// Time in which everything must have been done.
pub(super) const PROMPT: Duration = Duration::from_secs(1);

/// Runs a case in one revision, however its input is to arrive. A small one is fed in single bytes as well:
/// the reaction must be the same. Without a measure nothing is judged by its memory.
pub fn run(case: &Case, revision: Revision, measure: Option<Measure>) -> Outcome {
    if http_client::LAYERS.contains(&&*case.layer) {
        return http_client::run(case, revision, measure);
    }
    if http_server::LAYERS.contains(&&*case.layer) {
        return http_server::run(case, revision, measure);
    }
    let first = once(case, revision, measure, Way { feed: case.setup.feed, split: None });
    if !first.failures.is_empty() {
        return first;
    }
    let others: Vec<Way> = match case.setup.feed {
        Feed::Greedy if case.is_small() => vec![Way { feed: Feed::Bytewise, split: None }],
        Feed::AllSplits => {
            let length = match case.role {
                Side::Server => case.input(&Started::server(case, revision).names).len(),
                Side::Client => case.input(&Started::client(case, revision).names).len(),
            };
            (1..length).map(|at| Way { feed: Feed::Greedy, split: Some(at) }).collect()
        }
        _ => Vec::new(),
    };
    unless_another_fails(first, others, |way| once(case, revision, measure, way))
}

/// The first outcome, unless the input fails in another way, which is then named.
pub(super) fn unless_another_fails<W: Copy + fmt::Debug>(
    first: Outcome,
    others: impl IntoIterator<Item = W>,
    mut once: impl FnMut(W) -> Outcome,
) -> Outcome {
    for way in others {
        let mut outcome = once(way);
        if !outcome.failures.is_empty() {
            outcome.failures.insert(0, format!("{way:?}"));
            return outcome;
        }
    }
    first
}

/// How an input arrives.
#[derive(Clone, Copy, Debug)]
struct Way {
    feed: Feed,
    split: Option<usize>,
}

fn once(case: &Case, revision: Revision, measure: Option<Measure>, way: Way) -> Outcome {
    match case.role {
        Side::Server => play(case, revision, measure, way, Started::server(case, revision)),
        Side::Client => play(case, revision, measure, way, Started::client(case, revision)),
    }
}

fn play<R: Role>(
    case: &Case,
    revision: Revision,
    measure: Option<Measure>,
    way: Way,
    started: Started<R>,
) -> Outcome {
    let Started { mut subject, names } = started;
    let input = case.input(&names);
    let is_cut = !input.is_empty() && !input.ends_with(b"\n");

    subject.start_watch(&input);
    let mut play = || {
        let (first, second) = input.split_at(way.split.unwrap_or(input.len()));
        subject.feed(first, way.feed);
        subject.feed(second, way.feed);
        if case.setup.eof {
            subject.eof();
        }
        match case.setup.advance_clock.as_deref() {
            None => {}
            Some("probe_timeout") => subject.pass(Duration::from_secs(10)),
            Some(unknown) => panic!("{}: an unknown deadline: {unknown}", case.id),
        }
        subject.pass(PROMPT);
    };
    let taken = match measure {
        None => {
            play();
            None
        }
        Some(measure) => Some(measure(&input, &mut play)),
    };

    let mut seen = subject.look();
    if let (Some(taken), Some(measure)) = (taken, measure) {
        let sent = subject.reads.then_some(seen.sent_len);
        let bound = Fill::at_once(&input, sent).bound(&memory::limits(case, revision));
        seen.memory = Some((taken.most, bound));
        seen.flood = memory::is_judged(case, revision)
            .then(|| memory::flood(case, revision, input.len(), measure));
    }
    seen.growth = case.forbids("superlinear_time").then(|| growth(case, revision));
    let Verdict { reaction, is_untold, mut failures, faults } =
        verdict(case, revision, &names, &input, &seen);
    let mut transcript: Vec<_> = seen.transcript.lines().collect();
    if failures.is_empty() {
        failures.extend(probe::after(&mut subject, case, &names, revision, is_cut));
        let lines = subject.look().transcript;
        transcript.push("the probe:".to_owned());
        transcript.extend(lines.lines());
    }
    let memory = taken.unwrap_or_default().most;
    Outcome { failures, faults, reaction, is_untold, transcript, memory, flood: seen.flood }
}

/// How many times as long an input takes as half of it, in time of the processor: the least of some tries, because whatever
/// else runs only makes it more.
fn growth(case: &Case, revision: Revision) -> f64 {
    let fastest = |case: &Case| (0..TRIES).map(|_| time(case, revision)).min().unwrap_or_default();
    let half = case.halved();
    let growth = || fastest(case).as_secs_f64() / fastest(&half).as_secs_f64();
    (0..TRIES).map(|_| growth()).fold(f64::INFINITY, f64::min)
}

/// How often a time is taken.
const TRIES: usize = 3;

fn time(case: &Case, revision: Revision) -> Duration {
    fn feed<R: Role>(case: &Case, started: Started<R>) -> Duration {
        let Started { mut subject, names } = started;
        let input = case.input(&names);
        let began = clock_gettime(ClockId::ThreadCPUTime);
        subject.feed(&input, case.setup.feed);
        subject.pass(PROMPT);
        Duration::try_from(clock_gettime(ClockId::ThreadCPUTime) - began).unwrap_or_default()
    }
    match case.role {
        Side::Server => feed(case, Started::server(case, revision)),
        Side::Client => feed(case, Started::client(case, revision)),
    }
}

/// Ends a connection, and says what is left over.
pub(super) fn end<R: Role>(subject: &mut Subject<R>) -> Vec<String> {
    let mut faults = Vec::new();
    subject.conn.close(subject.now);
    subject.pump();
    if subject.conn.calls_in_flight() + subject.conn.requests_in_flight() > 0 {
        faults.push("calls or requests outlive the connection".to_owned());
    }
    if subject.conn.poll_timeout().is_some() {
        faults.push("a deadline outlives the connection".to_owned());
    }
    faults
}

/// Names of calls that are used by the probe too.
pub(super) fn id<'a>(names: &'a Names, call: &str) -> &'a str {
    names.get(&format!("id.{call}")).unwrap_or_default()
}

/// Whether nothing was reported of an input that should have been.
pub fn is_untold(case: &Case, seen: &Observed) -> bool {
    case.mentions("should") && seen.violated == 0
}

/// What is wrong about what an input brought about.
pub fn judge(
    case: &Case,
    revision: Revision,
    names: &Names,
    input: &[u8],
    seen: &Observed,
) -> Vec<String> {
    verdict(case, revision, names, input, seen).failures
}

/// Which of the acceptable reactions it was, and what is wrong about it; of that, what may never happen in any case.
struct Verdict {
    reaction: Option<usize>,
    is_untold: bool,
    failures: Vec<String>,
    faults: Vec<String>,
}

fn verdict(
    case: &Case,
    revision: Revision,
    names: &Names,
    input: &[u8],
    seen: &Observed,
) -> Verdict {
    let expect = case.expect(names);
    let judge = Judge::new(input, seen);
    let verdicts: Vec<_> = expect.any_of.iter().map(|reaction| judge.judge(reaction)).collect();
    let reaction = verdicts.iter().position(Result::is_ok);
    let mut failures = Vec::new();
    if reaction.is_none() {
        let whys = verdicts.into_iter().filter_map(Result::err).enumerate();
        failures.extend(whys.map(|(n, why)| format!("not reaction {}: {why}", n + 1)));
    }
    let faults = forbidden::always(case, &judge, names, revision);
    failures.extend(faults.iter().cloned());
    let never = expect.never.iter().filter(|what| forbidden::happened(what, case, &judge, names));
    failures.extend(never.map(|what| format!("never: {what}")));
    let is_untold = seen.violated == 0
        && reaction.is_some_and(|reaction| expect.any_of[reaction].should_be_told());
    Verdict { reaction, is_untold, failures, faults }
}

/// What is told of a case that failed: what was expected, why that is not what was seen, and what was. Nothing of one that
/// did not fail.
pub fn row(by: &str, case: &Case, revision: Revision, seen: &(Vec<String>, Observed)) -> String {
    let mut failures = String::new();
    if seen.0.is_empty() {
        return failures;
    }
    let _ = writeln!(failures, "{:>10} | {by}, {revision} {:?} {}", case.id, case.basis, case.why);
    let _ = writeln!(failures, "{:>10} | {}", "expected", cut(&case.expected_text()));
    for why in &seen.0 {
        let _ = writeln!(failures, "{:>10} | {why}", "failed");
    }
    let sent = seen.1.sent.iter().take(8).map(|sent| format!("> {}", cut(&sent.text)));
    for line in seen.1.transcript.lines().chain(sent) {
        let _ = writeln!(failures, "{:>10} | {line}", "observed");
    }
    failures.push('\n');
    failures
}
