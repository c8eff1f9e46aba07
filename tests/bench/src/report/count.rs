//! Instructions and allocations of the cases, and their times in turns.

use std::process::Command;

use super::{Figures, Metric, Spread, callgrind};
use crate::cases;
use crate::meter::Plan;

const PLAN: Plan = Plan { warm_up: 200, messages: 1_000 };

/// Rounds that are compared, and how long they are: short, so that most are not interrupted.
const ROUNDS: usize = 301;
const ROUND: Plan = Plan { warm_up: 50, messages: 200 };

/// What is timed: ours, theirs.
const TIMED: [(&str, &str); 14] = [
    ("ours/progress-ints/decode", "rmcp/progress-ints/decode"),
    ("ours/progress-ints/decode", "rpc-io/progress-ints/decode"),
    ("ours/progress-ints/receive", "rmcp/progress-ints/decode"),
    ("ours/progress-floats/decode", "rmcp/progress-floats/decode"),
    ("ours/call/decode", "rmcp/call/decode"),
    ("ours/call/decode", "rpc-io/call/decode"),
    ("ours/progress/encode", "rmcp/progress/encode"),
    ("ours/call/encode", "rmcp/call/encode"),
    ("ours/call/server", "rmcp/call/server"),
    ("ours/call/server", "mcp-io/call/server"),
    ("ours/call/echo", "rmcp/call/echo"),
    ("ours/call/echo", "rpc-io/call/echo"),
    ("ours/call/tokio-echo", "rmcp/call/echo"),
    ("ours/progress/tokio-trip", "rmcp/progress/trip"),
];

/// Counts one case. Allocations are counted in a process without callgrind.
fn count(case: &str, figures: &mut Figures) {
    let (messages, allocations, bytes) = run(case);
    let instructions = callgrind::instructions(case, PLAN.warm_up, PLAN.messages);
    let per_message = |total: u64| total as f64 / messages as f64;
    figures.add(case, Metric::Instructions, per_message(instructions).round());
    figures.add(case, Metric::Allocations, per_message(allocations));
    figures.add(case, Metric::AllocatedBytes, per_message(bytes));
}

/// Counts every case whose name begins in one of those ways, or every one.
pub fn count_all(prefixes: &[&str], figures: &mut Figures) {
    for (case, _) in cases::all() {
        if prefixes.is_empty() || prefixes.iter().any(|prefix| case.starts_with(prefix)) {
            count(case, figures);
        }
    }
}

fn run(case: &str) -> (u64, u64, u64) {
    let done = Command::new(std::env::current_exe().expect("the path of this program"))
        .args(["run", case, &PLAN.warm_up.to_string(), &PLAN.messages.to_string()])
        .output()
        .expect("this program again");
    let said = String::from_utf8_lossy(&done.stdout);
    let numbers: Vec<u64> = said.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [messages, allocations, bytes] = numbers[..] else {
        panic!("{case}: {}", String::from_utf8_lossy(&done.stderr))
    };
    (messages, allocations, bytes)
}

/// Times what is compared: the median of the ratios of interleaved rounds. The figure's case is
/// `ours : theirs`.
pub fn time_all(figures: &mut Figures) {
    for (ours, theirs) in TIMED {
        let (one, other) = (cases::find(ours), cases::find(theirs));
        let ratio = |_| other(&ROUND).time.as_secs_f64() / one(&ROUND).time.as_secs_f64();
        let ratios = Spread::of((0..ROUNDS).map(ratio).collect());
        figures.add_spread(&format!("{ours} : {theirs}"), Metric::TimeRatio, ratios);
    }
}
