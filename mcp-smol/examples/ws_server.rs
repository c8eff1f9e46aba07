//! The demo server over WebSocket: prints its URL and serves until its standard input ends.
//!
//! ```text
//! cargo run -p mcp-smol --features schemars,ws --example smol-ws_server -- 127.0.0.1:4000
//! ```

mod demo;
mod runtime;

use mcp_smol::ws;

use self::runtime::{block_on, input_ended};

fn main() -> std::io::Result<()> {
    block_on(serve())
}

async fn serve() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let listener = ws::listen(address).await?;
    if let Some(place) = listener.local_addr() {
        println!("listening on ws://{place}/mcp");
    }
    listener.run(demo::router(), input_ended()).await;
    Ok(())
}
