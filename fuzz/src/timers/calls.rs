//! The calls of a client: each deadline passes at its own moment, never early and never missed.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use arbitrary::Arbitrary;
use mcp_proto::role::Client;
use mcp_proto::testing::take_output;
use mcp_proto::{
    CallError, CallOptions, CallTool, ClientConfig, Connection, Event, Expired, Instant, Limit,
    RequestId, Revision, Timeouts,
};

use crate::wire::{after, client};

#[derive(Arbitrary, Debug, Clone, Copy)]
pub(super) enum Step {
    /// Deadlines in milliseconds, small enough to meet each other.
    Call {
        is_tracked: bool,
        idle: Option<u8>,
        total: Option<u8>,
    },
    /// Deadlines as they are if nobody sets any.
    CallByDefault,
    Cancel(u8),
    /// A report arrives, of one of the calls that were made, so much beyond its last one.
    Progress {
        call: u8,
        forward: i8,
    },
    /// The same, of a call that is made only after it has arrived: the next one, or the one after that.
    Early {
        next: bool,
        forward: i8,
    },
    /// A report arrives byte by byte, so many tenths of a millisecond apart.
    Trickle {
        call: u8,
        forward: i8,
        padding: u16,
        apart: u8,
    },
    /// The answer to one of the calls that were made arrives.
    Answer(u8),
    /// The caller takes so many events.
    Poll(u8),
    Pass(u8),
    /// The clock jumps: seconds.
    Leap(u16),
    /// To the next deadline, one nanosecond before it, or so many milliseconds beyond.
    Jump(i8),
    Wake,
    /// The caller names an earlier time.
    WakeInThePast(u8),
}

pub(super) fn run(steps: &[Step]) {
    let now = Instant::from_nanos(1);
    let mut config = ClientConfig::new("timers", "1");
    // How many violations are told in one moment is not what this is about.
    config.limits.max_violation_reports_per_second = u32::MAX;
    let mut machine = client(config, Revision::V2025_11_25, now);
    let mut model = Model { now, ..Model::default() };
    for step in steps {
        play(*step, &mut machine, &mut model);
        take_output(&mut machine);
        assert_eq!(machine.poll_timeout(), model.next_due(), "after {step:?} at {:?}", model.now);
        assert_eq!(machine.calls_in_flight(), model.calls.len(), "after {step:?}");
    }
    poll(&mut machine, &mut model, usize::MAX);
    assert_eq!(machine.poll_event().map(read), None, "an event too many");
}

fn play(step: Step, machine: &mut Connection<Client>, model: &mut Model) {
    let now = model.now;
    match step {
        Step::Call { is_tracked, idle, total } => {
            let time = |millis: Option<u8>| millis.map(|m| Duration::from_millis(m.into()));
            let timeouts = Timeouts::default().idle(time(idle)).total(time(total));
            call(machine, model, is_tracked, timeouts);
        }
        Step::CallByDefault => call(machine, model, false, Timeouts::default()),
        Step::Cancel(which) => {
            let Some(id) = crate::wire::pick(model.calls.keys().copied(), which) else { return };
            machine.cancel(&id.into(), None, now);
            model.calls.remove(&id);
            model.events.push_back(Told::Cancelled(id));
        }
        Step::Progress { call, forward } => {
            let Some(id) = crate::wire::pick(model.made.iter().copied(), call) else { return };
            let line = report(model, id, forward, 0);
            machine.handle_input(line.as_bytes(), now);
        }
        Step::Early { next, forward } => {
            let newest = model.made.last().copied().unwrap_or(OPENING);
            let line = report(model, newest + if next { 1 } else { 2 }, forward, 0);
            machine.handle_input(line.as_bytes(), now);
        }
        Step::Trickle { call, forward, padding, apart } => {
            let Some(id) = crate::wire::pick(model.made.iter().copied(), call) else { return };
            // Of much that waits, times are told apart less exactly; of the last read they are exact.
            poll(machine, model, usize::MAX);
            let apart = Duration::from_micros(u64::from(apart) * 100);
            let line = report(model, id, forward, usize::from(padding % 2_048));
            for (byte, left) in line.bytes().zip((0..line.len()).rev()) {
                machine.handle_input(&[byte], model.now);
                if left > 0 {
                    model.now = model.now + apart;
                }
            }
            if let Some((at, ..)) = model.unread.back_mut() {
                *at = model.now;
            }
            poll(machine, model, usize::MAX);
        }
        Step::Answer(which) => {
            let Some(id) = crate::wire::pick(model.made.iter().copied(), which) else { return };
            let line =
                format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[]}}}}\n");
            model.unread.push_back((now, id, None));
            machine.handle_input(line.as_bytes(), now);
        }
        Step::Poll(count) => poll(machine, model, count.into()),
        Step::Pass(millis) => model.now = after(now, millis.into()),
        Step::Leap(seconds) => model.now = now + Duration::from_secs(seconds.into()),
        Step::Jump(late) => {
            let at = model.next_due().unwrap_or(now).max(now);
            model.now = match u64::try_from(late) {
                Ok(late) => after(at, late),
                Err(_) => Instant::from_nanos(at.as_nanos() - 1).max(now),
            };
            wake(machine, model, model.now);
        }
        Step::Wake => wake(machine, model, now),
        Step::WakeInThePast(millis) => {
            let earlier = now.as_nanos().saturating_sub(u64::from(millis) * 1_000_000);
            wake(machine, model, Instant::from_nanos(earlier));
        }
    }
}

/// The id of the request that opened the conversation.
const OPENING: i64 = 1;

/// A report of a call, so much beyond its last one, that arrives now.
fn report(model: &mut Model, id: i64, forward: i8, padding: usize) -> String {
    let value = model.sent.entry(id).or_default();
    *value += i64::from(forward);
    model.unread.push_back((model.now, id, Some(*value as f64)));
    let text = "t".repeat(padding);
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":{id},\
         \"progress\":{value},\"message\":\"{text}\"}}}}\n"
    )
}

fn call(machine: &mut Connection<Client>, model: &mut Model, is_tracked: bool, timeouts: Timeouts) {
    let now = model.now;
    let options = CallOptions::default().timeouts(timeouts);
    let options = if is_tracked { options.tracked() } else { options.untracked() };
    let Ok(ticket) = machine.request(&CallTool::new("t"), options, now) else {
        assert!(model.calls.len() >= 1_024 || machine.is_closed(), "a call was refused");
        return;
    };
    let id = ticket.id().as_i64().expect("ids are numbers");
    assert!(model.made.last().is_none_or(|last| *last < id), "ids count up");
    model.made.push(id);
    let deadline = |time: Option<Duration>| time.map(|time| (time, now + time));
    let (idle, total) = (deadline(timeouts.max_idle()), deadline(timeouts.max_total()));
    let call = Call { is_tracked, started: now, idle, total, last: None, reports: 0 };
    model.calls.insert(id, call);
}

fn wake(machine: &mut Connection<Client>, model: &mut Model, now: Instant) {
    machine.handle_timeout(now);
    while model.decode() {}
    model.expire(now);
}

fn poll(machine: &mut Connection<Client>, model: &mut Model, count: usize) {
    for _ in 0..count {
        while model.events.is_empty() && model.decode() {}
        let expected = model.events.pop_front();
        assert_eq!(machine.poll_event().map(read), expected, "at {:?}", model.now);
        if expected.is_none() {
            return;
        }
    }
}

/// What must be true, in the simplest words.
#[derive(Debug, Default)]
struct Model {
    now: Instant,
    made: Vec<i64>,
    calls: BTreeMap<i64, Call>,
    /// What was put into a report last.
    sent: BTreeMap<i64, i64>,
    /// What has arrived and was not read: when, for which call, and the value of a report.
    unread: VecDeque<(Instant, i64, Option<f64>)>,
    events: VecDeque<Told>,
}

#[derive(Debug)]
struct Call {
    is_tracked: bool,
    started: Instant,
    idle: Option<(Duration, Instant)>,
    total: Option<(Duration, Instant)>,
    last: Option<f64>,
    reports: u64,
}

#[derive(Debug, PartialEq)]
enum Told {
    Progress(i64, f64),
    Answered(i64),
    Cancelled(i64),
    TimedOut(i64, Limit, Duration, Duration, bool, u64, Option<f64>, usize),
    Violation,
}

impl Call {
    fn due(&self) -> Option<(Instant, Limit, Duration)> {
        let idle = self.idle.map(|(time, at)| (at, Limit::Idle, time));
        let total = self.total.map(|(time, at)| (at, Limit::Total, time));
        match (idle, total) {
            // At the same moment it is the total.
            (Some(idle), Some(total)) if idle.0 < total.0 => Some(idle),
            (idle, total) => total.or(idle),
        }
    }
}

impl Model {
    fn next_due(&self) -> Option<Instant> {
        self.calls.values().filter_map(|call| Some(call.due()?.0)).min()
    }

    /// Ends what is due, the earliest first.
    fn expire(&mut self, now: Instant) {
        loop {
            let due = self.calls.iter().filter_map(|(id, call)| Some((call.due()?, *id)));
            let next =
                due.min_by_key(|((at, ..), id)| (*at, *id)).filter(|((at, ..), _)| *at <= now);
            let Some(((_, limit, time), id)) = next else { return };
            let call = self.calls.remove(&id).expect("it was found");
            self.events.push_back(Told::TimedOut(
                id,
                limit,
                time,
                now.saturating_duration_since(call.started),
                call.is_tracked,
                call.reports,
                call.last,
                self.calls.len(),
            ));
        }
    }

    /// Reads one line: what was due before it came has ended before it.
    fn decode(&mut self) -> bool {
        let Some((at, id, value)) = self.unread.pop_front() else { return false };
        self.expire(Instant::from_nanos(at.as_nanos() - 1));
        let Some(value) = value else {
            let told = self.calls.remove(&id).map_or(Told::Violation, |_| Told::Answered(id));
            self.events.push_back(told);
            return true;
        };
        let call = self.calls.get_mut(&id).filter(|call| call.is_tracked);
        let told = match call.filter(|call| call.last.is_none_or(|last| last < value)) {
            None => Told::Violation,
            Some(call) => {
                call.last = Some(value);
                call.reports += 1;
                // It may have arrived before its call was made: that makes no deadline earlier.
                call.idle = call.idle.map(|(time, due)| (time, due.max(at + time)));
                Told::Progress(id, value)
            }
        };
        self.events.push_back(told);
        true
    }
}

fn read(event: Event) -> Told {
    let number = |id: &RequestId| id.as_i64().expect("ids are numbers");
    match &event {
        Event::Progress { id, progress } => Told::Progress(number(id), progress.progress),
        Event::Response { id, outcome: Ok(_) } => Told::Answered(number(id)),
        Event::Response { id, outcome: Err(CallError::Cancelled) } => Told::Cancelled(number(id)),
        Event::Response { id, outcome: Err(CallError::TimedOut(expired)) } => {
            let Expired { limit, after, elapsed, tracked, reports, last, others, .. } = *expired;
            Told::TimedOut(number(id), limit, after, elapsed, tracked, reports, last, others)
        }
        Event::Violation(_) => Told::Violation,
        other => panic!("not foreseen: {other:?}"),
    }
}
