//! A server as a child process: started, listened to, and ended for certain.

use std::io;
use std::pin::pin;
use std::process::{Command, ExitStatus, Stdio};
use std::task::{Context, Poll};

use mcp_proto::net::child::{Running, Started};
use tokio::process;

use crate::Tokio;
use crate::io::Io;

pub use mcp_proto::net::child::{Child, Process, Spawn, SpawnError};

/// Starts a server as a child process.
///
/// Its standard input and output become the connection. Its standard error is this program's own, unless
/// [`on_stderr`](Spawn::on_stderr) or [`stderr`](Spawn::stderr) says otherwise.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use mcp_tokio::{CallTool, ClientConfig, Command};
///
/// let mut command = Command::new("python3");
/// command.arg("server.py");
/// let child = mcp_tokio::spawn(command)
///     .on_stderr(|line| eprintln!("server: {line}"))
///     .connect(ClientConfig::new("my-client", "1.0"))
///     .await?;
/// let result = child.client.call(CallTool::new("resize")).await?;
/// child.shutdown().await;
/// # Ok(())
/// # }
/// ```
pub fn spawn(command: Command) -> Spawn {
    Spawn::new(command, start, Tokio::new())
}

fn start(command: Command, stderr: Stdio) -> io::Result<Started> {
    let mut command = process::Command::from(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).kill_on_drop(true);
    let mut child = command.spawn()?;
    let stdin = child.stdin.take().map(Io::new);
    let stdout = child.stdout.take().map(Io::new);
    let stderr = child.stderr.take().map(Io::new);
    Started::piped(Kept(child), stdin, stdout, stderr)
}

/// A process of Tokio's.
struct Kept(process::Child);

impl Running for Kept {
    fn id(&self) -> Option<u32> {
        self.0.id()
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        // It keeps nothing between polls.
        pin!(self.0.wait()).poll(cx)
    }

    fn kill(&mut self) {
        let _ = self.0.start_kill();
    }
}
