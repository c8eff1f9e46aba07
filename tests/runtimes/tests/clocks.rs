//! The clocks and timers of the runtimes: they go as time does, for the shortest and the longest of deadlines.
#![cfg(unix)]

use std::time::{Duration, Instant};

use futures_lite::future::zip;
use mcp_proto::driver::Runtime;
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::{Host, done, on_every_runtime, pair};

/// FIELD-BUGS 52; R-TIME-01. The ticks of one clock were taken for those of another.
async fn a_platforms_clock_goes_as_time_does_and_its_timer_is_never_early<H: Host>() {
    let platform = H::platform();
    for millis in [1, 20] {
        let outer = Instant::now();
        let began = platform.now();
        let inner = Instant::now();
        let due = began + Duration::from_millis(millis);
        platform.timer(due).await;
        let inner = inner.elapsed();
        let passed = platform.now() - began;
        let outer = outer.elapsed();
        assert!(inner <= passed && passed <= outer, "{inner:?} {passed:?} {outer:?}");
        assert!(passed >= Duration::from_millis(millis), "{passed:?}");
    }
}

/// FIELD-BUGS 47; R-TIME-03. Deadlines above a day and below a second were cut down to a part of theirs.
async fn the_longest_deadlines_do_not_fire_and_the_shortest_do<H: Host>() {
    let day = Duration::from_secs(86_400);
    let (client, mut peer) = pair::<H>().await;
    for (idle, total) in [(400 * day, Duration::MAX), (Duration::MAX, 400 * day)] {
        let timeouts = Timeouts::default().idle(idle).total(total);
        let call = client.call(CallTool::new("t")).timeouts(timeouts);
        let answered = async {
            let asked = peer.next().await.unwrap();
            peer.send(&done(&asked.id)).await;
        };
        let (result, ()) = zip(call, answered).await;
        assert_eq!(result.unwrap().content[0].as_text(), Some("done"), "{idle:?} {total:?}");
    }
    for timeouts in [
        Timeouts::NEVER.idle(Duration::from_nanos(1)),
        Timeouts::NEVER.total(Duration::from_nanos(1)),
        Timeouts::NEVER.total(Duration::from_micros(1_500)),
    ] {
        let ended = client.call(CallTool::new("t")).timeouts(timeouts).await;
        assert!(matches!(ended, Err(CallError::TimedOut(_))), "{timeouts:?}: {ended:?}");
    }
}

on_every_runtime!(
    a_platforms_clock_goes_as_time_does_and_its_timer_is_never_early,
    the_longest_deadlines_do_not_fire_and_the_shortest_do,
);
