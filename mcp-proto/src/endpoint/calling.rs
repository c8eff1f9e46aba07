//! What this side asks for: calls, notifications, and taking a call back.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::Serialize;

use super::calls::{Call, Deadline, Purpose, Tracked};
use super::core::{Core, MAX_TEXT_LEN};
use super::deadlines::Timer;
use super::outbox::{Origin, Place, Route};
use super::requests::{Inbound, Outlet};
use crate::config::{CallOptions, Timeouts, Tracking};
use crate::era::{ClientStamp, Lifecycle};
use crate::error::{CallError, SendError};
use crate::event::Event;
use crate::id::{ProgressToken, RequestId};
use crate::json::{EncodeError, RawJson, bounded, write_value};
use crate::method::{LISTEN, Notification};
use crate::progress::Receiver;
use crate::time::Instant;
use crate::types::{Initialized, meta};
use crate::wire::{Head, Stamps, object_with_meta, write_head, write_notification};

impl Core {
    pub(crate) fn request<T: Serialize + ?Sized>(
        &mut self,
        method: &str,
        params: &T,
        options: CallOptions,
        now: Instant,
    ) -> Result<RequestId, SendError> {
        self.observe(now);
        let timeouts = options.timeouts.unwrap_or_else(|| self.life.timeouts());
        let tracking = match options.tracking {
            Tracking::IfTimed if timeouts.wants_progress() => Tracked::Own,
            Tracking::IfTimed | Tracking::Never => Tracked::No,
            Tracking::Wanted => Tracked::Own,
            Tracking::Token(token)
                if token.as_str().is_some_and(|text| text.len() > self.limits.max_id_len) =>
            {
                return Err(SendError::TokenTooLong);
            }
            Tracking::Token(token) if self.calls.is_taken(&token) => {
                return Err(SendError::TokenInUse);
            }
            Tracking::Token(token) => Tracked::Custom(Box::new(token)),
        };
        let origin = match &options.related {
            Some(id) => self.open_request(id)?.origin,
            None => self.check_outlet()?,
        };
        let meta = options.meta.as_ref();
        self.call(method, params, Purpose::Application, tracking, origin, meta, timeouts, now)
    }

    #[allow(clippy::too_many_arguments)] // the one place where a call is put together
    pub(super) fn call<T: Serialize + ?Sized>(
        &mut self,
        method: &str,
        params: &T,
        purpose: Purpose,
        tracking: Tracked,
        origin: Origin,
        meta: Option<&RawJson>,
        timeouts: Timeouts,
        now: Instant,
    ) -> Result<RequestId, SendError> {
        self.check_open()?;
        let hold = self.must_hold()?;
        // The engine's own call, behind which those of the application are held, takes no place of theirs.
        if self.calls.len() >= self.limits.max_calls.saturating_add(usize::from(hold)) {
            return Err(SendError::TooManyCalls);
        }
        self.check_room()?;
        let room = self.output_room();
        let number = self.calls.next_id();
        let id = RequestId::from(number);
        let queued = if hold {
            self.hold(Some(number), method, params, meta)?;
            None
        } else {
            let token = token_of(&tracking, number);
            let stamp = client_stamp(&self.life);
            Some(self.outbox.push::<SendError>(Route::Call(id.clone()), origin, |out| {
                let before = out.len();
                write_request(out, &id, method, params, token.as_ref(), meta, stamp)?;
                check_fits(out.len() - before, room)
            })?)
        };
        self.enter(number, queued, purpose, tracking, origin, timeouts, now);
        if method == LISTEN
            && let Some(call) = self.calls.get_mut(number)
        {
            call.subscribes = true;
        }
        Ok(id)
    }

    #[allow(clippy::too_many_arguments)] // the one place where a call is entered
    pub(super) fn enter(
        &mut self,
        number: i64,
        queued: Option<Place>,
        purpose: Purpose,
        tracking: Tracked,
        origin: Origin,
        timeouts: Timeouts,
        now: Instant,
    ) {
        let call = Call {
            purpose,
            tracking,
            queued,
            receiver: Receiver::default(),
            started: now,
            idle: Deadline::new(timeouts.idle, now),
            total: timeouts.total.map(|total| now + total),
            lenient: false,
            subscribes: false,
            origin,
        };
        if let Some(at) = call.due() {
            self.deadlines.arm(at, Timer::Call(number));
        }
        self.calls.insert(number, call);
        self.settle();
    }

    pub(crate) fn notify<T: Serialize + ?Sized>(
        &mut self,
        method: &str,
        params: &T,
    ) -> Result<(), SendError> {
        self.check_open()?;
        check_ours(method)?;
        self.check_room()?;
        self.check_outlet()?;
        if self.must_hold()? {
            return self.hold(None, method, params, None);
        }
        self.announce(None, method, params)
    }

    /// As [`notify`](Self::notify), for a request of the peer.
    pub(crate) fn notify_for<T: Serialize + ?Sized>(
        &mut self,
        request: &RequestId,
        method: &str,
        params: &T,
    ) -> Result<(), SendError> {
        self.open_request(request)?;
        check_ours(method)?;
        self.announce(Some(request), method, params)
    }

    /// Queues a notification, behind what was queued for its request before.
    pub(super) fn announce<T: Serialize + ?Sized>(
        &mut self,
        request: Option<&RequestId>,
        method: &str,
        params: &T,
    ) -> Result<(), SendError> {
        self.check_room()?;
        let room = self.output_room();
        let inbound = request.and_then(|id| self.requests.get_mut(id));
        let (previous, origin) = match &inbound {
            Some(inbound) => (inbound.queued, inbound.origin),
            None => (None, Origin::NONE),
        };
        let route = request.map_or(Route::Standalone, |id| Route::Related(id.clone()));
        let place = self.outbox.push_behind::<SendError>(previous, route, origin, |out| {
            let before = out.len();
            write_notification(out, method, params)?;
            check_fits(out.len() - before, room)
        })?;
        if let Some(inbound) = inbound {
            inbound.queued = Some(place);
        }
        Ok(())
    }

    /// Where what belongs to no request goes, if it can leave.
    pub(super) fn check_outlet(&self) -> Result<Origin, SendError> {
        match self.outlet {
            Outlet::Open => Ok(Origin::NONE),
            Outlet::Held => Err(SendError::OutboxFull),
            Outlet::Shut => Err(SendError::Undeliverable),
        }
    }

    /// A request of the peer for which something may be sent before its answer.
    pub(super) fn open_request(&self, id: &RequestId) -> Result<&Inbound, SendError> {
        self.check_open()?;
        match self.requests.get(id) {
            None => Err(SendError::UnknownRequest),
            Some(inbound) if inbound.cancelled => Err(SendError::Cancelled),
            Some(Inbound { outlet: Outlet::Held, .. }) => Err(SendError::OutboxFull),
            Some(Inbound { outlet: Outlet::Shut, .. }) => Err(SendError::Undeliverable),
            Some(inbound) => Ok(inbound),
        }
    }

    pub(crate) fn cancel(&mut self, id: &RequestId, reason: Option<&str>, now: Instant) {
        self.observe(now);
        if let Some(number) = id.as_i64()
            && self.calls.get(number).is_some_and(|call| call.purpose == Purpose::Application)
        {
            self.give_up(number, reason, CallError::Cancelled);
        }
        self.settle();
    }

    /// Ends a call from this side, and tells the peer if it may have heard of it.
    pub(super) fn give_up(&mut self, number: i64, reason: Option<&str>, error: CallError) {
        let Some((call, sent)) = self.end_call(number) else { return };
        let id = RequestId::from(number);
        if sent {
            let reason = reason.map(|reason| bounded(reason, MAX_TEXT_LEN));
            let params = Cancelled { request_id: &id, reason };
            // It bypasses the outbox limit: there is at most one for each call, and calls are limited.
            let _ = self.outbox.push(Route::Cancel(id.clone()), call.origin, |out| {
                write_notification(out, "notifications/cancelled", &params)
            });
        }
        if call.purpose == Purpose::Application {
            self.events.push_back(Event::Response { id, outcome: Err(error) });
        }
    }

    /// Takes a call out of every table: the one way for a call to end. Says whether the peer may have
    /// heard of it; if not, it never will.
    pub(super) fn end_call(&mut self, number: i64) -> Option<(Call, bool)> {
        let call = self.calls.remove(number)?;
        if !call.is_held() {
            let sent = self.revoke(call.queued) == 0;
            return Some((call, sent));
        }
        self.drop_held(number);
        Some((call, false))
    }

    /// Bytes that one more message may have.
    pub(super) fn output_room(&self) -> usize {
        self.limits.max_output_len.saturating_sub(self.waiting_len())
    }

    /// Bytes that are still to be sent, wherever they are.
    fn waiting_len(&self) -> usize {
        self.outbox.len() + self.batches.held() + self.held_len + self.parked_len
    }

    pub(super) fn check_room(&self) -> Result<(), SendError> {
        let is_full = self.waiting_len() >= self.limits.max_outbox_len;
        if is_full { Err(SendError::OutboxFull) } else { Ok(()) }
    }
}

/// What the engine alone says, for it knows when: an application has verbs for it.
fn check_ours(method: &str) -> Result<(), SendError> {
    match method {
        "notifications/cancelled" | Initialized::METHOD | "notifications/progress" => {
            Err(SendError::Unsupported)
        }
        _ => Ok(()),
    }
}

/// Whether so many bytes may be queued.
pub(super) fn check_fits(len: usize, room: usize) -> Result<(), SendError> {
    if len > room { Err(SendError::OutboxFull) } else { Ok(()) }
}

/// `notifications/cancelled`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Cancelled<'a> {
    request_id: &'a RequestId,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

pub(super) fn write_request<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    id: &RequestId,
    method: &str,
    params: &T,
    token: Option<&ProgressToken>,
    more: Option<&RawJson>,
    stamp: Option<&ClientStamp>,
) -> Result<(), EncodeError> {
    let mut token_json = Vec::new();
    if let Some(token) = token {
        write_value(&mut token_json, token)?;
    }
    let token = token.map(|_| (meta::PROGRESS_TOKEN, &*token_json));
    let stamps: Vec<_> =
        token.into_iter().chain(stamp.into_iter().flat_map(ClientStamp::meta)).collect();
    write_head(out, Head::Request(id, method));
    object_with_meta(
        out,
        params,
        Stamps {
            meta: &stamps,
            more: more.map(RawJson::as_raw),
            reserved: &meta::OF_REQUESTS,
            ..Stamps::default()
        },
    )?;
    out.push(b'}');
    Ok(())
}

pub(super) fn token_of(tracking: &Tracked, number: i64) -> Option<ProgressToken> {
    match tracking {
        Tracked::No => None,
        Tracked::Own => Some(number.into()),
        Tracked::Custom(token) => Some((**token).clone()),
    }
}

pub(super) fn client_stamp(life: &Lifecycle) -> Option<&ClientStamp> {
    match life {
        Lifecycle::Client(negotiation) => negotiation.stamp(),
        Lifecycle::Server(_) => None,
    }
}
