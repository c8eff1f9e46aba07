//! HTTP: Streamable HTTP of every revision, and HTTP+SSE where it is asked for.
//!
//! A server is [served](serve()) on a socket, with a router's tools:
//!
//! ```no_run
//! use mcp_tokio::http::ServerOptions;
//! use mcp_tokio::{CallToolResult, Context, RawJson, Router, Tool};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let schema = RawJson::parse(r#"{"type":"object"}"#)?;
//! let hello = async |_: Context, _: Option<RawJson>| CallToolResult::text("hello");
//! let router = Router::new("greeter", "1.0").raw_tool(Tool::new("hello", schema), hello);
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
//! mcp_tokio::serve_http(listener, router, ServerOptions::default(), std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! or is a [`Service`] that an axum router nests, see [`service`]. It answers every path: which one it is, whoever nests
//! it decides. By default it speaks only to this machine; see [`Access`].

mod client;
mod connection;
mod hyper;
mod serve;

pub use self::client::{Connector, client, connect};
pub use self::serve::{HttpServer, serve, service};
pub use mcp_proto::driver::http::{HttpClient, Principal, ResponseBody, Service};
pub use mcp_proto::http::{Access, ClientOptions, ServerOptions};
