//! What once went wrong in the driver, each a test: a full queue, a blocked pipe, code of the user's own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod runtime;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mcp_proto::driver::{self, Call, Client, Delivery, Incoming, Outcome, Server};
use mcp_proto::progress::Pacing;
use mcp_proto::types::CallToolResult;
use mcp_proto::{
    CallError, CallTool, ClientConfig, CloseReason, Progress, Request, Revision, ServerConfig,
    Timeouts, role,
};
use runtime::*;
use serde::ser::{Serialize, SerializeMap, Serializer};

#[test]
fn close_is_bounded_while_a_queue_of_every_report_is_full() {
    let mut world = World::new();
    let (client, wire) = world.client_of_script(1 << 20);
    let _full = full_queue(&mut world, &client, wire);
    client.close();
    let reason = world.run(async move { client.closed().await });
    assert_eq!(reason, CloseReason::Local);
}

#[test]
fn deadlines_of_other_calls_go_on_while_a_queue_of_every_report_is_full() {
    let mut world = World::new();
    let (client, wire) = world.client_of_script(1 << 20);
    let _full = full_queue(&mut world, &client, wire);
    let call: Call<_> =
        client.call(CallTool::new("y")).timeouts(Timeouts::NEVER.total(Duration::from_secs(7)));
    let ended = world.run(call);
    assert!(matches!(ended, Err(CallError::TimedOut(_))), "{ended:?}");
}

#[test]
#[allow(clippy::disallowed_methods)] // a deadlock must fail the test, not hang it
fn a_listener_that_owns_a_handle_can_be_replaced() {
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (client, _wire) = World::new().client_of_script(1 << 20);
        let owned = Curious(client.clone());
        client.on_log(move |_| drop(owned.0.peer()));
        client.on_log(|_| ());
        done.send(()).unwrap();
    });
    // Not a wait for time to pass: the thread is done at once, or it never is.
    wait.recv_timeout(Duration::from_secs(60)).expect("it locks twice");
}

#[test]
#[allow(clippy::disallowed_methods)] // a deadlock must fail the test, not hang it
fn a_waker_that_owns_a_handle_can_be_replaced() {
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut world = World::new();
        let (there, _here) = pipe(1 << 20);
        let config = ClientConfig::new("test", "1").revisions(Revision::V2025_11_25);
        let (client, mut driver) = driver::client(there, config, world.clock.clone());
        let mut call = client.call(CallTool::new("x"));
        for _ in 0..2 {
            let waker = Waker::from(Arc::new(Curious(client.clone())));
            let mut cx = Context::from_waker(&waker);
            assert!(Pin::new(&mut driver).poll(&mut cx).is_pending());
            assert!(Pin::new(&mut call).poll(&mut cx).is_pending());
        }
        assert!(world.poll(&mut driver).is_pending() && world.poll(&mut call).is_pending());
        done.send(()).unwrap();
    });
    wait.recv_timeout(Duration::from_secs(60)).expect("it locks twice");
}

/// Uses its handle when it is dropped.
struct Curious(Client);

impl Wake for Curious {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Curious {
    fn drop(&mut self) {
        let _ = self.0.peer();
    }
}

#[test]
fn waiting_for_delivery_ends_when_the_request_is_cancelled() {
    let mut world = World::new();
    let pacing = Pacing::default().burst(1).every(Duration::from_secs(3600));
    let (_server, request, mut wire) = asked(&mut world, 1 << 20, pacing);
    let reporter = request.reporter();
    reporter.report(Progress::new(1.0)).unwrap();
    reporter.report(Progress::new(2.0)).unwrap();
    let mut delivered = Box::pin(reporter.delivered());
    let woken = Arc::new(Flag(AtomicU64::new(0)));
    let waker = Waker::from(woken.clone());
    let mut look = || delivered.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(look().is_pending(), "the second waits for its pacing");
    wire.send(CANCEL_7);
    world.settle();
    assert!(request.is_cancelled());
    assert!(woken.0.load(Ordering::Relaxed) > 0);
    assert!(look().is_ready());
}

#[test]
fn steps_counted_by_many_threads_are_never_refused() {
    let mut world = World::new();
    let (_server, request, _wire) = asked(&mut world, 1 << 20, Pacing::default());
    let steps = request.reporter().steps(80_000);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let steps = steps.clone();
            scope.spawn(move || (0..20_000).for_each(|_| steps.step("one more").unwrap()));
        }
    });
    assert_eq!(steps.done(), 80_000);
}

#[test]
fn parameters_that_panic_do_not_garble_the_next_message() {
    let mut world = World::new();
    let (client, mut wire) = world.client_of_script(1 << 20);
    wire.received();
    let call = std::panic::AssertUnwindSafe(|| drop(client.call(HalfWritten)));
    assert!(std::panic::catch_unwind(call).is_err());
    let mut next = Box::pin(client.call(CallTool::new("fine")).outcome());
    assert!(world.poll(&mut next).is_pending());
    world.settle();
    let said = wire.received();
    assert!(said.contains("fine") && !said.contains("begun"), "{said}");
}

/// Fails in the middle of being written.
struct HalfWritten;

impl Serialize for HalfWritten {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", "begun")?;
        panic!("on purpose")
    }
}

impl Request for HalfWritten {
    const METHOD: &'static str = "tools/call";
    type Sender = role::Client;
    type Output = CallToolResult;
}

#[test]
fn no_report_follows_its_cancellation_though_writing_was_blocked() {
    let mut world = World::new();
    let (_server, request, mut wire) = asked(&mut world, 64, Pacing::default());
    for n in 1..=30 {
        request.progress(Progress::new(n.into())).unwrap();
    }
    world.settle();
    wire.send(CANCEL_7);
    world.settle();
    assert!(request.is_cancelled());
    let mut said = String::new();
    while let more = wire.received()
        && !more.is_empty()
    {
        said += &more;
        world.settle();
    }
    assert_eq!(said.lines().count(), 1, "only the one that had begun to leave is finished: {said}");
}

#[test]
fn a_closing_connection_reads_on_so_that_its_last_words_leave() {
    let mut world = World::new();
    let (client, mut wire) = world.client_of_script(100);
    let mut call = Box::pin(client.call(CallTool::new("x".repeat(300))).outcome());
    assert!(world.poll(&mut call).is_pending());
    world.settle();
    client.close();
    world.settle();
    // This peer says something before it reads on.
    wire.send(&progress(2, 1.0));
    world.settle();
    assert_eq!(wire.unread(), 0);
    while !wire.received().is_empty() {
        world.settle();
    }
    assert!(wire.has_ended() && world.tasks.is_empty(), "and no time had to pass");
}

#[test]
fn the_last_answer_after_the_end_of_the_input_ends_the_connection() {
    let mut world = World::new();
    let (_server, request, mut wire) = asked(&mut world, 1 << 20, Pacing::default());
    wire.hang_up();
    world.settle();
    assert!(!wire.has_ended(), "an answer is owed");
    request.respond(&CallToolResult::text("done")).unwrap();
    world.settle();
    assert!(wire.received().contains("done"));
    assert!(wire.has_ended() && world.tasks.is_empty(), "and no time had to pass");
}

#[test]
fn an_output_that_cannot_be_pushed_out_is_noticed_after_the_end_of_the_input() {
    let mut world = World::new();
    let (left, right) = pipe(1 << 20);
    let broken = Failing { pipe: left, fails: Fails::Flush };
    let (mut server, driver) =
        driver::server(broken, ServerConfig::new("test", "1"), world.clock.clone());
    world.spawn(async move { assert_eq!(driver.await, CloseReason::Transport) });
    let mut wire = Wire(right);
    wire.send(&format!("{}{}", modern_call(1, 1), modern_call(2, 1)));
    let (first, _second) =
        world.run(async move { (server.accept().await.unwrap(), server.accept().await.unwrap()) });
    wire.hang_up();
    world.settle();
    first.respond(&CallToolResult::text("done")).unwrap();
    world.settle();
    assert!(world.tasks.is_empty(), "and no time had to pass");
}

#[test]
fn why_the_transport_failed_is_told_to_the_handles_of_both_sides() {
    let all = [
        (Fails::Read, "reset"),
        (Fails::Write, "broken pipe"),
        (Fails::WriteNothing, "it takes nothing"),
        (Fails::Flush, "broken pipe"),
    ];
    for (fails, said) in all {
        let mut world = World::new();
        let (left, _right) = pipe(1 << 20);
        let config = ClientConfig::new("test", "1");
        let (client, driver) =
            driver::client(Failing { pipe: left, fails }, config, world.clock.clone());
        assert_eq!(client.last_trouble(), None);
        world.spawn(async move { drop(driver.await) });
        let ended = client.clone();
        assert_eq!(world.run(async move { ended.closed().await }), CloseReason::Transport);
        assert_eq!(client.last_trouble().as_deref(), Some(said), "{fails:?}");

        let (left, right) = pipe(1 << 20);
        let config = ServerConfig::new("test", "1");
        let (server, driver) =
            driver::server(Failing { pipe: left, fails }, config, world.clock.clone());
        world.spawn(async move { drop(driver.await) });
        // Something to be answered.
        Wire(right).send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n");
        let (reason, told) = world.run(async move {
            let reason = server.closed().await;
            (reason, server.last_trouble())
        });
        assert_eq!((reason, told.as_deref()), (CloseReason::Transport, Some(said)), "{fails:?}");
    }
}

#[test]
fn an_end_that_is_no_failure_is_no_trouble() {
    let mut world = World::new();
    let (client, mut wire) = world.client_of_script(1 << 20);
    wire.hang_up();
    let ended = client.clone();
    let reason = world.run(async move { ended.closed().await });
    assert_eq!((reason, client.last_trouble()), (CloseReason::Eof { unread: 0 }, None));
}

const CANCEL_7: &str =
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":7}}\n";

/// A call that wants every report, and whose queue is full.
fn full_queue(
    world: &mut World,
    client: &Client,
    mut wire: Wire,
) -> Pin<Box<dyn Future<Output = Outcome<CallToolResult>>>> {
    let call = client.call(CallTool::new("x")).delivery(Delivery::Every).on_progress(|_| ());
    let mut call: Pin<Box<dyn Future<Output = _>>> = Box::pin(call.outcome());
    assert!(matches!(world.poll(&mut call), Poll::Pending));
    world.settle();
    wire.send(&(0..300).map(|n| progress(2, n.into())).collect::<String>());
    world.settle();
    call
}

/// A server with one request, 7, that asked for progress.
fn asked(world: &mut World, capacity: usize, pacing: Pacing) -> (Server, Incoming, Wire) {
    let (left, right) = pipe(capacity);
    let config = ServerConfig::new("test", "1").pacing(pacing);
    let (mut server, driver) = driver::server(left, config, world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    let mut wire = Wire(right);
    wire.send(&modern_call(7, 1).replace("\"_meta\":{", "\"_meta\":{\"progressToken\":7,"));
    let (server, request) = world.run(async move {
        let request = server.accept().await.unwrap();
        (server, request)
    });
    (server, request, wire)
}
