//! One client of a world, and what it was told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Uri};
use mcp_proto::http::{Client, ClientOptions, Exchange};
use mcp_proto::{
    CallError, CallOptions, CallTool, ClientConfig, Era, Event, Instant, RequestId, Revision,
    RevisionSet, Timeouts,
};

use super::heard::Said;
use crate::http_hand::{header, id_of, method_of};

/// A client and its calls.
#[derive(Clone, Debug)]
pub struct End {
    pub client: Client,
    pub revision: Revision,
    pub is_ready: bool,
    pub calls: BTreeMap<RequestId, Call>,
    /// What its exchanges carry, those aside that carry nothing for a call.
    pub carries: BTreeMap<Exchange, Carried>,
    /// The last event that came of each stream.
    pub places: BTreeMap<u64, u64>,
    /// Calls whose streams are cut, as it was told.
    pub interrupted: BTreeSet<RequestId>,
    /// What came for none of its calls, as it was written.
    pub others: Vec<String>,
    /// Questions of the server that were answered.
    pub answered: u64,
    /// Sessions that it has opened.
    pub sessions: u64,
    /// One of its connections broke, or was not read for a while.
    pub is_harmed: bool,
    /// What carries everything was not read for a while.
    pub is_slow: bool,
    /// What it was told of its calls, and when.
    pub told: Vec<(Instant, String)>,
}

/// What an exchange carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Carried {
    Call(RequestId),
    /// Everything that the server says: HTTP+SSE.
    All,
}

/// A call that is to be made.
#[derive(Clone, Debug)]
pub struct Wish {
    /// What the tool is told.
    pub arguments: String,
    /// Reports that it makes.
    pub total: u32,
    pub is_tracked: bool,
    pub timeouts: Timeouts,
    /// It is given up after so long.
    pub patience: Option<Duration>,
}

/// One call and what became of it.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Reports that its tool makes, if they are asked for.
    pub total: u32,
    pub reports: Vec<f64>,
    pub outcome: Option<Result<(), CallError>>,
    /// The stream of its answer, once the client was told how to come back to it.
    pub stream: Option<u64>,
    /// What came for it, as it was written.
    pub messages: Vec<String>,
    /// It has a deadline.
    pub is_timed: bool,
    /// It was given up.
    pub is_cancelled: bool,
    /// A connection broke that carried it.
    pub is_harmed: bool,
    /// Nobody read its stream for a while.
    pub is_slow: bool,
    /// Its stream was asked for again, and something was no longer there.
    pub is_refused: bool,
    /// When its tool answered.
    pub answered_at: Option<Instant>,
}

impl End {
    /// Without a stream for what belongs to no call.
    pub fn deaf(revision: Revision, now: Instant) -> Self {
        Self::with(revision.into(), ClientOptions::default().deaf(), now)
    }

    /// A client that speaks these revisions.
    pub fn with(revisions: RevisionSet, mut options: ClientOptions, now: Instant) -> Self {
        let config = ClientConfig::new("c", "1").revisions(revisions);
        let uri = Uri::from_static("http://localhost/mcp");
        // That it gives up in the end is tried elsewhere: here whatever can come back does.
        options.max_tries = 40;
        let newest = revisions.newest(Era::Modern).or_else(|| revisions.newest(Era::Legacy));
        Self {
            client: Client::new(config, uri, options, now),
            revision: newest.expect("a revision"),
            is_ready: false,
            calls: BTreeMap::new(),
            carries: BTreeMap::new(),
            places: BTreeMap::new(),
            interrupted: BTreeSet::new(),
            others: Vec::new(),
            answered: 0,
            sessions: 0,
            is_harmed: false,
            is_slow: false,
            told: Vec::new(),
        }
    }

    /// Makes a call, if that can be.
    pub fn call(&mut self, wish: &Wish, now: Instant) -> Option<RequestId> {
        let arguments = mcp_proto::json::RawJson::parse(wish.arguments.clone()).unwrap();
        let call = CallTool::new("count").arguments(&arguments).expect("an object");
        let options = CallOptions::default().timeouts(wish.timeouts);
        let options = if wish.is_tracked { options.tracked() } else { options.untracked() };
        let id = self.client.request(&call, options, now).ok()?.id().clone();
        let total = if wish.is_tracked { wish.total } else { 0 };
        let is_timed = wish.timeouts != Timeouts::NEVER;
        self.calls.insert(id.clone(), Call { total, is_timed, ..Call::default() });
        Some(id)
    }

    pub fn cancel(&mut self, id: &RequestId, now: Instant) {
        let Some(call) = self.calls.get_mut(id).filter(|call| call.outcome.is_none()) else {
            return;
        };
        call.is_cancelled = true;
        self.client.cancel(id, None, now);
    }

    /// Whether each of its calls has ended.
    pub fn is_quiet(&self) -> bool {
        self.client.calls_in_flight() == 0 && self.calls.values().all(|call| call.outcome.is_some())
    }

    /// Its session can be taken up again on other connections, and by another server.
    pub fn has_session(&self) -> bool {
        self.revision > Revision::V2024_11_05 && self.revision < Revision::V2026_07_28
    }

    /// What a request asks for.
    pub fn open(&mut self, exchange: Exchange, request: &Request<Bytes>) {
        if request.method() == Method::GET {
            let of_call = header(request, "last-event-id")
                .and_then(|id| id.split('-').next()?.parse().ok())
                .and_then(|stream| self.call_on(stream));
            let carried = match of_call {
                Some(id) => Carried::Call(id),
                None if self.revision == Revision::V2024_11_05 => Carried::All,
                None => return,
            };
            self.carries.insert(exchange, carried);
            return;
        }
        let method = method_of(request);
        if method == "initialize" {
            self.is_ready = false;
            self.sessions += 1;
            // Streams of another session may have the same names.
            self.places.clear();
        }
        if method == "tools/call" {
            let id = id_of(request).parse::<i64>().unwrap();
            self.carries.insert(exchange, Carried::Call(id.into()));
        }
    }

    fn call_on(&self, stream: u64) -> Option<RequestId> {
        let mut open = self.calls.iter().filter(|(_, call)| call.outcome.is_none());
        open.find(|(_, call)| call.stream == Some(stream)).map(|(id, _)| id.clone())
    }

    /// The call that an exchange is for.
    pub fn call_of(&mut self, exchange: Exchange) -> Option<&mut Call> {
        match self.carries.get(&exchange)? {
            Carried::Call(id) => self.calls.get_mut(id),
            Carried::All => None,
        }
    }

    /// The connection of an exchange broke.
    pub fn harm(&mut self, exchange: Exchange) {
        self.is_harmed = true;
        self.slow_down(exchange);
        if self.carries.get(&exchange) == Some(&Carried::All) {
            self.calls.values_mut().for_each(|call| call.is_harmed = true);
        } else if let Some(call) = self.call_of(exchange) {
            call.is_harmed = true;
        }
    }

    /// An exchange is not read as fast as something comes.
    pub fn slow_down(&mut self, exchange: Exchange) {
        if self.carries.get(&exchange) == Some(&Carried::All) {
            self.is_slow = true;
        } else if let Some(call) = self.call_of(exchange) {
            call.is_slow = true;
        }
    }

    /// An event came to the client, which may have seen it before; the bytes must not say it again, nor leave one out.
    pub fn heard(&mut self, exchange: Exchange, said: Said) {
        if let Some((stream, position)) = said.place {
            // Where the revision has it, the first one names the stream and says nothing.
            let expected = match self.places.insert(stream, position) {
                Some(last) => last + 1,
                None => u64::from(self.revision < Revision::V2025_11_25),
            };
            assert_eq!(position == 0, said.data.is_empty(), "event {position} of stream {stream}");
            assert_eq!(position, expected, "the next event of stream {stream}");
        }
        let message = Some(said.data).filter(|data| !data.is_empty());
        match self.call_of(exchange) {
            Some(call) => {
                if let Some((stream, _)) = said.place {
                    assert!(call.stream.is_none_or(|known| known == stream), "another stream");
                    call.stream = Some(stream);
                }
                call.messages.extend(message);
            }
            None => self.others.extend(message),
        }
    }

    pub fn note(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Request { id, .. } => {
                let roots = serde_json::json!({"roots": []});
                // The server may have given it up meanwhile.
                self.answered += u64::from(self.client.respond(id, &roots, now).is_ok());
            }
            Event::Ready(_) => self.is_ready = true,
            Event::Progress { id, progress } => {
                let call = self.calls.get_mut(id).expect("a call");
                assert!(call.outcome.is_none(), "progress of {id} behind its end");
                assert!(!self.interrupted.contains(id), "progress of {id} on a stream that is cut");
                let last = call.reports.last().copied().unwrap_or(0.0);
                assert!(progress.progress > last, "{id} went from {last} to {}", progress.progress);
                call.reports.push(progress.progress);
                self.told.push((now, format!("{id}: {}", progress.progress)));
            }
            Event::Response { id, outcome } => {
                let call = self.calls.get_mut(id).expect("a call");
                assert!(call.outcome.is_none(), "{id} ended twice");
                call.outcome = Some(outcome.clone().map(drop));
                self.interrupted.remove(id);
                self.told.push((now, format!("{id}: {:?}", call.outcome)));
            }
            Event::Interrupted { id: Some(id) } => {
                assert!(self.interrupted.insert(id.clone()), "{id} was interrupted twice");
                self.told.push((now, format!("{id}: interrupted")));
            }
            Event::Resumed { id: Some(id) } => {
                assert!(self.interrupted.remove(id), "{id} goes on, and nobody heard of a cut");
                self.told.push((now, format!("{id}: goes on")));
            }
            _ => {}
        }
    }
}
