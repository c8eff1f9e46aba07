//! Many clients and one server over HTTP, on a network that delays, reorders across streams and breaks, with readers that
//! stand still; and a server that asks back, parts, forgets sessions and hands them on.
//!
//! `SEED=7` in the environment runs that world alone; `mcp-check http` runs many.
//!
//! A program of its own, because the counting allocator is that of the whole program.

use allocation_counter::measure;
use mcp_proto::{CallError, Revision};
use mcp_tests::http_world::{Call, Counts, End, Faults, Pace, Plan, World};
use mcp_tests::{millis, secs};

#[test]
fn no_report_is_lost_twice_or_late_and_every_call_ends_once() {
    if let Ok(seed) = std::env::var("SEED") {
        let plan = Plan::of(seed.parse().unwrap());
        println!("{plan:#?}: {:#?}", World::new(plan).run().counts);
        return;
    }
    let mut all = Counts::default();
    for seed in 0..300 {
        let plan = Plan::of(seed);
        println!("{plan:?}"); // shown if it fails
        all += World::new(plan).run().counts;
    }
    println!("{all:#?}");
    for (what, count, least) in [
        ("cuts", all.cuts, 2_000),
        ("holes", all.holes, 400),
        ("stalls", all.stalls, 300),
        ("stalls of which the server knew", all.full, 60),
        ("calls meanwhile", all.meanwhile, 5_000),
        ("streams given up", all.given_up, 10),
        ("streams taken up again", all.resumed, 1_500),
        ("refused", all.refused, 50),
        ("responses that were ended", all.parted, 200),
        ("questions", all.answered, 1_500),
        ("sessions that moved", all.moved, 500),
        ("answers that could not follow", all.turned_away, 5),
        ("sessions that were forgotten", all.forgotten, 100),
        ("sessions that were opened again", all.reopened, 100),
        ("reports that were merged", all.merged, 1_000),
        ("calls that were given up", all.cancelled, 50),
        ("deadlines", all.timed_out, 100),
        ("strangers", all.strangers, 500),
    ] {
        assert!(count > least, "too quiet to tell anything of {what}: {count}");
    }
}

#[test]
fn a_whole_network_loses_nothing_in_any_revision() {
    for revision in Revision::ALL {
        for seed in 0..20 {
            let plan = Plan::of(seed).speaking(revision).whole();
            let plan = Plan { asks: 200, parts: 100, cancels: 0, ..plan };
            let over = World::new(plan).run();
            let Counts { lost, resumed, refused, reopened, parted, .. } = over.counts;
            assert_eq!((lost, refused, reopened), (0, 0, 0), "{plan:?}");
            // Who is sent away comes back, once.
            assert_eq!(resumed, parted, "{plan:?}");
            assert!(parted == 0 || revision == Revision::V2025_11_25, "{plan:?}");
            // Where reports are wanted one by one, each comes, however close they are.
            let merges = plan.pace == Pace::Merged || plan.is_tight() && parted > 0;
            assert!(over.counts.merged == 0 || merges, "{plan:?}: {:?}", over.counts);
            let asks_back = revision < Revision::V2026_07_28;
            assert!(asks_back || over.counts.answered == 0, "{plan:?}");
        }
    }
}

#[test]
fn a_lost_session_is_opened_again_and_its_calls_end() {
    let mut all = Counts::default();
    for seed in 0..40 {
        let plan = Plan::of(seed).speaking(Revision::V2025_11_25).whole();
        let faults = Faults { losses: 3, ..plan.faults };
        let plan = Plan { calls: 6, opening: secs(20), faults, ..plan };
        all += World::new(plan).run().counts;
    }
    // A client hears of it when it says something, or at once where it listens.
    assert!(all.reopened > 60 && all.reopened <= all.forgotten, "{all:?}");
}

/// What is cut, dies or stands still is nobody else's affair: each other client is told the same, at the same time, as if
/// nothing had happened.
#[test]
fn what_befalls_some_clients_changes_nothing_for_the_others() {
    let mut all = Counts::default();
    for seed in 0..60 {
        let drawn = Plan::of(seed);
        let victims = drawn.clients.div_ceil(3);
        let faults = Faults { losses: 0, moves: 0, victims: Some(victims), ..drawn.faults };
        let faults = Faults { cuts: 40, stalls: 300, ..faults };
        let plan = Plan { clients: drawn.clients.max(2), faults, ..drawn };
        let (harmed, whole) = (World::new(plan).run(), World::new(plan.whole()).run());
        for (at, (harmed, whole)) in harmed.ends.iter().zip(&whole.ends).enumerate().skip(victims) {
            assert_eq!(harmed.told, whole.told, "client {at} of {plan:?}");
        }
        all += harmed.counts;
    }
    let Counts { cuts, holes, full, meanwhile, .. } = all;
    assert!(cuts > 200 && holes > 100 && full > 30 && meanwhile > 1_000, "{all:?}");
}

/// In each revision with sessions and at each step of a short scenario all sessions go to another server, and nobody notices:
/// clients are told the same, by the same messages, byte by byte.
#[test]
fn sessions_move_at_every_step_and_say_the_same() {
    for revision in [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25] {
        let (mut steps, mut resumed, mut turned_away) = (0, 0, 0);
        for seed in 0..8 {
            // Where two tools ask, which of them is first depends on when their clients came back.
            let (calls, asks) = if seed % 2 == 0 { (1, 300) } else { (2, 0) };
            let plan = Plan {
                clients: 1,
                calls,
                opening: secs(1),
                reports: 3,
                padding: 0,
                untracked: 300,
                cancels: 0,
                asks,
                parts: 0,
                pace: Pace::Slow,
                delay: millis(20),
                ring: 256,
                ..Plan::of(seed).speaking(revision).whole()
            };
            let stayed = World::new(plan).run();
            for step in 0..stayed.counts.steps {
                let faults = Faults { moved_at: Some(step), ..plan.faults };
                let moved = World::new(Plan { faults, ..plan }).run();
                println!("{revision}, seed {seed}, moved at step {step}"); // shown if it fails
                same(&moved.ends[0], &stayed.ends[0]);
                steps += moved.counts.moved;
                resumed += moved.counts.resumed;
                turned_away += moved.counts.turned_away;
            }
        }
        println!("{revision}: {steps} moves, {resumed} resumed, {turned_away} turned away");
        assert!(steps > 200 && resumed > 50, "{revision}: {steps} moves, {resumed} resumed");
        // In 2025-11-25 any stream can be given a name.
        assert_eq!(turned_away > 0, revision < Revision::V2025_11_25, "{revision}");
    }
}

/// A client whose session moved was told the same as one whose session stayed, but for what is documented to have no way.
#[track_caller]
fn same(moved: &End, stayed: &End) {
    let ids = |end: &End| end.calls.keys().cloned().collect::<Vec<_>>();
    assert_eq!(ids(moved), ids(stayed));
    let mut follows = true;
    for (moved, stayed) in moved.calls.values().zip(stayed.calls.values()) {
        let is_turned_away = matches!(moved.outcome, Some(Err(CallError::Peer(_))));
        follows &= !is_turned_away;
        let told =
            |call: &Call| (call.reports.clone(), call.outcome.clone(), call.messages.clone());
        match is_turned_away {
            true => assert!(moved.reports.is_empty() && moved.messages.len() == 1),
            false => assert_eq!(told(moved), told(stayed)),
        }
    }
    // Whose last call is turned away goes before it hears the rest.
    assert!(stayed.others.starts_with(&moved.others));
    let all = |end: &End| (end.answered, end.others.len());
    assert!(!follows || all(moved) == all(stayed));
}

#[test]
fn when_everything_is_over_the_servers_hold_what_they_held_before() {
    // Tables keep the size that a crowd has made, and nothing of the crowd.
    const MOST: i64 = 64 << 10;
    let mut largest = 0;
    for seed in 0..40 {
        let plan = Plan { padding: 400, ..Plan::of(seed) };
        let servers = World::new(plan).run().servers;
        let count = servers.len() as i64;
        let held = -measure(|| drop(servers)).bytes_current;
        assert!(0 < held && held <= count * MOST, "{held} bytes in {count} servers: {plan:?}");
        largest = largest.max(held / count);
    }
    println!("{largest} bytes at most");
    assert!(largest > MOST / 64, "the bound is far: {largest}");
}

#[test]
fn a_seed_is_a_world() {
    let told = |seed| {
        let over = World::new(Plan::of(seed)).run();
        let ends = over.ends.into_iter().map(|end| (end.told, end.others));
        (over.counts, ends.collect::<Vec<_>>())
    };
    assert_eq!(told(11), told(11));
    assert_ne!(told(11), told(12));
}
