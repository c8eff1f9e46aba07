//! Handlers as functions: a server is a list of tools, a tool an async function.
//!
//! [`Router`] holds the tools and answers `tools/list` and `tools/call`; a runtime's adapter spawns
//! [`Router::handle`] for each request that it accepts. Handlers that are not `Send` go into a
//! [`LocalRouter`], which [`serve`](Router::serve) polls in place. Typed arguments need the feature
//! `schemars`; without it [`Router::raw_tool`] takes JSON and its schema as they are.

mod context;
mod error;
mod handler;
mod info;
mod output;
#[allow(clippy::module_inception)] // what the folder is named after
mod router;
mod serve;
mod table;
#[cfg(feature = "schemars")]
mod typed;

pub use context::Context;
pub use error::ToolError;
pub use handler::{Kind, LocalTool, RawHandler, SendTool};
pub use info::ToolInfo;
#[cfg(feature = "schemars")]
pub use output::Structured;
pub use output::ToolOutput;
pub use router::{LocalRouter, Router};
#[cfg(feature = "schemars")]
pub use typed::Handler;
