//! What a server on HTTP can hold: the sum over its tables, and over what waits.

use super::conversation::Conversation;
use super::exchange::{Entry, Timer};
use super::options::ServerOptions;
use super::replay::{OF_STREAM, Ring};
use super::session::Session;
use super::stream::{Said, Stream};
use super::{Scope, Server};
use crate::bound::{PART, queue, sum, times, tree};
use crate::config::Limits;
use crate::endpoint::{
    Endpoint, SHORTEST, bound_at_rest, bound_of_batches, bound_of_refusal, bound_of_requests,
};
use crate::role;
use crate::slots::Slots;
use crate::time::Instant;

/// Bytes of the headers of a response, in the table of the type that holds them.
const HEADERS: usize = 2 << 10;

impl ServerOptions {
    /// The bytes that one [`Server`] of these limits asks of the allocator at most, whatever its clients
    /// do: the sum over its tables, each as large as its limit lets it become.
    ///
    /// | part | bytes, about |
    /// |---|---|
    /// | requests that run | (`max_exchanges` + `max_batch_len`) × (2 × `max_id_len` + 80 KiB + `max_milestones` × 200) |
    /// | what waits to be read | 7 × (`max_waiting_len` + `max_output_len` + (`max_exchanges` + 2 × `max_sessions`) × (3 × `max_stream_len` + 100 KiB)) if all of it is in the shortest messages |
    /// | sessions | `max_sessions` × (2 × `max_opening_len` + `max_calls` × (3 KiB + 4 × `max_id_len`) + 3 × `max_outbox_len`) |
    /// | streams that are complete | `max_sessions` × `max_complete_streams` × 600, without what is kept for them |
    /// | exchanges | (2 × (`max_exchanges` + `max_finishing`) + `max_standing_streams`) × 3 KiB |
    /// | the conversation that speaks | one [`Limits::memory_bound`] |
    ///
    /// It holds for a caller that drains events before it hands in more, and lets exchanges go that it does not answer.
    /// Not in it: bodies that are read, and what events hold of them; what is kept for resumption
    /// ([`Ring::memory_bound`]); names of principals; the configuration, and what is written from it; buffers of
    /// connections.
    ///
    /// With the defaults that is much, because a thousand sessions may each have a thousand calls to their clients:
    /// whoever must live in little says so.
    ///
    /// ```
    /// use mcp_proto::Limits;
    /// use mcp_proto::http::ServerOptions;
    ///
    /// let mut limits = Limits::default();
    /// (limits.max_message_len, limits.max_output_len) = (64 << 10, 256 << 10);
    /// (limits.max_outbox_len, limits.max_id_len) = (16 << 10, 128);
    /// (limits.max_requests, limits.max_calls, limits.max_batch_len) = (16, 8, 8);
    /// (limits.max_milestones, limits.max_events) = (16, 64);
    /// let mut options = ServerOptions::default().max_exchanges(64).max_sessions(32).max_standing_streams(32);
    /// (options.max_finishing, options.max_waiting_len) = (16, 1 << 20);
    /// (options.max_stream_len, options.max_complete_streams) = (16 << 10, 8);
    /// assert!(options.memory_bound(&limits) < 256 << 20);
    /// ```
    pub fn memory_bound(&self, limits: &Limits) -> usize {
        let passing = self.max_in_all();
        // As many again may be broken off.
        let exchanges = sum([times(2, passing), self.max_standing_streams, 1]);
        // A batch that is let in opens all of its requests.
        let running = sum([self.max_exchanges, limits.max_batch_len]);
        let streams = sum([limits.max_requests, self.max_streams, 2]);
        // What waits in batches counts with all that waits.
        let session = sum([
            size_of::<Conversation>() + size_of::<Session>() + 2 * PART,
            bound_at_rest(&Limits { max_outbox_len: 0, ..*limits }),
            queue(streams, size_of::<Stream>()),
            times(2, sum([self.max_opening_len, PART])),
        ]);
        let single = Limits { max_outbox_len: 0, max_calls: 0, max_requests: 1, ..*limits };
        let exchange = sum([
            size_of::<Conversation>() + PART,
            bound_at_rest(&single),
            queue(1, size_of::<Stream>()),
        ]);
        // Of those that only announce something, too.
        let single = sum([running, passing]);
        // The place of one that has ended is kept.
        let conversations = sum([self.max_sessions, single, 1]);
        let complete = times(
            self.max_sessions,
            queue(sum([self.max_complete_streams, 1]), size_of::<(Instant, Stream)>()),
        );
        let named =
            sum([running, times(self.max_sessions, sum([streams, self.max_complete_streams]))]);
        sum([
            size_of::<Server>(),
            times(Slots::<Entry>::bound(exchanges), 2 * size_of::<Option<(i64, Entry)>>()),
            times(exchanges, HEADERS),
            queue(sum([times(2, exchanges), 16]), size_of::<u64>()),
            times(Slots::<Entry>::bound(conversations), 2 * size_of::<Option<(i64, u64)>>()),
            times(self.max_sessions, session),
            times(single, exchange),
            size_of::<Conversation>() + PART,
            complete,
            bound_of_requests(limits, running),
            Endpoint::<role::Server>::bound(limits),
            self.bound_of_waiting(limits, running),
            // Sessions by their ids, by who opened them, and by when they end.
            times(3, tree(self.max_sessions, size_of::<[u64; 8]>())),
            tree(sum([conversations, exchanges]), size_of::<(Instant, Timer)>()),
            times(3, queue(conversations, size_of::<Scope>())),
            // What is kept for resumption has a name for each, and a turn.
            sum(OF_STREAM.map(|entry| tree(named, entry))),
            // The address that HTTP+SSE announces.
            times(self.max_standing_streams, 8 * PART),
        ])
    }

    /// Of what waits to be read.
    fn bound_of_waiting(&self, limits: &Limits, running: usize) -> usize {
        // Up to its bound, a message beyond it, and the answer; or what was merged, and an error.
        let stream = sum([
            times(3, self.max_stream_len),
            bound_of_requests(limits, 1),
            bound_of_refusal(limits),
        ]);
        let session = sum([times(2, stream), times(limits.max_calls, bound_of_refusal(limits))]);
        let len = sum([
            self.max_waiting_len,
            limits.max_output_len,
            times(sum([limits.max_batch_len, self.max_finishing]), bound_of_refusal(limits)),
            times(running, stream),
            times(self.max_sessions, session),
        ]);
        let messages = sum([len / SHORTEST, running, self.max_sessions]);
        let whole = times(self.max_sessions, limits.max_outbox_len);
        let batched = bound_of_batches(limits, if whole < len { whole } else { len });
        sum([len, times(messages, PART), queue(messages, size_of::<Said>()), batched])
    }
}

impl Ring {
    /// The bytes that it asks of the allocator at most, as [`ServerOptions::memory_bound`] does not count them.
    pub const fn memory_bound(&self) -> usize {
        // An entry counts for about what it takes.
        times(2, self.max_len())
    }
}
