//! What a program that uses an adapter needs: each adapter has these names too.

pub use super::{ConnectError, Listener, Stream};
pub use crate::driver::{
    Call, Client, Delivery, Incoming, ListenerError, Outcome, Reporter, Server, Steps,
};
pub use crate::progress::{Pacing, ProgressView, ReportError};
#[cfg(feature = "schemars")]
pub use crate::router::Structured;
pub use crate::router::{Context, LocalRouter, Router, ToolError, ToolInfo, ToolOutput};
pub use crate::types::{LogLevel, LogMessage, Progress, Tool};
pub use crate::{
    CallError, CallTool, CallToolResult, ClientConfig, CloseReason, ContentBlock, ErrorObject,
    ListTools, PeerInfo, ProgressToken, RawJson, Request, RequestId, Revision, SendError,
    ServerConfig, Timeouts, Violation,
};
pub use std::process::Command;
