//! One case in one process: runs it so many times and prints what it allocated.
//!
//! `tests/bench/run` starts this under callgrind, which counts only what happens in `measured`.

mod allocations;
mod messages;
#[cfg(feature = "ours")]
mod ours;
#[cfg(feature = "ours")]
mod raw_field;
#[cfg(feature = "rmcp")]
mod theirs;

use std::time::{Duration, Instant};

/// One message, so many times: prepared outside, then handed to `measured` once.
type Case = fn(&Plan) -> Sample;

/// What a case is asked to do.
struct Plan {
    warm_up: usize,
    messages: usize,
}

/// What it cost.
struct Sample {
    allocations: u64,
    bytes: u64,
    time: Duration,
}

fn cases() -> Vec<(&'static str, Case)> {
    let mut cases: Vec<(&'static str, Case)> = Vec::new();
    #[cfg(feature = "ours")]
    cases.extend(ours::CASES);
    #[cfg(feature = "ours")]
    cases.extend(raw_field::CASES);
    #[cfg(feature = "rmcp")]
    cases.extend(theirs::CASES);
    cases
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["list"] => cases().iter().for_each(|(name, _)| println!("{name}")),
        ["time", rounds, first, second] => compare(first, second, number(rounds)),
        ["run", name, warm_up, messages] => {
            let plan = Plan { warm_up: number(warm_up), messages: number(messages) };
            let sample = find(name)(&plan);
            println!("{} {}", sample.allocations, sample.bytes);
        }
        _ => {
            eprintln!("usage: mcp-bench list | run CASE WARM-UP MESSAGES | time ROUNDS CASE CASE");
            std::process::exit(2);
        }
    }
}

/// Interleaved rounds of two cases: the median of their ratios, with the quartiles. Rounds are short, so
/// that most of them are not interrupted.
fn compare(first: &str, second: &str, rounds: usize) {
    let plan = Plan { warm_up: 50, messages: 200 };
    let (first, second) = (find(first), find(second));
    let mut ratios: Vec<f64> = (0..rounds)
        .map(|_| {
            let (one, other) = (first(&plan).time, second(&plan).time);
            other.as_secs_f64() / one.as_secs_f64()
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let at = |part: usize| ratios[(ratios.len() - 1) * part / 4];
    println!("{:.2} {:.2} {:.2}", at(2), at(1), at(3));
}

fn find(name: &str) -> Case {
    let found = cases().into_iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no case {name}; see `mcp-bench list`")).1
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| panic!("{text} is no number"))
}

/// The region that is counted: everything in `work`, and nothing else.
#[inline(never)]
fn measured(work: impl FnOnce()) -> Sample {
    let before = allocations::count();
    let start = Instant::now();
    work();
    let time = start.elapsed();
    let after = allocations::count();
    Sample { allocations: after.0 - before.0, bytes: after.1 - before.1, time }
}
