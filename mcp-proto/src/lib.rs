//! The Model Context Protocol as a pure state machine.
#![no_std]

extern crate alloc;
#[cfg(any(test, feature = "driver", feature = "testing"))]
extern crate std;

mod config;
#[cfg(feature = "driver")]
pub mod driver;
mod endpoint;
mod era;
mod error;
mod event;
mod id;
pub mod json;
mod method;
pub mod progress;
mod revision;
pub mod role;
#[cfg(feature = "driver")]
pub mod router;
mod stdio;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
pub mod types;
mod wire;

pub use config::{CallOptions, ClientConfig, Limits, ServerConfig, Timeouts, Tolerance, Tracking};
pub use endpoint::{DeadlineReason, Endpoint, Route, Transmit};
pub use error::{CallError, CloseReason, ErrorObject, Expired, Limit, SendError, Violation};
pub use event::{Event, PeerInfo};
pub use id::{ProgressToken, RequestId};
pub use json::RawJson;
pub use method::{Notification, Request, Ticket};
pub use revision::{Era, Revision, RevisionSet, Rules};
pub use stdio::Connection;
pub use time::Instant;
pub use types::{
    CallTool, CallToolResult, ContentBlock, ListTools, LogLevel, LogMessage, Progress, Tool,
};
