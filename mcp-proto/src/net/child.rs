//! A server as a child process: started, listened to, and ended for certain.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll};
use core::time::Duration;
use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::group::Group;
use super::guard::Until;
use super::halves::{Duplex, Input, Output};
use super::lines::Lines;
use super::platform::Platform;
use super::run;
use super::signal::Signal;
use super::stream::Stream;
use super::tasks::Tasks;
use super::timing::{sleep, unless, within};
use crate::config::ClientConfig;
use crate::driver::{Client, Runtime};
use crate::error::CloseReason;

/// A server to be started: [`connect`](Self::connect) it. Made by an adapter's `spawn`.
///
/// It gets a process group of its own, so that Ctrl-C reaches this program only, which can then cancel its
/// calls. When the connection ends, for whatever reason, the group is ended too: its input is closed; if
/// it is still there after the grace it gets TERM, and after another one KILL.
#[must_use = "nothing is started before it is connected"]
pub struct Spawn {
    command: Command,
    start: Start,
    platform: Arc<dyn Platform>,
    grace: Duration,
    stderr: Option<Stdio>,
    on_stderr: Option<OnStderr>,
}

/// Starts a process with pipes for its standard input and output, and with this for its standard error.
pub type Start = fn(Command, Stdio) -> io::Result<Started>;

type OnStderr = Box<dyn FnMut(&str) + Send>;

/// A process that an adapter has started, and the ends of its pipes.
pub struct Started {
    process: Box<dyn Running>,
    /// Dropping it closes it.
    stdin: Box<dyn Output + Send>,
    stdout: Box<dyn Input + Send>,
    /// If that is a pipe.
    stderr: Option<Box<dyn Input + Send>>,
}

impl Started {
    /// A process and its ends of the pipes, as a runtime gives them out. Dropping its standard input closes that; its
    /// standard error is there if it is a pipe.
    ///
    /// # Errors
    ///
    /// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if there is no standard input or output.
    pub fn piped(
        process: impl Running + 'static,
        stdin: Option<impl Output + Send + 'static>,
        stdout: Option<impl Input + Send + 'static>,
        stderr: Option<impl Input + Send + 'static>,
    ) -> io::Result<Self> {
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let stderr = stderr.map(|stderr| Box::new(stderr) as _);
        Ok(Self {
            process: Box::new(process),
            stdin: Box::new(stdin),
            stdout: Box::new(stdout),
            stderr,
        })
    }
}

/// A process that runs. Dropping it kills it.
pub trait Running: Send {
    /// Its process id.
    fn id(&self) -> Option<u32>;

    /// How it ended, once it has.
    fn poll_exit(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>>;

    /// Ends it now.
    fn kill(&mut self);
}

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
}

#[derive(Debug, Default)]
struct Shared {
    /// The end of the connection, or the wish for it.
    ending: Signal,
    /// The wish that it end without the first grace.
    hurry: Signal,
    exited: Signal,
    status: Mutex<Option<ExitStatus>>,
    last_lines: Mutex<VecDeque<String>>,
}

/// Lines of standard error that are kept for error messages.
const LAST_LINES: usize = 20;

/// How long the process may take to end, before TERM and again before KILL.
const GRACE: Duration = Duration::from_secs(2);

/// How long the pipes of a process that is gone are read to their end, which someone else may hold open.
const LAST_WORDS: Duration = Duration::from_secs(1);

impl Spawn {
    /// Of what `start` starts.
    pub fn new(command: Command, start: Start, platform: impl Platform) -> Self {
        let platform = Arc::new(platform);
        Self { command, start, platform, grace: GRACE, stderr: None, on_stderr: None }
    }

    /// Sets where the tasks of the process and of its client run, and whose clock they go by. Default: the adapter's own.
    pub fn on(mut self, platform: impl Platform) -> Self {
        self.platform = Arc::new(platform);
        self
    }

    /// Sets what becomes of the server's standard error. Default: it is this program's own.
    pub fn stderr(mut self, stderr: impl Into<Stdio>) -> Self {
        self.stderr = Some(stderr.into());
        self
    }

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
        let platform = self.platform.clone();
        let (pipes, process) = self.start()?;
        match run::connect(pipes, config, platform).await {
            Ok(client) => Ok(Child { client, process }),
            Err(reason) => {
                let status = process.shutdown().await;
                Err(SpawnError::NotReady { reason, status, last_lines: process.last_lines() })
            }
        }
    }

    /// Starts the server only: its output and its input as one stream, and the process. Closing or dropping the stream
    /// begins the end of the process; it ends with the process, even if a grandchild holds the pipe open.
    ///
    /// # Errors
    ///
    /// [`SpawnError::NotStarted`]
    pub fn start(self) -> Result<(Stream, Process), SpawnError> {
        let Self { mut command, start, platform, grace, stderr, on_stderr } = self;
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let program = OsString::from(command.get_program());
        let stderr = match &on_stderr {
            Some(_) => Stdio::piped(),
            None => stderr.unwrap_or_else(Stdio::inherit),
        };
        let started = start(command, stderr);
        let started = started.map_err(|error| SpawnError::NotStarted { program, error })?;
        let Started { process: mut running, stdin, stdout, stderr } = started;
        let shared = Arc::new(Shared::default());
        let (gone, drained) = (Signal::default(), Signal::default());
        let process = Process { id: running.id(), shared: shared.clone() };
        let stdin = ChildInput { stdin, ending: shared.ending.clone() };
        let stdout = ChildOutput { stdout: Until::new(stdout, &gone), drained: drained.clone() };
        let lines = Tasks::new(platform.clone());
        if let Some((stderr, listener)) = stderr.zip(on_stderr) {
            lines.spawn(hear(Until::new(stderr, &gone), listener, shared.clone()));
        }
        let runtime = platform.clone();
        platform.spawn(Box::pin(async move {
            let group = Group::of(running.id());
            let status = end(&mut *running, &group, &shared, grace, &runtime).await;
            group.terminate();
            // What it wrote last is on its way, and a runtime may not have it at hand yet.
            let read = async {
                drained.raised().await;
                lines.ended().await;
            };
            within(LAST_WORDS, read, &runtime).await;
            // Whoever else holds the pipes open is not waited for any longer.
            gone.raise();
            within(grace, lines.ended(), &runtime).await;
            drop(lines);
            *shared.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
            shared.exited.raise();
            group.sweep(grace, &runtime).await;
        }));
        Ok((Stream::new(Duplex::new(stdout, stdin)), process))
    }
}

/// Waits until the process has ended, and sees to it once the connection has.
async fn end(
    running: &mut dyn Running,
    group: &Group,
    wishes: &Shared,
    grace: Duration,
    runtime: &dyn Runtime,
) -> Option<ExitStatus> {
    let in_peace = async {
        wishes.ending.raised().await;
        sleep(grace, runtime).await;
    };
    let patience = async {
        unless(wishes.hurry.raised(), in_peace).await;
    };
    if let Some(status) = unless(patience, poll_fn(|cx| running.poll_exit(cx))).await {
        return status.ok();
    }
    group.terminate();
    if let Some(status) = within(grace, poll_fn(|cx| running.poll_exit(cx)), runtime).await {
        return status.ok();
    }
    group.kill();
    // On Unix this has just been done, to the whole group.
    running.kill();
    poll_fn(|cx| running.poll_exit(cx)).await.ok()
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
        self.shared.exited.raised().await;
        self.status()
    }

    /// How it ended, if it has.
    pub fn status(&self) -> Option<ExitStatus> {
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last lines of its standard error, 20 at most, if it was listened to.
    pub fn last_lines(&self) -> Vec<String> {
        self.shared.lines().iter().cloned().collect()
    }

    /// Ends it without the first grace: TERM at once, KILL after a grace. For a server that has not become
    /// ready, and so does not know what the end of its input means. [`exited`](Self::exited) waits for it.
    pub fn terminate(&self) {
        self.shared.hurry.raise();
    }

    /// Ends it: TERM after the grace, KILL after another. The caller has closed its input, or soon will.
    pub async fn shutdown(&self) -> Option<ExitStatus> {
        self.shared.ending.raise();
        self.exited().await
    }
}

impl Shared {
    fn lines(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.last_lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands out the lines of standard error, and keeps the last.
async fn hear(stderr: impl Input, mut listener: OnStderr, shared: Arc<Shared>) {
    let mut lines = Lines::new(stderr);
    while let Some(line) = lines.next().await {
        listener(&line);
        let mut last = shared.lines();
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
}

/// The server's input. Dropping it begins the end of the process.
struct ChildInput {
    stdin: Box<dyn Output + Send>,
    ending: Signal,
}

impl Output for ChildInput {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stdin.poll_write(cx, buf)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stdin.poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stdin.poll_close(cx)
    }
}

impl Drop for ChildInput {
    fn drop(&mut self) {
        self.ending.raise();
    }
}

/// The server's output, and whether it was read to its end or is read no more.
struct ChildOutput {
    stdout: Until<Box<dyn Input + Send>>,
    drained: Signal,
}

impl Input for ChildOutput {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = self.stdout.poll_read(cx, buf);
        if matches!(read, Poll::Ready(Ok(0) | Err(_))) {
            self.drained.raise();
        }
        read
    }
}

impl Drop for ChildOutput {
    fn drop(&mut self) {
        self.drained.raise();
    }
}

impl fmt::Debug for Spawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without arguments and environment: they may hold credentials.
        f.debug_struct("Spawn")
            .field("program", &self.command.get_program())
            .field("grace", &self.grace)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").field("id", &self.process.id()).finish_non_exhaustive()
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

impl core::error::Error for SpawnError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::NotStarted { error, .. } => Some(error),
            Self::NotReady { reason, .. } => Some(reason),
        }
    }
}

fn ending(status: Option<ExitStatus>, last_lines: &[String]) -> String {
    let status =
        status.map(|status| alloc::format!("; it ended with {status}")).unwrap_or_default();
    last_lines.iter().fold(status, |text, line| text + "\n  " + line)
}
