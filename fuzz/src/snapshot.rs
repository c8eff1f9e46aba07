//! State as a value: machines that are replaced by what their snapshots become, and snapshots that nobody has taken.

use arbitrary::{Arbitrary, Unstructured};
use mcp_proto::progress::Weight;
use mcp_proto::role::{Client, Role, Server};
use mcp_proto::snapshot::{ConnectionSnapshot, SessionSnapshot};
use mcp_proto::testing::exhaust;
use mcp_proto::testing::ops::{PairSchedule, SoloSchedule};
use mcp_proto::{
    CallToolResult, ClientConfig, Connection, Instant, Limits, Progress, RawJson, ServerConfig,
};

use crate::http_server;

/// The first byte says what follows: a snapshot as JSON, for a server (`{`), a client (`[`, which is skipped) or a session of
/// a server on HTTP (`(`, too), or else a schedule and after how many steps its ends are restored each time.
pub fn snapshot(input: &[u8]) {
    match input {
        [b'{', ..] => hostile(input, |it, now| Connection::<Server>::restore(it, server(), now)),
        [b'[', rest @ ..] => {
            hostile(rest, |it, now| Connection::<Client>::restore(it, client(), now));
        }
        [b'(', rest @ ..] => hostile_session(rest),
        [first, rest @ ..] => {
            // Never would be the schedule as another target runs it.
            let (every, mut bytes) = ((first % 8).max(1), Unstructured::new(rest));
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
        exhaust(machine, now, "a snapshot that nobody has taken");
    }
}

/// The same of a session: a server refuses it, or it can go on to another one, and there all its requests are answered.
fn hostile_session(text: &[u8]) {
    let Ok(json) = RawJson::parse(text.to_vec()) else { return };
    let Ok(snapshot) = json.decode::<SessionSnapshot>() else { return };
    let mut now = Instant::from_nanos(1);
    let (mut first, mut second) = (http_server::server(), http_server::server());
    let scope = match first.import_session(snapshot, now) {
        Ok(scope) => scope,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert_eq!((first.sessions(), first.poll_timeout()), (0, None), "it has changed");
            return http_server::ends(first, now);
        }
    };
    let again = first.clone().export_session(scope, now).expect("what came in can go on");
    let again = http_server::carried(&again);
    let there = second.import_session(again, now).expect("what was taken is given back");
    for (mut server, scope) in [(first, scope), (second, there)] {
        while server.poll_event().is_some() {}
        if let Some(endpoint) = server.endpoint_mut(scope) {
            let ids: Vec<_> = endpoint.in_flight().map(|request| request.id.clone()).collect();
            for id in ids {
                let _ = endpoint.report(&id, Progress::new(50.0), Weight::Milestone, now);
                let _ = endpoint.respond(&id, &CallToolResult::text("done"), now);
                endpoint.abandon(&id, now);
            }
        }
        for rounds in 0.. {
            while server.poll_event().is_some() {}
            let Some(at) = server.poll_timeout() else { break };
            now = now.max(at);
            server.handle_timeout(now);
            assert!(rounds < 1_000, "it wants to be woken for ever");
        }
        assert_eq!(server.requests_in_flight(), 0, "a request stays");
        http_server::ends(server, now);
    }
}
