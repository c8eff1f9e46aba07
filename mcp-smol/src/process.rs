//! Processes of `async-process`.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::{Command, ExitStatus, Stdio};
use std::task::{Context, Poll};

use mcp_proto::net::Platform;
use mcp_proto::net::child::{Running, Spawn, Started};
use smol::process;

use crate::parts::Io;

/// A server to be started as a child process, on a platform.
pub fn spawn(command: Command, platform: impl Platform) -> Spawn {
    Spawn::new(command, start, platform)
}

fn start(command: Command, stderr: Stdio) -> io::Result<Started> {
    let mut command = process::Command::from(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).kill_on_drop(true);
    let mut child = command.spawn()?;
    let stdin = child.stdin.take().map(Io::new);
    let stdout = child.stdout.take().map(Io::new);
    let stderr = child.stderr.take().map(Io::new);
    let exit = Box::pin(child.status());
    Started::piped(Kept { child, exit }, stdin, stdout, stderr)
}

/// A process of `async-process`.
struct Kept {
    child: process::Child,
    exit: Pin<Box<dyn Future<Output = io::Result<ExitStatus>> + Send>>,
}

impl Running for Kept {
    fn id(&self) -> Option<u32> {
        Some(self.child.id())
    }

    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        self.exit.as_mut().poll(cx)
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
    }
}
