//! One call over HTTP, two reports, connections that break, a question of the server: every order of it.

use mcp_proto::Revision;
use mcp_tests::http_world::{Model, Walked};

fn streamable() -> impl Iterator<Item = Revision> {
    Revision::ALL.into_iter().filter(|revision| *revision > Revision::V2024_11_05)
}

#[test]
fn every_order_of_one_call_two_reports_and_two_cuts_keeps_the_promises() {
    for revision in streamable() {
        for cuts in [1, 2] {
            let walked = Model::new(revision, cuts).walk();
            println!("{revision}, {cuts}: {walked:?}");
            let Walked { states, ends, lost, resumed, .. } = walked;
            assert!(states > 40 && ends > 10 && lost > 0, "{revision}: {walked:?}");
            // Where nothing can be taken up again, and only there, nothing was.
            assert_eq!(resumed > 0, revision < Revision::V2026_07_28, "{revision}");
        }
    }
}

#[test]
fn every_order_of_one_call_a_question_of_the_server_and_one_cut_keeps_the_promises() {
    for revision in streamable().filter(|revision| *revision < Revision::V2026_07_28) {
        let walked = Model::new(revision, 1).asking().walk();
        println!("{revision}: {walked:?}");
        let Walked { ends, lost, resumed, answered, .. } = walked;
        assert!(lost > 0 && resumed > 0 && answered > 0 && answered < ends, "{walked:?}");
    }
}

#[test]
fn what_is_merged_is_the_same() {
    // Without a cut there is hardly a choice, and with one there are many ways to the same states.
    let Walked { states, steps, .. } = Model::new(Revision::V2025_11_25, 1).walk();
    assert!(steps > states, "{steps} steps to {states} states: nothing was merged");
}
