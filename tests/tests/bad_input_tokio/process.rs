//! The same server as a process of its own, over the pipes of the operating system.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use mcp_proto::{CloseReason, Era, Revision};
use mcp_tests::bad_input::case::{After, Case, Side};
use mcp_tests::bad_input::message::Sent;
use mcp_tests::bad_input::observed::Observed;
use mcp_tests::bad_input::start::{
    PROBE, meta, server_config, server_names, server_opening, server_probe,
};
use serde_json::json;

use super::judge;
use super::server::{Log, OBSERVED, read_observed, start};

/// The argument that makes this program that server; the name of a case follows it.
pub const SERVER: &str = "reference-server";

/// Whether a case is put to a process: what it is about can be seen from outside.
pub fn is_for(case: &Case) -> bool {
    case.role == Side::Server
        && case.setup.limits.is_empty()
        && case.setup.peer.is_none()
        && case.is_small()
}

/// Serves over standard input and output as `named` says: a case and a revision.
pub fn serve(named: String) {
    let (id, revision) = named.split_once(' ').expect("a case and a revision");
    let case = Case::all().into_iter().find(|case| case.id == id).expect("a case");
    let config = server_config(&case, Revision::parse(revision).expect("a revision"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // What still runs then is a tool that never ends.
        let config = config.drain_timeout(std::time::Duration::from_millis(20));
        let server = mcp_tokio::serve_stdio(config).expect("standard input and output");
        let reason = start(server, Log::default()).end().await;
        assert!(matches!(reason, CloseReason::Eof { .. }), "{reason}");
    });
}

/// Runs a case.
pub fn run(case: &Case, revision: Revision) -> (Vec<String>, Observed) {
    let names = server_names();
    let input = case.input(&names);
    let mut process = Process::start(case, revision);
    let has_session = case.setup.base != "server.fresh";
    let mut seen = Observed::default();

    process.write(server_opening(case, revision).as_bytes());
    if has_session {
        process.write(&observed("before", revision));
        process.read_until("before");
        seen.revisions.0 = (revision.era() == Era::Legacy).then_some(revision);
    }
    process.write(&input);
    let expect = case.expect(&names);
    let mut faults = Vec::new();
    if expect.after != After::Closed {
        if !input.is_empty() && !input.ends_with(b"\n") {
            process.write(b"\n");
        }
        process.write(server_probe(revision).as_bytes());
        seen.sent = process.read_until(PROBE);
        match seen.sent.pop() {
            Some(answer) if answer.json["id"] == PROBE && answer.is_result() => {}
            other => faults.push(format!("the probe was answered with {other:?}")),
        }
        if has_session {
            process.write(&observed("behind", revision));
            seen.sent.extend(process.read_until("behind"));
            match seen.sent.pop() {
                Some(answer) if answer.json["id"] == "behind" => {
                    seen.handled = read_observed(answer.result_text().unwrap_or("[]"));
                    let mine = |id: &str| matches!(id, "before");
                    seen.handled.retain(|handled| !handled.id.as_str().is_some_and(mine));
                }
                other => faults.push(format!("what it observed: {other:?}")),
            }
        }
    }
    // From outside it is not seen; that a session keeps its revision is.
    seen.revisions.1 = seen.revisions.0;
    let (rest, succeeded) = process.end();
    seen.sent.extend(rest);
    seen.in_flight = seen.handled.iter().filter(|handled| handled.is_running()).count();
    faults.extend(judge(case, revision, &names, &input, &seen));
    if !succeeded {
        faults.push("the process failed".to_owned());
    }
    (faults, seen)
}

/// The call of a tool that tells what the handlers have seen.
fn observed(id: &str, revision: Revision) -> Vec<u8> {
    let meta = if revision.era() == Era::Modern { meta() } else { json!({}) };
    let params = json!({ "name": OBSERVED, "_meta": meta });
    format!("{}\n", json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }))
        .into_bytes()
}

/// The server, and both of its pipes.
struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(case: &Case, revision: Revision) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.arg(SERVER).arg(format!("{} {revision}", case.id));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output) }
    }

    /// Small enough for the pipe to hold it.
    fn write(&mut self, bytes: &[u8]) {
        let written = self.input.as_mut().map(|input| input.write_all(bytes));
        written.expect("it is open").expect("it reads");
    }

    /// The messages up to the one with that id; all of them if it ends before.
    fn read_until(&mut self, id: &str) -> Vec<Sent> {
        let mut sent = Vec::new();
        loop {
            let mut line = Vec::new();
            if self.output.read_until(b'\n', &mut line).unwrap() == 0 {
                return sent;
            }
            sent.extend(Sent::of_line(sent.len(), line.trim_ascii_end()).unwrap());
            if sent.last().is_some_and(|sent: &Sent| sent.json["id"] == id) {
                return sent;
            }
        }
    }

    /// Ends its input, and waits for it: what it still says, and whether it ended well.
    fn end(mut self) -> (Vec<Sent>, bool) {
        self.input = None;
        let rest = self.read_until("");
        (rest, self.child.wait().unwrap().success())
    }
}
