//! The queue on its own.

use super::*;
use core::convert::Infallible;

fn push(outbox: &mut Outbox, route: Route, text: &str) -> Option<Place> {
    push_behind(outbox, None, route, text)
}

fn push_behind(
    outbox: &mut Outbox,
    previous: Option<Place>,
    route: Route,
    text: &str,
) -> Option<Place> {
    let Ok(place) = outbox.push_behind::<Infallible>(previous, route, Origin::NONE, |out| {
        out.extend_from_slice(text.as_bytes());
        Ok(())
    });
    Some(place)
}

fn call(id: i64) -> Route {
    Route::Call(id.into())
}

#[test]
fn many_messages_are_one_chunk_and_partial_writes_lose_nothing() {
    for step in 1..8 {
        let mut outbox = Outbox::default();
        push(&mut outbox, call(1), "one");
        push(&mut outbox, call(2), "two");
        let mut sent = Vec::new();
        while let Some(chunk) = outbox.chunk() {
            let part = &chunk[..step.min(chunk.len())];
            sent.extend_from_slice(part);
            let n = part.len();
            outbox.advance(n);
        }
        assert_eq!(sent, b"one\ntwo\n");
        assert_eq!(outbox.len(), 0);
    }
}

#[test]
fn what_is_revoked_never_leaves_unless_it_has_begun() {
    let mut outbox = Outbox::default();
    let one = push(&mut outbox, call(1), "one");
    let two = push(&mut outbox, call(2), "two");
    push(&mut outbox, call(3), "three");
    outbox.chunk();
    outbox.advance(1);
    assert_eq!(
        outbox.revoke(one),
        0,
        "its first byte has left: a frame is whole or the stream ends"
    );
    assert_eq!(outbox.revoke(two), 1);
    assert_eq!(outbox.chunk().unwrap(), b"ne\n");
    outbox.advance(3);
    assert_eq!(outbox.chunk().unwrap(), b"three\n");
    outbox.advance(6);
    assert!(outbox.chunk().is_none());
    assert!(outbox.is_empty());
}

#[test]
fn what_is_being_written_stays_until_it_is_known_how_much_of_it_was() {
    let mut outbox = Outbox::default();
    push(&mut outbox, call(1), "one");
    let two = push(&mut outbox, call(2), "two");
    assert_eq!(outbox.lend(5).unwrap(), b"one\nt");
    assert_eq!(outbox.revoke(two), 0, "the transport may have taken its first byte");
    outbox.advance(4);
    assert_eq!(outbox.revoke(two), 1, "it has not");
    assert!(outbox.lend(5).is_none() && outbox.is_empty());
}

#[test]
fn whole_messages_come_without_newline() {
    let mut outbox = Outbox::default();
    let one = push(&mut outbox, call(1), "one");
    push(&mut outbox, Route::Standalone, "two");
    outbox.revoke(one);
    let (route, message) = (Route::Standalone, Bytes::from_static(b"two"));
    assert_eq!(outbox.pop(), Some(Transmit { route, origin: Origin::NONE, message }));
    assert_eq!(outbox.pop(), None);
}

#[test]
fn a_lent_message_stays_until_it_is_known_whether_it_was_sent() {
    let mut outbox = Outbox::default();
    let one = push(&mut outbox, call(1), "one");
    let two = push(&mut outbox, call(2), "two");
    assert_eq!(outbox.lend_message().unwrap(), b"one");
    assert_eq!((outbox.revoke(one), outbox.revoke(two)), (0, 1));
    outbox.advance(0);
    assert_eq!(outbox.lend_message().unwrap(), b"one");
    outbox.advance_message();
    assert!(outbox.lend_message().is_none() && outbox.is_empty());
    assert_eq!(outbox.len(), 0);
}

#[test]
fn a_message_that_cannot_be_written_leaves_no_trace() {
    let mut outbox = Outbox::default();
    let failed = outbox.push(Route::Standalone, Origin::NONE, |out| {
        out.extend_from_slice(b"half");
        Err(())
    });
    assert_eq!(failed, Err(()));
    assert_eq!(outbox.len(), 0);
    assert!(outbox.chunk().is_none());
}

#[test]
fn a_panic_while_a_message_is_written_leaves_no_trace() {
    let mut outbox = Outbox::default();
    push(&mut outbox, call(1), "one");
    let panicked = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
        outbox.push::<Infallible>(Route::Standalone, Origin::NONE, |out| {
            out.extend_from_slice(b"half");
            panic!("a user's Serialize")
        })
    }));
    assert!(panicked.is_err());
    push(&mut outbox, call(2), "two");
    assert_eq!(outbox.chunk().unwrap(), b"one\ntwo\n");
}

#[test]
fn a_chain_is_revoked_whole_and_nothing_else() {
    let mut outbox = Outbox::default();
    let mut last = [None, None];
    for n in 0..6 {
        let owner = n % 2;
        let route = Route::Related((owner as i64).into());
        last[owner] = push_behind(&mut outbox, last[owner], route, ["a", "b"][owner]);
    }
    assert!(outbox.has(last[0].unwrap()));
    outbox.chunk();
    outbox.advance(1);
    assert_eq!(outbox.revoke(last[0]), 2, "its first has begun");
    assert!(!outbox.has(last[0].unwrap()) && outbox.has(last[1].unwrap()));
    assert_eq!(outbox.revoke(last[0]), 0, "once");
    let mut sent = Vec::new();
    while let Some(chunk) = outbox.chunk() {
        sent.extend_from_slice(chunk);
        let length = chunk.len();
        outbox.advance(length);
    }
    assert_eq!(sent, b"\nb\nb\nb\n");
    assert!((outbox.is_empty(), outbox.len()) == (true, 0) && !outbox.has(last[1].unwrap()));
}

#[test]
fn places_from_before_a_clear_name_nothing_behind_it() {
    let mut outbox = Outbox::default();
    let one = push(&mut outbox, call(1), "one");
    outbox.clear();
    push(&mut outbox, call(2), "two");
    assert_eq!(outbox.revoke(one), 0);
    assert_eq!(outbox.chunk().unwrap(), b"two\n");
}

#[test]
fn revoking_looks_at_nothing_but_what_it_revokes() {
    let mut outbox = Outbox::default();
    let places: Vec<_> = (0..10_000).map(|n| push(&mut outbox, call(n), "message")).collect();
    for place in places.iter().step_by(2) {
        assert_eq!(outbox.revoke(*place), 1);
        assert_eq!(outbox.revoke(None), 0);
        outbox.has(place.unwrap());
    }
    let mut chunks = 0;
    while let Some(chunk) = outbox.chunk() {
        let length = chunk.len();
        outbox.advance(length);
        chunks += 1;
    }
    assert_eq!(chunks, 5_000);
    assert!(outbox.steps.get() <= 20_000, "{} steps", outbox.steps.get());
}

/// Sends so many bytes, which wait.
fn send(outbox: &mut Outbox, len: usize) {
    assert_eq!(outbox.lend(len).map(<[u8]>::len), Some(len));
    outbox.advance(len);
}

#[test]
fn what_a_stream_has_begun_is_not_handed_out_whole() {
    let mut outbox = Outbox::default();
    push(&mut outbox, call(1), "one");
    send(&mut outbox, 1);
    assert_eq!(outbox.pop(), None);
    send(&mut outbox, 3);
    push(&mut outbox, call(2), "two");
    assert_eq!(outbox.pop().unwrap().message, "two");
}

#[cfg(feature = "http")]
#[test]
fn a_long_message_alone_takes_its_buffer_along_and_any_other_is_copied() {
    // Bytes with the newline, room for it, and whether another is behind it.
    for (len, room, is_alone, is_taken) in [
        (COPIED, COPIED, true, false),
        (COPIED + 1, COPIED + 1, true, true),
        (8_000, 9_000, true, true),
        (8_000, 9_001, true, false),
        (8_000, 8_200, false, false),
    ] {
        let mut outbox = Outbox::default();
        outbox.reserve(room);
        assert_eq!(outbox.bytes.capacity(), room, "no more than was asked for");
        let text = "x".repeat(len - 1);
        push(&mut outbox, call(1), &text);
        if !is_alone {
            push(&mut outbox, call(2), "two");
        }
        let buffer = outbox.bytes.as_ptr();
        let message = outbox.pop().unwrap().message;
        assert_eq!(message, text);
        assert_eq!(message.as_ptr() == buffer, is_taken, "{len} bytes of {room}");
        // Either way it has left, and what comes behind it can be taken back.
        let last = push(&mut outbox, call(3), "three");
        push(&mut outbox, call(4), "four");
        assert_eq!(outbox.revoke(last), 1);
        let rest: Vec<_> = core::iter::from_fn(|| outbox.pop()).map(|sent| sent.message).collect();
        let expected: &[&str] = if is_alone { &["four"] } else { &["two", "four"] };
        assert_eq!(rest, expected);
    }
}

/// Otherwise a queue that never runs empty would keep everything that it ever sent, or move all of it each time.
#[test]
fn what_has_left_is_moved_out_of_the_way_when_it_is_more_than_a_third_and_much() {
    for (gone, all, moves) in [
        (KEPT_CAPACITY, KEPT_CAPACITY + 10, false),
        (KEPT_CAPACITY + 1, 2 * KEPT_CAPACITY, true),
        (KEPT_CAPACITY + 1, 3 * (KEPT_CAPACITY + 1) - 1, true),
        (KEPT_CAPACITY + 1, 3 * (KEPT_CAPACITY + 1), false),
        (KEPT_CAPACITY + 1, 4 * KEPT_CAPACITY, false),
        (10, 20, false),
    ] {
        let mut outbox = Outbox::default();
        push(&mut outbox, call(1), &"x".repeat(all - 1));
        send(&mut outbox, gone);
        push(&mut outbox, call(2), "two");
        assert_eq!(outbox.start, if moves { 0 } else { gone }, "{gone} of {all}");
        assert_eq!(outbox.len(), all - gone + 4);
        send(&mut outbox, all - gone);
        assert_eq!(outbox.lend_message().unwrap(), b"two");
    }
    let mut outbox = Outbox::default();
    for n in 0..1_000 {
        push(&mut outbox, call(n), &"x".repeat(1_000));
        outbox.advance(if n < 100 { 0 } else { 1_001 });
        assert!(outbox.bytes.len() < 200_000, "{n}: {} bytes", outbox.bytes.len());
    }
}

#[test]
fn room_that_much_output_took_is_given_back_once_it_has_left() {
    let mut outbox = Outbox::default();
    for n in 0..10_000 {
        push(&mut outbox, call(n), "message for message");
    }
    send(&mut outbox, 200_000);
    assert!(outbox.bytes.capacity() <= KEPT_CAPACITY);
    assert!((KEPT_MESSAGES..=2 * KEPT_MESSAGES).contains(&outbox.messages.capacity()));
}

#[test]
fn room_that_half_a_message_took_is_given_back() {
    let mut outbox = Outbox::default();
    push(&mut outbox, call(1), "one message");
    let failed = outbox.push(Route::Standalone, Origin::NONE, |out| {
        out.resize(1 << 20, b'x');
        Err(())
    });
    assert_eq!((failed, outbox.len()), (Err(()), 12));
    let room = outbox.bytes.capacity();
    assert!((KEPT_CAPACITY..=KEPT_CAPACITY + 12).contains(&room), "{room}");
}

#[cfg(feature = "testing")]
#[test]
fn a_place_is_so_far_behind_the_front_or_has_left() {
    let mut outbox = Outbox::default();
    let places: Vec<_> = (0..3).filter_map(|n| push(&mut outbox, call(n), "x")).collect();
    send(&mut outbox, 2);
    let behind: Vec<_> = places.iter().map(|place| place.behind(outbox.front())).collect();
    assert_eq!(behind, [None, Some(0), Some(1)]);
}
