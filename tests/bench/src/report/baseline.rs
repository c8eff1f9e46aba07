//! The committed instruction counts, and whether one has risen.

use std::fs;

use serde::{Deserialize, Serialize};

use super::{Figures, Metric};

/// Where they are, beside the package.
const FILE: &str = "baseline.jsonl";

/// How much a count may rise. Compilers and C libraries of the same version differ by less.
const TOLERANCE: f64 = 0.05;

#[derive(Serialize, Deserialize)]
struct Line {
    case: String,
    instructions: f64,
}

/// Writes the counts of our own cases down.
pub fn accept(figures: &Figures) {
    let lines = counts(figures).map(|(case, instructions)| {
        let line = Line { case: case.into(), instructions };
        serde_json::to_string(&line).expect("JSON") + "\n"
    });
    fs::write(FILE, lines.collect::<String>()).expect("the baseline can be written");
    println!("\n{FILE} is what was counted now.");
}

/// Compares the counts with the baseline. Whether all are within it, and all are there.
pub fn check(figures: &Figures) -> bool {
    let text = fs::read_to_string(FILE).expect("the baseline");
    let accepted: Vec<Line> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of the baseline"))
        .collect();
    println!("\n{:<32} {:>12} {:>12} {:>8}", "against the baseline", "accepted", "now", "change");
    let mut holds = true;
    for (case, now) in counts(figures) {
        let Some(line) = accepted.iter().find(|line| line.case == case) else {
            println!("{case:<32} {:>12} {now:>12.0}", "none");
            holds = false;
            continue;
        };
        let change = now / line.instructions - 1.0;
        let verdict = if change > TOLERANCE { "  too many" } else { "" };
        holds &= change <= TOLERANCE;
        println!(
            "{case:<32} {:>12.0} {now:>12.0} {:>+7.1}%{verdict}",
            line.instructions,
            change * 100.0
        );
    }
    for Line { case, instructions } in &accepted {
        if figures.get(case, Metric::Instructions).is_none() {
            println!("{case:<32} {instructions:>12.0} {:>12}", "none");
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

fn counts(figures: &Figures) -> impl Iterator<Item = (&str, f64)> {
    let ours = figures
        .0
        .iter()
        .filter(|figure| figure.metric == Metric::Instructions && figure.case.starts_with("ours/"));
    ours.map(|figure| (figure.case.as_str(), figure.value))
}
