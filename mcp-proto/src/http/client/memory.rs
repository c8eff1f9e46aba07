//! What a client on HTTP can hold: the sum over its tables, and over what it reads.

use bytes::Bytes;

use super::exchange::{Entry, Lane};
use super::options::ClientOptions;
use super::position::Position;
use super::refreshing::Refused;
use super::sending::{MAX_REPEATED, Parked};
use super::{Client, Exchange, Transmit};
use crate::bound::{PART, queue, sum, times, tree};
use crate::config::Limits;
use crate::endpoint::{Endpoint, SHORTEST};
use crate::role;
use crate::time::Instant;
use crate::wire::MAX_READ;
use crate::wire::sse::Decoder;

/// Bytes of the headers of a request, in the table of the type that holds them.
const HEADERS: usize = 4 << 10;

impl ClientOptions {
    /// The bytes that one [`Client`] of these limits asks of the allocator at most, whatever its server
    /// does: the sum over its tables, each as large as its limit lets it become.
    ///
    /// | part | bytes, about |
    /// |---|---|
    /// | bodies that wait for their ends | 8 × (`max_buffered_len` + `max_message_len` + 64 KiB): buffers double, and a small rest keeps up to four times its size |
    /// | streams | (`max_exchanges` + `max_calls`) × 450 KiB: what a buffer keeps when it is empty, arrival times, the ids of 256 events |
    /// | calls that may be said again | (`max_exchanges` + 2 × `max_calls`) × 64 KiB, and as many refusals of `max_error_len` |
    /// | messages in their order | 5 × (`max_outbox_len` + `max_output_len`) |
    /// | tools | 4 × `max_tools_len` |
    /// | the endpoint | [`Limits::memory_bound`] without its input |
    ///
    /// It holds for a caller that drains `poll_event` and `poll_transmit` before it tells more, gives at most 64 KiB at
    /// once, and that only while [`wants_input`](super::Client::wants_input). Not in it: what a caller was handed in
    /// events and requests; the configuration, of which each request holds the headers; buffers of connections.
    ///
    /// ```
    /// use mcp_proto::Limits;
    /// use mcp_proto::http::ClientOptions;
    ///
    /// let mut limits = Limits::client();
    /// (limits.max_message_len, limits.max_output_len) = (64 << 10, 256 << 10);
    /// (limits.max_outbox_len, limits.max_id_len) = (16 << 10, 128);
    /// (limits.max_requests, limits.max_calls, limits.max_batch_len) = (16, 8, 8);
    /// (limits.max_milestones, limits.max_events) = (16, 64);
    /// let mut options = ClientOptions::default();
    /// (options.max_exchanges, options.max_buffered_len) = (16, 256 << 10);
    /// (options.max_error_len, options.max_tools_len) = (16 << 10, 64 << 10);
    /// assert!(options.memory_bound(&limits) < 32 << 20);
    /// ```
    pub fn memory_bound(&self, limits: &Limits) -> usize {
        // Beyond the limit may be those that are said again, one that is no call, a stream that stands, the end of the session.
        let exchanges = sum([self.max_exchanges, limits.max_calls, 8]);
        let repeated = if self.max_exchanges < limits.max_calls {
            self.max_exchanges
        } else {
            limits.max_calls
        };
        let exchange = sum([
            Decoder::bound(0, self.max_event_id_len),
            Position::bound(self.max_event_id_len),
            size_of::<Transmit>() + HEADERS + 4 * PART,
        ]);
        let waiting = sum([limits.max_outbox_len, limits.max_output_len]);
        let messages = sum([waiting / SHORTEST, exchanges]);
        sum([
            size_of::<Client>(),
            Endpoint::<role::Client>::bound(limits),
            times(2, limits.max_message_len),
            tree(exchanges, size_of::<(Exchange, Entry)>()),
            times(exchanges, exchange),
            // A text that grows doubles, and is there twice for a moment.
            times(8, sum([self.max_buffered_len, limits.max_message_len, MAX_READ])),
            times(2, tree(sum([exchanges, limits.max_calls]), size_of::<(i64, Exchange)>())),
            tree(exchanges, size_of::<(Instant, Exchange)>()),
            // Those whose listeners stand still.
            times(3, tree(exchanges, size_of::<(Exchange, i64)>())),
            times(2, queue(times(2, exchanges), size_of::<Transmit>())),
            // Calls whose headers were refused: what was said, and the refusal.
            times(sum([exchanges, repeated]), MAX_REPEATED + PART),
            times(repeated, sum([times(2, self.max_error_len), PART])),
            queue(repeated, size_of::<Refused>()),
            // Messages that must wait for others, and calls that wait for a place.
            times(3, waiting),
            tree(messages, size_of::<(i64, Parked)>()),
            queue(messages, size_of::<Bytes>()),
            times(messages, PART),
            tree(sum([exchanges, limits.max_requests]), size_of::<(Lane, [usize; 4])>()),
            times(exchanges, limits.max_id_len),
            times(4, self.max_tools_len),
            // The faults of one list.
            times(128, 1 << 10),
        ])
    }
}
