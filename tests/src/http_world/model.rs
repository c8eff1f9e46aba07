//! Every order of everything that can happen to one call over HTTP: two reports, a question of the server, and
//! connections that break.
//!
//! Nothing is left out. Two ways that lead to the same state go on as one: each state is visited once, and what the client
//! was told is part of it. The machines are cloned at each fork.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::Hash;

use bytes::Bytes;
use http::{Request, response};
use mcp_proto::http::{Body, Caller, Exchange, Scope, Server, ServerOptions, Transmit};
use mcp_proto::progress::Weight;
use mcp_proto::{
    CallError, CallOptions, CallToolResult, Event, HttpError, Instant, Progress, RequestId,
    Revision, ServerConfig, Timeouts, Violation,
};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::ends::{End, Wish};
use super::heard::Heard;
use super::tools::arguments;

/// One point on the way.
#[derive(Clone, Debug)]
pub struct Model {
    end: End,
    server: Server,
    now: Instant,
    wires: BTreeMap<Exchange, Wire>,
    /// The request that the tool works at, and its steps so far.
    work: Option<(Scope, RequestId, u32)>,
    /// The same while the tool waits for an answer.
    asking_work: Option<(Scope, RequestId, u32)>,
    /// The question that the tool waits for, and whether one is still to be asked.
    question: Question,
    /// Connections that may still break.
    cuts: u32,
    /// Some have.
    is_cut: bool,
    /// A stream was asked for again.
    is_resumed: bool,
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
    /// The next deadline of the client passes.
    Time,
    /// That of the server does, which waits for an answer that was lost.
    ServerTime,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Question {
    /// There is none.
    None,
    /// The tool asks before its first report.
    Planned,
    Asked(RequestId),
}

/// What has been walked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Walked {
    /// Different states.
    pub states: u64,
    /// Steps between them, those included that lead to one that is known.
    pub steps: u64,
    /// States in which everything is over.
    pub ends: u64,
    /// Of those, in which the call was lost.
    pub lost: u64,
    /// … in which its stream was taken up again.
    pub resumed: u64,
    /// … before which the question of the server was answered.
    pub answered: u64,
}

#[derive(Clone, Debug)]
struct Wire {
    request: Option<Request<Bytes>>,
    at_server: Option<Exchange>,
    pieces: VecDeque<Piece>,
    heard: Heard,
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
    /// As [`new`](Self::new), and the tool asks the client something before its first report.
    #[must_use]
    pub fn asking(self) -> Self {
        Self { question: Question::Planned, ..self }
    }

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
            asking_work: None,
            question: Question::None,
            cuts: 0,
            is_cut: false,
            is_resumed: false,
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
        let arguments = arguments(0, 0, REPORTS);
        let (timeouts, patience) = (Timeouts::NEVER, None);
        let wish = Wish { arguments, total: REPORTS, is_tracked: true, timeouts, patience };
        model.end.call(&wish, now).expect("room");
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
        let mut known = HashSet::from([self.digest()]);
        let (mut walked, mut open) = (Walked::default(), VecDeque::from([self]));
        // Breadth first: the way that is shown is a shortest one.
        while let Some(model) = open.pop_front() {
            walked.states += 1;
            let choices = model.choices();
            if choices.is_empty() {
                walked.ends += 1;
                model.judge(&mut walked);
            }
            for choice in choices {
                walked.steps += 1;
                let next = model.clone().after(choice);
                if known.insert(next.digest()) {
                    open.push_back(next);
                }
            }
        }
        walked
    }

    /// A hash of everything that decides what can follow, and what is judged of it.
    fn digest(&self) -> u128 {
        let Self {
            end,
            server,
            now,
            wires,
            work,
            asking_work,
            question,
            cuts,
            is_cut,
            is_resumed,
            path: _, // only shown
        } = self;
        let mut hasher = SipHasher13::new();
        end.client.digest(*now, &mut hasher);
        server.digest(*now, &mut hasher);
        for call in end.calls.values() {
            let reports: Vec<_> = call.reports.iter().map(|report| report.to_bits()).collect();
            let outcome = format!("{:?}", call.outcome);
            (call.total, reports, outcome, call.stream).hash(&mut hasher);
        }
        (&end.carries, end.is_ready, end.answered, end.sessions).hash(&mut hasher);
        (&end.places, &end.interrupted).hash(&mut hasher);
        for (exchange, wire) in wires {
            let Wire { request, at_server, pieces, heard, is_over } = wire;
            (exchange, request.is_some(), at_server, heard, is_over, pieces.len())
                .hash(&mut hasher);
            for piece in pieces {
                format!("{piece:?}").hash(&mut hasher);
            }
        }
        (work, asking_work, question, cuts, is_cut, is_resumed).hash(&mut hasher);
        hasher.finish128().as_u128()
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
        // Longest of all is what the tool waits for an answer.
        if choices.is_empty() && matches!(self.question, Question::Asked(_)) {
            choices.push(Choice::ServerTime);
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
                (self.cuts, self.is_cut) = (self.cuts - 1, true);
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
                self.is_resumed = true;
            }
            Choice::ServerTime => {
                self.now = self.now.max(self.server.poll_timeout().expect("a deadline"));
                self.server.handle_timeout(self.now);
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
                let events = wire.heard.push(&bytes);
                events.into_iter().for_each(|said| self.end.heard(exchange, said));
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
        if self.question == Question::Planned {
            let timeouts = Timeouts::NEVER.total(std::time::Duration::from_secs(600));
            let options = CallOptions::default().related(id.clone()).timeouts(timeouts);
            match endpoint.request_raw("roots/list", None, options, self.now) {
                Ok(asked) => {
                    self.question = Question::Asked(asked);
                    // It goes on when it has the answer.
                    self.asking_work = Some((scope, id, done));
                    return;
                }
                // There is no way to the client any more.
                Err(_) => {
                    assert!(self.is_cut, "{:?}", self.path);
                    self.question = Question::None;
                }
            }
        }
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
                self.end.note(&event, self.now);
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
                            heard: Heard::default(),
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
                        (self.work, self.asking_work) = (None, None);
                        if let Some(endpoint) = self.server.endpoint_mut(scope) {
                            endpoint.abandon(&id, self.now);
                        }
                    }
                    Event::Response { id, outcome } => {
                        assert_eq!(self.question, Question::Asked(id), "{:?}", self.path);
                        assert!(outcome.is_ok() || self.is_cut, "{outcome:?}: {:?}", self.path);
                        self.question = Question::None;
                        self.work = self.asking_work.take();
                    }
                    Event::Violation(Violation::LateResponse(_)) if self.is_cut => {}
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
        let all: Vec<_> = (1..=REPORTS).map(f64::from).collect();
        assert!(all.starts_with(&call.reports), "{:?}: {path:?}", call.reports);
        walked.resumed += u64::from(self.is_resumed);
        walked.answered += u64::from(self.end.answered > 0);
        assert!(self.end.answered <= 1, "it was asked once: {path:?}");
        assert!(!matches!(self.question, Question::Asked(_)), "it never ended: {path:?}");
        match outcome {
            Ok(()) => assert_eq!(call.reports, all, "{path:?}"),
            Err(CallError::Http(HttpError::Cut | HttpError::Unreachable)) => {
                walked.lost += 1;
                let can_resume = self.end.revision < Revision::V2026_07_28 && call.stream.is_some();
                assert!(self.is_cut && !can_resume, "it was lost: {path:?}");
            }
            Err(error) => panic!("{error}: {path:?}"),
        }
        assert_eq!(self.end.client.calls_in_flight(), 0);
        assert_eq!(self.server.requests_in_flight(), 0, "{path:?}");
    }
}
