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

/// A target has a binary, seeds and a replay, or it is none.
#[test]
fn every_target_is_replayed() {
    let this = include_str!("replay.rs");
    let names: Vec<_> = mcp_fuzz::TARGETS.iter().map(|(name, _)| *name).collect();
    for name in &names {
        assert!(this.contains(&format!("replay(\"{name}\")")), "{name} is not replayed");
    }
    let binaries: Vec<_> = files(&root().join("fuzz_targets"))
        .iter()
        .map(|path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    assert_eq!(binaries, names);
}
