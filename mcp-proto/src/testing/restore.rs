//! A machine replaced by one that was made of its snapshot.

use alloc::string::{String, ToString};

use crate::json::RawJson;
use crate::role::Role;
use crate::state::RestoreError;
use crate::stdio::{Connection, ConnectionSnapshot};
use crate::time::Instant;

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
