//! Two endpoints that talk to each other, in any order of what can happen.

use arbitrary::{Arbitrary, Unstructured};
use mcp_proto::testing::ops::PairSchedule;

/// Bytes that `arbitrary` reads as a schedule.
pub fn pair(input: &[u8]) {
    if let Ok(schedule) = PairSchedule::arbitrary(&mut Unstructured::new(input)) {
        schedule.run();
    }
}
