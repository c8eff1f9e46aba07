//! Every report, in order, before the result; over each version of HTTP and in each era.

use mcp_tokio::http::connector;
use mcp_tokio::{ClientConfig, Revision};

use crate::world::{STEPS, World, call, connect, soon};

const REVISIONS: [Revision; 4] =
    [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28];

fn all() -> Vec<f64> {
    (1..=STEPS).map(f64::from).collect()
}

#[tokio::test]
async fn every_report_comes_in_order_before_the_result() {
    let world = World::new().await;
    for revision in REVISIONS {
        for is_http2 in [false, true] {
            let connector = match is_http2 {
                true => connector().http2(),
                false => connector(),
            };
            let config = ClientConfig::new("test", "1.0").revisions(revision);
            let client = soon(connector.connect(&world.url(), config)).await.unwrap();
            assert_eq!(client.peer().unwrap().revision, revision);
            let mut seen = Vec::new();
            let call = client.call(call("steps")).on_progress(|report| seen.push(report.progress));
            let result = soon(call).await.unwrap();
            assert_eq!(result.content[0].as_text(), Some("done"));
            assert_eq!(seen, all(), "{revision:?}, HTTP/2 {is_http2}");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn many_calls_at_once_keep_their_reports_apart() {
    let world = World::new().await;
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let client = connect(&world.url(), revision).await;
        let calls = (0..32).map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                let mut seen = Vec::new();
                let call = client.call(call("steps"));
                call.on_progress(|report| seen.push(report.progress)).await.unwrap();
                seen
            })
        });
        for call in calls.collect::<Vec<_>>() {
            assert_eq!(soon(call).await.unwrap(), all());
        }
    }
    world.end().await;
}

#[tokio::test]
async fn a_client_of_both_eras_speaks_the_newer_one() {
    let world = World::new().await;
    let config = ClientConfig::new("test", "1.0");
    let client = soon(mcp_tokio::http::connect(&world.url(), config)).await.unwrap();
    assert_eq!(client.peer().unwrap().revision, Revision::V2026_07_28);
    world.end().await;
}

#[tokio::test]
async fn the_tools_are_listed() {
    let world = World::new().await;
    for revision in REVISIONS {
        let client = connect(&world.url(), revision).await;
        let tools = soon(client.list_tools()).await.unwrap();
        assert_eq!(tools.len(), 5);
    }
    world.end().await;
}
