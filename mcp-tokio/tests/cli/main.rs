//! The tool `mcpcli` as its users meet it: arguments, events, exit codes, and what it says when something fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod failing;
mod interrupted;
mod recording;
mod remote;
mod showing;

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mcp_tokio::mcp_proto::testing::recording::Recording;
use serde_json::Value;

#[derive(Debug)]
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
    events: Vec<Value>,
}

impl Run {
    fn of(&self, event: &str) -> Vec<Value> {
        self.events.iter().filter(|line| line["event"] == event).cloned().collect()
    }
}

fn run(arguments: &[&str]) -> Run {
    let child = start(arguments);
    let output = output(child);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
        events: Vec::new(),
    }
}

/// Runs it with `--json`, which every subcommand has.
fn json_run(arguments: &[&str]) -> Run {
    let mut all = arguments.to_vec();
    all.insert(1, "--json");
    let mut run = run(&all);
    run.events = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    run
}

/// A call of a tool of the demo server.
fn call<'a>(tool: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["call", tool][..], more, &["--", env!("CARGO_BIN_EXE_mcpcli"), "demo-server"]].concat()
}

fn start(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_mcpcli"))
        .args(arguments)
        // Whom it trusts, whatever is installed here.
        .env("SSL_CERT_FILE", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ws/tls/ca.pem"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What it printed; killed if it takes longer than anything here should.
fn output(child: Child) -> Output {
    let watchdog = watchdog(child.id());
    let output = child.wait_with_output().unwrap();
    drop(watchdog);
    output
}

fn wait(mut child: Child) -> ExitStatus {
    let watchdog = watchdog(child.id());
    let status = child.wait().unwrap();
    drop(watchdog);
    status
}

/// Kills the process after a minute, unless it is dropped before.
fn watchdog(id: u32) -> std::sync::mpsc::Sender<()> {
    let (alive, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        if ended.recv_timeout(Duration::from_secs(60))
            == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
        }
    });
    alive
}

/// A file of this run alone.
fn scratch(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    directory.join(format!(
        "{name}-{}-{}.jsonl",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    ))
}

fn recorded(path: &PathBuf) -> Recording {
    let recording = Recording::parse(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(!recording.chunks().is_empty());
    recording
}

/// What the client wrote in a run.
fn written(path: &PathBuf) -> String {
    String::from_utf8(recorded(path).written()).unwrap()
}
