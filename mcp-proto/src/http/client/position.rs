//! Where a stream stands, and when it is asked for again: `Last-Event-ID`, `retry`, back-off.
//!
//! `basic/transports`, resumability, 2025-03-26 to 2025-11-25.

use alloc::collections::VecDeque;
use core::time::Duration;

use bytes::Bytes;

use super::options::ClientOptions;
use super::requests;
use crate::time::Instant;
use crate::wire::sse::{Decoder, Event};

/// What outlives the connections of one stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Position {
    /// The last event that came; empty if none had an id.
    id: Bytes,
    retry: Option<Duration>,
    /// Connections in a row that brought nothing.
    tries: u32,
    /// When the connection that is open now was opened.
    opened: Option<Instant>,
    /// Counts the connections.
    connection: u32,
    /// The events that came last, as sums of their ids, and the connection that each came on.
    seen: VecDeque<(u64, u32)>,
}

/// Events that are remembered, in order not to take one twice that a server replays.
const REMEMBERED: usize = 256;

impl Position {
    pub(super) fn last_event_id(&self) -> &[u8] {
        &self.id
    }

    /// Whether it can be said where to go on.
    pub(super) fn is_resumable(&self) -> bool {
        !self.id.is_empty() && requests::is_bearable(&self.id)
    }

    /// Goes on without saying where. Whether that could be said.
    pub(super) fn forget(&mut self) -> bool {
        !core::mem::take(&mut self.id).is_empty()
    }

    /// A connection of the stream is open.
    pub(super) fn handle_open(&mut self, now: Instant) {
        self.opened = Some(now);
        self.connection += 1;
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
        let sum = sum(id);
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
        if !id.is_empty() && *id != self.id {
            self.id = Bytes::copy_from_slice(id);
        }
        self.retry = decoder.retry().or(self.retry);
    }

    /// A connection has ended, or could not be opened. When to open the next; never, once the tries are used up.
    pub(super) fn next(&mut self, options: &ClientOptions, now: Instant) -> Option<Instant> {
        // An intermediary that cuts what is silent for long is no reason to give up.
        let lasted = self.opened.take().map(|opened| now.saturating_duration_since(opened));
        if lasted.is_some_and(|lasted| lasted >= options.longest_wait) {
            self.tries = 0;
        }
        if self.tries >= options.max_tries {
            return None;
        }
        let (least, most) = options.retry_bounds;
        let told = self.retry.unwrap_or(options.first_wait).min(most).max(least);
        let doubled = options.first_wait.saturating_mul(1 << self.tries.saturating_sub(1).min(16));
        let wait = if self.tries == 0 { told } else { told.max(doubled.min(options.longest_wait)) };
        self.tries += 1;
        Some(now + wait)
    }
}

/// FNV-1a: ids are compared with each other only, and a server that makes two alike cheats itself.
fn sum(id: &[u8]) -> u64 {
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
        let (options, mut position) = (ClientOptions::default(), Position::default());
        let mut decoder = Decoder::new(1 << 10, 1 << 10);
        decoder.handle_input(stream, at(0));
        while decoder.poll_event().is_some() {}
        position.handle_open(at(0));
        position.follow(&decoder);
        let (mut now, mut waits) = (at(0), Vec::new());
        while let Some(next) = position.next(&options, now) {
            waits.push(u64::try_from((next.saturating_duration_since(now)).as_millis()).unwrap());
            now = next;
            position.handle_open(now);
        }
        waits
    }

    #[test]
    fn waiting_grows_within_its_bounds_and_ends() {
        assert_eq!(waits(b""), [1_000, 1_000, 2_000, 4_000, 8_000]);
        assert_eq!(waits(b"retry: 500\n\n"), [500, 1_000, 2_000, 4_000, 8_000]);
        assert_eq!(waits(b"retry: 0\n\n"), [100, 1_000, 2_000, 4_000, 8_000]);
        assert_eq!(waits(b"retry: 4000\n\n"), [4_000, 4_000, 4_000, 4_000, 8_000]);
        assert_eq!(waits(b"retry: 99999999999999999999\n\n"), [300_000; 5]);
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
            assert!(position.next(&options, now).is_some(), "an event came");
        }
        for n in 50..100 {
            position.handle_open(at(n * 100_000));
            let end = at(n * 100_000 + 40_000);
            assert!(position.next(&options, end).is_some(), "it lasted");
        }
    }

    #[test]
    fn an_event_is_new_once_but_for_the_connection_that_repeats_ids() {
        let mut position = Position::default();
        let read = |bytes: &[u8], position: &mut Position| {
            let mut decoder = Decoder::new(1 << 10, 1 << 10);
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
    }
}
