//! The machine on a byte stream: one message per line.

use core::fmt;
use core::ops::{Deref, DerefMut};

use crate::config::{ClientConfig, ServerConfig};
use crate::endpoint::Endpoint;
use crate::event::Event;
use crate::role::{Client, Role, Server};
use crate::time::Instant;
use crate::wire::{Line, LineDecoder};

/// One side of a conversation over a pair of byte streams, such as a child's stdin and stdout.
///
/// An [`Endpoint`] plus line framing: it dereferences to its endpoint for the commands (`request`,
/// `respond`, `report`, …). Follows `basic/transports/stdio`.
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
    lines: LineDecoder,
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
        let lines = LineDecoder::new(core.limits().max_message_len, core.tolerance());
        Self { endpoint, lines }
    }

    /// So many bytes were read. They are kept; [`poll_event`](Self::poll_event) decodes them.
    pub fn handle_input(&mut self, input: &[u8], now: Instant) {
        if !self.endpoint.is_closed() {
            self.lines.handle_input(input, now);
            self.endpoint.core_mut().observe(now);
        }
    }

    /// The input has ended. What had arrived is decoded first, a last line without newline included.
    pub fn handle_eof(&mut self, now: Instant) {
        self.decode_all();
        let unread = self.lines.len();
        match self.lines.last_line(now) {
            Some(line) => {
                let torn = matches!(&line, Line::Frame(frame, _) if !is_complete(frame));
                if torn {
                    return self.endpoint.handle_eof(unread, now);
                }
                self.handle_line(line);
                self.endpoint.handle_eof(0, now);
            }
            None => self.endpoint.handle_eof(unread, now),
        }
    }

    /// Time has passed. What had arrived is decoded first: it came before the deadline.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.decode_all();
        self.endpoint.handle_timeout(now);
    }

    /// What happened, in order. Decodes at most what it needs.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.endpoint.poll_event() {
                return Some(event);
            }
            if self.endpoint.is_closed() {
                return None;
            }
            let line = self.lines.next_line()?;
            self.handle_line(line);
        }
    }

    /// Bytes to be written, newlines included. Tell [`advance_transmit`](Self::advance_transmit) how
    /// many were.
    pub fn poll_transmit(&mut self) -> Option<&[u8]> {
        self.endpoint.core_mut().poll_chunk()
    }

    /// As [`poll_transmit`](Self::poll_transmit), of `max` bytes at most, for a caller that shares the
    /// connection and lets go of it while it writes: until it calls
    /// [`advance_transmit`](Self::advance_transmit), with 0 if nothing was written, no message among them is
    /// taken back.
    pub fn lend_transmit(&mut self, max: usize) -> Option<&[u8]> {
        self.endpoint.core_mut().lend_chunk(max)
    }

    /// So many bytes of [`poll_transmit`](Self::poll_transmit) were written.
    pub fn advance_transmit(&mut self, written: usize) {
        self.endpoint.core_mut().advance(written);
    }

    /// Whether more input makes sense: not while enough is buffered or too much output waits.
    pub fn wants_input(&self) -> bool {
        self.endpoint.wants_input()
            && self.lines.len() <= self.endpoint.core().limits().max_message_len
    }

    fn decode_all(&mut self) {
        while let Some(line) = self.lines.next_line() {
            self.handle_line(line);
        }
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
            .field("buffered", &self.lines.len())
            .finish()
    }
}
