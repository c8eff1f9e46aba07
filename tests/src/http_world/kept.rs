//! What a server keeps for those who come back, watched: a simpler store beside the ring says what must be in it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use mcp_proto::http::{Replay, Ring, StreamName};

/// A ring and the book about it.
#[derive(Debug)]
pub(super) struct Watched {
    ring: Ring,
    book: Arc<Mutex<Book>>,
}

/// What must be in the ring.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    most: usize,
    streams: BTreeMap<StreamName, Kept>,
    /// Whether all that was asked for last was there.
    pub(super) asked: Option<bool>,
}

/// The last messages of a stream, and the position of the last one.
#[derive(Clone, Debug, Default)]
struct Kept {
    last: u64,
    messages: VecDeque<Bytes>,
}

impl Watched {
    /// A ring of so many messages of each stream, with more room for bytes than a world fills.
    pub(super) fn new(most: usize) -> (Self, Arc<Mutex<Book>>) {
        let book = Arc::new(Mutex::new(Book { most, ..Book::default() }));
        (Self { ring: Ring::new(most, 1 << 20, 64 << 20), book: Arc::clone(&book) }, book)
    }

    fn book<T>(&self, with: impl FnOnce(&mut Book) -> T) -> T {
        with(&mut self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Book {
    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }
}

impl Replay for Watched {
    fn keep(&mut self, stream: StreamName, position: u64, message: &Bytes) {
        self.ring.keep(stream, position, message);
        self.book(|book| {
            let most = book.most;
            let kept = book.streams.entry(stream).or_default();
            let is_next = kept.messages.is_empty() || position == kept.last + 1;
            assert!(is_next, "{position} of {stream:?} is kept behind {}", kept.last);
            kept.last = position;
            kept.messages.push_back(message.clone());
            if kept.messages.len() > most {
                kept.messages.pop_front();
            }
        });
    }

    fn behind(&self, stream: StreamName, position: u64) -> Vec<Bytes> {
        let found = self.ring.behind(stream, position);
        self.book(|book| {
            let none = Kept::default();
            let kept = book.streams.get(&stream).unwrap_or(&none);
            let first = kept.last - kept.messages.len() as u64;
            let skipped = position.saturating_sub(first) as usize;
            let expected: Vec<_> = kept.messages.iter().skip(skipped).cloned().collect();
            assert_eq!(found, expected, "behind {position} of {stream:?}");
            book.asked = Some(position >= first);
        });
        found
    }

    fn complete(&mut self, stream: StreamName) {
        self.ring.complete(stream);
    }

    fn forget(&mut self, stream: StreamName) {
        self.ring.forget(stream);
        self.book(|book| book.streams.remove(&stream));
    }

    fn boxed(&self) -> Box<dyn Replay> {
        // A copy has a book of its own.
        let book = Arc::new(Mutex::new(self.book(|book| book.clone())));
        Box::new(Self { ring: self.ring.clone(), book })
    }
}
