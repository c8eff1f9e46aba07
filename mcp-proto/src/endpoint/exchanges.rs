//! Calls that travel in exchanges of their own, as over HTTP: which answers an exchange may carry, and what
//! becomes of a call whose exchange fails.

#[cfg(feature = "http")]
use alloc::string::String;

#[cfg(feature = "http")]
use bytes::Bytes;

use super::calls::Purpose;
#[cfg(feature = "http")]
use super::calls::Tracked;
use super::core::Core;
#[cfg(feature = "http")]
use super::inbound::own_error;
#[cfg(feature = "http")]
use super::outbox::Origin;
use crate::era::Lifecycle;
#[cfg(feature = "http")]
use crate::era::{Next, Opening};
use crate::error::CallError;
#[cfg(feature = "http")]
use crate::error::{CloseReason, HttpError};
use crate::event::Event;
use crate::id::RequestId;
#[cfg(feature = "http")]
use crate::method::Request;
use crate::revision::Era;
use crate::time::Instant;
#[cfg(feature = "http")]
use crate::types::ListTools;
#[cfg(feature = "http")]
use crate::wire::{Message, read_message};

/// Which answers may come with a message.
#[cfg_attr(not(feature = "http"), allow(dead_code))] // a pipe carries all of them
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Carries {
    /// Those to all calls: everything shares one channel.
    #[default]
    All,
    /// That to this call.
    Only(i64),
    /// None.
    Nothing,
}

impl Core {
    /// The exchange of a call has failed: the call ends, once. What opens the conversation decides how it goes on.
    pub(crate) fn handle_call_failed(&mut self, id: &RequestId, error: CallError, now: Instant) {
        self.observe(now);
        let ended = id.as_i64().and_then(|number| self.end_call(number));
        let Some((call, _)) = ended else { return };
        match call.purpose {
            Purpose::Application => {
                self.events.push_back(Event::Response { id: id.clone(), outcome: Err(error) });
            }
            Purpose::Courtesy => {}
            purpose => {
                let Lifecycle::Client(negotiation) = &mut self.life else { return };
                let next = match purpose {
                    Purpose::Probe => negotiation.handle_probe_failed(error),
                    _ => negotiation.handle_initialize_failed(error),
                };
                self.proceed(next, now);
            }
        }
        self.settle();
    }

    /// The peer has forgotten the session: what belonged to it ends, and a new one is opened.
    #[cfg(feature = "http")]
    pub(crate) fn handle_session_lost(&mut self, now: Instant) {
        self.observe(now);
        self.restart(Era::Legacy, now);
    }

    /// The server is a modern one now, which has no sessions.
    #[cfg(feature = "http")]
    pub(crate) fn handle_modern_server(&mut self, now: Instant) {
        self.observe(now);
        self.restart(Era::Modern, now);
    }

    /// Asks the server again whether it is a modern one, beside what goes on. Nothing if that would change nothing. A
    /// process does not change its era, so only a transport asks that may reach another one.
    #[cfg(feature = "http")]
    pub(crate) fn doubt(&mut self, now: Instant) -> Option<i64> {
        let Lifecycle::Client(negotiation) = &mut self.life else { return None };
        let opening = negotiation.doubt()?;
        self.open(opening, now);
        Some(self.calls.last_id())
    }

    /// Whether this error, with which a call was refused, names the other era.
    #[cfg(feature = "http")]
    pub(crate) fn is_of_another_era(&self, frame: &Bytes) -> bool {
        let Lifecycle::Client(negotiation) = &self.life else { return false };
        match read_message(frame, &self.limits, self.tolerance) {
            Ok(Message::Response { outcome: Err(error), .. } | Message::AnonymousError(error)) => {
                negotiation.is_of_another_era(&own_error(frame, &error))
            }
            _ => false,
        }
    }

    /// What was doubted is answered: it holds, unless the server wants a handshake.
    #[cfg(feature = "http")]
    pub(super) fn proceed_in_doubt(&mut self, next: Next, now: Instant) {
        match next {
            Next::Say(opening @ Opening::Initialize(_)) => self.begin_anew(opening, now),
            Next::Say(opening) => self.open(opening, now),
            Next::Ready(_) | Next::Close(_) => {}
        }
    }

    #[cfg(feature = "http")]
    fn restart(&mut self, era: Era, now: Instant) {
        let Lifecycle::Client(negotiation) = &self.life else { return };
        if let Some(opening) = negotiation.restart(era) {
            self.begin_anew(opening, now);
        }
    }

    /// What belonged to the server as it was ends, and the conversation is opened anew.
    #[cfg(feature = "http")]
    fn begin_anew(&mut self, opening: Opening, now: Instant) {
        let Lifecycle::Client(negotiation) = &mut self.life else { return };
        negotiation.forget();
        self.peer = None;
        for number in self.calls.ids() {
            let Some((call, _)) = self.end_call(number) else { continue };
            if call.purpose == Purpose::Application {
                let outcome = Err(CallError::Http(HttpError::SessionExpired));
                self.events.push_back(Event::Response { id: number.into(), outcome });
            }
        }
        for (id, inbound) in self.requests.take() {
            if !inbound.cancelled {
                self.events.push_back(Event::Cancelled { id, reason: None });
            }
        }
        self.deadlines.clear();
        self.batches.clear();
        self.outbox.clear();
        self.holds_progress = false;
        self.open(opening, now);
        self.settle();
    }

    /// Asks for a page of the list of tools, for the transport. Nothing if that cannot be now.
    #[cfg(feature = "http")]
    pub(crate) fn list_tools(&mut self, cursor: Option<String>, now: Instant) -> Option<i64> {
        let params = ListTools { cursor };
        let (purpose, timeouts) = (Purpose::Courtesy, self.life.timeouts());
        let call = self.call(
            ListTools::METHOD,
            &params,
            purpose,
            Tracked::No,
            Origin::NONE,
            None,
            timeouts,
            now,
        );
        call.ok()?.as_i64()
    }

    /// The transport keeps a call of so many bytes that it has taken, for there is no place for it yet.
    #[cfg(feature = "http")]
    pub(crate) fn park(&mut self, len: usize) {
        self.parked_len += len;
    }

    /// It does no longer.
    #[cfg(feature = "http")]
    pub(crate) fn unpark(&mut self, len: usize) {
        self.parked_len = self.parked_len.saturating_sub(len);
    }

    /// Whether a call waits for its answer.
    #[cfg(feature = "http")]
    pub(crate) fn has_call(&self, number: i64) -> bool {
        self.calls.get(number).is_some()
    }

    /// Whether a call is one of those that open the conversation, and which.
    #[cfg(feature = "http")]
    pub(crate) fn opening_of(&self, number: i64) -> Option<Purpose> {
        let purpose = self.calls.get(number)?.purpose;
        matches!(purpose, Purpose::Probe | Purpose::Initialize).then_some(purpose)
    }

    /// Ends the connection because of what HTTP said.
    #[cfg(feature = "http")]
    pub(crate) fn close_for(&mut self, error: HttpError, now: Instant) {
        self.close(CloseReason::Http(error), now);
    }

    /// Whether progress of this call may come with the message that is being read.
    pub(super) fn may_report(&self, number: i64) -> bool {
        match self.carries {
            Carries::All => true,
            Carries::Only(owner) if owner == number => true,
            // MUST be on the stream of its own request from 2026-07-28; basic/transports/streamable-http
            _ => self.life.revision().is_none_or(|revision| revision.era() == Era::Legacy),
        }
    }

    /// Whether the answer to this call may come with the message that is being read.
    pub(super) fn may_answer(&self, number: i64) -> bool {
        match self.carries {
            Carries::All => true,
            Carries::Only(owner) => owner == number,
            Carries::Nothing => false,
        }
    }
}
