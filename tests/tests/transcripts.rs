//! Replays the conversations under `tests/transcripts`, a folder for each revision.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use mcp_proto::Revision;
use mcp_proto::testing::transcript;

#[test]
fn every_transcript_happens_as_it_is_written() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let (mut played, mut faults) = (0, String::new());
    for revision in Revision::ALL {
        let folder = root.join(revision.as_str());
        let mut files: Vec<_> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{revision} has no transcript");
        for file in files {
            played += 1;
            if let Err(mismatch) = transcript::play(&fs::read_to_string(&file).unwrap()) {
                writeln!(faults, "{}:\n  {mismatch}", file.display()).unwrap();
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
    assert!(played >= 30, "only {played} transcripts were found");
}

/// DECISIONS D9: each oddity that is let pass has a transcript that shows it, and one in which strict mode
/// does not.
#[test]
fn every_tolerance_has_its_strict_twin() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts");
    let oddities = [
        "byte-order-mark",
        "crlf",
        "blank-lines",
        "last-line-without-newline",
        "stringified-id",
        "float-id",
        "stringified-token",
    ];
    for oddity in oddities {
        let folder = root.join("2025-11-25");
        let text =
            |kind: &str| fs::read_to_string(folder.join(format!("{kind}-{oddity}.txt"))).unwrap();
        assert!(text("strict").contains(" strict"), "{oddity}");
        assert!(!text("tolerates").contains(" strict"), "{oddity}");
    }
}
