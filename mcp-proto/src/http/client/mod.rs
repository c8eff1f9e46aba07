//! The client's side of HTTP, without sockets: Streamable HTTP in all its revisions, and HTTP+SSE.

mod address;
mod channel;
mod closing;
#[cfg(feature = "testing")]
mod digest;
mod doubt;
mod exchange;
mod lanes;
mod memory;
mod options;
mod position;
mod reading;
mod refreshing;
mod requests;
mod resuming;
mod sending;
mod spread;
mod stalled;
mod tools;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::sync::Arc;
use core::fmt;
use core::ops::Deref;

use bytes::Bytes;
use http::{Request, Uri, response};

use self::channel::Mode;
use self::exchange::{Aim, End, Entry, State};
use self::lanes::Lanes;
pub use self::options::ClientOptions;
use self::refreshing::Refresh;
use self::requests::Session;
use self::sending::Parked;
use self::spread::Spread;
use self::stalled::Stalled;
use self::tools::Tools;
use super::Exchange;
use crate::config::ClientConfig;
use crate::endpoint::{Endpoint, commands};
use crate::error::CallError;
use crate::event::Event;
use crate::id::RequestId;
use crate::revision::{Era, Revision};
use crate::role;
use crate::time::Instant;

/// A client that speaks to one server over HTTP.
///
/// It opens exchanges and aborts them ([`poll_transmit`](Self::poll_transmit)), and is told what comes back:
/// `handle_head`, `handle_body` as often as there is some, `handle_end`; or at any time `handle_failure`. What is
/// told of an exchange that it no longer knows is ignored. Redirects, TLS, connections and credentials belong to
/// the caller's HTTP library, which must not decompress by itself.
///
/// It has the commands of its [`Endpoint`] (`request`, `cancel`, `respond`, `close`, …), and dereferences to it to look
/// at the rest. As everywhere: after each input drain `poll_event`, then `poll_transmit`, then look at `poll_timeout`. After
/// `close` go on until [`is_finished`](Self::is_finished), so that the server hears of it.
///
/// ```
/// use mcp_proto::http::{Client, ClientOptions, Transmit};
/// use mcp_proto::{CallOptions, CallTool, ClientConfig, Event, Instant, Revision};
///
/// let now = Instant::ZERO;
/// let config = ClientConfig::new("example", "1.0").revisions(Revision::V2026_07_28);
/// let mut client = Client::new(config, "http://localhost/mcp".parse()?, ClientOptions::default(), now);
/// client.request(&CallTool::new("resize"), CallOptions::default(), now)?;
///
/// let Some(Transmit::Open { exchange, request }) = client.poll_transmit() else { panic!() };
/// assert_eq!(request.headers()["mcp-method"], "server/discover");
/// // A real caller sends it, and tells what came back.
/// let (head, ()) = http::Response::builder().header("content-type", "application/json").body(())?.into_parts();
/// client.handle_head(exchange, &head, now);
/// client.handle_body(
///     exchange,
///     br#"{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"capabilities":{}}}"#,
///     now,
/// );
/// client.handle_end(exchange, now);
/// assert!(matches!(client.poll_event(), Some(Event::Ready(peer)) if peer.revision == Revision::V2026_07_28));
/// let Some(Transmit::Open { request, .. }) = client.poll_transmit() else { panic!() };
/// assert_eq!(request.headers()["mcp-name"], "resize");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Client {
    endpoint: Endpoint<role::Client>,
    options: Arc<ClientOptions>,
    uri: Uri,
    mode: Mode,
    /// Whether a server of the first revision may be spoken to.
    speaks_first: bool,
    session: Session,
    /// The first message of the session has been written.
    is_initialized: bool,
    /// The stream for what belongs to no call has been open in this session.
    has_listened: bool,
    /// The call that opens the conversation.
    opening: Option<i64>,
    /// Sessions in a row that were lost, and eras that were doubted, before they were of use.
    lost: u32,
    is_closing: bool,
    tools: Tools,
    refresh: Refresh,
    exchanges: BTreeMap<Exchange, Entry>,
    /// Those of them that stand as long as the session and take no place: the stream for what belongs to no call, and that of
    /// HTTP+SSE.
    standing: usize,
    /// Calls for which there was no place, or that must not overtake what was announced before them.
    parked: BTreeMap<i64, Parked>,
    /// Where the answer of each call is expected.
    calls: BTreeMap<i64, Exchange>,
    /// Calls that ask for the list of tools, and whether for its beginning.
    listings: BTreeMap<i64, bool>,
    timers: BTreeSet<(Instant, Exchange)>,
    /// Exchanges with something to be read.
    readable: VecDeque<Exchange>,
    stalled: Stalled,
    /// Bytes of all bodies.
    buffered: usize,
    lanes: Lanes,
    outgoing: VecDeque<Transmit>,
    events: VecDeque<Event>,
    /// A call ended when it was to be sent, which is told at once: callers need not look for events behind what they send.
    has_news: bool,
    last: u64,
    /// What makes times to wait differ from those of other clients.
    spread: Option<Spread>,
}

/// What the caller is to do.
#[derive(Clone, Debug)]
#[allow(clippy::exhaustive_enums, clippy::large_enum_variant)] // there is nothing else; it is moved once
pub enum Transmit {
    /// Send this request, and tell what comes back under this name.
    Open {
        /// Its name.
        exchange: Exchange,
        /// Absolute, with all headers but `Host` and `Content-Length`.
        request: Request<Bytes>,
    },
    /// Close this exchange. Nothing need be told of it any more.
    Abort(Exchange),
}

impl Client {
    /// A client of the server at `uri`, which must be absolute. It begins to speak at once: the deadline of its
    /// handshake starts at `now`.
    pub fn new(config: ClientConfig, uri: Uri, mut options: ClientOptions, now: Instant) -> Self {
        options.headers = requests::permitted(options.headers);
        let spread = options.spread.map(Spread::new);
        let speaks_first = config.revisions.contains(Revision::V2024_11_05);
        let speaks_more = config.revisions.newest(Era::Modern).is_some()
            || config.revisions.newest(Era::Legacy) > Some(Revision::V2024_11_05);
        let mut client = Self {
            endpoint: Endpoint::client(config, now),
            options: Arc::new(options),
            uri,
            mode: Mode::Streamable,
            speaks_first,
            session: Session::default(),
            is_initialized: false,
            has_listened: false,
            opening: None,
            lost: 0,
            is_closing: false,
            tools: Tools::default(),
            refresh: Refresh::default(),
            exchanges: BTreeMap::new(),
            standing: 0,
            parked: BTreeMap::new(),
            calls: BTreeMap::new(),
            listings: BTreeMap::new(),
            timers: BTreeSet::new(),
            readable: VecDeque::new(),
            stalled: Stalled::default(),
            buffered: 0,
            lanes: Lanes::default(),
            outgoing: VecDeque::new(),
            events: VecDeque::new(),
            has_news: false,
            last: 0,
            spread,
        };
        if speaks_first && !speaks_more {
            client.connect(None);
        }
        client
    }

    // It happened.

    /// The head of an answer has come.
    pub fn handle_head(&mut self, exchange: Exchange, head: &response::Parts, now: Instant) {
        self.endpoint.core_mut().observe(now);
        self.read_head(exchange, head, now);
        self.read_all();
        self.settle();
    }

    /// Some of the body of an answer has come.
    pub fn handle_body(&mut self, exchange: Exchange, chunk: &[u8], now: Instant) {
        self.endpoint.core_mut().observe(now);
        self.read_chunk(exchange, chunk, now);
        self.read_all();
        self.settle();
    }

    /// An answer is complete.
    pub fn handle_end(&mut self, exchange: Exchange, now: Instant) {
        self.end(exchange, End::Complete, now);
    }

    /// An exchange has failed: the server was not reached, or the connection broke. At any time, once.
    pub fn handle_failure(&mut self, exchange: Exchange, now: Instant) {
        self.end(exchange, End::Broken, now);
    }

    fn end(&mut self, exchange: Exchange, end: End, now: Instant) {
        self.endpoint.core_mut().observe(now);
        if let Some(entry) = self.exchanges.get_mut(&exchange)
            && !matches!(entry.state, State::Waiting)
        {
            entry.ended.get_or_insert((end, now));
            self.readable.push_back(exchange);
        }
        self.read_all();
        self.settle();
    }

    /// Time has passed. What had arrived is read first: it came before the deadline.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.core_mut().observe(now);
        self.read_stalled();
        while let Some((at, exchange)) = self.timers.first().copied()
            && at <= now
        {
            self.timers.pop_first();
            self.expire(exchange, now);
        }
        // What waits until events are taken came before the deadlines too.
        if self.readable.is_empty() || !self.endpoint.core().is_crowded() {
            self.endpoint.handle_timeout(now);
        }
        self.settle();
    }

    // I want this.

    commands!(role::Client);

    // Do this.

    /// What happened, in order.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.has_news = false;
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if let Some(event) = self.endpoint.poll_event() {
                self.translate(event);
            } else if self.read_next() {
                self.settle();
            } else {
                return None;
            }
        }
    }

    /// An exchange to be opened or closed.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        loop {
            self.settle();
            if let Some(transmit) = self.outgoing.pop_front() {
                return Some(transmit);
            }
            if self.send_parked() {
                continue;
            }
            if !self.may_send() {
                if self.make_room() {
                    continue;
                }
                return None;
            }
            match self.endpoint.poll_transmit() {
                Some(message) => self.send(message.route, message.message),
                None if self.is_closing && self.say_goodbye() => {}
                None => return None,
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next, if nothing else happens.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = self.timers.first().map(|(at, _)| *at);
        let news = self.has_news.then(|| self.clock());
        [own, news, self.endpoint.poll_timeout()].into_iter().flatten().min()
    }

    // Look.

    /// Whether more of the body of this exchange makes sense now: not while events wait to be polled, or too
    /// much output waits for the server.
    pub fn wants_input(&self, exchange: Exchange) -> bool {
        match self.exchanges.get(&exchange) {
            // What is of no interest goes by.
            None | Some(Entry { state: State::Ignored, .. }) => true,
            Some(_) => {
                self.events.is_empty()
                    && self.endpoint.wants_input()
                    && !self.readable.contains(&exchange)
                    && !self.is_stalled(exchange)
            }
        }
    }

    /// Whether [`poll_event`](Self::poll_event) has one.
    pub fn has_event(&self) -> bool {
        !self.events.is_empty() || self.endpoint.has_event()
    }

    /// Whether the conversation is over and no exchange is left.
    pub fn is_finished(&self) -> bool {
        self.is_closing
            && self.exchanges.is_empty()
            && self.outgoing.is_empty()
            && self.session.id.is_none()
            && !self.endpoint.core().has_chunk()
    }

    /// The endpoint itself, past its exchanges.
    #[cfg(feature = "driver")]
    pub(crate) fn endpoint_mut(&mut self) -> &mut Endpoint<role::Client> {
        &mut self.endpoint
    }

    /// Follows what the endpoint has come to.
    fn settle(&mut self) {
        if self.endpoint.is_closed() {
            return self.begin_closing();
        }
        if let Some(number) = self.opening
            && !self.endpoint.core().has_call(number)
        {
            self.opening = None;
            // A probe that is answered by silence ends without a word.
            if let Some(exchange) = self.calls.remove(&number) {
                self.abort(exchange);
            }
        }
        if let Some(number) = self.refresh.call
            && !self.endpoint.core().has_call(number)
        {
            let now = self.clock();
            self.end_refresh(false, now);
        }
        if self.session.revision.is_none()
            && let Some(peer) = self.endpoint.peer()
        {
            self.session.revision = Some(peer.revision);
        }
    }

    /// What the application is told of an event of the endpoint.
    fn translate(&mut self, mut event: Event) {
        if let Event::Response { id, outcome: Err(CallError::TimedOut(expired)) } = &mut event
            && let Some(closed) = self.closed_since(id)
        {
            expired.interrupted_for(self.clock().saturating_duration_since(closed));
        }
        if let Event::Response { id, outcome } = &event
            && let Some(number) = id.as_i64()
            && let Some(is_first) = self.listings.remove(&number)
            && let Ok(list) = outcome
        {
            let (list, faults) = self.tools.learn(list.clone(), is_first, &self.options);
            self.events.extend(faults.into_iter().map(Event::Violation));
            return self.events.push_back(Event::Response { id: id.clone(), outcome: Ok(list) });
        }
        self.events.push_back(event);
    }

    // The table of exchanges.

    /// When the stream of this call was cut, if it was not taken up again.
    fn closed_since(&self, id: &RequestId) -> Option<Instant> {
        let exchange = self.calls.get(&id.as_i64()?)?;
        self.exchanges.get(exchange)?.position.as_ref()?.closed
    }

    fn is_modern(&self) -> bool {
        self.session.revision.is_some_and(|revision| revision.era() == Era::Modern)
    }

    /// The latest time that the caller named.
    fn clock(&self) -> Instant {
        self.endpoint.core().clock()
    }

    fn insert(&mut self, entry: Entry) -> Exchange {
        self.last += 1;
        let exchange = Exchange(self.last);
        if let Some(at) = entry.due {
            self.timers.insert((at, exchange));
        }
        if let Aim::Call(number, _) = entry.aim {
            self.calls.insert(number, exchange);
        }
        self.standing += usize::from(entry.aim.is_standing());
        self.exchanges.insert(exchange, entry);
        exchange
    }

    fn set_due(&mut self, exchange: Exchange, due: Option<Instant>) {
        let Some(entry) = self.exchanges.get_mut(&exchange) else { return };
        if let Some(at) = core::mem::replace(&mut entry.due, due) {
            self.timers.remove(&(at, exchange));
        }
        if let Some(at) = due {
            self.timers.insert((at, exchange));
        }
    }

    /// Forgets an exchange that is over.
    fn remove(&mut self, exchange: Exchange) -> Option<Entry> {
        let entry = self.exchanges.remove(&exchange)?;
        self.standing -= usize::from(entry.aim.is_standing());
        self.forget_stalled(exchange);
        if let Some(at) = entry.due {
            self.timers.remove(&(at, exchange));
        }
        self.buffered = self.buffered.saturating_sub(entry.buffered());
        if let Aim::Call(number, _) = entry.aim
            && self.calls.get(&number) == Some(&exchange)
        {
            self.calls.remove(&number);
        }
        Some(entry)
    }

    /// Forgets an exchange and closes it, if it is open.
    fn abort(&mut self, exchange: Exchange) -> Option<Entry> {
        let entry = self.remove(exchange)?;
        if entry.ended.is_none() && !matches!(entry.state, State::Waiting) {
            self.outgoing.push_back(Transmit::Abort(exchange));
        }
        Some(entry)
    }

    /// What still comes of an exchange is of no interest. It is closed if it does not end soon.
    fn ignore(&mut self, exchange: Exchange) {
        let until = self.clock() + self.options.linger;
        let Some(entry) = self.exchanges.get_mut(&exchange) else { return };
        if entry.ended.is_some() {
            self.remove(exchange);
            return;
        }
        self.buffered = self.buffered.saturating_sub(entry.buffered());
        entry.state = State::Ignored;
        if let Aim::Call(number, _) = entry.aim {
            self.calls.remove(&number);
        }
        self.set_due(exchange, Some(until));
    }
}

impl Deref for Client {
    type Target = Endpoint<role::Client>;

    fn deref(&self) -> &Endpoint<role::Client> {
        &self.endpoint
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without headers: they may hold credentials.
        f.debug_struct("Client")
            .field("endpoint", &self.endpoint)
            .field("uri", &self.uri)
            .field("exchanges", &self.exchanges)
            .finish_non_exhaustive()
    }
}
