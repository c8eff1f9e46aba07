//! Client and server in one process, for this engine and for rmcp.

use mcp_bench::tools::{ours, rmcp as theirs};
use mcp_tokio::mcp_proto::Limits;
use mcp_tokio::{Client, ClientConfig, Pacing, Revision, Server};
use rmcp::service::RunningService;
use rmcp::{ClientHandler, RoleClient, RoleServer, ServerHandler, ServiceExt};

/// Bytes of a stream's buffer.
const ROOM: usize = 4096;

/// Both sides, introduced to each other.
pub async fn ours_pair(limits: impl Fn(&mut Limits)) -> (Client, Server) {
    let (near, far) = tokio::io::duplex(ROOM);
    let mut config = ours::config(Pacing::UNLIMITED);
    limits(&mut config.limits);
    let (reader, writer) = tokio::io::split(far);
    let server = mcp_tokio::serve(reader, writer, config);
    let mut config = ClientConfig::new("bench", "1").revisions(Revision::V2025_11_25);
    limits(&mut config.limits);
    let (reader, writer) = tokio::io::split(near);
    let client = mcp_tokio::connect(reader, writer, config).await.expect("a handshake");
    (client, server)
}

pub type Pair<C, S> = (RunningService<RoleClient, C>, RunningService<RoleServer, S>);

/// Both sides, introduced to each other.
pub async fn rmcp_pair<C: ClientHandler, S: ServerHandler>(client: C, server: S) -> Pair<C, S> {
    let (near, far) = tokio::io::duplex(ROOM);
    let (client, server) = tokio::join!(client.serve(near), server.serve(far));
    (client.expect("a handshake"), server.expect("a handshake"))
}

/// Both sides with the tools of the benchmark.
pub async fn rmcp_tools_pair() -> Pair<(), theirs::Tools> {
    rmcp_pair((), theirs::Tools).await
}
