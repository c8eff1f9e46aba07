//! The catalogue of bad input, run against the engine.
//!
//! `tests/data/bad-input/` holds the cases. Each is put to an engine in its starting state ([`start`]), fed
//! its input on simulated time ([`subject`]), and what was seen of it ([`observed`]) is judged ([`judge`],
//! `forbidden`); then the connection must still work, or have ended (`probe`).
//!
//! A new layer takes its name in [`LAYERS`] (or has a module of its own, as those of HTTP), its starting states in [`start`], and, if it has reactions that
//! no layer before had, these in [`reaction`] and [`judge`].

pub mod application;
pub mod case;
pub mod exceptions;
pub mod forbidden;
pub mod http_client;
pub mod http_server;
pub mod judge;
pub mod memory;
pub mod message;
pub mod names;
pub mod observed;
mod probe;
pub mod process;
pub mod reaction;
pub mod reference;
pub mod run;
pub mod start;
pub mod subject;
pub mod suite;

/// The layers whose input is a byte stream: any transport that has one is put to them.
pub const LAYERS: [&str; 10] = [
    "framing",
    "json",
    "jsonrpc",
    "batch",
    "lifecycle",
    "meta",
    "params",
    "progress",
    "cancel",
    "limits",
];

/// All layers that are run, those of HTTP included.
pub fn layers() -> impl Iterator<Item = &'static str> {
    LAYERS.into_iter().chain(http_client::LAYERS).chain(http_server::LAYERS)
}
