//! Any bytes as an event stream: the decoder against the standard's words taken literally, however it is cut.

use std::time::Duration;

use mcp_proto::Instant;
use mcp_proto::sse::{Decoder, TooLong, write_event, write_retry};

use crate::chunking::cut_up;

/// So low that short inputs reach them.
const MAX_EVENT: usize = 256;
const MAX_ID: usize = 16;

/// What a stream says: its events (name, data, the last event id behind it), and how it is left.
#[derive(Debug, Default, PartialEq)]
struct Said {
    events: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)>,
    last_event_id: Vec<u8>,
    retry: Option<Duration>,
    /// An event is longer than its limit.
    too_long: bool,
}

/// The first byte says how the rest is cut, as in [`chunking`](crate::chunking()).
pub fn sse(input: &[u8]) {
    let [cut, stream @ ..] = input else { return };
    let whole = decode([stream]);
    assert_eq!(whole, literally(stream), "not what the standard says");
    assert_eq!(decode(cut_up(stream, *cut)), whole, "the events depend on the cuts");
    read_back(&whole);
}

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Said {
    let mut decoder = Decoder::new(MAX_EVENT, MAX_ID);
    let mut said = Said::default();
    for piece in pieces {
        decoder.handle_input(piece, Instant::ZERO);
        while let Some(event) = decoder.poll_event() {
            match event {
                Ok(event) => {
                    let id = decoder.last_event_id().to_vec();
                    said.events.push((event.name.to_vec(), event.data.to_vec(), id));
                }
                Err(TooLong { limit, .. }) => {
                    assert_eq!((limit, said.too_long), (MAX_EVENT, false));
                    said.too_long = true;
                }
            }
        }
        // A byte order mark is not counted.
        assert!(decoder.len() <= MAX_EVENT + 3, "{} bytes of an unfinished event", decoder.len());
    }
    said.last_event_id = decoder.last_event_id().to_vec();
    said.retry = decoder.retry();
    said
}

/// "Interpreting an event stream", line by line, with everything in memory.
fn literally(stream: &[u8]) -> Said {
    let stream = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    let mut said = Said::default();
    let (mut name, mut data, mut id) = (Vec::new(), Vec::new(), Vec::new());
    let (mut has_data, mut len) = (false, 0);
    let (lines, rest) = lines(stream);
    for line in lines {
        if line.is_empty() {
            said.last_event_id.clone_from(&id);
            if std::mem::take(&mut has_data) {
                let data = data.strip_suffix(b"\n").expect("a line").to_vec();
                said.events.push((name.clone(), data, id.clone()));
            }
            (name, data, len) = (Vec::new(), Vec::new(), 0);
            continue;
        }
        if line[0] == b':' {
            continue;
        }
        len += line.len();
        if len > MAX_EVENT {
            said.too_long = true;
            return said;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value).to_vec();
        match &line[..colon] {
            b"event" => name = value,
            b"data" => {
                has_data = true;
                data.extend_from_slice(&value);
                data.push(b'\n');
            }
            b"id" if !value.contains(&0) && value.len() <= MAX_ID => id = value,
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let text = String::from_utf8(value).expect("digits");
                said.retry = Some(Duration::from_millis(text.parse().unwrap_or(u64::MAX)));
            }
            _ => {}
        }
    }
    said.too_long = rest.first() != Some(&b':') && len + rest.len() > MAX_EVENT;
    said
}

/// The lines that have an end, and what is behind them.
fn lines(mut stream: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut lines = Vec::new();
    while let Some(end) = stream.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
        lines.push(&stream[..end]);
        let length = if stream[end..].starts_with(b"\r\n") { 2 } else { 1 };
        stream = &stream[end + length..];
    }
    (lines, stream)
}

/// What was understood can be written and is understood again.
fn read_back(said: &Said) {
    let mut stream = Vec::new();
    if let Some(retry) = said.retry {
        write_retry(&mut stream, retry);
    }
    for (_, data, id) in &said.events {
        write_event(&mut stream, Some(id), data);
    }
    let mut again = Decoder::new(usize::MAX, MAX_ID);
    again.handle_input(&stream, Instant::ZERO);
    for (_, data, id) in &said.events {
        let event = again.poll_event().expect("an event").expect("no limit");
        assert_eq!((&event.data[..], again.last_event_id()), (&data[..], &id[..]));
    }
    assert_eq!(again.poll_event(), None);
    assert_eq!(again.retry(), said.retry);
}
