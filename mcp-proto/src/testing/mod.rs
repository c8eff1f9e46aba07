//! Two engines on one clock, a simulated network, transcripts: tests without sockets and without waiting.
//!
//! - [`Pair`]: a client and a server joined in memory, on a clock that jumps to the next deadline.
//! - [`SimNet`]: what is between them: seeded chunking, delay, truncation, disconnect.
//! - [`take_output`], [`take_events`]: everything that one side has ready; [`digest`]: where it stands; [`check_text`]:
//!   whether what it tells fits a log.
//! - [`ops`]: schedules of operations for fuzzers, and the oracles that judge them.
//! - [`transcript`]: conversations written as text, played to one side.
//! - [`recording`]: what `mcpcli --record` has written, played to the engine again.
//! - [`restored`]: a connection replaced by one that was made of its snapshot.
//! - [`lint`]: which rules of the protocol either side of a recording broke.
//! - `codec` (also a feature of its own): one message read or written by itself.
//! - [`connect`]: a client on a [`Router`](crate::router::Router), to test its tools; [`Clock`] for tools that wait.

mod clock;
mod drain;
pub mod lint;
mod memory;
mod net;
pub mod ops;
mod pair;
mod pipe;
mod random;
pub mod recording;
mod restore;
pub mod transcript;

pub use crate::codec;
pub use clock::Clock;
pub use drain::{check_text, digest, take_events, take_output};
pub use memory::{Memory, connect};
pub use net::{Arrival, End, SimNet};
pub use pair::Pair;
pub use random::Random;
pub use restore::{Carry, as_json, exhaust, restored};
