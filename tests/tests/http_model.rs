//! One call over HTTP, two reports, one connection that breaks: every order of it.

use mcp_proto::Revision;
use mcp_tests::http_world::{Model, Walked};

#[test]
fn every_order_of_one_call_two_reports_and_one_cut_keeps_the_promises() {
    for revision in Revision::ALL.into_iter().filter(|revision| *revision > Revision::V2024_11_05) {
        let Walked { ways, states, lost, resumed } = Model::new(revision, 1).walk();
        println!(
            "{revision}: {ways} ways through {states} states; {lost} lost the call, {resumed} took it up again"
        );
        assert!(ways > 50 && lost > 0, "{revision}: {ways} ways, {lost} lost");
        // Where nothing can be taken up again, and only there, nothing was.
        assert_eq!(resumed > 0, revision < Revision::V2026_07_28, "{revision}");
    }
}
