//! HTTP: Streamable HTTP of every revision, and HTTP+SSE where it is asked for.
//!
//! A server is [run](run()) on a socket, with a router's tools:
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
//! mcp_tokio::run_http(listener, router, ServerOptions::default(), std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! or is a [`Service`] that an axum router nests, see [`router_service`]. It answers every path: which one it is, whoever nests
//! it decides. By default it speaks only to this machine; see [`Access`].

use std::future::Future;
use std::io;

use ::http::Uri;
use mcp_proto::net::http as net;
use tokio::net::TcpListener;

use crate::tcp::Accepting;
use crate::{Client, ClientConfig, ConnectError, Router, Server, ServerConfig, Tokio};

pub use mcp_proto::driver::http::{HttpClient, Principal, ResponseBody, Service};
pub use mcp_proto::http::{
    Access, BadAnnotation, ClientOptions, Replay, Ring, ServerOptions, StreamName,
};
pub use mcp_proto::net::http::{Connector, HttpServer};

/// Connects to the server at an `http://` or `https://` URL, and waits until it is ready. See [`connector`] for headers
/// and more.
///
/// # Errors
///
/// [`ConnectError`]: there is no server, or none that becomes ready.
pub async fn connect(url: &str, config: ClientConfig) -> Result<Client, ConnectError> {
    connector().connect(url, config).await
}

/// How to connect, to be chosen.
///
/// ```no_run
/// use mcp_tokio::{CallTool, ClientConfig};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let connector = mcp_tokio::http::connector().header("Authorization", "Bearer abc");
/// let client = connector.connect("https://example.com/mcp", ClientConfig::new("example", "1.0")).await?;
/// let call = client.call(CallTool::new("resize").argument("width", 800));
/// let result = call.on_progress(|report| println!("{}", report.progress)).await?;
/// # Ok(())
/// # }
/// ```
pub fn connector() -> Connector {
    Connector::new(Tokio::new())
}

/// A client of the server at an absolute `url`, over any HTTP library. It is not waited for: calls leave when the
/// server is ready. `prepare` runs before the first byte is sent.
pub fn client<H>(
    http: H,
    url: Uri,
    config: ClientConfig,
    options: ClientOptions,
    prepare: impl FnOnce(&Client),
) -> Client
where
    H: HttpClient<Body: Send, Sending: Send> + Send + 'static,
{
    net::client(http, url, config, options, Tokio::new(), prepare)
}

/// Serves a router's tools to whoever connects, until `until` is ready: HTTP/1.1 and HTTP/2, without TLS. See
/// [`server`] for what else can be set.
///
/// # Errors
///
/// As [`HttpServer::run`], and why the socket has no address.
pub async fn run(
    listener: TcpListener,
    router: Router,
    options: ServerOptions,
    until: impl Future<Output = ()>,
) -> io::Result<()> {
    server(listener)?.options(options).run(router, until).await
}

/// A socket on which HTTP is served, to be set up and [run](HttpServer::run).
///
/// # Errors
///
/// Why it has no address.
pub fn server(listener: TcpListener) -> io::Result<HttpServer> {
    let address = listener.local_addr()?;
    Ok(HttpServer::new(Accepting(listener), address, Tokio::new()))
}

/// A router's tools as a server on HTTP without a socket, to be nested into whatever takes a `tower_service::Service`: a router
/// of axum, a connection of hyper. Each request runs in a task of its own. It ends with the last clone of the service, once what
/// is under way is finished.
///
/// ```
/// use mcp_tokio::Router;
/// use mcp_tokio::http::ServerOptions;
///
/// # fn example(router: Router) -> Result<(), mcp_tokio::http::BadAnnotation> {
/// let service = mcp_tokio::http::router_service(router, ServerOptions::default())?;
/// // axum::Router::new().route_service("/mcp", service)
/// # drop(service);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`BadAnnotation`] if a tool's schema says `x-mcp-header` where it must not.
pub fn router_service(router: Router, options: ServerOptions) -> Result<Service, BadAnnotation> {
    net::router_service(router, options, Tokio::new())
}

/// A server on HTTP without a socket, to be nested into whatever takes a `tower_service::Service`: a router of axum, a
/// connection of hyper. Requests are to be [accepted](Server::accept); its time moves in a task of its own. Headers that tools want
/// (`x-mcp-header`) are checked against the body if [`ServerOptions::mirror`] or [`Router::mirror`] has named them.
///
/// ```
/// use mcp_tokio::http::ServerOptions;
/// use mcp_tokio::{CallToolResult, ServerConfig};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let config = ServerConfig::new("greeter", "1.0");
/// let (mut server, service) = mcp_tokio::http::service(config, ServerOptions::default());
/// tokio::spawn(async move {
///     while let Some(request) = server.accept().await {
///         let _ = request.respond(&CallToolResult::text("hello"));
///     }
/// });
/// // axum::Router::new().route_service("/mcp", service)
/// # drop(service);
/// # }
/// ```
pub fn service(config: ServerConfig, options: ServerOptions) -> (Server, Service) {
    net::service(config, options, Tokio::new())
}

/// As [`service`], and what was sent on streams, so that a client whose connection broke has it again, is kept in this
/// store. [`HttpServer::replay`] sets that of a server on a socket.
pub fn service_with(
    config: ServerConfig,
    options: ServerOptions,
    replay: Box<dyn Replay>,
) -> (Server, Service) {
    net::service_with(config, options, replay, Tokio::new())
}
