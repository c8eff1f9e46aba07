//! An MCP server beside other pages of an axum router.
//!
//! ```text
//! cargo run -p mcp-tokio --features http,schemars --example axum -- 127.0.0.1:8000
//! ```

use axum::routing::get;
use mcp_tokio::http::{self, BadAnnotation, ServerOptions};
use mcp_tokio::{Context, Progress, Router, ToolError};

async fn resize(ctx: Context) -> Result<&'static str, ToolError> {
    for done in 1..=10 {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        ctx.progress().report(Progress::new(done.into()).of(10.0))?;
    }
    Ok("resized")
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".into());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listening on http://{}/mcp", listener.local_addr()?);
    axum::serve(listener, app().map_err(std::io::Error::other)?).await
}

/// The pages, one of which speaks MCP.
fn app() -> Result<axum::Router, BadAnnotation> {
    let tools = Router::new("images", "1.0").tool("resize", "Resizes all images", resize);
    let service = http::router_service(tools, ServerOptions::default())?;
    let app = axum::Router::new().route("/", get(|| async { "images" }));
    Ok(app.route_service("/mcp", service))
}
