//! The clock: what happens when, until everything is over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use mcp_proto::http::{ClientOptions, Server, Transmit};
use mcp_proto::testing::Random;
use mcp_proto::{Event, Instant, RequestId, Revision, RevisionSet, Timeouts};

use super::counts::Counts;
use super::ends::{End, Wish};
use super::host::Host;
use super::judge::Weather;
use super::network::{Connection, Piece, Port, Wire};
use super::plan::{Lot, Pace, Plan, below};
use super::tools::{Question, Talk, Work, arguments};
use crate::{at, millis, secs};

/// Everything.
#[derive(Debug)]
pub struct World {
    pub(super) plan: Plan,
    pub(super) random: Random,
    pub(super) now: Instant,
    pub(super) ends: Vec<End>,
    /// Whose clients they are.
    pub(super) principals: Vec<Option<&'static str>>,
    /// Requests that each has sent, and those that have arrived.
    pub(super) sent: Vec<u64>,
    pub(super) asked: Vec<u64>,
    /// Servers: sessions go from one to the next.
    pub(super) hosts: Vec<Host>,
    /// The one that serves what is new.
    pub(super) home: usize,
    /// What is on its way, by the time of its arrival.
    coming: BTreeMap<(Instant, u64), Coming>,
    count: u64,
    pub(super) wires: BTreeMap<Wire, Connection>,
    /// Whose response an exchange of a server is.
    pub(super) answers: BTreeMap<Port, Wire>,
    pub(super) works: BTreeMap<u64, Work>,
    pub(super) last_work: u64,
    /// Calls that a tool has begun with: the client, and the number there.
    pub(super) begun: BTreeSet<(usize, u64)>,
    /// What tools have asked their clients.
    pub(super) questions: BTreeMap<(Talk, RequestId), Question>,
    /// Sessions that can be lost, those included that are over.
    pub(super) sessions: Vec<Talk>,
    /// When calls have ended, and whose.
    pub(super) ended: Vec<(Instant, usize)>,
    /// Clients that may have something to say.
    touched: Vec<usize>,
    due: Vec<Option<Instant>>,
    /// Calls that are still to be made.
    planned: usize,
    /// Nothing goes wrong any more.
    pub(super) is_calm: bool,
    is_closing: bool,
    pub(super) counts: Counts,
}

/// What is left when everything is over.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs)]
pub struct Over {
    pub counts: Counts,
    pub ends: Vec<End>,
    /// With nothing in them.
    pub servers: Vec<Server>,
}

#[derive(Clone, Debug)]
pub(super) enum Coming {
    Request(Wire, Request<Bytes>),
    Answer(Wire, Piece),
    Read(Wire),
    /// A reader has stood still since then.
    Wakes(Wire, Instant),
    Hangup(Port),
    Vanished(Wire),
    Work(u64),
    Call(usize, Wish),
    Cancel(usize, RequestId),
    Forget,
    Move,
    Calm,
    /// Everything has ended by now.
    Late,
}

/// Steps of a world that is in order; more and it goes round in circles.
const MAX_STEPS: u64 = 2_000_000;

/// How long things go wrong.
const STORM: Duration = secs(600);

/// How long it takes at most until all calls have ended once nothing goes wrong any more.
const LIVENESS: Duration = secs(1_800);

/// Longer than any tool is silent while nothing goes wrong.
const IDLE: Duration = secs(90);

impl World {
    pub fn new(plan: Plan) -> Self {
        let now = at(secs(1));
        let mut world = Self {
            plan,
            random: Random::new(plan.seed),
            now,
            ends: Vec::new(),
            principals: Vec::new(),
            sent: vec![0; plan.clients],
            asked: vec![0; plan.clients],
            hosts: vec![Host::new(&plan, now)],
            home: 0,
            coming: BTreeMap::new(),
            count: 0,
            wires: BTreeMap::new(),
            answers: BTreeMap::new(),
            works: BTreeMap::new(),
            last_work: 0,
            begun: BTreeSet::new(),
            questions: BTreeMap::new(),
            sessions: Vec::new(),
            ended: Vec::new(),
            touched: Vec::new(),
            due: vec![None; plan.clients],
            planned: 0,
            is_calm: false,
            is_closing: false,
            counts: Counts::default(),
        };
        for end in 0..plan.clients {
            world.add_client(end);
        }
        for (count, least, spread, coming) in [
            (plan.faults.losses, 200, 15_000, Coming::Forget),
            (plan.faults.moves, 50, 8_000, Coming::Move),
        ] {
            for _ in 0..count {
                let at = now + millis(least + world.random.below(spread));
                world.put(at, coming.clone());
            }
        }
        world.put(now + STORM, Coming::Calm);
        world.put(now + STORM + LIVENESS, Coming::Late);
        world
    }

    fn add_client(&mut self, end: usize) {
        let plan = self.plan;
        let mut lot = plan.lot(Lot::Client, end, 0);
        let random = &mut lot;
        let revisions = match plan.revision {
            Some(revision) => revision.into(),
            // One that speaks everything has to find out first.
            None => Revision::ALL
                .get(below(random, Revision::ALL.len() + 1))
                .map_or(RevisionSet::ALL, |revision| (*revision).into()),
        };
        let mut options = ClientOptions::default();
        options.spread = Some(random.next_u64());
        options.silence = plan.silence;
        self.ends.push(End::with(revisions, options, self.now));
        // Fewer of each than may have sessions.
        self.principals.push([None, Some("alice"), Some("bob"), Some("carol")][end % 4]);
        for number in 0..plan.calls as u64 {
            let total = 1 + random.below(plan.reports.into()) as u32;
            let is_tracked = random.below(1_000) >= plan.untracked;
            // Nothing is heard of the others before they end.
            let is_timed = is_tracked && random.below(2) == 0;
            let wish = Wish {
                arguments: arguments(end, number, total),
                total,
                is_tracked,
                timeouts: if is_timed { Timeouts::NEVER.idle(IDLE) } else { Timeouts::NEVER },
                patience: (random.below(1_000) < plan.cancels).then(|| millis(random.below(8_000))),
            };
            let at = self.now + millis(random.below(plan.opening.as_millis() as u64));
            self.put(at, Coming::Call(end, wish));
            self.planned += 1;
        }
        self.touch(end);
    }

    /// Runs to the end and judges.
    pub fn run(mut self) -> Over {
        loop {
            self.settle();
            if self.plan.faults.moved_at == Some(self.counts.steps) {
                self.move_sessions();
                self.settle();
            }
            self.close();
            let Some(next) = self.next() else { return self.judge() };
            self.counts.steps += 1;
            assert!(self.counts.steps < MAX_STEPS, "it goes round in circles");
            self.now = self.now.max(next);
            match self.coming.first_entry() {
                Some(first) if first.key().0 <= self.now => {
                    let coming = first.remove();
                    self.happen(coming);
                }
                _ => self.pass(),
            }
        }
    }

    /// Once all calls have ended, clients go.
    fn close(&mut self) {
        let is_over = self.planned == 0 && self.ends.iter().all(End::is_quiet);
        if !is_over || self.is_closing {
            return;
        }
        (self.is_closing, self.is_calm) = (true, true);
        for end in 0..self.ends.len() {
            self.ends[end].client.close(self.now);
            self.touch(end);
        }
        self.settle();
    }

    fn next(&mut self) -> Option<Instant> {
        let is_gone = self.is_closing && self.ends.iter().all(|end| end.client.is_finished());
        let mut coming = self.coming.iter();
        let waits = |coming: &Coming| !matches!(coming, Coming::Calm | Coming::Late);
        if is_gone && !coming.any(|(_, coming)| waits(coming)) {
            return None;
        }
        let first = self.coming.keys().next().map(|(at, _)| *at);
        let due = self.due.iter().flatten().min().copied();
        let hosts = self.hosts.iter_mut().filter_map(Host::due).min();
        first.into_iter().chain(due).chain(hosts).min()
    }

    /// Time has passed.
    fn pass(&mut self) {
        for host in &mut self.hosts {
            if host.due().is_some_and(|at| at <= self.now) {
                host.server.handle_timeout(host.clock(self.now));
            }
        }
        for end in 0..self.ends.len() {
            if self.due[end].is_some_and(|at| at <= self.now) {
                self.ends[end].client.handle_timeout(self.now);
                self.touch(end);
            }
        }
    }

    fn judge(mut self) -> Over {
        let weather = Weather {
            is_forgetful: self.counts.forgotten > 0,
            is_moving: self.counts.moved > 0,
            merges: self.plan.pace == Pace::Merged,
            is_tight: self.plan.is_tight(),
        };
        for end in &self.ends {
            end.judge(weather, &mut self.counts);
            // Who is sent away and told when to come back calls it no outage.
            let is_outage = end.told.iter().any(|(_, told)| told.ends_with("interrupted"));
            assert!(!is_outage || self.is_stormy(), "an outage of a whole network: {:?}", end.told);
        }
        // What nobody came back for is forgotten in time.
        for _ in 0..1_000 {
            let Some(at) = self.hosts.iter_mut().filter_map(Host::due).min() else { break };
            self.now = self.now.max(at);
            self.pass();
            self.settle();
        }
        self.hosts.iter_mut().for_each(Host::judge);
        assert!(self.works.is_empty(), "{:?}", self.works);
        assert!(self.questions.values().all(|question| question.has_ended), "one never ended");
        let servers = self.hosts.into_iter().map(|host| host.server).collect();
        Over { counts: self.counts, ends: self.ends, servers }
    }

    fn happen(&mut self, coming: Coming) {
        match coming {
            Coming::Request(wire, request) => self.ask(wire, request),
            Coming::Answer(wire, piece) => self.arrive(wire, piece),
            Coming::Read(wire) => self.read(wire),
            Coming::Wakes(wire, since) => self.wakes(wire, since),
            Coming::Hangup(port) => self.hang_up(port),
            Coming::Vanished(wire) => self.vanished(wire),
            Coming::Work(number) => self.work(number),
            Coming::Call(end, wish) => self.call(end, &wish),
            Coming::Cancel(end, id) => {
                self.ends[end].cancel(&id, self.now);
                self.touch(end);
            }
            Coming::Forget => self.forget(),
            Coming::Move => self.move_sessions(),
            Coming::Calm => {
                self.is_calm = true;
                // Who stood still goes on.
                let wires: Vec<_> = self.wires.keys().copied().collect();
                wires.into_iter().for_each(|wire| self.put(self.now, Coming::Read(wire)));
            }
            Coming::Late => assert!(self.is_closing, "something has not ended"),
        }
    }

    fn call(&mut self, end: usize, wish: &Wish) {
        self.planned -= 1;
        self.touch(end);
        if let Some(id) = self.ends[end].call(wish, self.now)
            && let Some(patience) = wish.patience
        {
            self.put(self.now + patience, Coming::Cancel(end, id));
        }
    }

    /// Where a client finds its server. One of HTTP+SSE stays where its stream is.
    pub(super) fn home_of(&self, end: usize) -> usize {
        if self.ends[end].revision == Revision::V2024_11_05 { 0 } else { self.home }
    }

    /// Whether something has gone wrong so far.
    pub(super) fn is_stormy(&self) -> bool {
        let Counts { cuts, holes, stalls, forgotten, moved, given_up, .. } = self.counts;
        cuts + holes + stalls + forgotten + moved + given_up > 0
    }

    pub(super) fn touch(&mut self, end: usize) {
        self.touched.push(end);
    }

    pub(super) fn put(&mut self, at: Instant, coming: Coming) {
        self.count += 1;
        self.coming.insert((at, self.count), coming);
    }

    /// What the machines want.
    fn settle(&mut self) {
        while let Some(end) = self.touched.pop() {
            while let Some(event) = self.ends[end].client.poll_event() {
                if let Event::Response { .. } = &event {
                    self.ended.push((self.now, end));
                }
                self.ends[end].note(&event, self.now);
            }
            while let Some(transmit) = self.ends[end].client.poll_transmit() {
                match transmit {
                    Transmit::Open { exchange, request } => self.send((end, exchange), request),
                    Transmit::Abort(exchange) => self.abort((end, exchange)),
                }
            }
            self.due[end] = self.ends[end].client.poll_timeout();
        }
        for host in 0..self.hosts.len() {
            loop {
                if let Some((scope, event)) = self.hosts[host].server.poll_event() {
                    self.serve((host, scope), event);
                } else if let Some(exchange) = self.hosts[host].server.poll_ready() {
                    self.answer((host, exchange));
                } else {
                    break;
                }
            }
        }
    }
}
