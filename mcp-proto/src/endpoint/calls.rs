//! Calls in flight, found by id without searching.

use alloc::boxed::Box;
use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::time::Duration;

use super::outbox::{Origin, Place};
use crate::bound::{PART, sum, times};
use crate::config::Limits;
#[cfg(feature = "testing")]
use crate::digest::Digest;
use crate::error::{Expired, Limit};
use crate::id::{Names, ProgressToken};
use crate::progress::Receiver;
use crate::slots::Slots;
#[cfg(feature = "snapshot")]
use crate::state::{RestoreError, check, check_count, check_limit, moments};
use crate::time::Instant;

/// One request of ours that waits for its answer.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Call {
    pub(crate) purpose: Purpose,
    pub(crate) tracking: Tracked,
    /// Where its request was queued; nowhere while it is held until the peer is ready.
    pub(crate) queued: Option<Place>,
    pub(crate) receiver: Receiver,
    pub(crate) started: Instant,
    pub(crate) idle: Option<Deadline>,
    /// When it ends in any case.
    pub(crate) total: Option<Instant>,
    /// A token of the wrong type was seen for it and has been reported.
    pub(crate) lenient: bool,
    /// It opens a subscription, which the server of the modern era may end by a notification.
    pub(crate) subscribes: bool,
    /// Where it goes: where the request came from that it is made for.
    pub(crate) origin: Origin,
}

/// Who waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Purpose {
    Application,
    Probe,
    Initialize,
    /// The engine itself, and it does not mind what the answer is.
    Courtesy,
}

/// The token that a call went out with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Tracked {
    No,
    /// Its id.
    Own,
    /// Seldom, and many calls may wait: so it is elsewhere.
    Custom(
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] Box<ProgressToken>,
    ),
}

/// How long something may take, and when that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Deadline {
    /// Nanoseconds.
    after: u64,
    pub(crate) at: Instant,
}

/// The table. Ids count up and are never used twice, so an id below the counter that is not here is
/// over, and one above it never was: nothing needs to be remembered of calls that have ended.
///
/// Where an older call still sits in the slot of an id, the id is skipped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Calls {
    slots: Slots<Call>,
    last_id: i64,
    tokens: Names,
    /// A caller has chosen a text that reads as a number. From then on no text is taken for a number of ours: a late
    /// report on that call would be taken for one on another.
    has_numerals: bool,
}

/// What a snapshot keeps of the table.
#[cfg(feature = "snapshot")]
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct CallsForm {
    slots: usize,
    last_id: i64,
    has_numerals: bool,
    calls: Vec<(i64, Call)>,
}

#[cfg(feature = "snapshot")]
moments!(CallsForm { calls; slots, last_id, has_numerals });
#[cfg(feature = "snapshot")]
moments!(Call { started, idle, total; purpose, tracking, queued, receiver, lenient, subscribes, origin });
#[cfg(feature = "snapshot")]
moments!(Deadline { at; after });

impl Deadline {
    pub(crate) fn new(after: Option<Duration>, now: Instant) -> Option<Self> {
        after.map(|after| Self { after: Instant::from(after).as_nanos(), at: now + after })
    }

    fn after(self) -> Duration {
        Duration::from_nanos(self.after)
    }
}

impl Call {
    /// Written before the peer was ready for it; not even queued yet.
    pub(crate) fn is_held(&self) -> bool {
        self.queued.is_none()
    }

    /// When it ends by itself.
    pub(crate) fn due(&self) -> Option<Instant> {
        match (self.idle, self.total) {
            (Some(idle), Some(total)) => Some(idle.at.min(total)),
            (idle, total) => idle.map(|idle| idle.at).or(total),
        }
    }

    /// Which deadline has passed.
    pub(crate) fn expired(&self, now: Instant, others: usize) -> Option<Expired> {
        let total = self.total.filter(|total| *total <= now);
        let idle = self.idle.filter(|idle| idle.at <= now);
        let (limit, after) = match (total, idle) {
            (Some(total), Some(idle)) if idle.at < total => (Limit::Idle, idle.after()),
            (Some(total), _) => (Limit::Total, total - self.started),
            (None, Some(idle)) => (Limit::Idle, idle.after()),
            (None, None) => return None,
        };
        Some(Expired {
            limit,
            after,
            elapsed: now.saturating_duration_since(self.started),
            tracked: self.tracking != Tracked::No,
            reports: self.receiver.count(),
            last: self.receiver.last(),
            others,
            interrupted: None,
        })
    }

    /// Something was heard of it. That may have arrived before the call was made and have waited to be read,
    /// from a peer that guesses tokens; a deadline only moves later, or its timer would be lost.
    pub(crate) fn rearm(&mut self, now: Instant) {
        if let Some(idle) = &mut self.idle {
            idle.at = idle.at.max(now + idle.after());
        }
    }
}

impl Calls {
    /// Bytes that it takes at most: the table while it doubles, and the callers' own tokens.
    pub(super) const fn bound(limits: &Limits) -> usize {
        // The engine's own call while it opens the conversation is one more.
        let calls = sum([limits.max_calls, 1]);
        let slots = Slots::<Call>::bound(calls);
        sum([
            times(sum([slots, slots / 2]), size_of::<Option<(i64, Call)>>()),
            Names::bound(calls),
            times(calls, sum([limits.max_id_len, size_of::<ProgressToken>(), 2 * PART])),
        ])
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// The id that the next call will get, so that it can be written before it is entered.
    pub(crate) fn next_id(&self) -> i64 {
        self.slots.next_free(self.last_id.saturating_add(1))
    }

    /// The id of the newest call; 0 before the first.
    pub(crate) fn last_id(&self) -> i64 {
        self.last_id
    }

    /// Whether `id` is below the counter: it was given out, or skipped.
    pub(crate) fn was_issued(&self, id: i64) -> bool {
        id > 0 && id <= self.last_id
    }

    /// Enters a call under the id that `next_id` has just named.
    pub(crate) fn insert(&mut self, id: i64, call: Call) {
        if let Tracked::Custom(token) = &call.tracking {
            self.has_numerals |= token.lenient_i64().is_some();
            self.tokens.insert(&**token, id);
        }
        self.last_id = id;
        let displaced = self.slots.insert(id, call);
        debug_assert!(displaced.is_none(), "its slot was free");
    }

    pub(crate) fn get(&self, id: i64) -> Option<&Call> {
        self.slots.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: i64) -> Option<&mut Call> {
        self.slots.get_mut(id)
    }

    pub(crate) fn remove(&mut self, id: i64) -> Option<Call> {
        let call = self.slots.remove(id)?;
        if let Tracked::Custom(token) = &call.tracking {
            self.tokens.remove(&**token);
        }
        Some(call)
    }

    /// The call that goes by a token of the caller's own.
    pub(crate) fn by_token(&self, token: &ProgressToken) -> Option<i64> {
        self.tokens.get(token)
    }

    /// The call that a token of another type means, which some servers make of ours: 7 comes back as "7".
    pub(crate) fn by_lenient_token(&self, token: &ProgressToken) -> Option<i64> {
        token.lenient_i64().filter(|_| !self.has_numerals)
    }

    /// Whether a caller's own token could be mistaken for another. Every positive number is the engine's: that of a
    /// call to come, or of one whose late reports may still be on their way.
    pub(crate) fn is_taken(&self, token: &ProgressToken) -> bool {
        self.tokens.get(token).is_some() || token.as_i64().is_some_and(|value| value > 0)
    }

    /// The ids in flight, oldest first.
    pub(crate) fn ids(&self) -> Vec<i64> {
        self.slots.iter().map(|(id, _)| id).collect::<BinaryHeap<_>>().into_sorted_vec()
    }

    /// What is kept of it. How many slots there are decides which ids are skipped.
    #[cfg(feature = "snapshot")]
    pub(super) fn form(&self) -> CallsForm {
        let Self { slots, last_id, tokens: _, has_numerals } = self;
        let calls = slots.iter().map(|(id, call)| (id, call.clone())).collect();
        CallsForm { slots: slots.slots(), last_id: *last_id, has_numerals: *has_numerals, calls }
    }

    #[cfg(feature = "snapshot")]
    pub(super) fn restore(form: CallsForm, limits: &Limits) -> Result<Self, RestoreError> {
        let CallsForm { slots, last_id, mut has_numerals, calls } = form;
        // One that opens the conversation, and one that asks for log messages.
        let most = limits.max_calls.saturating_add(2);
        check_limit(calls.len(), most, "calls in flight")?;
        check_limit(slots, Slots::<Call>::bound(most).next_power_of_two(), "slots of calls")?;
        check_count(last_id.cast_unsigned())?;
        let mut tokens = Names::default();
        for (id, call) in &calls {
            check((1..=last_id).contains(id), "a call that was never made")?;
            check(call.receiver.is_sound(), "a report that is no number")?;
            if let Tracked::Custom(token) = &call.tracking {
                check_limit(token.text_len(), limits.max_id_len, "the length of a token")?;
                has_numerals |= token.lenient_i64().is_some();
                let is_ours = token.as_i64().is_some_and(|value| value > 0);
                let is_new = tokens.insert(&**token, *id);
                check(is_new && !is_ours, "two calls that go by one token")?;
            }
        }
        let slots = Slots::restore(slots, calls);
        let slots = slots.ok_or(RestoreError::Invalid("calls that have no place"))?;
        Ok(Self { slots, last_id, tokens, has_numerals })
    }

    #[cfg(feature = "snapshot")]
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, &Call)> {
        self.slots.iter()
    }

    #[cfg(feature = "testing")]
    pub(super) fn digest(&self, front: Place, digest: &mut Digest<'_>) {
        let Self { slots, last_id, tokens, has_numerals } = self;
        digest.put((slots.slots(), last_id, slots.len(), tokens, has_numerals));
        for (id, call) in slots.iter() {
            let Call {
                purpose,
                tracking,
                queued,
                receiver,
                started,
                idle,
                total,
                lenient,
                subscribes,
                origin,
            } = call;
            digest.put((id, purpose, tracking, lenient, subscribes, origin));
            digest.put(queued.map(|place| place.behind(front)));
            receiver.digest(digest);
            // When it started is only told.
            digest.put((idle.map(Deadline::after), total.map(|total| total - *started)));
            for at in [idle.map(|idle| idle.at), *total] {
                digest.time(at.unwrap_or(Instant::ZERO));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call {
            purpose: Purpose::Application,
            tracking: Tracked::No,
            queued: None,
            receiver: Receiver::default(),
            started: Instant::ZERO,
            idle: None,
            total: None,
            lenient: false,
            subscribes: false,
            origin: Origin::NONE,
        }
    }

    #[test]
    fn ids_count_up_and_are_found_whatever_stays_in_flight() {
        let mut calls = Calls::default();
        let mut kept = Vec::new();
        let mut last = 0;
        for round in 0..10_000 {
            let id = calls.next_id();
            assert!(id > last);
            last = id;
            calls.insert(id, call());
            if round % 97 == 0 {
                kept.push(id);
            } else {
                assert!(calls.remove(id).is_some());
                assert!(calls.remove(id).is_none());
            }
        }
        assert_eq!(calls.len(), kept.len());
        assert_eq!(calls.ids(), kept);
        assert!(kept.iter().all(|id| calls.get(*id).is_some()));
        assert!(calls.slots.slots() <= 4 * kept.len());
    }

    #[test]
    fn a_callers_token_is_refused_while_it_could_be_mistaken() {
        let mut calls = Calls::default();
        let id = calls.next_id();
        calls.insert(id, Call { tracking: Tracked::Custom(Box::new("mine".into())), ..call() });
        assert!(calls.is_taken(&"mine".into()));
        assert!(calls.is_taken(&(id + 1).into()));
        assert!(calls.is_taken(&id.into()));
        assert!(!calls.is_taken(&0.into()));
        assert!(!calls.is_taken(&"".into()));
        calls.remove(id);
        assert!(!calls.is_taken(&"mine".into()));
        assert!(calls.is_taken(&id.into()), "late reports may be on their way");
    }

    #[test]
    fn the_earlier_deadline_is_the_one_that_is_told() {
        let secs = Duration::from_secs;
        let both = Call {
            idle: Deadline::new(Some(secs(5)), Instant::ZERO),
            total: Some(Instant::from(secs(7))),
            ..call()
        };
        assert_eq!(both.due(), Some(Instant::from(secs(5))));
        assert_eq!(both.expired(Instant::from(secs(4)), 0), None);
        let told = |call: &Call| {
            let expired = call.expired(Instant::from(secs(9)), 0).unwrap();
            (expired.limit, expired.after)
        };
        assert_eq!(told(&both), (Limit::Idle, secs(5)));
        assert_eq!(told(&Call { idle: None, ..both.clone() }), (Limit::Total, secs(7)));
        assert_eq!(told(&Call { total: None, ..both }), (Limit::Idle, secs(5)));
    }
}
