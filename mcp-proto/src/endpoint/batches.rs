//! Batches of the peer: what one holds is read like single messages, and its answers leave together.
//!
//! 2025-03-26 `basic/index`; JSON-RPC 2.0, section 6.

use alloc::vec::Vec;
use core::convert::Infallible;
use core::num::NonZeroU64;

use bytes::Bytes;

use super::core::Core;
use super::outbox::{Origin, Outbox, Place, Route};
use crate::bound::{PART, queue, sum, times};
use crate::config::Limits;
use crate::error::Violation;
use crate::id::{Names, RequestId};
use crate::sorted::Sorted;
#[cfg(feature = "snapshot")]
use crate::state::{RestoreError, check, check_count, check_limit};
use crate::time::Instant;
use crate::wire::{Malformed, MalformedKind, Message, read_batch, read_message};

/// Names one batch, never again another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct BatchKey(NonZeroU64);

/// Answers that wait for the other answers of their batch.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Batches {
    /// Each has a request in flight, but for the one that is being read.
    open: Sorted<BatchKey, Gathering>,
    /// Whose answers wait here: their ids are still in use. The numbers under them say nothing.
    ids: Names,
    /// The one whose members are being read.
    reading: Option<BatchKey>,
    last: u64,
    /// Bytes of all answers that wait here.
    held: usize,
    max_held: usize,
}

/// The answers of one batch.
#[derive(Clone, Debug, Default, Hash)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
struct Gathering {
    /// An array without its end.
    #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
    text: Vec<u8>,
    /// Whose answers are in it.
    #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
    ids: Vec<RequestId>,
    /// Requests without an answer, and one more while it is being read.
    waiting: usize,
    /// Where it came from.
    origin: Origin,
}

/// What a snapshot keeps of the table.
#[cfg(feature = "snapshot")]
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct BatchesForm {
    open: Vec<(BatchKey, Gathering)>,
    last: u64,
}

/// Where an answer goes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Destination {
    /// The batch that it is a part of.
    pub(super) batch: Option<BatchKey>,
    pub(super) origin: Origin,
    /// What was said of its request last, so that a cancellation that is read before both have left takes both back.
    pub(super) behind: Option<Place>,
}

/// `{"jsonrpc":"2.0","id":1,"result":{}}`
const SHORTEST_ANSWER: usize = 36;

impl Core {
    /// An array has arrived where a message is expected.
    #[cold]
    pub(super) fn handle_batch(&mut self, frame: &Bytes, at: Instant) {
        let is_allowed = self.life.revision().is_some_and(|revision| revision.rules().batches);
        let members = match read_batch(frame, &self.limits, self.tolerance) {
            _ if !is_allowed => Err(Violation::Batch),
            members => members,
        };
        let members = match members {
            Ok(members) => members,
            Err(violation) => return self.handle_malformed(unanswerable(violation), at),
        };
        let batch = self.batches.begin(self.reading);
        for member in members {
            // From here on it is a frame of its own.
            let member = frame.slice_ref(member);
            let read = match read_message(&member, &self.limits, self.tolerance) {
                Ok(Message::Batch) => {
                    Err(unanswerable(Violation::NotAMessage("a batch inside a batch".into())))
                }
                read => read,
            };
            self.handle_read(&member, read, at);
            if self.is_closed() {
                break;
            }
        }
        self.batches.reading = None;
        self.batches.leave(batch, &mut self.outbox);
    }
}

fn unanswerable(violation: Violation) -> Malformed {
    Malformed { violation, id: None, kind: MalformedKind::Request }
}

impl Batches {
    /// Bytes that it takes at most: the answers that wait, of which the shortest fits a batch of its own, and
    /// their ids once more.
    pub(super) const fn bound(limits: &Limits) -> usize {
        let open = sum([limits.max_requests, 1]);
        let ids = limits.max_outbox_len / SHORTEST_ANSWER;
        sum([
            times(3, limits.max_outbox_len),
            queue(open, size_of::<(BatchKey, Gathering)>()),
            // Each batch has a list of its own.
            queue(ids, size_of::<RequestId>()),
            times(open, queue(1, size_of::<RequestId>())),
            Names::bound(ids),
            times(ids, PART),
        ])
    }

    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            open: Sorted::new(),
            ids: Names::default(),
            reading: None,
            last: 0,
            held: 0,
            max_held: limits.max_outbox_len,
        }
    }

    /// What a snapshot keeps of it; none is being read then.
    #[cfg(feature = "snapshot")]
    pub(super) fn form(&self) -> BatchesForm {
        let Self { open, ids: _, reading: _, last, held: _, max_held: _ } = self;
        let open = open.iter().map(|(key, gathering)| (*key, gathering.clone())).collect();
        BatchesForm { open, last: *last }
    }

    /// The table again, where each batch waits for so many requests.
    #[cfg(feature = "snapshot")]
    pub(super) fn restore(
        form: BatchesForm,
        waiting: impl Fn(BatchKey) -> usize,
        limits: &Limits,
    ) -> Result<Self, RestoreError> {
        let BatchesForm { open, last } = form;
        let mut batches = Self { last, ..Self::new(limits) };
        check_count(last)?;
        for (key, gathering) in open {
            let is_issued = key.0.get() - 1 <= last;
            check(is_issued && gathering.waiting > 0, "a batch that was never opened")?;
            check(gathering.waiting == waiting(key), "a batch that waits for no request")?;
            let is_array = gathering.text.starts_with(b"[") && !gathering.text.contains(&b'\n');
            check(is_array || gathering.text.is_empty(), "answers that are no array")?;
            let named = gathering.ids.is_empty() || is_array;
            check(named, "answers that are named and not there")?;
            for id in &gathering.ids {
                check(batches.ids.insert(id, 0), "two answers to one request")?;
            }
            batches.held += gathering.text.len();
            check(batches.open.insert(key, gathering), "two batches of one name")?;
        }
        check_limit(batches.held, batches.max_held, "answers that wait")?;
        Ok(batches)
    }

    /// Whether there is a batch of this name.
    #[cfg(feature = "snapshot")]
    pub(super) fn is_open(&self, key: BatchKey) -> bool {
        self.open.contains(&key)
    }

    /// Where they came from.
    #[cfg(all(feature = "snapshot", feature = "http"))]
    pub(super) fn origins(&self) -> impl Iterator<Item = Origin> {
        self.open.iter().map(|(_, gathering)| gathering.origin)
    }

    /// The ids of the answers that wait.
    #[cfg(feature = "snapshot")]
    pub(super) fn ids(&self) -> impl Iterator<Item = &RequestId> {
        self.open.iter().flat_map(|(_, gathering)| &gathering.ids)
    }

    /// The batch whose members are being read.
    pub(super) fn reading(&self) -> Option<BatchKey> {
        self.reading
    }

    /// Bytes that wait here: at most `max_outbox_len`, so that reading what is queued makes room.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Whether a request of this id has an answer that has not left.
    pub(super) fn holds(&self, id: &RequestId) -> bool {
        self.ids.get(id).is_some()
    }

    fn begin(&mut self, origin: Origin) -> BatchKey {
        self.last += 1;
        let batch = BatchKey(NonZeroU64::MIN.saturating_add(self.last));
        self.open.insert(batch, Gathering { waiting: 1, origin, ..Gathering::default() });
        self.reading = Some(batch);
        batch
    }

    /// A request of the batch will be answered later.
    pub(super) fn join(&mut self, batch: BatchKey) {
        if let Some(gathering) = self.open.get_mut(&batch) {
            gathering.waiting += 1;
        }
    }

    /// A request of the batch has its answer, or wants none any more. After the last, the answers leave.
    pub(super) fn leave(&mut self, batch: BatchKey, outbox: &mut Outbox) {
        let Some(gathering) = self.open.get_mut(&batch) else { return };
        gathering.waiting -= 1;
        if gathering.waiting == 0 {
            self.send(batch, outbox);
            self.open.remove(&batch);
        }
    }

    /// Queues the answer that `write` appends, or keeps it if it belongs to a batch; nothing of it is there if
    /// that fails or panics.
    #[inline]
    pub(super) fn push<E>(
        &mut self,
        to: Destination,
        id: Option<&RequestId>,
        outbox: &mut Outbox,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(batch) = to.batch else {
            let route = route_of(id.cloned());
            return outbox.push_behind(to.behind, route, to.origin, write).map(drop);
        };
        let mut answer = Vec::new();
        write(&mut answer)?;
        self.keep(batch, id, &answer, outbox);
        Ok(())
    }

    /// Keeps an answer. If that is more than may be kept, what the batch has so far leaves, and the rest
    /// follows in an array of its own.
    #[cold]
    fn keep(
        &mut self,
        batch: BatchKey,
        id: Option<&RequestId>,
        answer: &[u8],
        outbox: &mut Outbox,
    ) {
        let Some(gathering) = self.open.get_mut(&batch) else { return };
        let before = gathering.text.len();
        gathering.text.push(if before == 0 { b'[' } else { b',' });
        gathering.text.extend_from_slice(answer);
        gathering.ids.extend(id.cloned());
        if let Some(id) = id {
            self.ids.insert(id, 0);
        }
        self.held += gathering.text.len() - before;
        if self.held > self.max_held {
            self.send(batch, outbox);
        }
    }

    /// The conversation ends: the answers that there are leave without the others.
    pub(super) fn release(&mut self, outbox: &mut Outbox) {
        for (_, batch) in self.open.take() {
            batch.send(outbox);
        }
        self.clear();
    }

    /// The conversation ends, and nobody reads what is left.
    pub(super) fn clear(&mut self) {
        self.open = Sorted::new();
        self.ids = Names::default();
        self.held = 0;
    }

    /// Queues what a batch has so far.
    fn send(&mut self, batch: BatchKey, outbox: &mut Outbox) {
        let Some(gathering) = self.open.get_mut(&batch) else { return };
        let Gathering { waiting, origin, .. } = *gathering;
        let fresh = Gathering { waiting, origin, ..Gathering::default() };
        let gathered = core::mem::replace(gathering, fresh);
        self.held -= gathered.text.len();
        for id in &gathered.ids {
            self.ids.remove(id);
        }
        gathered.send(outbox);
    }
}

impl Gathering {
    /// Queues what there is, if anything.
    fn send(self, outbox: &mut Outbox) {
        if self.text.is_empty() {
            return;
        }
        let route = route_of(self.ids.iter().min().cloned());
        let Ok(_) = outbox.push::<Infallible>(route, self.origin, |out| {
            out.extend_from_slice(&self.text);
            out.push(b']');
            Ok(())
        });
    }
}

fn route_of(id: Option<RequestId>) -> Route {
    id.map_or(Route::Standalone, Route::Reply)
}

#[cfg(test)]
mod tests {
    use super::super::outbox::Transmit;
    use super::*;
    use alloc::string::String;
    use alloc::vec;

    fn batches(max_held: usize) -> Batches {
        Batches::new(&Limits { max_outbox_len: max_held, ..Limits::default() })
    }

    /// As `Core` reads one with so many requests, none of which is answered at once.
    fn open(batches: &mut Batches, outbox: &mut Outbox, requests: usize) -> BatchKey {
        let batch = batches.begin(Origin::NONE);
        (0..requests).for_each(|_| batches.join(batch));
        batches.reading = None;
        batches.leave(batch, outbox);
        batch
    }

    fn to(batch: BatchKey) -> Destination {
        Destination { batch: Some(batch), ..Destination::default() }
    }

    fn answer(batches: &mut Batches, outbox: &mut Outbox, batch: BatchKey, id: i64, text: &str) {
        let id = id.into();
        let Ok(()) = batches.push::<Infallible>(to(batch), Some(&id), outbox, |out| {
            out.extend_from_slice(text.as_bytes());
            Ok(())
        });
    }

    fn sent(outbox: &mut Outbox) -> Vec<(Route, String)> {
        let text = |sent: Transmit| (sent.route, String::from_utf8(sent.message.into()).unwrap());
        core::iter::from_fn(|| outbox.pop().map(text)).collect()
    }

    #[test]
    fn nothing_is_left_of_a_batch_that_has_left() {
        let (mut batches, mut outbox) = (batches(1_000), Outbox::default());
        open(&mut batches, &mut outbox, 0);
        assert!(batches.open.is_empty() && outbox.is_empty(), "notifications alone say nothing");
        let [one, two] = [2, 1].map(|requests| open(&mut batches, &mut outbox, requests));
        answer(&mut batches, &mut outbox, one, 7, "{1}");
        answer(&mut batches, &mut outbox, two, 8, "{2}");
        assert!((batches.held(), batches.holds(&7.into())) == (8, true));
        batches.leave(two, &mut outbox);
        assert_eq!(sent(&mut outbox), [(Route::Reply(8.into()), "[{2}]".into())]);
        batches.leave(one, &mut outbox);
        answer(&mut batches, &mut outbox, one, 6, "{3}");
        batches.leave(one, &mut outbox);
        assert_eq!(sent(&mut outbox), [(Route::Reply(6.into()), "[{1},{3}]".into())]);
        assert!(batches.open.is_empty() && batches.held() == 0 && !batches.holds(&7.into()));
    }

    #[test]
    fn more_than_may_be_kept_leaves_early_and_the_rest_later() {
        let (mut batches, mut outbox) = (batches(9), Outbox::default());
        let [one, two] = [3, 1].map(|requests| open(&mut batches, &mut outbox, requests));
        answer(&mut batches, &mut outbox, one, 1, "{1}");
        answer(&mut batches, &mut outbox, two, 9, "{9}");
        answer(&mut batches, &mut outbox, one, 2, "{2}");
        assert_eq!(sent(&mut outbox), [(Route::Reply(1.into()), "[{1},{2}]".into())]);
        assert_eq!(batches.held(), 4);
        assert!(!batches.holds(&1.into()), "it has left");
        answer(&mut batches, &mut outbox, one, 3, "{3}");
        for batch in [one, one, one, two] {
            batches.leave(batch, &mut outbox);
        }
        let rest =
            [(3, "[{3}]"), (9, "[{9}]")].map(|(id, text)| (Route::Reply(id.into()), text.into()));
        assert_eq!(sent(&mut outbox), rest);
        assert_eq!(batches.held(), 0);
    }

    #[test]
    fn just_as_much_as_may_be_kept_waits() {
        let (mut batches, mut outbox) = (batches(8), Outbox::default());
        let batch = open(&mut batches, &mut outbox, 3);
        answer(&mut batches, &mut outbox, batch, 1, "{1}");
        answer(&mut batches, &mut outbox, batch, 2, "{2}");
        assert_eq!((batches.held(), sent(&mut outbox).len()), (8, 0));
        answer(&mut batches, &mut outbox, batch, 3, "");
        assert_eq!((batches.held(), sent(&mut outbox).len()), (0, 1));
    }

    #[test]
    fn an_answer_that_cannot_be_written_leaves_no_trace() {
        let (mut batches, mut outbox) = (batches(100), Outbox::default());
        let batch = open(&mut batches, &mut outbox, 1);
        let failed = batches.push(to(batch), Some(&1.into()), &mut outbox, |out| {
            out.extend_from_slice(b"half");
            Err(())
        });
        let panicked = std::panic::catch_unwind(core::panic::AssertUnwindSafe(|| {
            batches.push::<Infallible>(to(batch), Some(&1.into()), &mut outbox, |out| {
                out.extend_from_slice(b"half");
                panic!("a user's Serialize")
            })
        }));
        assert!((failed, panicked.is_err(), batches.held()) == (Err(()), true, 0));
        assert!(!batches.holds(&1.into()));
        answer(&mut batches, &mut outbox, batch, 1, "{1}");
        batches.release(&mut outbox);
        assert_eq!(sent(&mut outbox), vec![(Route::Reply(1.into()), String::from("[{1}]"))]);
        assert!(batches.open.is_empty() && batches.held() == 0);
    }
}
