//! The demo server on HTTP: every revision on one address.
//!
//! ```text
//! cargo run -p mcp-tokio --features http,schemars --example http_server -- 127.0.0.1:8000
//! ```
//!
//! `--sse` serves clients of 2024-11-05 too (HTTP+SSE). It stops when its standard input ends: requests that are under
//! way are finished.

use mcp_tokio::http::ServerOptions;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

#[path = "server.rs"]
#[allow(dead_code)] // its `main`
mod demo;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut address = "127.0.0.1:0".to_owned();
    let mut options = ServerOptions::default();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--sse" => options = options.http_sse(),
            _ => address = argument,
        }
    }
    let listener = TcpListener::bind(address).await?;
    let place = listener.local_addr()?;
    println!("listening on http://{place}/mcp");
    if options.http_sse {
        println!("listening on http://{place}/sse");
    }
    let input_ends = async {
        let mut input = tokio::io::stdin();
        while matches!(input.read(&mut [0; 1024]).await, Ok(1..)) {}
    };
    mcp_tokio::serve_http(listener, demo::router(), options, input_ends).await
}
