//! Many clients and one server over HTTP, on simulated time and a network that has no sockets: connections have
//! their own delays, so that streams overtake each other, and break at any moment.
#![allow(missing_docs)] // the names say it

mod ends;
mod model;
mod plan;
mod world;

pub use ends::{Call, End};
pub use model::{Choice, Model, Walked};
pub use plan::{Pace, Plan};
pub use world::{Counts, World};
