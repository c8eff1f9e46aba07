//! The same tools in every engine. `echo` returns the text that it was given. `report` reports as often as
//! it is told. `stamp` does so once a millisecond, with the time at which it did.

pub mod mcp_io;
pub mod ours;
pub mod rmcp;

use std::time::{SystemTime, UNIX_EPOCH};

/// Reports before a tool of ours waits for them to leave.
pub const BURST: usize = 100;

/// Nanoseconds by the system's clock, which all processes share, with as many digits each time.
pub fn stamp() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
    u64::try_from(now.as_nanos()).expect("a clock before 2554")
}

/// The message of a stamped report: as long as others.
pub fn stamped() -> String {
    format!("at {} ns", stamp())
}

/// How long ago a stamped report was made, in nanoseconds.
pub fn age(message: &str) -> Option<u64> {
    let then: u64 = message.strip_prefix("at ")?.strip_suffix(" ns")?.parse().ok()?;
    stamp().checked_sub(then)
}
