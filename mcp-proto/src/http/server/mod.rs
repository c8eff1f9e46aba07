//! The server's side: exchanges, the conversations behind them, and what goes out on each.

mod admission;
mod conversation;
mod conversations;
#[cfg(feature = "testing")]
mod digest;
mod exchange;
mod headers;
mod hub;
#[cfg(feature = "driver")]
mod loan;
mod memory;
mod options;
mod post;
mod replay;
mod room;
mod session;
mod sessions;
#[cfg(feature = "snapshot")]
mod snapshot;
mod status;
mod stream;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::mem;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};

use self::conversations::Conversations;
use self::exchange::{Source, Timer};
use self::hub::Hub;
#[cfg(feature = "driver")]
pub(crate) use self::loan::Loan;
use self::replay::StreamName as Name;
use self::status::{empty, not_allowed, stream_head};
use self::stream::{Form, Taken};
use super::Exchange;
use crate::config::ServerConfig;
use crate::endpoint::Endpoint;
use crate::era::Served;
use crate::event::Event;
use crate::id::RequestId;
use crate::role;
use crate::time::Instant;

pub use admission::Admission;
pub use options::ServerOptions;
pub use replay::{Replay, Ring, StreamName};
#[cfg(feature = "snapshot")]
pub use snapshot::SessionSnapshot;

/// One conversation of a server: a session in the legacy revisions, one exchange in the modern one. Names are never
/// used twice by one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(pub(crate) u64);

/// Who sends a request, in the words of whoever authenticated it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Caller {
    /// Whose request it is, such as the subject of a token. A session is served only to who opened it: its id is no
    /// proof. Default: nobody in particular.
    pub principal: Option<Bytes>,
    /// Random bytes that nobody can guess, new for each request, where
    /// [`Admission::wants_seed`] asks for them. Without them no session is opened.
    pub seed: Option<[u8; 24]>,
}

impl Caller {
    /// Sets whose request it is.
    #[must_use]
    pub fn principal(mut self, principal: impl Into<Bytes>) -> Self {
        self.principal = Some(principal.into());
        self
    }

    /// Sets random bytes that nobody can guess.
    #[must_use]
    pub fn seed(mut self, seed: [u8; 24]) -> Self {
        self.seed = Some(seed);
        self
    }
}

/// What goes out next of the body of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // whoever sends a body must know all of them
pub enum Body {
    /// Some bytes.
    Chunk(Bytes),
    /// It is complete. The exchange is gone.
    End,
    /// It breaks off here: the client did not read. Cut the connection; the exchange is gone.
    Broken,
}

/// Any number of clients on HTTP, without a socket: requests in, responses out, and an [`Endpoint`] for each
/// conversation. Streamable HTTP of every revision on one address; HTTP+SSE if wanted.
///
/// The caller reads requests and writes responses. For each request: [`handle_head`](Self::handle_head), then read the
/// body, then [`handle_request`](Self::handle_request). For each exchange: [`poll_head`](Self::poll_head), then
/// [`poll_body`](Self::poll_body) whenever the client has room, until it says that it is over;
/// [`poll_ready`](Self::poll_ready) names those that had nothing and have something now. If the client hangs up:
/// [`handle_disconnect`](Self::handle_disconnect). Before sleeping drain `poll_event` and `poll_ready`, then look at
/// `poll_timeout`. These may be called in any order; nothing is lost by polling late.
///
/// ```
/// use bytes::Bytes;
/// use mcp_proto::http::{Body, Caller, Server, ServerOptions};
/// use mcp_proto::{CallToolResult, Event, Instant, ServerConfig};
///
/// let now = Instant::ZERO;
/// let mut server = Server::new(ServerConfig::new("images", "1.0"), ServerOptions::default());
/// let (head, body) = http::Request::post("/mcp")
///     .header("host", "localhost")
///     .header("content-type", "application/json")
///     .header("mcp-protocol-version", "2026-07-28")
///     .header("mcp-method", "tools/call")
///     .header("mcp-name", "resize")
///     .body(Bytes::from_static(
///         br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"resize","_meta":{
///             "io.modelcontextprotocol/protocolVersion":"2026-07-28",
///             "io.modelcontextprotocol/clientCapabilities":{}}}}"#,
///     ))?
///     .into_parts();
/// let admission = server.handle_head(&head).expect("it may come in");
/// assert!(body.len() <= admission.max_body);
/// let request = http::Request::from_parts(head, body);
/// let exchange = server.handle_request(admission, request, Caller::default(), now).expect("there is room");
///
/// while let Some((scope, event)) = server.poll_event() {
///     if let Event::Request { id, .. } = event {
///         let endpoint = server.endpoint_mut(scope).expect("it waits for its answer");
///         endpoint.respond(&id, &CallToolResult::text("done"), now)?;
///     }
/// }
/// assert_eq!(server.poll_ready(), Some(exchange));
/// assert_eq!(server.poll_head(exchange).expect("it is answered").status(), 200);
/// assert!(matches!(server.poll_body(exchange), Some(Body::Chunk(_))));
/// assert_eq!(server.poll_body(exchange), Some(Body::End));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Server {
    hub: Hub,
    conversations: Conversations,
    /// Those whose endpoints were lent out.
    touched: Vec<Scope>,
}

/// What an address with sessions serves.
const SESSION_METHODS: &str = "GET, POST, DELETE";

impl Server {
    /// A server that waits for requests. What was sent on streams is kept in memory, see [`Ring`].
    pub fn new(config: ServerConfig, options: ServerOptions) -> Self {
        Self::with_replay(config, options, Box::new(Ring::default()))
    }

    /// As [`new`](Self::new), and what was sent is kept elsewhere.
    pub fn with_replay(
        config: ServerConfig,
        options: ServerOptions,
        replay: Box<dyn Replay>,
    ) -> Self {
        let served = Arc::new(Served::new(config));
        Self {
            hub: Hub::new(served, options, replay),
            conversations: Conversations::default(),
            touched: Vec::new(),
        }
    }

    // It happened.

    /// A request was read. It has a response, whatever it is: poll it under this name.
    ///
    /// # Errors
    ///
    /// The response, if there is no room for the request any more: others have come in since its head was read.
    #[allow(clippy::result_large_err)] // a response goes out as it is
    pub fn handle_request(
        &mut self,
        admission: Admission,
        request: Request<Bytes>,
        caller: Caller,
        now: Instant,
    ) -> Result<Exchange, Response<Bytes>> {
        let (head, body) = request.into_parts();
        self.handle_parts(&admission, &head, body, caller, now)
    }

    /// The same of a request in its parts.
    #[allow(clippy::result_large_err)] // a response goes out as it is
    pub(crate) fn handle_parts(
        &mut self,
        admission: &Admission,
        head: &Parts,
        body: Bytes,
        caller: Caller,
        now: Instant,
    ) -> Result<Exchange, Response<Bytes>> {
        self.observe(now);
        let room = self.room_for(head).map_err(|why| self.turned_back(admission, &body, why))?;
        Ok(match head.method {
            Method::POST => self.post(admission, head, body, caller, room),
            Method::GET => self.get(admission, head, caller),
            Method::DELETE => self.delete(head, &caller),
            _ => self.reply(not_allowed(SESSION_METHODS)),
        })
    }

    /// The client hung up before its response was complete. In the modern era its request is cancelled; in a session
    /// it goes on, and its stream may be taken up again.
    pub fn handle_disconnect(&mut self, exchange: Exchange, now: Instant) {
        self.observe(now);
        if let Some(entry) = self.hub.exchanges.close(exchange, &mut self.hub.timers)
            && let Source::Stream(scope, name) = entry.source
        {
            self.leave(scope, name, exchange);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.observe(now);
        let due: Vec<_> = core::iter::from_fn(|| self.hub.timers.pop(now)).collect();
        for timer in due {
            match timer {
                Timer::Scope(scope) => {
                    if let Some(conversation) = self.conversations.get_mut(scope) {
                        conversation.handle_timeout(now, &mut self.hub);
                    }
                }
                Timer::Exchange(exchange) => self.expire(exchange),
            }
        }
        while let Some((at, scope)) = self.hub.sessions.next_idle()
            && at <= now
        {
            self.end(scope);
        }
        self.purge();
    }

    /// Ends everything: requests count as cancelled, and every response ends.
    pub fn close(&mut self, now: Instant) {
        self.drain(now);
        for scope in self.scopes() {
            self.end(scope);
        }
        self.purge();
    }

    /// Takes nothing new: requests are refused, and what never ends by itself ends now: streams that belong to no
    /// request, subscriptions (with their result; the application sees them cancelled), and HTTP+SSE once nothing runs
    /// in it. What is under way is finished, and what its client sends for that still comes in.
    pub fn drain(&mut self, now: Instant) {
        self.observe(now);
        self.hub.is_draining = true;
        for scope in self.scopes() {
            let Some(conversation) = self.conversations.get_mut(scope) else { continue };
            conversation.drain(&mut self.hub);
        }
        self.purge();
    }

    // I want this.

    /// The endpoint of a conversation: answer, report, call. What it says is sorted into its exchanges by the next
    /// poll. `None` once the conversation is over.
    ///
    /// Its `handle_…` and `poll_…` are for the server alone: a message that is polled here reaches no exchange, and its client
    /// waits for it.
    pub fn endpoint_mut(&mut self, scope: Scope) -> Option<&mut Endpoint<role::Server>> {
        if self.touched.iter().any(|touched| *touched != scope) {
            // What others have said counts before it says more.
            self.settle();
        }
        let room = self.hub.room();
        let conversation = self.conversations.get_mut(scope)?;
        conversation.endpoint.core_mut().set_max_output_len(room);
        if !mem::replace(&mut conversation.is_touched, true) {
            self.touched.push(scope);
        }
        Some(&mut conversation.endpoint)
    }

    /// Ends the response of a request that goes on: its client comes back for the rest after a while, so that no
    /// connection need stay open. Whether that can be: in 2025-11-25, on a stream that can be taken up again.
    pub fn close_stream(&mut self, scope: Scope, request: &RequestId, now: Instant) -> bool {
        self.observe(now);
        let Some(conversation) = self.conversations.get_mut(scope) else { return false };
        conversation.part(request, &mut self.hub)
    }

    // Do this.

    /// What happened, and in which conversation. A session ends with [`Event::Closed`]; a modern exchange ends with its
    /// answer, or when its cancelled request is let go.
    pub fn poll_event(&mut self) -> Option<(Scope, Event)> {
        self.settle();
        loop {
            let scope = self.hub.active.pop_front()?;
            let Some(conversation) = self.conversations.get_mut(scope) else { continue };
            // Others have their turn before it has the next.
            let event = conversation.take_event(&mut self.hub);
            self.purge();
            if let Some(event) = event {
                return Some((scope, event));
            }
        }
    }

    /// An exchange that had nothing to give when it was polled last, or was never polled, and has something now.
    pub fn poll_ready(&mut self) -> Option<Exchange> {
        self.settle();
        let (exchange, is_whole) = self.hub.exchanges.poll_ready()?;
        // A response that is here whole is mostly taken before anybody looks, and then needs no timer.
        if is_whole {
            self.hub.arm(exchange);
        }
        Some(exchange)
    }

    /// The head of a response, once, as soon as it is known.
    pub fn poll_head(&mut self, exchange: Exchange) -> Option<Response<()>> {
        self.settle();
        let entry = self.hub.exchanges.get_mut(exchange)?;
        if entry.is_begun {
            return None;
        }
        let head = match &mut entry.source {
            Source::Whole(response) => {
                let mut head = Response::new(());
                *head.status_mut() = response.status();
                *head.headers_mut() = mem::take(response.headers_mut());
                Some(head)
            }
            Source::Stream(scope, name) => {
                let conversation = self.conversations.get_mut(*scope);
                match conversation.and_then(|it| it.find(*name)).map(|stream| stream.form) {
                    Some(Form::Undecided) => None,
                    Some(Form::Nothing) => Some(empty(StatusCode::ACCEPTED).map(drop)),
                    Some(Form::Json(status)) => Some(status::json_head(status)),
                    Some(Form::Events) => Some(stream_head()),
                    // Another exchange took its stream over, and that is over by now.
                    None => Some(empty(StatusCode::NOT_FOUND).map(drop)),
                }
            }
        };
        match head {
            Some(_) => entry.is_begun = true,
            None => self.hub.exchanges.starve(exchange),
        }
        head
    }

    /// The next piece of the body of a response; `None` if there is nothing yet. Ask when the client has room, and no
    /// earlier: what is not taken waits here, where reports of one request merge.
    pub fn poll_body(&mut self, exchange: Exchange) -> Option<Body> {
        self.settle();
        let entry = self.hub.exchanges.get_mut(exchange)?;
        if entry.is_broken {
            self.hub.exchanges.close(exchange, &mut self.hub.timers);
            return Some(Body::Broken);
        }
        entry.taken_at = self.hub.clock;
        entry.waits_since = entry.waits_since.map(|_| self.hub.clock);
        let Source::Stream(scope, name) = entry.source else {
            let body = self.hub.exchanges.take_whole(exchange);
            if body.is_none() {
                self.hub.exchanges.close(exchange, &mut self.hub.timers);
            }
            return Some(body.map_or(Body::End, Body::Chunk));
        };
        let taken = match self.conversations.get_mut(scope) {
            Some(conversation) if conversation.reader(name) == Some(exchange) => {
                conversation.take(name, &mut self.hub)
            }
            _ => Taken::End,
        };
        self.purge();
        match taken {
            Taken::Some(chunk) => Some(Body::Chunk(chunk)),
            Taken::Wait => {
                self.hub.exchanges.starve(exchange);
                None
            }
            Taken::End => {
                self.hub.exchanges.close(exchange, &mut self.hub.timers);
                Some(Body::End)
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next, if nothing else happens.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        self.settle();
        let idle = self.hub.sessions.next_idle().map(|(at, _)| at);
        self.hub.timers.next().into_iter().chain(idle).min()
    }

    // Look.

    /// The endpoint of a conversation. `None` once the conversation is over.
    pub fn endpoint(&self, scope: Scope) -> Option<&Endpoint<role::Server>> {
        self.conversations.get(scope).map(|conversation| &conversation.endpoint)
    }

    /// Requests that wait for the rest of their response.
    pub fn exchanges(&self) -> usize {
        self.hub.exchanges.len()
    }

    /// Sessions of the legacy revisions.
    pub fn sessions(&self) -> usize {
        self.hub.sessions.len()
    }

    /// Requests of all clients that wait for an answer, cancelled ones included until they are let go.
    pub fn requests_in_flight(&self) -> usize {
        let all = self.conversations.iter();
        all.map(|conversation| conversation.endpoint.requests_in_flight()).sum()
    }

    /// Whether it takes nothing new, and nothing is under way.
    pub fn is_closed(&self) -> bool {
        self.hub.is_draining
            && self.hub.exchanges.len() == 0
            && self.requests_in_flight() == 0
            && self.hub.active.is_empty()
    }

    // Shared with the rest of the folder.

    /// Whether [`poll_event`](Self::poll_event) may have one.
    #[cfg(feature = "driver")]
    pub(crate) fn has_event(&mut self) -> bool {
        self.settle();
        !self.hub.active.is_empty()
    }

    /// Whether a response that is no stream was taken whole. Its exchange is gone then; a stream says its end with its body.
    #[cfg(feature = "driver")]
    pub(crate) fn poll_end(&mut self, exchange: Exchange) -> bool {
        let is_taken = match self.hub.exchanges.get(exchange).map(|entry| &entry.source) {
            Some(Source::Whole(response)) => response.body().is_none(),
            Some(Source::Stream(scope, name)) => self
                .conversations
                .get_mut(*scope)
                .and_then(|conversation| conversation.find(*name))
                .is_some_and(|stream| matches!(stream.form, Form::Json(_)) && stream.len() == 0),
            None => false,
        };
        is_taken && self.poll_body(exchange) == Some(Body::End)
    }

    /// So many bytes of a response are handed out, and count as waiting until they have left.
    #[cfg(feature = "driver")]
    pub(crate) fn lend(&self, len: usize) -> Option<Loan> {
        self.hub.lent.lend(len)
    }

    /// The conversation that an exchange takes part in.
    #[cfg(feature = "driver")]
    pub(crate) fn scope_of(&self, exchange: Exchange) -> Option<Scope> {
        match self.hub.exchanges.get(exchange)?.source {
            Source::Stream(scope, _) => Some(scope),
            Source::Whole(_) => None,
        }
    }

    /// Sorts what endpoints that were lent out have to say.
    pub(crate) fn settle(&mut self) {
        while let Some(scope) = self.touched.pop() {
            if let Some(conversation) = self.conversations.get_mut(scope)
                && conversation.is_touched
            {
                conversation.settle(&mut self.hub);
            }
        }
        self.purge();
    }

    /// What time it is.
    pub(crate) fn observe(&mut self, now: Instant) {
        self.settle();
        self.hub.clock = self.hub.clock.max(now);
    }

    /// Forgets what is over.
    fn purge(&mut self) {
        while let Some(scope) = self.hub.finished.pop() {
            self.conversations.remove(scope, |conversation| conversation.discard(&mut self.hub));
        }
    }

    /// Answers a request at once.
    fn reply(&mut self, response: Response<Bytes>) -> Exchange {
        self.hub.exchanges.open(Source::Whole(response.map(Some)), self.hub.clock)
    }

    /// Sessions of the legacy revisions.
    #[cfg(feature = "driver")]
    pub(crate) fn sessions_open(&self) -> Vec<Scope> {
        self.hub.sessions.by_handle.values().copied().collect()
    }

    fn scopes(&self) -> Vec<Scope> {
        self.conversations.iter().map(|conversation| conversation.scope).collect()
    }

    fn leave(&mut self, scope: Scope, name: Name, exchange: Exchange) {
        if let Some(conversation) = self.conversations.get_mut(scope)
            && conversation.reader(name) == Some(exchange)
        {
            conversation.leave(name, &mut self.hub);
        }
        self.purge();
    }

    /// Ends a conversation.
    fn end(&mut self, scope: Scope) {
        if let Some(conversation) = self.conversations.get_mut(scope) {
            conversation.close(&mut self.hub);
        }
    }

    /// The timer of an exchange is due: its stream is silent, or its reader stands still.
    fn expire(&mut self, exchange: Exchange) {
        let (now, options) = (self.hub.clock, self.hub.options.clone());
        let Some(entry) = self.hub.exchanges.get_mut(exchange) else { return };
        entry.armed = None;
        if entry.waits_since.is_some_and(|since| since + options.stall_timeout <= now) {
            if let Some(Source::Stream(scope, name)) = self.hub.exchanges.break_off(exchange) {
                self.leave(scope, name, exchange);
            }
            return self.hub.exchanges.signal(exchange, now);
        }
        if entry.primes_at.is_some_and(|at| at <= now)
            && let Source::Stream(scope, name) = entry.source
        {
            entry.primes_at = None;
            if let Some(conversation) = self.conversations.get_mut(scope) {
                conversation.prime(name, &mut self.hub);
            }
            return self.hub.arm(exchange);
        }
        if options.keep_alive.is_some_and(|after| entry.taken_at + after <= now)
            && let Source::Stream(scope, name) = entry.source
        {
            entry.taken_at = now;
            if let Some(conversation) = self.conversations.get_mut(scope) {
                conversation.keep_alive(name, &mut self.hub);
            }
        }
        self.hub.arm(exchange);
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("exchanges", &self.exchanges())
            .field("sessions", &self.sessions())
            .field("requests_in_flight", &self.requests_in_flight())
            .finish_non_exhaustive()
    }
}
