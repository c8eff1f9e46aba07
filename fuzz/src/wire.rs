//! What the targets share: connections that are ready to talk.

use std::time::Duration;

use mcp_proto::role::{Client, Role, Server};
use mcp_proto::testing::take_output;
use mcp_proto::{ClientConfig, Connection, Event, Instant, Revision, ServerConfig};

/// Later than every deadline.
pub(crate) const LATER: Instant = Instant::from_nanos(u64::MAX / 2);

/// A client that has met a server of `revision`.
pub(crate) fn client(config: ClientConfig, revision: Revision, now: Instant) -> Connection<Client> {
    let mut client = Connection::client(config.revisions(revision), now);
    let mut server = Connection::server(ServerConfig::new("peer", "1"));
    for _ in 0..2 {
        carry(&mut client, &mut server, now);
        while server.poll_event().is_some() {}
        carry(&mut server, &mut client, now);
    }
    assert!(
        std::iter::from_fn(|| client.poll_event()).any(|event| matches!(event, Event::Ready(_)))
    );
    client
}

/// A server that a client of `revision` has met.
pub(crate) fn server(config: ServerConfig, revision: Revision, now: Instant) -> Connection<Server> {
    let mut client = Connection::client(ClientConfig::new("peer", "1").revisions(revision), now);
    let mut server = Connection::server(config);
    for _ in 0..2 {
        carry(&mut client, &mut server, now);
        carry(&mut server, &mut client, now);
        while client.poll_event().is_some() {}
        while server.poll_event().is_some() {}
    }
    server
}

fn carry<A: Role, B: Role>(from: &mut Connection<A>, to: &mut Connection<B>, now: Instant) {
    to.handle_input(&take_output(from), now);
    while from.poll_timeout().is_some_and(|at| at <= now) {
        from.handle_timeout(now);
    }
}

/// A moment so many milliseconds after `now`.
pub(crate) fn after(now: Instant, millis: u64) -> Instant {
    now + Duration::from_millis(millis)
}

/// The one that an index names, counted round.
pub(crate) fn pick<T>(mut items: impl ExactSizeIterator<Item = T>, which: u8) -> Option<T> {
    let at = usize::from(which).checked_rem(items.len())?;
    items.nth(at)
}
