//! Everything that one side has ready, taken at once.

use alloc::vec::Vec;

use crate::event::Event;
use crate::role::Role;
use crate::stdio::Connection;

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

/// Takes everything that has happened, in order.
pub fn take_events<R: Role>(connection: &mut Connection<R>) -> Vec<Event> {
    core::iter::from_fn(|| connection.poll_event()).collect()
}
