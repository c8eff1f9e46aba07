//! Peers that hang up or read nothing.

use mcp_tokio::{CallError, Revision};

use crate::world::{STEPS, World, call, call_by_hand, connect, read_until, soon};

#[tokio::test]
async fn whoever_hangs_up_in_the_modern_era_cancels() {
    let world = World::new().await;
    let stream = call_by_hand(world.address, "wait").await;
    soon(world.gate.entered.one_more()).await;
    drop(stream);
    soon(world.gate.cancelled.one_more()).await;
    world.end().await;
}

#[tokio::test]
async fn a_call_that_is_dropped_is_cancelled_at_the_server() {
    let world = World::new().await;
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let client = connect(&world.url(), revision).await;
        let waiting = tokio::spawn({
            let client = client.clone();
            async move { client.call(call("wait")).await }
        });
        soon(world.gate.entered.one_more()).await;
        waiting.abort();
        soon(world.gate.cancelled.one_more()).await;
        assert!(matches!(waiting.await, Err(error) if error.is_cancelled()));
    }
    world.end().await;
}

#[tokio::test]
async fn one_who_reads_nothing_delays_nobody_else() {
    let world = World::new().await;
    let mut stalled = Vec::new();
    for _ in 0..4 {
        stalled.push(call_by_hand(world.address, "pour").await);
        // Its tool has said all that it has to say, most of which waits or is merged.
        soon(world.gate.entered.one_more()).await;
    }
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let client = connect(&world.url(), revision).await;
        let mut seen = 0;
        soon(client.call(call("steps")).on_progress(|_| seen += 1)).await.unwrap();
        assert_eq!(seen, STEPS);
    }
    // They get the newest report and the result once they read.
    world.gate.open.notify_waiters();
    for stream in &mut stalled {
        let read = read_until(stream, "\"result\"").await;
        assert!(read.contains("\"progress\":5000,"), "the last report is there");
    }
    drop(stalled);
    world.end().await;
}

#[tokio::test]
async fn a_server_that_is_gone_ends_every_call() {
    let world = World::new().await;
    let clients = [
        connect(&world.url(), Revision::V2025_06_18).await,
        connect(&world.url(), Revision::V2026_07_28).await,
    ];
    let calls = clients.map(|client| tokio::spawn(async move { client.call(call("wait")).await }));
    soon(world.gate.entered.one_more()).await;
    soon(world.gate.entered.one_more()).await;
    world.task.abort();
    for call in calls {
        let error = soon(call).await.unwrap().unwrap_err();
        assert!(matches!(error, CallError::Http(_) | CallError::Closed(_)), "{error:?}");
    }
}
