//! Framing: a stream read by the machine gives what a naive splitter gives, line for line, and is answered alike.

use bytes::Bytes;
use mcp_proto::json::Raw;
use mcp_proto::role::Server;
use mcp_proto::testing::take_output;
use mcp_proto::{
    CloseReason, Connection, Endpoint, Event, Instant, Limits, ServerConfig, Violation,
};

use crate::wire::LATER;

const MAX_LEN: usize = 96;

/// A whole stream, with all its lines.
pub fn line(input: &[u8]) {
    let now = Instant::ZERO;
    let mut machine = Connection::server(config());
    machine.handle_input(input, now);
    let mut seen = drain(|| machine.poll_event());
    let mut output = take_output(&mut machine);
    machine.handle_eof(now);
    output.extend(take_output(&mut machine));
    machine.handle_timeout(LATER);
    seen.extend(drain(|| machine.poll_event()));
    let expected = expected(input, now);
    assert_eq!(seen, expected.events);
    let said = output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let (about_length, rest): (Vec<_>, Vec<_>) = said.partition(|line| is_about_length(line));
    // Which of two answers a cancellation takes back that have one id depends on both.
    let is_own = |answer: &[u8]| {
        let Some(id) = id_of(answer) else { return true };
        let mut others = expected.too_long.iter();
        !others.any(|line| has(line, id.as_bytes()) || line.contains(&b'\\'))
    };
    let rest: Vec<_> = rest.into_iter().filter(|answer| is_own(answer)).collect();
    let said: Vec<_> = expected.said.iter().filter(|answer| is_own(answer)).collect();
    assert_eq!(rest, said);
    let mut too_long = expected.too_long.iter();
    for answer in about_length {
        assert!(
            too_long.any(|line| may_answer(answer, line)),
            "an answer to nothing that was too long"
        );
    }
}

/// What the machine makes of a stream.
#[derive(Default)]
struct Expected<'a> {
    events: Vec<Event>,
    /// To what was read.
    said: Vec<Bytes>,
    too_long: Vec<&'a [u8]>,
}

/// The same stream, cut by hand.
fn expected(input: &[u8], now: Instant) -> Expected<'_> {
    let mut endpoint = Endpoint::server(config());
    let mut expected = Expected::default();
    let mut unread = 0;
    let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let tail = lines.pop().unwrap_or_default();
    let tail = (!tail.is_empty()).then_some(tail);
    for (number, line) in lines.iter().copied().chain(tail).enumerate() {
        let is_last = number == lines.len();
        if line.len() > MAX_LEN {
            if !endpoint.is_closed() {
                expected.events.push(Event::Violation(too_long()));
                expected.too_long.push(line);
            }
            continue;
        }
        let text = match number {
            0 => line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii(),
            _ => line.trim_ascii(),
        };
        if is_last {
            // By now the peer has read what was said: the last line takes none of it back.
            expected.said.extend(messages(&mut endpoint));
        }
        if is_last && Raw::parse(text, usize::MAX).is_err() {
            unread = line.len();
        } else if !text.is_empty() {
            endpoint.handle_message(Bytes::copy_from_slice(text), now);
        }
        expected.events.extend(drain(|| endpoint.poll_event()));
    }
    endpoint.handle_eof(unread, now);
    expected.said.extend(messages(&mut endpoint));
    endpoint.handle_timeout(LATER);
    expected.events.extend(drain(|| endpoint.poll_event()));
    expected
}

fn messages(endpoint: &mut Endpoint<Server>) -> impl Iterator<Item = Bytes> {
    std::iter::from_fn(|| endpoint.poll_transmit()).map(|it| it.message)
}

fn is_about_length(answer: &[u8]) -> bool {
    let Ok(answer) = Raw::parse(answer, usize::MAX) else { return false };
    let message = answer.get_in(&["error", "message"]).and_then(|message| message.as_str());
    message.as_deref() == Some("message too long")
}

/// An answer bears the id of what it is about, if any, and that is a request: nobody answers an answer.
fn may_answer(answer: &[u8], line: &[u8]) -> bool {
    let Some(id) = id_of(answer) else { return true };
    // Names and texts may be written with escapes.
    let is_request = has(line, b"\"method\"") || has(line, b"\"params\"");
    line.contains(&b'\\') || (is_request && has(line, id.as_bytes()))
}

/// The id of an answer, if it bears one.
fn id_of(answer: &[u8]) -> Option<Raw<'_>> {
    let id = Raw::parse(answer, usize::MAX).ok()?.get("id")?;
    (id.as_bytes() != b"null").then_some(id)
}

fn has(line: &[u8], text: &[u8]) -> bool {
    line.windows(text.len()).any(|some| some == text)
}

fn drain(poll: impl FnMut() -> Option<Event>) -> Vec<Event> {
    std::iter::from_fn(poll)
        // Both say how they ended; blanks at the end may count as unread or not.
        .map(|event| match event {
            Event::Closed(CloseReason::Eof { .. }) => Event::Closed(CloseReason::Eof { unread: 0 }),
            event => event,
        })
        .collect()
}

fn too_long() -> Violation {
    Violation::TooLong { limit: MAX_LEN }
}

fn config() -> ServerConfig {
    let mut limits = Limits::default();
    limits.max_message_len = MAX_LEN;
    // Answers to what is too long must take nothing from those to what is read.
    limits.max_error_answers = u32::MAX;
    limits.max_error_answers_per_second = u32::MAX;
    // Lines that are too long are reported by hand, so they must take nothing from those that are read.
    limits.max_violation_reports_per_second = u32::MAX;
    ServerConfig::new("line", "1").limits(limits)
}
