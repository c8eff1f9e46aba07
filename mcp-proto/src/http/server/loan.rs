//! Bytes of responses that were handed out, and have not left.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How many there are. A copy counts its own.
#[derive(Debug, Default)]
pub(super) struct Lent(Arc<AtomicUsize>);

/// Shorter ones do not count: a request that is under way costs about as much.
const SHORT: usize = 4 << 10;

/// Some of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Loan {
    lent: Arc<AtomicUsize>,
    len: usize,
}

impl Lent {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.load(Relaxed)
    }

    /// So many more are handed out.
    pub(super) fn lend(&self, len: usize) -> Option<Loan> {
        (len > SHORT).then(|| {
            self.0.fetch_add(len, Relaxed);
            Loan { lent: self.0.clone(), len }
        })
    }
}

impl Clone for Lent {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.lent.fetch_sub(self.len, Relaxed);
    }
}
