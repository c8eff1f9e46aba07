//! Newline framing: incremental, linear, bounded; resynchronises after a line that is too long.

use bytes::Bytes;

#[cfg(feature = "snapshot")]
use super::inbox::InboxForm;
use super::inbox::{BYTE_ORDER_MARK, Inbox};
use crate::bound::{PART, sum};
use crate::config::{Limits, Tolerance};
#[cfg(feature = "snapshot")]
use crate::state::{RestoreError, moments};
use crate::time::Instant;

/// Cuts a byte stream into lines, each with the time at which it became complete.
#[derive(Clone, Debug)]
pub(crate) struct LineDecoder {
    inbox: Inbox,
    /// The line is too long, which was said, and its end has not come yet.
    skipping: bool,
    max_len: usize,
    tolerance: Tolerance,
    at_start: bool,
}

/// What a snapshot keeps of it.
#[cfg(feature = "snapshot")]
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct LinesForm {
    inbox: InboxForm,
    skipping: bool,
    at_start: bool,
}

#[cfg(feature = "snapshot")]
moments!(LinesForm { inbox; skipping, at_start });

/// What a line turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Line {
    /// A line without its newline, not blank.
    Frame(#[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] Bytes, Instant),
    /// A line that is longer than the limit and is skipped, but for its first bytes. Said as soon as it is
    /// known: its end may never come.
    TooLong(#[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))] Bytes, Instant),
}

#[cfg(feature = "snapshot")]
impl Line {
    /// Whether it is no longer than one of its kind may be.
    pub(super) fn fits(&self, max_len: usize) -> bool {
        match self {
            Self::Frame(frame, _) => frame.len() <= max_len,
            Self::TooLong(head, _) => head.len() <= KEPT_HEAD,
        }
    }
}

#[cfg(feature = "snapshot")]
impl crate::state::Moments for Line {
    fn moments(&mut self, visit: &mut dyn FnMut(&mut Instant)) {
        match self {
            Self::Frame(_, at) | Self::TooLong(_, at) => visit(at),
        }
    }
}

/// How much of a line that is too long is kept, to find its id in.
const KEPT_HEAD: usize = 4 << 10;

impl LineDecoder {
    pub(crate) fn new(max_len: usize, tolerance: Tolerance) -> Self {
        Self { inbox: Inbox::new(max_len), skipping: false, max_len, tolerance, at_start: true }
    }

    /// Bytes that it takes at most, where no more than [`MAX_READ`](super::MAX_READ) bytes are appended to a
    /// full line.
    pub(crate) const fn bound(limits: &Limits) -> usize {
        sum([Inbox::bound(limits.max_message_len), KEPT_HEAD + 2 * PART])
    }

    #[cfg(feature = "snapshot")]
    pub(super) fn form(&self) -> LinesForm {
        let Self { inbox, skipping, max_len: _, tolerance: _, at_start } = self;
        LinesForm { inbox: inbox.form(), skipping: *skipping, at_start: *at_start }
    }

    #[cfg(feature = "snapshot")]
    pub(super) fn restore(
        form: LinesForm,
        max_len: usize,
        tolerance: Tolerance,
    ) -> Result<Self, RestoreError> {
        let LinesForm { inbox, skipping, at_start } = form;
        let inbox = Inbox::restore(inbox, max_len)?;
        Ok(Self { inbox, skipping, at_start, ..Self::new(max_len, tolerance) })
    }

    /// Appends what was read.
    pub(crate) fn handle_input(&mut self, input: &[u8], now: Instant) {
        self.inbox.push(input, now);
    }

    /// The next complete line.
    pub(crate) fn next_line(&mut self) -> Option<Line> {
        loop {
            let Some(length) = self.inbox.find(newline) else { return self.bound_unfinished() };
            let (mut line, at) = self.inbox.take(length + 1);
            if core::mem::replace(&mut self.skipping, false) {
                continue;
            }
            line.truncate(length);
            if line.len() > self.max_len {
                return Some(self.too_long(&line, at));
            }
            if let Some(frame) = self.trim(line) {
                return Some(Line::Frame(frame, at));
            }
        }
    }

    /// The last line, if the stream ended without a newline behind it.
    pub(crate) fn last_line(&mut self, now: Instant) -> Option<Line> {
        let length = self.inbox.len();
        let (line, _) = self.inbox.take(length);
        if core::mem::replace(&mut self.skipping, false) {
            return None;
        }
        match self.tolerance {
            Tolerance::Lenient => self.trim(line).map(|frame| Line::Frame(frame, now)),
            Tolerance::Strict => None,
        }
    }

    /// Gives back what it keeps for lines to come, if nothing waits.
    pub(crate) fn give_back(&mut self) -> bool {
        self.inbox.give_back()
    }

    /// Bytes that wait to be read as lines.
    pub(crate) fn len(&self) -> usize {
        self.inbox.len()
    }

    /// Whether a line is complete.
    pub(crate) fn has_line(&self) -> bool {
        self.inbox.has(newline)
    }

    /// Drops an unfinished line that is already too long.
    fn bound_unfinished(&mut self) -> Option<Line> {
        if self.inbox.len() <= self.max_len && !self.skipping {
            return None;
        }
        let length = self.inbox.len();
        let (line, at) = self.inbox.take(length);
        (!core::mem::replace(&mut self.skipping, true)).then(|| self.too_long(&line, at))
    }

    fn too_long(&mut self, line: &[u8], at: Instant) -> Line {
        self.at_start = false;
        Line::TooLong(kept_head(line), at)
    }

    fn trim(&mut self, line: Bytes) -> Option<Bytes> {
        trim(line, core::mem::replace(&mut self.at_start, false), self.tolerance)
    }
}

/// How a message begins that is too long: the whole is not kept.
pub(super) fn kept_head(message: &[u8]) -> Bytes {
    Bytes::copy_from_slice(message.get(..KEPT_HEAD).unwrap_or(message))
}

/// Removes what tolerance allows around a message, the `first` or another; `None` if nothing is left.
#[inline]
pub(super) fn trim(message: Bytes, first: bool, tolerance: Tolerance) -> Option<Bytes> {
    if tolerance == Tolerance::Strict {
        return Some(message);
    }
    // What machines write begins and ends with a bracket.
    if let [b'!'..=b'~', .., b'!'..=b'~'] = message[..] {
        return Some(message);
    }
    let mut text: &[u8] = &message;
    if first {
        text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    }
    let text = text.trim_ascii();
    (!text.is_empty()).then(|| message.slice_ref(text))
}

fn newline(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::time::Duration;

    fn at(secs: u64) -> Instant {
        Instant::from(Duration::from_secs(secs))
    }

    fn decoder(max_len: usize) -> LineDecoder {
        LineDecoder::new(max_len, Tolerance::Lenient)
    }

    fn drain(decoder: &mut LineDecoder) -> Vec<Line> {
        core::iter::from_fn(|| decoder.next_line()).collect()
    }

    fn frame(text: &'static str, secs: u64) -> Line {
        Line::Frame(Bytes::from_static(text.as_bytes()), at(secs))
    }

    #[test]
    fn byte_order_mark_crlf_and_blank_lines_are_let_pass() {
        let mut lines = decoder(64);
        lines.handle_input(b"\xEF\xBB\xBF{\"a\":1}\r\n\n \t\n{}\n", at(1));
        assert_eq!(drain(&mut lines), [frame("{\"a\":1}", 1), frame("{}", 1)]);
    }

    #[test]
    fn a_line_is_complete_when_its_newline_came() {
        let mut lines = decoder(64);
        lines.handle_input(b"{\"a\"", at(1));
        lines.handle_input(b":1}\n{}", at(2));
        lines.handle_input(b"\n[]\n", at(3));
        assert_eq!(drain(&mut lines), [frame("{\"a\":1}", 2), frame("{}", 3), frame("[]", 3)]);
    }

    #[test]
    fn a_newline_at_the_end_of_a_read_belongs_to_that_read() {
        let mut lines = decoder(64);
        lines.handle_input(b"1\n", at(1));
        lines.handle_input(b"2\n", at(2));
        assert_eq!(drain(&mut lines), [frame("1", 1), frame("2", 2)]);
        lines.handle_input(b"3\n", at(3));
        assert_eq!(drain(&mut lines), [frame("3", 3)]);
    }

    #[test]
    fn a_line_that_is_too_long_costs_one_line_and_its_head_is_kept() {
        for step in [1, 7, 1000, 100_000] {
            let mut lines = decoder(16);
            let mut stream = b"0123456789abcdef0123456789".repeat(1000);
            stream.extend_from_slice(b"\n{}\n");
            let mut seen = Vec::new();
            for chunk in stream.chunks(step) {
                lines.handle_input(chunk, at(1));
                seen.extend(drain(&mut lines));
                assert!(lines.len() <= 16);
            }
            assert!(
                matches!(&seen[..], [Line::TooLong(head, _), Line::Frame(..)] if head.len() <= KEPT_HEAD)
            );
        }
    }

    #[test]
    fn a_line_of_just_the_limit_is_read() {
        let mut lines = decoder(8);
        lines.handle_input(b"12345678\n123456789\n", at(1));
        let seen = drain(&mut lines);
        assert!(matches!(&seen[..], [Line::Frame(..), Line::TooLong(..)]), "{seen:?}");
    }

    #[test]
    fn a_line_that_is_too_long_is_told_once_though_its_end_never_comes() {
        let mut lines = decoder(16);
        lines.handle_input(&[b'['; 17], at(1));
        assert!(matches!(lines.next_line(), Some(Line::TooLong(_, told)) if told == at(1)));
        lines.handle_input(&[b'['; 100], at(2));
        assert_eq!(lines.next_line(), None);
        assert_eq!((lines.last_line(at(3)), lines.len()), (None, 0));
    }

    #[test]
    fn a_last_line_without_newline_is_read() {
        let mut lines = decoder(64);
        lines.handle_input(b"{}", at(1));
        assert_eq!(lines.next_line(), None);
        assert_eq!(lines.last_line(at(2)), Some(frame("{}", 2)));
        assert_eq!(lines.last_line(at(2)), None);
    }

    #[test]
    fn every_way_to_cut_gives_the_same_lines() {
        let stream = "{\"é\":1}\r\n\n[\u{1F600}]\n{}\n";
        let whole = {
            let mut lines = decoder(64);
            lines.handle_input(stream.as_bytes(), at(0));
            drain(&mut lines)
        };
        for step in 1..stream.len() {
            let mut lines = decoder(64);
            let mut seen = Vec::new();
            for chunk in stream.as_bytes().chunks(step) {
                lines.handle_input(chunk, at(0));
                seen.extend(drain(&mut lines));
            }
            assert_eq!(seen, whole);
        }
    }
}
