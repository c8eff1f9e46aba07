//! The demo server over WebSocket: prints its URL and serves until it is interrupted.
//!
//! ```text
//! cargo run -p mcp-tokio --features schemars,ws --example ws_server -- [127.0.0.1:4000]
//! ```

use std::process::ExitCode;

use mcp_tokio::ws;

#[allow(dead_code)] // its `main` serves over standard input and output
#[path = "server.rs"]
mod demo;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = match ws::listen(&address).await {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("cannot listen on {address}: {error}");
            return ExitCode::FAILURE;
        }
    };
    if let Some(address) = listener.local_addr() {
        println!("listening on ws://{address}/mcp");
    }
    listener.run(demo::router(), interrupted()).await;
    ExitCode::SUCCESS
}

/// Ready when the program is to end.
async fn interrupted() {
    // Where it cannot be learnt, the program is ended from outside.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
