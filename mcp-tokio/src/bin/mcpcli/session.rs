//! A server that was started and the client that speaks to it.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use mcp_tokio::child::{Process, SpawnError};
use mcp_tokio::mcp_proto::driver::Client;
use mcp_tokio::mcp_proto::net::http::Hyper;
use mcp_tokio::mcp_proto::{ClientConfig, CloseReason, LogLevel, net};
use mcp_tokio::{Command, ConnectError, Tokio, http, ws};
use tokio::time::timeout;

use crate::args::{Header, Options, Spoken, Target};
use crate::asides::Feed;
use crate::failure::{Failure, Kind, Whereabouts};
use crate::limits::{Limits, StartLimit};
use crate::output::Aside;
use crate::reaching::{not_connected, not_reached};
use crate::record::{Recorded, Recorder};
use crate::record_remote::{RecordedHttp, RecordedMessages};
use crate::stage::Stage;
use crate::text::one_line;

/// A connection to a server.
pub(crate) struct Session {
    pub(crate) client: Client,
    /// Where it is a server of our own.
    process: Option<Process>,
    /// Where it is at a URL.
    remote: Option<Remote>,
}

/// A server at a URL.
struct Remote {
    url: String,
    /// What it is reached with over HTTP.
    http: Option<Hyper>,
}

/// Lines of the server's stderr that an error repeats.
const LAST_WORDS: usize = 3;

/// How long a server whose output has ended may take to end by itself.
const PARTING: Duration = Duration::from_millis(1500);

/// How long a server may say nothing to the probe.
const PROBE: Duration = Duration::from_secs(10);

impl Session {
    /// Starts the server, or connects to it, and waits until it is ready.
    pub(crate) async fn open(
        target: &Target,
        options: &Options,
        stage: &mut Stage,
        feed: Feed,
    ) -> Result<Self, Failure> {
        match target {
            Target::Command(command) => Self::start(command, options, stage, feed).await,
            Target::Url(url, headers) => Self::connect(url, headers, options, stage, feed).await,
        }
    }

    async fn connect(
        url: &str,
        headers: &[Header],
        options: &Options,
        stage: &mut Stage,
        feed: Feed,
    ) -> Result<Self, Failure> {
        let now = stage.now();
        stage.output.waiting(&format!("connecting to {}", one_line(url)), now);
        let limit = Limits::new(options.timeouts(), now).of_start();
        let config = config(options, limit.after);
        let heard = feed.clone();
        let listen = |client: &Client| listen(client, heard);
        let recorder = options.record.as_deref().map(|path| record(path, &feed)).transpose()?;
        let opened = if is_http(url) {
            over_http(url, headers, config, recorder, listen)
        } else {
            let opening = over_websocket(url, headers, limit.left(now), config, recorder, listen);
            stage.watch(opening).await?.map(|client| (client, None))
        };
        match opened {
            Ok((client, http)) => {
                let remote = Remote { url: url.to_owned(), http };
                Self { client, process: None, remote: Some(remote) }.ready(limit, stage).await
            }
            Err(ConnectError::Io(error))
                if error.kind() == io::ErrorKind::TimedOut && limit.left(stage.now()).is_zero() =>
            {
                Err(Failure::of_slow_start(limit, stage.now(), Whereabouts::Url))
            }
            Err(error) => Err(not_connected(url, &error)),
        }
    }

    async fn start(
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
        let (stream, process) = mcp_tokio::spawn(command)
            .on_stderr(move |line| lines.put(0, Aside::Stderr(line.trim_end().to_owned())))
            .start()
            .map_err(|error| not_started(program, error, !arguments.is_empty()))?;
        let limit = Limits::new(options.timeouts(), now).of_start();
        let io = Recorded::new(stream, recorder);
        let config = config(options, limit.after);
        let client = net::client(io, config, Tokio::new(), |client| listen(client, feed));
        Self { client, process: Some(process), remote: None }.ready(limit, stage).await
    }

    /// Waits until the server is ready.
    async fn ready(self, limit: StartLimit, stage: &mut Stage) -> Result<Self, Failure> {
        let left = limit.left(stage.now());
        match stage.watch(timeout(left, self.client.ready())).await {
            Ok(Ok(Ok(peer))) => match stage.output.ready(&peer) {
                Ok(()) => Ok(self),
                Err(_) => Err(self.fail(Failure::unread(), stage, "").await),
            },
            Ok(Err(_) | Ok(Err(CloseReason::HandshakeTimeout))) => {
                let failure = Failure::of_slow_start(limit, stage.now(), self.whereabouts());
                // It has not said a word of the protocol, so it does not know what the end of its input means.
                if let Some(process) = &self.process {
                    process.terminate();
                }
                Err(self.fail(failure, stage, "before it was ready").await)
            }
            Ok(Ok(Err(reason))) => {
                let failure = match (&self.remote, reason) {
                    (Some(Remote { url, http }), CloseReason::Http(error)) => {
                        not_reached(url, &error, http.as_ref().and_then(Hyper::take_trouble))
                    }
                    (_, reason) => Failure::of_start(reason, self.whereabouts()),
                };
                Err(self.fail(failure, stage, "before it was ready").await)
            }
            Err(failure) => Err(self.fail(failure, stage, "").await),
        }
    }

    /// Ends the connection and the server after a failure, and adds to it how the server ended. A second
    /// Ctrl-C ends the waiting.
    pub(crate) async fn fail(self, mut failure: Failure, stage: &mut Stage, when: &str) -> Failure {
        let at = self.whereabouts();
        let Some(process) = &self.process else {
            // Of a server of our own its exit says more.
            let trouble = self.client.last_trouble().filter(|_| failure.is_broken);
            if let Some(trouble) = trouble {
                failure.message = format!("{}: {trouble}", failure.message);
            }
            self.close(stage).await;
            return failure.or_hint(at, when);
        };
        let ended = match failure.kind {
            // Whether it has ended by itself is worth a moment of waiting: it is what went wrong.
            Kind::Closed => stage
                .wind_up(timeout(PARTING, process.exited()))
                .await
                .and_then(Result::ok)
                .flatten(),
            _ => process.status(),
        };
        let said = process.last_lines();
        self.close(stage).await;
        if let (Kind::Closed, Some(status)) = (failure.kind, ended) {
            failure.message = format!("the server {} {when}", how(status));
            failure = failure.or_hint(at, when);
        }
        if matches!(failure.kind, Kind::Closed | Kind::Protocol) || when.starts_with("before") {
            let skipped = said.len().saturating_sub(LAST_WORDS);
            failure.said = said.into_iter().skip(skipped).collect();
        }
        failure
    }

    /// Where its server is.
    pub(crate) fn whereabouts(&self) -> Whereabouts {
        match self.remote {
            Some(_) => Whereabouts::Url,
            None => Whereabouts::Command,
        }
    }

    /// Ends the connection, and the server if it is our own. A second Ctrl-C ends the waiting.
    pub(crate) async fn close(self, stage: &mut Stage) {
        self.client.close();
        match self.process {
            Some(process) => drop(stage.wind_up(process.shutdown()).await),
            None => drop(stage.wind_up(self.client.closed()).await),
        }
    }
}

/// A client over HTTP, and what it sends with.
fn over_http(
    url: &str,
    headers: &[Header],
    config: ClientConfig,
    recorder: Option<Recorder>,
    listen: impl FnOnce(&Client),
) -> Result<(Client, Option<Hyper>), ConnectError> {
    let named =
        |connector: http::Connector, header: &Header| connector.header(&header.name, &header.value);
    let connector = headers.iter().fold(http::connector(), named);
    let hyper = connector.reach(url)?;
    let client = match recorder {
        None => connector.open_over(hyper.clone(), url, config, listen),
        Some(recorder) => {
            let recorded = RecordedHttp::new(hyper.clone(), recorder);
            connector.open_over(recorded, url, config, listen)
        }
    };
    Ok((client?, Some(hyper)))
}

/// A client over a WebSocket that opens in time.
async fn over_websocket(
    url: &str,
    headers: &[Header],
    timeout: Duration,
    config: ClientConfig,
    recorder: Option<Recorder>,
    listen: impl FnOnce(&Client),
) -> Result<Client, ConnectError> {
    let named =
        |connector: ws::Connector, header: &Header| connector.header(&header.name, &header.value);
    let connector = headers.iter().fold(ws::connector().timeout(timeout), named);
    let Some(recorder) = recorder else { return connector.open(url, config, listen).await };
    let socket = RecordedMessages::new(connector.reach(url, &config).await?, recorder);
    Ok(net::client_over_messages(socket, config, Tokio::new(), listen))
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
    // Of the stream that a call waits for; what belongs to no call has one of its own.
    let (counter, outages) = (client.clone(), feed.clone());
    client.on_interruption(move |call| {
        if call.is_some() {
            outages.put(counter.reports_received(), Aside::Interrupted);
        }
    });
    let (counter, outages) = (client.clone(), feed.clone());
    client.on_resumption(move |call| {
        if call.is_some() {
            outages.put(counter.reports_received(), Aside::Resumed);
        }
    });
    let counter = client.clone();
    client.on_violation(move |violation| {
        feed.put(counter.reports_received(), Aside::Violation(violation))
    });
}

/// Whether this is spoken to over HTTP. What is neither this nor a WebSocket is refused there.
fn is_http(url: &str) -> bool {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
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
