//! Hostile and odd input: every case of the catalogue in `data/bad-input`, against the engine itself.
//!
//! `BAD_INPUT=RPC-s07` in the environment runs only the cases whose id begins so.

use std::collections::BTreeMap;

use mcp_tests::bad_input::layers;
use mcp_tests::bad_input::memory::Taken;
use mcp_tests::bad_input::suite::run_all;

/// Layers that are not built yet, with their cases. A layer that is built is one of `layers()`.
const NOT_RUN: [(&str, usize); 4] =
    [("mrtr", 8), ("oauth", 27), ("subscription", 12), ("tasks", 7)];

/// Cases of which something should be reported, and is not. In the first the server chose an id of its own that is also one
/// of ours, which is none of our business.
const NOT_TOLD: [&str; 1] = ["RPC-s52"];

#[test]
fn every_bad_input_has_a_reaction_that_is_acceptable() {
    let filter = std::env::var("BAD_INPUT").unwrap_or_default();
    let summary = run_all(&filter, Some(counted));
    println!("{}", summary.table());
    assert!(summary.failures.is_empty(), "\n{}", summary.failures);
    let left_out: BTreeMap<_, _> = NOT_RUN.map(|(layer, cases)| (layer.to_owned(), cases)).into();
    assert_eq!(summary.left_out, left_out, "layers that nobody runs");
    if filter.is_empty() {
        assert!(summary.untold.iter().eq(&NOT_TOLD), "{:?}", summary.untold);
    }
    assert!(!filter.is_empty() || summary.run.len() == layers().count());
}

fn counted(_: &[u8], play: &mut dyn FnMut()) -> Taken {
    let counted = allocation_counter::measure(play);
    Taken {
        most: usize::try_from(counted.bytes_max).unwrap_or(usize::MAX),
        left: isize::try_from(counted.bytes_current).unwrap_or(isize::MAX),
    }
}
