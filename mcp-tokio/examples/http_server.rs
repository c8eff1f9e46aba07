//! The demo server on HTTP: every revision from 2025-03-26 on one address.
//!
//! ```text
//! cargo run -p mcp-tokio --features http,schemars --example tokio-http_server -- 127.0.0.1:8000
//! ```
//!
//! `--sse` serves clients of 2024-11-05 too (HTTP+SSE). It stops when its standard input ends: requests that are under
//! way are finished.

mod demo;
mod runtime;

use mcp_tokio::http::ServerOptions;

use self::runtime::{TcpListener, block_on, input_ended};

fn main() -> std::io::Result<()> {
    block_on(serve())
}

async fn serve() -> std::io::Result<()> {
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
    mcp_tokio::run_http(listener, demo::router(), options, input_ended()).await
}
