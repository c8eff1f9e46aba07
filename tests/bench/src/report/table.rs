//! The figures as a table.

use std::fmt::Write as _;

use super::goals::{Verdict, thousands};
use super::{Figures, Metric};

/// All figures, for a terminal.
pub fn print_figures(figures: &Figures) {
    println!("{:<48} {:<18} {:>14}  quartiles", "case", "what", "figure");
    for figure in &figures.0 {
        let quartiles = figure.quartiles.map_or_else(String::new, |(low, high)| {
            format!("{}–{}", thousands(low), thousands(high))
        });
        let (what, value) = (name(figure.metric), thousands(figure.value));
        println!("{:<48} {what:<18} {value:>14}  {quartiles}", figure.case);
    }
}

/// All goals, for a terminal.
pub fn print_verdicts(verdicts: &[Verdict]) {
    println!("\n{:<5} {:<36} {:<18} {:>10} {:>12}", "goal", "what", "", "target", "now");
    for verdict in verdicts {
        let Verdict { goal, what, target, reached_value, .. } = verdict;
        let (metric, mark) = (name(verdict.metric), mark(verdict));
        println!("{goal:<5} {what:<36} {metric:<18} {target:>10} {reached_value:>12}  {mark}");
    }
    let reached = verdicts.iter().filter(|verdict| verdict.reached).count();
    println!("{reached} of {} bounds are kept.", verdicts.len());
}

/// All goals, as a table in Markdown.
pub fn verdicts_in_markdown(verdicts: &[Verdict]) -> String {
    let mut text = "| goal | what | | target | now | |\n|---|---|---|---:|---:|---|\n".to_owned();
    for verdict in verdicts {
        let Verdict { goal, what, target, reached_value, .. } = verdict;
        let (metric, mark) = (name(verdict.metric), mark(verdict));
        let _ =
            writeln!(text, "| {goal} | {what} | {metric} | {target} | {reached_value} | {mark} |");
    }
    text
}

/// Instructions and allocations of every case, as a table in Markdown.
pub fn counts_in_markdown(figures: &Figures) -> String {
    let head = "| case | instructions | allocations | bytes allocated |\n|---|---:|---:|---:|\n";
    let mut text = head.to_owned();
    for figure in figures.0.iter().filter(|figure| figure.metric == Metric::Instructions) {
        let other = |metric| thousands(figures.get(&figure.case, metric).unwrap_or_default());
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            figure.case,
            thousands(figure.value),
            other(Metric::Allocations),
            other(Metric::AllocatedBytes)
        );
    }
    text
}

/// Everything that is no count of a message, as a table in Markdown.
pub fn others_in_markdown(figures: &Figures) -> String {
    let mut text = "| case | what | figure | quartiles |\n|---|---|---:|---:|\n".to_owned();
    let counts = [Metric::Instructions, Metric::Allocations, Metric::AllocatedBytes];
    for figure in figures.0.iter().filter(|figure| !counts.contains(&figure.metric)) {
        let quartiles = figure.quartiles.map_or_else(String::new, |(low, high)| {
            format!("{}–{}", thousands(low), thousands(high))
        });
        let (what, value) = (name(figure.metric), thousands(figure.value));
        let _ = writeln!(text, "| `{}` | {what} | {value} | {quartiles} |", figure.case);
    }
    text
}

fn mark(verdict: &Verdict) -> &'static str {
    if verdict.reached { "reached" } else { "**missed**" }
}

fn name(metric: Metric) -> &'static str {
    match metric {
        Metric::Instructions => "instructions",
        Metric::Allocations => "allocations",
        Metric::AllocatedBytes => "bytes allocated",
        Metric::TimeRatio => "time, theirs ÷ ours",
        Metric::CpuMicroseconds => "CPU, µs",
        Metric::Microseconds => "µs",
        Metric::SlowDown => "time, ratio",
        Metric::CpuRatio => "CPU, ratio",
        Metric::SystemCalls => "system calls",
        Metric::HeapBytes => "heap, bytes",
        Metric::ResidentBytes => "resident, bytes",
        Metric::Count => "count",
        Metric::LatencyRatio => "latency ÷ raw pipe",
    }
}
