//! Every kept input again, on stable, without a fuzzer.

use std::fs;
use std::path::Path;

fn replay(target: &str, body: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let seeds = files(&root.join("corpus").join(target));
    assert!(!seeds.is_empty(), "{target} has no seeds");
    let regressions = files(&root.join("regressions").join(target));
    for (name, input) in seeds.iter().chain(&regressions) {
        println!("{target}: {name}"); // shown if it fails
        body(input);
    }
    println!("{target}: {} seeds and {} regressions", seeds.len(), regressions.len());
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .filter(|entry| entry.path().is_file())
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                fs::read(entry.path()).expect("a readable file"),
            )
        })
        .collect();
    files.sort();
    files
}

#[test]
fn line() {
    replay("line", mcp_fuzz::line);
}

#[test]
fn scanner() {
    replay("scanner", mcp_fuzz::scanner);
}

#[test]
fn chunking() {
    replay("chunking", mcp_fuzz::chunking);
}

#[test]
fn endpoint_ops() {
    replay("endpoint_ops", mcp_fuzz::endpoint_ops);
}
