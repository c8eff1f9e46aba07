//! A state of the search: two engines, what is on the way between them, the time, and the books.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytes::Bytes;
use mcp_proto::progress::Weight;
use mcp_proto::role::{Client, Server};
use mcp_proto::testing::End;
use mcp_proto::{Endpoint, Era, Instant};
use siphasher::sip128::{Hasher128, SipHasher13};

use super::action::{Action, What};
use super::scenario::Scenario;
use crate::promises::{Actor, Broken, Engine, Kept, Ledger, Planted, Said, Token};

/// Everything there is at one moment.
#[derive(Clone)]
pub struct World {
    now: Instant,
    client: Arc<Endpoint<Client>>,
    server: Arc<Endpoint<Server>>,
    from_client: Wire,
    from_server: Wire,
    ledger: Ledger,
    faults: u8,
    /// A message that a planted fault keeps for later.
    kept_back: Option<Bytes>,
}

/// What is on the way from one end to the other.
#[derive(Clone, Default, Hash)]
struct Wire {
    messages: VecDeque<Bytes>,
    /// Nothing more gets through.
    ended: bool,
    /// The other end has read that it has ended.
    told: bool,
}

impl World {
    /// The state in which a search begins.
    ///
    /// # Errors
    ///
    /// A promise that is broken on the way through the handshake.
    pub fn new(scenario: &Scenario) -> Result<Self, Broken> {
        let now = Instant::from_nanos(1);
        let mut ledger = Ledger::default();
        ledger.limit_requests(End::Server, scenario.max_requests);
        let mut world = Self {
            now,
            client: Arc::new(Endpoint::client(scenario.client_config(), now)),
            server: Arc::new(Endpoint::server(scenario.server_config())),
            from_client: Wire::default(),
            from_server: Wire::default(),
            ledger,
            faults: 0,
            kept_back: None,
        };
        if !scenario.handshake {
            let sound = Scenario { planted: None, ..scenario.clone() };
            while world.travel(&sound)? {}
        }
        Ok(world)
    }

    /// Lets messages travel, each end once. Whether there were any.
    fn travel(&mut self, scenario: &Scenario) -> Result<bool, Broken> {
        let mut any = false;
        for action in self.enabled(scenario) {
            if matches!(action.what, What::Transmit | What::Deliver) {
                any |= self.apply(action, scenario)?;
            }
        }
        Ok(any)
    }

    /// A hash of everything that decides what can follow.
    pub fn digest(&self) -> u128 {
        let mut hasher = SipHasher13::new();
        self.client.digest(self.now, &mut hasher);
        self.server.digest(self.now, &mut hasher);
        self.from_client.hash(&mut hasher);
        self.from_server.hash(&mut hasher);
        self.ledger.hash(&mut hasher);
        self.kept_back.hash(&mut hasher);
        hasher.write_u8(self.faults);
        hasher.finish128().as_u128()
    }

    /// The books.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// What may happen next; some of it may turn out to be nothing.
    pub fn enabled(&self, scenario: &Scenario) -> Vec<Action> {
        let mut actions = Vec::new();
        for end in [End::Client, End::Server] {
            self.enabled_at(end, scenario, |what| actions.push(Action { end, what }));
        }
        actions
    }

    fn enabled_at(&self, end: End, scenario: &Scenario, mut may: impl FnMut(What)) {
        let (machine, incoming, outgoing) =
            (self.machine(end), self.wire(end.peer()), self.wire(end));
        if !incoming.messages.is_empty() || (incoming.ended && !incoming.told) {
            may(What::Deliver);
        }
        if outgoing.ended || outgoing.messages.len() < scenario.wire {
            may(What::Transmit);
        }
        if machine.poll_timeout().is_some() {
            may(What::Tick);
        }
        for (id, call) in self.ledger.calls(end.peer()) {
            let Some(id) = u8::try_from(*id).ok().filter(|_| call.is_open_at_worker()) else {
                continue;
            };
            if call.unwanted {
                may(What::Abandon(id));
            }
            may(What::Respond(id));
            if scenario.errors {
                may(What::Fail(id));
            }
            if call.reports < scenario.reports {
                may(What::Report(id));
            }
        }
        for (id, call) in self.ledger.calls(end) {
            if let Some(id) = u8::try_from(*id).ok().filter(|_| call.is_open_at_caller()) {
                may(What::Cancel(id));
            }
        }
        if self.ledger.is_closed(end) {
            return;
        }
        let most = match end {
            End::Client => scenario.client_calls,
            End::Server => scenario.server_calls,
        };
        if self.made(end) < usize::from(most) {
            may(What::Call);
        }
        if self.faults < scenario.faults.at_most {
            let faults = &scenario.faults;
            let is_any = !outgoing.ended || !incoming.ended;
            for (what, is_possible) in [
                (What::Close, faults.close),
                (What::Fault, faults.fault),
                (What::Shut, faults.shut && !outgoing.ended),
                (What::Disconnect, faults.disconnect && is_any && end == End::Client),
            ] {
                if is_possible {
                    may(what);
                }
            }
        }
    }

    /// Lets something happen. `false`: it turned out to be nothing.
    ///
    /// # Errors
    ///
    /// A broken promise.
    pub fn apply(&mut self, action: Action, scenario: &Scenario) -> Result<bool, Broken> {
        let Action { end, what } = action;
        let mut written = 0;
        match what {
            What::Deliver => self.deliver(end, scenario),
            What::Transmit => match self.transmit(end, scenario)? {
                Some(count) => written = count,
                None => return Ok(false),
            },
            What::Tick => {
                let Some(at) = self.machine(end).poll_timeout() else { return Ok(false) };
                self.now = self.now.max(at);
                if !Planted::misses_deadlines(scenario.planted, end) {
                    let actor = self.actor(end, scenario);
                    actor.machine.handle_timeout(actor.now);
                }
            }
            What::Call => {
                let options = scenario.options(self.made(end) as u64);
                if self.actor(end, scenario).call(options, None)?.is_err() {
                    return Ok(false);
                }
            }
            What::Cancel(id) => self.actor(end, scenario).cancel(id.into())?,
            What::Report(id) => self.actor(end, scenario).report(id.into(), Weight::Ordinary)?,
            What::Respond(id) => self.actor(end, scenario).respond(id.into())?,
            What::Fail(id) => self.actor(end, scenario).fail(id.into())?,
            What::Abandon(id) => self.actor(end, scenario).abandon(id.into())?,
            What::Close | What::Fault | What::Shut | What::Disconnect => {
                self.faults += 1;
                self.go_wrong(end, what, scenario);
            }
        }
        let mut actor = self.actor(end, scenario);
        while let Some(event) = actor.machine.poll_event() {
            actor.told(&event)?;
        }
        actor.compare(written)?;
        Ok(true)
    }

    /// Nothing happens any more without a fault: then everything must be over.
    ///
    /// # Errors
    ///
    /// A broken promise.
    pub fn rests(&self) -> Kept {
        for end in [End::Client, End::Server] {
            self.ledger.rests(end, self.machine(end).tables())?;
            let incoming = self.wire(end.peer());
            if incoming.ended && !self.ledger.is_closed(end) {
                let how = format!("the input of the {end:?} has ended, and it goes on");
                return Err(Broken::new("everything_ends", how));
            }
        }
        Ok(())
    }

    /// The end whose next deadline is the earlier one.
    pub fn next_to_tick(&self) -> Option<End> {
        let at = |end| self.machine(end).poll_timeout().map(|at| (at, end == End::Server));
        let (_, is_server) = [at(End::Client), at(End::Server)].into_iter().flatten().min()?;
        Some(if is_server { End::Server } else { End::Client })
    }

    fn deliver(&mut self, end: End, scenario: &Scenario) {
        let wire = self.wire_mut(end.peer());
        let message = wire.messages.pop_front();
        wire.told |= message.is_none();
        let heard = message.as_deref().and_then(Said::read);
        match &message {
            Some(_) => self.ledger.reads(end, heard.as_ref()),
            None => self.ledger.end_input(end),
        }
        let is_let_go =
            |id| self.ledger.call(end.peer(), id).is_some_and(|call| call.let_go.is_some());
        let is_missed = match (scenario.planted, &heard) {
            (Some(Planted::ForgottenCancel), Some(Said::Cancel(id))) => is_let_go(*id),
            (planted, None) => message.is_none() && Planted::misses_eof(planted, end),
            _ => false,
        };
        if is_missed {
            return;
        }
        let actor = self.actor(end, scenario);
        let Some(message) = message else { return actor.machine.handle_eof(actor.now) };
        actor.machine.handle_message(message, actor.now);
        if let (Some(Planted::ForeignCancel), Some(Said::Cancel(id))) = (scenario.planted, heard) {
            actor.machine.cancel(&id.into(), actor.now);
        }
    }

    /// Takes one message from an engine. Gives back how many it wrote.
    fn transmit(&mut self, end: End, scenario: &Scenario) -> Result<Option<usize>, Broken> {
        let planted = scenario.planted;
        let actor = self.actor(end, scenario);
        let Some(message) = actor.machine.poll_transmit() else {
            let is_closed = actor.machine.is_closed();
            if !is_closed || self.wire(end).ended {
                return Ok(None);
            }
            self.wire_mut(end).ended = true;
            return Ok(Some(usize::from(planted == Some(Planted::LastWord))));
        };
        let mut messages = vec![message];
        if let Some(planted) = planted {
            self.tamper(planted, end, &mut messages);
        }
        for message in &messages {
            self.ledger.written(end, message)?;
        }
        let said = || messages.first().and_then(|message| Said::read(message));
        if planted == Some(Planted::EndsByItself) && matches!(said(), Some(Said::Answer(..))) {
            let actor = self.actor(end, scenario);
            actor.machine.close(actor.now);
        }
        if planted == Some(Planted::CrossedAnswers) {
            messages.iter_mut().for_each(|message| self.cross(end, message));
        }
        let wire = self.wire_mut(end);
        if !wire.ended {
            wire.messages.extend(messages);
        }
        Ok(Some(1))
    }

    fn go_wrong(&mut self, end: End, what: What, scenario: &Scenario) {
        let actor = self.actor(end, scenario);
        match what {
            What::Close => {
                actor.ledger.close(end);
                actor.machine.close(actor.now);
            }
            What::Fault => {
                actor.ledger.fail(end);
                actor.machine.handle_transport_error(actor.now);
            }
            What::Shut => self.wire_mut(end).ended = true,
            _ => {
                for wire in [&mut self.from_client, &mut self.from_server] {
                    wire.messages.clear();
                    wire.ended = true;
                }
            }
        }
    }

    /// What a planted fault makes of a message that leaves.
    fn tamper(&mut self, planted: Planted, end: End, messages: &mut Vec<Bytes>) {
        let Some(message) = messages.first().cloned() else { return };
        let said = Said::read(&message);
        let is_let_go =
            |id| self.ledger.call(end.peer(), id).is_some_and(|call| call.let_go.is_some());
        match (planted, said) {
            (Planted::DroppedFlush, Some(Said::Report(Token::Call(id), _))) if is_let_go(id) => {
                messages.clear();
            }
            (Planted::LateFlush, Some(Said::Report(Token::Call(id), _))) if is_let_go(id) => {
                self.kept_back = messages.pop();
            }
            (Planted::LateFlush, Some(Said::Answer(..))) => messages.extend(self.kept_back.take()),
            (Planted::SecondAnswer, Some(Said::Answer(..)))
            | (Planted::SecondCancel, Some(Said::Cancel(_))) => messages.push(message),
            _ => {}
        }
    }

    fn cross(&self, end: End, message: &mut Bytes) {
        let Some(Said::Answer(id, _)) = Said::read(message) else { return };
        let other = self.ledger.calls(end.peer()).iter().find(|(other, call)| {
            *other != id && call.is_open_at_caller() && call.asked && !call.answered
        });
        if let Some((other, _)) = other {
            let text = String::from_utf8_lossy(message);
            *message = text.replace(&format!("\"id\":{id}"), &format!("\"id\":{other}")).into();
        }
    }

    fn made(&self, end: End) -> usize {
        self.ledger.calls(end).iter().filter(|(_, call)| call.made).count()
    }

    fn machine(&self, end: End) -> &dyn Engine {
        match end {
            End::Client => &*self.client,
            End::Server => &*self.server,
        }
    }

    fn actor(&mut self, end: End, scenario: &Scenario) -> Actor<'_, dyn Engine> {
        let machine: &mut dyn Engine = match end {
            End::Client => Arc::<Endpoint<Client>>::make_mut(&mut self.client),
            End::Server => Arc::<Endpoint<Server>>::make_mut(&mut self.server),
        };
        let (ledger, now, planted) = (&mut self.ledger, self.now, scenario.planted);
        Actor { end, machine, ledger, now, padding: 0, planted }
    }

    fn wire(&self, from: End) -> &Wire {
        match from {
            End::Client => &self.from_client,
            End::Server => &self.from_server,
        }
    }

    fn wire_mut(&mut self, from: End) -> &mut Wire {
        match from {
            End::Client => &mut self.from_client,
            End::Server => &mut self.from_server,
        }
    }

    /// Whether the two speak the modern era.
    pub fn is_modern(&self) -> bool {
        self.client.peer().is_some_and(|peer| peer.revision.era() == Era::Modern)
    }
}
