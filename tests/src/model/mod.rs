//! Every interleaving of two real engines, within bounds: a breadth-first search over cloned states.

mod action;
mod explore;
mod liveness;
mod scenario;
mod trace;
mod world;

pub use action::{Action, What};
pub use explore::{Found, Outcome, Tally, close, explore};
pub use scenario::{Faults, Scenario};
pub use world::World;
