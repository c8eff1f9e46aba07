//! From a report in the server to the callback in the client, over a pipe.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdin, ChildStdout, Stdio};

use mcp_bench::tools::age;
use mcp_proto::{CallOptions, Connection, Event, Instant, Progress};
use mcp_tokio::child::spawn;
use mcp_tokio::{CallTool, ClientConfig, Command, Delivery, Revision};

use super::program;
use crate::report::{Figures, Metric, Spread};

const ROUNDS: usize = 9;

/// Reports of a round, a millisecond apart.
const REPORTS: usize = 500;

/// One round: the age of each report when it was heard, in nanoseconds, sorted.
type Round = fn() -> Vec<f64>;

/// The engine on Tokio, the engine in a loop that reads and writes, and no engine.
const ENGINES: [(&str, Round); 3] = [("ours", ours), ("ours-blocking", blocking), ("raw", raw)];

/// Latencies of this engine and of a raw pipe with the same bytes, in turns.
pub fn measure(figures: &mut Figures) {
    let mut rounds: Vec<[Vec<f64>; 3]> = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(ENGINES.map(|(_, round)| round()));
    }
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        let at = |sorted: &[f64]| sorted[((sorted.len() - 1) as f64 * part) as usize];
        for (pick, (engine, _)) in ENGINES.iter().enumerate() {
            let values = rounds.iter().map(|round| at(&round[pick]) / 1000.0);
            let case = format!("stdio/latency-{name}/{engine}");
            figures.add_spread(&case, Metric::Microseconds, Spread::of(values.collect()));
        }
        for (pick, engine) in [(0, "ours"), (1, "ours-blocking")] {
            let ratios = rounds.iter().map(|round| at(&round[pick]) / at(&round[2]));
            let case = format!("stdio/latency-{name}/{engine} ÷ raw");
            figures.add_spread(&case, Metric::LatencyRatio, Spread::of(ratios.collect()));
        }
    }
}

fn config() -> ClientConfig {
    ClientConfig::new("bench", "1").revisions(Revision::V2025_11_25)
}

fn stamp() -> CallTool {
    CallTool::new("stamp").argument("count", REPORTS)
}

fn age_of(report: &Progress) -> f64 {
    report.message.as_deref().and_then(age).expect("a stamp") as f64
}

fn ours() -> Vec<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    // In a task of its own, as the server's.
    let listening = async {
        let mut command = Command::new(program());
        command.arg("ours");
        let child = spawn(command).connect(config()).await.expect("a server");
        let mut ages = Vec::new();
        let call = child.client.call(stamp()).delivery(Delivery::Every);
        call.on_progress(|report| ages.push(age_of(&report))).await.expect("a result");
        ages
    };
    let ages = runtime.expect("a runtime").block_on(async { tokio::spawn(listening).await });
    sorted(ages.expect("no panic"))
}

fn blocking() -> Vec<f64> {
    with_server("ours-blocking", |input, output| {
        let start = std::time::Instant::now();
        let mut client = Connection::client(config(), Instant::ZERO);
        let options = CallOptions::default().tracked();
        let ticket = client.request(&stamp(), options, Instant::ZERO).expect("room");
        let (mut ages, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            while let Some(bytes) = client.poll_transmit() {
                let written = input.write(bytes).expect("a server");
                client.advance_transmit(written);
            }
            let read = output.read(&mut buffer).expect("a server");
            client.handle_input(&buffer[..read], start.elapsed().into());
            while let Some(event) = client.poll_event() {
                match event {
                    Event::Progress { progress, .. } => ages.push(age_of(&progress)),
                    Event::Response { id, outcome } if id == *ticket.id() => {
                        outcome.expect("a result");
                        return ages;
                    }
                    _ => {}
                }
            }
        }
    })
}

fn raw() -> Vec<f64> {
    with_server("raw", |input, output| {
        let mut output = BufReader::new(output);
        writeln!(input, "stamp {REPORTS}").expect("a server");
        let mut ages = Vec::new();
        let mut line = String::new();
        while ages.len() < REPORTS {
            line.clear();
            output.read_line(&mut line).expect("a server");
            let now = line.split('"').find_map(age);
            ages.push(now.expect("a stamp") as f64);
        }
        ages
    })
}

/// Listens to such a server.
fn with_server(
    kind: &str,
    listen: impl FnOnce(&mut ChildStdin, &mut ChildStdout) -> Vec<f64>,
) -> Vec<f64> {
    let mut child = std::process::Command::new(program())
        .arg(kind)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the servers' program");
    let mut input = child.stdin.take().expect("a pipe");
    let mut output = child.stdout.take().expect("a pipe");
    let ages = listen(&mut input, &mut output);
    drop(input);
    child.wait().expect("a server");
    sorted(ages)
}

fn sorted(mut ages: Vec<f64>) -> Vec<f64> {
    assert_eq!(ages.len(), REPORTS);
    ages.sort_by(f64::total_cmp);
    ages
}
