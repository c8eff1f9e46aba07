//! Whether a connection is used: a request of it is under way, or its peer still takes what was said.
//!
//! On HTTP/2 each response waits for room of its own, which its peer may never give, and nobody sees that on the socket.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::driver::Runtime;
use crate::net::timing::sleep;

/// The use of one connection. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Usage(Arc<State>);

#[derive(Default)]
struct State {
    /// Requests that are under way.
    open: AtomicUsize,
    /// Something waits for the peer to take it.
    waits: AtomicBool,
    /// Counts on with each use, so that one is seen that was short.
    uses: AtomicUsize,
    /// Its peer speaks HTTP/2.
    is_shared: AtomicBool,
    /// Responses that wait for the peer to give them room, by the turn in which they began to.
    unread: [AtomicUsize; TURNS],
    /// The turn, which moves on while somebody [looks](Usage::stalled).
    turn: AtomicUsize,
}

/// The one that there is, two in which something may wait, and the one in which it must no longer.
const TURNS: usize = 4;

/// What is written without being asked for is shorter: pings of HTTP/2, and the answers to them.
const SHORT: usize = 64;

impl Usage {
    /// A request has come, over HTTP/2 or not.
    pub(super) fn begin(&self, is_shared: bool) -> Used {
        if is_shared {
            self.0.is_shared.store(true, Relaxed);
        }
        self.0.open.fetch_add(1, Relaxed);
        self.0.note();
        Used(self.0.clone())
    }

    /// Whether its peer speaks HTTP/2.
    pub(super) fn is_shared(&self) -> bool {
        self.0.is_shared.load(Relaxed)
    }

    /// So many bytes were written.
    pub(super) fn note_written(&self, len: usize) {
        if len > SHORT {
            self.0.note();
        }
    }

    /// Whether something waits for the peer to take it.
    pub(super) fn set_waits(&self, waits: bool) {
        self.0.waits.store(waits, Relaxed);
        self.0.note();
    }

    /// Ready once the connection was not used for so long, or half as long again. It needs no clock with each use.
    pub(super) async fn unused(&self, limit: Duration, runtime: &dyn Runtime) {
        // A timer that is due at once would let nothing else run.
        let half = (limit / 2).max(Duration::from_millis(1));
        let (mut seen, mut quiet) = (self.0.uses.load(Relaxed), 0);
        while quiet < 2 {
            sleep(half, runtime).await;
            let uses = self.0.uses.load(Relaxed);
            quiet = if self.0.is_used() || uses != seen { 0 } else { quiet + 1 };
            seen = uses;
        }
    }

    /// Ready once a response has waited for room for so long, or half as long again, while the socket had some: what waits for
    /// the socket has a limit of its own.
    pub(super) async fn stalled(&self, limit: Duration, runtime: &dyn Runtime) {
        let half = (limit / 2).max(Duration::from_millis(1));
        loop {
            sleep(half, runtime).await;
            if self.0.move_on() && !self.0.waits.load(Relaxed) {
                return;
            }
        }
    }
}

impl State {
    fn is_used(&self) -> bool {
        self.open.load(Relaxed) > 0 || self.waits.load(Relaxed)
    }

    fn note(&self) {
        self.uses.fetch_add(1, Relaxed);
    }

    fn unread(&self, turn: usize) -> Option<&AtomicUsize> {
        self.unread.get(turn % TURNS)
    }

    /// The next turn. Whether something waits since the last but two.
    fn move_on(&self) -> bool {
        let turn = self.turn.fetch_add(1, Relaxed) + 1;
        // It is as far behind as it is ahead.
        self.unread(turn + 1).is_some_and(|waiting| waiting.load(Relaxed) > 0)
    }
}

/// A request under way, until it is dropped.
pub(super) struct Used(Arc<State>);

impl Used {
    /// Of a response, nothing of which waits yet.
    pub(super) fn waiting(&self) -> Waiting {
        Waiting { state: self.0.clone(), pieces: Arc::default() }
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        self.0.note();
        self.0.open.fetch_sub(1, Relaxed);
    }
}

/// What of one response waits for the peer to give it room.
#[derive(Clone)]
pub(super) struct Waiting {
    state: Arc<State>,
    pieces: Arc<Mutex<Pieces>>,
}

#[derive(Default)]
struct Pieces {
    count: usize,
    /// The turn in which the first came, or the last left: as long as some leave, its peer reads.
    turn: usize,
}

impl Waiting {
    /// One more piece of it.
    pub(super) fn unread(&self) -> Unread {
        let mut pieces = self.pieces();
        if pieces.count == 0 {
            self.enter(&mut pieces);
        }
        pieces.count += 1;
        Unread(self.clone())
    }

    /// It waits from this turn on.
    fn enter(&self, pieces: &mut Pieces) {
        pieces.turn = self.state.turn.load(Relaxed);
        if let Some(waiting) = self.state.unread(pieces.turn) {
            waiting.fetch_add(1, Relaxed);
        }
    }

    fn pieces(&self) -> MutexGuard<'_, Pieces> {
        self.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A piece that waits for the peer to give it room, until it is dropped.
pub(super) struct Unread(Waiting);

impl Drop for Unread {
    fn drop(&mut self) {
        let mut pieces = self.0.pieces();
        if let Some(waiting) = self.0.state.unread(pieces.turn) {
            waiting.fetch_sub(1, Relaxed);
        }
        pieces.count -= 1;
        if pieces.count > 0 {
            self.0.enter(&mut pieces);
        }
    }
}
