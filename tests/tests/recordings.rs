//! Runs against the servers of others, recorded once and played to the engine in every run of the tests.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use mcp_proto::testing::End;
use mcp_proto::testing::lint::{Finding, RULES, lint};
use mcp_proto::testing::recording::Recording;
use mcp_proto::testing::transcript::describe;
use mcp_proto::{Revision, RevisionSet};

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
        each_is_listed_for(spoken(&recording), &findings);
        known += expected.len();
    }
    assert_eq!(known, 9);
}

/// An answer that is lost is missed, and what follows from that is named as in the recording's revision.
#[test]
fn a_recording_that_lacks_an_answer_breaks_a_rule() {
    for path in recordings() {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let recording = read(&path);
        for chunk in recording.chunks().iter().filter(|chunk| chunk.is_read) {
            let is_answer = String::from_utf8_lossy(&chunk.bytes).contains("\"id\":");
            let mut rest = lines.clone();
            rest.remove(chunk.line - 1);
            let findings = lint(&Recording::parse(&rest.join("\n")).unwrap());
            let is_missed = findings.iter().any(|found| found.rule.name == "no-answer");
            assert!(!is_answer || is_missed, "{} {}", path.display(), chunk.line);
            each_is_listed_for(spoken(&recording), &findings);
        }
    }
}

/// The revision of a recording: the last that either side names.
fn spoken(recording: &Recording) -> Revision {
    let said = [recording.read(), recording.written()].map(|said| String::from_utf8(said).unwrap());
    let named = said.iter().find_map(|said| said.rsplit_once("rotocolVersion\":\""));
    Revision::parse(named.unwrap().1.split('"').next().unwrap()).unwrap()
}

/// The specification gives each requirement that is named to this revision and that side, with that weight.
fn each_is_listed_for(revision: Revision, findings: &[Finding]) {
    let list = requirements();
    for found in findings {
        let listed = &list[found.requirement.number];
        assert!(listed.revisions.contains(&revision), "{revision}: {found:?}");
        assert!(listed.side.is_none_or(|side| side == found.side), "{found:?}");
        assert_eq!(listed.level, found.requirement.level.to_string(), "{found:?}");
    }
}

/// A row of the list of requirements.
struct Listed {
    level: &'static str,
    /// Who can break it, if only one side can.
    side: Option<End>,
    revisions: Vec<Revision>,
}

/// `tests/data/requirements.tsv`: all of them by their numbers.
fn requirements() -> HashMap<&'static str, Listed> {
    let rows = include_str!("../data/requirements.tsv").lines().map(|line| {
        let [number, level, who, revisions] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let side = match who {
            "client" => Some(End::Client),
            "server" => Some(End::Server),
            _ => None,
        };
        let level = level.split(' ').next().unwrap();
        (number, Listed { level, side, revisions: listed_revisions(revisions) })
    });
    let rows: HashMap<_, _> = rows.collect();
    assert_eq!(rows.len(), 522);
    rows
}

/// What the list says as `24, 25b+` or `LEG`.
fn listed_revisions(text: &str) -> Vec<Revision> {
    let at = |tag: &str| {
        let found = ["24", "25a", "25b", "25c", "26"].iter().position(|known| *known == tag);
        found.unwrap_or_else(|| panic!("{text}"))
    };
    // Remarks are left out.
    let parts = text.split(" (").next().unwrap().split(", ");
    let spans = parts.map(|part| match part.split(' ').next().unwrap() {
        "ALL" => 0..=4,
        "LEG" => 0..=3,
        part => match (part.strip_suffix('+'), part.split_once('–')) {
            (Some(from), _) => at(from)..=4,
            (None, Some((from, to))) => at(from)..=at(to),
            (None, None) => at(part)..=at(part),
        },
    });
    spans.flatten().map(|at| Revision::ALL[at]).collect()
}

/// Each rule has in each revision the level that its requirement has there. What no requirement says names its document.
#[test]
fn every_rule_has_the_level_of_its_requirement() {
    let list = requirements();
    let mut elsewhere = Vec::new();
    for rule in RULES {
        for named in rule.requirements {
            let name = format!("{}: {}", rule.name, named.number);
            let Some(listed) = list.get(named.number) else {
                elsewhere.push(rule.name);
                continue;
            };
            assert_eq!(named.level.to_string(), listed.level, "{name}");
            assert_eq!(named.side, listed.side, "{name}");
            let unlisted = named.revisions.iter().find(|named| !listed.revisions.contains(named));
            assert_eq!(unlisted, None, "{name}");
        }
        for revision in Revision::ALL {
            let holds = |revisions: RevisionSet| revisions.contains(revision);
            let holding = rule.requirements.iter().filter(|named| holds(named.revisions));
            assert!(holding.count() <= 1, "{} in {revision}", rule.name);
        }
    }
    assert_eq!(elsewhere, ["bad-report"]);
}

/// In the words of the page.
fn in_words(revisions: RevisionSet) -> String {
    let (within, without): (Vec<_>, Vec<_>) =
        Revision::ALL.into_iter().partition(|revision| revisions.contains(*revision));
    let (first, last) = (within[0], within[within.len() - 1]);
    match (without.len(), within.len()) {
        (0, _) => "all".into(),
        (_, 1) => first.to_string(),
        _ if without.iter().all(|out| *out > last) => format!("to {last}"),
        _ if without.iter().all(|out| *out < first) => format!("from {first}"),
        (1, _) => format!("all but {}", without[0]),
        _ => within.iter().map(|revision| revision.as_str()).collect::<Vec<_>>().join(", "),
    }
}

/// The page of the tool lists the rules that there are.
#[test]
fn every_rule_is_on_its_page() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tool.md");
    let page = fs::read_to_string(page).unwrap();
    let is_rule = |line: &&str| ["| MUST |", "| SHOULD |"].iter().any(|level| line.contains(level));
    let rows: Vec<&str> = page.lines().filter(is_rule).collect();
    let rules = RULES.iter().flat_map(|rule| {
        rule.requirements.iter().map(|named| {
            let (number, level) = (named.number, named.level);
            let revisions = in_words(named.revisions);
            format!("| `{}` | {number} | {level} | {revisions} | {} |", rule.name, rule.text)
        })
    });
    let rules: Vec<String> = rules.collect();
    assert!(rows == rules, "the rows should be:\n{}", rules.join("\n"));
}
