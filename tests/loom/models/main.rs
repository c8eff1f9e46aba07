//! Models of the driver's concurrency: the engine's own code on loom's locks, threads and reference counts, in
//! every interleaving. `docs/concurrency.md` says what is checked and how to run it.
#![cfg(test)]
#[cfg(not(mcp_loom))]
compile_error!("run it in tests/loom, whose .cargo/config.toml sets `--cfg mcp_loom`");

mod calls;
mod closing;
mod handles;
mod http;
mod outside;
mod requests;
mod wakers;
mod world;
