//! A client over HTTP that is closed while its server says nothing: that is bounded in every state.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod by_hand;
mod runtime;

use std::time::Duration;

use by_hand::*;
use mcp_proto::driver::{Client, Runtime};
use mcp_proto::http::ClientOptions;
use mcp_proto::{CallError, CallTool, CloseReason, Revision};
use runtime::*;

const LEGACY: [Revision; 3] = [Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];

/// What is under way may take so long once a client is closed.
const LINGER: Duration = Duration::from_secs(5);

/// Closes the client, and how long that takes. Then nothing is left, of which `open` is all that was opened before.
fn close(world: &mut World, client: &Client, hand: &ByHand, open: &[Exchange]) -> Duration {
    close_while(world, client, hand, open, |_, _| ())
}

/// The same; the server does something at once.
fn close_while(
    world: &mut World,
    client: &Client,
    hand: &ByHand,
    open: &[Exchange],
    server: impl FnOnce(&mut World, &ByHand),
) -> Duration {
    let began = world.clock.now();
    client.close();
    world.settle();
    server(world, hand);
    let last = std::iter::from_fn(|| hand.has_more().then(|| hand.take()));
    let open: Vec<_> = open.iter().cloned().chain(last).collect();
    let closing = client.clone();
    assert_eq!(world.run(async move { closing.closed().await }), CloseReason::Local);
    world.settle();
    assert!(open.iter().all(Exchange::is_dropped) && !hand.has_more());
    assert!(world.tasks.is_empty(), "the driver has ended");
    world.clock.now().saturating_duration_since(began)
}

/// A call that was asked and is awaited in a task. It ends with the connection.
fn ask(world: &mut World, client: &Client, hand: &ByHand) -> Exchange {
    let calling = client.clone();
    world.spawn(async move {
        let ended = calling.call(CallTool::new("t")).await;
        assert!(matches!(ended, Err(CallError::Closed(CloseReason::Local))), "{ended:?}");
    });
    world.settle();
    hand.take()
}

/// A call that is given up when its server has had the time to hear of it, and what says so.
fn give_up(world: &mut World, client: &Client, hand: &ByHand) -> (Exchange, Exchange) {
    let mut call = client.call(CallTool::new("t"));
    assert!(world.poll(&mut call).is_pending());
    world.settle();
    let asked = hand.take();
    world.advance(Duration::from_secs(1));
    drop(call);
    world.settle();
    let cancels = hand.take();
    assert_eq!(cancels.says, "notifications/cancelled");
    (asked, cancels)
}

/// FIELD-BUGS 81; R-SESS-07.
#[test]
fn a_client_is_closed_in_time_although_its_server_answers_nothing() {
    for revision in LEGACY {
        let (mut world, hand) = (World::new(), ByHand::default());
        let (client, listening) = ready(&mut world, &hand, revision);
        let (asked, cancels) = give_up(&mut world, &client, &hand);
        let open = [listening.unwrap(), asked, cancels, ask(&mut world, &client, &hand)];
        assert_eq!(close(&mut world, &client, &hand, &open), LINGER, "{revision}");
    }
}

#[test]
fn a_client_is_closed_in_time_although_no_answer_has_an_end() {
    for revision in LEGACY {
        let (mut world, hand) = (World::new(), ByHand::default());
        let (client, listening) = ready(&mut world, &hand, revision);
        let (asked, cancels) = give_up(&mut world, &client, &hand);
        let call = ask(&mut world, &client, &hand);
        call.head(200, &[("content-type", "application/json")]);
        cancels.head(202, &[]);
        world.settle();
        let open = [listening.unwrap(), asked, cancels, call];
        // The end of the session is not answered at all.
        let took = close(&mut world, &client, &hand, &open);
        assert_eq!(took, LINGER, "{revision}");

        let (mut world, hand) = (World::new(), ByHand::default());
        let (client, listening) = ready(&mut world, &hand, revision);
        let (asked, cancels) = give_up(&mut world, &client, &hand);
        let open = [listening.unwrap(), asked, cancels.clone()];
        let took = close_while(&mut world, &client, &hand, &open, |world, hand| {
            assert!(!hand.has_more(), "what is said last waits for the rest");
            cancels.head(202, &[]);
            world.settle();
            let ends = hand.take();
            assert_eq!(ends.method, "DELETE");
            ends.head(200, &[]);
            world.settle();
        });
        // Nobody cares for what follows a head.
        assert_eq!(took, ClientOptions::default().linger, "{revision}");
    }
}

#[test]
fn a_client_that_connects_is_closed_at_once() {
    let silence: fn(&Exchange) = |_| ();
    let json: fn(&Exchange) = |first| first.head(200, &[("content-type", "application/json")]);
    for revision in Revision::ALL {
        // The first revision has to begin with a stream.
        let answer = if revision == Revision::V2024_11_05 { silence } else { json };
        for head in [silence, Exchange::stream, answer] {
            let (mut world, hand) = (World::new(), ByHand::default());
            let client = connect(&mut world, &hand, revision, ClientOptions::default());
            let first = hand.take();
            head(&first);
            world.settle();
            assert!(client.peer().is_none() && !first.is_dropped());
            assert_eq!(close(&mut world, &client, &hand, &[first]), Duration::ZERO, "{revision}");
        }
    }
}

#[test]
fn a_client_whose_first_word_is_not_answered_is_closed_in_time() {
    for revision in LEGACY {
        let (mut world, hand) = (World::new(), ByHand::default());
        let client = connect(&mut world, &hand, revision, ClientOptions::default());
        let first = hand.take();
        first.answer(&[("mcp-session-id", "s")], &initialized(&first.id, revision));
        world.settle();
        let says = hand.take();
        assert_eq!(says.says, "notifications/initialized");
        assert_eq!(close(&mut world, &client, &hand, &[first, says]), LINGER, "{revision}");
    }
}

#[test]
fn a_client_of_the_modern_era_has_nothing_to_say_at_its_end() {
    let (mut world, hand) = (World::new(), ByHand::default());
    let (client, _) = ready(&mut world, &hand, Revision::V2026_07_28);
    let (silent, begun) = (ask(&mut world, &client, &hand), ask(&mut world, &client, &hand));
    begun.stream();
    world.settle();
    assert_eq!(close(&mut world, &client, &hand, &[silent, begun]), Duration::ZERO);
    assert!(!hand.has_more());
}
