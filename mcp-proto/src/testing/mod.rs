//! Two engines on one clock, a simulated network, transcripts: tests without sockets and without waiting.
//!
//! - [`Pair`]: a client and a server joined in memory, on a clock that jumps to the next deadline.
//! - [`SimNet`]: what is between them: seeded chunking, delay, truncation, disconnect.
//! - [`transcript`]: conversations written as text, played to one side.

mod net;
mod pair;
mod random;
pub mod transcript;

pub use net::{Arrival, End, SimNet};
pub use pair::Pair;
pub use random::Random;
