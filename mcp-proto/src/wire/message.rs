//! Message framing: whole messages as a transport delivers them.

use alloc::collections::VecDeque;

use bytes::Bytes;

use super::line::{Line, kept_head, trim};
use crate::config::Tolerance;
#[cfg(feature = "snapshot")]
use crate::state::{RestoreError, check_limit, moments};
use crate::time::Instant;

/// Whole messages that arrived and were not decoded yet, each with its time. What is in them may have newlines.
#[derive(Clone, Debug)]
pub(crate) struct MessageQueue {
    waiting: VecDeque<Line>,
    /// Bytes of all that wait.
    len: usize,
    max_len: usize,
    tolerance: Tolerance,
    at_start: bool,
}

/// What a snapshot keeps of it.
#[cfg(feature = "snapshot")]
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct MessagesForm {
    waiting: VecDeque<Line>,
    at_start: bool,
}

#[cfg(feature = "snapshot")]
moments!(MessagesForm { waiting; at_start });

impl MessageQueue {
    pub(crate) fn new(max_len: usize, tolerance: Tolerance) -> Self {
        Self { waiting: VecDeque::new(), len: 0, max_len, tolerance, at_start: true }
    }

    #[cfg(feature = "snapshot")]
    pub(super) fn form(&self) -> MessagesForm {
        let Self { waiting, len: _, max_len: _, tolerance: _, at_start } = self;
        MessagesForm { waiting: waiting.clone(), at_start: *at_start }
    }

    #[cfg(feature = "snapshot")]
    pub(super) fn restore(
        form: MessagesForm,
        max_len: usize,
        tolerance: Tolerance,
    ) -> Result<Self, RestoreError> {
        let MessagesForm { waiting, at_start } = form;
        let is_short = waiting.iter().all(|line| line.fits(max_len));
        check_limit(usize::from(!is_short), 0, "the length of a message")?;
        let len = waiting.iter().map(length).sum();
        Ok(Self { waiting, len, at_start, ..Self::new(max_len, tolerance) })
    }

    /// Appends a message. Of one that is too long only its head is kept.
    pub(crate) fn push(&mut self, message: Bytes, now: Instant) {
        let first = core::mem::replace(&mut self.at_start, false);
        let line = if message.len() > self.max_len {
            Line::TooLong(kept_head(&message), now)
        } else if let Some(frame) = trim(message, first, self.tolerance) {
            Line::Frame(frame, now)
        } else {
            return;
        };
        self.len += length(&line);
        self.waiting.push_back(line);
    }

    /// The next message.
    pub(crate) fn next(&mut self) -> Option<Line> {
        let line = self.waiting.pop_front()?;
        self.len -= length(&line);
        Some(line)
    }

    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether a message waits.
    pub(crate) fn has_message(&self) -> bool {
        !self.waiting.is_empty()
    }
}

fn length(line: &Line) -> usize {
    match line {
        Line::Frame(bytes, _) | Line::TooLong(bytes, _) => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::time::Duration;

    fn queue(max_len: usize, tolerance: Tolerance, texts: &[&'static str]) -> MessageQueue {
        let mut queue = MessageQueue::new(max_len, tolerance);
        for (n, text) in (1..).zip(texts) {
            queue.push(Bytes::from_static(text.as_bytes()), at(n));
        }
        queue
    }

    fn at(secs: u64) -> Instant {
        Instant::from(Duration::from_secs(secs))
    }

    fn drain(queue: &mut MessageQueue) -> Vec<Line> {
        core::iter::from_fn(|| queue.next()).collect()
    }

    #[test]
    fn messages_come_out_as_they_went_in_and_when() {
        let mut queue = queue(64, Tolerance::Lenient, &["{\n}", "[1,\r\n2]"]);
        assert_eq!((queue.len(), queue.has_message()), (10, true));
        let seen = drain(&mut queue);
        assert_eq!(
            seen,
            [
                Line::Frame(Bytes::from_static(b"{\n}"), at(1)),
                Line::Frame(Bytes::from_static(b"[1,\r\n2]"), at(2)),
            ]
        );
        assert_eq!((queue.len(), queue.has_message()), (0, false));
    }

    #[test]
    fn blanks_are_let_pass_unless_it_is_strict() {
        let texts = ["\u{feff}{}\n", "\n \t", "", "\u{feff}1"];
        let mut lenient = queue(64, Tolerance::Lenient, &texts);
        let seen: Vec<_> = drain(&mut lenient);
        assert!(
            matches!(&seen[..], [Line::Frame(one, _), Line::Frame(two, _)] if one == "{}" && two == "\u{feff}1"),
            "{seen:?}"
        );
        assert_eq!(drain(&mut queue(64, Tolerance::Strict, &texts)).len(), texts.len());
    }

    #[test]
    fn of_what_is_too_long_the_head_is_kept() {
        let mut queue = MessageQueue::new(8, Tolerance::Lenient);
        queue.push(Bytes::from_static(b"12345678"), at(1));
        queue.push(Bytes::from(alloc::vec![b'['; 1 << 20]), at(2));
        assert!(queue.len() < 8 << 10, "{}", queue.len());
        let seen = drain(&mut queue);
        assert!(matches!(&seen[..], [Line::Frame(..), Line::TooLong(..)]), "{seen:?}");
    }
}
