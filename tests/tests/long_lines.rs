//! What a line costs that is as long as may be, or longer, in bytes that the allocator was asked for. What it costs in time is
//! counted by `tests/linear/run`.
//!
//! A program of its own, because the counting allocator is that of the whole program.

use allocation_counter::measure;
use mcp_proto::role::{Client, Role, Server};
use mcp_proto::{
    ClientConfig, Connection, Event, Instant, Limits, Revision, ServerConfig, Violation,
};
use mcp_tests::{handshake, welcome};

/// What is read at once.
const READ: usize = 64 << 10;

const LIMITS: [usize; 2] = [64 << 10, 1 << 20];

const PIECES: [usize; 3] = [7, 4096, READ];

/// The buffer doubles, and for a moment the old one is beside the new one.
const fn most(limit: usize) -> usize {
    3 * (limit + READ) + ELSE
}

/// What is kept of the head of a line, what is told of it, and what it is answered with.
const ELSE: usize = 16 << 10;

/// A buffer of up to two reads is kept for what comes, and little beside it.
const KEPT: usize = 2 * READ + (1 << 10);

fn limits(max_message_len: usize) -> Limits {
    let mut limits = Limits::default();
    limits.max_message_len = max_message_len;
    limits
}

fn server(limit: usize) -> Connection<Server> {
    let mut server = Connection::server(ServerConfig::new("s", "1").limits(limits(limit)));
    feed(&mut server, handshake(Revision::LATEST_LEGACY).as_bytes(), READ);
    server
}

fn client(limit: usize) -> Connection<Client> {
    let config = ClientConfig::new("c", "1").revisions(Revision::LATEST_LEGACY);
    let mut client = Connection::client(config.limits(limits(limit)), Instant::ZERO);
    feed(&mut client, welcome(Revision::LATEST_LEGACY).as_bytes(), READ);
    client
}

/// Feeds it in pieces, and deals with each. How many lines were too long.
fn feed<R: Role>(end: &mut Connection<R>, input: &[u8], piece: usize) -> usize {
    let mut too_long = 0;
    for piece in input.chunks(piece) {
        assert!(end.wants_input());
        end.handle_input(piece, Instant::ZERO);
        while let Some(event) = end.poll_event() {
            too_long += usize::from(matches!(event, Event::Violation(Violation::TooLong { .. })));
        }
        while let Some(length) = end.poll_transmit().map(<[u8]>::len) {
            end.advance_transmit(length);
        }
    }
    too_long
}

/// A notification of that many bytes, which no table keeps.
fn line(length: usize) -> Vec<u8> {
    let head = b"{\"jsonrpc\":\"2.0\",\"method\":\"x/y\",\"params\":{\"v\":\"";
    let tail = b"\"}}\n";
    let mut line = head.to_vec();
    line.resize(length + 1 - tail.len(), b'v');
    line.extend_from_slice(tail);
    line
}

/// Bytes at most, and bytes that are left.
fn taken(work: impl FnOnce()) -> (usize, i64) {
    let counted = measure(work);
    assert!(counted.count_total > 0, "nothing was counted");
    (counted.bytes_max as usize, counted.bytes_current)
}

/// Whatever a line is, the machine holds no more than its limit allows, and behind it nothing but a buffer of the size of one read.
fn check<R: Role>(make: fn(usize) -> Connection<R>) {
    for (limit, piece) in LIMITS.into_iter().flat_map(|limit| PIECES.map(|piece| (limit, piece))) {
        let what = format!("limit {limit}, pieces of {piece}");
        let mut end = make(limit);
        for (length, times) in [(limit, 0), (limit + 1, 1), (16 * limit, 1)] {
            let line = line(length);
            assert_eq!(line.len(), length + 1);
            let (at_most, left) = taken(|| assert_eq!(feed(&mut end, &line, piece), times));
            assert!(at_most <= most(limit), "{what}: {length} bytes took {at_most}");
            assert!(left <= KEPT as i64, "{what}: {length} bytes left {left}");
        }
        // Once it is known to be too long, more of it takes nothing.
        let mut endless = vec![b'['; 2 * limit];
        assert_eq!(feed(&mut end, &endless, piece), 1);
        endless.resize(16 * limit, b'[');
        let counted = measure(|| assert_eq!(feed(&mut end, &endless, piece), 0));
        assert!(counted.bytes_max as usize <= KEPT, "{what}: {}", counted.bytes_max);
        assert_eq!(feed(&mut end, b"\n", piece), 0);
    }
}

#[test]
fn a_line_of_any_length_takes_no_more_memory_than_its_limit_allows() {
    check(server);
    check(client);
}
