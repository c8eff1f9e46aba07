//! How a transport keeps messages apart.

use bytes::Bytes;

use super::line::{Line, LineDecoder};
use super::message::MessageQueue;
use crate::config::{Limits, Tolerance};
use crate::time::Instant;

/// How a transport keeps messages apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Framing {
    /// It does not: each message is a line of its bytes.
    #[default]
    Lines,
    /// It carries whole messages, in which newlines mean nothing.
    Messages,
}

/// What arrived and was not decoded yet.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Lines(LineDecoder),
    Messages(MessageQueue),
}

impl Input {
    pub(crate) fn new(framing: Framing, limits: &Limits, tolerance: Tolerance) -> Self {
        let max_len = limits.max_message_len;
        match framing {
            Framing::Lines => Self::Lines(LineDecoder::new(max_len, tolerance)),
            Framing::Messages => Self::Messages(MessageQueue::new(max_len, tolerance)),
        }
    }

    /// Appends what was read: some bytes, or one message.
    #[inline]
    pub(crate) fn push(&mut self, input: &[u8], now: Instant) {
        match self {
            Self::Lines(lines) => lines.handle_input(input, now),
            Self::Messages(queue) => queue.push(Bytes::copy_from_slice(input), now),
        }
    }

    /// As [`push`](Self::push), of bytes that need not be copied.
    pub(crate) fn push_owned(&mut self, input: Bytes, now: Instant) {
        match self {
            Self::Lines(lines) => lines.handle_input(&input, now),
            Self::Messages(queue) => queue.push(input, now),
        }
    }

    /// The next message.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Line> {
        match self {
            Self::Lines(lines) => lines.next_line(),
            Self::Messages(queue) => queue.next(),
        }
    }

    /// What is left as a message when the stream has ended.
    pub(crate) fn last(&mut self, now: Instant) -> Option<Line> {
        match self {
            Self::Lines(lines) => lines.last_line(now),
            Self::Messages(queue) => queue.next(),
        }
    }

    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Lines(lines) => lines.len(),
            Self::Messages(queue) => queue.len(),
        }
    }

    /// Whether a message waits.
    pub(crate) fn has_message(&self) -> bool {
        match self {
            Self::Lines(lines) => lines.has_line(),
            Self::Messages(queue) => queue.has_message(),
        }
    }

    /// Whether more may come without more being kept than one message and one read.
    #[inline]
    pub(crate) fn has_room(&self, max_len: usize) -> bool {
        match self {
            Self::Lines(lines) => lines.len() <= max_len,
            Self::Messages(queue) => !queue.has_message(),
        }
    }

    pub(crate) fn framing(&self) -> Framing {
        match self {
            Self::Lines(_) => Framing::Lines,
            Self::Messages(_) => Framing::Messages,
        }
    }
}
