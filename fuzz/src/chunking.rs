//! However a stream is cut, the same events come out, and the same bytes go back; as they do if each of its lines comes as
//! a message of its own. What a client is told of progress can be shown, whatever it is.

use std::time::Duration;

use bytes::Bytes;
use mcp_proto::progress::ProgressView;
use mcp_proto::role::{Role, Server};
use mcp_proto::testing::{digest, take_events, take_output};
use mcp_proto::{
    CallOptions, CallTool, ClientConfig, Connection, Event, Framing, Instant, Limits, ListTools,
    Revision, ServerConfig,
};

use crate::wire::{LATER, client, server};

/// The first byte chooses the side, the revision and from 64 on a limit that short inputs reach, from 128 a client that has
/// not met its server yet; the second
/// how the rest is cut: below 128, into pieces of that many bytes and one; from 128, into pieces of growing and
/// shrinking length.
pub fn chunking(input: &[u8]) {
    let [side, cut, stream @ ..] = input else { return };
    let now = Instant::ZERO;
    let bound = Limits::default().memory_bound::<Server>();
    if *side >= 128 {
        let config = ClientConfig::new("chunking", "1").probe_timeout(Duration::from_secs(5));
        let client = Connection::client(config, now);
        compare_messages(client.clone(), client.clone().framed(Framing::Messages), stream, now);
        return compare(client, stream, *cut, bound, now);
    }
    let revision = Revision::ALL[usize::from(side >> 1) % Revision::ALL.len()];
    let mut limits = Limits::default();
    if *side >= 64 {
        limits.max_message_len = MAX_LEN;
    }
    if side & 1 == 0 {
        let mut client = client(ClientConfig::new("chunking", "1").limits(limits), revision, now);
        // Calls 2 and up: one that tracks, one that does not, one with a token of its own.
        let call = CallTool::new("t");
        let mine = CallOptions::default().progress_token("mine");
        let _tracked = client.request(&call, CallOptions::default().tracked(), now).expect("room");
        let _plain = client.request(&ListTools::new(), CallOptions::default(), now).expect("room");
        let _mine = client.request(&call, mine, now).expect("room");
        take_output(&mut client);
        compare_met(client, stream, *cut, bound, now);
    } else {
        let server = server(ServerConfig::new("chunking", "1").limits(limits), revision, now);
        compare_met(server, stream, *cut, bound, now);
    }
}

/// Longer than what is said in a handshake.
const MAX_LEN: usize = 512;

/// A side that has met its peer.
fn compare_met<R: Role + Clone>(
    met: Connection<R>,
    stream: &[u8],
    cut: u8,
    bound: usize,
    now: Instant,
) {
    // What is new in `framed` takes a byte order mark from what comes first, and that was long ago.
    let mut messages = met.clone().framed(Framing::Messages);
    messages.handle_input(b"", now);
    compare_messages(met.clone(), messages, stream, now);
    compare(met, stream, cut, bound, now);
}

/// What is said never takes more than all that a connection may hold: `bound`.
fn compare<R: Role + Clone>(
    whole: Connection<R>,
    stream: &[u8],
    cut: u8,
    bound: usize,
    now: Instant,
) {
    let mut pieces = whole.clone();
    let mut seen = Vec::new();
    for piece in cut_up(stream, cut) {
        pieces.handle_input(piece, now);
        seen.extend(take_events(&mut pieces));
    }
    let mut whole = whole;
    whole.handle_input(stream, now);
    let expected = take_events(&mut whole);
    assert_eq!(seen, expected, "the events depend on the cuts");
    show(&seen, now);
    assert_eq!(pieces.poll_timeout(), whole.poll_timeout(), "the deadlines depend on the cuts");
    assert_eq!(digest(&pieces, now), digest(&whole, now), "the state depends on the cuts");
    for connection in [&mut pieces, &mut whole] {
        connection.handle_eof(now);
        connection.handle_timeout(LATER);
    }
    assert_eq!(take_events(&mut pieces), take_events(&mut whole), "the end depends on the cuts");
    let said = take_output(&mut pieces);
    assert_eq!(said, take_output(&mut whole), "the answers depend on the cuts");
    assert!(said.len() <= bound, "{} bytes wait to be read", said.len());
}

/// The lines that are complete, as lines and each as a message of a transport that keeps messages apart.
fn compare_messages<R: Role>(
    mut lines: Connection<R>,
    mut messages: Connection<R>,
    stream: &[u8],
    now: Instant,
) {
    let end = stream.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let complete = &stream[..end];
    lines.handle_input(complete, now);
    for line in complete.split_inclusive(|byte| *byte == b'\n') {
        messages.handle_input_owned(Bytes::copy_from_slice(&line[..line.len() - 1]), now);
    }
    lines.handle_eof(now);
    messages.handle_eof(now);
    let (expected, seen) = (take_events(&mut lines), take_events(&mut messages));
    assert_eq!(seen, expected, "the events depend on what carries the messages");
    let mut said = Vec::new();
    while let Some(message) = messages.poll_transmit() {
        let length = message.len();
        said.extend_from_slice(message);
        said.push(b'\n');
        messages.advance_transmit(length);
    }
    assert_eq!(said, take_output(&mut lines), "the answers depend on what carries the messages");
    lines.handle_timeout(LATER);
    messages.handle_timeout(LATER);
    assert_eq!(take_events(&mut messages), take_events(&mut lines));
}

/// Shows what is reported, twice a second.
fn show(events: &[Event], begun: Instant) {
    let (mut view, mut now) = (ProgressView::new(begun), begun);
    for event in events {
        let Event::Progress { progress, .. } = event else { continue };
        now = now + Duration::from_millis(500);
        let reports = view.reports();
        let counted = view.update(progress, now);
        assert_eq!(view.reports(), reports + u64::from(counted));
        assert!(view.percent().is_none_or(|percent| (0.0..=100.0).contains(&percent)));
        assert!(view.rate(now).is_none_or(|rate| rate.is_finite() && rate > 0.0));
        assert!(view.eta(now).is_none() || view.total().is_some());
        assert!(view.elapsed(now) > Duration::ZERO);
    }
    view.finish(now);
    assert_eq!(view.percent().is_some(), view.total().is_some());
    assert_eq!(view.last().is_some(), view.reports() > 0);
}

/// Pieces of a stream, of the lengths that `cut` says.
pub(crate) fn cut_up(mut stream: &[u8], cut: u8) -> impl Iterator<Item = &[u8]> {
    let mut turn = 0_usize;
    std::iter::from_fn(move || {
        turn += 1;
        let length = match cut {
            0..128 => usize::from(cut) + 1,
            _ => turn * usize::from(cut) % 23 + 1,
        };
        let (piece, rest) = stream.split_at(length.min(stream.len()));
        stream = rest;
        (!piece.is_empty()).then_some(piece)
    })
}
