//! Where a stream stands, and when it is asked for again: `Last-Event-ID`, `retry`, `Retry-After`, back-off.
//!
//! `basic/transports`, resumability, 2025-03-26 to 2025-11-25.

use alloc::collections::VecDeque;
use core::time::Duration;

use bytes::Bytes;

use super::exchange::End;
use super::options::ClientOptions;
use super::requests;
use super::spread::Spread;
use crate::bound::{PART, queue, sum};
use crate::time::Instant;
use crate::wire::sse::{Decoder, Event};

/// What outlives the connections of one stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Position {
    /// The last event that came; empty if none had an id.
    pub(super) id: Bytes,
    pub(super) retry: Option<Duration>,
    /// The connection that is open now has named when to come back: its server may part in order.
    pub(super) may_part: bool,
    /// Connections in a row that brought nothing.
    pub(super) tries: u32,
    /// When the connection that is open now was opened.
    pub(super) opened: Option<Instant>,
    /// When the last connection ended, if none is open.
    pub(super) closed: Option<Instant>,
    /// When something came on it last.
    pub(super) heard: Instant,
    /// Its server fills silence with comments.
    pub(super) is_filled: bool,
    /// Counts the connections.
    pub(super) connection: u32,
    /// The events that came last, as sums of their ids, and the connection that each came on.
    pub(super) seen: VecDeque<(u64, u32)>,
    pub(super) outage: Outage,
}

/// What is told of a stream that is cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Outage {
    #[default]
    None,
    /// It is cut, which is to be told.
    Begins,
    /// That is told.
    Lasts,
    /// It goes on, which is to be told.
    IsOver,
}

/// Events that are remembered, in order not to take one twice that a server replays.
const REMEMBERED: usize = 256;

impl Position {
    /// Bytes that it takes at most.
    pub(super) const fn bound(max_id_len: usize) -> usize {
        let seen = queue(REMEMBERED, size_of::<(u64, u32)>());
        sum([size_of::<Self>(), seen, max_id_len, 2 * PART])
    }

    pub(super) fn last_event_id(&self) -> &[u8] {
        &self.id
    }

    /// Whether it can be said where to go on.
    pub(super) fn is_resumable(&self) -> bool {
        !self.id.is_empty() && requests::is_bearable(&self.id)
    }

    /// Whether silence means that its connection is dead: a server that fills it would have been heard.
    pub(super) fn is_watched(&self) -> bool {
        self.is_filled && self.is_resumable()
    }

    /// Goes on without saying where. Whether that could be said.
    pub(super) fn forget(&mut self) -> bool {
        !core::mem::take(&mut self.id).is_empty()
    }

    /// A connection of the stream is open.
    pub(super) fn handle_open(&mut self, now: Instant) {
        (self.opened, self.closed) = (Some(now), None);
        self.heard = now;
        self.may_part = false;
        self.connection += 1;
        if self.outage == Outage::Lasts {
            // Without a place what was missed is lost: that is another stream.
            self.outage = if self.is_resumable() { Outage::IsOver } else { Outage::None };
        }
    }

    /// Its connection has ended before its time.
    pub(super) fn handle_cut(&mut self, end: End) {
        let is_parting = end == End::Complete && self.may_part;
        match self.outage {
            Outage::None if self.is_resumable() && !is_parting => self.outage = Outage::Begins,
            // Nobody has heard yet that it was back.
            Outage::IsOver => self.outage = Outage::Lasts,
            _ => {}
        }
    }

    /// Whether it is to be told that it is cut, and taken up again.
    pub(super) fn take_cut(&mut self) -> bool {
        self.take(Outage::Begins, Outage::Lasts)
    }

    /// Whether it is to be told that it goes on.
    pub(super) fn take_return(&mut self) -> bool {
        self.take(Outage::IsOver, Outage::None)
    }

    fn take(&mut self, news: Outage, known: Outage) -> bool {
        let is_news = self.outage == news;
        if is_news {
            self.outage = known;
        }
        is_news
    }

    /// An event has come. Whether it is new: on a later connection a server may repeat what came before.
    pub(super) fn handle_event(&mut self, event: &Event) -> bool {
        let Some(id) = event.id.as_ref().filter(|id| !id.is_empty()) else {
            // Nothing tells a repetition.
            if !event.data.is_empty() {
                self.tries = 0;
            }
            return true;
        };
        let sum = digest(id);
        let connection = self.connection;
        if self.seen.iter().any(|(seen, on)| *seen == sum && *on < connection) {
            return false;
        }
        self.tries = 0;
        if self.seen.len() >= REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back((sum, connection));
        true
    }

    /// What the stream says of itself, beside its events: an id may come without one.
    pub(super) fn follow(&mut self, decoder: &Decoder) {
        let id = decoder.last_event_id();
        if *id != self.id {
            self.id = Bytes::copy_from_slice(id);
        }
        // Each connection has a decoder of its own.
        self.may_part = decoder.retry().is_some();
        self.retry = decoder.retry().or(self.retry);
    }

    /// A connection has ended, or could not be opened.
    pub(super) fn handle_end(&mut self, options: &ClientOptions, now: Instant) {
        self.closed.get_or_insert(now);
        // An intermediary that cuts what is silent for long is no reason to give up.
        let lasted = self.opened.take().map(|opened| now.saturating_duration_since(opened));
        if lasted.is_some_and(|lasted| lasted >= options.longest_wait) {
            self.tries = 0;
        }
    }

    /// Tries in a row that brought nothing.
    pub(super) fn tries(&self) -> u32 {
        self.tries
    }

    /// How long to wait for the next try. `asked` is what a refusal asked for.
    pub(super) fn next(
        &mut self,
        options: &ClientOptions,
        asked: Option<Duration>,
        spread: Option<&mut Spread>,
    ) -> Duration {
        let (least, most) = options.retry_bounds;
        let told = self.retry.max(asked).map(|told| told.min(most).max(least));
        let doubled = options.first_wait.saturating_mul(1 << self.tries.saturating_sub(1).min(16));
        let own = match (self.tries, told) {
            (0, Some(_)) => Duration::ZERO,
            (0, None) => options.first_wait.min(most).max(least),
            _ => doubled.min(options.longest_wait).max(least),
        };
        self.tries = self.tries.saturating_add(1);
        let Some(spread) = spread else { return told.unwrap_or_default().max(own) };
        // Not before the server wants it; and not all clients of a server that comes back at one moment.
        let told = told.map(|told| told.saturating_add(spread.part(told / 5)));
        let own = own / 2 + spread.part(own - own / 2);
        told.unwrap_or_default().max(own)
    }
}

/// FNV-1a: ids are compared with each other only, and a server that makes two alike cheats itself.
fn digest(id: &[u8]) -> u64 {
    id.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn at(millis: u64) -> Instant {
        Instant::ZERO + Duration::from_millis(millis)
    }

    /// How long each try waits, if nothing ever comes.
    fn waits(stream: &[u8]) -> Vec<u64> {
        waits_with(stream, None, None)
    }

    fn waits_with(stream: &[u8], asked: Option<Duration>, mut spread: Option<Spread>) -> Vec<u64> {
        let (options, mut position) = (ClientOptions::default(), Position::default());
        let mut decoder = Decoder::new(1 << 10, 1 << 10);
        decoder.handle_input(stream, at(0));
        while decoder.poll_event().is_some() {}
        position.handle_open(at(0));
        position.follow(&decoder);
        let (mut now, mut waits) = (at(0), Vec::new());
        for _ in 0..8 {
            position.handle_end(&options, now);
            let wait = position.next(&options, asked, spread.as_mut());
            waits.push(u64::try_from(wait.as_millis()).unwrap());
            now = now + wait;
        }
        waits
    }

    #[test]
    fn waiting_grows_within_its_bounds() {
        const REST: [u64; 7] = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
        let first = |first| [&[first], &REST[..]].concat();
        assert_eq!(waits(b""), first(1_000));
        assert_eq!(waits(b"retry: 500\n\n"), first(500));
        assert_eq!(waits(b"retry: 0\n\n"), first(100));
        assert_eq!(
            waits(b"retry: 4000\n\n"),
            [4_000, 4_000, 4_000, 4_000, 8_000, 16_000, 30_000, 30_000]
        );
        assert_eq!(waits(b"retry: 99999999999999999999\n\n"), [300_000; 8]);
    }

    #[test]
    fn what_a_refusal_asks_for_is_waited_for_within_the_bounds() {
        let secs = |secs| Some(Duration::from_secs(secs));
        assert_eq!(waits_with(b"", secs(5), None)[..4], [5_000; 4]);
        assert_eq!(waits_with(b"", secs(0), None)[..3], [100, 1_000, 2_000]);
        assert_eq!(waits_with(b"retry: 7000\n\n", secs(5), None)[0], 7_000, "the longer one");
        assert_eq!(waits_with(b"", secs(u64::MAX), None), [300_000; 8]);
    }

    #[test]
    fn clients_of_one_server_do_not_come_back_at_one_moment() {
        for (stream, bounds) in [
            // What the server names is not undercut, and exceeded by a fifth at most.
            (&b"retry: 1000\n\n"[..], [(1_000, 1_200), (1_000, 1_200), (1_000, 2_000)]),
            (b"", [(500, 1_000), (500, 1_000), (1_000, 2_000)]),
        ] {
            let all: Vec<_> =
                (0..100).map(|seed| waits_with(stream, None, Some(Spread::new(seed)))).collect();
            for (at, (least, most)) in bounds.into_iter().enumerate() {
                let mut waits: Vec<_> = all.iter().map(|waits| waits[at]).collect();
                assert!(waits.iter().all(|wait| (least..=most).contains(wait)), "{waits:?}");
                waits.sort_unstable();
                waits.dedup();
                assert!(waits.len() > 50, "{waits:?}");
            }
            assert!(all.iter().flatten().all(|wait| *wait <= 30_000));
        }
    }

    #[test]
    fn what_comes_or_lasts_makes_the_tries_begin_anew() {
        let (options, mut position) = (ClientOptions::default(), Position::default());
        let mut decoder = Decoder::new(1 << 10, 1 << 10);
        for n in 0..50_u64 {
            let now = at(n * 10_000);
            position.handle_open(now);
            decoder.handle_input(alloc::format!("id: {n}\ndata:\n\n").as_bytes(), now);
            assert!(position.handle_event(&decoder.poll_event().unwrap().unwrap()));
            position.handle_end(&options, now);
            assert_eq!(position.tries(), 0, "an event came");
            position.next(&options, None, None);
        }
        for n in 50..100 {
            position.handle_open(at(n * 100_000));
            let end = at(n * 100_000 + 40_000);
            position.handle_end(&options, end);
            assert_eq!(position.tries(), 0, "it lasted");
            position.next(&options, None, None);
        }
    }

    #[test]
    fn an_event_is_new_once_but_for_the_connection_that_repeats_ids() {
        let mut position = Position::default();
        let read = |bytes: &[u8], position: &mut Position| {
            let mut decoder = Decoder::new(1 << 10, 1 << 10).behind(position.last_event_id());
            decoder.handle_input(bytes, at(0));
            let event = decoder.poll_event().unwrap().unwrap();
            position.follow(&decoder);
            position.handle_event(&event)
        };
        position.handle_open(at(0));
        assert!(read(b"id: 1\ndata: a\n\n", &mut position));
        assert!(read(b"id: 1\ndata: b\n\n", &mut position), "ids of a careless server");
        assert!(read(b"data: c\n\n", &mut position));
        position.handle_open(at(1));
        assert!(!read(b"id: 1\ndata: b\n\n", &mut position));
        assert!(read(b"id: 2\ndata: d\n\n", &mut position));
        assert_eq!(position.last_event_id(), b"2");
        position.handle_open(at(2));
        assert!(read(b"data: e\n\n", &mut position));
        assert_eq!(position.last_event_id(), b"2", "it stays in force on a later connection");
        assert!(read(b"id\ndata: f\n\n", &mut position));
        assert!(!position.is_resumable(), "an empty id takes it back");
    }
}
