//! The whole catalogue, one case after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use mcp_proto::Revision;

use super::case::{Basis, Case};
use super::exceptions::Exception;
use super::layers;
use super::memory::{Flood, Measure};
use super::run::{Outcome, run};

/// What came of the catalogue.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Runs by layer: cases, runs, runs that showed the preferred reaction.
    pub run: BTreeMap<String, Counts>,
    /// Cases of layers that are not run, by layer.
    pub left_out: BTreeMap<String, usize>,
    /// A table of what failed; empty if nothing did.
    pub failures: String,
    /// What floods took of memory: of each case that is about it the run that came nearest to its bound, with the most that
    /// any left.
    pub floods: BTreeMap<String, Flood>,
    /// Cases of which nothing was reported that should have been.
    pub untold: BTreeSet<String>,
    /// Exceptions that were needed.
    pub exceptions: usize,
}

/// The runs of a layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Cases.
    pub cases: usize,
    /// Runs: once for each revision.
    pub runs: usize,
    /// Runs of the basis `spec`.
    pub spec: usize,
    /// Runs that showed the preferred reaction.
    pub preferred: usize,
    /// Most memory that a run took, in bytes.
    pub memory: usize,
}

/// Stack of the thread that runs a case, in bytes: no input may need more.
const STACK: usize = 256 << 10;

/// Real time after which a case hangs. The slowest takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs every case of all [`layers`] whose id begins with `filter`.
///
/// # Panics
///
/// If a case hangs: its thread cannot be ended.
pub fn run_all(filter: &str, measure: Option<Measure>) -> Summary {
    run_these(&Case::all(), &Exception::all(), filter, measure)
}

/// The same for other cases and exceptions than those of the catalogue.
///
/// # Panics
///
/// If a case hangs: its thread cannot be ended.
pub fn run_these(
    cases: &[Case],
    exceptions: &[Exception],
    filter: &str,
    measure: Option<Measure>,
) -> Summary {
    let mut summary = Summary::default();
    let excused: BTreeSet<(&str, &str)> = exceptions
        .iter()
        .flat_map(|exception| {
            exception.revisions.iter().map(|revision| (&*exception.id, &**revision))
        })
        .collect();
    let mut met = BTreeSet::new();
    let (built, others): (Vec<_>, Vec<_>) =
        cases.iter().partition(|case| layers().any(|layer| layer == case.layer));
    others.iter().for_each(|case| *summary.left_out.entry(case.layer.clone()).or_default() += 1);
    let chosen: Vec<_> = built.into_iter().filter(|case| case.id.starts_with(filter)).collect();
    for case in &chosen {
        summary.run.entry(case.layer.clone()).or_default().cases += 1;
    }
    let runs = chosen.iter().flat_map(|case| case.revisions().map(|revision| (*case, revision)));
    for (case, revision, outcome) in side_by_side(&runs.collect::<Vec<_>>(), measure) {
        let counts = summary.run.entry(case.layer.clone()).or_default();
        counts.runs += 1;
        counts.spec += usize::from(case.basis == Basis::Spec);
        counts.preferred += usize::from(outcome.reaction == Some(0) && !outcome.is_untold);
        counts.memory = counts.memory.max(outcome.memory);
        if outcome.is_untold {
            summary.untold.insert(case.id.clone());
        }
        if let Some(flood) = outcome.flood {
            let worst = summary.floods.entry(case.id.clone()).or_insert(flood);
            worst.most = worst.most.max(flood.most);
            worst.left = worst.left.max(flood.left);
        }
        let key = excused.get(&(&*case.id, revision.as_str()));
        match (key, outcome.failures.is_empty()) {
            (None, true) => {}
            (None, false) => row(&mut summary.failures, case, revision, &outcome),
            (Some(key), is_met) => {
                met.insert(*key);
                if !outcome.faults.is_empty() {
                    row(&mut summary.failures, case, revision, &outcome);
                }
                summary.exceptions += usize::from(!is_met);
                if is_met {
                    let _ = writeln!(
                        summary.failures,
                        "{} {revision}: met, so it is no exception\n",
                        case.id
                    );
                }
            }
        }
    }
    if filter.is_empty() {
        for (id, revision) in excused.difference(&met) {
            let _ = writeln!(
                summary.failures,
                "{id} {revision}: an exception for nothing that is run\n"
            );
        }
    }
    summary
}

/// Runs as many beside each other as there are processors; what came of each, in order.
fn side_by_side<'a>(
    runs: &[(&'a Case, Revision)],
    measure: Option<Measure>,
) -> Vec<(&'a Case, Revision, Outcome)> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some((case, revision)) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((*case, *revision, apart(case, *revision, measure)));
        }
        done
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut done: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no case hangs")).collect()
    });
    let place =
        |case: &Case, revision| runs.iter().position(|(c, r)| c.id == case.id && *r == revision);
    done.sort_by_cached_key(|(case, revision, _)| place(case, *revision));
    done
}

/// Runs a case in a thread of its own, named after it: an overflow of its stack ends the process, and only
/// that name tells where.
fn apart(case: &Case, revision: Revision, measure: Option<Measure>) -> Outcome {
    let name = format!("{} {revision}", case.id);
    let (done, outcome) = mpsc::channel();
    let own = case.clone();
    let thread = thread::Builder::new().name(name.clone()).stack_size(STACK);
    let thread = thread
        .spawn(move || done.send(run(&own, revision, measure)).expect("somebody waits"))
        .expect("a thread");
    match outcome.recv_timeout(PATIENCE) {
        Ok(outcome) => {
            thread.join().expect("it has ended");
            outcome
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{name}: hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            let panic = thread.join().expect_err("it ended without a word");
            let why = panic.downcast_ref::<String>().cloned();
            let why = why.or_else(|| panic.downcast_ref::<&str>().map(|why| (*why).to_owned()));
            let failures = vec![format!("panic: {}", why.unwrap_or_default())];
            let faults = failures.clone();
            Outcome {
                failures,
                faults,
                reaction: None,
                is_untold: false,
                transcript: Vec::new(),
                memory: 0,
                flood: None,
            }
        }
    }
}

fn row(table: &mut String, case: &Case, revision: Revision, outcome: &Outcome) {
    let mut line = |name: &str, text: &str| {
        let _ = writeln!(table, "{name:>10} | {text}");
    };
    line(&case.id, &format!("{revision} {:?} {}", case.basis, case.why));
    line("expected", &super::message::cut(&case.expected_text()));
    outcome.failures.iter().for_each(|why| line("failed", why));
    outcome.transcript.iter().for_each(|what| line("observed", what));
    table.push('\n');
}

impl Summary {
    /// Counts by layer, for people.
    pub fn table(&self) -> String {
        let mut table =
            String::from("layer      cases  runs  spec  policy  preferred  memory at most\n");
        for (layer, counts) in &self.run {
            let Counts { cases, runs, spec, preferred, memory } = counts;
            let policy = runs - spec;
            let _ = writeln!(
                table,
                "{layer:<10} {cases:>5} {runs:>5} {spec:>5} {policy:>7} {preferred:>10} {:>11} KiB",
                memory >> 10
            );
        }
        let (cases, runs) = self
            .run
            .values()
            .fold((0, 0), |(cases, runs), counts| (cases + counts.cases, runs + counts.runs));
        let _ = writeln!(
            table,
            "{:<10} {cases:>5} {runs:>5}; {} of them exceptions",
            "all", self.exceptions
        );
        for (id, Flood { most, bound, left, .. }) in &self.floods {
            let (most, bound) = (most >> 10, bound >> 10);
            let _ = writeln!(
                table,
                "{id:<10} a flood of it: {most:>5} KiB of {bound} at most, {left:>5} bytes left"
            );
        }
        for (layer, cases) in &self.left_out {
            let _ = writeln!(table, "{layer:<14} {cases:>3} cases: not built yet, so not run");
        }
        table
    }
}
