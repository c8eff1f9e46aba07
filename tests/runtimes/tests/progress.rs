//! Order and completeness of progress, seen at the callback of a client.
#![cfg(unix)]

use std::sync::{Arc, Mutex};

use futures_lite::future::{yield_now, zip};
use mcp_proto::driver::Delivery;
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::{
    Host, Narrow, Peer, done, on_every_runtime, pair, pair_over, report, sockets, spawn,
};

/// Answers one call with so many reports and the result, all in one write.
async fn answer_at_once(mut peer: Peer, count: usize) -> Peer {
    let asked = peer.next().await.unwrap();
    let token = asked.token.unwrap();
    let mut text: String = (1..=count).map(|value| report(&token, value)).collect();
    text.push_str(&done(&asked.id));
    peer.send(&text).await;
    peer
}

fn up_to(count: u32) -> Vec<f64> {
    (1..=count).map(f64::from).collect()
}

/// FIELD-BUGS 17; R-PROG-13.
async fn forty_reports_and_the_result_in_one_read_are_forty_callbacks_and_then_the_result<
    H: Host,
>() {
    let (client, peer) = pair::<H>().await;
    let peer = spawn(&H::platform(), answer_at_once(peer, 40));
    let mut seen = Vec::new();
    let result =
        client.call(CallTool::new("t")).on_progress(|report| seen.push(report.progress)).await;
    assert_eq!(result.unwrap().content[0].as_text(), Some("done"));
    assert_eq!(seen, up_to(40));
    peer.join().await;
}

/// FIELD-BUGS 17, 71; R-PROG-13.
async fn progress_in_one_read_with_the_response_is_no_unknown_token_wherever_the_reads_are_cut<
    H: Host,
>() {
    for length in (1..=130).chain([1 << 16]) {
        let (near, far) = sockets();
        let near = Narrow::new(H::stream(near), move || length);
        let (client, peer) = pair_over(H::platform(), near, Peer::new::<H>(far)).await;
        let violations = Arc::new(Mutex::new(Vec::new()));
        let log = violations.clone();
        client.on_violation(move |violation| log.lock().unwrap().push(violation));
        let peer = spawn(&H::platform(), answer_at_once(peer, 3));
        let mut seen = Vec::new();
        client
            .call(CallTool::new("t"))
            .on_progress(|report| seen.push(report.progress))
            .await
            .unwrap();
        assert_eq!(seen, up_to(3), "reads of {length} bytes");
        assert_eq!(*violations.lock().unwrap(), [], "reads of {length} bytes");
        peer.join().await;
    }
}

/// FIELD-BUGS 19, 20; R-PROG-03.
async fn a_callback_that_suspends_does_not_turn_the_order_round<H: Host>() {
    let (client, peer) = pair::<H>().await;
    let peer = spawn(&H::platform(), answer_at_once(peer, 10));
    let seen = Mutex::new(Vec::new());
    let seen = &seen;
    client
        .call(CallTool::new("t"))
        .on_progress_async(|report| async move {
            // The earlier the report, the longer it takes.
            for _ in 0..(20 - report.progress as u32) {
                yield_now().await;
            }
            seen.lock().unwrap().push(report.progress);
        })
        .await
        .unwrap();
    assert_eq!(*seen.lock().unwrap(), up_to(10));
    peer.join().await;
}

/// FIELD-BUGS 21; R-PROG-03.
async fn twenty_thousand_reports_arrive_without_one_inversion_or_loss<H: Host>() {
    const COUNT: usize = 20_000;
    let (client, peer) = pair::<H>().await;
    let peer = spawn(&H::platform(), answer_at_once(peer, COUNT));
    let (mut last, mut inversions, mut seen) = (0.0, 0, 0);
    let outcome = client
        .call(CallTool::new("t"))
        .delivery(Delivery::Every)
        .on_progress(|report| {
            inversions += usize::from(report.progress <= last);
            last = report.progress;
            seen += 1;
        })
        .outcome()
        .await;
    assert_eq!((seen, inversions, last, outcome.merged), (COUNT, 0, COUNT as f64, 0));
    outcome.result.unwrap();
    peer.join().await;
}

/// FIELD-BUGS 21, 22; R-PROG-03.
async fn calls_side_by_side_each_see_their_own_reports_in_order_from_server_to_callback<H: Host>() {
    const COUNT: u32 = 5_000;
    let (near, far) = sockets();
    let mut server = H::serve(far, ServerConfig::new("test", "1.0").pacing(Pacing::UNLIMITED));
    let handlers = H::platform();
    drop(spawn(&H::platform(), async move {
        while let Some(request) = server.accept().await {
            drop(spawn(&handlers, async move {
                let reporter = request.reporter();
                for value in 0..COUNT {
                    reporter.report(Progress::new(value.into())).unwrap();
                    if value % 100 == 99 {
                        reporter.delivered().await;
                    }
                }
                request.respond(&CallToolResult::text("done")).unwrap();
            }));
        }
    }));
    let client = H::connect(near, ClientConfig::new("test", "1.0")).await.unwrap();
    let calls = (0..4).map(|_| {
        let call = client.call(CallTool::new("t")).delivery(Delivery::Every);
        spawn(&H::platform(), async move {
            let mut seen = Vec::new();
            call.on_progress(|report| seen.push(report.progress)).await.unwrap();
            seen
        })
    });
    for call in calls.collect::<Vec<_>>() {
        let seen = call.join().await;
        assert!(seen.iter().copied().eq((0..COUNT).map(f64::from)), "{} reports seen", seen.len());
    }
}

/// FIELD-BUGS 40; R-PROG-11.
async fn the_stream_of_a_call_exists_before_its_bytes_are_sent_and_ends_with_the_result<H: Host>() {
    let (client, peer) = pair::<H>().await;
    let mut call = client.call(CallTool::new("t"));
    assert!(call.id().is_none(), "nothing is sent yet");
    let peer = spawn(&H::platform(), answer_at_once(peer, 5));
    let mut seen = Vec::new();
    while let Some(report) = call.next_progress().await {
        seen.push(report.progress);
    }
    assert_eq!(seen, up_to(5));
    assert_eq!(call.await.unwrap().content[0].as_text(), Some("done"));
    peer.join().await;
}

/// FIELD-BUGS 39; R-PROG-11.
async fn progress_of_a_call_is_reached_through_the_calls_own_handle_from_another_task<H: Host>() {
    let (client, mut peer) = pair::<H>().await;
    let mut first = client.call(CallTool::new("t"));
    let mut second = client.call(CallTool::new("t"));
    // Both are in flight, each is read by a task of its own, and nothing is locked meanwhile.
    let peer = spawn(&H::platform(), async move {
        let (one, two) = (peer.next().await.unwrap(), peer.next().await.unwrap());
        for value in 1..=3 {
            peer.send(&report(two.token.as_ref().unwrap(), value * 10)).await;
            peer.send(&report(one.token.as_ref().unwrap(), value)).await;
        }
        peer.send(&(done(&two.id) + &done(&one.id))).await;
        peer
    });
    let one = async {
        let mut sum = 0.0;
        while let Some(report) = first.next_progress().await {
            sum += report.progress;
        }
        sum
    };
    let two = spawn(&H::platform(), async move {
        let mut sum = 0.0;
        while let Some(report) = second.next_progress().await {
            sum += report.progress;
        }
        (sum, second.await.unwrap())
    });
    let (one, (two, _)) = zip(one, two.join()).await;
    let mut sums = [one, two];
    sums.sort_by(f64::total_cmp);
    assert_eq!(sums, [6.0, 60.0]);
    first.await.unwrap();
    peer.join().await;
}

on_every_runtime!(
    forty_reports_and_the_result_in_one_read_are_forty_callbacks_and_then_the_result,
    progress_in_one_read_with_the_response_is_no_unknown_token_wherever_the_reads_are_cut,
    a_callback_that_suspends_does_not_turn_the_order_round,
    twenty_thousand_reports_arrive_without_one_inversion_or_loss,
    calls_side_by_side_each_see_their_own_reports_in_order_from_server_to_callback,
    the_stream_of_a_call_exists_before_its_bytes_are_sent_and_ends_with_the_result,
    progress_of_a_call_is_reached_through_the_calls_own_handle_from_another_task,
);
