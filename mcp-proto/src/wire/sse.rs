//! Server-sent events, which know nothing of MCP: an incremental decoder and an encoder.
//!
//! The algorithm is that of the [HTML standard], "Interpreting an event stream", to the letter, but for two
//! bounds: an event may not be longer than a limit, and an id beyond its own limit is ignored.
//!
//! [HTML standard]: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use bytes::{Bytes, BytesMut};

use super::inbox::{BYTE_ORDER_MARK, Inbox, KEPT};
use crate::bound::{PART, sum, times};
use crate::json::write_u64;
use crate::time::Instant;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// What the stream calls it; empty means `message`.
    pub name: Bytes,
    /// Its data, lines joined by a line feed. The standard decodes it as UTF-8 with replacement; that is left to
    /// who reads it.
    pub data: Bytes,
    /// The id that it bears itself. Where it has none, the id of an event before it stays in force.
    pub id: Option<Bytes>,
    /// When its last byte arrived.
    pub at: Instant,
}

/// An event was longer than the limit. The decoder gives nothing more: what follows cannot be told from its rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooLong {
    /// The limit, in bytes.
    pub limit: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event is longer than {} bytes", self.limit)
    }
}

impl core::error::Error for TooLong {}

/// Cuts a byte stream into events, whatever its pieces.
///
/// An event is bounded with all its lines; comments, blank lines and events without data cost nothing,
/// however many there are. What the stream ends in the middle of is not an event.
///
/// ```
/// use mcp_proto::Instant;
/// use mcp_proto::sse::Decoder;
///
/// let mut events = Decoder::new(1 << 20, 1 << 10);
/// events.handle_input(b"id: 7\ndata: {\"jsonrpc\":\"2.0\",", Instant::ZERO);
/// assert_eq!(events.poll_event(), None);
/// events.handle_input(b"\"id\":1,\"result\":{}}\n\n", Instant::ZERO);
/// let event = events.poll_event().unwrap().unwrap();
/// assert_eq!(event.data, &br#"{"jsonrpc":"2.0","id":1,"result":{}}"#[..]);
/// assert_eq!(events.last_event_id(), b"7");
/// ```
#[derive(Clone, Debug)]
pub struct Decoder {
    inbox: Inbox,
    /// The next byte belongs to the end of the line before, if it is a line feed.
    after_return: bool,
    /// The rest of this line is a comment, of which the beginning is gone.
    in_comment: bool,
    at_start: bool,
    /// What the lines of the event have said so far.
    name: Bytes,
    data: Data,
    id: Option<Bytes>,
    /// Bytes of these lines.
    len: usize,
    /// Bytes of the largest allocation in which one of them may lie.
    pinned: usize,
    failed: bool,
    last_event_id: Bytes,
    retry: Option<Duration>,
    max_event_len: usize,
    max_id_len: usize,
}

/// The data of an event: a slice of what was read, until a second line comes.
#[derive(Clone, Debug, Default)]
enum Data {
    #[default]
    None,
    Line(Bytes),
    Lines(BytesMut),
}

impl Decoder {
    /// A decoder of a stream from its beginning. An event has at most `max_event_len` bytes: its lines with the
    /// names of their fields, without comments and line ends. Ids of more than `max_id_len` bytes are ignored.
    pub fn new(max_event_len: usize, max_id_len: usize) -> Self {
        Self {
            inbox: Inbox::new(max_event_len),
            after_return: false,
            in_comment: false,
            at_start: true,
            name: Bytes::new(),
            data: Data::None,
            id: None,
            len: 0,
            pinned: 0,
            failed: false,
            last_event_id: Bytes::new(),
            retry: None,
            max_event_len,
            max_id_len,
        }
    }

    /// The stream goes on behind an event: its id is in force until another one, or an empty one, comes.
    #[must_use]
    pub fn behind(mut self, last_event_id: &[u8]) -> Self {
        self.last_event_id = Bytes::copy_from_slice(last_event_id);
        self
    }

    /// Some bytes of the stream, of any length, which arrived at `now`.
    pub fn handle_input(&mut self, input: &[u8], now: Instant) {
        if !self.failed {
            self.inbox.push(input, now);
        }
    }

    /// The next event that is complete.
    ///
    /// # Errors
    ///
    /// [`TooLong`], once; nothing comes after it.
    pub fn poll_event(&mut self) -> Option<Result<Event, TooLong>> {
        while !self.failed {
            self.skip_line_feed();
            let Some(length) = self.inbox.find(line_end) else { return self.bound_unfinished() };
            let allocated = self.inbox.allocated();
            let (mut line, at) = self.inbox.take(length + 1);
            self.after_return = line.last() == Some(&b'\r');
            line.truncate(length);
            if core::mem::replace(&mut self.in_comment, false) {
                continue;
            }
            if core::mem::replace(&mut self.at_start, false) && line.starts_with(BYTE_ORDER_MARK) {
                line = line.slice(BYTE_ORDER_MARK.len()..);
            }
            if line.is_empty() {
                match self.dispatch(at) {
                    Some(event) => return Some(Ok(event)),
                    None => continue,
                }
            }
            self.pinned = self.pinned.max(allocated);
            if !self.handle_line(&line) {
                return Some(Err(self.fail()));
            }
        }
        None
    }

    /// The id of the last event that was complete: where to resume. Empty if none had an id, or an empty one took it
    /// back.
    pub fn last_event_id(&self) -> &[u8] {
        &self.last_event_id
    }

    /// How long to wait before the stream is opened again, if the stream has said so.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Bytes that wait to be decoded, and those of the lines of an event that is not complete.
    pub fn len(&self) -> usize {
        self.inbox.len() + self.len
    }

    /// Whether no bytes wait.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A line feed behind a carriage return ends no line of its own, though it may arrive much later.
    fn skip_line_feed(&mut self) {
        if self.after_return
            && let Some(first) = self.inbox.bytes().first()
        {
            self.after_return = false;
            if *first == b'\n' {
                self.inbox.take(1);
            }
        }
    }

    /// No line is complete. What is there must not become too long; of a comment nothing need be kept.
    #[cold]
    fn bound_unfinished(&mut self) -> Option<Result<Event, TooLong>> {
        if self.pinned > KEPT && self.len < self.pinned / 4 {
            self.detach();
        }
        let mut line = self.inbox.bytes();
        if self.at_start {
            line = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
        }
        if self.in_comment || line.first() == Some(&b':') {
            self.in_comment = true;
            self.at_start = false;
            self.inbox.take(self.inbox.len());
            return None;
        }
        if self.len + line.len() <= self.max_event_len {
            return None;
        }
        Some(Err(self.fail()))
    }

    /// The lines of an unfinished event are few, and must not keep all that came before them.
    fn detach(&mut self) {
        self.name = Bytes::copy_from_slice(&self.name);
        self.id = self.id.take().map(|id| Bytes::copy_from_slice(&id));
        if let Data::Line(line) = &mut self.data {
            *line = Bytes::copy_from_slice(line);
        }
        self.pinned = self.len;
    }

    /// Bytes that it takes at most while `len` wait in it, as [`len`](Self::len) counts them.
    pub(crate) const fn bound(len: usize, max_id_len: usize) -> usize {
        sum([
            size_of::<Self>(),
            Inbox::bound_holding(len),
            // The lines of an event that is not complete; joined, they double.
            times(4, len),
            KEPT,
            times(2, sum([max_id_len, PART])),
        ])
    }

    #[cfg(feature = "testing")]
    pub(crate) fn digest(&self, digest: &mut crate::digest::Digest<'_>) {
        let Self {
            inbox,
            after_return,
            in_comment,
            at_start,
            name,
            data,
            id,
            len,
            pinned: _, // memory, and no matter
            failed,
            last_event_id,
            retry,
            max_event_len: _,
            max_id_len: _,
        } = self;
        inbox.digest(digest);
        digest.put((after_return, in_comment, at_start, name, id, len, failed));
        digest.put((last_event_id, retry));
        digest.shown(data);
    }

    fn fail(&mut self) -> TooLong {
        let limit = self.max_event_len;
        let (last_event_id, retry) = (core::mem::take(&mut self.last_event_id), self.retry);
        *self = Self { failed: true, last_event_id, retry, ..Self::new(limit, self.max_id_len) };
        TooLong { limit }
    }

    /// One line that is not blank. Whether the event is still within its limit.
    fn handle_line(&mut self, line: &Bytes) -> bool {
        let (name, value) = match memchr::memchr(b':', line) {
            Some(0) => return true,
            Some(colon) => {
                let value = line.slice(colon + 1..);
                let value = if value.starts_with(b" ") { value.slice(1..) } else { value };
                (line.get(..colon).unwrap_or_default(), value)
            }
            None => (&line[..], Bytes::new()),
        };
        self.len += line.len();
        if self.len > self.max_event_len {
            return false;
        }
        match name {
            b"data" => self.data.push(value),
            b"event" => self.name = value,
            b"id" if value.len() <= self.max_id_len && !value.contains(&0) => {
                self.id = Some(value);
            }
            b"retry" => self.retry = read_retry(&value).or(self.retry),
            _ => {}
        }
        true
    }

    /// A blank line.
    fn dispatch(&mut self, at: Instant) -> Option<Event> {
        (self.len, self.pinned) = (0, 0);
        // A copy: it may be kept long after the event, and would keep all that was read with it.
        let id = self.id.take().map(|id| Bytes::copy_from_slice(&id));
        if let Some(id) = &id {
            self.last_event_id = id.clone();
        }
        let name = core::mem::take(&mut self.name);
        let data = core::mem::take(&mut self.data).finish()?;
        Some(Event { name, data, id, at })
    }
}

impl Data {
    fn push(&mut self, line: Bytes) {
        *self = match core::mem::take(self) {
            Self::None => Self::Line(line),
            Self::Line(first) => {
                let mut lines = BytesMut::with_capacity(2 * (first.len() + line.len() + 1));
                lines.extend_from_slice(&first);
                join(lines, &line)
            }
            Self::Lines(lines) => join(lines, &line),
        };
    }

    fn finish(self) -> Option<Bytes> {
        match self {
            Self::None => None,
            Self::Line(line) => Some(line),
            Self::Lines(lines) => Some(lines.freeze()),
        }
    }
}

fn join(mut lines: BytesMut, line: &[u8]) -> Data {
    lines.extend_from_slice(b"\n");
    lines.extend_from_slice(line);
    Data::Lines(lines)
}

fn line_end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr2(b'\n', b'\r', bytes)
}

/// Decimal digits and nothing else. More than there is room for is the longest time there is.
fn read_retry(value: &[u8]) -> Option<Duration> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add((digit - b'0').into());
    is_number.then(|| Duration::from_millis(value.iter().fold(0, add)))
}

/// Appends an event called `message`. Line ends in `data` become line feeds, which JSON takes for space.
///
/// An id with a line end or a NUL in it could not be read back: it is left out.
pub fn write_event(out: &mut Vec<u8>, id: Option<&[u8]>, data: &[u8]) {
    if let Some(id) = id.filter(|id| !id.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0))) {
        write_line(out, b"id: ", id);
    }
    let mut rest = data;
    while let Some(end) = line_end(rest) {
        let (line, behind) = rest.split_at(end);
        write_line(out, b"data: ", line);
        rest = behind.strip_prefix(b"\r\n").or_else(|| behind.get(1..)).unwrap_or_default();
    }
    write_line(out, b"data: ", rest);
    out.push(b'\n');
}

/// Appends the time to wait before the stream is opened again.
pub fn write_retry(out: &mut Vec<u8>, retry: Duration) {
    out.extend_from_slice(b"retry: ");
    write_u64(out, u64::try_from(retry.as_millis()).unwrap_or(u64::MAX));
    out.extend_from_slice(b"\n\n");
}

/// Appends a comment without text, which says nothing but that the stream is alive.
pub fn write_comment(out: &mut Vec<u8>) {
    out.extend_from_slice(b":\n\n");
}

fn write_line(out: &mut Vec<u8>, field: &[u8], value: &[u8]) {
    out.extend_from_slice(field);
    out.extend_from_slice(value);
    out.push(b'\n');
}
