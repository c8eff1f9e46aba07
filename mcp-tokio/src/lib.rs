//! MCP clients and servers on Tokio.

pub use mcp_proto;
