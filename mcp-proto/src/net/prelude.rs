//! What a program that uses an adapter needs: each adapter has these names too.

pub use std::process::Command;

pub use super::{ConnectError, Listener, Stream};
pub use crate::config::{ClientConfig, Limits, ServerConfig, Timeouts, Tolerance};
pub use crate::driver::{
    Call, Client, Delivery, Incoming, ListenerError, Outcome, Reporter, Server, Steps,
};
pub use crate::error::{CallError, CloseReason, ErrorObject, SendError, Violation};
pub use crate::event::PeerInfo;
pub use crate::id::{ProgressToken, RequestId};
pub use crate::json::RawJson;
pub use crate::method::{Notification, Request};
pub use crate::progress::{Pacing, ProgressView, ReportError};
pub use crate::revision::{Revision, RevisionSet};
pub use crate::role;
#[cfg(feature = "schemars")]
pub use crate::router::Structured;
pub use crate::router::{Context, LocalRouter, Router, ToolError, ToolInfo, ToolOutput};
pub use crate::types::{
    CallTool, CallToolResult, ClientCapabilities, ContentBlock, ListTools, LogLevel, LogMessage,
    Ping, Progress, ServerCapabilities, Tool,
};
