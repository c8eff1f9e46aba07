//! The bodies of the fuzz targets: ordinary functions that panic when a promise is broken.
//!
//! `cargo +nightly fuzz run scanner` explores; `cargo test -p mcp-fuzz` replays on stable what is kept
//! in `corpus/` (small named seeds) and `regressions/` (every crash, for ever).

mod chunking;
mod endpoint_ops;
mod line;
mod ops;
mod scanner;
mod wire;

pub use chunking::chunking;
pub use endpoint_ops::endpoint_ops;
pub use line::line;
pub use scanner::scanner;
