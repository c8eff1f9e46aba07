//! Connections: each has a delay and a reader of its own, so that streams overtake each other, and breaks at any moment,
//! mostly so that both ends hear of it.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode, response};
use mcp_proto::Instant;
use mcp_proto::http::{Body, Caller, Exchange};
use mcp_proto::testing::Random;

use super::ends::Carried;
use super::heard::{Heard, Said};
use super::plan::{Lot, Plan, RING, below, pick};
use super::world::{Coming, World};
use crate::http_hand::{header, method_of};
use crate::{millis, secs};

/// A client and its exchange.
pub(super) type Wire = (usize, Exchange);

/// A server and its exchange.
pub(super) type Port = (usize, Exchange);

/// How long it takes until a system says that the other end of a connection has vanished.
const VANISHED: Duration = secs(150);

/// Bytes that a connection with an eager reader has room for.
const WIDE: usize = 64 << 10;

#[derive(Clone, Debug)]
pub(super) enum Piece {
    Head(response::Parts),
    Body(Bytes),
    End,
    Failure,
}

/// One request and its answer.
#[derive(Debug)]
pub(super) struct Connection {
    random: Random,
    at_server: Option<Port>,
    /// Nothing arrives before this: what travels one way stays in order.
    last: Instant,
    delay: Duration,
    line: Line,
    reader: Reader,
    /// The client takes nothing before this.
    reads_at: Instant,
    /// What arrived, and was not taken.
    unread: VecDeque<Piece>,
    /// Bytes that the server gave and the client did not take, and as many as there is room for.
    underway: usize,
    room: usize,
    /// The server may have more, and there is no room.
    is_blocked: bool,
    heard: Heard,
    /// When the client took something of the body last.
    heard_at: Instant,
    is_stream: bool,
    /// Nothing may befall it.
    is_spared: bool,
    /// It takes a stream up again; and whether what followed was still kept, if that was looked for.
    resumes: bool,
    was_kept: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Line {
    Whole,
    /// Nothing more goes through, and both ends are told.
    Cut,
    /// The same, and nobody is.
    Dead,
}

/// How the client takes what comes.
#[derive(Clone, Copy, Debug)]
enum Reader {
    Eager,
    /// With a pause behind each piece.
    Slow(Duration),
    /// It stops behind so many bytes, for so long.
    Stops(usize, Duration),
}

impl Connection {
    fn new(plan: &Plan, end: usize, number: u64, is_spared: bool, now: Instant) -> Self {
        let mut random = plan.lot(Lot::Connection, end, number);
        let delay = Duration::from_micros(1 + random.below(plan.delay.as_micros() as u64));
        let is_victim = plan.is_victim(end) && !is_spared;
        let is_harmed = random.below(1_000) < plan.faults.stalls && is_victim;
        let (reader, room) = match random.below(4) {
            _ if !is_harmed => (Reader::Eager, WIDE),
            0 => (Reader::Slow(millis(pick(&mut random, [5, 20, 100, 300]))), 300),
            _ => {
                let time = secs(pick(&mut random, [5, 20, 29, 100]));
                let room = pick(&mut random, [1, 300, 2_000, WIDE]);
                (Reader::Stops(pick(&mut random, [0, 1, 200, 1_000]), time), room)
            }
        };
        Self {
            random,
            at_server: None,
            last: now,
            delay,
            line: Line::Whole,
            reader,
            reads_at: now,
            unread: VecDeque::new(),
            underway: 0,
            room,
            is_blocked: false,
            heard: Heard::default(),
            heard_at: now,
            is_stream: false,
            is_spared,
            resumes: false,
            was_kept: None,
        }
    }

    /// The reader has taken something: when it takes more. How long it stands still, if it does so now.
    fn rest(&mut self, len: usize, now: Instant) -> Option<Duration> {
        self.underway -= len;
        match &mut self.reader {
            Reader::Eager => None,
            Reader::Slow(pause) => {
                self.reads_at = now + *pause;
                None
            }
            Reader::Stops(behind, _) if *behind > len => {
                *behind -= len;
                None
            }
            Reader::Stops(_, time) => {
                let time = *time;
                self.reads_at = now + time;
                self.reader = Reader::Eager;
                Some(time)
            }
        }
    }
}

impl World {
    /// A client sends a request.
    pub(super) fn send(&mut self, wire: Wire, request: Request<Bytes>) {
        self.ends[wire.0].open(wire.1, &request);
        self.sent[wire.0] += 1;
        // A server gives up a session whose handshake it has not heard the end of.
        let ends_handshake = method_of(&request) == "notifications/initialized";
        let is_spared = ends_handshake || self.is_spared(wire.0);
        let number = self.sent[wire.0];
        let mut connection = Connection::new(&self.plan, wire.0, number, is_spared, self.now);
        if !matches!(connection.reader, Reader::Eager) {
            self.ends[wire.0].slow_down(wire.1);
        }
        connection.resumes = header(&request, "last-event-id").is_some();
        self.counts.resumed += u64::from(connection.resumes);
        let at = self.now + connection.delay;
        // If it breaks at once it may have arrived or not.
        let arrives = connection.random.below(2) == 0;
        self.wires.insert(wire, connection);
        let breaks = self.breaks(wire);
        if breaks.is_none() || arrives {
            self.put(at, Coming::Request(wire, request));
        }
        if let Some(line) = breaks {
            self.cut(wire, line);
        }
    }

    /// A client closes a connection.
    pub(super) fn abort(&mut self, wire: Wire) {
        // Nothing of it is told any more.
        let Some(connection) = self.wires.remove(&wire) else { return };
        if let Some(port) = connection.at_server
            && connection.line == Line::Whole
        {
            self.put(self.now + connection.delay, Coming::Hangup(port));
        }
    }

    /// Whether nothing may befall a client now: handshakes are spared.
    fn is_spared(&self, end: usize) -> bool {
        let end = &self.ends[end];
        self.is_calm || !end.is_ready || end.client.is_closed()
    }

    /// How a connection breaks with what travels now, if it does.
    fn breaks(&mut self, wire: Wire) -> Option<Line> {
        let (is_spared, faults) = (self.is_spared(wire.0), &self.plan.faults);
        let connection = self.wires.get_mut(&wire)?;
        let lots = [(); 2].map(|()| connection.random.below(1_000));
        let is_spared = is_spared || connection.is_spared;
        let breaks = !is_spared && self.plan.is_victim(wire.0) && lots[0] < faults.cuts;
        let line = if lots[1] < faults.holes { Line::Dead } else { Line::Cut };
        breaks.then_some(line)
    }

    /// A connection breaks. If that is told, the client hears of it behind what has come so far, and the server later.
    fn cut(&mut self, wire: Wire, line: Line) {
        let Some(connection) = self.wires.get_mut(&wire) else { return };
        connection.line = line;
        let (at_server, delay) = (connection.at_server, connection.delay);
        self.ends[wire.0].harm(wire.1);
        let told = match line {
            Line::Dead => {
                self.counts.holes += 1;
                self.put(self.now + VANISHED, Coming::Vanished(wire));
                VANISHED
            }
            _ => {
                self.counts.cuts += 1;
                self.deliver(wire, Piece::Failure);
                delay
            }
        };
        if let Some(port) = at_server {
            self.put(self.now + told, Coming::Hangup(port));
        }
    }

    /// The system of the client says that the other end has vanished.
    pub(super) fn vanished(&mut self, wire: Wire) {
        if let Some(connection) = self.wires.remove(&wire) {
            // Who read slowly has heard something until then.
            let is_silent = connection.heard_at + self.plan.silence < self.now;
            let is_noticed = !connection.heard.is_watched() || !is_silent;
            assert!(is_noticed, "a client did not notice that it heard nothing");
            self.ends[wire.0].client.handle_failure(wire.1, self.now);
            self.touch(wire.0);
        }
    }

    /// A request arrives.
    pub(super) fn ask(&mut self, wire: Wire, request: Request<Bytes>) {
        self.asked[wire.0] += 1;
        let home = self.home_of(wire.0);
        let host = &mut self.hosts[home];
        let now = host.clock(self.now);
        let (head, body) = request.into_parts();
        let admission = match host.server.handle_head(&head) {
            Ok(admission) => admission,
            Err(refusal) => panic!("{} {} was refused: {refusal:?}", head.method, head.uri),
        };
        let mut random = self.plan.lot(Lot::Request, wire.0, self.asked[wire.0]);
        let mut seed = [0; 24];
        for chunk in seed.chunks_mut(8) {
            chunk.copy_from_slice(&random.next_u64().to_le_bytes());
        }
        let mut caller = Caller::default().seed(seed);
        if let Some(principal) = self.principals[wire.0] {
            caller = caller.principal(principal);
        }
        if random.below(16) == 0 && head.headers.contains_key("mcp-session-id") {
            self.counts.strangers += 1;
            let stranger = Request::from_parts(head.clone(), body.clone());
            host.turn_away(admission.clone(), stranger, now);
        }
        let request = Request::from_parts(head, body);
        host.take_asked();
        let exchange = host.server.handle_request(admission, request, caller, now).unwrap();
        let port = (home, exchange);
        let was_kept = host.take_asked();
        let Some(connection) = self.wires.get_mut(&wire) else {
            // It was sent, but nobody waits any more.
            return self.put(self.now, Coming::Hangup(port));
        };
        connection.at_server = Some(port);
        connection.was_kept = was_kept;
        let told = match connection.line {
            Line::Whole => None,
            Line::Cut => Some(self.now),
            Line::Dead => Some(self.now + VANISHED),
        };
        self.answers.insert(port, wire);
        if let Some(at) = told {
            self.put(at, Coming::Hangup(port));
        }
    }

    /// The server hears that a connection is over.
    pub(super) fn hang_up(&mut self, port: Port) {
        self.answers.remove(&port);
        let host = &mut self.hosts[port.0];
        host.server.handle_disconnect(port.1, host.clock(self.now));
    }

    /// The server has something for a connection: it goes out as far as there is room.
    pub(super) fn answer(&mut self, port: Port) {
        loop {
            let wire = self.answers.get(&port).copied();
            let connection = wire.and_then(|wire| self.wires.get_mut(&wire));
            if let Some(connection) = connection {
                connection.is_blocked = connection.underway >= connection.room;
                if connection.is_blocked {
                    return;
                }
            }
            let server = &mut self.hosts[port.0].server;
            if let Some(head) = server.poll_head(port.1) {
                self.reply(wire, Piece::Head(head.into_parts().0));
            }
            match self.hosts[port.0].server.poll_body(port.1) {
                Some(Body::Chunk(mut bytes)) => {
                    while !bytes.is_empty() {
                        let connection = wire.and_then(|wire| self.wires.get_mut(&wire));
                        let length = connection
                            .map_or(bytes.len(), |it| 1 + below(&mut it.random, bytes.len()));
                        self.reply(wire, Piece::Body(bytes.split_to(length)));
                    }
                }
                Some(Body::End) => {
                    self.reply(wire, Piece::End);
                    self.answers.remove(&port);
                    return;
                }
                Some(Body::Broken) => {
                    self.counts.given_up += 1;
                    if let Some(wire) = wire {
                        self.ends[wire.0].harm(wire.1);
                    }
                    self.reply(wire, Piece::Failure);
                    self.answers.remove(&port);
                    return;
                }
                None => return,
            }
        }
    }

    fn reply(&mut self, wire: Option<Wire>, piece: Piece) {
        let Some(wire) = wire else { return };
        let Some(connection) = self.wires.get_mut(&wire) else { return };
        if let Piece::Body(bytes) = &piece {
            connection.underway += bytes.len();
        }
        if matches!(piece, Piece::End | Piece::Failure) {
            connection.at_server = None;
        }
        if connection.line != Line::Whole {
            return;
        }
        match self.breaks(wire) {
            Some(line) => self.cut(wire, line),
            None => self.deliver(wire, piece),
        }
    }

    fn deliver(&mut self, wire: Wire, piece: Piece) {
        let Some(connection) = self.wires.get_mut(&wire) else { return };
        connection.last = connection.last.max(self.now + connection.delay);
        let at = connection.last;
        self.put(at, Coming::Answer(wire, piece));
    }

    /// A piece of an answer arrives; the client takes it when it takes something.
    pub(super) fn arrive(&mut self, wire: Wire, piece: Piece) {
        let Some(connection) = self.wires.get_mut(&wire) else { return };
        connection.unread.push_back(piece);
        if connection.unread.len() == 1 {
            if connection.reads_at <= self.now || self.is_calm {
                return self.read(wire);
            }
            let at = connection.reads_at;
            self.put(at, Coming::Read(wire));
        }
    }

    /// The client takes a piece.
    pub(super) fn read(&mut self, wire: Wire) {
        let now = self.now;
        let Some(connection) = self.wires.get_mut(&wire) else { return };
        let Some(piece) = connection.unread.pop_front() else { return };
        let len = if let Piece::Body(bytes) = &piece { bytes.len() } else { 0 };
        let stops = connection.rest(len, now).filter(|_| !self.is_calm);
        let port = connection.at_server.filter(|_| connection.is_blocked);
        let next = if self.is_calm { now } else { now.max(connection.reads_at) };
        let has_more = !connection.unread.is_empty();
        self.hear(wire, piece);
        if let Some(time) = stops {
            self.counts.stalls += 1;
            self.ends[wire.0].is_harmed = true;
            self.put(now + time, Coming::Wakes(wire, now));
        }
        if has_more {
            self.put(next, Coming::Read(wire));
        }
        if let Some(port) = port {
            self.answer(port);
        }
    }

    /// A reader that stood still goes on. What waited for it was within its limit, and it held up nobody else.
    pub(super) fn wakes(&mut self, wire: Wire, since: Instant) {
        if let Some(connection) = self.wires.get(&wire)
            && connection.is_blocked
            && let Some((host, exchange)) = connection.at_server
        {
            self.counts.full += 1;
            let calls = match self.ends[wire.0].carries.get(&wire.1) {
                Some(Carried::Call(_)) => 1,
                Some(Carried::All) | None => self.plan.calls,
            };
            self.hosts[host].weigh(exchange, calls, &self.plan);
        }
        let others = self.ended.iter().rev().take_while(|(at, _)| *at > since);
        self.counts.meanwhile += others.filter(|(_, end)| *end != wire.0).count() as u64;
    }

    fn hear(&mut self, wire: Wire, piece: Piece) {
        self.touch(wire.0);
        let (now, end) = (self.now, &mut self.ends[wire.0]);
        let Some(connection) = self.wires.get_mut(&wire) else { return };
        match &piece {
            Piece::Head(head) => {
                let media = head.headers.get(CONTENT_TYPE);
                connection.is_stream = media.is_some_and(|media| media == "text/event-stream");
                if connection.resumes {
                    let was_kept = connection.was_kept;
                    self.judge_return(wire, head.status, was_kept);
                }
                self.ends[wire.0].client.handle_head(wire.1, head, now);
            }
            Piece::Body(bytes) => {
                connection.heard_at = now;
                let events = connection.heard.push(bytes);
                events.into_iter().for_each(|said| end.heard(wire.1, said));
                end.client.handle_body(wire.1, bytes, now);
            }
            Piece::End => {
                if !connection.is_stream {
                    let data = String::from_utf8_lossy(connection.heard.rest()).into_owned();
                    end.heard(wire.1, Said { place: None, data });
                }
                end.client.handle_end(wire.1, now);
            }
            Piece::Failure => end.client.handle_failure(wire.1, now),
        }
        if matches!(piece, Piece::End | Piece::Failure) {
            self.wires.remove(&wire);
        }
    }

    /// A stream is taken up again exactly if what followed is still kept.
    fn judge_return(&mut self, wire: Wire, status: StatusCode, was_kept: Option<bool>) {
        let end = &mut self.ends[wire.0];
        match status {
            StatusCode::OK => assert_ne!(was_kept, Some(false), "there is a gap"),
            StatusCode::BAD_REQUEST => {
                self.counts.refused += 1;
                let call = end.call_of(wire.1);
                let answered_at = call.as_ref().and_then(|call| call.answered_at);
                let is_old =
                    answered_at.is_some_and(|at| at + self.plan.replay_timeout <= self.now);
                let is_gone = was_kept == Some(false) && self.plan.ring < RING;
                assert!(is_gone || is_old, "refused, and it was there");
                if let Some(call) = call {
                    call.is_refused = true;
                }
            }
            // The session is gone.
            StatusCode::NOT_FOUND => assert!(self.counts.forgotten > 0, "who forgot it?"),
            _ => panic!("a stream is not taken up again: {status}"),
        }
    }
}
