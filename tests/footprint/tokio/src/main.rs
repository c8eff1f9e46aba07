//! A server on Tokio whose tool has typed arguments and reports.

mod handler;

use mcp_tokio::Router;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let router = Router::new("images", "1.0").tool("resize", "Resizes images", handler::resize);
    drop(mcp_tokio::run_stdio(router).await);
}
