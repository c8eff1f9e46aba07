//! How a transport keeps messages apart.

use bytes::Bytes;

use super::line::{Line, LineDecoder};
use super::message::MessageQueue;
#[cfg(feature = "snapshot")]
use super::{line::LinesForm, message::MessagesForm};
use crate::config::{Limits, Tolerance};
#[cfg(feature = "snapshot")]
use crate::state::{Moments, RestoreError};
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

/// What a snapshot keeps of it.
#[cfg(feature = "snapshot")]
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) enum InputForm {
    Lines(LinesForm),
    Messages(MessagesForm),
}

#[cfg(feature = "snapshot")]
impl Moments for InputForm {
    fn moments(&mut self, visit: &mut dyn FnMut(&mut Instant)) {
        match self {
            Self::Lines(lines) => lines.moments(visit),
            Self::Messages(messages) => messages.moments(visit),
        }
    }
}

#[cfg(feature = "snapshot")]
impl Input {
    pub(crate) fn form(&self) -> InputForm {
        match self {
            Self::Lines(lines) => InputForm::Lines(lines.form()),
            Self::Messages(queue) => InputForm::Messages(queue.form()),
        }
    }

    pub(crate) fn restore(
        form: InputForm,
        limits: &Limits,
        tolerance: Tolerance,
    ) -> Result<Self, RestoreError> {
        let max_len = limits.max_message_len;
        Ok(match form {
            InputForm::Lines(lines) => {
                Self::Lines(LineDecoder::restore(lines, max_len, tolerance)?)
            }
            InputForm::Messages(messages) => {
                Self::Messages(MessageQueue::restore(messages, max_len, tolerance)?)
            }
        })
    }
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

    /// Gives back what it keeps for what is to come, if nothing waits. Whether it kept anything.
    pub(crate) fn give_back(&mut self) -> bool {
        match self {
            Self::Lines(lines) => lines.give_back(),
            Self::Messages(_) => false,
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
