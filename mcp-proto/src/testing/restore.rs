//! A machine replaced by one that was made of its snapshot.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::config::CallOptions;
use crate::json::RawJson;
use crate::progress::Weight;
use crate::role::Role;
use crate::state::RestoreError;
use crate::stdio::{Connection, ConnectionSnapshot};
use crate::time::Instant;
use crate::types::{CallToolResult, Progress};

/// How a snapshot travels: written in some format, and read again.
pub type Carry<'a> = &'a mut dyn FnMut(ConnectionSnapshot) -> ConnectionSnapshot;

/// What a snapshot of this connection becomes, with the same configuration, at the time `then` of another clock.
///
/// # Errors
///
/// A snapshot that is refused.
///
/// # Panics
///
/// If the two differ in what can be seen of them: in what is due when, in what may be read or written, in their
/// snapshots.
pub fn restored<R: Role>(
    connection: &Connection<R>,
    now: Instant,
    then: Instant,
    carry: Carry<'_>,
) -> Result<Connection<R>, RestoreError> {
    let snapshot = connection.snapshot(now);
    let text = written(&snapshot);
    let restored = connection.again(carry(snapshot), then)?;
    assert_eq!(written(&restored.snapshot(then)), text, "it remembers something else");
    let due = connection.poll_timeout().map(|at| at.rebased(now, then));
    assert_eq!(restored.poll_timeout(), due, "it wakes at another time");
    assert_eq!(
        restored.deadline_reason(),
        connection.deadline_reason(),
        "it wakes for another reason"
    );
    let look = |it: &Connection<R>| {
        let numbers = (it.calls_in_flight(), it.requests_in_flight());
        let flags = (it.is_closed(), it.wants_input(), it.has_transmit());
        (numbers, flags, it.peer().cloned(), it.core().has_event())
    };
    assert_eq!(look(&restored), look(connection), "it is not the same");
    Ok(restored)
}

/// Does everything that can be done to a machine, until it is over.
///
/// # Panics
///
/// If it spins, or if something of it stays. `what` says which machine it was.
pub fn exhaust<R: Role>(mut machine: Connection<R>, mut now: Instant, what: &str) {
    let bound = machine.poll_transmit().map_or(0, <[u8]>::len);
    machine.advance_transmit(bound.min(1));
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
                assert!(length > 0, "{what}");
                machine.advance_transmit(length);
            }
            let Some(at) = machine.poll_timeout() else { break };
            now = now.max(at);
            machine.handle_timeout(now);
            rounds += 1;
            assert!(rounds < 1_000, "it wants to be woken for ever: {what}");
        }
        if !last {
            machine.handle_eof(now);
        }
    }
    machine.close(now);
    while machine.poll_event().is_some() {}
    assert!(machine.is_closed() && machine.poll_timeout().is_none(), "{what}");
    assert_eq!((machine.calls_in_flight(), machine.requests_in_flight()), (0, 0), "{what}");
}

/// A snapshot as JSON.
fn written(snapshot: &ConnectionSnapshot) -> String {
    match RawJson::of(snapshot) {
        Ok(json) => json.to_string(),
        Err(error) => error.to_string(),
    }
}

/// Carries a snapshot as JSON, by the engine's own writer and reader.
///
/// # Panics
///
/// If it cannot be written or read.
#[allow(clippy::panic)] // the verdict of a test tool
pub fn as_json(snapshot: ConnectionSnapshot) -> ConnectionSnapshot {
    let text = RawJson::of(&snapshot);
    match text.as_ref().map(RawJson::decode) {
        Ok(Ok(snapshot)) => snapshot,
        Ok(Err(error)) => panic!("it cannot be read: {error}"),
        Err(error) => panic!("it cannot be written: {error}"),
    }
}
