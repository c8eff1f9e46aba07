//! The catalogue of bad input again, against a server process on each runtime: the cases of a server that are short and
//! need no small limits. `tests/tests/bad_input_tokio` has the others, on a clock that is paused.
#![cfg(unix)]

use std::process::Command;

use mcp_runtimes_tests::{Host, apart, on_every_runtime};
use mcp_tests::bad_input::LAYERS;
use mcp_tests::bad_input::case::Case;
use mcp_tests::bad_input::exceptions::Exception;
use mcp_tests::bad_input::process::{NOT_SEEN, is_for, run};
use mcp_tests::bad_input::run::row;

/// Cases that are put to a process on each runtime, in each of their revisions.
const CASES: usize = 136;

fn cases(layer: &str) -> Vec<Case> {
    Case::all().into_iter().filter(|case| case.layer == layer && is_for(case)).collect()
}

/// Each case of a layer, in each revision, has a reaction that is acceptable.
async fn is_met<H: Host>(layer: &'static str) {
    let failures = apart(move || {
        let mut failures = String::new();
        for case in cases(layer) {
            for revision in case.revisions() {
                let name = revision.to_string();
                let mut server = Command::new(env!("CARGO_BIN_EXE_served"));
                server.args([H::NAME, "case", &case.id, &name]);
                failures += &row(H::NAME, &case, revision, &run(&case, revision, server));
            }
        }
        failures
    });
    let failures = failures.await;
    assert!(failures.is_empty(), "\n{failures}");
}

/// A body for each layer.
macro_rules! layers {
    ($($layer:ident,)+) => {
        $(async fn $layer<H: Host>() {
            is_met::<H>(stringify!($layer)).await;
        })+

        on_every_runtime!($($layer,)+);

        #[test]
        fn every_layer_is_put_to_processes() {
            let layers = [$(stringify!($layer)),+];
            assert!(layers.iter().all(|layer| !cases(layer).is_empty()));
            assert_eq!(LAYERS.iter().map(|layer| cases(layer).len()).sum::<usize>(), CASES);
            assert_eq!(layers.iter().map(|layer| cases(layer).len()).sum::<usize>(), CASES);
            let is_excepted = |case: &Case| Exception::all().iter().any(|other| other.id == case.id);
            assert!(!layers.iter().flat_map(|layer| cases(layer)).any(|case| is_excepted(&case)));
        }
    };
}

/// What a process does not show is expected of no case that is put to one.
#[test]
fn a_process_shows_what_its_cases_expect() {
    let unseen = LAYERS.iter().flat_map(|layer| cases(layer)).filter_map(|case| {
        let what = NOT_SEEN.iter().find(|what| case.mentions(what))?;
        Some((case.id, *what))
    });
    assert_eq!(unseen.collect::<Vec<_>>(), []);
}

// The cases of `limits` need small ones.
layers! { framing, json, jsonrpc, batch, lifecycle, meta, params, progress, cancel, }
