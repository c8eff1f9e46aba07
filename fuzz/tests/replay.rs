//! Every kept input again, on stable, without a fuzzer.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn replay(target: &str) {
    let known = mcp_fuzz::TARGETS.iter().find(|(name, _)| *name == target);
    let (_, body) = known.unwrap_or_else(|| panic!("{target} is not in TARGETS"));
    let seeds = files(&root().join("corpus").join(target));
    assert!(!seeds.is_empty(), "{target} has no seeds");
    let regressions = files(&root().join("regressions").join(target));
    for path in seeds.iter().chain(&regressions) {
        println!("{}", path.display()); // shown if it fails
        body(&fs::read(path).expect("a readable file"));
    }
    println!("{target}: {} seeds and {} regressions", seeds.len(), regressions.len());
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> =
        entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    files.sort();
    files
}

#[test]
fn chunking() {
    replay("chunking");
}

#[test]
fn endpoint_ops() {
    replay("endpoint_ops");
}

#[test]
fn envelope() {
    replay("envelope");
}

#[test]
fn handler() {
    replay("handler");
}

#[test]
fn headers() {
    replay("headers");
}

#[test]
fn http_client() {
    replay("http_client");
}

#[test]
fn http_server() {
    replay("http_server");
}

#[test]
fn line() {
    replay("line");
}

#[test]
fn pair() {
    replay("pair");
}

#[test]
fn round_trip() {
    replay("round_trip");
}

#[test]
fn scanner() {
    replay("scanner");
}

#[test]
fn snapshot() {
    replay("snapshot");
}

#[test]
fn sse() {
    replay("sse");
}

#[test]
fn timers() {
    replay("timers");
}

#[test]
fn types() {
    replay("types");
}

#[test]
fn values() {
    replay("values");
}

/// A target has a binary, seeds and a replay, its place in the script that makes seeds and on both pages, and a planted fault
/// that it finds, or it is none.
#[test]
fn every_target_is_replayed() {
    let read = |path| fs::read_to_string(root().join(path)).expect("a readable file");
    let names: Vec<_> = mcp_fuzz::TARGETS.iter().map(|(name, _)| *name).collect();
    for (path, mark) in [
        ("tests/replay.rs", "replay(\"NAME\")"),
        ("seeds", "\"NAME\""),
        ("faults/table", " | NAME | "),
        ("../docs/fuzzing.md", "\n| `NAME` | "),
        ("../docs/reliability.md", "[`NAME`](../fuzz/tests/replay.rs)"),
    ] {
        let text = read(path);
        for name in &names {
            assert!(text.contains(&mark.replace("NAME", name)), "{path} has no {name}");
        }
    }
    let binaries: Vec<_> = files(&root().join("fuzz_targets"))
        .iter()
        .map(|path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    assert_eq!(binaries, names);
}

/// Each planted fault is in the table once, with a target that there is, and the table has no other.
#[test]
fn every_planted_fault_has_its_target() {
    let table = fs::read_to_string(root().join("faults/table")).expect("a readable file");
    let rows: Vec<Vec<_>> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    for row in &rows {
        let known = mcp_fuzz::TARGETS.iter().any(|(name, _)| row.get(1) == Some(name));
        assert!(known && row.len() == 3, "{row:?}");
    }
    let planted: Vec<_> = files(&root().join("faults"))
        .iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "patch"))
        .map(|path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    assert_eq!(planted, rows.iter().map(|row| row[0]).collect::<Vec<_>>());
}
