//! The machine on a transport: a byte stream with one message per line, or one that keeps messages apart.

#[cfg(feature = "snapshot")]
mod snapshot;

use core::fmt;
use core::ops::{Deref, DerefMut};

use bytes::Bytes;

use crate::config::{ClientConfig, ServerConfig};
use crate::endpoint::Endpoint;
use crate::event::Event;
use crate::role::{Client, Role, Server};
use crate::time::Instant;
use crate::wire::{Framing, Input, Line};

#[cfg(feature = "snapshot")]
pub use snapshot::ConnectionSnapshot;

/// One side of a conversation over a pair of byte streams, such as a child's stdin and stdout.
///
/// An [`Endpoint`] plus line framing: it dereferences to its endpoint for the commands (`request`,
/// `respond`, `report`, …). Follows `basic/transports/stdio`.
///
/// Over a transport that keeps messages apart, such as a WebSocket, it is [`framed`](Self::framed) otherwise:
/// with [`Framing::Messages`] what is received and what is sent is one whole message each time.
///
/// ```
/// use mcp_proto::{CallOptions, CallTool, ClientConfig, Connection, Event, Instant, Revision};
///
/// let mut now = Instant::ZERO;
/// let config = ClientConfig::new("example", "1.0").revisions(Revision::V2025_11_25);
/// let mut conn = Connection::client(config, now);
/// let ticket = conn.request(&CallTool::new("resize"), CallOptions::default(), now)?;
///
/// // What it wants to send. A real caller writes it somewhere.
/// let sent = conn.poll_transmit().map(<[u8]>::to_vec).unwrap_or_default();
/// conn.advance_transmit(sent.len());
/// assert!(sent.starts_with(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\""));
///
/// // What came back. A real caller reads it from somewhere.
/// conn.handle_input(
///     b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\",\
///       \"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}\n\
///       {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"done\"}]}}\n",
///     now,
/// );
/// let mut text = None;
/// while let Some(event) = conn.poll_event() {
///     if let Event::Response { id, outcome } = event
///         && id == *ticket.id()
///     {
///         text = ticket.decode(outcome)?.content[0].as_text().map(str::to_owned);
///     }
/// }
/// assert_eq!(text.as_deref(), Some("done"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Connection<R> {
    endpoint: Endpoint<R>,
    input: Input,
    /// When the input ended, while what came before that is not decoded yet.
    ended: Option<Instant>,
    /// When the transport failed, while what came before that is not decoded yet.
    failed: Option<Instant>,
}

impl Connection<Client> {
    /// A client, which begins to speak at once: the deadline of its handshake starts at `now`.
    pub fn client(config: ClientConfig, now: Instant) -> Self {
        Self::new(Endpoint::client(config, now))
    }
}

impl Connection<Server> {
    /// A server, which waits to be spoken to.
    pub fn server(config: ServerConfig) -> Self {
        Self::new(Endpoint::server(config))
    }
}

impl<R: Role> Connection<R> {
    fn new(endpoint: Endpoint<R>) -> Self {
        let core = endpoint.core();
        let input = Input::new(Framing::Lines, core.limits(), core.tolerance());
        Self { endpoint, input, ended: None, failed: None }
    }

    /// Sets how its transport keeps messages apart; by default they are lines. To be called before anything is
    /// received: what waits is dropped.
    #[must_use]
    pub fn framed(mut self, framing: Framing) -> Self {
        let core = self.endpoint.core();
        self.input = Input::new(framing, core.limits(), core.tolerance());
        self
    }

    /// So many bytes were read, or with [`Framing::Messages`] one whole message. They are kept;
    /// [`poll_event`](Self::poll_event) decodes them.
    pub fn handle_input(&mut self, input: &[u8], now: Instant) {
        if !self.endpoint.is_closed() && self.failed.is_none() {
            self.input.push(input, now);
            self.endpoint.core_mut().observe(now);
        }
    }

    /// As [`handle_input`](Self::handle_input), of bytes that need not be copied: events hold slices of a
    /// message.
    pub fn handle_input_owned(&mut self, input: Bytes, now: Instant) {
        if !self.endpoint.is_closed() && self.failed.is_none() {
            self.input.push_owned(input, now);
            self.endpoint.core_mut().observe(now);
        }
    }

    /// The input has ended. What had arrived is decoded first, a last line without newline included; what
    /// has to wait for room in the outbox still comes before the end.
    pub fn handle_eof(&mut self, now: Instant) {
        self.ended = Some(now);
        self.decode_all();
        self.endpoint.core_mut().observe(now);
    }

    /// Time has passed. What had arrived is decoded first: it came before the deadline. The exception is
    /// what has no room in the outbox: a peer that does not read stops no deadline.
    ///
    /// Where more had arrived than [`Limits::max_events`](crate::Limits) events, the deadlines wait until the
    /// caller has taken some: poll the events and call it again, which is due at once.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.decode_all();
        if self.awaits_events() {
            self.endpoint.core_mut().observe(now);
        } else {
            self.endpoint.handle_timeout(now);
        }
    }

    /// The transport has failed: nothing more can be sent or received. What had arrived is decoded first,
    /// what waited only for the peer to read included; its answers are lost. What is more than
    /// [`Limits::max_events`](crate::Limits) events still comes before the end.
    pub fn handle_transport_error(&mut self, now: Instant) {
        self.handle_timeout(now);
        self.endpoint.core_mut().discard_output();
        self.failed.get_or_insert(now);
        self.decode_all();
    }

    /// What happened, in order. Decodes at most what it needs, and nothing while the outbox is above its
    /// limit: whatever the peer sends, what it provokes is bounded. Poll again once some of it is written.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.endpoint.poll_event() {
                return Some(event);
            }
            if !self.decode_next() {
                return None;
            }
        }
    }

    /// Bytes to be written, newlines included, or with [`Framing::Messages`] one message. Tell
    /// [`advance_transmit`](Self::advance_transmit) how many were, or 0 if none: until then no message among
    /// them is taken back, as others are whose call is given up before they leave.
    pub fn poll_transmit(&mut self) -> Option<&[u8]> {
        self.lend_transmit(usize::MAX)
    }

    /// As [`poll_transmit`](Self::poll_transmit), of `max` bytes at most; a message with
    /// [`Framing::Messages`] is whole however long it is.
    pub fn lend_transmit(&mut self, max: usize) -> Option<&[u8]> {
        let core = self.endpoint.core_mut();
        match self.input.framing() {
            Framing::Lines => core.lend_chunk(max),
            Framing::Messages => core.lend_message(),
        }
    }

    /// So many bytes of [`poll_transmit`](Self::poll_transmit) were written. With [`Framing::Messages`] a
    /// message is sent whole or not at all: any number but 0 says that it was.
    pub fn advance_transmit(&mut self, written: usize) {
        let core = self.endpoint.core_mut();
        match self.input.framing() {
            Framing::Messages if written > 0 => core.advance_message(),
            _ => core.advance(written),
        }
    }

    /// Whether [`poll_transmit`](Self::poll_transmit) has bytes to be written.
    pub fn has_transmit(&self) -> bool {
        self.endpoint.core().has_chunk()
    }

    /// Whether more input makes sense: not while enough is buffered, too much output waits, or events wait to
    /// be polled.
    pub fn wants_input(&self) -> bool {
        self.endpoint.wants_input()
            && self.ended.is_none()
            && self.failed.is_none()
            && self.input.has_room(self.endpoint.core().limits().max_message_len)
    }

    /// Decodes everything, as far as there is room for its events.
    fn decode_all(&mut self) {
        while !self.awaits_events() && self.decode_next() {}
    }

    /// Whether something waits to be decoded until the caller has taken events.
    fn awaits_events(&self) -> bool {
        let core = self.endpoint.core();
        core.is_crowded()
            && !core.is_closed()
            && (core.has_room() || self.failed.is_some())
            && (self.input.has_message() || self.ended.is_some())
    }

    /// Decodes one line, or an end behind the last. Whether there was one, and room for its answer.
    #[inline]
    fn decode_next(&mut self) -> bool {
        let decoded = !self.endpoint.is_closed() && self.decode_input();
        if self.failed.is_some() {
            return self.decode_failed(decoded);
        }
        decoded
    }

    #[inline]
    fn decode_input(&mut self) -> bool {
        if !self.endpoint.core_mut().admits_input() && self.failed.is_none() {
            return self.hold_input();
        }
        if let Some(line) = self.input.next() {
            self.handle_line(line);
            return true;
        }
        if let Some(ended) = self.ended.take() {
            self.finish(ended);
            return true;
        }
        false
    }

    /// What a message provokes that came before the transport failed has no way out; behind the last, that is told.
    #[cold]
    fn decode_failed(&mut self, decoded: bool) -> bool {
        if decoded {
            self.endpoint.core_mut().discard_output();
        } else if let Some(failed) = self.failed.take() {
            self.endpoint.handle_transport_error(failed);
        }
        true
    }

    #[cold]
    fn hold_input(&mut self) -> bool {
        if self.input.len() > 0 || self.ended.is_some() {
            self.endpoint.core_mut().hold_input();
        }
        false
    }

    /// Every line is decoded, and the input ended at that time.
    #[cold]
    fn finish(&mut self, ended: Instant) {
        let mut unread = self.input.len();
        if let Some(line) = self.input.last(ended)
            && !matches!(&line, Line::Frame(frame, _) if !is_complete(frame))
        {
            self.handle_line(line);
            unread = 0;
        }
        let now = self.endpoint.core().clock().max(ended);
        self.endpoint.handle_eof(unread, now);
    }

    fn handle_line(&mut self, line: Line) {
        match line {
            Line::Frame(frame, at) => self.endpoint.handle_message(frame, at),
            Line::TooLong(head, at) => self.endpoint.core_mut().handle_too_long(&head, at),
        }
    }
}

/// Whether a last line without newline is a message or the beginning of one.
fn is_complete(frame: &[u8]) -> bool {
    crate::json::Raw::parse(frame, usize::MAX).is_ok()
}

impl<R> Deref for Connection<R> {
    type Target = Endpoint<R>;

    fn deref(&self) -> &Endpoint<R> {
        &self.endpoint
    }
}

impl<R> DerefMut for Connection<R> {
    fn deref_mut(&mut self) -> &mut Endpoint<R> {
        &mut self.endpoint
    }
}

impl<R> fmt::Debug for Connection<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("endpoint", &self.endpoint)
            .field("buffered", &self.input.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CallOptions, Limits, Timeouts};
    use crate::endpoint::DeadlineReason;
    use crate::error::{CallError, CloseReason};
    use crate::progress::{Pacing, Weight};
    use crate::revision::Revision;
    use crate::types::{CallTool, Progress};
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;
    use core::time::Duration;

    const LIMIT: usize = 1 << 20;
    /// More than any single answer takes.
    const ONE_ANSWER: usize = 4 << 10;

    /// So many requests that the engine answers by itself, about 3.5 MB with the rest of their lines.
    const REQUESTS: usize = 18_000;

    fn discover(id: usize) -> String {
        format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"server/discover\",\"params\":{{\"_meta\":\
             {{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\
             \"io.modelcontextprotocol/clientCapabilities\":{{}},\
             \"io.modelcontextprotocol/clientInfo\":{{\"name\":\"c\",\"version\":\"1\"}}}}}}}}\n"
        )
    }

    /// A server that has been sent far more than it may answer before the peer reads.
    fn flooded() -> Connection<Server> {
        // An answer of a real server: instructions of 2 KB.
        let config = ServerConfig::new("s", "1").instructions("i".repeat(2_000));
        let mut server = Connection::server(config);
        let flood: String = (0..REQUESTS).map(discover).collect();
        assert!(flood.len() > 3_500_000, "{}", flood.len());
        server.handle_input(flood.as_bytes(), Instant::ZERO);
        server
    }

    fn waiting<R: Role>(end: &mut Connection<R>) -> usize {
        let waiting = end.poll_transmit().map_or(0, <[u8]>::len);
        end.advance_transmit(0);
        waiting
    }

    /// Polls as the documentation of `Endpoint` says, until nothing is left to do. What was written.
    fn read_everything<R: Role>(
        end: &mut Connection<R>,
        events: &mut Vec<Event>,
        now: Instant,
    ) -> String {
        let mut written = Vec::new();
        loop {
            events.extend(core::iter::from_fn(|| end.poll_event()));
            while let Some(chunk) = end.poll_transmit() {
                assert!(chunk.len() <= LIMIT + ONE_ANSWER, "{}", chunk.len());
                written.extend_from_slice(chunk);
                let length = chunk.len();
                end.advance_transmit(length);
            }
            if end.poll_timeout().is_none_or(|at| at > now) {
                events.extend(core::iter::from_fn(|| end.poll_event()));
                return String::from_utf8(written).unwrap();
            }
            end.handle_timeout(now);
        }
    }

    fn ids(written: &str) -> Vec<usize> {
        let id = |line: &str| line.split_once("\"id\":")?.1.split_once(',')?.0.parse().ok();
        written.lines().map(|line| id(line).unwrap()).collect()
    }

    #[test]
    fn one_read_full_of_requests_fills_the_outbox_to_its_limit_and_no_further() {
        let mut server = flooded();
        for _ in 0..3 {
            assert_eq!(server.poll_event(), None);
            server.handle_timeout(Instant::ZERO);
            let length = waiting(&mut server);
            assert!((LIMIT..LIMIT + ONE_ANSWER).contains(&length), "{length}");
        }
        assert!(!server.wants_input());
        assert_eq!(server.deadline_reason(), Some(DeadlineReason::Stall), "nobody spins");
        let written = read_everything(&mut server, &mut Vec::new(), Instant::ZERO);
        assert_eq!(ids(&written), (0..REQUESTS).collect::<Vec<_>>(), "each once, in order");
        assert!(server.wants_input());
        assert_eq!(server.poll_timeout(), None);
    }

    #[test]
    fn what_had_arrived_before_the_transport_failed_still_counts() {
        let config = ClientConfig::new("c", "1").revisions(Revision::V2025_11_25);
        let mut client = Connection::client(config, Instant::ZERO);
        let refused = r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no"}}"#;
        client.handle_input(format!("{refused}\n").as_bytes(), Instant::ZERO);
        client.handle_transport_error(Instant::ZERO);
        let closed = client.poll_event();
        assert!(
            matches!(closed, Some(Event::Closed(CloseReason::HandshakeRefused(_)))),
            "{closed:?}"
        );
        assert_eq!(client.poll_event(), None);
    }

    #[test]
    fn the_end_of_the_input_waits_behind_what_has_no_room_yet() {
        let mut server = flooded();
        server.handle_input(discover(REQUESTS).trim_end().as_bytes(), Instant::ZERO);
        server.handle_eof(Instant::ZERO);
        assert!(waiting(&mut server) <= LIMIT + ONE_ANSWER);
        assert!(!server.is_closed() && !server.wants_input());
        let mut events = Vec::new();
        let written = read_everything(&mut server, &mut events, Instant::ZERO);
        assert_eq!(ids(&written), (0..=REQUESTS).collect::<Vec<_>>());
        assert_eq!(events, [Event::Closed(CloseReason::Eof { unread: 0 })]);
    }

    /// The machine has slept, or its caller: the peer could not yet read what is answered only now.
    #[test]
    fn what_is_read_late_is_waited_for_from_then_on() {
        let late = Instant::from(Duration::from_secs(40));
        for polls in [true, false] {
            let mut server = flooded();
            assert!(!polls || server.poll_event().is_none());
            server.handle_timeout(late);
            assert!(!server.is_closed());
            assert_eq!(server.poll_timeout(), Some(late + Duration::from_secs(30)));
        }
    }

    #[test]
    fn a_peer_that_floods_and_never_reads_is_given_up() {
        let mut server = flooded();
        assert_eq!(server.poll_event(), None);
        assert_eq!(server.poll_timeout(), Some(Instant::ZERO), "it asks what time it is");
        server.handle_timeout(Instant::ZERO);
        let due = server.poll_timeout().unwrap();
        assert_eq!(due, Instant::from(Duration::from_secs(30)));
        server.handle_timeout(due);
        assert_eq!(server.poll_event(), Some(Event::Closed(CloseReason::Stalled)));
        assert_eq!((server.poll_event(), server.poll_timeout()), (None, None));
    }

    #[test]
    fn a_peer_that_reads_a_little_and_then_nothing_is_given_up() {
        let mut server = flooded();
        assert_eq!(server.poll_event(), None);
        server.handle_timeout(Instant::ZERO);
        assert!(server.poll_transmit().is_some());
        server.advance_transmit(1);
        let due = server.poll_timeout().unwrap();
        server.handle_timeout(due);
        assert!(!server.is_closed(), "it has read something");
        let due = server.poll_timeout().unwrap();
        server.handle_timeout(due);
        assert_eq!(server.poll_event(), Some(Event::Closed(CloseReason::Stalled)));
        assert_eq!((server.poll_event(), server.poll_timeout()), (None, None));
    }

    #[test]
    fn a_full_outbox_has_a_deadline_whatever_filled_it() {
        let limits = Limits { max_outbox_len: 1, ..Limits::default() };
        let config = ClientConfig::new("c", "1").limits(limits).revisions(Revision::V2025_11_25);
        let mut client = Connection::client(config, Instant::ZERO);
        assert!(
            waiting(&mut client) > 1,
            "the handshake fills it before anybody names a time again"
        );
        let reason = |client: &Connection<Client>| client.deadline_reason();
        assert_eq!(reason(&client), Some(DeadlineReason::Stall));
        let late = Instant::from(Duration::from_secs(3));
        client.handle_timeout(late);
        assert!(!client.is_closed(), "it is given its time from now on");
        assert_eq!(client.poll_timeout(), Some(late + Duration::from_secs(30)));
    }

    /// A client with a call in flight whose server floods it, answers the call, and does not read.
    fn flooded_client() -> Connection<Client> {
        let config = ClientConfig::new("c", "1").revisions(Revision::V2025_11_25);
        let mut client = Connection::client(config, Instant::ZERO);
        let options =
            CallOptions::default().timeouts(Timeouts::NEVER.total(Duration::from_secs(1)));
        let _ticket = client.request(&CallTool::new("t"), options, Instant::ZERO).unwrap();
        client.handle_input(
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\",\
              \"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}\n",
            Instant::ZERO,
        );
        read_everything(&mut client, &mut Vec::new(), Instant::ZERO);
        let ping = |id| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}\n");
        let mut flood: String = (0..80_000).map(ping).collect();
        flood.push_str("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[]}}\n");
        client.handle_input(flood.as_bytes(), Instant::ZERO);
        assert_eq!(client.poll_event(), None);
        client.handle_timeout(Instant::ZERO);
        assert!(waiting(&mut client) <= LIMIT + ONE_ANSWER);
        client
    }

    #[test]
    fn a_peer_that_does_not_read_stops_no_deadline() {
        let mut client = flooded_client();
        let due = client.poll_timeout().unwrap();
        client.handle_timeout(due);
        let ended = client.poll_event();
        let Some(Event::Response { outcome: Err(CallError::TimedOut(_)), .. }) = ended else {
            panic!("{ended:?}")
        };
        assert!(waiting(&mut client) <= LIMIT + ONE_ANSWER);
    }

    #[test]
    fn what_was_read_before_the_transport_failed_still_counts() {
        let mut client = flooded_client();
        client.handle_transport_error(Instant::ZERO);
        let events: Vec<_> = core::iter::from_fn(|| client.poll_event()).collect();
        let [Event::Response { outcome: Ok(_), .. }, Event::Closed(CloseReason::Transport)] =
            &events[..]
        else {
            panic!("{events:?}")
        };
    }

    #[test]
    fn progress_that_waited_for_room_is_not_due_after_the_end() {
        let limits = Limits { max_outbox_len: 100, ..Limits::default() };
        let config = ServerConfig::new("s", "1").limits(limits).pacing(Pacing::UNLIMITED);
        let mut server = Connection::server(config);
        server.handle_input(
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"_meta\":{\
              \"progressToken\":1,\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\
              \"io.modelcontextprotocol/clientCapabilities\":{}}}}\n",
            Instant::ZERO,
        );
        assert!(matches!(server.poll_event(), Some(Event::Request { .. })));
        for step in 0..4 {
            let report = Progress::new(f64::from(step));
            server.report(&1.into(), report, Weight::Ordinary, Instant::ZERO).unwrap();
        }
        assert!(!server.wants_input(), "the last of them waits");
        server.handle_transport_error(Instant::ZERO);
        assert!(server.is_closed());
        assert_eq!((server.poll_timeout(), waiting(&mut server)), (None, 0));
    }

    #[test]
    fn what_held_calls_take_is_given_back_to_the_byte() {
        let limits = Limits { max_outbox_len: 10_000, ..Limits::default() };
        let config = ClientConfig::new("c", "1").limits(limits);
        let mut client = Connection::client(config, Instant::ZERO);
        let mut room = None;
        for round in 0..20 {
            let mut held = Vec::new();
            let options = CallOptions::default;
            while let Ok(ticket) = client.request(&CallTool::new("tool"), options(), Instant::ZERO)
            {
                held.push(ticket.id().clone());
            }
            assert!(held.len() > 50);
            assert_eq!(*room.get_or_insert(held.len()), held.len(), "round {round}");
            // Some from the middle, some from the ends.
            for start in [1, 0] {
                for id in held.iter().skip(start).step_by(2) {
                    client.cancel(id, None, Instant::ZERO);
                }
            }
        }
        assert_eq!(client.calls_in_flight(), 1, "the handshake");
    }

    /// Steps through the outbox for so many requests, each of which has something queued and is cancelled,
    /// while the peer reads nothing.
    fn steps_for(pairs: usize) -> usize {
        let mut server = Connection::server(ServerConfig::new("s", "1"));
        server.handle_input(
            b"{\"jsonrpc\":\"2.0\",\"id\":\"i\",\"method\":\"initialize\",\"params\":\
              {\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\
              \"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}\n\
              {\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n",
            Instant::ZERO,
        );
        for n in 0..pairs {
            let request = format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"tools/call\",\"params\":{{\"name\":\"t\",\"_meta\":{{\"progressToken\":{n}}}}}}}\n"
            );
            server.handle_input(request.as_bytes(), Instant::ZERO);
            while server.poll_event().is_some() {}
            let id = (n as i64).into();
            server.report(&id, Progress::new(1.0), Weight::Milestone, Instant::ZERO).unwrap();
            assert!(!server.is_progress_flushed(&id), "it is queued");
            let cancelled = format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{n}}}}}\n"
            );
            server.handle_input(cancelled.as_bytes(), Instant::ZERO);
            while server.poll_event().is_some() {}
            assert!(server.is_cancelled(&id));
            server.abandon(&id, Instant::ZERO);
        }
        server.endpoint.core().outbox_steps()
    }

    #[test]
    fn request_and_cancel_pairs_cost_linear_time() {
        let (few, many) = (steps_for(50), steps_for(500));
        assert!(few > 0, "each is looked at");
        assert!(many <= 10 * few, "{few} steps for 50 pairs, {many} for 500");
    }
}
