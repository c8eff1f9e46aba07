//! Many clients and one server over HTTP, on a network that delays, reorders across streams and breaks, and a server that
//! asks back and forgets sessions.
//!
//! `SEED=7` in the environment runs that world alone.

use mcp_proto::Revision;
use mcp_tests::http_world::{Counts, Pace, Plan, World};

#[test]
fn no_report_is_lost_twice_or_late_and_every_call_ends_once() {
    if let Ok(seed) = std::env::var("SEED") {
        let plan = Plan::of(seed.parse().unwrap());
        println!("{plan:?}: {:?}", World::new(plan).run());
        return;
    }
    let mut all = Counts::default();
    for seed in 0..600 {
        let plan = Plan::of(seed);
        println!("{plan:?}"); // shown if it fails
        all = all.and(World::new(plan).run());
    }
    println!("{all:?}");
    let Counts { cuts, resumed, answered, forgotten, reopened, merged } = all;
    assert!(
        cuts > 1_500 && resumed > 700 && answered > 1_000 && merged > 1_000,
        "too quiet to tell anything: {all:?}"
    );
    assert!(forgotten > 100 && reopened > 50, "too quiet to tell anything: {all:?}");
}

#[test]
fn a_whole_network_loses_nothing_in_any_revision() {
    for revision in Revision::ALL {
        for seed in 0..20 {
            let plan = Plan { clients: 4, asks: 200, ..Plan::of(seed).speaking(revision).whole() };
            let counts = World::new(plan).run();
            assert_eq!((counts.cuts, counts.resumed, counts.reopened), (0, 0, 0), "{plan:?}");
            // Where reports are wanted one by one, each comes, however close they are.
            assert!(counts.merged == 0 || plan.pace == Pace::Merged, "{plan:?}: {counts:?}");
            let asks_back = revision < Revision::V2026_07_28;
            assert!(asks_back || counts.answered == 0, "{plan:?}: {counts:?}");
        }
    }
}

#[test]
fn a_lost_session_is_opened_again_and_its_calls_end() {
    let mut all = Counts::default();
    for seed in 0..40 {
        let plan = Plan { cuts: 0, losses: 3, calls: 6, ..Plan::of(seed) };
        let plan = plan.speaking(Revision::V2025_11_25);
        all = all.and(World::new(plan).run());
    }
    // A client hears of it when it says something, or at once where it listens.
    assert!(all.reopened > 60 && all.reopened <= all.forgotten, "{all:?}");
}
