//! Exchanges that are under way, and which of them have something to say.

use alloc::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use http::Response;

use super::super::Exchange;
use super::Scope;
use super::replay::StreamName;
use crate::slots::Slots;
use crate::time::Instant;

/// The table.
#[derive(Clone, Debug, Default)]
pub(super) struct Exchanges {
    pub(super) entries: Slots<Entry>,
    pub(super) last: i64,
    /// Those that are broken off, and whose readers do not know it yet.
    pub(super) broken: usize,
    /// Those that stand open until somebody ends them.
    pub(super) standing: usize,
    /// Bytes of responses that are here whole, and were not taken.
    pub(super) whole_len: usize,
    pub(super) ready: VecDeque<Exchange>,
}

/// One HTTP request and its response.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) source: Source,
    /// Its head was taken.
    pub(super) is_begun: bool,
    /// Its reader got nothing when it asked last, and is told when there is something.
    pub(super) is_hungry: bool,
    /// It is among those that are ready.
    pub(super) is_listed: bool,
    /// When its reader took something last.
    pub(super) taken_at: Instant,
    /// Since when something waits for its reader.
    pub(super) waits_since: Option<Instant>,
    /// The timer that is set for it.
    pub(super) armed: Option<Instant>,
    /// When its stream says its first id, unless it is answered before.
    pub(super) primes_at: Option<Instant>,
    /// It ends without an end: what follows is lost.
    pub(super) is_broken: bool,
    /// It stands open until somebody ends it.
    pub(super) is_standing: bool,
}

/// Where its response comes from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    /// It is here.
    Whole(Response<Option<Bytes>>),
    Stream(Scope, StreamName),
}

impl Source {
    /// Bytes of it that are here, and were not taken.
    fn whole_len(&self) -> usize {
        match self {
            Self::Whole(response) => response.body().as_ref().map_or(0, Bytes::len),
            Self::Stream(..) => 0,
        }
    }
}

impl Exchanges {
    /// How many there are. Those that are broken off do not count: a reader that never asks again holds up nobody.
    pub(super) fn len(&self) -> usize {
        self.entries.len() - self.broken
    }

    /// How many wait for an end of their own.
    pub(super) fn passing(&self) -> usize {
        self.len() - self.standing
    }

    /// How many stand open until somebody ends them.
    pub(super) fn standing(&self) -> usize {
        self.standing
    }

    /// How many are broken off, and known to somebody.
    pub(super) fn broken(&self) -> usize {
        self.broken
    }

    /// Bytes of responses that are here whole, and were not taken.
    pub(super) fn whole_len(&self) -> usize {
        self.whole_len
    }

    /// Takes the body of a response that is here whole.
    pub(super) fn take_whole(&mut self, exchange: Exchange) -> Option<Bytes> {
        let entry = self.get_mut(exchange)?;
        let Source::Whole(response) = &mut entry.source else { return None };
        let body = response.body_mut().take()?;
        self.whole_len -= body.len();
        Some(body).filter(|body| !body.is_empty())
    }

    /// Breaks one off: what follows is lost. Where it came from.
    pub(super) fn break_off(&mut self, exchange: Exchange) -> Option<Source> {
        let entry = self.get_mut(exchange)?;
        let source = core::mem::replace(&mut entry.source, Source::Whole(Response::new(None)));
        let whole_len = source.whole_len();
        let was_standing = core::mem::take(&mut entry.is_standing);
        if !core::mem::replace(&mut entry.is_broken, true) {
            self.broken += 1;
            self.standing -= usize::from(was_standing);
        }
        self.whole_len -= whole_len;
        Some(source)
    }

    /// What follows is here, and nothing behind it.
    #[cfg(feature = "snapshot")]
    pub(super) fn conclude(&mut self, exchange: Exchange, last: Response<Bytes>, now: Instant) {
        if let Some(entry) = self.get_mut(exchange) {
            let source = Source::Whole(last.map(Some));
            let len = source.whole_len();
            let before = core::mem::replace(&mut entry.source, source).whole_len();
            entry.primes_at = None;
            self.whole_len = self.whole_len + len - before;
            self.signal(exchange, now);
        }
    }

    /// Opens one.
    pub(super) fn open(&mut self, source: Source, now: Instant) -> Exchange {
        self.last = self.entries.next_free(self.last + 1);
        let is_whole = matches!(source, Source::Whole(_));
        self.whole_len += source.whole_len();
        let entry = Entry {
            source,
            is_begun: false,
            is_hungry: true,
            is_listed: false,
            taken_at: now,
            waits_since: None,
            armed: None,
            primes_at: None,
            is_broken: false,
            is_standing: false,
        };
        self.entries.insert(self.last, entry);
        let exchange = Exchange(self.last.unsigned_abs());
        if is_whole {
            self.signal(exchange, now);
        }
        exchange
    }

    /// Opens one that stands open until somebody ends it.
    pub(super) fn open_standing(&mut self, source: Source, now: Instant) -> Exchange {
        let exchange = self.open(source, now);
        if let Some(entry) = self.get_mut(exchange) {
            entry.is_standing = true;
            self.standing += 1;
        }
        exchange
    }

    /// The name that the next one gets.
    pub(super) fn next(&self) -> Exchange {
        Exchange(self.entries.next_free(self.last + 1).unsigned_abs())
    }

    #[cfg(feature = "driver")]
    pub(super) fn get(&self, exchange: Exchange) -> Option<&Entry> {
        self.entries.get(number(exchange)?)
    }

    pub(super) fn get_mut(&mut self, exchange: Exchange) -> Option<&mut Entry> {
        self.entries.get_mut(number(exchange)?)
    }

    pub(super) fn close(&mut self, exchange: Exchange, timers: &mut Timers) -> Option<Entry> {
        let entry = self.entries.remove(number(exchange)?)?;
        timers.set(Timer::Exchange(exchange), entry.armed, None);
        self.broken -= usize::from(entry.is_broken);
        self.standing -= usize::from(entry.is_standing);
        self.whole_len -= entry.source.whole_len();
        if self.ready.len() > 2 * self.entries.len() + 16 {
            let entries = &self.entries;
            let is_there = |exchange: &Exchange| {
                number(*exchange).is_some_and(|number| entries.get(number).is_some())
            };
            self.ready.retain(is_there);
        }
        Some(entry)
    }

    /// There is something for the reader of an exchange.
    pub(super) fn signal(&mut self, exchange: Exchange, now: Instant) {
        let Some(entry) = self.get_mut(exchange) else { return };
        entry.waits_since.get_or_insert(now);
        if core::mem::take(&mut entry.is_hungry) && !core::mem::replace(&mut entry.is_listed, true)
        {
            self.ready.push_back(exchange);
        }
    }

    /// The reader of an exchange got nothing.
    pub(super) fn starve(&mut self, exchange: Exchange) {
        if let Some(entry) = self.get_mut(exchange) {
            entry.is_hungry = true;
            entry.waits_since = None;
        }
    }

    /// The next one that has something for its reader, and whether it is a response that is there whole.
    pub(super) fn poll_ready(&mut self) -> Option<(Exchange, bool)> {
        loop {
            let exchange = self.ready.pop_front()?;
            if let Some(entry) = self.get_mut(exchange) {
                entry.is_listed = false;
                return Some((exchange, matches!(entry.source, Source::Whole(_))));
            }
        }
    }
}

fn number(exchange: Exchange) -> Option<i64> {
    i64::try_from(exchange.0).ok()
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Timer {
    /// A deadline of its endpoint, or a stream that is forgotten.
    Scope(Scope),
    /// A stream is silent or says its first id, or its reader stands still.
    Exchange(Exchange),
}

/// When something is due: at most one entry for each of these.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers(BTreeSet<(Instant, Timer)>);

impl Timers {
    #[cfg(feature = "testing")]
    pub(super) fn digest(&self, digest: &mut crate::digest::Digest<'_>) {
        digest.put(self.0.len());
        for (at, timer) in &self.0 {
            digest.time(*at);
            digest.put(timer);
        }
    }

    /// Moves a timer. Whoever owns it knows for when it was set.
    pub(super) fn set(&mut self, timer: Timer, from: Option<Instant>, to: Option<Instant>) {
        if from == to {
            return;
        }
        if let Some(from) = from {
            self.0.remove(&(from, timer));
        }
        if let Some(to) = to {
            self.0.insert((to, timer));
        }
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    pub(super) fn pop(&mut self, now: Instant) -> Option<Timer> {
        self.next().filter(|at| *at <= now)?;
        self.0.pop_first().map(|(_, timer)| timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_is_ready_once_and_again_after_it_had_nothing() {
        let (mut exchanges, mut timers) = (Exchanges::default(), Timers::default());
        let source = Source::Stream(Scope(1), StreamName(1));
        let exchange = exchanges.open(source, Instant::ZERO);
        assert_eq!(exchanges.poll_ready(), None);
        for _ in 0..3 {
            exchanges.signal(exchange, Instant::ZERO);
        }
        assert_eq!(
            (exchanges.poll_ready(), exchanges.poll_ready()),
            (Some((exchange, false)), None)
        );
        exchanges.signal(exchange, Instant::ZERO);
        assert_eq!(exchanges.poll_ready(), None, "nobody asked in between");
        for _ in 0..100 {
            exchanges.starve(exchange);
            exchanges.signal(exchange, Instant::ZERO);
        }
        assert_eq!(exchanges.ready.len(), 1, "it is listed once, though nobody looked");
        exchanges.close(exchange, &mut timers);
        assert_eq!((exchanges.poll_ready(), exchanges.len()), (None, 0));
    }

    #[test]
    fn what_has_ended_does_not_stay_listed() {
        let (mut exchanges, mut timers) = (Exchanges::default(), Timers::default());
        for _ in 0..1000 {
            let exchange = exchanges.open(Source::Whole(Response::new(None)), Instant::ZERO);
            exchanges.close(exchange, &mut timers);
        }
        assert!(exchanges.ready.len() <= 18, "{}", exchanges.ready.len());
    }

    #[test]
    fn a_timer_is_set_once() {
        let (one, two) = (Instant::from_nanos(1), Instant::from_nanos(2));
        let mut timers = Timers::default();
        let timer = Timer::Scope(Scope(1));
        timers.set(timer, None, Some(two));
        timers.set(timer, Some(two), Some(one));
        assert_eq!((timers.next(), timers.pop(Instant::ZERO)), (Some(one), None));
        assert_eq!((timers.pop(one), timers.next()), (Some(timer), None));
    }
}
