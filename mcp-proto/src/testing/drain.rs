//! Everything that one side has ready, taken at once.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::hash::Hasher;
use std::hash::DefaultHasher;

use crate::event::Event;
use crate::role::Role;
use crate::stdio::Connection;
use crate::time::Instant;

/// Takes every byte that waits to be written, as a transport that takes all of it.
///
/// ```
/// use mcp_proto::testing::take_output;
/// use mcp_proto::{ClientConfig, Connection, Instant};
///
/// let mut client = Connection::client(ClientConfig::new("c", "1"), Instant::ZERO);
/// assert!(take_output(&mut client).ends_with(b"}\n"));
/// assert!(take_output(&mut client).is_empty());
/// ```
pub fn take_output<R: Role>(connection: &mut Connection<R>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(chunk) = connection.poll_transmit() {
        let taken = chunk.len();
        bytes.extend_from_slice(chunk);
        connection.advance_transmit(taken);
    }
    bytes
}

/// What decides the future of a connection, in a number: [`Endpoint::digest`](crate::Endpoint::digest).
pub fn digest<R: Role>(connection: &Connection<R>, now: Instant) -> u64 {
    let mut hasher = DefaultHasher::new();
    connection.digest(now, &mut hasher);
    hasher.finish()
}

/// Takes everything that has happened, in order.
pub fn take_events<R: Role>(connection: &mut Connection<R>) -> Vec<Event> {
    core::iter::from_fn(|| connection.poll_event()).collect()
}

/// What is told of a peer ends in logs and on terminals: it is short, and no byte of the peer's controls them.
///
/// # Panics
///
/// If what an event says is longer than 2 KiB, empty, or has control characters.
pub fn check_text(event: &Event) {
    let text = match event {
        Event::Violation(violation) => violation.to_string(),
        Event::Response { outcome: Err(error), .. } => error.to_string(),
        Event::Closed(reason) => reason.to_string(),
        _ => return,
    };
    assert!((1..=MAX_TEXT_LEN).contains(&text.len()), "{} bytes to say {text}", text.len());
    assert!(!text.contains(char::is_control), "{text:?}");
}

/// Bytes of a message about what a peer did.
const MAX_TEXT_LEN: usize = 2 << 10;
