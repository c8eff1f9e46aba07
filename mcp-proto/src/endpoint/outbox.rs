//! Bytes that wait for the transport: whole messages in order, each of which can still be revoked.

#[cfg(feature = "snapshot")]
mod form;

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::mem;
use core::num::NonZeroU64;

use bytes::Bytes;

use crate::bound::{PART, queue, sum, times};
use crate::config::Limits;
#[cfg(feature = "testing")]
use crate::digest::Digest;
use crate::id::RequestId;
use crate::sorted::Sorted;

#[cfg(feature = "snapshot")]
pub(crate) use form::OutboxForm;

/// What an outgoing message relates to, so that a transport can place it. stdio ignores it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Route {
    /// A request of ours.
    Call(#[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] RequestId),
    /// Gives up a request of ours.
    Cancel(#[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] RequestId),
    /// The answer to a request of the peer, or to the batch that it came in.
    Reply(#[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] RequestId),
    /// A notification that belongs to a request of the peer: progress, a log message.
    Related(#[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] RequestId),
    /// Belongs to nothing.
    Standalone,
}

impl Route {
    /// Whether what goes here may have a message of `next` chained to it: both are said of one request, whose answer is the
    /// last of them.
    #[cfg(feature = "snapshot")]
    fn leads_to(&self, next: &Self) -> bool {
        match (self, next) {
            (Self::Related(of), Self::Related(next) | Self::Reply(next)) => of == next,
            _ => self == next,
        }
    }
}

/// Where a message came from, among the places that a transport tells apart: on HTTP, the exchange.
///
/// The number is the transport's own. What answers a message, or belongs to it, carries its origin out again,
/// so that a transport finds the way back without looking at ids, which every peer chooses as it likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Origin(pub(crate) u64);

impl Origin {
    /// Nowhere in particular: what a transport with one place uses.
    pub(crate) const NONE: Self = Self(0);

    /// Itself, if it is somewhere.
    pub(super) fn is_some(self) -> Option<Self> {
        (self != Self::NONE).then_some(self)
    }
}

/// One outgoing message and what it relates to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transmit {
    /// What it relates to.
    pub route: Route,
    /// Where that came from.
    #[cfg_attr(not(feature = "http"), allow(dead_code))]
    pub(crate) origin: Origin,
    /// The JSON text, without a newline.
    pub message: Bytes,
}

/// Where a message stands among all that were ever queued.
// One more than its number, so that a place that may be missing takes no more room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Place(NonZeroU64);

impl Place {
    fn new(number: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(number))
    }

    fn number(self) -> u64 {
        self.0.get() - 1
    }
}

#[cfg(feature = "testing")]
impl Place {
    /// How far behind the front it is; nothing for what has left.
    pub(super) fn behind(self, front: Self) -> Option<u64> {
        self.number().checked_sub(front.number())
    }
}

/// The queue. Everything lies in one buffer with a newline behind each message, so that many small
/// messages become one write.
///
/// Whoever may want to revoke a message keeps its place; messages of one owner are chained, so that
/// nothing looks through the queue but for an answer that is cancelled when it waits already.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    /// Where the first unsent byte is.
    start: usize,
    messages: VecDeque<Queued>,
    /// The place of the first message.
    first: u64,
    /// How many bytes have left the queue, sent or skipped: the position of the first unsent byte.
    gone: u64,
    /// How much of the first message has been sent.
    begun: usize,
    /// Bytes behind `start` that are being written right now, so that their messages must stay.
    lent: usize,
    /// Those of `messages` that are revoked.
    revoked: Sorted<Place, ()>,
    /// Messages that were looked at to find one.
    #[cfg(test)]
    pub(crate) steps: core::cell::Cell<usize>,
}

#[derive(Clone, Debug)]
struct Queued {
    route: Route,
    origin: Origin,
    /// Bytes, newline included.
    len: usize,
    /// Position of its first byte among all bytes that were ever queued.
    at: u64,
    /// The message before it in its chain.
    previous: Option<Place>,
}

/// `{"jsonrpc":"2.0","method":""}` and its newline: no message is shorter.
pub(crate) const SHORTEST: usize = 31;

/// Of the buffer: a handshake fits in it, and most reports.
const FIRST_CAPACITY: usize = 192;

/// Above this a message that waits alone takes the buffer along, and is not copied.
const COPIED: usize = 4 << 10;

/// Messages that are looked at for an answer. A peer that lets more than these wait, and goes on cancelling, must not cost
/// more: what it cancels behind them leaves all the same.
const LOOKED_AT: usize = 1024;

/// Above this the buffer is given back when it runs empty.
const KEPT_CAPACITY: usize = 64 << 10;

/// As above, of the list of messages.
const KEPT_MESSAGES: usize = 64;

impl Outbox {
    /// Bytes that it keeps when nothing waits.
    #[cfg(feature = "http")]
    pub(super) const fn bound_empty() -> usize {
        sum([KEPT_CAPACITY, times(2 * KEPT_MESSAGES, size_of::<Queued>())])
    }

    /// Bytes that it takes at most. What was sent of it stays until that is a third, and the buffer doubles.
    pub(super) const fn bound(limits: &Limits, forced: usize, forced_len: usize) -> usize {
        let (most, least) = (limits.max_output_len, limits.max_outbox_len);
        let bytes = sum([if most < least { least } else { most }, forced_len]);
        let messages = sum([limits.max_outbox_len / SHORTEST, forced]);
        // An id is written in its answer, so it is no longer than that.
        let ids = sum([limits.max_outbox_len, times(limits.max_requests, limits.max_id_len)]);
        sum([
            times(3, bytes),
            2 * KEPT_CAPACITY,
            queue(messages, size_of::<Queued>()),
            queue(messages, size_of::<Place>()),
            sum([ids, times(messages, PART)]),
        ])
    }

    pub(super) fn new() -> Self {
        // Mostly there is one at a time, and connections idle.
        Self { messages: VecDeque::with_capacity(1), ..Self::default() }
    }

    /// Bytes not taken yet, revoked ones included.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether nothing is left to send.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.len() == self.revoked.len()
    }

    /// Makes room for messages of so many bytes.
    #[cfg(feature = "http")]
    pub(crate) fn reserve(&mut self, len: usize) {
        self.bytes.reserve(len);
    }

    /// Queues one message that `write` appends. If it fails or panics, nothing is queued.
    pub(crate) fn push<E>(
        &mut self,
        route: Route,
        origin: Origin,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Place, E> {
        self.push_behind(None, route, origin, write)
    }

    /// As [`push`](Self::push), and chains the message to the one before it of the same owner.
    pub(crate) fn push_behind<E>(
        &mut self,
        previous: Option<Place>,
        route: Route,
        origin: Origin,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<Place, E> {
        self.compact();
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(FIRST_CAPACITY);
        }
        let before = self.bytes.len();
        let unfinished = Unfinished { before, bytes: &mut self.bytes };
        write(unfinished.bytes)?;
        unfinished.finish();
        Ok(self.enter(before, previous, route, origin))
    }

    /// What was written behind `before` is a message. Out of line, for each way to write one is compiled by itself.
    #[inline(never)]
    fn enter(
        &mut self,
        before: usize,
        previous: Option<Place>,
        route: Route,
        origin: Origin,
    ) -> Place {
        self.bytes.push(b'\n');
        let len = self.bytes.len() - before;
        let at = self.gone + (before - self.start) as u64;
        let place = Place::new(self.first + self.messages.len() as u64);
        self.messages.push_back(Queued { route, origin, len, at, previous });
        place
    }

    /// What can be sent now, newlines included.
    fn chunk(&self) -> Option<&[u8]> {
        let end = match self.revoked.first().and_then(|place| self.get(*place)) {
            None => self.bytes.len(),
            Some(revoked) => self.start + usize::try_from(revoked.at - self.gone).ok()?,
        };
        self.bytes.get(self.start..end).filter(|chunk| !chunk.is_empty())
    }

    /// What can be sent now, of `max` bytes at most, newlines included. Its messages cannot be revoked until
    /// `advance` says how much of it was sent.
    pub(crate) fn lend(&mut self, max: usize) -> Option<&[u8]> {
        self.lent = self.chunk()?.len().min(max);
        self.bytes.get(self.start..self.start + self.lent)
    }

    /// The first message, without its newline. It cannot be revoked until `advance` says whether it was sent.
    pub(crate) fn lend_message(&mut self) -> Option<&[u8]> {
        let rest = self.messages.front()?.len - self.begun;
        self.lent = rest;
        self.bytes.get(self.start..(self.start + rest).saturating_sub(1))
    }

    /// The message that was lent was sent.
    pub(crate) fn advance_message(&mut self) {
        self.advance(self.lent);
    }

    /// So many bytes of the last chunk were sent.
    pub(crate) fn advance(&mut self, sent: usize) {
        self.lent = 0;
        let mut left = sent.min(self.len());
        self.pass(left);
        while let Some(first) = self.messages.front() {
            let rest = first.len - self.begun;
            if left < rest {
                self.begun += left;
                break;
            }
            left -= rest;
            self.begun = 0;
            self.messages.pop_front();
            self.first += 1;
        }
        self.skip_revoked();
        self.release();
    }

    /// Takes one whole message, without its newline.
    pub(crate) fn pop(&mut self) -> Option<Transmit> {
        if self.begun > 0 {
            return None; // a stream has begun it
        }
        let first = self.messages.pop_front()?;
        self.first += 1;
        let message = match self.is_one(first.len) {
            true => {
                self.gone += first.len as u64;
                let mut bytes = mem::take(&mut self.bytes);
                bytes.pop();
                bytes.into()
            }
            false => {
                let end = self.start + first.len - 1;
                let message = self.bytes.get(self.start..end).map(Bytes::copy_from_slice)?;
                self.pass(first.len);
                message
            }
        };
        self.skip_revoked();
        self.release();
        Some(Transmit { route: first.route, origin: first.origin, message })
    }

    /// Whether a message of this length is long, and the buffer holds little else.
    fn is_one(&self, len: usize) -> bool {
        len > COPIED && len == self.bytes.len() && self.bytes.capacity() <= len + len / 8
    }

    /// Revokes the message at `last` and those that it is chained to, except what has begun to leave.
    /// Says how many.
    pub(crate) fn revoke(&mut self, last: Option<Place>) -> usize {
        let leaving = self.gone + self.lent as u64;
        let (mut next, mut revoked) = (last, 0);
        while let Some(place) = next
            && let Some(message) = self.get(place)
            && message.at >= leaving
        {
            next = message.previous;
            revoked += usize::from(self.revoked.insert(place, ()));
        }
        self.skip_revoked();
        self.release();
        revoked
    }

    /// The place of the answer to a request that came from nowhere in particular, if it waits.
    pub(crate) fn reply_to(&self, id: &RequestId) -> Option<Place> {
        let newest = self.messages.iter().rev().take(LOOKED_AT);
        let is_it = |message: &Queued| {
            message.origin == Origin::NONE && matches!(&message.route, Route::Reply(it) if it == id)
        };
        let behind = newest.zip(1..).find_map(|(message, n)| is_it(message).then_some(n));
        Some(Place::new(self.first + self.messages.len() as u64 - behind?))
    }

    /// Whether the message at this place waits.
    pub(crate) fn has(&self, place: Place) -> bool {
        self.get(place).is_some() && !self.revoked.contains(&place)
    }

    /// Drops everything. Places that were given out stay behind.
    pub(crate) fn clear(&mut self) {
        *self = Self {
            first: self.first + self.messages.len() as u64,
            gone: self.gone + self.len() as u64,
            ..Self::default()
        };
    }

    /// The place of the first message.
    #[cfg(feature = "testing")]
    pub(super) fn front(&self) -> Place {
        Place::new(self.first)
    }

    /// What waits, and how it may still be revoked; how much has left before does not matter.
    #[cfg(feature = "testing")]
    pub(super) fn digest(&self, digest: &mut Digest<'_>) {
        let front = self.front();
        let Self {
            bytes,
            start,
            messages,
            first,
            gone: _,
            begun,
            lent,
            revoked,
            #[cfg(test)]
                steps: _,
        } = self;
        digest.put((bytes.get(*start..), begun, lent));
        digest.put(messages.len());
        for (at, Queued { route, origin, len, at: _, previous }) in (*first..).zip(messages) {
            digest.put((route, origin, len, revoked.contains(&Place::new(at))));
            digest.put(previous.and_then(|place| place.behind(front))); // what has left is none to take back
        }
    }

    fn get(&self, place: Place) -> Option<&Queued> {
        #[cfg(test)]
        self.steps.set(self.steps.get() + 1);
        self.messages.get(usize::try_from(place.number().checked_sub(self.first)?).ok()?)
    }

    /// Drops what is revoked at the front, so that it takes no room and the first message is always one to send.
    /// What has begun to leave, or is being written, is never revoked.
    fn skip_revoked(&mut self) {
        while self.revoked.first() == Some(&Place::new(self.first)) {
            self.revoked.remove(&Place::new(self.first));
            if let Some(message) = self.messages.pop_front() {
                self.first += 1;
                self.pass(message.len);
            }
        }
    }

    fn pass(&mut self, bytes: usize) {
        self.start += bytes;
        self.gone += bytes as u64;
    }

    fn release(&mut self) {
        if self.start == self.bytes.len() {
            self.start = 0;
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_CAPACITY);
            if self.messages.is_empty() && self.messages.capacity() > KEPT_MESSAGES {
                self.messages.shrink_to(KEPT_MESSAGES);
            }
        }
    }

    /// Moves the unsent bytes to the front once a third has been sent, so that it costs two moves a byte.
    fn compact(&mut self) {
        if self.start > KEPT_CAPACITY && self.start * 3 > self.bytes.len() {
            self.move_up();
        }
    }

    #[cold]
    #[inline(never)]
    fn move_up(&mut self) {
        self.bytes.drain(..self.start);
        self.start = 0;
    }
}

/// A message that is being written. What is there of it goes with the guard: user code may panic.
struct Unfinished<'a> {
    bytes: &'a mut Vec<u8>,
    before: usize,
}

impl Unfinished<'_> {
    /// Keeps it.
    fn finish(mut self) {
        self.before = self.bytes.len();
    }

    #[cold]
    #[inline(never)]
    fn undo(&mut self) {
        self.bytes.truncate(self.before);
        self.bytes.shrink_to(self.before + KEPT_CAPACITY);
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if self.bytes.len() > self.before {
            self.undo();
        }
    }
}

#[cfg(test)]
mod tests;
