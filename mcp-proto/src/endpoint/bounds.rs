//! What parts of an endpoint take, for a transport that has many of them.

use super::batches::Batches;
use super::calls::Calls;
use super::core::{KEPT_EVENTS, MAX_TEXT_LEN};
use super::deadlines::Deadlines;
use super::outbox::Outbox;
use super::requests::{Inbound, Requests};
use crate::bound::{queue, sum, times};
use crate::config::Limits;
use crate::event::Event;
use crate::id::RequestId;
use crate::wire::ProgressLayout;

/// Bytes that the tables of an endpoint take at most once all it said was taken, its events too, and without what its
/// requests hold.
pub(crate) const fn bound_at_rest(limits: &Limits) -> usize {
    sum([
        Calls::bound(limits),
        Batches::bound(limits),
        Deadlines::bound(limits),
        Outbox::bound_empty(),
        queue(limits.max_requests, size_of::<(RequestId, Inbound)>()),
        times(2 * KEPT_EVENTS, size_of::<Event>()),
        size_of::<ProgressLayout>(),
    ])
}

/// Bytes that so many requests of peers take at most.
pub(crate) const fn bound_of_requests(limits: &Limits, requests: usize) -> usize {
    Requests::bound(&Limits { max_requests: requests, ..*limits })
}

/// Bytes of an answer, or of a cancellation, that is written whatever waits. In JSON a byte may become six.
pub(crate) const fn bound_of_refusal(limits: &Limits) -> usize {
    sum([times(6, sum([limits.max_id_len, MAX_TEXT_LEN])), MAX_TEXT_LEN])
}

/// Bytes that answers of so many bytes take at most while they wait for the rest of their batches.
pub(crate) const fn bound_of_batches(limits: &Limits, len: usize) -> usize {
    Batches::bound(&Limits { max_outbox_len: len, max_requests: 0, ..*limits })
}
