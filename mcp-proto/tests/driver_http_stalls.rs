//! A listener that stands still, over HTTP: its own call waits, and the others go on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod by_hand;
mod runtime;

use std::future::{Future, IntoFuture};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use by_hand::*;
use mcp_proto::driver::{Call, Client, Delivery, Runtime};
use mcp_proto::http::ClientOptions;
use mcp_proto::types::CallToolResult;
use mcp_proto::{CallError, CallTool, Progress, Revision, Timeouts};
use runtime::*;

const LEGACY: [Revision; 3] = [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];

/// Reports that are too many for a queue.
const MANY: u32 = 600;

type Asked = (Call<CallToolResult>, Exchange);

/// Calls a tool with a token, and takes the exchange.
fn ask(world: &mut World, client: &Client, hand: &ByHand) -> Asked {
    ask_within(world, client, hand, Timeouts::default())
}

fn ask_within(world: &mut World, client: &Client, hand: &ByHand, timeouts: Timeouts) -> Asked {
    let mut call = client.call(CallTool::new("t")).delivery(Delivery::Every).timeouts(timeouts);
    assert!(next(&mut call).is_pending());
    world.settle();
    let exchange = hand.take();
    exchange.stream();
    world.settle();
    (call, exchange)
}

fn next(call: &mut Call<CallToolResult>) -> Poll<Option<Progress>> {
    let mut next = Box::pin(call.next_progress());
    next.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Says on `on` so many reports of the call of `of`, each in a chunk of its own.
fn flood(on: &Exchange, of: &Exchange, values: std::ops::RangeInclusive<u32>) {
    values.for_each(|value| on.say(&progress(number(of), value.into())));
}

fn finish(exchange: &Exchange) {
    exchange.say(&answer(number(exchange)));
    exchange.end();
}

fn answer(id: i64) -> String {
    result(id).replace("\"content\"", "\"resultType\":\"complete\",\"content\"")
}

/// The reports that are there.
fn taken(world: &mut World, call: &mut Call<CallToolResult>) -> Vec<f64> {
    let mut taken = Vec::new();
    loop {
        let before = taken.len();
        while let Poll::Ready(Some(report)) = next(call) {
            taken.push(report.progress);
        }
        if taken.len() == before {
            return taken;
        }
        world.settle();
    }
}

fn all() -> Vec<f64> {
    (1..=MANY).map(f64::from).collect()
}

#[test]
fn a_listener_that_stands_still_holds_back_its_own_call_and_no_other() {
    for revision in [LEGACY[0], LEGACY[2], Revision::V2026_07_28] {
        let (mut world, hand) = (World::new(), ByHand::default());
        let (client, _) = ready(&mut world, &hand, revision);
        let (mut slow, stalls) = ask(&mut world, &client, &hand);
        flood(&stalls, &stalls, 1..=MANY);
        finish(&stalls);
        world.settle();
        assert_eq!(stalls.unread(), MANY as usize + 1 - 256, "the rest waits: {revision}");

        // Another call: all of its reports, its result, and its end.
        let (mut other, goes_on) = ask(&mut world, &client, &hand);
        flood(&goes_on, &goes_on, 1..=3);
        finish(&goes_on);
        world.settle();
        assert_eq!(taken(&mut world, &mut other), [1.0, 2.0, 3.0], "{revision}");
        assert!(matches!(world.poll(&mut other), Poll::Ready(Ok(_))), "{revision}");
        // And one after it that ends at its deadline, or is given up.
        let (given_up, left) = ask(&mut world, &client, &hand);
        drop(given_up);
        world.settle();
        assert!(left.is_dropped(), "{revision}");
        assert_eq!(stalls.unread(), MANY as usize + 1 - 256);

        assert_eq!(taken(&mut world, &mut slow), all(), "{revision}");
        assert!(matches!(world.poll(&mut slow), Poll::Ready(Ok(_))), "{revision}");
    }
}

#[test]
fn a_call_that_waits_for_its_listener_ends_at_its_deadline_and_the_others_at_theirs() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let (mut world, hand) = (World::new(), ByHand::default());
        let (client, _) = ready(&mut world, &hand, revision);
        let short = Timeouts::default().total(Duration::from_secs(2));
        let (mut slow, stalls) = ask_within(&mut world, &client, &hand, short);
        flood(&stalls, &stalls, 1..=MANY);
        world.settle();
        let shorter = Timeouts::default().total(Duration::from_secs(1));
        let (mut other, _silent) = ask_within(&mut world, &client, &hand, shorter);
        world.advance(Duration::from_secs(1));
        assert!(matches!(world.poll(&mut other), Poll::Ready(Err(CallError::TimedOut(_)))));
        assert!(!stalls.is_dropped());
        world.advance(Duration::from_secs(1));
        assert!(stalls.is_dropped(), "{revision}");
        assert_eq!(taken(&mut world, &mut slow), all()[..256]);
        assert!(matches!(world.poll(&mut slow), Poll::Ready(Err(CallError::TimedOut(_)))));
    }
}

#[test]
fn what_came_before_a_deadline_counts_although_its_listener_stands_still() {
    let (mut world, hand) = (World::new(), ByHand::default());
    let (client, _) = ready(&mut world, &hand, Revision::V2026_07_28);
    let short = Timeouts::default().total(Duration::from_secs(1));
    let (mut slow, stalls) = ask_within(&mut world, &client, &hand, short);
    flood(&stalls, &stalls, 1..=255);
    // In one chunk: the queue is full in its middle.
    let event = |message: &str| format!("data: {}\n\n", message.trim_end());
    let id = number(&stalls);
    let reports: String = (256..=2_000).map(|n| event(&progress(id, n.into()))).collect();
    stalls.chunk(reports + &event(&answer(id)));
    world.settle();
    world.advance(Duration::from_secs(9));
    let taken = taken(&mut world, &mut slow);
    assert_eq!(taken, (1..=2_000).map(f64::from).collect::<Vec<_>>());
    assert!(matches!(world.poll(&mut slow), Poll::Ready(Ok(_))));
}

#[test]
fn what_belongs_to_no_call_waits_for_a_listener_that_stands_still() {
    for revision in LEGACY {
        let (mut world, hand) = (World::new(), ByHand::default());
        let (client, listening) = ready(&mut world, &hand, revision);
        let listening = listening.unwrap();
        let heard = Arc::new(AtomicU32::new(0));
        let counter = heard.clone();
        client.on_notification(move |_, _| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let (mut slow, stalls) = ask(&mut world, &client, &hand);
        let said = r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#;
        listening.say(said);
        flood(&stalls, &stalls, 1..=MANY);
        world.settle();
        // A legacy server may report there, too.
        listening.say(said);
        flood(&listening, &stalls, MANY + 1..=2 * MANY);
        world.settle();
        assert_eq!(heard.load(Ordering::Relaxed), 1, "{revision}");
        assert!(listening.unread() > MANY as usize - 2);
        let seen = taken(&mut world, &mut slow);
        assert_eq!(heard.load(Ordering::Relaxed), 2);
        assert_eq!(listening.unread(), 0);
        assert!(seen.is_sorted() && seen.contains(&f64::from(2 * MANY)), "{}", seen.len());
    }
}

#[test]
fn reports_on_the_stream_of_another_call_are_bounded_too() {
    for revision in LEGACY {
        let (mut world, hand) = (World::new(), ByHand::default());
        let (client, _) = ready(&mut world, &hand, revision);
        let (mut slow, stalls) = ask(&mut world, &client, &hand);
        let (mut other, beside) = ask(&mut world, &client, &hand);
        let (mut third, apart) = ask(&mut world, &client, &hand);
        flood(&beside, &stalls, 1..=MANY);
        finish(&beside);
        finish(&apart);
        world.settle();
        assert!(beside.unread() > MANY as usize - 300, "{revision}: {}", beside.unread());
        assert!(matches!(world.poll(&mut third), Poll::Ready(Ok(_))));
        assert!(world.poll(&mut other).is_pending(), "its answer is behind what waits");
        assert_eq!(taken(&mut world, &mut slow), all(), "{revision}");
        assert!(matches!(world.poll(&mut other), Poll::Ready(Ok(_))));
    }
}

#[test]
fn a_listener_that_is_gone_holds_nothing_back() {
    let (mut world, hand) = (World::new(), ByHand::default());
    let (client, listening) = ready(&mut world, &hand, Revision::V2025_11_25);
    let (slow, stalls) = ask(&mut world, &client, &hand);
    flood(&stalls, &stalls, 1..=MANY);
    world.settle();
    listening.as_ref().unwrap().say(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#);
    world.settle();
    assert_eq!(listening.as_ref().unwrap().unread(), 1);
    drop(slow);
    world.settle();
    assert_eq!(listening.unwrap().unread(), 0);
}

#[test]
fn a_listener_may_await_another_call_of_its_client() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let (mut world, hand) = (World::new(), ByHand::default());
        let (client, _) = ready(&mut world, &hand, revision);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (heard, asking) = (seen.clone(), client.clone());
        let call = client.call(CallTool::new("t")).delivery(Delivery::Every);
        let call = call.on_progress_async(move |report: Progress| {
            let (heard, asking) = (heard.clone(), asking.clone());
            async move {
                if report.progress == 1.0 {
                    asking.call(CallTool::new("inner")).await?;
                }
                heard.lock().unwrap().push(report.progress);
                Ok::<_, CallError>(())
            }
        });
        let mut outer = Box::pin(call.into_future());
        assert!(world.poll(&mut outer).is_pending());
        world.settle();
        let exchange = hand.take();
        exchange.stream();
        flood(&exchange, &exchange, 1..=MANY);
        finish(&exchange);
        world.settle();
        assert!(world.poll(&mut outer).is_pending());
        world.settle();
        assert!(exchange.unread() > 0, "the outer call waits");
        let inner = hand.take();
        inner.stream();
        finish(&inner);
        world.settle();
        let mut polled = world.poll(&mut outer);
        for _ in 0..100 {
            if polled.is_ready() {
                break;
            }
            world.settle();
            polled = world.poll(&mut outer);
        }
        assert!(matches!(polled, Poll::Ready(Ok(_))), "{revision}");
        assert_eq!(*seen.lock().unwrap(), all());
        assert_eq!(world.clock.now(), mcp_proto::Instant::ZERO, "no deadline had to end it");
    }
}

#[test]
fn on_the_one_stream_of_the_first_revision_all_wait() {
    let (mut world, hand) = (World::new(), ByHand::default());
    let client = connect(&mut world, &hand, Revision::V2024_11_05, ClientOptions::default());
    let channel = hand.take();
    channel.stream();
    channel.chunk("event: endpoint\ndata: /messages\n\n");
    world.settle();
    let first = hand.take();
    first.accept();
    channel.say(&initialized(&first.id, Revision::V2024_11_05));
    world.settle();
    hand.take().accept();
    world.settle();
    let ask = |world: &mut World| {
        let mut call = client.call(CallTool::new("t")).delivery(Delivery::Every);
        assert!(next(&mut call).is_pending());
        world.settle();
        let asked = hand.take();
        asked.accept();
        world.settle();
        (call, asked)
    };
    let (mut slow, stalls) = ask(&mut world);
    let (mut other, waits) = ask(&mut world);
    flood(&channel, &stalls, 1..=MANY);
    channel.say(&answer(number(&waits)));
    world.settle();
    assert!(channel.unread() > MANY as usize - 300);
    assert!(world.poll(&mut other).is_pending());
    assert_eq!(taken(&mut world, &mut slow), all());
    assert!(matches!(world.poll(&mut other), Poll::Ready(Ok(_))));
}
