//! Outgoing: each message is a POST of its own.

use alloc::vec::Vec;
use core::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};

use super::channel::Mode;
use super::exchange::{Aim, Entry, Lane, Opening, State};
use super::requests::{self, Session};
use super::{Client, Transmit};
use crate::config::{Limits, Tolerance};
use crate::endpoint::{Purpose, Route};
use crate::error::{CallError, SendError};
use crate::http::Exchange;
use crate::id::RequestId;
use crate::time::Instant;
use crate::wire::{Message, read_message};

/// Bytes of a call that is kept until its answer begins, in case it has to be said again.
pub(super) const MAX_REPEATED: usize = 64 << 10;

/// How long a call may be on its way to a server that has said nothing of it.
const UNHEARD: Duration = Duration::from_secs(1);

/// A call that is to be sent later.
#[derive(Clone, Debug)]
pub(super) struct Parked {
    pub(super) message: Bytes,
    /// What was announced before it.
    pub(super) behind: u64,
}

impl Client {
    /// Whether the next message of the endpoint may be taken. One place is beyond those of calls, so that a reply which a
    /// call waits for is not kept back by calls.
    pub(super) fn may_send(&self) -> bool {
        let limits = self.endpoint.core().limits();
        !matches!(self.mode, Mode::Connecting(_))
            && self.taken() <= self.options.max_exchanges
            && self.lanes.len() <= limits.max_outbox_len
            // The server MUST hear this first; basic/lifecycle
            && !self.lanes.has(&Lane::Initialized)
    }

    /// Exchanges that take a place.
    fn taken(&self) -> usize {
        self.exchanges.len() - self.standing
    }

    /// Whether there is no place for another call.
    fn is_full(&self) -> bool {
        self.taken() >= self.options.max_exchanges
    }

    /// Closes the exchanges of calls that were given up, where there is no room even to say so. Whether there were any.
    pub(super) fn make_room(&mut self) -> bool {
        if self.taken() <= self.options.max_exchanges || !self.endpoint.core().has_chunk() {
            return false;
        }
        let core = self.endpoint.core();
        let given_up: Vec<_> = self
            .calls
            .iter()
            .filter_map(|(number, exchange)| (!core.has_call(*number)).then_some(*exchange))
            .collect();
        for exchange in &given_up {
            self.abort(*exchange);
        }
        !given_up.is_empty()
    }

    pub(super) fn send(&mut self, route: Route, message: Bytes) {
        match route {
            Route::Call(id) => {
                if let Some(number) = id.as_i64() {
                    self.send_call(number, message);
                }
            }
            Route::Cancel(id) => {
                if let Some(number) = id.as_i64() {
                    self.send_cancel(number, message);
                }
            }
            // A client never responds; 2026-07-28 basic/transports/streamable-http
            Route::Reply(_) | Route::Related(_) if self.is_modern() => {}
            Route::Reply(id) | Route::Related(id) => self.say(&Lane::Request(id), message),
            Route::Standalone if self.is_modern() || self.is_initialized => {
                self.say(&Lane::Standalone, message);
            }
            Route::Standalone => {
                self.is_initialized = true;
                self.say(&Lane::Initialized, message);
            }
        }
    }

    fn send_call(&mut self, number: i64, message: Bytes) {
        let purpose = self.endpoint.core().opening_of(number);
        if purpose == Some(Purpose::Initialize) {
            self.session = Session::default();
        }
        if purpose.is_some() {
            self.opening = Some(number);
        } else if self.is_full() || !self.lanes.have_arrived(self.lanes.announced()) {
            self.endpoint.core_mut().park(message.len());
            let behind = self.lanes.announced();
            self.parked.insert(number, Parked { message, behind });
            return;
        }
        let opening = purpose.map(|purpose| Opening { purpose, message: message.clone() });
        self.post(Aim::Call(number, opening), message);
    }

    /// Sends the oldest call that waits, if there is a place now, and what was announced before it has arrived. Whether
    /// there was any to send.
    pub(super) fn send_parked(&mut self) -> bool {
        while !self.is_full()
            && let Some((number, parked)) = self.parked.first_key_value()
            && self.lanes.have_arrived(parked.behind)
        {
            let (number, core) = (*number, self.endpoint.core());
            let is_wanted = core.has_call(number);
            if !is_wanted && core.has_chunk() {
                return false; // that it was given up is among what is said next
            }
            let Some(message) = self.unpark(number) else { return false };
            if is_wanted {
                self.post(Aim::Call(number, None), message);
                return true;
            }
        }
        false
    }

    fn unpark(&mut self, number: i64) -> Option<Bytes> {
        let Parked { message, .. } = self.parked.remove(&number)?;
        self.endpoint.core_mut().unpark(message.len());
        Some(message)
    }

    pub(super) fn clear_parked(&mut self) {
        while let Some((number, _)) = self.parked.first_key_value() {
            self.unpark(*number);
        }
    }

    /// In the modern era closing the stream is how a call is given up. In the legacy era it means nothing, and the
    /// server is told; what it still says to this call is of no interest then. It is told when it has heard of the call, for
    /// requests overtake each other, and whoever is told of what it does not know does nothing.
    fn send_cancel(&mut self, number: i64, message: Bytes) {
        if self.unpark(number).is_some() {
            return; // the server has not heard of it
        }
        let exchange = self.calls.get(&number).copied();
        if !self.is_modern() {
            if let Some((exchange, due)) = exchange.and_then(|exchange| self.unheard(exchange)) {
                self.calls.remove(&number);
                self.set_state(exchange, State::Leaving(message));
                return self.set_due(exchange, Some(due));
            }
            self.say(&Lane::Cancel(number), message);
        }
        if let Some(exchange) = exchange {
            self.abort(exchange);
        }
    }

    /// Until when the server may not have heard of the call of this exchange. Where another needs its place nobody waits.
    fn unheard(&self, exchange: Exchange) -> Option<(Exchange, Instant)> {
        let entry = self.exchanges.get(&exchange).filter(|_| !self.is_full())?;
        let is_asked = matches!(entry.state, State::Asked) && entry.position.is_none();
        let until = entry.asked + UNHEARD;
        (is_asked && entry.ended.is_none() && until > self.clock()).then_some((exchange, until))
    }

    /// The server has heard of a call that was given up, or never will: it is told that now.
    pub(super) fn leave(&mut self, exchange: Exchange) {
        if let Some(Entry { aim: Aim::Call(number, _), state: State::Leaving(message), .. }) =
            self.abort(exchange)
        {
            self.say(&Lane::Cancel(number), message);
        }
    }

    /// A message without an answer: at once, or behind those of its lane.
    pub(super) fn say(&mut self, lane: &Lane, message: Bytes) {
        if let Some(message) = self.lanes.push(lane, message) {
            self.post(Aim::Message(lane.clone()), message);
        }
    }

    /// The first message of this lane has arrived, or never will.
    pub(super) fn said(&mut self, lane: &Lane) {
        if let Some(message) = self.lanes.next(lane) {
            self.post(Aim::Message(lane.clone()), message);
        }
        if *lane == Lane::Initialized {
            self.listen();
        }
    }

    /// Nothing, if no request can say it: then the call has ended with that.
    pub(super) fn post(&mut self, aim: Aim, message: Bytes) -> Option<Exchange> {
        // Our own messages are within no limits but those of the reader.
        let limits = Limits { max_depth: usize::MAX, max_id_len: usize::MAX, ..Limits::default() };
        let read = read_message(&message, &limits, Tolerance::Lenient).ok();
        if let (Aim::Call(number, _), Some(Message::Request { method, params, .. })) = (&aim, &read)
            && self.is_modern()
            && **method == *b"tools/list"
            && self.refresh.call != Some(*number)
        {
            let is_first = params.as_ref().is_none_or(|params| params.get("cursor").is_none());
            self.listings.insert(*number, is_first);
        }
        let request = requests::post(
            self.target(),
            &self.options.headers,
            &self.session,
            read.as_ref(),
            &self.tools,
            message.clone(),
        );
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                if let Aim::Call(number, _) = aim {
                    let (id, error) = (RequestId::from(number), SendError::Encode(error));
                    let now = self.clock();
                    self.endpoint.handle_call_failed(&id, CallError::Send(error), now);
                    self.has_news = true;
                }
                return None;
            }
        };
        let may_be_repeated = self.is_modern()
            && message.len() <= MAX_REPEATED
            && matches!(&read, Some(Message::Request { method, .. }) if **method == *b"tools/call");
        let mut entry = Entry::new(aim, self.session.id.is_some());
        entry.message = may_be_repeated.then_some(message);
        if matches!(entry.aim, Aim::Message(_)) {
            entry.due = Some(self.clock() + self.options.answer_timeout);
        }
        Some(self.open(entry, request))
    }

    pub(super) fn open(&mut self, mut entry: Entry, request: Request<Bytes>) -> Exchange {
        entry.asked = self.clock();
        let exchange = self.insert(entry);
        self.outgoing.push_back(Transmit::Open { exchange, request });
        exchange
    }

    /// Where messages go.
    fn target(&self) -> &Uri {
        match &self.mode {
            Mode::Channel(address) => address,
            Mode::Streamable | Mode::Connecting(_) => &self.uri,
        }
    }
}
