//! Random sessions of two real connections over a bad network; `.ci/run` takes more steps.

use std::fs;
use std::path::Path;

use mcp_tests::promises::{PROMISES, Planted};
use mcp_tests::simulation::{Happened, Session, replay, walk};

/// D7, G1 to G5: whatever the network, the clock and the applications do, everything ends once and
/// nothing is left.
#[test]
fn random_sessions_keep_every_promise_and_leave_nothing() {
    match walk(1, 120_000, None) {
        Ok((happened, next)) => {
            assert_eq!(next, 1 + happened.sessions);
            let ended = happened.results
                + happened.errors
                + happened.cancelled
                + happened.timed_out
                + happened.closed;
            assert_eq!(ended, happened.calls, "{happened:?}");
            let least = [
                happened.results,
                happened.errors,
                happened.cancelled,
                happened.timed_out,
                happened.closed,
                happened.reports,
                happened.refused,
                happened.logs,
            ];
            assert!(happened.stalled > 2, "too few stalls: {happened:?}");
            assert!(least.iter().all(|count| *count > 30), "too little happened: {happened:?}");
        }
        Err(failed) => {
            panic!("{}\nseed {}: {}", failed.trace.join("\n"), failed.seed, failed.broken)
        }
    }
}

/// An end that is replaced by what its snapshot becomes is the same end: the very same session happens.
#[test]
fn sessions_of_restored_ends_are_the_same_sessions() {
    for seed in 1..100 {
        let mut session = Session::new(seed).traced();
        let happened = session.run().unwrap();
        let mut restored = Session::new(seed).restored(seed).traced();
        let again = restored.run().unwrap_or_else(|broken| {
            panic!("{}\nseed {seed}: {broken}", restored.trace().join("\n"))
        });
        assert_eq!((again, restored.trace()), (happened, session.trace()), "seed {seed}");
    }
}

#[test]
fn a_seed_is_a_session() {
    let run = |seed| {
        let mut session = Session::new(seed).traced();
        (session.run().unwrap(), session.trace().to_vec())
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

/// What is printed of a run tells apart what only differs in what was said: `.ci/deep` compares two of these.
#[test]
fn a_run_in_numbers_has_a_digest_of_its_events_and_bytes() {
    let (one, next) = walk(7, 1, None).unwrap();
    let (other, _) = walk(next, 1, None).unwrap();
    let alike = Happened { digest: one.digest, ..other };
    assert_ne!(alike.to_string(), other.to_string());
    let (both, _) = walk(7, one.steps + 1, None).unwrap();
    assert_eq!(both.digest, one.digest.wrapping_add(other.digest));
}

/// A promise that is said to be broken by a name that it has not would hide what was broken, and the seed.
#[test]
fn what_may_be_broken_is_a_promise() {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut named = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap_or_default();
            for after in text.split("Broken::new(").skip(1) {
                let Some(name) = after.trim_start().strip_prefix('"') else { continue };
                let name = name.split('"').next().unwrap_or_default();
                let is_promise = PROMISES.iter().any(|(promise, _)| *promise == name);
                assert!(is_promise, "{}: {name}", path.display());
                named += 1;
            }
        }
    }
    assert!(named > 8, "{named} were found");
}

/// The sessions find what they look for, and the seed that found it finds it again.
#[test]
fn planted_faults_are_found_and_their_seeds_find_them_again() {
    for (planted, promise) in [
        (Planted::ShortWrite, None),
        (Planted::LeakedRequest, Some("tables_as_booked")),
        (Planted::ForgottenDeadline, None),
        (Planted::ForgottenEof, Some("everything_ends")),
        (Planted::SecondEnding, Some("one_ending")),
        (Planted::LateEvent, Some("silence_after_close")),
        (Planted::ForgottenCall, Some("one_ending")),
    ] {
        let Err(failed) = walk(1, 200_000, Some(planted)) else {
            panic!("{planted:?} was not found")
        };
        if let Some(promise) = promise {
            assert_eq!(failed.broken.promise, promise, "{planted:?}: {}", failed.broken);
        }
        let again = replay(failed.seed, Some(planted)).unwrap_err();
        assert_eq!((again.broken, again.trace), (failed.broken, failed.trace));
    }
}
