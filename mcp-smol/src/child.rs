//! A server as a child process: started, listened to, and ended for certain.

use std::process::Command;

use crate::{Smol, parts};

pub use mcp_proto::net::child::{Child, Process, Spawn, SpawnError};

/// Starts a server as a child process.
///
/// Its standard input and output become the connection. Its standard error is this program's own, unless
/// [`on_stderr`](Spawn::on_stderr) or [`stderr`](Spawn::stderr) says otherwise.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use mcp_smol::{CallTool, ClientConfig, Command};
///
/// let mut command = Command::new("python3");
/// command.arg("server.py");
/// let child = mcp_smol::spawn(command)
///     .on_stderr(|line| eprintln!("server: {line}"))
///     .connect(ClientConfig::new("my-client", "1.0"))
///     .await?;
/// let result = child.client.call(CallTool::new("resize")).await?;
/// child.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub fn spawn(command: Command) -> Spawn {
    parts::spawn(command, Smol::new())
}
