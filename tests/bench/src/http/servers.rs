//! The same tools behind HTTP in every engine, and the yardstick: an axum handler that understands nothing.

use std::future::pending;
use std::io;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use futures_util::stream;
use mcp_tokio::http::{ServerOptions, Service};
use mcp_tokio::{CallToolResult, Context, Pacing, Progress, RawJson, Router, Tool};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use super::PATH;
use crate::messages::{STEP, TOTAL};
use crate::tools::rmcp::Tools;

/// Sessions, and requests and connections at once, that nothing here comes near.
const MANY: usize = 100_000;

/// The tools on this engine, with the limit on reports lifted.
pub fn router() -> Router {
    let schema = || RawJson::parse(r#"{"type":"object"}"#).expect("JSON");
    Router::new("bench", "1")
        .pacing(Pacing::UNLIMITED)
        .raw_tool(Tool::new("echo", schema()), echo)
        .raw_tool(Tool::new("report", schema()), report)
}

async fn echo(_: Context, arguments: Option<RawJson>) -> CallToolResult {
    let text = arguments.as_ref().and_then(|given| given.get("text")?.as_str());
    CallToolResult::text(text.expect("a text").into_owned())
}

async fn report(context: Context, arguments: Option<RawJson>) -> CallToolResult {
    let count = arguments.and_then(|given| given.get("count")?.as_f64()).expect("a count");
    for step in 1..=count as usize {
        let progress = Progress::new(step as f64).of(TOTAL).message(STEP);
        context.progress().report(progress).expect("an open stream");
    }
    CallToolResult::text("")
}

fn options() -> ServerOptions {
    let options = ServerOptions::default().max_sessions(MANY).max_exchanges(MANY);
    options.max_standing_streams(MANY)
}

/// This engine on a socket.
pub async fn serve_ours(listener: TcpListener) -> io::Result<()> {
    let server = mcp_tokio::http::server(listener)?.options(options()).max_connections(MANY);
    server.run(router(), pending()).await
}

/// This engine as a service.
pub fn ours() -> Service {
    let router = router();
    let (mut requests, service) = mcp_tokio::http::service(router.config(), options());
    tokio::spawn(async move {
        while let Some(request) = requests.accept().await {
            tokio::spawn(router.handle(request));
        }
    });
    service
}

/// rmcp as a service. In sessions it answers with events; where it may answer with an object, it has no sessions.
pub fn rmcp(with_sessions: bool) -> StreamableHttpService<Tools, LocalSessionManager> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(with_sessions)
        .with_json_response(!with_sessions);
    StreamableHttpService::new(|| Ok(Tools), LocalSessionManager::default().into(), config)
}

/// What the yardstick answers, whatever it is asked: what another server answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    pub content_type: String,
    /// One object, or an event each.
    pub frames: Vec<String>,
}

/// The yardstick: reads a request, and sends what it was given.
pub fn bare(answer: &Answer) -> axum::Router {
    let kind = answer.content_type.clone();
    let frames: Vec<Bytes> = answer.frames.iter().map(|frame| frame.clone().into()).collect();
    let handler = move |_: Bytes| {
        let body = match &frames[..] {
            [whole] => Body::from(whole.clone()),
            _ => {
                Body::from_stream(stream::iter(frames.clone().into_iter().map(Ok::<_, io::Error>)))
            }
        };
        let response = Response::builder().header(CONTENT_TYPE, kind.as_str()).body(body);
        std::future::ready(response.expect("a response"))
    };
    axum::Router::new().route(PATH, post(handler))
}
