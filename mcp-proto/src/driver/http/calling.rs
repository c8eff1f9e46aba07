//! The machine of a client, as its handles see it.

use alloc::string::String;

use super::super::link::{Link, Scope, Turn};
use super::super::shared::Shared;
use super::super::sync;
use crate::endpoint::Endpoint;
use crate::event::Event;
use crate::http;
use crate::role;
use crate::time::Instant;

/// What stands behind the mutex of a client on HTTP.
pub(super) struct Calling {
    pub(super) machine: http::Client,
    /// What the HTTP library said last when an exchange failed.
    pub(super) trouble: Option<String>,
}

pub(super) type Call = sync::Shared<Shared<role::Client, Calling>>;

impl Link<role::Client> for Calling {
    fn endpoint(&self, _: Scope) -> Option<&Endpoint<role::Client>> {
        Some(self.machine.endpoint())
    }

    fn endpoint_mut(&mut self, _: Scope) -> Option<&mut Endpoint<role::Client>> {
        Some(self.machine.endpoint_mut())
    }

    fn poll_event(&mut self, decodes: bool) -> Option<(Scope, Event)> {
        let event = if decodes { self.machine.poll_event() } else { self.machine.poll_decoded() };
        Some((Scope::ONLY, event?))
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
        self.machine.handle_transport_error(now);
    }

    fn settle(&mut self) -> Turn {
        Turn::Driver
    }

    fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}
