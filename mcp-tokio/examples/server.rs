//! The demo server, over standard input and output: whoever starts it is its client.
//!
//! ```text
//! cargo run -p mcp-tokio --features schemars --example tokio-server
//! ```
//!
//! `cargo mcp demo` starts the same server, which the tool `mcpcli` carries with it.

mod demo;
mod runtime;

use self::runtime::block_on;

fn main() -> std::io::Result<()> {
    // Until its client leaves, which is how such a server ends.
    block_on(mcp_tokio::run_stdio(demo::router())).map(drop)
}
