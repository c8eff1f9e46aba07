//! The names of header fields, and what `Mcp-Name` repeats: the same for who says it and for who checks it.

use http::HeaderName;

pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
pub(super) const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");
pub(super) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub(super) const METHOD: HeaderName = HeaderName::from_static("mcp-method");
pub(super) const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// The id of a task, which the extension of tasks has `Mcp-Name` repeat.
pub(super) const TASK: &str = "taskId";

/// The parameter of a method that `Mcp-Name` repeats. 2026-07-28 `basic/transports/streamable-http`, standard headers.
pub(super) fn named_by(method: &[u8]) -> Option<&'static str> {
    match method {
        b"tools/call" | b"prompts/get" => Some("name"),
        b"resources/read" => Some("uri"),
        b"tasks/get" | b"tasks/update" | b"tasks/cancel" => Some(TASK),
        _ => None,
    }
}
