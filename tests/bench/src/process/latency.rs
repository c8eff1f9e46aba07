//! From a report in the server to the callback in the client, over a pipe.

use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use mcp_bench::tools::age;
use mcp_tokio::child::spawn;
use mcp_tokio::{CallTool, ClientConfig, Command, Delivery, Revision};

use super::program;
use crate::report::{Figures, Metric, Spread};

const ROUNDS: usize = 9;

/// Reports of a round, a millisecond apart.
const REPORTS: usize = 500;

/// Latencies of this engine and of a raw pipe with the same bytes, in turns.
pub fn measure(figures: &mut Figures) {
    let mut rounds: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push((ours(), raw()));
    }
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        let at = |sorted: &[f64]| sorted[((sorted.len() - 1) as f64 * part) as usize];
        for (engine, pick) in [("ours", 0), ("raw", 1)] {
            let values = rounds.iter().map(|(ours, raw)| at([ours, raw][pick]) / 1000.0);
            let case = format!("stdio/latency-{name}/{engine}");
            figures.add_spread(&case, Metric::Microseconds, Spread::of(values.collect()));
        }
        let ratios = rounds.iter().map(|(ours, raw)| at(ours) / at(raw));
        let case = format!("stdio/latency-{name}/ours ÷ raw");
        figures.add_spread(&case, Metric::LatencyRatio, Spread::of(ratios.collect()));
    }
}

/// Sorted, in nanoseconds.
fn ours() -> Vec<f64> {
    let ages = Arc::new(Mutex::new(Vec::new()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let mut command = Command::new(program());
        command.arg("ours");
        let config = ClientConfig::new("bench", "1").revisions(Revision::V2025_11_25);
        let child = spawn(command).connect(config).await.expect("a server");
        let heard = ages.clone();
        let call = CallTool::new("stamp").argument("count", REPORTS);
        let result = child.client.call(call).delivery(Delivery::Every).on_progress(move |report| {
            let age = report.message.as_deref().and_then(age);
            heard.lock().expect("one thread").push(age.expect("a stamp") as f64);
        });
        result.await.expect("a result");
    });
    let ages = std::mem::take(&mut *ages.lock().expect("one thread"));
    sorted(ages)
}

fn raw() -> Vec<f64> {
    let mut child = std::process::Command::new(program())
        .arg("raw")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the servers' program");
    let mut input = child.stdin.take().expect("a pipe");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    writeln!(input, "stamp {REPORTS}").expect("a server");
    let mut ages = Vec::new();
    let mut line = String::new();
    while ages.len() < REPORTS {
        line.clear();
        output.read_line(&mut line).expect("a server");
        let now = line.split('"').find_map(age);
        ages.push(now.expect("a stamp") as f64);
    }
    drop(input);
    child.wait().expect("a server");
    sorted(ages)
}

fn sorted(mut ages: Vec<f64>) -> Vec<f64> {
    assert_eq!(ages.len(), REPORTS);
    ages.sort_by(f64::total_cmp);
    ages
}
