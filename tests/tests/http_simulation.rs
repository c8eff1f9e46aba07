//! Many clients and one server over HTTP, on a network that delays, reorders across streams and breaks, with readers that
//! stand still; and a server that asks back, parts, forgets sessions and hands them on.
//!
//! `SEED=7` in the environment runs that world alone.

use mcp_proto::Revision;
use mcp_tests::http_world::{Counts, Faults, Pace, Plan, World};

#[test]
fn no_report_is_lost_twice_or_late_and_every_call_ends_once() {
    if let Ok(seed) = std::env::var("SEED") {
        let plan = Plan::of(seed.parse().unwrap());
        println!("{plan:#?}: {:?}", World::new(plan).run().counts);
        return;
    }
    let mut all = Counts::default();
    for seed in 0..150 {
        let plan = Plan::of(seed);
        println!("{plan:?}"); // shown if it fails
        all += World::new(plan).run().counts;
    }
    println!("{all:#?}");
}
