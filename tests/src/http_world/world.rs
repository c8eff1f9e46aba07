//! The network, the clock and the tool behind the server.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, response};
use mcp_proto::http::{Body, Caller, Exchange, Scope, Server, ServerOptions, Transmit};
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::testing::Random;
use mcp_proto::{
    CallOptions, CallToolResult, ErrorObject, Event, Instant, Progress, RequestId, Revision,
    ServerConfig, Timeouts, Violation,
};

use super::ends::{End, Weather};
use super::plan::{Pace, Plan};

/// Everything.
#[derive(Clone, Debug)]
pub struct World {
    plan: Plan,
    random: Random,
    now: Instant,
    ends: Vec<End>,
    server: Server,
    /// What is on its way, by the time of its arrival.
    coming: BTreeMap<(Instant, u64), Coming>,
    count: u64,
    wires: BTreeMap<Wire, Connection>,
    /// Whose response an exchange of the server is.
    answers: BTreeMap<Exchange, Wire>,
    works: BTreeMap<(Scope, RequestId), Work>,
    /// What tools have asked their clients, and whether that has ended.
    questions: BTreeMap<(Scope, RequestId), Question>,
    /// Sessions, those included that are over.
    sessions: Vec<Scope>,
    counts: Counts,
}

/// What a world has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that broke.
    pub cuts: u64,
    /// Streams that were taken up again.
    pub resumed: u64,
    /// Questions of the server that its clients answered.
    pub answered: u64,
    /// Sessions that the server forgot.
    pub forgotten: u64,
    /// Sessions that were opened after one was lost.
    pub reopened: u64,
    /// Reports that were merged on their way.
    pub merged: u64,
}

impl Counts {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            cuts: self.cuts + other.cuts,
            resumed: self.resumed + other.resumed,
            answered: self.answered + other.answered,
            forgotten: self.forgotten + other.forgotten,
            reopened: self.reopened + other.reopened,
            merged: self.merged + other.merged,
        }
    }
}

#[derive(Clone, Debug)]
struct Question {
    /// The request whose tool waits for the answer.
    by: RequestId,
    has_ended: bool,
}

/// A client and its exchange.
type Wire = (usize, Exchange);

#[derive(Clone, Debug)]
enum Coming {
    Request(Wire, Request<Bytes>),
    Answer(Wire, Piece),
    Hangup(Exchange),
    Work(Scope, RequestId),
    Call(usize, u32),
    Close(usize),
    Forget,
}

#[derive(Clone, Debug)]
enum Piece {
    Head(response::Parts),
    Body(Bytes),
    End,
    Failure,
}

/// One request and its answer.
#[derive(Clone, Debug)]
struct Connection {
    at_server: Option<Exchange>,
    /// Nothing arrives before this: what travels one way stays in order.
    last: Instant,
    delay: Duration,
    is_cut: bool,
    /// What has arrived of the body.
    heard: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Work {
    total: u32,
    done: u32,
}

/// Steps of a world that is in order; more and it goes round in circles.
const MAX_STEPS: usize = 2_000_000;

impl World {
    pub fn new(plan: Plan) -> Self {
        let now = Instant::ZERO + Duration::from_secs(1);
        let mut random = Random::new(plan.seed);
        let choices = Revision::ALL;
        let mut choose = |count: usize| usize::try_from(random.below(count as u64)).unwrap_or(0);
        let ends = (0..plan.clients)
            .map(|at| {
                let revision = plan.revision.unwrap_or_else(|| choices[choose(choices.len())]);
                End::spread(revision, plan.seed.wrapping_add(at as u64), now)
            })
            .collect();
        let mut config = ServerConfig::new("s", "1");
        match plan.pace {
            Pace::Slow => {}
            Pace::Merged => config = config.pacing(Pacing::default().burst(2)),
            Pace::Unpaced => config = config.pacing(Pacing::UNLIMITED),
        }
        let server = Server::new(config, ServerOptions::default().http_sse());
        let mut world = Self {
            plan,
            random,
            now,
            ends,
            server,
            coming: BTreeMap::new(),
            count: 0,
            wires: BTreeMap::new(),
            answers: BTreeMap::new(),
            works: BTreeMap::new(),
            questions: BTreeMap::new(),
            sessions: Vec::new(),
            counts: Counts::default(),
        };
        for end in 0..plan.clients {
            for _ in 0..plan.calls {
                let total = 1 + world.below(plan.reports.into());
                let late = if plan.losses > 0 { 20_000 } else { 3_000 };
                let at = now + Duration::from_millis(world.below(late));
                world.put(at, Coming::Call(end, u32::try_from(total).unwrap_or(1)));
            }
            world.put(now + Duration::from_secs(1_800), Coming::Close(end));
        }
        for _ in 0..plan.losses {
            let at = now + Duration::from_millis(200 + world.below(15_000));
            world.put(at, Coming::Forget);
        }
        world
    }

    /// Runs to the end and judges.
    pub fn run(mut self) -> Counts {
        for _ in 0..MAX_STEPS {
            self.settle();
            let Some(next) = self.next() else {
                self.judge();
                return self.counts;
            };
            self.now = self.now.max(next);
            match self.coming.first_key_value() {
                Some((key, _)) if key.0 <= self.now => {
                    let key = *key;
                    let coming = self.coming.remove(&key).expect("it is there");
                    self.arrive(coming);
                }
                _ => {
                    self.server.handle_timeout(self.now);
                    for end in &mut self.ends {
                        end.client.handle_timeout(self.now);
                    }
                }
            }
        }
        panic!("it goes round in circles");
    }

    fn next(&mut self) -> Option<Instant> {
        let coming = self.coming.keys().next().map(|(at, _)| *at);
        let is_over = self.ends.iter().all(|end| end.client.is_finished()) && coming.is_none();
        let timers = self.ends.iter().filter_map(|end| end.client.poll_timeout());
        let timers = timers.chain(self.server.poll_timeout()).min();
        if is_over { None } else { coming.into_iter().chain(timers).min() }
    }

    fn judge(&mut self) {
        let weather = Weather {
            is_cut: self.counts.cuts > 0,
            is_forgetful: self.counts.forgotten > 0,
            merges: self.plan.pace == Pace::Merged,
        };
        for end in &self.ends {
            end.judge(weather);
            self.counts.answered += end.answered;
            self.counts.reopened += end.sessions.saturating_sub(1);
            let calls = end.calls.values().filter(|call| call.outcome == Some(Ok(())));
            let merged = calls.map(|call| u64::from(call.total) - call.reports.len() as u64);
            self.counts.merged += merged.sum::<u64>();
        }
        // What nobody came back for is forgotten in time.
        for _ in 0..1_000 {
            let Some(at) = self.server.poll_timeout() else { break };
            self.now = self.now.max(at);
            self.server.handle_timeout(self.now);
            self.settle();
        }
        assert_eq!((self.server.sessions(), self.server.requests_in_flight()), (0, 0));
        assert!(self.works.is_empty(), "{:?}", self.works);
        assert!(self.questions.values().all(|question| question.has_ended), "one never ended");
    }

    // What arrives.

    fn arrive(&mut self, coming: Coming) {
        let now = self.now;
        match coming {
            Coming::Request(wire, request) => self.ask(wire, request),
            Coming::Answer(wire, piece) => self.hear(wire, piece),
            Coming::Hangup(exchange) => {
                self.answers.remove(&exchange);
                self.server.handle_disconnect(exchange, now);
            }
            Coming::Work(scope, id) => self.work(scope, id),
            Coming::Call(end, total) => self.ends[end].call(total, now),
            Coming::Close(end) => self.ends[end].client.close(now),
            Coming::Forget => self.forget(),
        }
    }

    /// A session is of use, and may be forgotten. HTTP+SSE has no way to come back.
    fn note_session(&mut self, scope: Scope) {
        let peer = self.server.endpoint(scope).and_then(|endpoint| endpoint.peer());
        if peer.is_some_and(|peer| peer.revision > Revision::V2024_11_05)
            && !self.sessions.contains(&scope)
        {
            self.sessions.push(scope);
        }
    }

    /// The server forgets one of its sessions.
    fn forget(&mut self) {
        let now = self.now;
        let server = &self.server;
        let open = |scope: &&Scope| server.endpoint(**scope).is_some_and(|it| !it.is_closed());
        let open: Vec<_> = self.sessions.iter().filter(open).copied().collect();
        if open.is_empty() {
            return;
        }
        let chosen = open[usize::try_from(self.below(open.len() as u64)).unwrap_or(0)];
        self.server.endpoint_mut(chosen).expect("it is open").close(now);
        self.counts.forgotten += 1;
    }

    fn ask(&mut self, wire: Wire, request: Request<Bytes>) {
        let Some(connection) = self.wires.get_mut(&wire) else { return };
        let is_cut = connection.is_cut;
        let (head, body) = request.into_parts();
        let admission = match self.server.handle_head(&head) {
            Ok(admission) => admission,
            Err(refusal) => panic!("{} {} was refused: {refusal:?}", head.method, head.uri),
        };
        let mut seed = [0; 24];
        for chunk in seed.chunks_mut(8) {
            chunk.copy_from_slice(&self.random.next_u64().to_le_bytes());
        }
        let request = Request::from_parts(head, body);
        let caller = Caller::default().seed(seed);
        let exchange = self.server.handle_request(admission, request, caller, self.now).unwrap();
        if is_cut {
            // It was sent, but nobody waits any more.
            self.put(self.now, Coming::Hangup(exchange));
            return;
        }
        connection.at_server = Some(exchange);
        self.answers.insert(exchange, wire);
    }

    fn hear(&mut self, wire: Wire, piece: Piece) {
        let (now, end) = (self.now, &mut self.ends[wire.0]);
        let Some(connection) = self.wires.get_mut(&wire) else { return };
        let is_last = matches!(piece, Piece::End | Piece::Failure);
        match piece {
            Piece::Head(head) => end.client.handle_head(wire.1, &head, now),
            Piece::Body(bytes) => {
                connection.heard.extend_from_slice(&bytes);
                end.heard(wire.1, &connection.heard);
                end.client.handle_body(wire.1, &bytes, now);
            }
            Piece::End => end.client.handle_end(wire.1, now),
            Piece::Failure => end.client.handle_failure(wire.1, now),
        }
        if is_last {
            self.wires.remove(&wire);
        }
    }

    fn work(&mut self, scope: Scope, id: RequestId) {
        let now = self.now;
        let Some(work) = self.works.get_mut(&(scope, id.clone())) else { return };
        let Some(endpoint) = self.server.endpoint_mut(scope) else {
            self.works.remove(&(scope, id));
            return;
        };
        if work.done < work.total && self.random.below(1_000) < self.plan.asks {
            let timeouts = Timeouts::NEVER.total(Duration::from_secs(20));
            let options = CallOptions::default().related(id.clone()).timeouts(timeouts);
            // A modern server asks nothing.
            if let Ok(asked) = endpoint.request_raw("roots/list", None, options, now) {
                let question = Question { by: id, has_ended: false };
                assert!(self.questions.insert((scope, asked), question).is_none());
                return;
            }
        }
        if work.done == work.total {
            self.works.remove(&(scope, id.clone()));
            let _ = endpoint.respond(&id, &CallToolResult::text("done"), now);
            return;
        }
        work.done += 1;
        let progress = Progress::new(f64::from(work.done)).of(f64::from(work.total));
        endpoint.report(&id, progress, Weight::Ordinary, now).expect("it increases");
        let pause = match self.plan.pace {
            Pace::Slow => Duration::from_millis(60 + self.random.below(400)),
            Pace::Merged | Pace::Unpaced => Duration::from_micros(self.random.below(5_000)),
        };
        self.put(now + pause, Coming::Work(scope, id));
    }

    // What the machines want.

    fn settle(&mut self) {
        loop {
            let mut again = false;
            for end in 0..self.ends.len() {
                while let Some(event) = self.ends[end].client.poll_event() {
                    again = true;
                    self.ends[end].note(&event, self.now);
                }
                while let Some(transmit) = self.ends[end].client.poll_transmit() {
                    again = true;
                    match transmit {
                        Transmit::Open { exchange, request } => self.send((end, exchange), request),
                        Transmit::Abort(exchange) => self.abort((end, exchange)),
                    }
                }
            }
            while let Some((scope, event)) = self.server.poll_event() {
                again = true;
                self.serve(scope, event);
            }
            while let Some(exchange) = self.server.poll_ready() {
                again = true;
                self.answer(exchange);
            }
            if !again {
                return;
            }
        }
    }

    fn send(&mut self, wire: Wire, request: Request<Bytes>) {
        self.ends[wire.0].open(wire.1, &request);
        self.counts.resumed += u64::from(request.headers().contains_key("last-event-id"));
        let delay = self.plan.delay.as_micros() as u64;
        let delay = Duration::from_micros(1 + self.below(delay));
        let connection =
            Connection { at_server: None, last: self.now, delay, is_cut: false, heard: Vec::new() };
        self.wires.insert(wire, connection);
        if self.breaks(wire.0) {
            // It may have arrived or not.
            if self.below(2) == 0 {
                self.put(self.now + delay, Coming::Request(wire, request));
            }
            self.cut(wire);
            return;
        }
        self.put(self.now + delay, Coming::Request(wire, request));
    }

    fn abort(&mut self, wire: Wire) {
        if let Some(connection) = self.wires.get_mut(&wire) {
            connection.is_cut = true;
            let (at_server, delay) = (connection.at_server, connection.delay);
            if let Some(exchange) = at_server {
                self.put(self.now + delay, Coming::Hangup(exchange));
            }
        }
        // Nothing of it is told any more.
        self.coming.retain(|_, coming| !matches!(coming, Coming::Answer(of, _) if *of == wire));
    }

    /// A connection breaks: the client hears of it behind what has come so far, the server later.
    fn cut(&mut self, wire: Wire) {
        self.counts.cuts += 1;
        let Some(connection) = self.wires.get_mut(&wire) else { return };
        connection.is_cut = true;
        let (at_server, delay) = (connection.at_server, connection.delay);
        self.deliver(wire, Piece::Failure);
        if let Some(exchange) = at_server {
            self.put(self.now + delay, Coming::Hangup(exchange));
        }
    }

    fn answer(&mut self, exchange: Exchange) {
        if let Some(head) = self.server.poll_head(exchange) {
            self.reply(exchange, Piece::Head(head.into_parts().0));
        }
        while let Some(body) = self.server.poll_body(exchange) {
            match body {
                Body::Chunk(mut bytes) => {
                    while !bytes.is_empty() {
                        let length = 1 + self.below(bytes.len() as u64);
                        let piece = bytes.split_to(usize::try_from(length).unwrap_or(1));
                        self.reply(exchange, Piece::Body(piece));
                    }
                }
                Body::End => {
                    self.reply(exchange, Piece::End);
                    self.answers.remove(&exchange);
                    return;
                }
                Body::Broken => {
                    self.reply(exchange, Piece::Failure);
                    self.answers.remove(&exchange);
                    return;
                }
            }
        }
    }

    fn reply(&mut self, exchange: Exchange, piece: Piece) {
        let Some(wire) = self.answers.get(&exchange).copied() else { return };
        if self.wires.get(&wire).is_none_or(|connection| connection.is_cut) {
            return;
        }
        if self.breaks(wire.0) {
            return self.cut(wire);
        }
        self.deliver(wire, piece);
    }

    fn deliver(&mut self, wire: Wire, piece: Piece) {
        let Some(connection) = self.wires.get_mut(&wire) else { return };
        connection.last = connection.last.max(self.now + connection.delay);
        let at = connection.last;
        self.put(at, Coming::Answer(wire, piece));
    }

    fn serve(&mut self, scope: Scope, event: Event) {
        match event {
            Event::Request { id, method, params } if method.as_str() == "tools/call" => {
                let total =
                    params.as_ref().and_then(|params| params.get_in(&["arguments", "total"]));
                let total = total.and_then(|total| total.as_f64()).expect("a number") as u32;
                self.works.insert((scope, id.clone()), Work { total, done: 0 });
                self.note_session(scope);
                self.put(self.now, Coming::Work(scope, id));
            }
            Event::Request { id, .. } => {
                let endpoint = self.server.endpoint_mut(scope).expect("it asks");
                let _ = endpoint.fail(&id, &ErrorObject::method_not_found(), self.now);
            }
            Event::Cancelled { id, .. } => {
                self.works.remove(&(scope, id.clone()));
                if let Some(endpoint) = self.server.endpoint_mut(scope) {
                    endpoint.abandon(&id, self.now);
                }
            }
            Event::Response { id, outcome } => {
                let question = self.questions.get_mut(&(scope, id.clone())).expect("it was asked");
                assert!(!std::mem::replace(&mut question.has_ended, true), "{id} ended twice");
                let is_calm = self.counts.cuts == 0 && self.counts.forgotten == 0;
                assert!(outcome.is_ok() || !is_calm, "{id} ended with {outcome:?}");
                let by = question.by.clone();
                self.put(self.now, Coming::Work(scope, by));
            }
            Event::Violation(Violation::LateResponse(_)) if self.counts.cuts > 0 => {}
            Event::Violation(violation) => panic!("a client broke the protocol: {violation}"),
            _ => {}
        }
    }

    // Chance.

    fn below(&mut self, end: u64) -> u64 {
        self.random.below(end)
    }

    /// Whether what travels now is the last of its connection. Handshakes are spared.
    fn breaks(&mut self, end: usize) -> bool {
        let is_calm = !self.ends[end].is_ready || self.ends[end].client.is_closed();
        self.below(1_000) < self.plan.cuts && !is_calm
    }

    fn put(&mut self, at: Instant, coming: Coming) {
        self.count += 1;
        self.coming.insert((at, self.count), coming);
    }
}
