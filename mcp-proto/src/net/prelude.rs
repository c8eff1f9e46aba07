//! What a program that uses an adapter needs: each adapter has these names too.

pub use std::process::Command;

pub use super::{ConnectError, Listener, Stream};
pub use crate::config::{ClientConfig, ServerConfig, Timeouts};
pub use crate::driver::{
    Call, Client, Delivery, Incoming, ListenerError, Outcome, Reporter, Server, Steps,
};
pub use crate::error::{CallError, CloseReason, ErrorObject, SendError, Violation};
pub use crate::event::PeerInfo;
pub use crate::id::{ProgressToken, RequestId};
pub use crate::json::RawJson;
pub use crate::method::Request;
pub use crate::progress::{Pacing, ProgressView, ReportError};
pub use crate::revision::Revision;
#[cfg(feature = "schemars")]
pub use crate::router::Structured;
pub use crate::router::{Context, LocalRouter, Router, ToolError, ToolInfo, ToolOutput};
pub use crate::types::{
    CallTool, CallToolResult, ContentBlock, ListTools, LogLevel, LogMessage, Progress, Tool,
};
