//! The state of an endpoint as a value.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Endpoint;
use super::answers::{Answers, Reports};
use super::batches::{Batches, BatchesForm};
use super::calls::{Calls, CallsForm, Purpose};
use super::core::{Core, Phase};
use super::deadlines::Timer;
use super::opening::Held;
use super::outbox::{Origin, Outbox, OutboxForm, Route, SHORTEST};
use super::requests::{InFlight, Outlet, Requests, RequestsForm, Settled};
use crate::config::{ClientConfig, Limits, ServerConfig};
use crate::era::{Life, Lifecycle, Negotiation, Served, Serving};
use crate::event::{Event, PeerInfo};
use crate::id::RequestId;
use crate::method::{Request, Ticket};
use crate::revision::{Era, Revision};
use crate::role::{Client, Role, Server};
use crate::state::{self, Envelope, Moments, RestoreError, check, check_limit, moments};
use crate::time::Instant;

/// The state of an [`Endpoint`], of either role: a value that `serde` writes and reads in any format.
///
/// It holds what both sides have said and not heard yet, so it is as secret as the conversation. What is read from
/// strangers is checked, but says what they like.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EndpointSnapshot(Envelope<State>);

/// What an endpoint remembers. What is missing here is configuration, or follows from the rest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct State {
    life: Life,
    calls: CallsForm,
    requests: RequestsForm,
    batches: BatchesForm,
    outbox: OutboxForm,
    held: VecDeque<Held>,
    events: VecDeque<Event>,
    answers: Answers,
    reports: Reports,
    peer: Option<PeerInfo>,
    stall_at: Option<Instant>,
    reads_slowly: bool,
    holds_input: bool,
    holds_progress: bool,
    phase: Phase,
    clock: Instant,
    read_at: Instant,
    settled: Vec<Origin>,
    outlet: Outlet,
}

impl state::State for State {
    const MACHINE: &'static str = "endpoint";
}

moments!(State {
    calls, requests, answers, reports, stall_at, phase, clock, read_at;
    life, batches, outbox, held, events, peer, reads_slowly, holds_input, holds_progress, settled, outlet,
});

impl Moments for Phase {
    fn moments(&mut self, visit: &mut dyn FnMut(&mut Instant)) {
        match self {
            Self::Draining { until, unread: _ } => until.moments(visit),
            Self::Open | Self::Closed => {}
        }
    }
}

impl<R: Role> Endpoint<R> {
    /// Everything that it remembers, as a value. Moments are counted from `now`. Nothing changes. Feature `snapshot`.
    pub fn snapshot(&self, now: Instant) -> EndpointSnapshot {
        let mut state = self.core.state();
        state.rebase(now, Instant::ZERO);
        EndpointSnapshot(Envelope::new(state))
    }

    /// Requests of the peer that wait for an answer, oldest first, but for those that
    /// [`poll_event`](Self::poll_event) will still tell of: what a machine that was restored has to go on with.
    /// Feature `snapshot`.
    pub fn in_flight(&self) -> impl Iterator<Item = InFlight<'_>> {
        let untold: Vec<&RequestId> = self.core.events.iter().filter_map(asked_in).collect();
        let mut requests: Vec<_> =
            self.core.requests.iter().filter(|(id, _)| !untold.contains(id)).collect();
        requests.sort_unstable_by_key(|(_, inbound)| inbound.serial);
        requests.into_iter().map(|(id, inbound)| InFlight {
            id,
            asked: inbound.asked.as_deref(),
            token: inbound.reporter.as_ref().map(|reporter| &reporter.token),
            is_cancelled: inbound.cancelled,
        })
    }

    /// The ticket of a call in flight, for a caller who has lost it with his process; `Q` is what it was made with.
    /// Feature `snapshot`.
    pub fn ticket<Q: Request<Sender = R>>(&self, id: &RequestId) -> Option<Ticket<Q>> {
        let call = self.core.calls.get(id.as_i64()?)?;
        (call.purpose == Purpose::Application).then(|| Ticket::new(id.clone()))
    }

    /// A machine of this one's configuration.
    #[cfg(feature = "testing")]
    pub(crate) fn again(&self, state: State) -> Result<Self, RestoreError> {
        let life = match &self.core.life {
            Lifecycle::Client(negotiation) => {
                let config = ClientConfig::clone(&negotiation.config);
                Lifecycle::Client(Negotiation::restore(&state.life, config)?)
            }
            Lifecycle::Server(serving) => {
                Lifecycle::Server(Serving::restore(&state.life, serving.served.clone())?)
            }
        };
        Ok(Self { core: Core::restore(state, life)?, role: ::core::marker::PhantomData })
    }

    /// What it remembers, with moments as they are.
    pub(crate) fn state(&self) -> State {
        self.core.state()
    }
}

fn asked_in(event: &Event) -> Option<&RequestId> {
    match event {
        Event::Request { id, .. } => Some(id),
        _ => None,
    }
}

impl Endpoint<Client> {
    /// The client that a snapshot was taken of, which goes on at `now` as that one did, byte for byte. Names,
    /// limits, tolerance and the timeouts of what is still to come are those of `config`. Feature `snapshot`.
    ///
    /// # Errors
    ///
    /// See [`RestoreError`].
    pub fn restore(
        snapshot: EndpointSnapshot,
        config: ClientConfig,
        now: Instant,
    ) -> Result<Self, RestoreError> {
        let mut state = snapshot.0.open()?;
        check(!state.holds_input, "input is held back that nobody has")?;
        state.rebase(Instant::ZERO, now);
        Self::of(state, config)
    }

    /// As [`restore`](Self::restore), of moments as they are.
    pub(crate) fn of(state: State, config: ClientConfig) -> Result<Self, RestoreError> {
        let life = Lifecycle::Client(Negotiation::restore(&state.life, config)?);
        Ok(Self { core: Core::restore(state, life)?, role: ::core::marker::PhantomData })
    }
}

impl Endpoint<Server> {
    /// The server that a snapshot was taken of, which goes on at `now` as that one did, byte for byte. Names,
    /// limits, tolerance, pacing and the timeouts of what is still to come are those of `config`. Feature `snapshot`.
    ///
    /// # Errors
    ///
    /// See [`RestoreError`].
    pub fn restore(
        snapshot: EndpointSnapshot,
        config: ServerConfig,
        now: Instant,
    ) -> Result<Self, RestoreError> {
        let mut state = snapshot.0.open()?;
        check(!state.holds_input, "input is held back that nobody has")?;
        state.rebase(Instant::ZERO, now);
        Self::of(state, Arc::new(Served::new(config)))
    }

    /// As [`restore`](Self::restore), of moments as they are.
    pub(crate) fn of(state: State, served: Arc<Served>) -> Result<Self, RestoreError> {
        let life = Lifecycle::Server(Serving::restore(&state.life, served)?);
        Ok(Self { core: Core::restore(state, life)?, role: ::core::marker::PhantomData })
    }
}

impl Core {
    fn state(&self) -> State {
        let Self {
            life,
            limits: _,
            tolerance: _,
            calls,
            requests,
            batches,
            deadlines: _, // what is due when follows from the tables
            outbox,
            held,
            held_len: _,
            parked_len: _, // a client's over HTTP, which is not kept
            events,
            answers,
            progress_layout: _, // the next report is read the long way
            reports,
            peer,
            carries: _, // set anew by each message
            stall_at,
            reads_slowly,
            holds_input,
            holds_progress,
            phase,
            clock,
            read_at,
            reading: _, // only while one is read
            settled,
            outlet,
        } = self;
        State {
            life: life.life(),
            calls: calls.form(),
            requests: requests.form(),
            batches: batches.form(),
            outbox: outbox.form(),
            held: held.clone(),
            events: events.clone(),
            answers: answers.clone(),
            reports: reports.clone(),
            peer: peer.clone(),
            stall_at: *stall_at,
            reads_slowly: *reads_slowly,
            holds_input: *holds_input,
            holds_progress: *holds_progress,
            phase: phase.clone(),
            clock: *clock,
            read_at: *read_at,
            settled: settled.iter().map(|settled| settled.origin).collect(),
            outlet: *outlet,
        }
    }

    fn restore(state: State, life: Lifecycle) -> Result<Self, RestoreError> {
        let (limits, tolerance) = match &life {
            Lifecycle::Client(negotiation) => {
                (negotiation.config.limits, negotiation.config.tolerance)
            }
            Lifecycle::Server(serving) => (serving.config().limits, serving.config().tolerance),
        };
        let (forced, forced_len) = Self::forced(&limits);
        let max_messages = forced.saturating_add(limits.max_outbox_len / SHORTEST);
        let max_len = limits.max_output_len.max(limits.max_outbox_len).saturating_add(forced_len);
        let pacing = life.pacing();
        let mut core = Self::new(life, limits, tolerance);
        core.calls = Calls::restore(state.calls, &limits)?;
        core.requests = Requests::restore(state.requests, pacing, &limits)?;
        let requests = &core.requests;
        let waiting =
            |key| requests.iter().filter(|(_, inbound)| inbound.batch == Some(key)).count();
        core.batches = Batches::restore(state.batches, waiting, &limits)?;
        core.outbox = Outbox::restore(state.outbox, max_messages, max_len)?;
        core.held_len = state.held.iter().map(Held::len).sum();
        core.held = state.held;
        check_limit(state.events.len(), Self::most_events(&limits), "events that wait")?;
        core.events = state.events;
        core.answers = state.answers.limited(&limits);
        core.reports = state.reports.limited(&limits);
        core.peer = state.peer;
        core.stall_at = state.stall_at;
        core.reads_slowly = state.reads_slowly;
        core.holds_input = state.holds_input;
        core.holds_progress = state.holds_progress;
        core.phase = state.phase;
        core.clock = state.clock;
        core.read_at = state.read_at;
        check_limit(state.settled.len(), core.most_settled(&limits), "requests that are settled")?;
        // A transport that takes something back for them has done so before a snapshot.
        core.settled = state.settled.into_iter().filter_map(|it| Settled::new(it, None)).collect();
        core.outlet = state.outlet;
        core.check_held()?;
        core.check_calls()?;
        core.check_requests()?;
        core.check_phase()?;
        core.arm_all();
        Ok(core)
    }

    /// Whether input waits until there is room for what it may provoke.
    pub(crate) fn holds_input(&self) -> bool {
        self.holds_input
    }

    /// Whether the peer may still say something, as far as it is known here.
    pub(crate) fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether no message has left in part.
    pub(crate) fn is_between_messages(&self) -> bool {
        self.outbox.is_between_messages()
    }

    /// Between two looks of a transport no more can be settled than was opened.
    fn most_settled(&self, limits: &Limits) -> usize {
        limits.max_requests.saturating_mul(2).saturating_add(limits.max_batch_len)
    }

    /// What is held is what its calls say, in order.
    fn check_held(&self) -> Result<(), RestoreError> {
        let (mut newest, mut calls) = (0, 0);
        for held in &self.held {
            check(held.is_sound(newest), "what is held back cannot be sent")?;
            newest = held.newest();
            if let Some(number) = held.call {
                calls += 1;
                let is_held = self.calls.get(number).is_some_and(|call| call.is_held());
                check(is_held, "a call is held back that is not in flight")?;
            }
        }
        check(newest <= self.calls.last_id(), "what is held back came before its time")?;
        let all = self.calls.iter().filter(|(_, call)| call.is_held()).count();
        check(calls == all, "a call has left and is held back")?;
        let most = self.limits.max_output_len.max(self.limits.max_outbox_len);
        check_limit(self.held_len, most, "bytes that are held back")
    }

    fn check_calls(&self) -> Result<(), RestoreError> {
        let mut opening = 0;
        for (number, call) in self.calls.iter() {
            opening += usize::from(matches!(call.purpose, Purpose::Probe | Purpose::Initialize));
            let route = Route::Call(number.into());
            let is_owner = call.queued.is_none_or(|place| self.outbox.is_owner(place, &route));
            check(is_owner, "a call whose message is another's")?;
        }
        let is_open = self.phase != Phase::Closed;
        match &self.life {
            Lifecycle::Client(negotiation) => {
                let opens = is_open && negotiation.revision().is_none();
                check(opening == usize::from(opens), "no call opens the conversation")?;
                check(opens || self.held.is_empty(), "calls are held back for nothing")
            }
            Lifecycle::Server(serving) => {
                let asks = serving.session().is_some();
                let is_empty = self.calls.len() == 0 || asks;
                check(opening == 0 && is_empty && self.held.is_empty(), "a server that opens")
            }
        }
    }

    fn check_requests(&self) -> Result<(), RestoreError> {
        for (id, inbound) in self.requests.iter() {
            let route = Route::Related(id.clone());
            let is_owner = inbound.queued.is_none_or(|place| self.outbox.is_owner(place, &route));
            check(is_owner, "a request whose message is another's")?;
            let is_open = inbound.batch.is_none_or(|key| self.batches.is_open(key));
            check(is_open, "a request of a batch that is over")?;
            let waits = inbound.has_waiting() && inbound.outlet == Outlet::Open;
            let has_timer = inbound.flush_at.is_some() || self.holds_progress;
            check(!waits || has_timer, "a report waits that nothing lets go")?;
            let revision = inbound.speech.revision;
            let is_served = match &self.life {
                Lifecycle::Client(negotiation) => {
                    let is_modern = |revision: Revision| revision.era() == Era::Modern;
                    !negotiation.revision().is_some_and(is_modern) || inbound.cancelled
                }
                Lifecycle::Server(serving) if revision.era() == Era::Legacy => {
                    serving.session() == Some(revision)
                }
                Lifecycle::Server(serving) => serving.config().revisions.contains(revision),
            };
            check(is_served, "a request in a revision that is not spoken")?;
        }
        let answered = self.batches.ids().any(|id| self.requests.contains(id));
        check(!answered, "a request that waits and was answered")
    }

    fn check_phase(&self) -> Result<(), RestoreError> {
        let ends = self.events.iter().filter(|event| matches!(event, Event::Closed(_))).count();
        let is_last = matches!(self.events.back(), Some(Event::Closed(_)));
        let is_closed = self.phase == Phase::Closed;
        check(ends == 0 || ends == 1 && is_last && is_closed, "an end before the end")?;
        let is_server = matches!(self.life, Lifecycle::Server(_));
        let drains = matches!(self.phase, Phase::Draining { .. });
        check(!drains || is_server && self.calls.len() == 0, "a client that is drained")?;
        let is_empty = self.calls.len() == 0 && self.requests.is_empty() && self.held.is_empty();
        let is_quiet = self.batches.held() == 0 && self.stall_at.is_none() && !self.holds_progress;
        check(!is_closed || is_empty && is_quiet, "something is left after the end")?;
        let spoken = self.life.revision();
        let known = self.peer.as_ref().map(|peer| peer.revision);
        check(known == spoken, "a peer that speaks another revision")
    }

    /// Sets the timers that the tables ask for.
    fn arm_all(&mut self) {
        for (number, call) in self.calls.iter() {
            if let Some(at) = call.due() {
                self.deadlines.arm(at, Timer::Call(number));
            }
        }
        for (id, inbound) in self.requests.iter() {
            if let Some(at) = inbound.flush_at {
                self.deadlines.arm(at, Timer::Flush(id.clone()));
            }
        }
    }
}
