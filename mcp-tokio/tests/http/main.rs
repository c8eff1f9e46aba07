//! HTTP over real sockets: both eras, both versions of HTTP, peers that hang up, stand still or are cut off.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod cut;
mod ending;
mod nested;
mod pipes;
mod pool;
mod progress;
mod redirect;
mod reset;
mod stalled;
mod world;
