//! What the command line says.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use mcp_tokio::mcp_proto::{RawJson, Revision, Timeouts};

/// Calls the tools of MCP servers and shows how far they have come.
#[derive(Debug, Parser)]
#[command(name = "mcpcli", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See a bar move: starts a server of our own, which works and reports its progress.
    Demo(Demo),
    /// Call a tool of the server that COMMAND starts or that is at URL.
    Call(Call),
    /// List the tools of the server that COMMAND starts or that is at URL, with their arguments.
    List(List),
    /// Run a recording through the engine again and print its events, each with its time.
    #[command(after_help = RECORDINGS, after_long_help = RECORDINGS)]
    Replay(Replay),
    /// Name each rule of the protocol that the client or the server of a recording broke.
    #[command(after_help = RECORDINGS, after_long_help = RECORDINGS)]
    Lint(Lint),
    /// The server that `demo` starts, on stdin and stdout.
    #[command(hide = true)]
    DemoServer,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// What the server works on.
    #[arg(value_enum, default_value_t = Job::Task)]
    pub(crate) job: Job,
    /// In how many steps; the job's own number by default.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) steps: Option<u32>,
    /// Milliseconds from step to step; the job's own pace by default.
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(0..=3_600_000))]
    pub(crate) every: Option<u64>,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// The uses of progress that the demo server has a tool for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Job {
    /// A task of some steps.
    Task,
    /// A data job in stages.
    Data,
    /// A training loop of epochs, with the loss in the message.
    Training,
    /// An upload, counted in bytes.
    Upload,
    /// A download, counted in bytes.
    Download,
    /// A workflow of named states.
    Workflow,
}

#[derive(Debug, Args)]
pub(crate) struct Call {
    /// The tool to call.
    pub(crate) tool: String,
    /// An argument of the tool: VALUE is JSON if it parses as JSON, else a string.
    #[arg(value_name = "KEY=VALUE", value_parser = Pair::parse)]
    pub(crate) pairs: Vec<Pair>,
    /// All arguments as one JSON object; a KEY=VALUE of the same name wins.
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    pub(crate) args: Option<RawJson>,
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// What `--record` has written, or see below; `-` is standard input.
    pub(crate) file: PathBuf,
    /// Print each event as a JSON object, one a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Lint {
    /// What `--record` has written, or see below; `-` is standard input.
    pub(crate) file: PathBuf,
    /// Print each finding as a JSON object, one a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Leave out the rules that say SHOULD.
    #[arg(long)]
    pub(crate) must: bool,
}

/// Which server.
#[derive(Clone, Debug, Args)]
pub(crate) struct Server {
    /// Connects to the server at URL: `http://`, `https://`, `ws://` or `wss://`.
    #[arg(long, value_name = "URL", conflicts_with = "command")]
    url: Option<String>,
    /// Sends a header with the connection, or with each request over HTTP, such as `Authorization: Bearer …`; may be given several times.
    #[arg(long, value_name = "NAME: VALUE", conflicts_with = "command", value_parser = Header::parse)]
    header: Vec<Header>,
    /// Starts the server, which speaks on its stdin and stdout.
    #[arg(last = true, required_unless_present = "url", value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// Where the server is.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// This command starts it.
    Command(Vec<OsString>),
    /// It listens there.
    Url(String, Vec<Header>),
}

/// Options of every subcommand.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Options {
    /// Print every event on stdout, one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Show no progress, and do not ask the server for it.
    #[arg(long)]
    pub(crate) no_progress: bool,
    /// How long nothing may be heard of the call, such as `30s` or `5m`; progress re-arms it
    /// [default: 5m].
    #[arg(long, value_name = "D|none", value_parser = Patience::parse)]
    pub(crate) idle_timeout: Option<Patience>,
    /// How long all of it may take, from the start of the server to the result [default: 24h, and 60s until
    /// the server is ready].
    #[arg(long, value_name = "D|none", value_parser = Patience::parse)]
    pub(crate) timeout: Option<Patience>,
    /// The protocol revision to speak: `auto`, or one of 2024-11-05 to 2026-07-28.
    #[arg(long, value_name = "REVISION", default_value = "auto", value_parser = Spoken::parse)]
    pub(crate) revision: Spoken,
    /// Write every chunk read and written to FILE, as JSON lines; with `--url` every message.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

/// One KEY=VALUE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) key: String,
    pub(crate) value: RawJson,
}

/// One header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    For(Duration),
    Ever,
}

/// Which revisions may be spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Spoken {
    /// Whatever the server speaks.
    #[default]
    Auto,
    Only(Revision),
}

impl Server {
    pub(crate) fn target(self) -> Target {
        match self.url {
            Some(url) => Target::Url(url, self.header),
            None => Target::Command(self.command),
        }
    }
}

impl Header {
    fn parse(text: &str) -> Result<Self, String> {
        let (name, value) = text
            .split_once(':')
            .filter(|(name, _)| !name.trim().is_empty())
            .ok_or("is no header: write for example \"Authorization: Bearer abc\"")?;
        Ok(Self { name: name.trim().into(), value: value.trim().into() })
    }
}

impl Call {
    /// The arguments of the tool: `--args`, with the pairs over them.
    pub(crate) fn arguments(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut all: serde_json::Map<_, _> =
            self.args.as_ref().and_then(|args| args.decode().ok()).unwrap_or_default();
        for Pair { key, value } in &self.pairs {
            all.insert(key.clone(), value.decode().unwrap_or_default());
        }
        all
    }
}

impl Options {
    /// The limits of a run.
    pub(crate) fn timeouts(&self) -> Timeouts {
        let mut timeouts = Timeouts::default();
        if let Some(idle) = self.idle_timeout {
            timeouts = timeouts.idle(idle.limit());
        }
        if let Some(total) = self.timeout {
            timeouts = timeouts.total(total.limit());
        }
        timeouts
    }
}

impl Patience {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::Ever);
        }
        match humantime::parse_duration(text) {
            Ok(Duration::ZERO) => Err("must be longer than nothing, or `none`".into()),
            Ok(duration) => Ok(Self::For(duration)),
            Err(_) => Err("is no duration: write for example 500ms, 30s, 2m or none".into()),
        }
    }

    fn limit(self) -> Option<Duration> {
        match self {
            Self::For(duration) => Some(duration),
            Self::Ever => None,
        }
    }
}

impl Pair {
    fn parse(text: &str) -> Result<Self, String> {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| format!("{text:?} has no `=`; the server's command comes after `--`"))?;
        if key.is_empty() {
            return Err("the name before `=` is missing".into());
        }
        let value = RawJson::parse(value.to_owned()).unwrap_or_else(|_| RawJson::string(value));
        Ok(Self { key: key.into(), value })
    }
}

impl Spoken {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        Revision::parse(text).map(Self::Only).ok_or_else(|| {
            let known: Vec<_> = Revision::ALL.iter().map(|revision| revision.as_str()).collect();
            format!("is no revision that we speak: auto, {}", known.join(", "))
        })
    }
}

fn json_object(text: &str) -> Result<RawJson, String> {
    let value = RawJson::parse(text.to_owned()).map_err(|error| format!("is no JSON: {error}"))?;
    match value.decode::<serde_json::Map<String, serde_json::Value>>() {
        Ok(_) => Ok(value),
        Err(_) => Err("must be a JSON object, such as {\"width\": 800}".into()),
    }
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 the server answered with an error, 2 wrong usage, 3 protocol, transport or
start of the server failed, 4 timeout, 130 interrupted (Ctrl-C or TERM).";

/// What both commands on recordings say of them.
const RECORDINGS: &str = "\
A recording is made by `mcpcli call TOOL --record FILE -- SERVER`. A talk with any other client is one too, with a
message a line, marked by who said it; lines that begin with # are notes:

  C: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{}}
  S: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}

or {\"time\":1.5,\"from\":\"client\",\"message\":{}} with the seconds, which say when a side must have known. To write
one down, name this script to the client as the server's command, with the server's own command behind it:

  log() { while IFS= read -r line; do printf '%s: %s\\n' $1 \"$line\" >> talk.txt; printf '%s\\n' \"$line\"; done; }
  log C | \"$@\" | log S

Exit codes: 0 clean, 1 something was found (replay: the engine does otherwise), 2 unreadable or wrong usage.";

#[cfg(test)]
mod tests {
    use super::*;

    fn call(line: &[&str]) -> Result<Call, clap::Error> {
        let words = ["mcpcli", "call"].iter().chain(line);
        match Cli::try_parse_from(words)?.command {
            Command::Call(call) => Ok(call),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_value_is_json_if_it_parses_else_a_string() {
        let words = [
            "t",
            "n=3",
            "f=1.5",
            "s=hello",
            "q=\"3\"",
            "b=true",
            "z=null",
            "l=[1, 2]",
            "o={\"a\":1}",
            "bad=[1",
            "empty=",
            "eq=a=b",
            "名=字",
            "neg=-5",
            "--",
            "server",
        ];
        let arguments = call(&words).unwrap().arguments();
        let expected = serde_json::json!({
            "n": 3, "f": 1.5, "s": "hello", "q": "3", "b": true, "z": null, "l": [1, 2], "o": {"a": 1},
            "bad": "[1", "empty": "", "eq": "a=b", "名": "字", "neg": -5,
        });
        assert_eq!(serde_json::Value::from(arguments), expected);
    }

    #[test]
    fn pairs_win_over_args_and_options_may_stand_anywhere() {
        let call = call(&[
            "t",
            "--json",
            "a=2",
            "--args",
            r#"{"a":1,"b":40}"#,
            "--timeout",
            "2m",
            "c=3",
            "--",
            "server",
            "--json",
            "x=1",
        ])
        .unwrap();
        assert_eq!(
            serde_json::Value::from(call.arguments()),
            serde_json::json!({"a": 2, "b": 40, "c": 3})
        );
        assert!(call.options.json && !call.options.no_progress);
        let Target::Command(command) = call.server.target() else { panic!("it names no URL") };
        assert_eq!(command, ["server", "--json", "x=1"]);
        assert_eq!(call.options.timeouts().max_total(), Some(Duration::from_secs(120)));
        assert_eq!(call.options.timeouts().max_idle(), Timeouts::default().max_idle());
    }

    #[test]
    fn a_url_stands_for_a_command_and_has_headers() {
        let words = ["t", "x=1", "--url", "wss://a/b", "--header", "A: b: c", "--header=D:e"];
        let Target::Url(url, headers) = call(&words).unwrap().server.target() else {
            panic!("it names no command")
        };
        let header = |name: &str, value: &str| Header { name: name.into(), value: value.into() };
        assert_eq!(url, "wss://a/b");
        assert_eq!(headers, [header("A", "b: c"), header("D", "e")]);
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        let parsed = |text| Patience::parse(text);
        assert_eq!(parsed("none"), Ok(Patience::Ever));
        assert_eq!(parsed("1500ms"), Ok(Patience::For(Duration::from_millis(1500))));
        assert_eq!(parsed("30s"), Ok(Patience::For(Duration::from_secs(30))));
        assert_eq!(parsed("1h 5m"), Ok(Patience::For(Duration::from_secs(3900))));
        for wrong in ["soon", "30", "", "-3s", "0s"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn wrong_usage_is_refused_before_anything_starts() {
        for wrong in [
            &["t"][..],
            &["t", "novalue", "--", "server"],
            &["t", "=3", "--", "server"],
            &["t", "--args", "[1", "--", "server"],
            &["t", "--args", "[1]", "--", "server"],
            &["t", "--revision", "2020-01-01", "--", "server"],
            &["t", "--idle-timeout", "soon", "--", "server"],
            &["t", "--url", "ws://localhost", "--", "server"],
            &["t", "--url", "ws://localhost", "--header", "none"],
            &["t", "--url", "ws://localhost", "--header", ": none"],
            &["t", "--header", "a: b", "--", "server"],
        ] {
            let error = call(wrong).unwrap_err();
            assert!(error.use_stderr(), "{wrong:?}");
        }
    }
}
