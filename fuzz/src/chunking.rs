//! However a stream is cut, the same events come out, and the same bytes go back.

use std::time::Duration;

use mcp_proto::role::{Role, Server};
use mcp_proto::testing::{digest, take_events, take_output};
use mcp_proto::{
    CallOptions, CallTool, ClientConfig, Connection, Instant, Limits, ListTools, Revision,
    ServerConfig,
};

use crate::wire::{LATER, client, server};

/// The first byte chooses the side and the revision, from 128 a client that has not met its server yet; the second
/// how the rest is cut: below 128, into pieces of that many bytes and one; from 128, into pieces of growing and
/// shrinking length.
pub fn chunking(input: &[u8]) {
    let [side, cut, stream @ ..] = input else { return };
    let now = Instant::ZERO;
    let bound = Limits::default().memory_bound::<Server>();
    if *side >= 128 {
        let config = ClientConfig::new("chunking", "1").probe_timeout(Duration::from_secs(5));
        return compare(Connection::client(config, now), stream, *cut, bound, now);
    }
    let revision = Revision::ALL[usize::from(side >> 1) % Revision::ALL.len()];
    if side & 1 == 0 {
        let mut client = client(ClientConfig::new("chunking", "1"), revision, now);
        // Calls 2 and up: one that tracks, one that does not, one with a token of its own.
        let call = CallTool::new("t");
        let mine = CallOptions::default().progress_token("mine");
        let _tracked = client.request(&call, CallOptions::default().tracked(), now).expect("room");
        let _plain = client.request(&ListTools::new(), CallOptions::default(), now).expect("room");
        let _mine = client.request(&call, mine, now).expect("room");
        take_output(&mut client);
        compare(client, stream, *cut, bound, now);
    } else {
        let server = server(ServerConfig::new("chunking", "1"), revision, now);
        compare(server, stream, *cut, bound, now);
    }
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
