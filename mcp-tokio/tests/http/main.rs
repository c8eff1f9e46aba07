//! HTTP where it has to be Tokio's: on a clock that only Tokio can pause, so that a minute is nothing and connections can be
//! counted (`pipes`, `pool`), and inside axum's router (`nested`). Everything else runs on every adapter, in `tests/runtimes`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod nested;
mod pipes;
mod pool;
mod window;
mod world;
