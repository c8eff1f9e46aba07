//! Servers as processes: what they cost over standard input and output. The client of all of them is the same
//! loop over bytes; everything is pinned to one core by `tests/bench/run`.

mod calls;
pub mod http;
mod latency;
mod system_calls;

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use mcp_bench::messages::{INITIALIZE, INITIALIZED};

use crate::report::Figures;

/// Everything that is measured of processes.
pub fn measure_all(figures: &mut Figures) {
    calls::measure(figures);
    calls::count_system_calls(figures);
    latency::measure(figures);
}

/// The servers' program.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    own.with_file_name("mcp-bench-server")
}

/// The server of the TypeScript SDK, where `tests/bench/run` puts it.
const TYPESCRIPT: &str = "target/ts/server.mjs";

/// Whether such a server can be started: all but one are part of this package.
fn is_set_up(kind: &str) -> bool {
    kind != "typescript" || Path::new(TYPESCRIPT).exists()
}

/// What starts such a server.
fn command(kind: &str) -> Command {
    if kind == "typescript" {
        let mut command = Command::new("node");
        command.arg(TYPESCRIPT);
        return command;
    }
    let mut command = Command::new(program());
    command.arg(kind);
    command
}

/// CPU time of all threads of a process, in nanoseconds.
fn cpu_of(child: &Child) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", child.id())).expect("Linux");
    let own = tasks.flatten().filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    own.sum()
}

/// One server, greeted.
struct Server {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    buffer: Vec<u8>,
}

impl Server {
    fn start(kind: &str) -> Self {
        let mut child = command(kind)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server's program");
        let input = child.stdin.take().expect("a pipe");
        let output = child.stdout.take().expect("a pipe");
        let mut server = Self { child, input, output, buffer: vec![0; 256 << 10] };
        server.exchange(INITIALIZE.as_bytes(), 1);
        server.input.write_all(INITIALIZED.as_bytes()).expect("a server");
        server
    }

    /// Writes lines at once and reads so many.
    fn exchange(&mut self, lines: &[u8], answers: usize) {
        self.input.write_all(lines).expect("a server");
        let mut missing = answers;
        while missing > 0 {
            let chunk = self.read();
            missing -= chunk.iter().filter(|byte| **byte == b'\n').count().min(missing);
        }
    }

    /// Writes a line and reads until a line comes that is no notification.
    fn exchange_reports(&mut self, line: &[u8]) {
        const NOTIFICATION: &[u8] = b"{\"jsonrpc\":\"2.0\",\"method\"";
        self.input.write_all(line).expect("a server");
        let mut start = Vec::new();
        loop {
            for piece in self.read().split_inclusive(|byte| *byte == b'\n') {
                let room = NOTIFICATION.len() - start.len();
                start.extend_from_slice(&piece[..piece.len().min(room)]);
                if piece.ends_with(b"\n") {
                    if start != NOTIFICATION {
                        return;
                    }
                    start.clear();
                }
            }
        }
    }

    fn read(&mut self) -> &[u8] {
        let read = self.output.read(&mut self.buffer).expect("a server");
        assert!(read > 0, "the server hung up");
        &self.buffer[..read]
    }

    /// CPU time of all its threads, in nanoseconds.
    fn cpu(&self) -> u64 {
        cpu_of(&self.child)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has done what was wanted of it, and may wait for more.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
