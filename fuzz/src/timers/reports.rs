//! The reports of a server: never more often than its pacing says, and none waits longer than that.

use std::time::Duration;

use arbitrary::Arbitrary;
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::role::Server;
use mcp_proto::testing::take_output;
use mcp_proto::{
    CallToolResult, Connection, Event, Instant, Progress, RequestId, Revision, ServerConfig,
};

use crate::wire::{after, server};

#[derive(Arbitrary, Debug, Clone, Copy)]
pub(super) enum Step {
    /// One of two requests is further.
    Report {
        second: bool,
        weight: Weight,
    },
    /// Many at once.
    Burst {
        second: bool,
        count: u8,
    },
    Pass(u8),
    /// To the next deadline, and so many milliseconds beyond.
    Jump(u8),
    Wake,
    /// One of them is done.
    Respond {
        second: bool,
    },
}

/// What is known of one request.
#[derive(Debug)]
struct Work {
    id: RequestId,
    /// As it stands in the progress notifications.
    token: i64,
    value: f64,
    /// When each of its reports left.
    left: Vec<Instant>,
    last_left: Option<f64>,
    is_answered: bool,
}

pub(super) fn run(burst: u8, every: u8, steps: &[Step]) {
    let mut now = Instant::from_nanos(1);
    let every = Duration::from_millis(every.into());
    let pacing = Pacing::default().burst(burst.into()).every(every);
    let config = ServerConfig::new("timers", "1").pacing(pacing);
    let mut machine = server(config, Revision::V2025_11_25, now);
    let mut works = [7, 8].map(|token| accept(&mut machine, token, now));
    for step in steps {
        match *step {
            Step::Report { second, weight } => {
                report(&mut machine, &mut works[usize::from(second)], weight, now);
            }
            Step::Burst { second, count } => {
                for _ in 0..count {
                    report(&mut machine, &mut works[usize::from(second)], Weight::Ordinary, now);
                }
            }
            Step::Pass(millis) => now = after(now, millis.into()),
            Step::Jump(late) => {
                now = after(machine.poll_timeout().unwrap_or(now).max(now), late.into());
                machine.handle_timeout(now);
            }
            Step::Wake => machine.handle_timeout(now),
            Step::Respond { second } => {
                let work = &mut works[usize::from(second)];
                // What waited leaves with the answer, whatever the pacing says.
                written(&mut machine, std::slice::from_mut(work), now);
                let done = machine.respond(&work.id, &CallToolResult::text("done"), now);
                assert_eq!(done.is_ok(), !work.is_answered);
                work.is_answered = true;
                take_output(&mut machine);
            }
        }
        written(&mut machine, &mut works, now);
        for work in works.iter().filter(|work| !work.is_answered) {
            check(&machine, work, burst, every, now);
        }
    }
}

fn accept(machine: &mut Connection<Server>, token: i64, now: Instant) -> Work {
    let line = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{token},\"method\":\"tools/call\",\"params\":{{\"name\":\"t\",\
         \"_meta\":{{\"progressToken\":{token}}}}}}}\n"
    );
    machine.handle_input(line.as_bytes(), now);
    let Some(Event::Request { id, .. }) = machine.poll_event() else { panic!("no request") };
    Work { id, token, value: 0.0, left: Vec::new(), last_left: None, is_answered: false }
}

fn report(machine: &mut Connection<Server>, work: &mut Work, weight: Weight, now: Instant) {
    work.value += 1.0;
    let done = machine.report(&work.id, Progress::new(work.value), weight, now);
    assert_eq!(done.is_ok(), !work.is_answered, "{done:?}");
}

/// Takes what the machine has written, and enters whose it is.
fn written(machine: &mut Connection<Server>, works: &mut [Work], now: Instant) {
    let bytes = take_output(machine);
    for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let message: serde_json::Value = serde_json::from_slice(line).expect("JSON");
        let params = &message["params"];
        let token = params["progressToken"].as_i64();
        let Some(work) = works.iter_mut().find(|work| Some(work.token) == token) else {
            // The one that is not looked at just now was looked at before.
            continue;
        };
        assert!(!work.is_answered, "behind the answer: {message}");
        let value = params["progress"].as_f64().expect("a number");
        assert!(work.last_left.is_none_or(|last| last < value), "{value} after {work:?}");
        work.last_left = Some(value);
        work.left.push(now);
    }
}

fn check(machine: &Connection<Server>, work: &Work, burst: u8, every: Duration, now: Instant) {
    // No window of time has more than the burst and one for each full interval in it.
    let burst = usize::from(burst.max(1));
    if let (Some(last), false) = (work.left.last(), every.is_zero()) {
        for (at, first) in work.left.iter().enumerate().rev().take(600) {
            let intervals = last.saturating_duration_since(*first).as_nanos() / every.as_nanos();
            let count = work.left.len() - at;
            assert!(count <= burst + intervals as usize, "{count} in {intervals} intervals");
        }
    }
    // What waits does not wait longer than one interval, and somebody is told when to let it go.
    if !machine.is_progress_flushed(&work.id) {
        let at = machine.poll_timeout().expect("something waits");
        assert!(at <= now + every, "it is {now:?}, and {at:?} is too late");
    } else if let Some(last) = work.last_left {
        assert!(last >= work.value, "the last report of {work:?} was lost");
    } else {
        assert!(work.value == 0.0, "every report of {work:?} was lost");
    }
}
