//! Bytes that wait for the transport: whole messages in order, each of which can still be revoked.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::id::RequestId;

/// What an outgoing message relates to, so that a transport can place it. stdio ignores it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route {
    /// A request of ours.
    Call(RequestId),
    /// Gives up a request of ours.
    Cancel(RequestId),
    /// The answer to a request of the peer.
    Reply(RequestId),
    /// A notification that belongs to a request of the peer: progress, a log message.
    Related(RequestId),
    /// Belongs to nothing.
    Standalone,
}

/// The queue. Everything lies in one buffer with a newline behind each message, so that many small
/// messages become one write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    /// Where the first unsent byte is.
    start: usize,
    messages: VecDeque<Queued>,
    /// How much of the first message has been sent.
    begun: usize,
    /// Bytes behind `start` that are being written right now, so that their messages must stay.
    lent: usize,
    /// How many of `messages` are revoked.
    revoked: usize,
}

#[derive(Clone, Debug)]
struct Queued {
    route: Route,
    /// Bytes, newline included.
    len: usize,
    revoked: bool,
}

/// Above this the buffer is given back when it runs empty.
const KEPT_CAPACITY: usize = 64 << 10;

impl Outbox {
    /// Bytes not taken yet, revoked ones included.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Whether nothing is left to send.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.len() == self.revoked
    }

    /// Queues one message that `write` appends. If it fails, nothing is queued.
    pub(crate) fn push<E>(
        &mut self,
        route: Route,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.compact();
        let before = self.bytes.len();
        if let Err(error) = write(&mut self.bytes) {
            self.bytes.truncate(before);
            return Err(error);
        }
        self.bytes.push(b'\n');
        self.messages.push_back(Queued { route, len: self.bytes.len() - before, revoked: false });
        Ok(())
    }

    /// What can be sent now, newlines included.
    pub(crate) fn chunk(&mut self) -> Option<&[u8]> {
        self.skip_revoked();
        let end = if self.revoked == 0 {
            self.bytes.len()
        } else {
            let whole: usize =
                self.messages.iter().take_while(|message| !message.revoked).map(|m| m.len).sum();
            self.start + whole.saturating_sub(self.begun)
        };
        self.bytes.get(self.start..end).filter(|chunk| !chunk.is_empty())
    }

    /// As [`chunk`](Self::chunk), of `max` bytes at most; its messages cannot be revoked until `advance`.
    pub(crate) fn lend(&mut self, max: usize) -> Option<&[u8]> {
        self.lent = self.chunk()?.len().min(max);
        self.bytes.get(self.start..self.start + self.lent)
    }

    /// So many bytes of the last chunk were sent.
    pub(crate) fn advance(&mut self, sent: usize) {
        self.lent = 0;
        let mut left = sent.min(self.len());
        self.start += left;
        while let Some(first) = self.messages.front() {
            let rest = first.len - self.begun;
            if left < rest {
                self.begun += left;
                break;
            }
            left -= rest;
            self.begun = 0;
            self.messages.pop_front();
        }
        self.release();
    }

    /// Takes one whole message, without its newline.
    pub(crate) fn pop(&mut self) -> Option<(Route, Bytes)> {
        self.skip_revoked();
        if self.begun > 0 {
            return None; // a stream has begun it
        }
        let first = self.messages.pop_front()?;
        let end = self.start + first.len;
        let message =
            self.bytes.get(self.start..end.saturating_sub(1)).map(Bytes::copy_from_slice)?;
        self.start = end;
        self.release();
        Some((first.route, message))
    }

    /// Revokes every message of `route` that has not begun to leave, and says how many.
    pub(crate) fn revoke(&mut self, route: &Route) -> usize {
        let leaving = self.begun + self.lent;
        let (mut starts, mut revoked) = (0, 0);
        for message in &mut self.messages {
            let stays = starts < leaving || message.revoked || message.route != *route;
            starts += message.len;
            if !stays {
                message.revoked = true;
                revoked += 1;
            }
        }
        self.revoked += revoked;
        revoked
    }

    /// Whether a message of `route` waits.
    pub(crate) fn has(&self, route: &Route) -> bool {
        self.messages.iter().any(|message| !message.revoked && message.route == *route)
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    fn skip_revoked(&mut self) {
        while self.begun == 0 && self.messages.front().is_some_and(|message| message.revoked) {
            if let Some(message) = self.messages.pop_front() {
                self.start += message.len;
                self.revoked -= 1;
            }
        }
        self.release();
    }

    fn release(&mut self) {
        if self.start == self.bytes.len() {
            self.start = 0;
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_CAPACITY);
        }
    }

    /// Moves the unsent bytes to the front once they are the smaller part.
    fn compact(&mut self) {
        if self.start > KEPT_CAPACITY && self.start * 2 > self.bytes.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::convert::Infallible;

    fn push(outbox: &mut Outbox, route: Route, text: &str) {
        let Ok(()) = outbox.push::<Infallible>(route, |out| {
            out.extend_from_slice(text.as_bytes());
            Ok(())
        });
    }

    fn call(id: i64) -> Route {
        Route::Call(id.into())
    }

    #[test]
    fn many_messages_are_one_chunk_and_partial_writes_lose_nothing() {
        for step in 1..8 {
            let mut outbox = Outbox::default();
            push(&mut outbox, call(1), "one");
            push(&mut outbox, call(2), "two");
            let mut sent = Vec::new();
            while let Some(chunk) = outbox.chunk() {
                let part = &chunk[..step.min(chunk.len())];
                sent.extend_from_slice(part);
                let n = part.len();
                outbox.advance(n);
            }
            assert_eq!(sent, b"one\ntwo\n");
            assert_eq!(outbox.len(), 0);
        }
    }

    #[test]
    fn what_is_revoked_never_leaves_unless_it_has_begun() {
        let mut outbox = Outbox::default();
        for (id, text) in [(1, "one"), (2, "two"), (3, "three")] {
            push(&mut outbox, call(id), text);
        }
        outbox.chunk();
        outbox.advance(1);
        assert_eq!(
            outbox.revoke(&call(1)),
            0,
            "its first byte has left: a frame is whole or the stream ends"
        );
        assert_eq!(outbox.revoke(&call(2)), 1);
        assert_eq!(outbox.chunk().unwrap(), b"ne\n");
        outbox.advance(3);
        assert_eq!(outbox.chunk().unwrap(), b"three\n");
        outbox.advance(6);
        assert!(outbox.chunk().is_none());
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_is_being_written_stays_until_it_is_known_how_much_of_it_was() {
        let mut outbox = Outbox::default();
        push(&mut outbox, call(1), "one");
        push(&mut outbox, call(2), "two");
        assert_eq!(outbox.lend(5).unwrap(), b"one\nt");
        assert_eq!(outbox.revoke(&call(2)), 0, "the transport may have taken its first byte");
        outbox.advance(4);
        assert_eq!(outbox.revoke(&call(2)), 1, "it has not");
        assert!(outbox.lend(5).is_none() && outbox.is_empty());
    }

    #[test]
    fn whole_messages_come_without_newline() {
        let mut outbox = Outbox::default();
        push(&mut outbox, call(1), "one");
        push(&mut outbox, Route::Standalone, "two");
        outbox.revoke(&call(1));
        assert_eq!(outbox.pop(), Some((Route::Standalone, Bytes::from_static(b"two"))));
        assert_eq!(outbox.pop(), None);
    }

    #[test]
    fn a_message_that_cannot_be_written_leaves_no_trace() {
        let mut outbox = Outbox::default();
        let failed = outbox.push(Route::Standalone, |out| {
            out.extend_from_slice(b"half");
            Err(())
        });
        assert_eq!(failed, Err(()));
        assert_eq!(outbox.len(), 0);
        assert!(outbox.chunk().is_none());
    }
}
