//! What stands behind the mutex: a byte pipe with one endpoint, or a machine with many.

#[cfg(feature = "http")]
use core::task::Waker;

use crate::endpoint::Endpoint;
use crate::error::SendError;
use crate::event::Event;
use crate::id::RequestId;
use crate::role::Role;
use crate::stdio::Connection;
use crate::time::Instant;

/// Which endpoint of a link. Ids and serials of requests are unique within one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scope(pub(super) u64);

impl Scope {
    /// That of a link with one endpoint.
    pub(super) const ONLY: Self = Self(0);
}

/// Who sees to what follows from a change.
pub(super) enum Turn {
    /// The driver.
    Driver,
    /// A task that waits for something to send.
    #[cfg(feature = "http")]
    Task(Waker),
    /// It has been seen to, or will be when its time has come.
    #[cfg(feature = "http")]
    Nobody,
}

/// Says something in one conversation.
pub(super) type Say<'a, R> = dyn FnMut(&mut Endpoint<R>) -> Result<(), SendError> + 'a;

/// A machine that moves messages between endpoints and a transport. Who holds one knows its type; the handles do
/// not, which is why they are the same for every transport.
pub(super) trait Link<R: Role>: Send {
    /// The endpoint of a scope, unless that has ended.
    fn endpoint(&self, scope: Scope) -> Option<&Endpoint<R>>;

    /// The same, to be changed; [`settle`](Self::settle) follows.
    fn endpoint_mut(&mut self, scope: Scope) -> Option<&mut Endpoint<R>>;

    /// What happened, in order. What has been received and not decoded yet stays so unless `decodes`.
    fn poll_event(&mut self, decodes: bool) -> Option<(Scope, Event)>;

    /// The queue of this call is full: where streams are apart, its own is to wait.
    fn stall(&mut self, _: &RequestId) {}

    /// It is full no more.
    fn unstall(&mut self, _: &RequestId) {}

    /// Whether the end of this scope is the end of the link.
    fn ends_with(&self, scope: Scope) -> bool;

    /// Requests of the peer that wait for an answer, of all scopes.
    fn requests_in_flight(&self) -> usize;

    /// Ends every scope.
    fn close(&mut self, now: Instant);

    /// Nothing can be sent or received any more, in any scope.
    fn handle_transport_error(&mut self, now: Instant);

    /// Says what belongs to no request, to each peer to whom that can be said.
    fn announce(&mut self, say: &mut Say<'_, R>) -> Result<(), SendError> {
        say(self.endpoint_mut(Scope::ONLY).ok_or(SendError::Closed)?)
    }

    /// Ends the response of a request that goes on, if its client can come back for the rest.
    fn close_stream(&mut self, _: Scope, _: &RequestId, _: Instant) -> bool {
        false
    }

    /// A handle has changed something: whose turn it is now.
    fn settle(&mut self) -> Turn;
}

impl<R: Role> Link<R> for Connection<R> {
    fn endpoint(&self, _: Scope) -> Option<&Endpoint<R>> {
        Some(self)
    }

    fn endpoint_mut(&mut self, _: Scope) -> Option<&mut Endpoint<R>> {
        Some(Self::endpoint_mut(self))
    }

    #[inline]
    fn poll_event(&mut self, decodes: bool) -> Option<(Scope, Event)> {
        let event = match decodes {
            true => Self::poll_event(self),
            false => Self::endpoint_mut(self).poll_event(),
        };
        Some((Scope::ONLY, event?))
    }

    fn ends_with(&self, _: Scope) -> bool {
        true
    }

    fn requests_in_flight(&self) -> usize {
        Endpoint::requests_in_flight(self)
    }

    fn close(&mut self, now: Instant) {
        Self::close(self, now);
    }

    fn handle_transport_error(&mut self, now: Instant) {
        Self::handle_transport_error(self, now);
    }

    #[inline]
    fn settle(&mut self) -> Turn {
        Turn::Driver
    }
}
