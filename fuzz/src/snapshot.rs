//! State as a value: machines that are replaced by what their snapshots become, and snapshots that nobody has taken.

use arbitrary::{Arbitrary, Unstructured};
use mcp_proto::progress::Weight;
use mcp_proto::role::{Client, Role, Server};
use mcp_proto::snapshot::ConnectionSnapshot;
use mcp_proto::testing::ops::{PairSchedule, SoloSchedule};
use mcp_proto::{
    CallOptions, CallToolResult, ClientConfig, Connection, Instant, Limits, Progress, RawJson,
    ServerConfig,
};

/// The first byte says what follows: a snapshot as JSON, for a server (`{`) or a client (`[`, which is skipped), or else a
/// schedule and after how many steps its ends are restored each time.
pub fn snapshot(input: &[u8]) {
    match input {
        [b'{', ..] => hostile(input, |it, now| Connection::<Server>::restore(it, server(), now)),
        [b'[', rest @ ..] => {
            hostile(rest, |it, now| Connection::<Client>::restore(it, client(), now));
        }
        [first, rest @ ..] => {
            let (every, mut bytes) = (first % 8, Unstructured::new(rest));
            if first & 0x80 == 0 {
                if let Ok(schedule) = PairSchedule::arbitrary(&mut bytes) {
                    schedule.run_restored(every);
                }
            } else if let Ok(schedule) = SoloSchedule::arbitrary(&mut bytes) {
                schedule.run_restored(every);
            }
        }
        [] => {}
    }
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_message_len = 2 << 10;
    limits.max_requests = 4;
    limits.max_calls = 4;
    limits
}

fn server() -> ServerConfig {
    ServerConfig::new("s", "1").limits(limits())
}

fn client() -> ClientConfig {
    ClientConfig::new("c", "1").limits(limits())
}

/// What is read as a snapshot is refused, or is a machine that ends in order, and of which a snapshot can be taken again.
fn hostile<R: Role, E: core::fmt::Display>(
    text: &[u8],
    restore: impl Fn(ConnectionSnapshot, Instant) -> Result<Connection<R>, E>,
) {
    let Ok(json) = RawJson::parse(text.to_vec()) else { return };
    let Ok(snapshot) = json.decode::<ConnectionSnapshot>() else { return };
    let now = Instant::from_nanos(1);
    let machine = match restore(snapshot, now) {
        Ok(machine) => machine,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let again = RawJson::of(&machine.snapshot(now)).expect("a snapshot has JSON");
    let again = restore(again.decode().expect("and is read again"), now);
    let Ok(again) = again else { panic!("what was taken is refused when it is given back") };
    for machine in [machine, again] {
        exhaust(machine, now);
    }
}

/// Everything that can be done to a machine, until it is over.
fn exhaust<R: Role>(mut machine: Connection<R>, mut now: Instant) {
    machine.advance_transmit(1);
    machine.handle_input(b"\n{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"ping\"}\n", now);
    let ids: Vec<_> = machine.in_flight().map(|request| request.id.clone()).collect();
    for id in ids {
        let _ = machine.report(&id, Progress::new(50.0), Weight::Milestone, now);
        let _ = machine.respond(&id, &CallToolResult::text("done"), now);
        machine.abandon(&id, now);
    }
    let _ = machine.request_raw("any", None, CallOptions::default(), now);
    let mut rounds = 0;
    for last in [false, true] {
        loop {
            while machine.poll_event().is_some() {}
            while let Some(length) = machine.poll_transmit().map(<[u8]>::len) {
                machine.advance_transmit(length);
            }
            let Some(at) = machine.poll_timeout() else { break };
            now = now.max(at);
            machine.handle_timeout(now);
            rounds += 1;
            assert!(rounds < 1_000, "it wants to be woken for ever");
        }
        if !last {
            machine.handle_eof(now);
        }
    }
    machine.close(now);
    while machine.poll_event().is_some() {}
    assert!(machine.is_closed() && machine.poll_timeout().is_none());
    assert_eq!((machine.calls_in_flight(), machine.requests_in_flight()), (0, 0));
}
