//! A store of what was sent on streams, which counts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use mcp_proto::http::{Replay, Ring, StreamName};

/// A store that counts what it is given, and how often somebody comes back for it.
#[derive(Clone, Debug)]
pub struct Shelf(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    ring: Mutex<Ring>,
    kept: AtomicUsize,
    asked: AtomicUsize,
}

impl Shelf {
    /// One that keeps so many messages of a stream.
    pub fn of(messages: usize) -> Self {
        Self::new(Ring::new(messages, 1 << 20, 1 << 20))
    }

    /// One that keeps what this ring does.
    pub fn new(ring: Ring) -> Self {
        let (kept, asked) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self(Arc::new(Inside { ring: Mutex::new(ring), kept, asked }))
    }

    /// Messages that it was given.
    pub fn kept(&self) -> usize {
        self.0.kept.load(Ordering::Relaxed)
    }

    /// How often somebody came back.
    pub fn asked(&self) -> usize {
        self.0.asked.load(Ordering::Relaxed)
    }

    /// What it keeps.
    pub fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replay for Shelf {
    fn keep(&mut self, stream: StreamName, position: u64, message: &Bytes) {
        self.0.kept.fetch_add(1, Ordering::Relaxed);
        self.ring().keep(stream, position, message);
    }

    fn behind(&self, stream: StreamName, position: u64) -> Vec<Bytes> {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        self.ring().behind(stream, position)
    }

    fn complete(&mut self, stream: StreamName) {
        self.ring().complete(stream);
    }

    fn forget(&mut self, stream: StreamName) {
        self.ring().forget(stream);
    }

    fn boxed(&self) -> Box<dyn Replay> {
        Box::new(self.clone())
    }
}
