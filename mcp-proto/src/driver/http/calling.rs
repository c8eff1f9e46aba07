//! The machine of a client, as its handles see it.

use super::super::link::{Link, Scope, Turn};
use super::super::shared::Shared;
use super::super::sync;
use crate::endpoint::Endpoint;
use crate::event::Event;
use crate::http;
use crate::id::RequestId;
use crate::role;
use crate::time::Instant;

/// What stands behind the mutex of a client on HTTP.
pub(super) struct Calling {
    pub(super) machine: http::Client,
}

pub(super) type Call = sync::Shared<Shared<role::Client, Calling>>;

impl Link<role::Client> for Calling {
    fn endpoint(&self, _: Scope) -> Option<&Endpoint<role::Client>> {
        Some(&self.machine)
    }

    fn endpoint_mut(&mut self, _: Scope) -> Option<&mut Endpoint<role::Client>> {
        Some(self.machine.endpoint_mut())
    }

    /// Each call has a stream of its own: those that wait are [stalled](Self::stall), and nothing else is.
    fn poll_event(&mut self, _decodes: bool) -> Option<(Scope, Event)> {
        Some((Scope::ONLY, self.machine.poll_event()?))
    }

    fn stall(&mut self, id: &RequestId) {
        self.machine.stall(id);
    }

    fn unstall(&mut self, id: &RequestId) {
        self.machine.unstall(id);
    }

    fn ends_with(&self, _: Scope) -> bool {
        true
    }

    fn requests_in_flight(&self) -> usize {
        self.machine.requests_in_flight()
    }

    fn close(&mut self, now: Instant) {
        self.machine.close(now);
    }

    fn handle_transport_error(&mut self, now: Instant) {
        self.machine.endpoint_mut().handle_transport_error(now);
    }

    fn settle(&mut self) -> Turn {
        Turn::Driver
    }
}
