//! State as a value: machines that are replaced by what their snapshots become, and snapshots that nobody has taken.

use arbitrary::{Arbitrary, Unstructured};
use mcp_proto::role::{Client, Role, Server};
use mcp_proto::snapshot::ConnectionSnapshot;
use mcp_proto::testing::exhaust;
use mcp_proto::testing::ops::{PairSchedule, SoloSchedule};
use mcp_proto::{ClientConfig, Connection, Instant, Limits, RawJson, ServerConfig};

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
        exhaust(machine, now, "a snapshot that nobody has taken");
    }
}
