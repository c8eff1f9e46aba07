//! Two ends that talk to each other, in any order of everything that can happen.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use super::operation::{Operation, PairSchedule, PairStep};
use super::record::{Answer, Deed, Ending, FIRST_CODE};
use super::solo::{client_config, limits, met, server_config};
use super::watched::Watched;
use crate::config::ClientConfig;
use crate::error::{CallError, CloseReason, ErrorObject, Violation};
use crate::event::Event;
use crate::id::RequestId;
use crate::json::RawJson;
use crate::progress::Weight;
use crate::role::{Client, Role, Server};
use crate::stdio::Connection;
use crate::testing::End;
use crate::time::Instant;

impl PairSchedule {
    /// Does every step and checks at each end what [`Watched`] promises; and between the two:
    ///
    /// - neither finds fault with the other, except with what crossed a cancel or a deadline on its way;
    /// - the handshake times out only when that is due, and if its answer had not arrived in time;
    /// - a call that is answered gets what was answered to it and nothing else, behind every report that was
    ///   to come before, the last one and every milestone included;
    /// - when nothing is cut, lost or late any more, everything ends without time passing, and all tables are
    ///   empty.
    ///
    /// # Panics
    ///
    /// If a promise is broken.
    pub fn run(&self) {
        self.run_restored(0);
    }

    /// As [`run`](Self::run), and after so many steps each time an end is replaced by what its snapshot becomes.
    ///
    /// # Panics
    ///
    /// If a promise is broken.
    pub fn run_restored(&self, every: u8) {
        let mut two = Two::new(self, every);
        for step in &self.steps {
            two.step(step);
        }
        two.finish();
    }
}

struct Two {
    client: Watched<Client>,
    server: Watched<Server>,
    to_server: Pipe,
    to_client: Pipe,
    /// What became of each call, by its number: those of the client, and those of the server.
    of_client: BTreeMap<u64, Errand>,
    of_server: BTreeMap<u64, Errand>,
    now: Instant,
    /// A line that the client has heard in part, while it waits for the answer to its `initialize`.
    half: Vec<u8>,
    /// When that answer had arrived.
    opened: Option<Instant>,
    /// A stream was cut or a transport failed: what is on its way may be lost.
    is_broken: bool,
}

/// What is on its way in one direction.
#[derive(Default)]
struct Pipe {
    bytes: Vec<u8>,
    /// What is written now is lost, and the end follows what is on its way.
    is_cut: bool,
    /// The end has arrived.
    is_over: bool,
}

/// One call, seen from both ends.
#[derive(Default)]
struct Errand {
    /// What was reported, as far as it has to arrive: every milestone, and the last value.
    milestones: Vec<f64>,
    last: Option<f64>,
    /// How often the value that leaves may have been lifted above that of the tool.
    heartbeats: u32,
    answer: Option<Answer>,
    /// What arrived.
    seen: Vec<f64>,
}

impl Two {
    fn new(plan: &PairSchedule, every: u8) -> Self {
        let now = BEGAN;
        let client = client_config(plan.revision, plan.probes);
        let server = server_config(plan.paced);
        let (client, server) = if plan.met {
            let pair = met(client, server, now);
            (pair.client, pair.server)
        } else {
            (Connection::client(client, now), Connection::server(server))
        };
        Self {
            client: Watched::client(client, now).restored_every(every),
            server: Watched::server(server, now).restored_every(every),
            to_server: Pipe::default(),
            to_client: Pipe::default(),
            of_client: BTreeMap::new(),
            of_server: BTreeMap::new(),
            now,
            half: Vec::new(),
            opened: None,
            is_broken: false,
        }
    }

    fn step(&mut self, step: &PairStep) {
        match step {
            PairStep::Client(operation) => self.apply(End::Client, operation),
            PairStep::Server(operation) => self.apply(End::Server, operation),
            PairStep::Deliver(to, bytes) => {
                self.deliver(*to, usize::from(*bytes));
            }
            PairStep::Settle => self.settle(),
            PairStep::Pass(millis) => self.now = self.now + Duration::from_millis((*millis).into()),
            PairStep::Jump(late) => {
                let client = self.client.connection().poll_timeout().map(|at| (at, End::Client));
                let server = self.server.connection().poll_timeout().map(|at| (at, End::Server));
                let next = client.into_iter().chain(server).min_by_key(|(at, _)| *at);
                let Some((at, end)) = next else { return };
                self.now = self.now.max(at) + Duration::from_millis((*late).into());
                self.apply(end, &Operation::Wake);
            }
            PairStep::Cut(from) => {
                self.is_broken = true;
                self.pipe_from(*from).is_cut = true;
            }
        }
    }

    fn apply(&mut self, end: End, operation: &Operation) {
        if matches!(operation, Operation::FailTransport) {
            self.is_broken = true;
        }
        match end {
            End::Client => self.client.apply(operation, self.now),
            End::Server => self.server.apply(operation, self.now),
        }
        self.collect();
    }

    /// Brings what an end has done, told and written to where it belongs.
    fn collect(&mut self) {
        let deeds = self.client.take_deeds();
        account(&mut self.of_client, &mut self.of_server, deeds);
        let deeds = self.server.take_deeds();
        account(&mut self.of_server, &mut self.of_client, deeds);
        judge(&mut self.client, &mut self.of_client, self.opened);
        judge(&mut self.server, &mut self.of_server, None);
        forward(&mut self.client, &mut self.to_server);
        forward(&mut self.server, &mut self.to_client);
    }

    /// Lets so many bytes arrive, or the end behind the last. Whether anything did.
    fn deliver(&mut self, to: End, bytes: usize) -> bool {
        let now = self.now;
        let pipe = self.pipe_from(to.peer());
        let count = bytes.min(pipe.bytes.len());
        let arrived: Vec<u8> = pipe.bytes.drain(..count).collect();
        let ends = pipe.bytes.is_empty() && pipe.is_cut && !pipe.is_over;
        pipe.is_over |= ends;
        if to == End::Client {
            self.note_opening(&arrived);
        }
        match to {
            End::Client if count > 0 => self.client.handle_input(&arrived, now),
            End::Server if count > 0 => self.server.handle_input(&arrived, now),
            _ => {}
        }
        match to {
            End::Client if ends => self.client.handle_eof(now),
            End::Server if ends => self.server.handle_eof(now),
            _ => {}
        }
        count > 0 || ends
    }

    /// The client hears these bytes: is its `initialize` answered?
    fn note_opening(&mut self, arrived: &[u8]) {
        if self.opened.is_some() || self.client.connection().peer().is_some() {
            return;
        }
        self.half.extend_from_slice(arrived);
        while let Some(end) = self.half.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.half.drain(..=end).collect();
            if self.client.is_opening(&line) {
                self.opened = Some(self.now);
            }
        }
    }

    /// Everything moves until nothing does; no time passes.
    fn settle(&mut self) {
        for _ in 0..MAX_ROUNDS {
            self.apply(End::Client, &Operation::Drain);
            self.apply(End::Server, &Operation::Drain);
            let moved = self.deliver(End::Server, usize::MAX);
            if !self.deliver(End::Client, usize::MAX) && !moved {
                return;
            }
        }
        panic!("the two ends go on for ever");
    }

    /// From here on nothing goes wrong any more, and no time passes: everything must end.
    fn finish(&mut self) {
        for end in [End::Client, End::Server] {
            self.apply(end, &Operation::Wake);
        }
        self.settle();
        while !(self.client.asked().is_empty() && self.server.asked().is_empty()) {
            self.apply(End::Client, &Operation::Respond(0));
            self.apply(End::Server, &Operation::Respond(0));
            self.settle();
        }
        let (client, server) = (self.client.connection(), self.server.connection());
        for (calls, requests) in [
            (client.calls_in_flight(), client.requests_in_flight()),
            (server.calls_in_flight(), server.requests_in_flight()),
        ] {
            assert_eq!((calls, requests), (0, 0), "open, and nothing can end it");
        }
        let open = [self.client.in_flight(), self.server.in_flight()].concat();
        assert!(open.is_empty(), "calls without an end: {open:?}");
        assert_eq!(
            (client.poll_timeout(), server.poll_timeout()),
            (None, None),
            "still a deadline"
        );
        let both = client.is_closed() == server.is_closed();
        assert!(both, "one end is closed and the other does not know");
        self.client.finish(self.now);
        self.settle();
        self.server.finish(self.now);
        self.collect();
    }

    fn pipe_from(&mut self, end: End) -> &mut Pipe {
        match end {
            End::Client => &mut self.to_server,
            End::Server => &mut self.to_client,
        }
    }
}

/// How often everything may move without an end. An answer may cause an answer, but not for ever.
const MAX_ROUNDS: usize = 1_000;

/// Enters what the application at one end did: into the books of its own calls, or of those of its peer.
fn account(own: &mut BTreeMap<u64, Errand>, of_peer: &mut BTreeMap<u64, Errand>, deeds: Vec<Deed>) {
    for deed in deeds {
        match deed {
            Deed::Called(number, _) => {
                own.insert(number, Errand::default());
            }
            Deed::Reported(number, value, weight) => {
                let Some(errand) = of_peer.get_mut(&number) else {
                    panic!("a report for call {number}, which was never made");
                };
                match weight {
                    Weight::Heartbeat => errand.heartbeats += 1,
                    _ => errand.last = Some(value),
                }
                if weight == Weight::Milestone {
                    errand.milestones.push(value);
                }
            }
            Deed::Answered(number, answer) => {
                let Some(errand) = of_peer.get_mut(&number) else {
                    panic!("an answer to call {number}, which was never made");
                };
                assert_eq!(errand.answer.replace(answer), None, "call {number} was served twice");
            }
        }
    }
}

/// When two ends begin to talk.
const BEGAN: Instant = Instant::from_nanos(1);

/// Looks at what an end was told, whose `initialize` was answered at `opened`.
fn judge<R: Role>(
    end: &mut Watched<R>,
    errands: &mut BTreeMap<u64, Errand>,
    opened: Option<Instant>,
) {
    for event in end.take_events() {
        match event {
            Event::Progress { id, progress } => {
                let is_shared = shares_token(end, &id);
                let (number, errand) = errand_of(end, errands, &id);
                if let Some(message) = progress.message.as_ref().filter(|_| !is_shared) {
                    let named = message.as_str().split(' ').next();
                    assert_eq!(named, Some(&*number.to_string()), "progress of another call");
                }
                errand.seen.push(progress.progress);
            }
            Event::Response { id, outcome } => {
                let is_shared = shares_token(end, &id);
                let (number, errand) = errand_of(end, errands, &id);
                if errand.check_outcome(number, &outcome) && !is_shared {
                    errand.check_reports(number);
                }
            }
            Event::Violation(violation) => {
                assert!(
                    is_crossing(end, &violation),
                    "a fault of a peer that has none: {violation}"
                );
            }
            Event::Closed(reason) => {
                let is_fit = match reason {
                    CloseReason::HandshakeTimeout => {
                        // Later, if it has probed before.
                        let due = BEGAN + ClientConfig::new("", "").handshake_timeout;
                        end.latest() >= due && opened.is_none_or(|opened| opened > due)
                    }
                    // Whether that is true is known where the bytes wait.
                    CloseReason::Stalled
                    | CloseReason::Local
                    | CloseReason::Eof { .. }
                    | CloseReason::Transport => true,
                    _ => false,
                };
                assert!(is_fit, "no reason to close: {reason}");
            }
            _ => {}
        }
    }
}

/// Whether a call goes by a token of the caller's own that an earlier one had, which was given up: what its peer said of
/// that one before it knew counts for this one.
fn shares_token<R: Role>(end: &Watched<R>, id: &RequestId) -> bool {
    let token = end.call_of(id).and_then(|call| call.token.as_ref());
    token.is_some_and(|token| end.has_given_up(token))
}

/// Whether a violation only says that something crossed a cancel or a deadline of this end.
fn is_crossing<R: Role>(end: &Watched<R>, violation: &Violation) -> bool {
    let was_given_up = |id: Option<i64>| {
        let call = id.map(RequestId::from).and_then(|id| end.call_of(&id).cloned());
        // Calls of the engine itself have deadlines too.
        call.is_none_or(|call| call.ending == Some(Ending::GivenUp))
    };
    match violation {
        Violation::LateResponse(id) => was_given_up(id.as_i64()),
        Violation::LateProgress(token) => was_given_up(token.as_i64()) || end.has_given_up(token),
        // A caller's own token leaves nothing behind when its call ends.
        Violation::UnknownToken(token) => end.has_given_up(token),
        Violation::NotIncreasing { id, .. } => shares_token(end, id),
        Violation::TooManyRequests => !end.was_refused_with_room(),
        _ => false,
    }
}

fn errand_of<'a, R: Role>(
    end: &Watched<R>,
    errands: &'a mut BTreeMap<u64, Errand>,
    id: &RequestId,
) -> (u64, &'a mut Errand) {
    let number = end.call_of(id).map(|call| call.number);
    match number.and_then(|number| Some((number, errands.get_mut(&number)?))) {
        Some(found) => found,
        None => panic!("call {id} was never made"),
    }
}

/// What an end has written is on its way.
fn forward<R: Role>(end: &mut Watched<R>, pipe: &mut Pipe) {
    let written = end.take_written();
    if !pipe.is_cut {
        pipe.bytes.extend(written);
    }
    // Whoever is done closes its stream.
    if end.is_over() && !end.has_output() {
        pipe.is_cut = true;
    }
}

impl Errand {
    /// Whether it is an answer of the peer's application, before which all its reports must have come.
    fn check_outcome(&self, number: u64, outcome: &Result<RawJson, CallError>) -> bool {
        match outcome {
            Ok(result) => {
                let text = text_of(result);
                assert_eq!(text, Some(number.to_string()), "the result of another call: {result}");
                assert_eq!(self.answer, Some(Answer::Result), "a result that nobody gave");
            }
            Err(CallError::Peer(error)) if self.answer.is_none() => {
                // The engine at the other end had no room for it.
                assert_eq!(error.code, ErrorObject::INTERNAL_ERROR, "{error}");
                return false;
            }
            Err(CallError::Peer(error)) => match self.answer {
                Some(Answer::Error) => {
                    assert_eq!(error.code, FIRST_CODE.saturating_sub_unsigned(number), "{error}");
                }
                Some(Answer::Abandoned) => assert_eq!(error.code, ErrorObject::INTERNAL_ERROR),
                _ => panic!("call {number} was answered with a result and got {error}"),
            },
            Err(CallError::Protocol(violation)) => {
                panic!("call {number} was answered against the protocol: {violation}")
            }
            // Cancelled, timed out or closed: what was on its way is lost.
            Err(_) => return false,
        }
        true
    }

    /// Everything that had to come before the answer has come.
    fn check_reports(&self, number: u64) {
        if self.heartbeats > 0 {
            // They lift what follows a little, so only order says something, and `Watched` checks that.
            return;
        }
        assert_eq!(
            self.last,
            self.seen.last().copied(),
            "the last report of call {number} was lost"
        );
        if self.milestones.len() <= limits().max_milestones {
            let missing = self.milestones.iter().find(|value| !self.seen.contains(value));
            assert_eq!(missing, None, "a milestone of call {number} was lost");
        }
    }
}

/// The text of a result that is one block of text.
fn text_of(result: &RawJson) -> Option<String> {
    let content = result.get("content")?.items().next()?;
    content.get("text")?.as_str().map(|text| text.into_owned())
}
