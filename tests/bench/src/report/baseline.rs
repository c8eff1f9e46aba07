//! The committed counts, and whether one has risen.

use std::fs;

use super::{Figure, Figures, Metric};

/// Where they are, beside the package.
const FILE: &str = "baseline.jsonl";

/// How much a count may rise: of instructions compilers and C libraries of the same version differ by less, and where
/// nothing is allocated nothing may be.
const TOLERANCE: f64 = 0.05;

/// Writes the counts of our own cases down.
pub fn accept(figures: &Figures) {
    let lines = counts(figures).map(|figure| serde_json::to_string(figure).expect("JSON") + "\n");
    fs::write(FILE, lines.collect::<String>()).expect("the baseline can be written");
    println!("\n{FILE} is what was counted now.");
}

/// Compares the counts with the baseline. Whether all are within it, and all are there.
pub fn check(figures: &Figures) -> bool {
    let accepted = Figures::read(FILE);
    println!("\n{:<46} {:>12} {:>12} {:>8}", "against the baseline", "accepted", "now", "change");
    let mut holds = true;
    for figure in counts(figures) {
        let (name, now) = (name(figure), figure.value);
        let Some(before) = accepted.get(&figure.case, figure.metric) else {
            println!("{name:<46} {:>12} {now:>12}", "none");
            holds = false;
            continue;
        };
        let is_within = now <= before * (1.0 + TOLERANCE);
        let verdict = if is_within { "" } else { "  too many" };
        holds &= is_within;
        let change = if before == now { 0.0 } else { now / before - 1.0 };
        println!("{name:<46} {before:>12} {now:>12} {:>+7.1}%{verdict}", change * 100.0);
    }
    for figure in &accepted.0 {
        if figures.get(&figure.case, figure.metric).is_none() {
            println!("{:<46} {:>12} {:>12}", name(figure), figure.value, "none");
            holds = false;
        }
    }
    if holds {
        println!("\nNo count has risen by more than {} %.", TOLERANCE * 100.0);
    } else {
        println!(
            "\nA count has risen by more than {} %, is new, or is gone. If that is meant, run \
             `tests/bench/run --accept`, commit {FILE} and say why.",
            TOLERANCE * 100.0
        );
    }
    holds
}

fn name(Figure { case, metric, .. }: &Figure) -> String {
    match metric {
        Metric::Allocations => format!("{case} allocations"),
        _ => case.clone(),
    }
}

fn counts(figures: &Figures) -> impl Iterator<Item = &Figure> {
    let is_held = |figure: &&Figure| {
        matches!(figure.metric, Metric::Instructions | Metric::Allocations)
            && figure.case.starts_with("ours/")
    };
    figures.0.iter().filter(is_held)
}
