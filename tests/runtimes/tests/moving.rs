//! A session with a call in flight moves from one server process to the next, and its client sees every report.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::{Web, apart, on_every_adapter, spawn};

struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start<H: Web>(kind: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_served"));
        command.arg(H::NAME).args(kind).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    /// The next line that it prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn say(&mut self, text: &str) {
        writeln!(self.input, "{text}").unwrap();
    }

    fn ends(&mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has the first server hand over what it has, to a second one in its place.
fn move_on<H: Web>(mut first: Process, address: &str) -> Process {
    first.say("move");
    let count = first.line();
    assert_eq!(count, "1", "one session moves");
    let session = first.line();
    first.ends();
    let mut second = Process::start::<H>(&["second", address]);
    second.say(&format!("{count}\n{session}"));
    assert_eq!(second.line(), address);
    second
}

async fn a_session_with_a_call_in_flight_moves_to_another_process<H: Web>() {
    for revision in [Revision::V2025_11_25, Revision::V2025_06_18, Revision::V2025_03_26] {
        let starting = apart(|| {
            let mut first = Process::start::<H>(&["first"]);
            let address = first.line();
            (first, address)
        });
        let (first, address) = starting.await;
        let config = ClientConfig::new("client", "1.0").revisions(revision);
        let client = H::connect_url(&format!("http://{address}/mcp"), config).await.unwrap();
        let (tells, told) = async_channel::unbounded();
        let call = client.call(CallTool::new("long"));
        let call = call.on_progress(move |report| tells.try_send(report.progress).unwrap());
        let calling = spawn(&H::platform(), call.into_future());
        let mut seen = vec![told.recv().await.unwrap()];
        let mut second = apart(move || move_on::<H>(first, &address)).await;
        let result = calling.join().await.unwrap();
        while let Ok(progress) = told.try_recv() {
            seen.push(progress);
        }
        assert_eq!(seen, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], "{revision}");
        assert_eq!(result.content[0].as_text(), Some("long is done"));
        apart(move || {
            second.say("end");
            second.ends();
        })
        .await;
    }
}

on_every_adapter!(a_session_with_a_call_in_flight_moves_to_another_process);
