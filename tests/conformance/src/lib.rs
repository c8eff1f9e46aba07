//! What the official conformance suite asks of a server: its tools, by name. They run on each runtime.

mod media;
mod runtime;
mod tools;

pub use runtime::Runtime;
pub use tools::router;
