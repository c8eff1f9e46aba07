//! Runs against the servers of others, recorded once and played to the engine in every run of the tests.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use mcp_proto::testing::End;
use mcp_proto::testing::lint::{RULES, lint};
use mcp_proto::testing::recording::Recording;
use mcp_proto::testing::transcript::describe;

fn recordings() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/recordings");
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension() == Some(OsStr::new("jsonl"))).collect();
    files.sort();
    assert!(files.len() >= 10, "only {} recordings were found", files.len());
    files
}

fn read(path: &Path) -> Recording {
    let text = fs::read_to_string(path).unwrap();
    Recording::parse(&text).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

/// What the engine tells, an event a line.
fn told(path: &Path, recording: &Recording) -> String {
    let events = recording.replay(recording.config());
    let events = events.unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    events.iter().fold(String::new(), |mut text, (_, event)| {
        writeln!(text, "{}", describe(event)).unwrap();
        text
    })
}

/// Beside each recording are its events as they were told when it was made.
#[test]
fn every_recording_replays_to_its_events() {
    let mut faults = String::new();
    for path in recordings() {
        let found = told(&path, &read(&path));
        let expected = path.with_extension("events");
        if fs::read_to_string(&expected).unwrap_or_default() != found {
            writeln!(faults, "{} differs from what is told now:\n{found}", expected.display())
                .unwrap();
        }
    }
    assert!(faults.is_empty(), "{faults}");
}

/// R-STDIO-01: where a read ends means nothing.
#[test]
fn a_recording_in_small_pieces_replays_to_the_same_events() {
    for path in recordings() {
        let recording = read(&path);
        let whole = recording.replay(recording.config()).unwrap();
        for size in [1, 3, 100] {
            let pieces = recording.chopped(size);
            assert_eq!(pieces.replay(recording.config()).unwrap(), whole, "{}", path.display());
        }
    }
}

/// The oracle bites: without one of the chunks that were read the events or the messages differ.
#[test]
fn a_recording_that_lacks_a_chunk_is_not_the_same() {
    for path in recordings() {
        let text = fs::read_to_string(&path).unwrap();
        let recording = read(&path);
        let whole = recording.replay(recording.config()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let mut noticed = 0;
        for chunk in recording.chunks().iter().filter(|chunk| chunk.is_read) {
            // What the engine asks for by itself is answered with nothing, and of that nobody is told.
            if chunk.bytes.ends_with(b"\"result\":{}}\n") {
                continue;
            }
            let mut rest = lines.clone();
            rest.remove(chunk.line - 1);
            let less = Recording::parse(&rest.join("\n")).unwrap();
            let replayed = less.replay(recording.config());
            assert_ne!(replayed.ok().as_ref(), Some(&whole), "{} {}", path.display(), chunk.line);
            noticed += 1;
        }
        assert!(noticed >= 2, "{}", path.display());
    }
}

/// Our client breaks no rule; what servers broke is what it is known to be, however the bytes are cut.
#[test]
fn every_recording_breaks_only_the_rules_that_its_server_is_known_to_break() {
    let mut known = 0;
    for path in recordings() {
        let recording = read(&path);
        let findings = lint(&recording);
        assert_eq!(lint(&recording.chopped(1)), findings, "{}", path.display());
        let ours: Vec<_> = findings.iter().filter(|found| found.side == End::Client).collect();
        assert!(ours.is_empty(), "{}: {ours:?}", path.display());
        let name = path.file_stem().and_then(OsStr::to_str).unwrap();
        let expected: &[&str] = match name {
            "fastmcp-dies" => &["no-answer"],
            "fastmcp-junk-count" => &["stray-output"; 6],
            "fastmcp-repeats" => &["not-increasing"; 2],
            _ => &[],
        };
        let found: Vec<_> = findings.iter().map(|found| found.rule.name).collect();
        assert_eq!(found, expected, "{name}: {findings:#?}");
        known += expected.len();
    }
    assert_eq!(known, 9);
}

/// An answer that is lost is missed.
#[test]
fn a_recording_that_lacks_an_answer_breaks_a_rule() {
    for path in recordings() {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        for chunk in read(&path).chunks().iter().filter(|chunk| chunk.is_read) {
            let is_answer = String::from_utf8_lossy(&chunk.bytes).contains("\"id\":");
            let mut rest = lines.clone();
            rest.remove(chunk.line - 1);
            let findings = lint(&Recording::parse(&rest.join("\n")).unwrap());
            let is_missed = findings.iter().any(|found| found.rule.name == "no-answer");
            assert!(!is_answer || is_missed, "{} {}", path.display(), chunk.line);
        }
    }
}

/// Each rule has the level that its requirement has: `tests/data/requirements.tsv` is the list of them all. What no requirement
/// says names its document.
#[test]
fn every_rule_has_the_level_of_its_requirement() {
    let list = include_str!("../data/requirements.tsv");
    let levels: HashMap<_, _> = list.lines().filter_map(|line| line.split_once('\t')).collect();
    assert_eq!(levels.len(), 522);
    let mut elsewhere = Vec::new();
    for rule in RULES {
        match levels.get(rule.requirement) {
            Some(level) => {
                let found = level.split(' ').next().unwrap();
                assert_eq!(found, rule.level.to_string(), "{}: {}", rule.name, rule.requirement);
            }
            None => elsewhere.push(rule.name),
        }
    }
    assert_eq!(elsewhere, ["two-answers", "no-answer", "bad-report"]);
}

/// The page of the tool lists the rules that there are.
#[test]
fn every_rule_is_on_its_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tool.md");
    let page = fs::read_to_string(page).unwrap();
    let is_rule = |line: &&str| ["| MUST |", "| SHOULD |"].iter().any(|level| line.contains(level));
    let rows: Vec<&str> = page.lines().filter(is_rule).collect();
    let rules = RULES.iter().map(|rule| {
        format!("| `{}` | {} | {} | {} |", rule.name, rule.requirement, rule.level, rule.text)
    });
    let rules: Vec<String> = rules.collect();
    assert!(rows == rules, "the rows should be:\n{}", rules.join("\n"));
}
