//! The same with rmcp.

mod handler;

use rmcp::ServiceExt;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let server = handler::Images.serve(rmcp::transport::stdio()).await.expect("a handshake");
    server.waiting().await.expect("no panic");
}
