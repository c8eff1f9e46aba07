//! A machine that was written down and read again goes on as the one before, at every step of every conversation that the
//! tests know.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use mcp_proto::Revision;
use mcp_proto::snapshot::ConnectionSnapshot;
use mcp_proto::testing::recording::Recording;
use mcp_proto::testing::transcript;

fn by_serde_json(snapshot: ConnectionSnapshot) -> ConnectionSnapshot {
    serde_json::from_str(&serde_json::to_string(&snapshot).unwrap()).unwrap()
}

/// Through a tree, which sorts members by name and knows numbers only as they are written.
fn by_value(snapshot: ConnectionSnapshot) -> ConnectionSnapshot {
    serde_json::from_value(serde_json::to_value(&snapshot).unwrap()).unwrap()
}

/// A format that does not say what it holds.
fn by_postcard(snapshot: ConnectionSnapshot) -> ConnectionSnapshot {
    postcard::from_bytes(&postcard::to_allocvec(&snapshot).unwrap()).unwrap()
}

type Format = (&'static str, fn(ConnectionSnapshot) -> ConnectionSnapshot);

const FORMATS: [Format; 4] = [
    ("the engine's own JSON", mcp_proto::testing::as_json),
    ("serde_json", by_serde_json),
    ("serde_json::Value", by_value),
    ("postcard", by_postcard),
];

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_transcript_happens_as_written_by_machines_restored_after_each_line() {
    let (mut played, mut faults) = (0, String::new());
    for revision in Revision::ALL {
        for file in files(&root().join("transcripts").join(revision.as_str()), "txt") {
            let text = fs::read_to_string(&file).unwrap();
            for (format, mut carry) in FORMATS {
                played += 1;
                if let Err(mismatch) = transcript::play_restored(&text, &mut carry) {
                    writeln!(faults, "{}, {format}:\n  {mismatch}", file.display()).unwrap();
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
    assert!(played >= 120, "only {played} were played");
}

#[test]
fn every_recording_replays_to_its_events_by_machines_restored_after_each_chunk() {
    let recordings = files(&root().join("data/recordings"), "jsonl");
    assert!(recordings.len() >= 10, "only {} recordings were found", recordings.len());
    for path in recordings {
        let recording = Recording::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        let told = recording.replay(recording.config()).unwrap();
        for (format, mut carry) in FORMATS {
            let pieces = recording.chopped(100);
            let again = pieces.replay_restored(recording.config(), &mut carry);
            assert_eq!(again.as_ref(), Ok(&told), "{}, {format}", path.display());
        }
    }
}
