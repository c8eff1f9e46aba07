//! How a conversation opens: the handshake, and what the application asked for before it was over.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::calling::{check_fits, client_stamp, token_of, write_request};
use super::calls::{Purpose, Tracked};
use super::core::{Core, Phase};
use super::outbox::{Origin, Route};
use crate::config::Timeouts;
#[cfg(feature = "testing")]
use crate::digest::Digest;
use crate::era::{Lifecycle, Next, Opening};
use crate::error::{CallError, SendError};
use crate::event::{Event, PeerInfo};
use crate::id::RequestId;
use crate::json::RawJson;
#[cfg(feature = "snapshot")]
use crate::json::{Kind, Raw};
use crate::method::{Notification, Request};
use crate::revision::Era;
use crate::time::Instant;
use crate::types::{Discover, Initialize, Initialized, SetLevel};
use crate::wire::{Stamps, object_with_meta, write_notification};

/// Something to be sent once the peer is ready.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Held {
    /// The call that it is; none for a notification.
    pub(super) call: Option<i64>,
    /// The newest call at the time, itself included: what is held is sorted by it.
    newest: i64,
    method: String,
    #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
    params: Vec<u8>,
    #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
    meta: Option<RawJson>,
}

impl Core {
    pub(super) fn open(&mut self, opening: Opening, now: Instant) {
        let Lifecycle::Client(negotiation) = &self.life else { return };
        let config = &negotiation.config;
        let (purpose, timeout) = match opening {
            Opening::Probe(_) => (Purpose::Probe, negotiation.probe_timeout()),
            Opening::Initialize(_) => (Purpose::Initialize, config.handshake_timeout),
        };
        let number = self.calls.next_id();
        let id = RequestId::from(number);
        let outbox = &mut self.outbox;
        // These parameters have string keys only, so writing them cannot fail.
        let queued = match opening {
            Opening::Probe(revision) => {
                let stamp = negotiation.stamp_for(revision);
                outbox.push(Route::Call(id.clone()), Origin::NONE, |out| {
                    write_request(
                        out,
                        &id,
                        Discover::METHOD,
                        &Discover {},
                        None,
                        None,
                        Some(&stamp),
                    )
                })
            }
            Opening::Initialize(revision) => {
                let params =
                    Initialize::new(revision, config.capabilities.clone(), config.info.clone());
                outbox.push(Route::Call(id.clone()), Origin::NONE, |out| {
                    write_request(out, &id, Initialize::METHOD, &params, None, None, None)
                })
            }
        };
        let queued = queued.ok();
        let timeouts = Timeouts::NEVER.total(timeout);
        self.enter(number, queued, purpose, Tracked::No, Origin::NONE, timeouts, now);
    }

    pub(super) fn proceed(&mut self, next: Next, now: Instant) {
        #[cfg(feature = "http")]
        if self.peer.is_some() {
            return self.proceed_in_doubt(next, now);
        }
        match next {
            Next::Say(opening) => self.open(opening, now),
            Next::Close(reason) => self.close(reason, now),
            Next::Ready(peer) => {
                if peer.revision.era() == Era::Legacy {
                    let _ = self.outbox.push(Route::Standalone, Origin::NONE, |out| {
                        write_notification(out, Initialized::METHOD, &Initialized {})
                    });
                    self.ask_for_logs(&peer, now);
                } else {
                    self.dismiss_requests();
                }
                self.met(peer);
                self.release_held();
            }
        }
    }

    /// Requests that came before the era was known, of a server that turned out to be modern: such a server must
    /// not ask, and is never answered.
    fn dismiss_requests(&mut self) {
        let all: Vec<_> = self.requests.iter().map(|(id, _)| id.clone()).collect();
        for id in all {
            self.withdraw(id, None);
        }
    }

    pub(super) fn met(&mut self, peer: Box<PeerInfo>) {
        self.peer = Some((*peer).clone());
        self.events.push_back(Event::Ready(peer));
    }

    /// A legacy session has one level for all; the modern era names it in each request.
    pub(super) fn ask_for_logs(&mut self, peer: &PeerInfo, now: Instant) {
        let Lifecycle::Client(negotiation) = &self.life else { return };
        let Some(level) = negotiation.config.log_level else { return };
        if peer.capabilities.get("logging").is_none() {
            return;
        }
        // It bypasses the limits: there is one in the life of a connection.
        let number = self.calls.next_id();
        let id = RequestId::from(number);
        let params = SetLevel::new(level);
        let queued = self.outbox.push(Route::Call(id.clone()), Origin::NONE, |out| {
            write_request(out, &id, SetLevel::METHOD, &params, None, None, None)
        });
        let timeouts = self.life.timeouts();
        let (purpose, tracking) = (Purpose::Courtesy, Tracked::No);
        self.enter(number, queued.ok(), purpose, tracking, Origin::NONE, timeouts, now);
    }

    /// Whether this is a server whose client has opened a session, and has still to say that it begins.
    pub(crate) fn is_opened(&self) -> bool {
        let Lifecycle::Server(serving) = &self.life else { return false };
        serving.session().is_some() && !serving.is_initialized()
    }

    /// Whether what the application asks for has to wait until the peer is ready.
    pub(super) fn must_hold(&self) -> Result<bool, SendError> {
        match &self.life {
            Lifecycle::Client(negotiation) => Ok(negotiation.revision().is_none()),
            Lifecycle::Server(serving) if serving.is_initialized() => match self.phase {
                Phase::Open => Ok(false),
                _ => Err(SendError::Closed),
            },
            Lifecycle::Server(serving) if serving.session().is_some() => Err(SendError::NotReady),
            // Without a session there is only the modern era, in which a server asks nothing.
            Lifecycle::Server(_) => Err(SendError::Unsupported),
        }
    }

    pub(super) fn hold<T: Serialize + ?Sized>(
        &mut self,
        call: Option<i64>,
        method: &str,
        params: &T,
        meta: Option<&RawJson>,
    ) -> Result<(), SendError> {
        let mut written = Vec::new();
        object_with_meta(&mut written, params, Stamps::default())?;
        written.shrink_to_fit();
        let newest = call.unwrap_or_else(|| self.calls.last_id());
        let (method, meta) = (method.into(), meta.cloned());
        let held = Held { call, newest, method, params: written, meta };
        check_fits(held.len(), self.output_room())?;
        self.held_len += held.len();
        self.held.push_back(held);
        Ok(())
    }

    /// Forgets a call that is held.
    pub(super) fn drop_held(&mut self, number: i64) {
        let at = self.held.partition_point(|held| held.newest < number);
        if self.held.get(at).is_some_and(|held| held.call == Some(number)) {
            self.held_len -= self.held.remove(at).map_or(0, |held| held.len());
        }
    }

    pub(super) fn release_held(&mut self) {
        self.held_len = 0;
        for held in core::mem::take(&mut self.held) {
            let params = crate::json::Raw::trusted(&held.params);
            let Some(number) = held.call else {
                let _ = self.outbox.push(Route::Standalone, Origin::NONE, |out| {
                    write_notification(out, &held.method, &params)
                });
                continue;
            };
            let Some(call) = self.calls.get_mut(number) else { continue };
            let id = RequestId::from(number);
            let token = token_of(&call.tracking, number);
            let stamp = client_stamp(&self.life);
            let room = self.limits.max_output_len.saturating_sub(self.outbox.len());
            let queued =
                self.outbox.push::<SendError>(Route::Call(id.clone()), call.origin, |out| {
                    let before = out.len();
                    let (token, more) = (token.as_ref(), held.meta.as_ref());
                    write_request(out, &id, &held.method, &params, token, more, stamp)?;
                    check_fits(out.len() - before, room)
                });
            match queued {
                Ok(place) => call.queued = Some(place),
                Err(error) => {
                    self.end_call(number);
                    let outcome = Err(CallError::Send(error));
                    self.events.push_back(Event::Response { id, outcome });
                }
            }
        }
    }
}

impl Held {
    /// Whether it can be sent, and comes behind `newest`, the newest call before it.
    #[cfg(feature = "snapshot")]
    pub(super) fn is_sound(&self, newest: i64) -> bool {
        let is_object = |raw: Raw<'_>| raw.kind() == Kind::Object;
        let is_params = Raw::parse(&self.params, usize::MAX).is_ok_and(is_object);
        let is_meta = self.meta.as_ref().is_none_or(|meta| is_object(meta.as_raw()));
        let is_next = match self.call {
            Some(number) => number == self.newest && newest < number,
            None => newest <= self.newest,
        };
        is_params && is_meta && is_next
    }

    /// The newest call when it was asked for.
    #[cfg(feature = "snapshot")]
    pub(super) fn newest(&self) -> i64 {
        self.newest
    }

    #[cfg(feature = "testing")]
    pub(super) fn digest(&self, digest: &mut Digest<'_>) {
        let Self { call, method, params, meta, newest } = self;
        digest.put((call, method, params, meta, newest));
    }

    /// Bytes, those of the entry included: small notifications must not cost more than they count.
    pub(super) fn len(&self) -> usize {
        size_of::<Self>()
            + self.method.len()
            + self.params.len()
            + self.meta.as_ref().map_or(0, |meta| meta.as_bytes().len())
    }
}
