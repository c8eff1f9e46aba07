//! The driver on a hand-made runtime: a pipe of any capacity, a clock that jumps, an executor of one
//! thread. Nothing sleeps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod runtime;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use mcp_proto::driver::{self, Client, Delivery, Incoming, Server};
use mcp_proto::types::CallToolResult;
use mcp_proto::{
    CallError, CallTool, ClientConfig, CloseReason, ErrorObject, Limit, Progress, Revision,
    Timeouts,
};
use runtime::*;

/// FIELD-BUGS 17; R-PROG-13.
#[test]
fn forty_reports_and_the_result_in_one_read_are_forty_callbacks_and_then_the_result() {
    let mut world = World::new();
    let (client, mut wire) = world.client_of_script(1 << 20);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let log = seen.clone();
    world.spawn(async move {
        let listener = log.clone();
        let call =
            client.call(CallTool::new("x")).on_progress(|p| listener.borrow_mut().push(p.progress));
        let result = call.await.unwrap();
        assert_eq!(result.content[0].as_text(), Some("done"));
        log.borrow_mut().push(-1.0);
    });
    world.settle();
    let mut burst = String::new();
    for n in 0..40 {
        burst += &progress(2, n.into());
    }
    burst += &result(2);
    burst += &progress(2, 99.0);
    wire.send(&burst);
    world.settle();
    let expected: Vec<f64> = (0..40).map(f64::from).chain([-1.0]).collect();
    assert_eq!(*seen.borrow(), expected);
}

/// FIELD-BUGS 64; R-PROG-03.
#[test]
fn client_and_server_meet_over_pipes_of_any_capacity() {
    for capacity in [1, 7, 100_000] {
        for revision in [Revision::V2024_11_05, Revision::V2025_11_25, Revision::V2026_07_28] {
            let mut world = World::new();
            let (client, server) = world.pair(capacity, revision);
            world.spawn(count_for_ever(server));
            let done = world.run(async move {
                let mut values = Vec::new();
                let call = client.call(CallTool::new("count").argument("n", 20));
                let result = call.on_progress(|p| values.push(p.progress)).await.unwrap();
                assert_eq!(result.content[0].as_text(), Some("counted"));
                assert_eq!(client.peer().unwrap().revision, revision);
                values
            });
            assert_eq!(done, (1..=20).map(f64::from).collect::<Vec<_>>());
        }
    }
}

#[test]
fn reports_can_be_taken_one_by_one_before_the_result() {
    let mut world = World::new();
    let (client, server) = world.pair(1000, Revision::LATEST);
    world.spawn(count_for_ever(server));
    let (values, text) = world.run(async move {
        let mut call = client.call(CallTool::new("count").argument("n", 5));
        let mut values = Vec::new();
        while let Some(progress) = call.next_progress().await {
            values.push(progress.progress);
        }
        (values, call.await.unwrap().content[0].as_text().unwrap().to_owned())
    });
    assert_eq!((values.as_slice(), text.as_str()), (&[1.0, 2.0, 3.0, 4.0, 5.0][..], "counted"));
}

/// FIELD-BUGS 19, 20; R-PROG-03.
#[test]
fn a_listener_that_waits_keeps_the_order_and_the_result_behind_it() {
    let mut world = World::new();
    let (client, server) = world.pair(1000, Revision::LATEST);
    world.spawn(count_for_ever(server));
    let seen = world.run(async move {
        let seen = RefCell::new(Vec::new());
        let call = client.call(CallTool::new("count").argument("n", 10)).on_progress_async(
            async |p: Progress| {
                yield_now().await;
                seen.borrow_mut().push(p.progress);
            },
        );
        call.await.unwrap();
        seen.into_inner()
    });
    assert_eq!(seen, (1..=10).map(f64::from).collect::<Vec<_>>());
}

/// FIELD-BUGS 37; R-PROG-13.
#[test]
fn a_listener_that_fails_or_panics_does_not_lose_the_response() {
    let mut world = World::new();
    let (client, server) = world.pair(1000, Revision::LATEST);
    world.spawn(count_for_ever(server));
    world.run(async move {
        let count = || client.call(CallTool::new("count").argument("n", 3));
        let mut heard = 0;
        let failing = count().on_progress(|_| {
            heard += 1;
            Err::<(), _>("no")
        });
        let outcome = failing.outcome().await;
        assert!(outcome.result.is_ok());
        assert_eq!(outcome.listener.unwrap_err().to_string(), "the progress listener failed: no");
        assert_eq!(heard, 1);
        std::panic::set_hook(Box::new(|_| {}));
        let outcome = count().on_progress(|_| -> () { panic!("on purpose") }).outcome().await;
        let _ = std::panic::take_hook();
        assert!(outcome.result.is_ok());
        assert_eq!(outcome.listener.unwrap_err().to_string(), "the progress listener panicked");
    });
}

#[test]
fn what_nobody_takes_is_merged_in_the_middle_and_counted() {
    let mut world = World::new();
    let (client, mut wire) = world.client_of_script(1 << 20);
    let bounded = Delivery::Bounded { reports: 4, bytes: 1000 };
    let call = client.call(CallTool::new("x")).delivery(bounded).on_progress(|_| ());
    let mut call = Box::pin(call.outcome());
    assert!(world.poll(&mut call).is_pending());
    world.settle();
    wire.send(&(0..100).map(|n| progress(2, n.into())).chain([result(2)]).collect::<String>());
    world.settle();
    let Poll::Ready(outcome) = world.poll(&mut call) else { panic!("the result is there") };
    assert_eq!(outcome.merged, 96);
    outcome.result.unwrap();
}

#[test]
fn with_every_report_wanted_reading_pauses_and_nothing_is_lost() {
    let mut world = World::new();
    let (client, mut wire) = world.client_of_script(1 << 20);
    let seen = Rc::new(RefCell::new(0));
    let count = seen.clone();
    let call = client
        .call(CallTool::new("x"))
        .delivery(Delivery::Every)
        .timeouts(Timeouts::default().idle(Duration::from_secs(9)))
        .on_progress(move |_| *count.borrow_mut() += 1);
    let mut call = Box::pin(call.outcome());
    assert!(world.poll(&mut call).is_pending());
    world.settle();
    wire.send(&(0..20_000).map(|n| progress(2, n.into())).chain([result(2)]).collect::<String>());
    world.settle();
    assert!(wire.unread() > 1_000_000, "the rest waits in the pipe, not in memory");
    let outcome = loop {
        match world.poll(&mut call) {
            Poll::Ready(outcome) => break outcome,
            Poll::Pending => world.settle(),
        }
    };
    outcome.result.unwrap();
    assert_eq!((*seen.borrow(), outcome.merged), (20_000, 0));
}

/// FIELD-BUGS 59; R-CANC-04.
#[test]
fn dropping_a_call_cancels_it_once_on_the_wire_and_frees_it() {
    let mut world = World::new();
    let (client, mut wire) = world.client_of_script(1 << 20);
    let mut call = Box::pin(client.call(CallTool::new("x")).outcome());
    assert!(world.poll(&mut call).is_pending());
    world.settle();
    wire.received();
    assert_eq!(client.calls_in_flight(), 1);
    drop(call);
    assert_eq!(client.calls_in_flight(), 0);
    world.settle();
    let said = wire.received();
    assert_eq!(said.matches("notifications/cancelled").count(), 1, "{said}");
    assert!(said.contains("\"requestId\":2"), "{said}");
    wire.send(&result(2));
    world.settle();
    assert_eq!(wire.received(), "");
}

#[test]
fn a_call_that_never_left_is_taken_back_silently() {
    let mut world = World::new();
    let (client, mut wire) = world.client_of_script(1 << 20);
    wire.received();
    let mut call = Box::pin(client.call(CallTool::new("x")).outcome());
    assert!(world.poll(&mut call).is_pending());
    drop(call);
    world.settle();
    assert_eq!(wire.received(), "");
}

#[test]
fn a_timeout_fires_while_nothing_can_be_written() {
    let mut world = World::new();
    let (client, wire) = world.client_of_script(0);
    let call =
        client.call(CallTool::new("x")).timeouts(Timeouts::NEVER.total(Duration::from_secs(7)));
    let expired = world.run(async move { call.await.unwrap_err() });
    let CallError::TimedOut(expired) = expired else { panic!("{expired}") };
    assert_eq!((expired.limit, expired.elapsed), (Limit::Total, Duration::from_secs(7)));
    drop(wire);
}

/// FIELD-BUGS 62; R-LIFE-10.
#[test]
fn the_end_of_the_stream_ends_every_call_with_its_reason() {
    let mut world = World::new();
    let (client, mut wire) = world.client_of_script(1 << 20);
    let calls: Vec<_> = (0..3).map(|_| client.call(CallTool::new("x"))).collect();
    let ended = Rc::new(RefCell::new(Vec::new()));
    for call in calls {
        let ended = ended.clone();
        world.spawn(async move {
            let error = call.await.unwrap_err();
            ended.borrow_mut().push(error);
        });
    }
    world.settle();
    wire.send("{\"jsonrpc\":\"2.0\",\"id\":2,\"res");
    wire.hang_up();
    world.settle();
    let reason = CloseReason::Eof { unread: 28 };
    assert_eq!(*ended.borrow(), vec![CallError::Closed(reason.clone()); 3]);
    assert_eq!(world.run(async move { client.closed().await }), reason);
}

#[test]
fn a_driver_that_is_dropped_with_its_runtime_ends_every_call() {
    let mut world = World::new();
    let (client, wire) = world.client_of_script(1 << 20);
    let mut call = Box::pin(client.call(CallTool::new("x")).outcome());
    assert!(world.poll(&mut call).is_pending());
    world.tasks.clear();
    let Poll::Ready(outcome) = world.poll(&mut call) else { panic!("it hangs") };
    assert_eq!(outcome.result.unwrap_err(), CallError::Closed(CloseReason::Transport));
    let late = world.run(async move { client.call(CallTool::new("x")).await.unwrap_err() });
    assert!(matches!(late, CallError::Send(_)), "{late}");
    drop(wire);
}

#[test]
fn a_request_that_is_dropped_is_answered_with_an_internal_error() {
    let mut world = World::new();
    let (client, mut server) = world.pair(1000, Revision::LATEST);
    world.spawn(async move {
        while let Some(request) = server.accept().await {
            drop(request)
        }
    });
    let error = world.run(async move { client.call(CallTool::new("x")).await.unwrap_err() });
    let CallError::Peer(error) = error else { panic!("{error}") };
    assert_eq!(error.code, ErrorObject::INTERNAL_ERROR);
}

#[test]
fn what_was_accepted_is_answered_after_the_input_has_ended() {
    let mut world = World::new();
    let (server, mut wire) = world.server_of_script();
    world.spawn(count_for_ever(server));
    wire.send(&format!("{}{}", modern_call(1, 3), modern_call(2, 3)));
    wire.hang_up();
    world.settle();
    let said = wire.received();
    assert_eq!(said.matches("counted").count(), 2, "{said}");
    assert!(wire.has_ended(), "and then the output ends");
}

#[test]
fn a_handler_that_never_ends_does_not_keep_a_server_whose_client_is_gone() {
    let mut world = World::new();
    let (mut server, mut wire) = world.server_of_script();
    wire.send(&modern_call(1, 3));
    wire.hang_up();
    let held = Rc::new(RefCell::new(Vec::new()));
    let keep = held.clone();
    world.spawn(async move {
        while let Some(request) = server.accept().await {
            keep.borrow_mut().push(request)
        }
    });
    world.settle();
    assert!(!wire.has_ended());
    world.advance(Duration::from_secs(5));
    assert!(wire.has_ended());
    assert!(held.borrow()[0].is_cancelled());
}

#[test]
fn a_cancelled_request_tells_its_handler_and_answers_nothing() {
    let mut world = World::new();
    let (mut server, mut wire) = world.server_of_script();
    let told = Rc::new(RefCell::new(false));
    let tell = told.clone();
    world.spawn(async move {
        while let Some(request) = server.accept().await {
            request.cancelled().await;
            *tell.borrow_mut() = true;
            assert!(request.progress(Progress::new(1.0)).is_err());
            assert!(request.respond(&CallToolResult::text("late")).is_err());
        }
    });
    wire.send(&modern_call(1, 3));
    world.settle();
    assert!(!*told.borrow());
    wire.send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}\n");
    world.settle();
    assert!(*told.borrow());
    assert_eq!(wire.received(), "");
}

#[test]
fn the_last_handle_closes_the_connection() {
    let mut world = World::new();
    let (client, wire) = world.client_of_script(1 << 20);
    let other = client.clone();
    drop(client);
    world.settle();
    assert!(!wire.has_ended());
    drop(other);
    world.settle();
    assert!(wire.has_ended());
}

/// FIELD-BUGS 81; R-STDIO-06.
#[test]
fn closing_is_bounded_even_if_the_peer_never_reads() {
    let mut world = World::new();
    let (left, wire) = pipe(1);
    let (client, driver) =
        driver::client(left, ClientConfig::new("test", "1"), world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    world.settle();
    client.close();
    world.settle();
    assert!(!world.tasks.is_empty(), "what has begun to leave may still do so");
    world.advance(Duration::from_secs(5));
    assert!(world.tasks.is_empty());
    drop(wire);
}

#[test]
fn a_default_listener_hears_every_call_that_has_none() {
    let mut world = World::new();
    let (client, server) = world.pair(1000, Revision::LATEST);
    world.spawn(count_for_ever(server));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    client.on_progress(move |id, p| log.lock().unwrap().push((id.to_string(), p.progress)));
    world.run(async move {
        let count = || client.call(CallTool::new("count").argument("n", 2));
        count().await.unwrap();
        count().on_progress(|_| ()).await.unwrap();
    });
    assert_eq!(*seen.lock().unwrap(), [("2".into(), 1.0), ("2".into(), 2.0)]);
}

#[test]
fn log_messages_and_violations_reach_their_listeners_and_a_panic_in_one_stops_nothing() {
    let mut world = World::new();
    let (client, mut wire) = world.client_of_script(1 << 20);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (logs, violations) = (seen.clone(), seen.clone());
    client.on_log(move |message| {
        logs.lock().unwrap().push(message.data.to_string());
        std::panic::set_hook(Box::new(|_| {}));
        panic!("on purpose");
    });
    client.on_violation(move |violation| violations.lock().unwrap().push(violation.to_string()));
    wire.send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"data\":\"hi\"}}\n");
    wire.send("junk\n");
    world.settle();
    let _ = std::panic::take_hook();
    let seen =
        seen.lock().map_or_else(|poisoned| poisoned.into_inner().clone(), |seen| seen.clone());
    assert_eq!(seen, ["\"hi\"", "a line is not JSON: not JSON at byte 0 of \"junk\""]);
}

#[test]
fn a_heartbeat_repeats_the_last_value_and_its_total_and_starts_at_zero() {
    let mut world = World::new();
    let (client, mut server) = world.pair(1 << 20, Revision::LATEST);
    world.spawn(async move {
        let request = server.accept().await.unwrap();
        let reporter = request.reporter();
        reporter.heartbeat("begun").unwrap();
        reporter.delivered().await;
        reporter.report(Progress::new(3.0).of(7.0)).unwrap();
        reporter.delivered().await;
        reporter.heartbeat("still there").unwrap();
        reporter.delivered().await;
        request.respond(&CallToolResult::text("ok")).unwrap();
        server.accept().await;
    });
    let seen = world.run(async move {
        let mut seen = Vec::new();
        let call = client.call(CallTool::new("x"));
        call.on_progress(|report| seen.push((report.progress, report.total))).await.unwrap();
        seen
    });
    let [first, second, third] = seen[..] else { panic!("{seen:?}") };
    assert_eq!((first, second), ((0.0, None), (3.0, Some(7.0))));
    assert!(third.0 > 3.0 && third.0 < 3.000_001 && third.1 == Some(7.0), "{third:?}");
}

#[test]
fn stages_steps_and_heartbeats_only_ever_increase() {
    let mut world = World::new();
    let (client, mut server) = world.pair(1 << 20, Revision::LATEST);
    world.spawn(async move {
        while let Some(request) = server.accept().await {
            let whole = request.reporter();
            assert!(whole.is_wanted());
            let load = whole.stage("load", 0.0..0.5).unwrap();
            load.report(Progress::new(5.0).of(10.0)).unwrap();
            load.heartbeat("still there").unwrap();
            let steps = load.stage("deep", 0.5..1.0).unwrap().steps(2);
            steps.step("one").unwrap();
            steps.step("two").unwrap();
            let clean = whole.stage("clean", 0.5..1.0).unwrap();
            clean.report(Progress::new(1.0)).unwrap();
            whole.delivered().await;
            request.respond(&CallToolResult::text("ok")).unwrap();
        }
    });
    let seen = world.run(async move {
        let mut seen = Vec::new();
        let call = client.call(CallTool::new("x"));
        call.on_progress(|p| {
            seen.push((p.progress, p.total, p.message.unwrap_or_default().to_string()))
        })
        .await
        .unwrap();
        seen
    });
    let messages: Vec<_> = seen.iter().map(|(_, _, message)| message.as_str()).collect();
    let expected = [
        "load",
        "load",
        "load: still there",
        "load: deep",
        "load: deep: one",
        "load: deep: two",
        "clean",
        "clean",
    ];
    assert_eq!(messages, expected);
    assert!(seen.windows(2).all(|pair| pair[0].0 < pair[1].0), "{seen:?}");
    assert_eq!(seen.last().unwrap().0, 100.0);
}

#[test]
fn ten_thousand_reports_are_paced_and_the_last_one_arrives() {
    let mut world = World::new();
    let (client, server) = world.pair(1000, Revision::LATEST);
    world.spawn(count_for_ever(server));
    let values = world.run(async move {
        let mut values = Vec::new();
        let call = client.call(CallTool::new("count").argument("n", 10_000));
        call.on_progress(|p| values.push(p.progress)).await.unwrap();
        values
    });
    assert!(values.len() <= 40, "{}", values.len());
    assert_eq!(values.last(), Some(&10_000.0));
    assert!(values.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn every_handle_can_go_to_another_thread() {
    fn is_send<T: Send>() {}
    fn future_is_send<T: Send>(_: &T) {}
    is_send::<Client>();
    is_send::<Server>();
    is_send::<Incoming>();
    is_send::<driver::Reporter>();
    is_send::<driver::Call<CallToolResult>>();
    is_send::<driver::Driver<mcp_proto::role::Client, Pipe>>();
    let call = |client: Client| async move {
        let mut last = 0.0;
        client.call(CallTool::new("x")).on_progress(|p| last = p.progress).await.map(|_| last)
    };
    let mut world = World::new();
    let (client, _wire) = world.client_of_script(0);
    future_is_send(&call(client));
}

// ---- A server that counts.

async fn count_for_ever(mut server: Server) {
    while let Some(request) = server.accept().await {
        let call: CallTool = request.params().unwrap();
        let n =
            call.arguments.and_then(|arguments| arguments.get("n")?.as_f64()).unwrap_or(0.0) as u32;
        for done in 1..=n {
            request.progress(Progress::new(done.into()).of(n.into())).unwrap();
        }
        request.respond(&CallToolResult::text("counted")).unwrap();
    }
}
