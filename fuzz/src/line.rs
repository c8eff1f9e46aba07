//! Framing: a stream read by the machine gives what a naive splitter gives, line for line.

use bytes::Bytes;
use mcp_proto::json::Raw;
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
    machine.handle_eof(now);
    machine.handle_timeout(LATER);
    seen.extend(drain(|| machine.poll_event()));
    assert_eq!(seen, expected(input, now));
}

/// The same stream, cut by hand.
fn expected(input: &[u8], now: Instant) -> Vec<Event> {
    let mut endpoint = Endpoint::server(config());
    let mut events = Vec::new();
    let mut unread = 0;
    let mut lines: Vec<&[u8]> = input.split(|byte| *byte == b'\n').collect();
    let tail = lines.pop().unwrap_or_default();
    let tail = (!tail.is_empty()).then_some(tail);
    for (number, line) in lines.iter().copied().chain(tail).enumerate() {
        let is_last = number == lines.len();
        if line.len() > MAX_LEN {
            if !endpoint.is_closed() {
                events.push(Event::Violation(too_long()));
            }
            continue;
        }
        let text = match number {
            0 => line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii(),
            _ => line.trim_ascii(),
        };
        if is_last && Raw::parse(text, usize::MAX).is_err() {
            unread = line.len();
        } else if !text.is_empty() {
            endpoint.handle_message(Bytes::copy_from_slice(text), now);
        }
        events.extend(drain(|| endpoint.poll_event()));
    }
    endpoint.handle_eof(unread, now);
    endpoint.handle_timeout(LATER);
    events.extend(drain(|| endpoint.poll_event()));
    events
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
    limits.max_error_answers = u32::MAX;
    // Lines that are too long are reported by hand, so they must take nothing from those that are read.
    limits.max_violation_reports_per_second = u32::MAX;
    ServerConfig::new("line", "1").limits(limits)
}
