//! Framing: a stream read by the machine gives what a naive splitter gives, line for line, and is answered alike.

use bytes::Bytes;
use mcp_proto::json::Raw;
use mcp_proto::testing::take_output;
use mcp_proto::{
    CloseReason, Connection, Endpoint, Event, Instant, Limits, ServerConfig, Violation,
};

use crate::members::Members;
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
    if expected.is_clear {
        let said = output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let said: Vec<_> = said.map(alike).collect();
        assert_eq!(said, expected.said);
    }
}

/// What the machine makes of a stream.
struct Expected {
    events: Vec<Event>,
    /// With the reason of a stand-in in place of the length of what it stands for.
    said: Vec<String>,
    /// Whether it can be told what every line that is too long is.
    is_clear: bool,
}

/// The same stream, cut by hand. For a line that is too long something short is read that is refused as well, so that
/// it is answered in its place, and the answer taken back by whatever takes that of the line back.
fn expected(input: &[u8], now: Instant) -> Expected {
    let mut endpoint = Endpoint::server(config());
    let mut expected = Expected { events: Vec::new(), said: Vec::new(), is_clear: true };
    let mut said = Vec::new();
    let mut unread = 0;
    let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let tail = lines.pop().unwrap_or_default();
    let tail = (!tail.is_empty()).then_some(tail);
    for (number, line) in lines.iter().copied().chain(tail).enumerate() {
        let is_last = number == lines.len();
        if line.len() > MAX_LEN {
            if endpoint.is_closed() {
                continue;
            }
            expected.events.push(Event::Violation(too_long()));
            match shown(line) {
                Shown::Request { id } => {
                    endpoint.handle_message(stand_in(id).into(), now);
                    let told: Vec<_> = drain(|| endpoint.poll_event());
                    let is_refused =
                        |it: &Event| matches!(it, Event::Violation(Violation::Refused(_)));
                    assert!(told.len() == 1 && told.iter().all(is_refused), "{told:?}");
                }
                Shown::Response => {}
                Shown::Unclear => expected.is_clear = false,
            }
            continue;
        }
        let text = match number {
            0 => line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii(),
            _ => line.trim_ascii(),
        };
        if is_last {
            // By now the peer has read what was said: the last line takes none of it back.
            said.extend(std::iter::from_fn(|| endpoint.poll_transmit()));
        }
        if is_last && Raw::parse(text, usize::MAX).is_err() {
            unread = line.len();
        } else if !text.is_empty() {
            endpoint.handle_message(Bytes::copy_from_slice(text), now);
        }
        expected.events.extend(drain(|| endpoint.poll_event()));
    }
    endpoint.handle_eof(unread, now);
    said.extend(std::iter::from_fn(|| endpoint.poll_transmit()));
    expected.said = said.iter().map(|transmit| alike(&transmit.message)).collect();
    endpoint.handle_timeout(LATER);
    expected.events.extend(drain(|| endpoint.poll_event()));
    expected
}

/// An answer, in which a line that is too long and its stand-in are refused for the same reason.
fn alike(answer: &[u8]) -> String {
    let answer = String::from_utf8(answer.to_vec()).expect("we write UTF-8");
    answer.replace("message too long", "nested too deeply, or a reserved key")
}

/// A request that is short, refused and answered with this id, if it is one. Without an id it must not look like a
/// notification.
fn stand_in(id: Option<&str>) -> String {
    match id {
        Some(id) => format!(r#"{{"id":{id},"method":"\ud800"}}"#),
        None => r#"{"id":"\ud800"}"#.to_owned(),
    }
}

/// What the head of a line that is too long shows of it.
enum Shown<'a> {
    /// It is answered, with its id if that is shown whole.
    Request { id: Option<&'a str> },
    /// Nobody answers an answer.
    Response,
    /// It breaks where a member may be one or none.
    Unclear,
}

fn shown(line: &[u8]) -> Shown<'_> {
    let members = Members::read(head(line));
    if members.is_unclear {
        return Shown::Unclear;
    }
    let shows = |name| members.get(name).is_some() || members.begun.as_deref() == Some(name);
    if !shows("method") && !shows("params") {
        // Without all four it cannot be told whose id it is, and both sides count theirs from 1.
        let is_response = shows("result") || shows("error");
        return if is_response { Shown::Response } else { Shown::Request { id: None } };
    }
    // A number at the cut may be half of one.
    let is_whole = |behind: &str| behind.starts_with([',', '}', ' ', '\t', '\r']);
    let id = members.get("id").filter(|id| is_whole(id.behind) && !members.is_double());
    Shown::Request { id: id.map(|id| id.value) }
}

/// The part of a line that is kept, or nothing if that is no text.
fn head(line: &[u8]) -> &str {
    let head = line.get(..4 << 10).unwrap_or(line);
    match std::str::from_utf8(head) {
        Ok(text) => text,
        // It may be cut in a character.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => "",
    }
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
