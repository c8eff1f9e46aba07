//! The baseline bites: `--check` fails by its exit code when a count is too high, new or gone, and only then.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};

/// A case, what of it is counted, and how much that is.
type Count = (String, String, f64);

/// The committed baseline as the counts of a run.
fn baseline() -> Vec<Count> {
    let text = fs::read_to_string("baseline.jsonl").expect("the baseline");
    let lines = text.lines().map(|line| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| line[name].as_str().expect("a text").to_owned();
        (text("case"), text("metric"), line["value"].as_f64().expect("a count"))
    });
    lines.collect()
}

/// `--check` over counts that were not counted now.
fn check(name: &str, counts: &[Count]) -> Output {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name).with_extension("jsonl");
    let lines = counts.iter().map(|(case, metric, value)| {
        let line = json!({ "case": case, "metric": metric, "value": value });
        format!("{line}\n")
    });
    fs::write(&file, lines.collect::<String>()).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-bench"));
    command.arg("--check").arg("--counts").arg(file).output().expect("the benchmark")
}

/// The cases that the output complains about.
fn complaints(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter(|line| line.ends_with("too many") || line.contains(" none"));
    lines.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn what_was_accepted_passes() {
    let output = check("same", &baseline());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn each_count_that_rises_by_six_percent_fails_and_by_four_passes() {
    let accepted = baseline();
    assert!(accepted.len() > 10, "{} cases", accepted.len());
    for at in (0..accepted.len()).filter(|at| accepted[*at].2 > 0.0) {
        let mut counts = accepted.clone();
        counts[at].2 = accepted[at].2 * 1.04;
        let output = check("four", &counts);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        counts[at].2 = accepted[at].2 * 1.06;
        let output = check("six", &counts);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(complaints(&output), [accepted[at].0.as_str()]);
    }
}

#[test]
fn where_nothing_was_allocated_nothing_may_be() {
    let accepted = baseline();
    let allocations = |(_, metric, value): &Count| metric == "allocations" && *value == 0.0;
    let free: Vec<_> = accepted.iter().filter(|count| allocations(count)).collect();
    for case in [
        "ours/progress-ints/decode",
        "ours/call/decode",
        "ours/progress/encode",
        "ours/call/encode",
        "ours/progress-ints/receive",
        "ours/progress-floats/receive",
        "ours/progress/report",
        "ours/progress/trip",
        "ours/call/receive",
        "ours/call/send",
    ] {
        assert!(free.iter().any(|(free, ..)| free == case), "{case}");
    }
    for at in (0..accepted.len()).filter(|at| allocations(&accepted[*at])) {
        let mut counts = accepted.clone();
        counts[at].2 = 0.001;
        let output = check("allocated", &counts);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(complaints(&output), [accepted[at].0.as_str()]);
    }
}

#[test]
fn a_gain_does_not_pay_for_a_loss() {
    let mut counts = baseline();
    counts.iter_mut().for_each(|(_, _, value)| *value *= 0.5);
    assert_eq!(check("gain", &counts).status.code(), Some(0));
    counts[0].2 *= 2.0 * 1.06;
    assert_eq!(check("loss", &counts).status.code(), Some(1));
}

#[test]
fn a_case_that_is_new_or_gone_fails() {
    let mut counts = baseline();
    let gone = counts.pop().expect("a case");
    let output = check("gone", &counts);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(complaints(&output), [gone.0.as_str()]);
    counts.extend([gone, ("ours/new".into(), "instructions".into(), 1.0)]);
    let output = check("new", &counts);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(complaints(&output), ["ours/new"]);
}
