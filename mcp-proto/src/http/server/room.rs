//! Who may still come in when the server is full, or about to stop.

use http::Method;
use http::request::Parts;

use super::super::names::{LAST_EVENT, METHOD};
use super::Server;
use super::options::ServerOptions;
use super::post::{Read, names_session};
use crate::method::Request as _;
use crate::role;
use crate::types::Ping;
use crate::wire::Message;

/// What there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Everything,
    /// Only what frees or finishes work. To keep that out would keep the server full.
    Finishing,
}

impl Server {
    /// Whether there is room for a request with this head, or else why not.
    pub(super) fn room_for(&self, head: &Parts) -> Result<Room, &'static str> {
        let (hub, options) = (&self.hub, &*self.hub.options);
        if head.method == Method::GET && !resumes(head, options) {
            // It may be refused yet, and then takes the place of a request until that is told.
            let has_place = self.passing() < options.max_in_all();
            return match hub.exchanges.standing() < options.max_standing_streams {
                _ if hub.is_draining || !has_place => Err(self.why_busy()),
                true => Ok(Room::Everything),
                false => Err("too many streams are open"),
            };
        }
        let passing = self.passing();
        let is_full = hub.is_draining
            || passing.max(self.running()).max(hub.in_flight) >= options.max_exchanges
            || hub.waiting() > options.max_waiting_len;
        match is_full {
            false => Ok(Room::Everything),
            true if passing < options.max_in_all() && may_finish(head, options) => {
                Ok(Room::Finishing)
            }
            true => Err(self.why_busy()),
        }
    }

    /// Why nothing new is taken.
    pub(super) fn why_busy(&self) -> &'static str {
        match self.hub.is_draining {
            true => "the server is about to stop",
            false => "too many requests at once",
        }
    }

    /// Exchanges that have the place of one that ends by itself. Those that were broken off hold up nobody, unless nobody
    /// ever lets them go: then they count beyond as many as there are places.
    fn passing(&self) -> usize {
        let (exchanges, spare) = (&self.hub.exchanges, self.hub.options.max_in_all());
        exchanges.passing() + exchanges.broken().saturating_sub(spare)
    }

    /// Conversations of one exchange, those included that it has left.
    pub(super) fn running(&self) -> usize {
        self.conversations.len().saturating_sub(self.hub.sessions.len())
    }
}

impl ServerOptions {
    /// Exchanges that wait for their end, at most.
    pub(super) fn max_in_all(&self) -> usize {
        self.max_exchanges.saturating_add(self.max_finishing)
    }
}

/// Whether a request, as far as its head tells, may be one that frees or finishes work.
fn may_finish(head: &Parts, options: &ServerOptions) -> bool {
    let announces = |method: &http::HeaderValue| method.as_bytes().starts_with(b"notifications/");
    head.method != Method::POST
        || names_session(head, options)
        || head.headers.get(METHOD).is_some_and(announces)
}

/// Whether a message opens no request.
pub(super) fn finishes(read: &Read<'_>) -> bool {
    let is_one = |message: &Message<'_>| {
        let opens = matches!(message, Message::Request { .. } | Message::Batch);
        !opens
    };
    read.as_ref().is_ok_and(is_one)
}

/// Whether a message is a request that takes a place among those that run; of a batch each member is looked at by itself.
pub(super) fn runs(read: &Read<'_>) -> bool {
    matches!(read, Ok(Message::Request { method, .. }) if **method != *Ping::<role::Client>::METHOD.as_bytes())
}

/// Whether a GET takes up a stream that its client has seen before. Without a session it opens one, whatever it has seen.
fn resumes(head: &Parts, options: &ServerOptions) -> bool {
    names_session(head, options)
        && head.headers.get(LAST_EVENT).is_some_and(|id| !id.as_bytes().trim_ascii().is_empty())
}
