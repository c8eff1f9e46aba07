//! Many clients and one server over HTTP, on a network that delays, reorders across streams and breaks.
//!
//! `SEED=7` in the environment runs that world alone.

use mcp_proto::Revision;
use mcp_tests::http_world::{Plan, World};

#[test]
fn no_report_is_lost_twice_or_late_and_every_call_ends_once() {
    if let Ok(seed) = std::env::var("SEED") {
        let plan = Plan::of(seed.parse().unwrap());
        println!("{plan:?}: {:?}", World::new(plan).run());
        return;
    }
    let (mut cuts, mut resumed) = (0, 0);
    for seed in 0..400 {
        let plan = Plan::of(seed);
        println!("{plan:?}"); // shown if it fails
        let counts = World::new(plan).run();
        cuts += counts.0;
        resumed += counts.1;
    }
    println!("{cuts} connections broke, {resumed} streams were taken up again");
    assert!(
        cuts > 1_000 && resumed > 500,
        "{cuts} cuts, {resumed} resumed: too quiet to tell anything"
    );
}

#[test]
fn a_whole_network_loses_nothing_in_any_revision() {
    for revision in Revision::ALL.into_iter().filter(|revision| *revision > Revision::V2024_11_05) {
        for seed in 0..20 {
            let plan = Plan { cuts: 0, clients: 4, ..Plan::of(seed).speaking(revision) };
            let (cuts, resumed) = World::new(plan).run();
            assert_eq!((cuts, resumed), (0, 0), "{plan:?}");
        }
    }
}
