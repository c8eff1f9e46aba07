//! Requests of the peer that wait for an answer.

use alloc::boxed::Box;
use alloc::collections::VecDeque;

use super::batches::BatchKey;
use super::outbox::{Origin, Place};
use crate::bound::{PART, queue, sum, times};
use crate::config::Limits;
#[cfg(feature = "testing")]
use crate::digest::Digest;
use crate::era::Speech;
use crate::id::{MAX_NUMBER_LEN, ProgressToken, RequestId};
use crate::progress::Sender;
use crate::time::Instant;

/// One request that we must answer.
#[derive(Clone, Debug)]
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
}

/// Whether what belongs to a request can leave, as its transport sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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

/// Where progress of a request goes.
#[derive(Clone, Debug)]
pub(crate) struct Reporter {
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

/// The table, sorted by id. Peers count their ids up, so entries come at the end and leave near the
/// front; a deque moves the shorter side, and the limit bounds the worst case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    entries: VecDeque<(RequestId, Inbound)>,
    /// Requests that were ever entered.
    entered: u64,
}

impl Requests {
    /// Bytes that it takes at most, ids, tokens and waiting progress included.
    pub(super) const fn bound(limits: &Limits) -> usize {
        let name = sum([limits.max_id_len, MAX_NUMBER_LEN, PART]);
        let reporter = sum([size_of::<Reporter>(), Sender::bound(limits.max_milestones)]);
        let inbound = sum([times(2, name), reporter]);
        sum([
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

    pub(crate) fn contains(&self, id: &RequestId) -> bool {
        self.find(id).is_ok()
    }

    /// Where an id belongs that is not in the table.
    pub(crate) fn vacancy(&self, id: &RequestId) -> Option<Vacancy> {
        self.find(id).err().map(Vacancy)
    }

    pub(crate) fn get(&self, id: &RequestId) -> Option<&Inbound> {
        self.entries.get(self.find(id).ok()?).map(|(_, inbound)| inbound)
    }

    pub(crate) fn get_mut(&mut self, id: &RequestId) -> Option<&mut Inbound> {
        let at = self.find(id).ok()?;
        self.entries.get_mut(at).map(|(_, inbound)| inbound)
    }

    /// Enters a request where it belongs; nothing may have been entered or taken since that was found.
    pub(crate) fn insert(&mut self, vacancy: Vacancy, id: RequestId, mut inbound: Inbound) {
        inbound.serial = self.entered;
        self.entered += 1;
        self.entries.insert(vacancy.0.min(self.entries.len()), (id, inbound));
    }

    /// Takes a request out.
    pub(crate) fn remove(&mut self, id: &RequestId) -> Option<Inbound> {
        let at = self.find(id).ok()?;
        self.entries.remove(at).map(|(_, inbound)| inbound)
    }

    /// Requests that were ever entered.
    #[cfg(feature = "http")]
    pub(crate) fn entered(&self) -> u64 {
        self.entered
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&RequestId, &Inbound)> {
        self.entries.iter().map(|(id, inbound)| (id, inbound))
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&RequestId, &mut Inbound)> {
        self.entries.iter_mut().map(|(id, inbound)| (&*id, inbound))
    }

    /// Takes every entry.
    pub(crate) fn take(&mut self) -> VecDeque<(RequestId, Inbound)> {
        core::mem::take(&mut self.entries)
    }

    #[cfg(feature = "testing")]
    pub(super) fn digest(&self, front: Place, digest: &mut Digest<'_>) {
        let Self { entries, entered: _ } = self;
        digest.put(entries.len());
        for (id, inbound) in entries {
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

    fn find(&self, id: &RequestId) -> Result<usize, usize> {
        self.entries.binary_search_by(|(entry, _)| entry.cmp(id))
    }
}
