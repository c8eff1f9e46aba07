//! MCP clients and servers on smol.

pub use mcp_proto;
