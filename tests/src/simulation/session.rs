//! One session: two connections, a network, a clock, and the books.

use std::fmt;
use std::ops::AddAssign;

use mcp_proto::testing::{End, Random, SimNet};
use mcp_proto::{Connection, Instant, Timeouts};

use super::plan::{HANDSHAKE, Plan};
use super::port::{Port, Read, Reading};
use super::step::{Harm, Step};
use crate::millis;
use crate::promises::{Actor, Broken, Call, Ending, Kept, Ledger, Planted, Timing};

/// A session of one seed. The same seed gives the same session.
pub struct Session {
    plan: Plan,
    random: Random,
    now: Instant,
    net: SimNet,
    client: Port,
    server: Port,
    ledger: Ledger,
    happened: Happened,
    /// Tokens that calls were given of their own.
    tokens: u16,
    /// When an end is replaced by what its snapshot becomes, if it ever is: a chance of its own, so that the session
    /// stays the same.
    restoring: Option<Random>,
    /// What happened, in words, if it is wanted.
    trace: Option<Vec<String>>,
}

/// How much happened. A session in which nothing happens proves nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Happened {
    /// Sessions.
    pub sessions: u64,
    /// Steps that changed something, those without faults at the end included.
    pub steps: u64,
    /// Calls made.
    pub calls: u64,
    /// Calls that ended with a result.
    pub results: u64,
    /// Calls that ended with an error of the peer.
    pub errors: u64,
    /// Calls that were given up.
    pub cancelled: u64,
    /// Calls whose deadline passed.
    pub timed_out: u64,
    /// Calls that ended with their connection.
    pub closed: u64,
    /// Reports that an engine took.
    pub reports: u64,
    /// Log messages that an engine took.
    pub logs: u64,
    /// Connections that were closed as stalled.
    pub stalled: u64,
    /// Calls that were refused by a limit or because of the state.
    pub refused: u64,
    /// A digest of every event that an end told and of every byte that it wrote, and when.
    pub digest: u64,
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sessions, steps, calls, results, errors, cancelled, .. } = self;
        let Self { timed_out, closed, reports, logs, stalled, refused, digest, .. } = self;
        write!(
            f,
            "{sessions} sessions, {steps} steps; {calls} calls, of which {results} ended with a result, "
        )?;
        write!(
            f,
            "{errors} with an error, {cancelled} were given up, {timed_out} timed out, {closed} ended with "
        )?;
        write!(
            f,
            "their connection; {reports} reports, {logs} log messages; {refused} calls refused by limits that "
        )?;
        write!(
            f,
            "are set low on purpose, {stalled} connections closed as stalled; events and bytes {digest:016x}"
        )
    }
}

/// Nothing goes on for longer than this without a fault; more is a circle.
const LONGEST_END: u64 = 2_000_000;

impl Session {
    /// The session of a seed, before its first step.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let (plan, net) = Plan::new(&mut random);
        let now = Instant::from_nanos(1);
        let client = Connection::client(plan.client_config(), now);
        let server = Connection::server(plan.server_config());
        let (stall, mut ledger) = (plan.limits().stall_timeout, Ledger::default());
        for end in [End::Client, End::Server] {
            ledger.limit_requests(end, plan.limits().max_requests);
        }
        Self {
            plan,
            random,
            now,
            net,
            client: Port::new(client, End::Client, Timing::new(stall, Some(HANDSHAKE), now)),
            server: Port::new(server, End::Server, Timing::new(stall, None, now)),
            ledger,
            tokens: 0,
            happened: Happened { sessions: 1, ..Happened::default() },
            restoring: None,
            trace: None,
        }
    }

    /// With a fault on purpose.
    #[must_use]
    pub fn planted(mut self, planted: Option<Planted>) -> Self {
        self.client.plant(planted);
        self.server.plant(planted);
        self
    }

    /// With ends that are replaced by what their snapshots become, at one step in sixteen.
    #[must_use]
    pub fn restored(mut self, seed: u64) -> Self {
        self.restoring = Some(Random::new(seed));
        self
    }

    /// With a record of what happens.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.trace = Some(Vec::new());
        self
    }

    /// What has happened, in words.
    pub fn trace(&self) -> &[String] {
        self.trace.as_deref().unwrap_or_default()
    }

    /// Lets everything happen: the random steps, and then what follows without further faults.
    ///
    /// # Errors
    ///
    /// A broken promise.
    pub fn run(&mut self) -> Result<Happened, Broken> {
        for _ in 0..self.plan.steps {
            let step = Step::draw(&mut self.random, &self.plan);
            self.take(step)?;
        }
        self.end()?;
        Ok(self.tally())
    }

    /// The faults are over: whatever is open must come to its end.
    fn end(&mut self) -> Kept {
        let is_silent = self.plan.timed && self.random.below(2) == 0;
        for end in [End::Client, End::Server] {
            self.take(Step::Reading(end, Reading::Freely))?;
        }
        let until = self.happened.steps + LONGEST_END;
        while self.happened.steps < until {
            let mut any = false;
            for end in [End::Client, End::Server] {
                any |= self.take(Step::Wake(end))?;
                any |= self.take(Step::Write { end, most: usize::MAX, lend: false })?;
                any |= self.take(Step::Read(end))?;
                any |= self.take(Step::Events(end))?;
                any |= self.take(Step::Abandon(end, 0))?;
                any |= !is_silent && self.take(Step::Respond(end, 0))?;
            }
            if !any && !self.take(Step::Due)? {
                return self.rests();
            }
        }
        Err(Broken::new("everything_ends", "it goes on for ever"))
    }

    fn rests(&self) -> Kept {
        for end in [End::Client, End::Server] {
            let port = self.port(end);
            self.ledger.rests(end, port.connection.machine().tables())?;
            if port.is_busy() {
                let how = format!("the {end:?} leaves input unread");
                return Err(Broken::new("everything_ends", how));
            }
        }
        if self.net.poll_timeout().is_some() {
            return Err(Broken::new("everything_ends", "something on the way is never read"));
        }
        if self.ledger.is_closed(End::Client) == self.ledger.is_closed(End::Server) {
            return Ok(());
        }
        Err(Broken::new("everything_ends", "one end has ended, the other goes on"))
    }

    /// Takes one step. Whether it changed something.
    fn take(&mut self, step: Step) -> Result<bool, Broken> {
        let end = self.restoring.as_mut().map(|random| random.below(32));
        if let Some(end) = end.and_then(|end| [End::Client, End::Server].get(end as usize).copied())
        {
            let now = self.now;
            let restored = self.place(end).0.connection.restore(now);
            restored.map_err(|error| {
                Broken::new("fitting_events", format!("the {end:?} cannot be restored: {error}"))
            })?;
        }
        let outcome = self.apply(step);
        if !matches!(outcome, Ok(false)) {
            self.happened.steps += 1;
            if let Some(trace) = &mut self.trace {
                let time = self.now - Instant::from_nanos(1);
                trace.push(format!("{:>10.3} s  {step}", time.as_secs_f64()));
            }
        }
        outcome
    }

    fn apply(&mut self, step: Step) -> Result<bool, Broken> {
        let now = self.now;
        match step {
            Step::Read(end) => {
                let (port, net, ledger) = self.place(end);
                let read = port.read(net, ledger, now);
                if read == Read::End {
                    port.look(ledger, now)?;
                }
                Ok(read != Read::Nothing)
            }
            Step::Write { end, most, lend } => {
                let (port, net, ledger) = self.place(end);
                // What an engine has queued is what its application was told of.
                port.look(ledger, now)?;
                let wrote = port.write(most, lend, net, ledger, now)?;
                port.look(ledger, now)?;
                Ok(wrote)
            }
            Step::Flow(end) => {
                let write = Step::Write { end, most: usize::MAX, lend: false };
                let mut any = false;
                while self.apply(write)? | self.apply(Step::Read(end))? {
                    any = true;
                }
                Ok(any)
            }
            Step::Events(end) => {
                let (port, _, ledger) = self.place(end);
                Ok(port.look(ledger, now)? > 0)
            }
            Step::Wake(end) => {
                let (port, _, ledger) = self.place(end);
                let woke = port.wake(now);
                if woke {
                    port.look(ledger, now)?;
                }
                Ok(woke)
            }
            Step::Due => {
                let ends = [self.client.poll_timeout(), self.server.poll_timeout()];
                let due = ends.into_iter().chain([self.net.poll_timeout()]).flatten();
                let Some(at) = due.filter(|at| *at > now).min() else { return Ok(false) };
                self.now = at;
                Ok(true)
            }
            Step::Pass(time) => {
                self.now = now + millis(time);
                Ok(time > 0)
            }
            Step::Back(time) => {
                let first = Instant::from_nanos(1);
                self.now = first + (now - first).saturating_sub(millis(time));
                Ok(true)
            }
            Step::Reading(end, reading) => {
                self.place(end).0.reading = reading;
                Ok(true)
            }
            Step::Harm(harm) => {
                self.harm(harm)?;
                Ok(true)
            }
            Step::Call(end)
            | Step::Cancel(end, _)
            | Step::Report { end, .. }
            | Step::Respond(end, _)
            | Step::Fail(end, _)
            | Step::Log(end, _)
            | Step::Abandon(end, _) => {
                self.place(end).0.padding = self.plan.padding(&mut self.random);
                let did = self.command(end, step)?;
                if did {
                    let (port, _, ledger) = self.place(end);
                    port.look(ledger, now)?;
                }
                Ok(did)
            }
        }
    }

    /// What an application does.
    fn command(&mut self, end: End, step: Step) -> Result<bool, Broken> {
        let open = |call: &Call| call.is_open_at_caller();
        let worked_on = |call: &Call| call.is_open_at_worker();
        let unwanted = |call: &Call| call.is_open_at_worker() && call.unwanted;
        let options = self.plan.options(&mut self.random);
        let id = match step {
            Step::Call(_) => {
                let open = self.ledger.calls(end).iter().filter(|(_, call)| open(call)).count();
                if open as u64 >= self.plan.calls {
                    return Ok(false);
                }
                let own = (self.random.below(8) == 0).then_some(self.tokens);
                self.tokens += 1;
                let timeouts = options.timeouts.unwrap_or(Timeouts::NEVER);
                let taken = self.actor(end).call(options, own)?;
                if let Ok(id) = taken {
                    let now = self.now;
                    self.place(end).0.made(id, timeouts, now);
                }
                self.happened.calls += u64::from(taken.is_ok());
                self.happened.refused += u64::from(taken.is_err());
                return Ok(taken.is_ok());
            }
            Step::Cancel(_, which) => self.pick(end, which, open),
            Step::Abandon(_, which) => self.pick(end.peer(), which, unwanted),
            Step::Report { which, .. } | Step::Respond(_, which) | Step::Fail(_, which) => {
                self.pick(end.peer(), which, worked_on)
            }
            Step::Log(_, which) => {
                let id = self.pick(end.peer(), which, |call| worked_on(call) && !call.unwanted);
                let did = self.actor(end).log(id)?;
                self.happened.logs += u64::from(did);
                return Ok(did);
            }
            _ => None,
        };
        let Some(id) = id else { return Ok(false) };
        let mut actor = self.actor(end);
        match step {
            Step::Cancel(..) => actor.cancel(id)?,
            Step::Abandon(..) => actor.abandon(id)?,
            Step::Respond(..) => actor.respond(id)?,
            Step::Fail(..) => actor.fail(id)?,
            Step::Report { weight, .. } => actor.report(id, weight)?,
            _ => {}
        }
        Ok(true)
    }

    fn harm(&mut self, harm: Harm) -> Kept {
        let now = self.now;
        let end = match harm {
            Harm::Shut(end) => {
                self.net.shut(end, now);
                return Ok(());
            }
            Harm::Disconnect => {
                self.net.disconnect(now);
                return Ok(());
            }
            Harm::Close(end) | Harm::Fault(end) => end,
        };
        let (port, _, ledger) = self.place(end);
        match harm {
            Harm::Fault(_) => {
                ledger.fail(end);
                port.connection.handle_transport_error(now);
            }
            _ => {
                ledger.close(end);
                port.connection.machine_mut().close(now);
            }
        }
        port.look(ledger, now).map(|_| ())
    }

    /// One of the calls that an end makes, of those that it may be.
    fn pick(&self, of: End, which: u64, may: impl Fn(&Call) -> bool) -> Option<i64> {
        let ids: Vec<i64> =
            self.ledger.calls(of).iter().filter(|(_, call)| may(call)).map(|(id, _)| *id).collect();
        let place = which.checked_rem(ids.len() as u64)?;
        ids.get(place as usize).copied()
    }

    fn actor(&mut self, end: End) -> Actor<'_> {
        let now = self.now;
        let (port, _, ledger) = self.place(end);
        port.actor(ledger, now)
    }

    fn port(&self, end: End) -> &Port {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }

    fn place(&mut self, end: End) -> (&mut Port, &mut SimNet, &mut Ledger) {
        let port = match end {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        };
        (port, &mut self.net, &mut self.ledger)
    }

    /// What happened, as the books say.
    fn tally(&self) -> Happened {
        let mut happened = self.happened;
        for end in [End::Client, End::Server] {
            happened.stalled += u64::from(self.port(end).has_stalled());
            happened.digest = happened.digest.rotate_left(1) ^ self.port(end).digest();
            for (_, call) in self.ledger.calls(end) {
                happened.reports += u64::from(call.reports);
                let counter = match call.ended {
                    Some(Ending::Result) => &mut happened.results,
                    Some(Ending::Error) => &mut happened.errors,
                    Some(Ending::Cancelled) => &mut happened.cancelled,
                    Some(Ending::TimedOut) => &mut happened.timed_out,
                    Some(Ending::Closed) => &mut happened.closed,
                    None => continue,
                };
                *counter += 1;
            }
        }
        happened
    }
}

impl AddAssign for Happened {
    fn add_assign(&mut self, more: Self) {
        self.sessions += more.sessions;
        self.steps += more.steps;
        self.calls += more.calls;
        self.results += more.results;
        self.errors += more.errors;
        self.cancelled += more.cancelled;
        self.timed_out += more.timed_out;
        self.closed += more.closed;
        self.reports += more.reports;
        self.refused += more.refused;
        self.logs += more.logs;
        self.stalled += more.stalled;
        // However a run was divided, the sum is the same.
        self.digest = self.digest.wrapping_add(more.digest);
    }
}
