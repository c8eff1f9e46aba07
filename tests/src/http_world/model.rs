//! Every order of everything that can happen to one call over HTTP: two reports, and connections that break.
//!
//! Nothing is left out and nothing is merged: each way from the beginning to the end is walked. The machines are
//! cloned at each fork.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use http::{Request, response};
use mcp_proto::http::{Body, Caller, Exchange, Scope, Server, ServerOptions, Transmit};
use mcp_proto::progress::Weight;
use mcp_proto::{
    CallError, CallToolResult, Event, HttpError, Instant, Progress, RequestId, Revision,
    ServerConfig,
};

use super::ends::End;

/// One point on the way.
#[derive(Clone, Debug)]
pub struct Model {
    end: End,
    server: Server,
    now: Instant,
    wires: BTreeMap<Exchange, Wire>,
    /// The request that the tool works at, and its steps so far.
    work: Option<(Scope, RequestId, u32)>,
    /// Connections that may still break.
    cuts: u32,
    /// The choices that led here.
    pub path: Vec<Choice>,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Choice {
    /// A request reaches the server.
    Ask(Exchange),
    /// The next piece of an answer reaches the client.
    Hear(Exchange),
    /// The tool reports or answers.
    Work,
    /// A connection breaks: what is on it is lost, and the client hears of it.
    Cut(Exchange),
    /// The server hears of it.
    Hangup(Exchange),
    /// The next deadline passes.
    Time,
}

/// What has been walked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Walked {
    pub ways: u64,
    pub states: u64,
    /// Ways on which the call was lost.
    pub lost: u64,
    /// Ways on which its stream was taken up again.
    pub resumed: u64,
}

#[derive(Clone, Debug)]
struct Wire {
    request: Option<Request<Bytes>>,
    at_server: Option<Exchange>,
    pieces: VecDeque<Piece>,
    heard: Vec<u8>,
    /// The client is done with it.
    is_over: bool,
}

#[derive(Clone, Debug)]
enum Piece {
    Head(response::Parts),
    Body(Bytes),
    End,
}

const REPORTS: u32 = 2;

impl Model {
    /// A client of this revision and its server, past the handshake, with one call about to leave.
    pub fn new(revision: Revision, cuts: u32) -> Self {
        let now = Instant::ZERO + std::time::Duration::from_secs(1);
        let mut options = ServerOptions::default();
        options.keep_alive = None;
        let mut model = Self {
            end: End::deaf(revision, now),
            server: Server::new(ServerConfig::new("s", "1"), options),
            now,
            wires: BTreeMap::new(),
            work: None,
            cuts: 0,
            path: Vec::new(),
        };
        model.settle();
        while let Some(choice) = model.choices().first().copied() {
            if choice == Choice::Time {
                break;
            }
            model = model.after(choice);
        }
        assert!(model.end.is_ready);
        model.end.call(REPORTS, now);
        model.settle();
        model.path.clear();
        Self { cuts, ..model }
    }

    /// Walks every way.
    ///
    /// # Panics
    ///
    /// If a promise is broken; the way is shown.
    pub fn walk(self) -> Walked {
        let (mut walked, mut open) = (Walked::default(), vec![self]);
        while let Some(model) = open.pop() {
            walked.states += 1;
            let choices = model.choices();
            if choices.is_empty() {
                walked.ways += 1;
                model.judge(&mut walked);
            }
            open.extend(choices.into_iter().map(|choice| model.clone().after(choice)));
        }
        walked
    }

    fn choices(&self) -> Vec<Choice> {
        let mut choices = Vec::new();
        for (exchange, wire) in &self.wires {
            if wire.request.is_some() {
                choices.push(Choice::Ask(*exchange));
            }
            if !wire.pieces.is_empty() && !wire.is_over {
                choices.push(Choice::Hear(*exchange));
            }
            if wire.is_over && wire.at_server.is_some() {
                choices.push(Choice::Hangup(*exchange));
            }
            if self.cuts > 0 && !wire.is_over {
                choices.push(Choice::Cut(*exchange));
            }
        }
        if self.work.is_some() {
            choices.push(Choice::Work);
        }
        // Deadlines are long beside what travels, but for the wait before a stream is taken up again.
        let is_waiting =
            self.end.client.calls_in_flight() > 0 && self.wires.values().all(|wire| wire.is_over);
        if is_waiting && self.end.client.poll_timeout().is_some() {
            choices.push(Choice::Time);
        }
        choices
    }

    fn after(mut self, choice: Choice) -> Self {
        self.path.push(choice);
        match choice {
            Choice::Ask(exchange) => self.ask(exchange),
            Choice::Hear(exchange) => self.hear(exchange),
            Choice::Work => self.work(),
            Choice::Cut(exchange) => {
                self.cuts -= 1;
                if let Some(wire) = self.wires.get_mut(&exchange) {
                    wire.is_over = true;
                    wire.pieces.clear();
                }
                self.end.client.handle_failure(exchange, self.now);
            }
            Choice::Hangup(exchange) => {
                if let Some(at_server) =
                    self.wires.remove(&exchange).and_then(|wire| wire.at_server)
                {
                    self.server.handle_disconnect(at_server, self.now);
                }
            }
            Choice::Time => {
                self.now = self.now.max(self.end.client.poll_timeout().expect("a deadline"));
                self.end.client.handle_timeout(self.now);
            }
        }
        self.settle();
        self
    }

    fn ask(&mut self, exchange: Exchange) {
        let wire = self.wires.get_mut(&exchange).expect("it is open");
        let (head, body) = wire.request.take().expect("it is on its way").into_parts();
        let admission = self.server.handle_head(&head).expect("it may come in");
        let request = Request::from_parts(head, body);
        let caller = Caller::default().seed([7; 24]);
        let at_server = self.server.handle_request(admission, request, caller, self.now).unwrap();
        wire.at_server = Some(at_server);
    }

    fn hear(&mut self, exchange: Exchange) {
        let Some(wire) = self.wires.get_mut(&exchange) else { return };
        match wire.pieces.pop_front() {
            Some(Piece::Head(head)) => self.end.client.handle_head(exchange, &head, self.now),
            Some(Piece::Body(bytes)) => {
                wire.heard.extend_from_slice(&bytes);
                self.end.heard(exchange, &wire.heard);
                self.end.client.handle_body(exchange, &bytes, self.now);
            }
            Some(Piece::End) => {
                self.wires.remove(&exchange);
                self.end.client.handle_end(exchange, self.now);
            }
            None => {}
        }
    }

    fn work(&mut self) {
        let Some((scope, id, done)) = self.work.take() else { return };
        let Some(endpoint) = self.server.endpoint_mut(scope) else { return };
        if done == REPORTS {
            endpoint.respond(&id, &CallToolResult::text("done"), self.now).expect("it waits");
            return;
        }
        let progress = Progress::new(f64::from(done + 1)).of(f64::from(REPORTS));
        endpoint.report(&id, progress, Weight::Ordinary, self.now).expect("it increases");
        self.work = Some((scope, id, done + 1));
    }

    fn settle(&mut self) {
        loop {
            let mut again = false;
            while let Some(event) = self.end.client.poll_event() {
                again = true;
                self.end.note(&event);
            }
            while let Some(transmit) = self.end.client.poll_transmit() {
                again = true;
                match transmit {
                    Transmit::Open { exchange, request } => {
                        self.end.open(exchange, &request);
                        let wire = Wire {
                            request: Some(request),
                            at_server: None,
                            pieces: VecDeque::new(),
                            heard: Vec::new(),
                            is_over: false,
                        };
                        self.wires.insert(exchange, wire);
                    }
                    Transmit::Abort(exchange) => {
                        if let Some(wire) = self.wires.get_mut(&exchange) {
                            wire.is_over = true;
                            wire.pieces.clear();
                        }
                    }
                }
            }
            while let Some((scope, event)) = self.server.poll_event() {
                again = true;
                match event {
                    Event::Request { id, .. } => {
                        assert!(self.work.is_none(), "it is asked once");
                        self.work = Some((scope, id, 0));
                    }
                    Event::Cancelled { id, .. } => {
                        self.work = None;
                        if let Some(endpoint) = self.server.endpoint_mut(scope) {
                            endpoint.abandon(&id, self.now);
                        }
                    }
                    Event::Violation(violation) => panic!("{violation}: {:?}", self.path),
                    _ => {}
                }
            }
            while let Some(at_server) = self.server.poll_ready() {
                again = true;
                self.answer(at_server);
            }
            if !again {
                return;
            }
        }
    }

    fn answer(&mut self, at_server: Exchange) {
        let mut wire = self.wires.values_mut().find(|wire| wire.at_server == Some(at_server));
        let mut put = |piece| {
            if let Some(wire) = &mut wire
                && !wire.is_over
            {
                wire.pieces.push_back(piece);
            }
        };
        if let Some(head) = self.server.poll_head(at_server) {
            put(Piece::Head(head.into_parts().0));
        }
        while let Some(body) = self.server.poll_body(at_server) {
            match body {
                // A connection may break in the middle of an event.
                Body::Chunk(mut bytes) => {
                    put(Piece::Body(bytes.split_to(bytes.len() / 2)));
                    put(Piece::Body(bytes));
                }
                Body::End => {
                    put(Piece::End);
                    if let Some(wire) = &mut wire {
                        wire.at_server = None;
                    }
                    return;
                }
                Body::Broken => panic!("the client reads: {:?}", self.path),
            }
        }
    }

    fn judge(&self, walked: &mut Walked) {
        let (id, call) = self.end.calls.first_key_value().expect("the call");
        let path = &self.path;
        let outcome = call.outcome.as_ref().unwrap_or_else(|| panic!("{id} never ended: {path:?}"));
        let is_cut = path.iter().any(|choice| matches!(choice, Choice::Cut(_)));
        let all: Vec<_> = (1..=REPORTS).map(f64::from).collect();
        assert!(all.starts_with(&call.reports), "{:?}: {path:?}", call.reports);
        walked.resumed += u64::from(path.contains(&Choice::Time));
        match outcome {
            Ok(()) => assert_eq!(call.reports, all, "{path:?}"),
            Err(CallError::Http(HttpError::Cut | HttpError::Unreachable)) => {
                walked.lost += 1;
                let can_resume = self.end.revision < Revision::V2026_07_28 && call.can_resume;
                assert!(is_cut && !can_resume, "it was lost: {path:?}");
            }
            Err(error) => panic!("{error}: {path:?}"),
        }
        assert_eq!(self.end.client.calls_in_flight(), 0);
        assert_eq!(self.server.requests_in_flight(), 0, "{path:?}");
    }
}
