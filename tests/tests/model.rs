//! Every interleaving of two real engines, within small bounds; `.ci/run` goes further.

use std::process::Command;

use mcp_proto::Revision;
use mcp_tests::model::{Faults, Found, Outcome, Scenario, close, explore};
use mcp_tests::promises::Planted;

/// D7, R-PROG: within these bounds nothing that can happen breaks a promise.
#[test]
fn every_interleaving_within_small_bounds_keeps_every_promise() {
    for scenario in Scenario::small() {
        close(&scenario).unwrap_or_else(|why| panic!("{why}"));
    }
}

/// A search that takes different states for the same, or offers less, finds too few.
#[test]
fn a_search_of_fewer_states_than_there_are_fails() {
    let scenario = Scenario::new("1 call", Revision::V2025_11_25, 1, 0).faults(Faults::NONE);
    let states = close(&scenario).unwrap().states;
    close(&scenario.clone().least(states)).unwrap();
    let why = close(&scenario.least(states + 1)).unwrap_err();
    assert!(why.contains("fewer than"), "{why}");
    for scenario in [Scenario::small(), Scenario::usual(), Scenario::deep()].concat() {
        assert!(scenario.least > 100, "{} names no least", scenario.name);
    }
}

fn search_for(planted: Planted) -> Outcome {
    let scenario = match planted {
        Planted::CrossedAnswers => Scenario::new("2 calls", Revision::V2026_07_28, 2, 0),
        // The client's first call has the id of the server's second.
        Planted::ForeignCancel => {
            Scenario::new("1 call, 2 of the server", Revision::V2025_11_25, 1, 0)
                .server_calls(2)
                .faults(Faults::NONE)
        }
        _ => Scenario::new("1 call, 2 reports", Revision::V2025_11_25, 1, 2),
    };
    explore(&scenario.planted(planted), usize::MAX)
}

/// The search finds what it looks for: each planted fault breaks the promise that it should.
#[test]
fn every_planted_fault_is_found() {
    for (planted, promise) in Planted::ALL {
        match search_for(planted) {
            Ok(tally) => panic!("{planted:?} was not found: {tally:?}"),
            Err(Found { broken, way }) => {
                assert_eq!(broken.promise, promise, "{planted:?}: {broken}\n{}", way.join("\n"));
                assert!(!way.is_empty());
            }
        }
    }
}

/// The way to a broken promise is the shortest, and can be read.
#[test]
fn a_broken_promise_comes_with_the_shortest_way_in_words() {
    let Err(found) = search_for(Planted::SecondAnswer) else { panic!("nothing was found") };
    let words: Vec<_> = found.way.iter().map(|step| step.trim_start()).collect();
    assert_eq!(
        words,
        [
            "0.0 s  the client makes a call",
            "0.0 s  the client writes",
            "0.0 s  the server reads",
            "0.0 s  the server answers request 2",
            "0.0 s  the server writes  ← here",
        ]
    );
    assert!(found.broken.to_string().starts_with("one_answer is broken: "), "{}", found.broken);
}

/// A name that no scenario has is a mistake, also beside one that is right: nothing would be searched for it.
#[test]
fn a_scenario_that_there_is_not_is_an_error() {
    for names in
        [&["3 calls too many"][..], &["handshake, 1 call, 2 reports, 2 faults, no", "1 cal1"]]
    {
        let check = Command::new(env!("CARGO_BIN_EXE_mcp-check")).arg("model").args(names).output();
        let check = check.expect("mcp-check runs");
        let said = String::from_utf8_lossy(&check.stderr);
        assert!(!check.status.success() && said.contains("no scenario"), "{names:?}: {said}");
        assert!(check.stdout.is_empty(), "{names:?}: something was searched first");
    }
}

/// What is cut off says so.
#[test]
fn a_search_that_is_cut_off_is_not_closed() {
    let scenario = Scenario::new("1 call", Revision::V2025_11_25, 1, 0).faults(Faults::any(1));
    let tally = explore(&scenario, 50).unwrap();
    assert!(!tally.closed && tally.states >= 50, "{tally:?}");
}
