//! The bodies of the fuzz targets: ordinary functions that panic when a promise is broken.
//!
//! `cargo +nightly fuzz run scanner` explores; `cargo test -p mcp-fuzz` replays on stable what is kept
//! in `corpus/` and `regressions/` (every crash, for ever). `docs/fuzzing.md` tells the rest.

mod chunking;
mod endpoint_ops;
mod envelope;
mod handler;
mod headers;
mod http_client;
mod http_server;
mod line;
mod members;
mod pair;
mod round_trip;
mod scanner;
mod snapshot;
mod sse;
mod timers;
mod types;
mod values;
mod wire;

pub use chunking::chunking;
pub use endpoint_ops::endpoint_ops;
pub use envelope::envelope;
pub use handler::{call_tools, handler};
pub use headers::headers;
pub use http_client::http_client;
pub use http_server::http_server;
pub use line::line;
pub use pair::pair;
pub use round_trip::round_trip;
pub use scanner::scanner;
pub use snapshot::snapshot;
pub use sse::sse;
pub use timers::timers;
pub use types::{TYPES, types};
pub use values::values;

/// A name and a body.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("chunking", chunking),
    ("endpoint_ops", endpoint_ops),
    ("envelope", envelope),
    ("handler", handler),
    ("headers", headers),
    ("http_client", http_client),
    ("http_server", http_server),
    ("line", line),
    ("pair", pair),
    ("round_trip", round_trip),
    ("scanner", scanner),
    ("snapshot", snapshot),
    ("sse", sse),
    ("timers", timers),
    ("types", types),
    ("values", values),
];
