//! A server as a child process: started, listened to, and ended for certain.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use mcp_proto::{ClientConfig, CloseReason, driver::Client};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use crate::group::Group;
use crate::io::Until;

/// A server to be started: [`connect`](Self::connect) it.
///
/// It gets a process group of its own, so that Ctrl-C reaches this program only, which can then cancel its
/// calls. When the connection ends, for whatever reason, the group is ended too: its input is closed; if
/// it is still there after the grace it gets TERM, and after another one KILL.
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
#[must_use = "nothing is started before it is connected"]
pub struct Spawn {
    command: Command,
    grace: Duration,
    on_stderr: Option<OnStderr>,
}

type OnStderr = Box<dyn FnMut(&str) + Send>;

/// A server that runs, and the client that speaks to it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Child {
    /// The client.
    pub client: Client,
    /// The process. Dropping it does not end it: the end of the connection does.
    pub process: Process,
}

/// A process that was started. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Process {
    id: Option<u32>,
    shared: Arc<Shared>,
    exited: watch::Receiver<Option<Option<ExitStatus>>>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The end of the connection, or the wish for it.
    ending: Notify,
    /// The wish that it end without the first grace.
    hurry: Notify,
    last_lines: Mutex<VecDeque<String>>,
}

/// Bytes of a line of standard error; what is longer is cut.
const MAX_LINE: usize = 8 << 10;

/// Lines of standard error that are kept for error messages.
const LAST_LINES: usize = 20;

/// How long the process may take to end, before TERM and again before KILL.
const GRACE: Duration = Duration::from_secs(2);

/// Starts a server as a child process.
///
/// Its standard input and output become the connection. Its standard error is what `command` says: by
/// default this program's own.
pub fn spawn(command: Command) -> Spawn {
    Spawn { command, grace: GRACE, on_stderr: None }
}

impl Spawn {
    /// Hands each line of the server's standard error to `listener`, cut at 8 KiB. The last 20 lines are
    /// kept, see [`Process::last_lines`].
    pub fn on_stderr(mut self, listener: impl FnMut(&str) + Send + 'static) -> Self {
        self.on_stderr = Some(Box::new(listener));
        self
    }

    /// Sets how long the server may take to end after its input is closed, and again after TERM. Default
    /// 2 s each.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Starts the server and waits until it is ready.
    ///
    /// # Errors
    ///
    /// [`SpawnError`]: it could not be started, or is no server.
    pub async fn connect(self, config: ClientConfig) -> Result<Child, SpawnError> {
        let (reader, writer, process) = self.start()?;
        match crate::connect(reader, writer, config).await {
            Ok(client) => Ok(Child { client, process }),
            Err(reason) => {
                let status = process.shutdown().await;
                Err(SpawnError::NotReady { reason, status, last_lines: process.last_lines() })
            }
        }
    }

    /// Starts the server only: its output, its input, and the process. Dropping the input ends it.
    ///
    /// # Errors
    ///
    /// [`SpawnError::NotStarted`]
    pub fn start(self) -> Result<(ChildOutput, ChildInput, Process), SpawnError> {
        let Self { mut command, grace, on_stderr } = self;
        let program = command.as_std().get_program().to_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        if on_stderr.is_some() {
            command.stderr(Stdio::piped());
        }
        #[cfg(unix)]
        command.process_group(0);
        let failed = |error| SpawnError::NotStarted { program: program.clone(), error };
        let mut child = command.spawn().map_err(failed)?;
        // The command may hold descriptors that the child now has.
        drop(command);

        let shared = Arc::new(Shared::default());
        let (is_gone, gone) = watch::channel(false);
        let (set_exited, exited) = watch::channel(None);
        let missing = || failed(io::ErrorKind::BrokenPipe.into());
        let stdin = child.stdin.take().ok_or_else(missing)?;
        let stdout = child.stdout.take().ok_or_else(missing)?;
        let lines = child.stderr.take().zip(on_stderr).map(|(stderr, listener)| {
            tokio::spawn(read_lines(Until::new(stderr, gone.clone()), listener, shared.clone()))
        });
        let process = Process { id: child.id(), shared: shared.clone(), exited };
        let keeper = shared.clone();
        tokio::spawn(async move {
            let group = Group::of(&child);
            let status = end(&mut child, &group, &keeper, grace).await;
            // What it wrote is still in the pipes; whoever else holds them open is not waited for.
            let _ = is_gone.send(true);
            group.terminate();
            if let Some(lines) = lines {
                let _ = timeout(grace, lines).await;
            }
            let _ = set_exited.send(Some(status));
            group.sweep(grace).await;
        });
        Ok((ChildOutput(Until::new(stdout, gone)), ChildInput { stdin, shared }, process))
    }
}

/// Waits until the process has ended, and sees to it once the connection has.
async fn end(
    child: &mut tokio::process::Child,
    group: &Group,
    wishes: &Shared,
    grace: Duration,
) -> Option<ExitStatus> {
    let in_peace = async {
        wishes.ending.notified().await;
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        status = child.wait() => return status.ok(),
        () = in_peace => {}
        () = wishes.hurry.notified() => {}
    }
    group.terminate();
    if let Ok(status) = timeout(grace, child.wait()).await {
        return status.ok();
    }
    group.kill();
    // On Unix this has just been done, to the whole group.
    let _ = child.start_kill();
    child.wait().await.ok()
}

impl Child {
    /// Closes the connection and waits until the process has ended: its input is closed, after the grace it
    /// gets TERM, after another one KILL. `None`: the system did not say how it ended.
    pub async fn shutdown(self) -> Option<ExitStatus> {
        self.client.close();
        self.process.shutdown().await
    }
}

impl Process {
    /// Its process id, which is also its group's.
    pub fn id(&self) -> Option<u32> {
        self.id
    }

    /// Waits until it has ended. By itself this ends nothing. `None`: the system did not say how.
    pub async fn exited(&self) -> Option<ExitStatus> {
        let mut exited = self.exited.clone();
        let status = exited.wait_for(Option::is_some).await.ok()?;
        status.flatten()
    }

    /// How it ended, if it has.
    pub fn status(&self) -> Option<ExitStatus> {
        self.exited.borrow().flatten()
    }

    /// The last lines of its standard error, 20 at most, if it was listened to.
    pub fn last_lines(&self) -> Vec<String> {
        self.shared.lines().iter().cloned().collect()
    }

    /// Ends it without the first grace: TERM at once, KILL after a grace. For a server that has not become
    /// ready, and so does not know what the end of its input means. [`exited`](Self::exited) waits for it.
    pub fn terminate(&self) {
        self.shared.hurry.notify_one();
    }

    /// Ends it: TERM after the grace, KILL after another. The caller has closed its input, or soon will.
    pub async fn shutdown(&self) -> Option<ExitStatus> {
        self.shared.ending.notify_one();
        self.exited().await
    }
}

impl Shared {
    fn lines(&self) -> std::sync::MutexGuard<'_, VecDeque<String>> {
        self.last_lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands out lines; carriage returns end them too, because progress bars of the terminal use them.
async fn read_lines(mut stderr: Until<ChildStderr>, mut listener: OnStderr, shared: Arc<Shared>) {
    let mut heard = |line: &mut Vec<u8>| {
        if !line.is_empty() {
            let text = String::from_utf8_lossy(line).into_owned();
            line.clear();
            listener(&text);
            let mut lines = shared.lines();
            if lines.len() == LAST_LINES {
                lines.pop_front();
            }
            lines.push_back(text);
        }
    };
    let mut line = Vec::new();
    let mut buffer = [0; MAX_LINE];
    while let Ok(length @ 1..) = stderr.read(&mut buffer).await {
        let read = buffer.get(..length).unwrap_or_default();
        for part in read.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            let is_whole = part.ends_with(b"\n") || part.ends_with(b"\r");
            let text = part.get(..part.len() - usize::from(is_whole)).unwrap_or_default();
            line.extend(text.iter().take(MAX_LINE - line.len()));
            if is_whole {
                heard(&mut line);
            }
        }
    }
    heard(&mut line);
}

/// The server's output. It ends with the process, even if a grandchild holds the pipe open.
#[derive(Debug)]
pub struct ChildOutput(Until<ChildStdout>);

/// The server's input. Dropping it begins the end of the process.
#[derive(Debug)]
pub struct ChildInput {
    stdin: ChildStdin,
    shared: Arc<Shared>,
}

impl AsyncRead for ChildOutput {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for ChildInput {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stdin).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_shutdown(cx)
    }
}

impl Drop for ChildInput {
    fn drop(&mut self) {
        self.shared.ending.notify_one();
    }
}

impl fmt::Debug for Spawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawn")
            .field("command", &self.command)
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}

/// Why there is no connection to a server that was to be started.
#[derive(Debug)]
#[non_exhaustive]
pub enum SpawnError {
    /// The program could not be started.
    NotStarted {
        /// The program.
        program: OsString,
        /// Why.
        error: io::Error,
    },
    /// It was started, but did not become ready.
    NotReady {
        /// How the connection ended.
        reason: CloseReason,
        /// How the process ended.
        status: Option<ExitStatus>,
        /// The last lines of its standard error, if it was listened to.
        last_lines: Vec<String>,
    },
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted { program, error } => {
                write!(f, "cannot start {}: {error}", program.display())
            }
            Self::NotReady { reason, status, last_lines } => write!(
                f,
                "the server did not become ready: {reason}{}",
                ending(*status, last_lines)
            ),
        }
    }
}

impl std::error::Error for SpawnError {}

fn ending(status: Option<ExitStatus>, last_lines: &[String]) -> String {
    let status = status.map(|status| format!("; it ended with {status}")).unwrap_or_default();
    last_lines.iter().fold(status, |text, line| text + "\n  " + line)
}
