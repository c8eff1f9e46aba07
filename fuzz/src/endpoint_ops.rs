//! Any operations in any order on one endpoint whose peer says anything.

use arbitrary::{Arbitrary, Unstructured};
use mcp_proto::testing::ops::SoloSchedule;

/// Bytes that `arbitrary` reads as a schedule: the public one, so this is all that a target takes.
pub fn endpoint_ops(input: &[u8]) {
    if let Ok(schedule) = SoloSchedule::arbitrary(&mut Unstructured::new(input)) {
        schedule.run();
    }
}
