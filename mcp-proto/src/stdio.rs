//! The machine on a transport: a byte stream with one message per line, or one that keeps messages apart.

#[cfg(feature = "snapshot")]
mod snapshot;
#[cfg(test)]
mod tests;

use core::fmt;
use core::ops::Deref;

use bytes::Bytes;

use crate::config::{ClientConfig, ServerConfig};
use crate::endpoint::{Endpoint, commands};
use crate::error::SendError;
use crate::event::Event;
use crate::id::RequestId;
use crate::role::{Client, Role, Server};
use crate::time::Instant;
use crate::types::LogMessage;
use crate::wire::{Framing, Input, Line};

#[cfg(feature = "snapshot")]
pub use snapshot::ConnectionSnapshot;

/// One side of a conversation over a pair of byte streams, such as a child's stdin and stdout.
///
/// An [`Endpoint`] plus line framing. It has the commands of its endpoint (`request`, `respond`, `report`, …), and
/// dereferences to it to look at the rest. Follows `basic/transports/stdio`.
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
    source: Source,
    /// A session is opened: its client has still to say that it begins, of which nobody is told.
    is_opening: bool,
}

/// Where the input comes from. Its end is told to the endpoint behind what came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    /// More may come.
    Open,
    /// It ended then, behind what is not decoded yet.
    Ended(Instant),
    /// The transport failed then, behind what is not decoded yet; it may have ended before.
    Failed { at: Instant, ended: Option<Instant> },
    /// It is over, and the endpoint knows.
    Over,
}

impl Source {
    fn has_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// When it ended, if the endpoint is still to be told.
    fn ended(&self) -> Option<Instant> {
        match *self {
            Self::Ended(at) => Some(at),
            Self::Failed { ended, .. } => ended,
            Self::Open | Self::Over => None,
        }
    }

    /// The same, to tell the endpoint.
    fn take_end(&mut self) -> Option<Instant> {
        match self {
            Self::Ended(at) => {
                let at = *at;
                *self = Self::Over;
                Some(at)
            }
            Self::Failed { ended, .. } => ended.take(),
            Self::Open | Self::Over => None,
        }
    }

    /// The transport fails. What is known of that already stays.
    fn fail(&mut self, now: Instant) {
        if !self.has_failed() {
            *self = Self::Failed { at: now, ended: self.ended() };
        }
    }

    /// When the transport failed, to tell the endpoint.
    fn take_failure(&mut self) -> Option<Instant> {
        let Self::Failed { at, .. } = *self else { return None };
        *self = Self::Over;
        Some(at)
    }
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

    /// Sends a log message, for a request of the client or for none: see [`Endpoint::log`].
    ///
    /// # Errors
    ///
    /// See [`Endpoint::log`].
    pub fn log(
        &mut self,
        request: Option<&RequestId>,
        message: &LogMessage,
    ) -> Result<bool, SendError> {
        self.endpoint.log(request, message)
    }
}

impl<R: Role> Connection<R> {
    fn new(endpoint: Endpoint<R>) -> Self {
        let core = endpoint.core();
        let input = Input::new(Framing::Lines, core.limits(), core.tolerance());
        Self { endpoint, input, source: Source::Open, is_opening: false }
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
    /// [`poll_event`](Self::poll_event) decodes them. What is told behind the end of the input, or once the transport has
    /// failed, is passed over.
    pub fn handle_input(&mut self, input: &[u8], now: Instant) {
        if self.takes_input() {
            self.input.push(input, now);
            self.endpoint.core_mut().observe(now);
        }
    }

    /// As [`handle_input`](Self::handle_input), of bytes that need not be copied: events hold slices of a
    /// message.
    pub fn handle_input_owned(&mut self, input: Bytes, now: Instant) {
        if self.takes_input() {
            self.input.push_owned(input, now);
            self.endpoint.core_mut().observe(now);
        }
    }

    fn takes_input(&self) -> bool {
        self.source == Source::Open && !self.endpoint.is_closed()
    }

    /// The input has ended, once. What had arrived is decoded first, a last line without newline included; what
    /// has to wait for room in the outbox still comes before the end.
    pub fn handle_eof(&mut self, now: Instant) {
        if self.takes_input() {
            self.source = Source::Ended(now);
        }
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
        self.source.fail(now);
        self.decode_all();
    }

    /// What happened, in order. Decodes at most what it needs, and nothing while the outbox is above its
    /// limit: whatever the peer sends, what it provokes is bounded. Poll again once some of it is written.
    pub fn poll_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.endpoint.poll_event() {
                if matches!(event, Event::Ready(_)) {
                    // Many connections idle from now on, and what comes is longer or shorter than what was.
                    self.input.give_back();
                    self.is_opening = self.endpoint.core().is_opened();
                }
                return Some(event);
            }
            if !self.decode_next() {
                if self.is_opening && self.input.give_back() {
                    self.is_opening = false;
                }
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
            && self.source == Source::Open
            && self.input.has_room(self.endpoint.core().limits().max_message_len)
    }

    commands!(R);

    /// The endpoint itself, past what is not decoded yet.
    #[cfg(any(feature = "driver", test))]
    pub(crate) fn endpoint_mut(&mut self) -> &mut Endpoint<R> {
        &mut self.endpoint
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
            && (core.has_room() || self.source.has_failed())
            && (self.input.has_message() || self.source.ended().is_some())
    }

    /// Decodes one line, or an end behind the last. Whether there was one, and room for its answer.
    #[inline]
    fn decode_next(&mut self) -> bool {
        let decoded = !self.endpoint.is_closed() && self.decode_input();
        if self.source.has_failed() {
            return self.decode_failed(decoded);
        }
        decoded
    }

    #[inline]
    fn decode_input(&mut self) -> bool {
        if !self.endpoint.core_mut().admits_input() && !self.source.has_failed() {
            return self.hold_input();
        }
        if let Some(line) = self.input.next() {
            self.handle_line(line);
            return true;
        }
        if let Some(ended) = self.source.take_end() {
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
        } else if let Some(failed) = self.source.take_failure() {
            self.endpoint.handle_transport_error(failed);
        }
        true
    }

    #[cold]
    fn hold_input(&mut self) -> bool {
        if self.input.len() > 0 || self.source.ended().is_some() {
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

impl<R> fmt::Debug for Connection<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("endpoint", &self.endpoint)
            .field("buffered", &self.input.len())
            .finish()
    }
}
