//! Server-sent events: the vectors in one piece, as given, in single bytes and cut at every place; the bounds.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use mcp_proto::Instant;
use mcp_proto::sse::{Decoder, Event, TooLong, write_comment, write_event, write_retry};
use proptest::prelude::*;
use serde_json::Value;

/// What a decoder says of a stream that arrives in these pieces.
#[derive(Debug, PartialEq)]
struct Heard {
    /// Type, data, and the last event id behind it.
    events: Vec<(String, String, String)>,
    last_event_id: String,
    retry: Option<Duration>,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn drain(decoder: &mut Decoder) -> Vec<Event> {
    let events = std::iter::from_fn(|| decoder.poll_event());
    events.map(|event| event.expect("an event within the limit")).collect()
}

fn hear<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Heard {
    let mut decoder = Decoder::new(1 << 20, 1 << 10);
    let mut events = Vec::new();
    for piece in pieces {
        decoder.handle_input(piece, Instant::ZERO);
        while let Some(event) = decoder.poll_event() {
            let Event { name, data, .. } = event.expect("an event within the limit");
            let name = if name.is_empty() { "message".into() } else { text(&name) };
            events.push((name, text(&data), text(decoder.last_event_id())));
        }
    }
    Heard { events, last_event_id: text(decoder.last_event_id()), retry: decoder.retry() }
}

/// One line of `tests/data/sse/vectors.jsonl`.
struct Vector {
    id: String,
    chunks: Vec<Vec<u8>>,
    expect: Value,
}

fn vectors() -> Vec<Vector> {
    let lines = include_str!("../data/sse/vectors.jsonl").lines();
    let vectors: Vec<_> = lines
        .map(|line| {
            let vector: Value = serde_json::from_str(line).unwrap();
            let texts = |name: &str| -> Vec<String> {
                let texts = vector[name].as_array().into_iter().flatten();
                texts.map(|text| text.as_str().unwrap().to_owned()).collect()
            };
            let decode = |text: String| BASE64_STANDARD.decode(text).unwrap();
            let mut chunks: Vec<_> = texts("chunks").into_iter().map(String::into_bytes).collect();
            chunks.extend(texts("chunks_b64").into_iter().map(decode));
            let id = vector["id"].as_str().unwrap().to_owned();
            Vector { id, chunks, expect: vector["expect"].clone() }
        })
        .collect();
    assert_eq!(vectors.len(), 62);
    vectors
}

impl Vector {
    fn check(&self, heard: &Heard, how: &str) {
        let id = &self.id;
        let expected = self.expect["events"].as_array().unwrap().iter().map(|event| {
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            (text("type"), text("data"), text("last_event_id"))
        });
        assert_eq!(heard.events, expected.collect::<Vec<_>>(), "{id} {how}");
        assert_eq!(heard.last_event_id, self.expect["last_event_id"], "{id} {how}");
        match &self.expect["retry_ms"] {
            // Where the standard leaves a choice, it is the longest time there is.
            Value::Object(_) => assert_eq!(heard.retry, Some(Duration::from_millis(u64::MAX))),
            retry => {
                assert_eq!(heard.retry, retry.as_u64().map(Duration::from_millis), "{id} {how}");
            }
        }
    }
}

#[test]
fn every_vector_gives_its_events_however_it_is_cut() {
    for vector in vectors() {
        let stream = vector.chunks.concat();
        vector.check(&hear(vector.chunks.iter().map(Vec::as_slice)), "as given");
        vector.check(&hear([&stream[..]]), "in one piece");
        vector.check(&hear(stream.chunks(1)), "in single bytes");
        for at in 0..=stream.len() {
            let (first, rest) = stream.split_at(at);
            vector.check(&hear([first, rest]), &format!("cut at {at}"));
            // An empty piece changes nothing.
            vector.check(&hear([first, b"", rest]), &format!("cut twice at {at}"));
        }
    }
}

/// A carriage return may be the whole end of a line: waiting for a line feed would hold the event back.
#[test]
fn an_event_is_told_as_soon_as_its_blank_line_began_to_end() {
    for end in ["\n\n", "\r\r", "\r\n\r"] {
        let mut decoder = Decoder::new(64, 16);
        decoder.handle_input(format!("data: x{end}").as_bytes(), Instant::from_nanos(7));
        let events = drain(&mut decoder);
        assert_eq!((events.len(), events[0].at), (1, Instant::from_nanos(7)), "{end:?}");
    }
}

#[test]
fn the_time_of_an_event_is_that_of_its_last_byte() {
    let mut decoder = Decoder::new(64, 16);
    decoder.handle_input(b"data: 1\n\ndata:", Instant::from_nanos(1));
    decoder.handle_input(b" 2\n", Instant::from_nanos(2));
    decoder.handle_input(b"\n", Instant::from_nanos(3));
    let times: Vec<_> = drain(&mut decoder).iter().map(|event| event.at.as_nanos()).collect();
    assert_eq!(times, [1, 3]);
}

#[test]
fn an_event_of_just_the_limit_is_read_and_a_longer_one_ends_the_stream() {
    // `data:` and the data; then the same in two lines.
    let fits = ["data:45678901\n\n", "data:6\ndata:2\n\n"];
    let long = ["data:456789012\n\n", "data:67\ndata:23\n\n", "data:45678901\nx\n\n"];
    for (streams, fits) in [(&fits[..], true), (&long[..], false)] {
        for stream in streams {
            for step in 1..=stream.len() {
                let mut decoder = Decoder::new(13, 16);
                let mut told = Vec::new();
                for piece in stream.as_bytes().chunks(step) {
                    decoder.handle_input(piece, Instant::ZERO);
                    told.extend(std::iter::from_fn(|| decoder.poll_event()));
                }
                let is_event = matches!(&told[..], [Ok(_)]);
                let is_error = matches!(&told[..], [Err(TooLong { limit: 13, .. })]);
                assert!(if fits { is_event } else { is_error }, "{stream:?} by {step}: {told:?}");
                if !fits {
                    decoder.handle_input(b"\n\ndata: more\n\n", Instant::ZERO);
                    assert_eq!((decoder.poll_event(), decoder.len()), (None, 0));
                }
            }
        }
    }
}

#[test]
fn what_was_known_of_a_stream_that_failed_is_still_known() {
    let mut decoder = Decoder::new(32, 16);
    decoder.handle_input(b"retry: 5\nid: 9\ndata: x\n\n", Instant::ZERO);
    assert_eq!(drain(&mut decoder).len(), 1);
    decoder.handle_input(&[b'x'; 33], Instant::ZERO);
    assert!(matches!(decoder.poll_event(), Some(Err(_))));
    assert_eq!(decoder.last_event_id(), b"9");
    assert_eq!(decoder.retry(), Some(Duration::from_millis(5)));
}

/// RELIABILITY T5: what costs the peer almost nothing may cost us nothing at all.
#[test]
fn endless_comments_and_empty_events_keep_nothing() {
    let mut decoder = Decoder::new(64, 16);
    decoder.handle_input(b"\xEF\xBB\xBF: a comment without end", Instant::ZERO);
    assert_eq!(decoder.poll_event(), None);
    for _ in 0..10_000 {
        decoder.handle_input(&[b':'; 100], Instant::ZERO);
        assert_eq!((decoder.poll_event(), decoder.len()), (None, 0));
    }
    decoder.handle_input(b"\n", Instant::ZERO);
    for line in ["\n", "id:\n\n", "event: x\n\n", ":\r\n", "unknown\n\n"] {
        for _ in 0..10_000 {
            decoder.handle_input(line.as_bytes(), Instant::ZERO);
            assert_eq!((decoder.poll_event(), decoder.len()), (None, 0));
        }
    }
    decoder.handle_input(b"data: still here\n\n", Instant::ZERO);
    assert_eq!(drain(&mut decoder).len(), 1);
}

#[test]
fn an_id_beyond_its_limit_is_ignored_and_its_event_is_not() {
    let mut decoder = Decoder::new(64, 4);
    decoder.handle_input(b"id: 1234\ndata: a\n\nid: 12345\ndata: b\n\n", Instant::ZERO);
    assert_eq!(drain(&mut decoder).len(), 2);
    assert_eq!(decoder.last_event_id(), b"1234");
}

#[test]
fn ids_that_could_not_be_read_back_are_left_out() {
    for id in ["a\nb", "a\rdata: x", "a\0"] {
        let mut out = Vec::new();
        write_event(&mut out, Some(id.as_bytes()), b"{}");
        assert_eq!(text(&out), "data: {}\n\n");
    }
}

/// A line end of any kind reads back as a line feed.
fn normalized(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

proptest! {
    #[test]
    fn what_is_written_reads_back(
        messages in prop::collection::vec((prop::option::of("[ -~]{0,8}"), "[ -~\r\n\u{e9}:]{0,24}"), 1..8),
        retry in 0u64..100_000,
        step in 1usize..40,
    ) {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        let mut last = String::new();
        for (id, data) in &messages {
            write_comment(&mut stream);
            write_event(&mut stream, id.as_ref().map(String::as_bytes), data.as_bytes());
            last = id.clone().unwrap_or(last);
            expected.push(("message".to_owned(), normalized(data), last.clone()));
        }
        write_retry(&mut stream, Duration::from_millis(retry));
        let heard = hear(stream.chunks(step));
        prop_assert_eq!(heard.events, expected);
        prop_assert_eq!(heard.retry, Some(Duration::from_millis(retry)));
    }
}
