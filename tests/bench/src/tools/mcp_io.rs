//! The tools on mcp-io.

use mcp_io::jsonx::json;
use mcp_io::{Implementation, Server, Tier, Tool, ToolError, ToolResult};

use crate::messages::{STEP, TOTAL};

/// `echo` and `report`; they run where the message is handled.
pub fn tools() -> Server {
    Server::new(Implementation::new("bench", "1"))
        .with_workers(0)
        .tool(
            Tool::new("echo", Tier::ReadOnly).input_schema(json!({
                "type": "object",
                "properties": { "text": { "type": "string" } },
                "required": ["text"]
            })),
            |call| {
                let text = call.arguments()["text"].as_str();
                Ok(ToolResult::text(text.ok_or_else(|| ToolError::new("text is missing"))?))
            },
        )
        .expect("a tool")
        .tool(
            Tool::new("report", Tier::ReadOnly).input_schema(json!({
                "type": "object",
                "properties": { "count": { "type": "integer" } },
                "required": ["count"]
            })),
            |call| {
                let count = call.arguments()["count"].as_i64().unwrap_or_default();
                for step in 1..=count {
                    call.progress(step as f64, Some(TOTAL), Some(STEP))
                        .map_err(|error| ToolError::new(error.to_string()))?;
                }
                Ok(ToolResult::text(""))
            },
        )
        .expect("a tool")
}
