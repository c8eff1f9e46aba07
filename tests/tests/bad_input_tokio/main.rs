//! The catalogue again, over pipes: the server and the client of `mcp-tokio` against bytes.
//!
//! Every case runs over a pipe in memory, on a simulated clock; those of a server that is past its handshake
//! run once more against a process of its own, over the pipes of the operating system. The argument, if any,
//! is how the ids of the cases begin that are run. The process is this very program.

mod client;
mod process;
mod server;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::time::Duration;

use mcp_proto::Revision;
use mcp_tests::bad_input::LAYERS;
use mcp_tests::bad_input::case::{After, Case, Feed, Side};
use mcp_tests::bad_input::exceptions::Exception;
use mcp_tests::bad_input::forbidden;
use mcp_tests::bad_input::judge::Judge;
use mcp_tests::bad_input::message::cut;
use mcp_tests::bad_input::names::Names;
use mcp_tests::bad_input::observed::Observed;
use mcp_tests::bad_input::start::{
    PROBE, server_config, server_names, server_opening, server_probe, welcome,
};
use tokio::io::AsyncWrite;

use self::wire::{Wire, settle};

/// Cases that a client of `mcp-tokio` cannot be put to: it answers no requests of servers, and announces no
/// capability to do so. When it does, they are run.
const NOT_RUN: usize = 9;

/// Real time within which the whole catalogue must be through.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() {
    let argument =
        std::env::args().nth(1).filter(|argument| !argument.starts_with('-')).unwrap_or_default();
    if argument == process::SERVER {
        return process::serve(std::env::args().nth(2).unwrap_or_default());
    }
    let (done, ended) = std::sync::mpsc::channel();
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
    let (mut failures, mut left_out) = (String::new(), BTreeSet::new());
    let mut excepted = BTreeSet::new();
    let mut counts = BTreeMap::<&str, usize>::new();
    for case in Case::all()
        .iter()
        .filter(|case| LAYERS.contains(&case.layer.as_str()) && case.id.starts_with(filter))
    {
        let answers = case.setup.caps.as_ref().is_some_and(|caps| !caps.is_empty());
        if case.role == Side::Client && answers {
            left_out.insert(case.id.clone());
            continue;
        }
        for revision in case.revisions() {
            let key = (case.id.clone(), revision.to_string());
            if excused.contains(&key) {
                // What is met is no exception, over a pipe as little as in the engine itself.
                if in_memory(case, revision, case.setup.feed).0.is_empty() {
                    let _ = writeln!(failures, "{} {revision}: met, so no exception\n", case.id);
                }
                excepted.insert(key);
                continue;
            }
            for feed in feeds(case) {
                *counts.entry("in memory").or_default() += 1;
                row(&mut failures, case, revision, &in_memory(case, revision, feed));
            }
            if process::is_for(case) {
                *counts.entry("processes").or_default() += 1;
                row(&mut failures, case, revision, &process::run(case, revision));
            }
        }
    }
    println!(
        "runs: {counts:?}; cases that need a client that answers requests: {}",
        left_out.len()
    );
    for (id, revision) in excused.difference(&excepted).filter(|_| filter.is_empty()) {
        let _ = writeln!(failures, "{id} {revision}: an exception for nothing that is run\n");
    }
    if filter.is_empty() && left_out.len() != NOT_RUN {
        let _ = writeln!(
            failures,
            "{} cases were left out instead of {NOT_RUN}: {left_out:?}",
            left_out.len()
        );
    }
    failures
}

fn feeds(case: &Case) -> Vec<Feed> {
    match case.setup.feed {
        Feed::Greedy if case.is_small() => vec![Feed::Greedy, Feed::Bytewise],
        feed => vec![feed],
    }
}

fn row(failures: &mut String, case: &Case, revision: Revision, seen: &(Vec<String>, Observed)) {
    if seen.0.is_empty() {
        return;
    }
    let _ = writeln!(failures, "{:>10} | {revision} {:?} {}", case.id, case.basis, case.why);
    let _ = writeln!(failures, "{:>10} | {}", "expected", cut(&case.expected_text()));
    for why in &seen.0 {
        let _ = writeln!(failures, "{:>10} | {why}", "failed");
    }
    let sent = seen.1.sent.iter().take(8).map(|sent| format!("> {}", cut(&sent.text)));
    for line in seen.1.transcript.lines().chain(sent) {
        let _ = writeln!(failures, "{:>10} | {line}", "observed");
    }
    failures.push('\n');
}

/// Bytes that a pipe in memory holds: as many as one of the operating system, or so few that what is not taken
/// is seen.
const PIPE: usize = 64 << 10;
const NARROW: usize = 1 << 10;

fn in_memory(case: &Case, revision: Revision, feed: Feed) -> (Vec<String>, Observed) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let reads = case.setup.peer.as_deref() != Some("does_not_read");
        let (near, far) = tokio::io::duplex(if reads { PIPE } else { NARROW });
        let (reader, writer) = tokio::io::split(far);
        let (near_reader, near_writer) = tokio::io::split(near);
        let mut wire = Wire::new(near_reader, near_writer, reads);
        match case.role {
            Side::Server => serve(case, revision, feed, wire, reader, writer).await,
            Side::Client => {
                let started = client::start(reader, writer, &mut wire, case, revision).await;
                connect(case, revision, feed, wire, started).await
            }
        }
    })
}

/// Tells what an input brings about, and judges it.
fn judge(
    case: &Case,
    revision: Revision,
    names: &Names,
    input: &[u8],
    seen: &Observed,
) -> Vec<String> {
    let expect = case.expect(names);
    let judge = Judge::new(input, seen);
    let verdicts: Vec<_> = expect.any_of.iter().map(|reaction| judge.judge(reaction)).collect();
    let mut failures = Vec::new();
    if verdicts.iter().all(Result::is_err) {
        failures.extend(verdicts.into_iter().filter_map(Result::err));
    }
    failures.extend(forbidden::always(case, &judge, names, revision));
    let never = expect.never.iter().filter(|what| forbidden::happened(what, case, &judge, names));
    failures.extend(never.map(|what| format!("never: {what}")));
    failures
}

async fn serve<R, W, V>(
    case: &Case,
    revision: Revision,
    feed: Feed,
    mut wire: Wire<V>,
    reader: R,
    writer: W,
) -> (Vec<String>, Observed)
where
    R: tokio::io::AsyncRead + Send + 'static,
    W: AsyncWrite + Send + 'static,
    V: AsyncWrite + Unpin + Send + 'static,
{
    let log = server::Log::default();
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
    tokio::time::sleep(Duration::from_secs(1)).await;

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
            tokio::time::sleep(Duration::from_secs(60)).await;
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
    tokio::time::sleep(Duration::from_secs(60)).await;
    if served.closed.lock().unwrap().is_none() {
        failures.push("the end of the input does not end it".to_owned());
    }
    (failures, seen)
}

async fn connect<V>(
    case: &Case,
    revision: Revision,
    feed: Feed,
    mut wire: Wire<V>,
    mut started: client::Started,
) -> (Vec<String>, Observed)
where
    V: AsyncWrite + Unpin + Send + 'static,
{
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
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;

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
    settle().await;
    if !started.pending().is_empty() {
        failures.push(format!("{:?} outlive the connection", started.pending()));
    }
    (failures, seen)
}

/// Opens the connection if that is still to be done, calls, and answers that and every other call.
async fn probe<V: AsyncWrite + Unpin + Send + 'static>(
    wire: &mut Wire<V>,
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
