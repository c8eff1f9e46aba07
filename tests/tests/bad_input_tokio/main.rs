//! The catalogue again, over pipes: the server and the client of `mcp-tokio` against bytes.
//!
//! Every case runs over a pipe in memory and over two of the operating system, on a simulated clock, which only Tokio has.
//! Those of a server that are short and need no small limits run once more on every runtime, against a process of its own:
//! see `bad_input.rs` of `tests/runtimes`. The argument, if any, is how the ids of the cases begin that are run.

mod client;
mod server;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mcp_proto::Revision;
use mcp_tests::bad_input::LAYERS;
use mcp_tests::bad_input::application::Log;
use mcp_tests::bad_input::case::{After, Case, Feed, Side};
use mcp_tests::bad_input::exceptions::Exception;
use mcp_tests::bad_input::observed::Observed;
use mcp_tests::bad_input::run::{is_untold, judge, row};
use mcp_tests::bad_input::start::{
    PROBE, server_config, server_names, server_opening, server_probe, welcome,
};

use self::wire::{Pipe, Reader, Wire, Writer};

/// Cases of a client that answers requests of the server. One of `mcp-tokio` hands none to its application and
/// announces no capability to be asked for them. When it does, they are run.
const NOT_RUN: [&str; 9] = [
    "CAN-s15", "CAN-s16", "LIM-s02", "PAR-s13", "PAR-s14", "PAR-s15", "PAR-s16", "PAR-s17",
    "PAR-s18",
];

/// What cases expect and no adapter tells: memory and time are measured around the engine alone, by the test
/// `bad_input`. Everything else that these cases expect is looked at.
const NOT_SEEN: [(&str, &[&str]); 4] = [
    ("events_bounded", &["LIM-s05"]),
    (
        "memory_over_limit",
        &[
            "CAN-s12", "FRM-s19", "FRM-s20", "LIM-s01", "LIM-s03", "LIM-s04", "LIM-s05", "LIM-s07",
            "LIM-s08", "PRG-s10", "PRG-s13",
        ],
    ),
    ("superlinear_time", &["JSN-s22"]),
    ("token_table_growth", &["PRG-s10"]),
];

/// Cases of which something should be reported, and is not: those of the engine itself.
const NOT_TOLD: [&str; 1] = ["RPC-s52"];

/// Real time within which the whole catalogue must be through: some 40 s of work, on machines that have other work too.
const PATIENCE: Duration = Duration::from_secs(900);

fn main() {
    let argument =
        std::env::args().nth(1).filter(|argument| !argument.starts_with('-')).unwrap_or_default();
    let (done, ended) = std::sync::mpsc::channel();
    count_panics();
    std::thread::spawn(move || done.send(run_all(&argument)));
    let failures = ended.recv_timeout(PATIENCE).expect("the catalogue hangs, or panicked");
    assert!(failures.is_empty(), "\n{failures}");
}

fn run_all(filter: &str) -> String {
    let exceptions = Exception::all();
    let excused: BTreeSet<(String, String)> = exceptions
        .iter()
        .flat_map(|exception| {
            exception.revisions.iter().map(|revision| (exception.id.clone(), revision.clone()))
        })
        .collect();
    let mut failures = String::new();
    let (mut left_out, mut excepted) = (BTreeSet::new(), BTreeSet::new());
    let mut unseen = BTreeMap::<&str, BTreeSet<String>>::new();
    let mut untold = BTreeSet::<String>::new();
    let mut counts = BTreeMap::<String, usize>::new();
    let cases = Case::all();
    for case in cases
        .iter()
        .filter(|case| LAYERS.contains(&case.layer.as_str()) && case.id.starts_with(filter))
    {
        let answers = case.setup.caps.as_ref().is_some_and(|caps| !caps.is_empty());
        if case.role == Side::Client && answers {
            left_out.insert(&*case.id);
            continue;
        }
        for (what, _) in NOT_SEEN.iter().filter(|(what, _)| case.mentions(what)) {
            unseen.entry(what).or_default().insert(case.id.clone());
        }
        for revision in case.revisions() {
            let key = (case.id.clone(), revision.to_string());
            if excused.contains(&key) {
                // What is met is no exception, over a pipe as little as in the engine itself.
                if over(Pipe::Memory, case, revision, case.setup.feed).0.is_empty() {
                    let _ = writeln!(failures, "{} {revision}: met, so no exception\n", case.id);
                }
                excepted.insert(key);
                continue;
            }
            let mut ran = |by: &str, seen: (Vec<String>, Observed)| {
                *counts.entry(format!("{:?}s {by}", case.role)).or_default() += 1;
                failures += &row(by, case, revision, &seen);
                if is_untold(case, &seen.1) {
                    untold.insert(case.id.clone());
                }
            };
            for feed in feeds(case) {
                ran("in memory", over(Pipe::Memory, case, revision, feed));
            }
            ran("on pipes", over(Pipe::System, case, revision, case.setup.feed));
        }
    }
    println!("runs: {counts:?}");
    println!("not run, for they need a client that answers requests: {left_out:?}");
    println!("run, but not judged by: {unseen:?}");
    if filter.is_empty() {
        for (id, revision) in excused.difference(&excepted) {
            let _ = writeln!(failures, "{id} {revision}: an exception for nothing that is run\n");
        }
        if left_out != BTreeSet::from(NOT_RUN) {
            let _ = writeln!(failures, "left out: {left_out:?}, instead of {NOT_RUN:?}");
        }
        if !untold.iter().eq(&NOT_TOLD) {
            let _ = writeln!(failures, "not told of: {untold:?}, instead of {NOT_TOLD:?}");
        }
        for (what, known) in NOT_SEEN {
            let unseen = unseen.remove(what).unwrap_or_default();
            if !unseen.iter().eq(known) {
                let _ =
                    writeln!(failures, "{what} is not seen of {unseen:?}, instead of {known:?}");
            }
        }
    }
    failures
}

/// Panics so far: in a task they are caught, and seen by nobody else.
static PANICS: AtomicUsize = AtomicUsize::new(0);

fn count_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(panic);
    }));
}

fn feeds(case: &Case) -> Vec<Feed> {
    match case.setup.feed {
        Feed::Greedy if case.is_small() => vec![Feed::Greedy, Feed::Bytewise],
        feed => vec![feed],
    }
}

/// Runs a case with both ends in this process.
fn over(pipe: Pipe, case: &Case, revision: Revision, feed: Feed) -> (Vec<String>, Observed) {
    let panics = PANICS.load(Ordering::Relaxed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let (mut failures, seen) = runtime.block_on(async {
        let reads = case.setup.peer.as_deref() != Some("does_not_read");
        let (mut wire, reader, writer) = Wire::new(pipe, reads);
        match case.role {
            Side::Server => {
                // The buffers of the system take all of an input that a peer writes who does not read; that it is
                // held up is seen when it is let go of.
                let until = if pipe == Pipe::System && !reads { 60 } else { 1 };
                let until = Duration::from_secs(until);
                serve(case, revision, feed, until, wire, reader, writer).await
            }
            Side::Client => {
                let started = client::start(reader, writer, &mut wire, case, revision).await;
                connect(case, revision, feed, wire, started).await
            }
        }
    });
    // What was still running ends here.
    drop(runtime);
    if PANICS.load(Ordering::Relaxed) != panics {
        failures.push("a task has panicked".to_owned());
    }
    (failures, seen)
}

async fn serve(
    case: &Case,
    revision: Revision,
    feed: Feed,
    until: Duration,
    mut wire: Wire,
    reader: Reader,
    writer: Writer,
) -> (Vec<String>, Observed) {
    let log = Log::default();
    let server = mcp_tokio::serve(reader, writer, server_config(case, revision));
    let served = server::start(server, log.clone());
    wire.write(server_opening(case, revision).as_bytes(), Feed::Greedy).await;
    wire.take();
    log.lock().retain(|handled| handled.is_running());
    let names = server_names();
    let input = case.input(&names);
    let mut seen = Observed::default();
    seen.revisions.0 = served.look().await.and_then(|(_, revision)| revision);

    seen.refused_input = !wire.feed(&input, feed).await;
    if case.setup.eof {
        wire.eof().await;
    }
    wire.pass(until).await;

    (seen.sent, seen.sent_len, seen.faults) = wire.take();
    seen.handled = log.lock().clone();
    let (in_flight, behind) = served.look().await.unwrap_or_default();
    (seen.in_flight, seen.revisions.1) = (in_flight, behind);
    seen.closed = served.closed.lock().unwrap().clone();
    let mut failures = judge(case, revision, &names, &input, &seen);
    if !failures.is_empty() {
        return (failures, seen);
    }
    let after = case.expect(&names).after;
    match (after, seen.closed.is_some()) {
        (After::Closed | After::Either, true) => {}
        (After::Closed, false) => failures.push("the connection has not ended".to_owned()),
        (After::Usable, true) => {
            failures.push(format!("the connection has ended: {:?}", seen.closed))
        }
        (_, false) if seen.refused_input => {
            // Either it is let go of in the end, or what waited is dealt with.
            wire.pass(Duration::from_secs(60)).await;
            if served.closed.lock().unwrap().is_none() {
                failures.push("a peer that does not read is kept".to_owned());
            }
        }
        (_, false) => {
            if !input.is_empty() && !input.ends_with(b"\n") {
                wire.write(b"\n", Feed::Greedy).await;
                wire.take();
            }
            wire.write(server_probe(revision).as_bytes(), Feed::Greedy).await;
            let (sent, _, _) = wire.take();
            if !matches!(&sent[..], [answer] if answer.is_result() && answer.json["id"] == PROBE) {
                failures.push(format!("the probe was answered with {sent:?}"));
            }
        }
    }
    // The end of its input ends it, within its drain limit.
    wire.eof().await;
    wire.pass(Duration::from_secs(60)).await;
    if served.closed.lock().unwrap().is_none() {
        failures.push("the end of the input does not end it".to_owned());
    }
    (failures, seen)
}

async fn connect(
    case: &Case,
    revision: Revision,
    feed: Feed,
    mut wire: Wire,
    mut started: client::Started,
) -> (Vec<String>, Observed) {
    wire.take();
    let names = started.names.clone();
    let input = case.input(&names);
    let before = started.client.peer().map(|peer| peer.revision);
    started.start_watch();

    let refused = !wire.feed(&input, feed).await;
    if case.setup.eof {
        wire.eof().await;
    }
    if case.setup.advance_clock.as_deref() == Some("probe_timeout") {
        wire.pass(Duration::from_secs(10)).await;
    }
    wire.pass(Duration::from_secs(1)).await;

    let mut seen = started.log.lock().clone();
    (seen.sent, seen.sent_len, seen.faults) = wire.take();
    seen.refused_input = refused;
    seen.pending = started.pending();
    seen.revisions = (before, started.client.peer().map(|peer| peer.revision));
    let mut failures = judge(case, revision, &names, &input, &seen);
    if failures.is_empty() {
        match (case.expect(&names).after, seen.closed.is_some()) {
            (After::Closed | After::Either, true) => {}
            (After::Closed, false) => failures.push("the connection has not ended".to_owned()),
            (After::Usable, true) => {
                failures.push(format!("the connection has ended: {:?}", seen.closed))
            }
            (_, false) => failures.extend(probe(&mut wire, &mut started, &seen, revision).await),
        }
    }
    started.client.close();
    wire.settle().await;
    if !started.pending().is_empty() {
        failures.push(format!("{:?} outlive the connection", started.pending()));
    }
    (failures, seen)
}

/// Opens the connection if that is still to be done, calls, and answers that and every other call.
async fn probe(
    wire: &mut Wire,
    started: &mut client::Started,
    seen: &Observed,
    revision: Revision,
) -> Vec<String> {
    let mut faults = Vec::new();
    if let Some(again) = seen.sent.iter().rfind(|sent| sent.method() == Some("initialize")) {
        started.opening_id = again.id().unwrap_or_default();
    }
    let is_open = started.client.peer().is_some();
    if !is_open {
        let revision =
            if revision == Revision::LATEST { Revision::LATEST_LEGACY } else { revision };
        wire.write(welcome(revision, &started.opening_id).as_bytes(), Feed::Greedy).await;
        wire.take();
    }
    started.call("FRESH", "tools/list", false, None);
    started.said(wire, "FRESH").await;
    for call in started.pending() {
        let id = started.names.get(&format!("id.{call}")).unwrap_or_default().to_owned();
        let answer = format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"resultType\":\"complete\",\"v\":7}}}}\n"
        );
        wire.write(answer.as_bytes(), Feed::Greedy).await;
        let log = started.log.lock();
        let is_it = log.endings.iter().any(|ending| {
            ending.call == call && ending.value.as_ref().is_some_and(|value| value["v"] == 7)
        });
        if !is_it {
            faults.push(format!("{call} did not end with its answer"));
        }
    }
    faults
}
