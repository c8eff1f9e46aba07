//! What the official conformance suite asks of a server: its tools, by name.

mod media;
mod tools;

pub use tools::router;
