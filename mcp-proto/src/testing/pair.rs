//! A client and a server on one simulated clock.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::net::{Arrival, End, SimNet};
use crate::config::{ClientConfig, ServerConfig};
use crate::event::Event;
use crate::revision::Revision;
use crate::role::{Client, Role, Server};
use crate::stdio::Connection;
use crate::time::Instant;

/// A client and a server, joined by a [`SimNet`], on one clock that jumps to the next deadline.
///
/// Nothing waits and nothing sleeps: an hour of silence takes no time. Commands go straight to
/// `pair.client` and `pair.server`; what follows from them happens in [`settle`](Self::settle) and
/// [`advance`](Self::advance).
///
/// ```
/// use mcp_proto::testing::Pair;
/// use mcp_proto::{CallOptions, CallTool, CallToolResult, Event, Progress, Revision};
///
/// let mut pair = Pair::ready(Revision::V2025_11_25);
/// let options = CallOptions::default().tracked();
/// let ticket = pair.client.request(&CallTool::new("resize"), options, pair.now)?;
/// pair.settle();
///
/// let Some(Event::Request { id, .. }) = pair.server_events.pop() else { panic!("no request") };
/// pair.server.report(&id, Progress::new(1.0).of(2.0), Default::default(), pair.now)?;
/// pair.server.respond(&id, &CallToolResult::text("done"), pair.now)?;
/// pair.settle();
///
/// assert!(matches!(&pair.client_events[..], [Event::Progress { .. }, Event::Response { id, outcome: Ok(_) }]
///     if id == ticket.id()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Pair {
    /// The end that asks.
    pub client: Connection<Client>,
    /// The end that works.
    pub server: Connection<Server>,
    /// What is between them.
    pub net: SimNet,
    /// The time at both ends.
    pub now: Instant,
    /// What the client was told, in order. Take from it as you like.
    pub client_events: Vec<Event>,
    /// What the server was told, in order. Take from it as you like.
    pub server_events: Vec<Event>,
    /// Every byte that the client has written.
    pub client_sent: Vec<u8>,
    /// Every byte that the server has written.
    pub server_sent: Vec<u8>,
}

/// How many steps may follow from one cause. Two engines that go on for ever are a fault.
const MAX_STEPS: usize = 1 << 24;

impl Pair {
    /// A pair that has not said anything yet.
    pub fn new(client: ClientConfig, server: ServerConfig) -> Self {
        let now = Instant::ZERO;
        Self {
            client: Connection::client(client, now),
            server: Connection::server(server),
            net: SimNet::new(0),
            now,
            client_events: Vec::new(),
            server_events: Vec::new(),
            client_sent: Vec::new(),
            server_sent: Vec::new(),
        }
    }

    /// A pair that speaks `revision` and is past the handshake, with nothing recorded of it.
    pub fn ready(revision: Revision) -> Self {
        let client = ClientConfig::new("client", "1").revisions(revision);
        let server = ServerConfig::new("server", "1").revisions(revision);
        Self::new(client, server).shaken()
    }

    /// The pair past the handshake, with nothing recorded of it.
    #[must_use]
    pub fn shaken(mut self) -> Self {
        self.settle();
        self.forget();
        self
    }

    /// Puts another network between the two.
    #[must_use]
    pub fn over(mut self, net: SimNet) -> Self {
        self.net = net;
        self
    }

    /// Forgets the bytes and events recorded so far.
    pub fn forget(&mut self) {
        self.client_events.clear();
        self.server_events.clear();
        self.client_sent.clear();
        self.server_sent.clear();
    }

    /// Moves what can be moved at this moment, once: each end is told what time it is if it asked to be,
    /// writes what it has, reads what has arrived, and its events are collected. Says whether anything
    /// happened.
    pub fn step(&mut self) -> bool {
        let (now, net) = (self.now, &mut self.net);
        let client = serve(
            &mut self.client,
            End::Client,
            net,
            &mut self.client_sent,
            &mut self.client_events,
            now,
        );
        let server = serve(
            &mut self.server,
            End::Server,
            net,
            &mut self.server_sent,
            &mut self.server_events,
            now,
        );
        client || server
    }

    /// Steps until nothing happens at this moment any more.
    ///
    /// # Panics
    ///
    /// If it never ends.
    #[allow(clippy::panic)] // the verdict of a test tool
    pub fn settle(&mut self) {
        for _ in 0..MAX_STEPS {
            if !self.step() {
                return;
            }
        }
        panic!("the two ends go on for ever at {:?}: {}", self.now, self.net);
    }

    /// Lets so much time pass. Every deadline and every arrival on the way happens at its own moment.
    pub fn advance(&mut self, time: Duration) {
        let until = self.now + time;
        self.settle();
        while let Some(at) = self.next_at().filter(|at| *at <= until) {
            self.now = at;
            self.settle();
        }
        self.now = until;
        self.settle();
    }

    /// Settles, then jumps to the next moment at which something is due. `false`: nothing is.
    pub fn jump(&mut self) -> bool {
        self.settle();
        let Some(at) = self.next_at() else { return false };
        self.now = at;
        self.settle();
        true
    }

    /// Jumps on until nothing is due any more.
    pub fn run(&mut self) {
        while self.jump() {}
    }

    /// What the client has written, message by message.
    pub fn client_lines(&self) -> Vec<String> {
        lines(&self.client_sent)
    }

    /// What the server has written, message by message.
    pub fn server_lines(&self) -> Vec<String> {
        lines(&self.server_sent)
    }

    /// The next moment after this one at which something is due.
    fn next_at(&self) -> Option<Instant> {
        let ends = [self.client.poll_timeout(), self.server.poll_timeout()];
        let next = ends.into_iter().chain([self.net.poll_timeout()]).flatten();
        // What is due already and still there is input that an end does not want.
        next.filter(|at| *at > self.now).min()
    }
}

/// One end's share of a step.
fn serve<R: Role>(
    end: &mut Connection<R>,
    which: End,
    net: &mut SimNet,
    sent: &mut Vec<u8>,
    events: &mut Vec<Event>,
    now: Instant,
) -> bool {
    let mut moved = false;
    if end.poll_timeout().is_some_and(|at| at <= now) {
        end.handle_timeout(now);
        moved = true;
    }
    while let Some(chunk) = end.poll_transmit() {
        let taken = net.send(which, chunk, now);
        sent.extend_from_slice(chunk.get(..taken).unwrap_or_default());
        end.advance_transmit(taken);
        if taken == 0 {
            break;
        }
        moved = true;
    }
    if end.is_closed() && !end.has_transmit() {
        net.shut(which, now);
    }
    while end.is_closed() || end.wants_input() {
        match net.poll(which, now) {
            Some(Arrival::Bytes(bytes)) => end.handle_input(&bytes, now),
            Some(Arrival::Eof) => end.handle_eof(now),
            None => break,
        }
        moved = true;
    }
    while let Some(event) = end.poll_event() {
        events.push(event);
        moved = true;
    }
    moved
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes).lines().map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CallOptions, Timeouts};
    use crate::error::CallError;
    use crate::types::{CallTool, CallToolResult};

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn every_revision_shakes_hands_through_single_bytes() {
        for revision in Revision::ALL {
            let client = ClientConfig::new("client", "1").revisions(revision);
            let server = ServerConfig::new("server", "1").revisions(revision);
            let net = SimNet::new(1)
                .chunks(1..=1)
                .delay(Duration::ZERO..=Duration::from_millis(20))
                .capacity(1);
            let mut pair = Pair::new(client, server).over(net);
            while pair.client.peer().is_none() {
                assert!(pair.jump(), "{revision}");
            }
            assert_eq!(pair.client.peer().unwrap().revision, revision);
        }
    }

    #[test]
    fn the_clock_jumps_to_the_deadline_and_not_beyond() {
        let mut pair = Pair::ready(Revision::V2025_06_18);
        let timeouts = Timeouts::NEVER.total(secs(90_000));
        let options = CallOptions::default().timeouts(timeouts);
        let _ticket = pair.client.request(&CallTool::new("slow"), options, pair.now).unwrap();
        pair.advance(secs(89_999));
        assert!(pair.client_events.is_empty());
        assert!(pair.jump());
        assert_eq!(pair.now, Instant::from(secs(90_000)));
        assert!(matches!(
            &pair.client_events[..],
            [Event::Response { outcome: Err(CallError::TimedOut(_)), .. }]
        ));
        assert!(pair.client_lines().last().unwrap().contains("notifications/cancelled"));
    }

    #[test]
    fn a_closed_end_closes_the_other() {
        let mut pair = Pair::ready(Revision::V2026_07_28);
        let _ticket =
            pair.client.request(&CallTool::new("x"), CallOptions::default(), pair.now).unwrap();
        pair.settle();
        let Some(Event::Request { id, .. }) = pair.server_events.pop() else { panic!() };
        pair.server.respond(&id, &CallToolResult::text("done"), pair.now).unwrap();
        pair.client.close(pair.now);
        pair.run();
        assert!(pair.client.is_closed() && pair.server.is_closed());
        assert!(matches!(pair.client_events.last(), Some(Event::Closed(_))));
        assert!(matches!(pair.server_events.last(), Some(Event::Closed(_))));
    }
}
