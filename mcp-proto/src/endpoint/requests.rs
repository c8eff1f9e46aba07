//! Requests of the peer that wait for an answer.

use alloc::boxed::Box;

use super::batches::BatchKey;
use super::outbox::{Origin, Place};
use crate::bound::{PART, queue, sum, times};
use crate::config::Limits;
#[cfg(feature = "testing")]
use crate::digest::Digest;
use crate::era::Speech;
use crate::id::{MAX_NUMBER_LEN, ProgressToken, RequestId};
#[cfg(feature = "snapshot")]
use crate::json::{Raw, RawJson, Text};
#[cfg(feature = "snapshot")]
use crate::progress::Pacing;
use crate::progress::Sender;
use crate::sorted::Sorted;
#[cfg(feature = "snapshot")]
use crate::state::{RestoreError, check, check_count, check_limit};
use crate::time::Instant;

/// One request that we must answer.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Inbound {
    /// Tells it from earlier requests with its id, which only the driver needs.
    #[cfg_attr(not(feature = "driver"), allow(dead_code))]
    pub(crate) serial: u64,
    pub(crate) speech: Speech,
    /// Progress of the request, if it asked for any. Most do not, and many may wait.
    pub(crate) reporter: Option<Box<Reporter>>,
    /// The peer no longer wants the answer; the application has not let go of it yet.
    pub(crate) cancelled: bool,
    /// Where its last notification was queued: progress or a log message.
    pub(crate) queued: Option<Place>,
    /// When waiting progress may leave; the timer that is armed for it.
    pub(crate) flush_at: Option<Instant>,
    /// The batch that it came in, whose answers leave together.
    pub(crate) batch: Option<BatchKey>,
    /// Where it came from, and its answer goes.
    pub(crate) origin: Origin,
    /// What becomes of its reports.
    pub(crate) outlet: Outlet,
    /// What was asked, for whoever answers it after a restore.
    #[cfg(feature = "snapshot")]
    pub(crate) asked: Option<Box<Asked>>,
}

/// What a request of the peer asks.
#[cfg(feature = "snapshot")]
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Asked {
    /// Its method.
    pub method: Text,
    /// Its parameters, if any: an object.
    #[serde(with = "crate::state::kept")]
    pub params: Option<RawJson>,
}

/// A request of the peer that waits for an answer, and of which no event tells any more.
#[cfg(feature = "snapshot")]
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct InFlight<'a> {
    /// To be given back with the answer.
    pub id: &'a RequestId,
    /// What it asks. Of all requests together as much is kept as one message may have
    /// ([`Limits::max_message_len`](crate::Limits)); of one that is beyond it nothing is.
    pub asked: Option<&'a Asked>,
    /// The token under which it wants reports.
    pub token: Option<&'a ProgressToken>,
    /// The peer no longer wants the answer: `abandon` it when its work has stopped.
    pub is_cancelled: bool,
}

/// Whether what belongs to a request can leave, as its transport sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(not(feature = "http"), allow(dead_code))]
pub(crate) enum Outlet {
    /// It leaves.
    #[default]
    Open,
    /// It waits, for its own reader is slow: reports merge in their sender, anything else finds no room.
    Held,
    /// It never will: there is no way to its reader but for the answer.
    Shut,
}

/// A request that came from somewhere and wants no answer any more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Settled {
    pub(crate) origin: Origin,
    /// Which one, if what was said of it before is not to leave any more.
    #[cfg_attr(not(feature = "http"), allow(dead_code))]
    pub(crate) revoked: Option<RequestId>,
}

impl Settled {
    /// Nothing of a request that came from nowhere in particular.
    pub(super) fn new(origin: Origin, revoked: Option<&RequestId>) -> Option<Self> {
        origin.is_some().map(|origin| Self { origin, revoked: revoked.cloned() })
    }
}

/// Where progress of a request goes.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Reporter {
    #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
    pub(crate) token: ProgressToken,
    pub(crate) sender: Sender,
}

/// A place in the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vacancy(usize);

impl Inbound {
    /// Whether progress waits to leave.
    pub(crate) fn has_waiting(&self) -> bool {
        self.reporter.as_ref().is_some_and(|reporter| !reporter.sender.is_idle())
    }
}

/// The table, sorted by id: peers count their ids up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    entries: Sorted<RequestId, Inbound>,
    /// Requests that were ever entered.
    entered: u64,
    /// Bytes of what was asked.
    #[cfg(feature = "snapshot")]
    asked_len: usize,
}

/// What a snapshot keeps of the table.
#[cfg(feature = "snapshot")]
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct RequestsForm {
    entries: alloc::vec::Vec<Entry>,
    entered: u64,
}

#[cfg(feature = "snapshot")]
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
struct Entry {
    #[serde(with = "crate::state::kept")]
    id: RequestId,
    inbound: Inbound,
}

#[cfg(feature = "snapshot")]
mod moments {
    use super::*;
    use crate::state::moments;

    moments!(RequestsForm { entries; entered });
    moments!(Entry { inbound; id });
    moments!(Inbound { reporter, flush_at; serial, speech, cancelled, queued, batch, origin, outlet, asked });
    moments!(Reporter { sender; token });
}

#[cfg(feature = "snapshot")]
impl Asked {
    /// Bytes of it.
    fn len(&self) -> usize {
        let params = self.params.as_ref().map_or(0, |params| params.as_bytes().len());
        size_of::<Self>() + self.method.len() + params
    }
}

impl Requests {
    /// Bytes that it takes at most, ids, tokens and waiting progress included.
    pub(super) const fn bound(limits: &Limits) -> usize {
        let name = sum([limits.max_id_len, MAX_NUMBER_LEN, PART]);
        let reporter = sum([size_of::<Reporter>(), Sender::bound(limits.max_milestones)]);
        let inbound = sum([times(2, name), reporter]);
        let asked = if cfg!(feature = "snapshot") { limits.max_message_len } else { 0 };
        sum([
            asked,
            queue(limits.max_requests, size_of::<(RequestId, Inbound)>()),
            times(limits.max_requests, inbound),
        ])
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    #[cfg(feature = "snapshot")]
    pub(super) fn contains(&self, id: &RequestId) -> bool {
        self.entries.contains(id)
    }

    /// Where an id belongs that is not in the table.
    pub(crate) fn vacancy(&self, id: &RequestId) -> Option<Vacancy> {
        self.entries.find(id).err().map(Vacancy)
    }

    pub(crate) fn get(&self, id: &RequestId) -> Option<&Inbound> {
        self.entries.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &RequestId) -> Option<&mut Inbound> {
        self.entries.get_mut(id)
    }

    /// Enters a request where it belongs; nothing may have been entered or taken since that was found.
    pub(crate) fn insert(&mut self, vacancy: Vacancy, id: RequestId, mut inbound: Inbound) {
        inbound.serial = self.entered;
        self.entered += 1;
        self.entries.insert_at(vacancy.0, id, inbound);
    }

    /// Takes a request out.
    pub(crate) fn remove(&mut self, id: &RequestId) -> Option<Inbound> {
        let inbound = self.entries.remove(id)?;
        #[cfg(feature = "snapshot")]
        {
            self.asked_len -= inbound.asked.as_deref().map_or(0, Asked::len);
        }
        Some(inbound)
    }

    /// Keeps what is asked, if that is not too much beside what is kept already. A copy: a slice would keep its buffer.
    #[cfg(feature = "snapshot")]
    pub(crate) fn keep(
        &mut self,
        method: &[u8],
        params: Option<Raw<'_>>,
        max_len: usize,
    ) -> Option<Box<Asked>> {
        let params_len = params.map_or(0, |params| params.as_bytes().len());
        let len = size_of::<Asked>() + method.len() + params_len;
        if self.asked_len + len > max_len {
            return None;
        }
        self.asked_len += len;
        let method = alloc::string::String::from_utf8_lossy(method).into_owned().into();
        Some(Box::new(Asked { method, params: params.map(Raw::to_raw_json) }))
    }

    #[cfg(feature = "snapshot")]
    pub(super) fn form(&self) -> RequestsForm {
        let Self { entries, entered, asked_len: _ } = self;
        let entry = |(id, inbound): (&RequestId, &Inbound)| {
            let (id, inbound) = (id.clone(), inbound.clone());
            Entry { id, inbound }
        };
        RequestsForm { entries: entries.iter().map(entry).collect(), entered: *entered }
    }

    #[cfg(feature = "snapshot")]
    pub(super) fn restore(
        form: RequestsForm,
        pacing: Pacing,
        limits: &Limits,
    ) -> Result<Self, RestoreError> {
        let RequestsForm { entries, entered } = form;
        check_limit(entries.len(), limits.max_requests, "requests in flight")?;
        check_count(entered)?;
        let mut serials = alloc::collections::BTreeSet::new();
        let mut requests = Self { entered, ..Self::default() };
        for Entry { id, mut inbound } in entries {
            let is_next = requests.entries.last().is_none_or(|last| *last < id);
            check(is_next, "requests out of order")?;
            check_limit(id.text_len(), limits.max_id_len, "the length of an id")?;
            let is_new = inbound.serial < entered && serials.insert(inbound.serial);
            check(is_new, "two requests that came at once")?;
            if let Some(reporter) = &mut inbound.reporter {
                check_limit(reporter.token.text_len(), limits.max_id_len, "the length of a token")?;
                reporter.sender.restore(pacing, limits.max_milestones)?;
            }
            let is_live = !inbound.cancelled && inbound.outlet == Outlet::Open;
            let waits = inbound.has_waiting();
            check(inbound.flush_at.is_none() || is_live && waits, "a timer for no report")?;
            let has_nothing = inbound.reporter.is_none() && inbound.batch.is_none();
            check(!inbound.cancelled || has_nothing, "a cancelled request that goes on")?;
            check(inbound.outlet != Outlet::Shut || !waits, "a report that waits for ever")?;
            requests.asked_len += inbound.asked.as_deref().map_or(0, Asked::len);
            requests.entries.insert(id, inbound);
        }
        check_limit(requests.asked_len, limits.max_message_len, "bytes of requests")?;
        Ok(requests)
    }

    /// Requests that were ever entered.
    #[cfg(feature = "http")]
    pub(crate) fn entered(&self) -> u64 {
        self.entered
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&RequestId, &Inbound)> + Clone {
        self.entries.iter()
    }

    /// Takes every entry.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = (RequestId, Inbound)> + use<> {
        #[cfg(feature = "snapshot")]
        {
            self.asked_len = 0;
        }
        self.entries.take()
    }

    #[cfg(feature = "testing")]
    pub(super) fn digest(&self, front: Place, digest: &mut Digest<'_>) {
        let Self {
            entries,
            entered: _,
            #[cfg(feature = "snapshot")]
                asked_len: _,
        } = self;
        digest.put(entries.len());
        for (id, inbound) in entries.iter() {
            let Inbound {
                serial: _,
                speech,
                reporter,
                cancelled,
                queued,
                flush_at,
                batch,
                origin,
                outlet,
                #[cfg(feature = "snapshot")]
                    asked: _, // it is only told
            } = inbound;
            digest.put((id, speech, cancelled, batch, origin, outlet));
            digest.put(queued.map(|place| place.behind(front)));
            digest.put(flush_at.is_some());
            digest.time(flush_at.unwrap_or_default());
            digest.put(reporter.is_some());
            if let Some(Reporter { token, sender }) = reporter.as_deref() {
                digest.put(token);
                sender.digest(digest);
            }
        }
    }
}
