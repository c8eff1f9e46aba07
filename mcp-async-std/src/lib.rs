//! MCP clients and servers on async-std.

pub use mcp_proto;
