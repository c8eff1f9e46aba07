//! A server that was started and the client that speaks to it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use mcp_tokio::Command;
use mcp_tokio::child::{Process, SpawnError};
use mcp_tokio::mcp_proto::driver::Client;
use mcp_tokio::mcp_proto::{ClientConfig, CloseReason, LogLevel};
use tokio::time::timeout;

use crate::args::{Options, Spoken};
use crate::asides::Feed;
use crate::failure::{Failure, IS_IT_MCP, Kind};
use crate::limits::Limits;
use crate::output::Aside;
use crate::record::{Recorded, Recorder};
use crate::stage::Stage;
use crate::text::one_line;

/// A connection to a server of our own.
pub(crate) struct Session {
    pub(crate) client: Client,
    process: Process,
}

/// Lines of the server's stderr that an error repeats.
const LAST_WORDS: usize = 3;

/// How long a server whose output has ended may take to end by itself.
const PARTING: Duration = Duration::from_millis(1500);

/// How long a server may say nothing to the probe.
const PROBE: Duration = Duration::from_secs(10);

impl Session {
    /// Starts the server and waits until it is ready.
    pub(crate) async fn open(
        command: &[OsString],
        options: &Options,
        stage: &mut Stage,
        feed: Feed,
    ) -> Result<Self, Failure> {
        let recorder = options.record.as_deref().map(|path| record(path, &feed)).transpose()?;
        let (program, arguments) = command
            .split_first()
            .ok_or_else(|| Failure::new(Kind::Usage, "the server's command is missing"))?;
        let now = stage.now();
        stage.output.waiting(&format!("starting {}", name_of(program)), now);

        let mut command = Command::new(program);
        command.args(arguments);
        let lines = feed.clone();
        let (output, input, process) = mcp_tokio::spawn(command)
            .on_stderr(move |line| lines.put(0, Aside::Stderr(line.trim_end().to_owned())))
            .start()
            .map_err(|error| not_started(program, error, !arguments.is_empty()))?;
        let limit = Limits::new(options.timeouts(), now).of_start();
        let client = mcp_tokio::client(
            Recorded::new(output, recorder.clone()),
            Recorded::new(input, recorder),
            config(options, limit.after),
            |client| listen(client, feed),
        );
        let session = Self { client, process };
        let left = limit.left(stage.now());
        match stage.watch(timeout(left, session.client.ready())).await {
            Ok(Ok(Ok(peer))) => match stage.output.ready(&peer) {
                Ok(()) => Ok(session),
                Err(_) => Err(session.fail(Failure::unread(), stage, "").await),
            },
            Ok(Err(_) | Ok(Err(CloseReason::HandshakeTimeout))) => {
                let failure = Failure::of_slow_start(limit, stage.now());
                // It has not said a word of the protocol, so it does not know what the end of its input means.
                session.process.terminate();
                Err(session.fail(failure, stage, "before it was ready").await)
            }
            Ok(Ok(Err(reason))) => {
                let failure = Failure::of_start(reason);
                Err(session.fail(failure, stage, "before it was ready").await)
            }
            Err(failure) => Err(session.fail(failure, stage, "").await),
        }
    }

    /// Ends the connection and the server after a failure, and adds to it how the server ended. A second
    /// Ctrl-C ends the waiting.
    pub(crate) async fn fail(self, mut failure: Failure, stage: &mut Stage, when: &str) -> Failure {
        let ended = match failure.kind {
            // Whether it has ended by itself is worth a moment of waiting: it is what went wrong.
            Kind::Closed => stage
                .wind_up(timeout(PARTING, self.process.exited()))
                .await
                .and_then(Result::ok)
                .flatten(),
            _ => self.process.status(),
        };
        let said = self.process.last_lines();
        self.close(stage).await;
        if let (Kind::Closed, Some(status)) = (failure.kind, ended) {
            failure.message = format!("the server {} {when}", how(status));
            if failure.hint.is_none() && when.starts_with("before") {
                failure.hint = Some(IS_IT_MCP.into());
            }
        }
        if matches!(failure.kind, Kind::Closed | Kind::Protocol) || when.starts_with("before") {
            let skipped = said.len().saturating_sub(LAST_WORDS);
            failure.said = said.into_iter().skip(skipped).collect();
        }
        failure
    }

    /// Ends the connection and the server. A second Ctrl-C ends the waiting.
    pub(crate) async fn close(self, stage: &mut Stage) {
        self.client.close();
        let _ = stage.wind_up(self.process.shutdown()).await;
    }
}

fn record(path: &Path, feed: &Feed) -> Result<Recorder, Failure> {
    let (feed, name) = (feed.clone(), path.display().to_string());
    let ended = move |error| {
        let text = format!("{name} cannot be written any more, the recording ends early: {error}");
        feed.put(0, Aside::Warning(one_line(&text)));
    };
    Recorder::create(path, ended).map_err(|error| {
        Failure::new(Kind::Usage, format!("cannot write {}: {error}", path.display()))
    })
}

fn config(options: &Options, start: Duration) -> ClientConfig {
    let config = ClientConfig::new("mcpcli", env!("CARGO_PKG_VERSION"))
        .timeouts(options.timeouts())
        // A server that says nothing to the probe still gets its handshake, within the same limit.
        .probe_timeout(PROBE.min(start * 3 / 4))
        .handshake_timeout(start)
        .log_level(LogLevel::Info);
    match options.revision {
        Spoken::Auto => config,
        Spoken::Only(revision) => config.revisions(revision),
    }
}

/// Everything beside calls goes to the feed, with its place among the reports.
fn listen(client: &Client, feed: Feed) {
    // The connection is closed by name, so a listener may hold the client.
    let (counter, log_feed) = (client.clone(), feed.clone());
    client.on_log(move |message| log_feed.put(counter.reports_received(), Aside::Log(message)));
    let counter = client.clone();
    client.on_violation(move |violation| {
        feed.put(counter.reports_received(), Aside::Violation(violation))
    });
}

fn not_started(program: &OsStr, error: SpawnError, has_arguments: bool) -> Failure {
    let SpawnError::NotStarted { error, .. } = error else {
        return Failure::new(Kind::Spawn, error.to_string());
    };
    let name = one_line(&program.to_string_lossy());
    match error.kind() {
        io::ErrorKind::NotFound => {
            let failure = Failure::new(Kind::Spawn, format!("command not found: {name}"));
            if name.contains(' ') && !has_arguments {
                return failure.hint(format!(
                    "without quotes, so that each argument is a word of its own: -- {name}"
                ));
            }
            failure.hint("check the spelling, or write the whole path of the program")
        }
        io::ErrorKind::PermissionDenied => {
            Failure::new(Kind::Spawn, format!("{name} must not be executed: permission denied"))
                .hint("chmod +x, or start it with its interpreter: -- python3 server.py")
        }
        _ => Failure::new(Kind::Spawn, format!("{name} cannot be started: {error}")),
    }
}

fn name_of(program: &OsStr) -> String {
    let path = std::path::Path::new(program);
    path.file_name().unwrap_or(program).to_string_lossy().into_owned()
}

fn how(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exited with status {code}"),
        None => format!("was killed ({status})"),
    }
}
