//! Many clients and one server over HTTP, on simulated time and a network that has no sockets: connections have
//! their own delays, so that streams overtake each other; they break at any moment, or die without a word; readers
//! stand still, and sessions go from one server to another.
#![allow(missing_docs)] // the names say it

mod counts;
mod ends;
mod heard;
mod host;
mod judge;
mod kept;
mod model;
mod moves;
mod network;
mod plan;
mod tools;
mod world;

pub use counts::Counts;
pub use ends::{Call, End};
pub use heard::{Heard, Said};
pub use model::{Choice, Model, Walked};
pub use plan::{Faults, Pace, Plan};
pub use world::{Over, World};
