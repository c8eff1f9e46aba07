//! For how long bytes have waited for a peer that takes none of them.

use core::time::Duration;

use crate::time::Instant;

/// The books of time at one end: a connection may be closed as stalled only if bytes waited all that time.
#[derive(Clone, Debug)]
pub struct Patience {
    /// The latest time that was named: clocks may go back.
    latest: Instant,
    /// Since when bytes wait of which none was taken.
    waits_since: Option<Instant>,
    /// For how long they had waited when the end was seen.
    waited: Option<Duration>,
    has_ended: bool,
}

impl Patience {
    /// Nothing waits yet.
    pub fn new(now: Instant) -> Self {
        Self { latest: now, waits_since: None, waited: None, has_ended: false }
    }

    /// The latest time that was named.
    pub fn latest(&self) -> Instant {
        self.latest
    }

    /// A time was named.
    pub fn note_time(&mut self, now: Instant) {
        self.latest = self.latest.max(now);
    }

    /// The peer has taken bytes.
    pub fn note_taken(&mut self) {
        self.waits_since = None;
    }

    /// Something was done, and since then bytes wait or not.
    pub fn note_waiting(&mut self, waits: bool, now: Instant) {
        self.note_time(now);
        // A clock that went back counts anew from where it is.
        self.waits_since = waits.then(|| self.waits_since.map_or(now, |since| since.min(now)));
    }

    /// It has ended. Only the first time counts.
    pub fn note_end(&mut self, now: Instant) {
        self.note_time(now);
        if !self.has_ended {
            self.has_ended = true;
            self.waited = self.waits_since.map(|since| now - since);
        }
    }

    /// For how long bytes had waited when it ended.
    pub fn waited(&self) -> Option<Duration> {
        self.waited
    }
}
