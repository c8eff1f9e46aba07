//! For how long bytes have waited for a peer that takes none of them.

use core::time::Duration;

use crate::time::Instant;

/// The books of time at one end.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    /// The latest time that was named.
    latest: Instant,
    /// Since when bytes wait of which none was taken.
    waits_since: Option<Instant>,
    /// For how long they had waited when the end was seen.
    waited: Option<Duration>,
    has_ended: bool,
}

impl Patience {
    pub(super) fn new(now: Instant) -> Self {
        Self { latest: now, waits_since: None, waited: None, has_ended: false }
    }

    /// The latest time that was named.
    pub(super) fn latest(&self) -> Instant {
        self.latest
    }

    /// The peer has taken bytes.
    pub(super) fn note_taken(&mut self) {
        self.waits_since = None;
    }

    /// Something was done, and since then bytes wait or not.
    pub(super) fn note_waiting(&mut self, waits: bool, now: Instant) {
        self.latest = self.latest.max(now);
        self.waits_since = waits.then(|| self.waits_since.unwrap_or(self.latest));
    }

    /// It has ended. Only the first time counts.
    pub(super) fn note_end(&mut self, now: Instant) {
        self.latest = self.latest.max(now);
        if !self.has_ended {
            self.has_ended = true;
            self.waited = self.waits_since.map(|since| self.latest - since);
        }
    }

    /// It was closed as stalled after so long: had bytes waited all that time?
    ///
    /// # Panics
    ///
    /// If not.
    pub(super) fn check_stall(&self, timeout: Duration) {
        let waited = self.waited;
        assert!(
            waited >= Some(timeout),
            "closed as stalled, though bytes waited for {waited:?} only"
        );
    }
}
