//! What a transport with several places tells of each of them, and asks.

use alloc::vec::Vec;

use bytes::Bytes;
use serde::Serialize;

use super::core::Core;
use super::outbox::Origin;
use super::requests::{Outlet, Settled};
use crate::era::Lifecycle;
use crate::event::Event;
use crate::id::RequestId;
use crate::time::Instant;
use crate::wire::{Malformed, Message, RequestMeta};

/// The result of a subscription that the server ends.
#[derive(Serialize)]
struct SubscriptionEnded<'a> {
    #[serde(rename = "_meta")]
    meta: EndedMeta<'a>,
}

#[derive(Serialize)]
struct EndedMeta<'a> {
    #[serde(rename = "io.modelcontextprotocol/subscriptionId")]
    subscription_id: &'a RequestId,
}

impl Core {
    /// As [`handle_message`](Self::handle_message), of a message from `origin` that was read before, and `meta` of it if it is a
    /// request. Says how many requests it opened.
    pub(crate) fn handle_message_from(
        &mut self,
        origin: Origin,
        frame: &Bytes,
        read: Result<Message<'_>, Malformed>,
        meta: &RequestMeta<'_>,
        at: Instant,
    ) -> u64 {
        self.observe(at);
        self.begin_message(at);
        if self.is_closed() {
            return 0;
        }
        let before = self.requests.entered();
        self.reading = origin;
        match read {
            Ok(Message::Request { id, method, params }) => {
                self.handle_request(frame, id, method, params, meta, at);
            }
            other => self.handle_read(frame, other, at),
        }
        self.reading = Origin::NONE;
        self.settle();
        self.requests.entered() - before
    }

    /// Whether the client of a session has done more than open it: it has said that it is ready, or has asked for
    /// something, as it may before that is heard.
    pub(crate) fn is_used(&self) -> bool {
        let is_ready = matches!(&self.life, Lifecycle::Server(serving) if serving.is_initialized());
        is_ready || self.requests.entered() > 0
    }

    /// Sets how many bytes may wait for the peer, where others share the room for them.
    pub(crate) fn set_max_output_len(&mut self, len: usize) {
        self.limits.max_output_len = len;
    }

    /// Makes room for an answer of so many bytes, which is sure to come.
    pub(crate) fn expect_output(&mut self, len: usize) {
        self.outbox.reserve(len);
    }

    /// Bytes of answers that wait for the rest of their batch.
    pub(crate) fn held_in_batches(&self) -> usize {
        self.batches.held()
    }

    /// A request that wants no answer any more, because it has it or was cancelled.
    pub(crate) fn poll_settled(&mut self) -> Option<Settled> {
        self.settled.pop()
    }

    /// The origin of a request of the peer.
    pub(crate) fn origin_of(&self, id: &RequestId) -> Option<Origin> {
        self.requests.get(id).filter(|inbound| !inbound.cancelled).map(|inbound| inbound.origin)
    }

    /// Says whether what belongs to the requests of an origin can leave; from nowhere comes what belongs to none.
    pub(crate) fn set_outlet(&mut self, origin: Origin, outlet: Outlet, now: Instant) {
        self.observe(now);
        if origin == Origin::NONE {
            self.outlet = outlet;
        }
        for id in self.requests_of(origin) {
            let Some(inbound) = self.requests.get_mut(&id) else { continue };
            inbound.outlet = outlet;
            match outlet {
                Outlet::Open => {
                    self.flush_paced(&id, now);
                    self.arm_flush(&id, now);
                }
                Outlet::Held => inbound.flush_at = None,
                Outlet::Shut => {
                    inbound.flush_at = None;
                    if inbound.has_waiting() {
                        inbound.reporter = None;
                        self.events.push_back(Event::Undelivered { id });
                    }
                }
            }
        }
        self.settle();
    }

    /// Nobody waits for the answers to the requests of an origin any more.
    pub(crate) fn withdraw_from(&mut self, origin: Origin, now: Instant) {
        self.observe(now);
        for id in self.requests_of(origin) {
            self.withdraw(id, None);
        }
        self.settle();
    }

    /// Answers the subscriptions of an origin: they have ended. The application still has to let them go.
    pub(crate) fn end_subscriptions(&mut self, origin: Origin, now: Instant) {
        self.observe(now);
        for id in self.requests_of(origin) {
            self.flush(&id, 0);
            let Some(inbound) = self.requests.get_mut(&id).filter(|inbound| !inbound.cancelled)
            else {
                continue;
            };
            let era = inbound.speech.revision.era();
            // It stands before the answer, and is not taken back.
            inbound.queued = None;
            let ended = SubscriptionEnded { meta: EndedMeta { subscription_id: &id } };
            self.reading = origin;
            self.answer(&id, &ended, era);
            self.reading = Origin::NONE;
            self.withdraw(id, None);
        }
        self.settle();
    }

    /// Whether what belongs to no request of the peer waits, for its reader is slow.
    #[cfg(feature = "snapshot")]
    pub(crate) fn is_held(&self) -> bool {
        self.outlet == Outlet::Held
    }

    /// The newest origin that is still known here.
    #[cfg(feature = "snapshot")]
    pub(crate) fn newest_origin(&self) -> Origin {
        let requests = self.requests.iter().map(|(_, inbound)| inbound.origin);
        let calls = self.calls.iter().map(|(_, call)| call.origin);
        let all = requests.chain(calls).chain(self.batches.origins()).chain(self.outbox.origins());
        all.chain(self.settled.iter().map(|settled| settled.origin)).max().unwrap_or_default()
    }

    /// What the requests of an origin were told that want an answer still.
    #[cfg(feature = "snapshot")]
    pub(crate) fn outlets_of(&self, origin: Origin) -> impl Iterator<Item = Outlet> + Clone {
        let live = self.requests.iter().filter(|(_, inbound)| !inbound.cancelled);
        live.filter(move |(_, inbound)| inbound.origin == origin).map(|(_, inbound)| inbound.outlet)
    }

    /// Whether every request from elsewhere that wants an answer knows that nothing else can leave.
    #[cfg(feature = "snapshot")]
    pub(crate) fn strays_are_shut(&self, is_here: impl Fn(Origin) -> bool) -> bool {
        let mut live = self.requests.iter().filter(|(_, inbound)| !inbound.cancelled);
        live.all(|(_, inbound)| is_here(inbound.origin) || inbound.outlet == Outlet::Shut)
    }

    /// The request of an origin, if it is one; a batch brings many.
    pub(crate) fn only_request_of(&self, origin: Origin) -> Option<RequestId> {
        <[RequestId; 1]>::try_from(self.requests_of(origin)).ok().map(|[id]| id)
    }

    fn requests_of(&self, origin: Origin) -> Vec<RequestId> {
        let of_it = self.requests.iter().filter(|(_, inbound)| inbound.origin == origin);
        of_it.map(|(id, _)| id.clone()).collect()
    }
}
