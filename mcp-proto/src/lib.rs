//! The Model Context Protocol as a pure state machine.
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "driver", feature = "testing"))]
extern crate std;

pub mod json;
mod progress;
mod time;
mod types;

pub use time::Instant;
pub use types::Progress;
