//! What one connection can hold: the sum over its tables and buffers.

use crate::bound::{sum, times};
use crate::config::Limits;
use crate::endpoint::Endpoint;
use crate::role::Role;
use crate::stdio::Connection;
use crate::wire::{LineDecoder, MAX_READ};

impl Limits {
    /// The bytes that one [`Connection`] asks of the allocator at most, whatever its peer does and however the
    /// two are interrupted: the sum over its tables and buffers, each as large as its limit lets it become.
    ///
    /// | part | bytes, about |
    /// |---|---|
    /// | input | 2 × (`max_message_len` + 64 KiB), and texts copied out of it into events that wait, once more |
    /// | output | 3 × `max_output_len`, and the answers and cancellations that always fit |
    /// | messages in it | 100 × (`max_outbox_len` / 30 + `max_requests` × `max_milestones` + `max_calls`) |
    /// | calls | `max_calls` × (4 entries of about 200 + `max_id_len`) |
    /// | requests | `max_requests` × (2 × `max_id_len` + 80 KiB + `max_milestones` × 200) |
    /// | batches | 3 × `max_outbox_len`, and ids once more |
    /// | timers | (`max_calls` + `max_requests`) × 5 × (40 + `max_id_len`) |
    /// | events | 2 × (`max_events` + `max_calls` + `max_requests` + 3 × `max_batch_len`) entries of about 200, and what they say |
    /// | the peer | 2 × `max_message_len`: what it said of itself, once more while that waits to be polled |
    ///
    /// It holds for a caller that drains events before it reads more, reads only while
    /// [`wants_input`](Connection::wants_input), at most 64 KiB at once. Not in it: what a caller was handed in
    /// events, slices of the input that live as long as it keeps them; the configuration; the working copy
    /// of one message while it is read or written; buffers of the transport; and the futures and queues of
    /// the `driver`, see `docs/memory.md`.
    ///
    /// ```
    /// use mcp_proto::{Limits, role::Server};
    ///
    /// let mut limits = Limits::default();
    /// limits.max_message_len = 64 << 10;
    /// limits.max_output_len = 256 << 10;
    /// limits.max_outbox_len = 64 << 10;
    /// limits.max_requests = 16;
    /// limits.max_calls = 16;
    /// limits.max_milestones = 16;
    /// limits.max_events = 64;
    /// assert!(limits.memory_bound::<Server>() < 8 << 20);
    /// ```
    pub const fn memory_bound<R: Role>(&self) -> usize {
        sum([
            size_of::<Connection<R>>(),
            LineDecoder::bound(self),
            // Of the text of a line an event may hold a copy without its escapes.
            sum([self.max_message_len, MAX_READ]),
            Endpoint::<R>::bound(self),
            // What the peer says of itself, in `peer()` and in `Event::Ready`.
            times(2, self.max_message_len),
            FIXED,
        ])
    }
}

/// The fields of the machine that lie behind a pointer: configuration aside, stamps and the like.
const FIXED: usize = 4 << 10;

#[cfg(test)]
mod tests;
