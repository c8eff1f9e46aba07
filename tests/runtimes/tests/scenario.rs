//! One scenario, a thousand seeds, every runtime: the same events in the same order.
#![cfg(unix)]

use std::hash::Hasher;

use mcp_runtimes_tests::scenario::Scenario;
use mcp_runtimes_tests::{Host, on_every_runtime};
use siphasher::sip::SipHasher13;

const SEEDS: u64 = 1_000;

/// What the transcripts of all seeds are together. It changes with the scenario alone.
const DIGEST: u64 = 0x85ba_9621_2420_b5ed;

fn scenario() -> Scenario {
    Scenario::parse(include_str!("../../data/scenario/mixed.txt"))
}

async fn a_thousand_seeds_give_the_transcripts_that_they_have_to<H: Host>() {
    let (scenario, mut digest) = (scenario(), SipHasher13::new());
    for seed in 0..SEEDS {
        let deeds = scenario.mixed(seed);
        let played = scenario.played::<H>(&deeds, seed).await;
        assert_eq!(played, scenario.expected(&deeds), "seed {seed}");
        digest.write(played.join("\n").as_bytes());
    }
    assert_eq!(digest.finish(), DIGEST, "{:#018x}", digest.finish());
}

#[test]
fn seeds_differ() {
    let scenario = scenario();
    let transcripts = (0..SEEDS).map(|seed| scenario.expected(&scenario.mixed(seed)));
    let transcripts: std::collections::BTreeSet<_> = transcripts.collect();
    assert!(transcripts.len() as u64 > SEEDS * 99 / 100, "{} differ", transcripts.len());
    // Among them are those in which a call times out while another waits.
    assert!(
        transcripts.iter().any(|lines| lines.iter().any(|l| l.starts_with("batch: timed out")))
    );
}

on_every_runtime!(a_thousand_seeds_give_the_transcripts_that_they_have_to);
