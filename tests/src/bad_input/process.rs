//! A server as a process of its own, over the pipes of the operating system, with the reference application as its
//! [`application`](super::application).

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::application::{OBSERVED, read_observed};
use super::case::{After, Case, Side};
use super::message::Sent;
use super::observed::{Handled, Observed};
use super::run::judge;
use super::start::{PROBE, meta, server_names, server_opening, server_probe};
use mcp_proto::{Era, Revision};
use serde_json::json;

/// How long a tool may take to begin, or to see that it is cancelled.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a process does not show. None of the cases that are put to one mentions it, which a test checks.
///
/// Of every case one thing more is not seen: whether the requests that the engine holds to be unanswered are those that run. What
/// runs is asked of the handlers, and stands for both.
pub const NOT_SEEN: [&str; 9] = [
    "events_bounded",
    "handler_leak",
    "memory_over_limit",
    "must",
    "rate_limited",
    "should",
    "superlinear_time",
    "token_table_growth",
    "url_opened",
];

/// Whether a case is put to a process: what it is about can be seen from outside.
pub fn is_for(case: &Case) -> bool {
    case.role == Side::Server
        && case.setup.limits.is_empty()
        && case.setup.peer.is_none()
        && case.is_small()
}

/// Runs a case against the server that this command starts.
pub fn run(case: &Case, revision: Revision, server: Command) -> (Vec<String>, Observed) {
    let names = server_names();
    let input = case.input(&names);
    let mut process = Process::start(server);
    let has_session = case.setup.base != "server.fresh";
    let mut seen = Observed::default();

    process.write(server_opening(case, revision).as_bytes());
    let is_legacy = revision.era() == Era::Legacy;
    if has_session {
        seen.revisions.0 = process.ask("before", revision).1.filter(|_| is_legacy);
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
        if !has_session && is_legacy {
            // It tells only in a session.
            seen.revisions.1 = process.ask("behind", revision).1;
        }
        if has_session {
            let is_met = |seen: &Observed| judge(case, revision, &names, &input, seen).is_empty();
            faults.extend(look(&mut process, revision, &mut seen, is_met).err());
        }
    }
    let (rest, succeeded) = process.end();
    seen.sent.extend(rest);
    seen.in_flight = running(&seen);
    seen.sent_len = seen.sent.iter().map(|sent| sent.text.len()).sum();
    faults.extend(judge(case, revision, &names, &input, &seen));
    if !succeeded {
        faults.push("the process failed".to_owned());
    }
    (faults, seen)
}

/// Asks the server what its handlers have seen; again if a tool on another thread has not begun yet, or has not seen that it
/// is cancelled.
fn look(
    process: &mut Process,
    revision: Revision,
    seen: &mut Observed,
    is_met: impl Fn(&Observed) -> bool,
) -> Result<(), String> {
    let began = Instant::now();
    loop {
        let (sent, spoken, handled) = process.ask("behind", revision);
        seen.sent.extend(sent);
        seen.handled = handled.ok_or_else(|| format!("what it observed: {:?}", seen.sent))?;
        seen.revisions.1 = spoken.filter(|_| revision.era() == Era::Legacy);
        let mine = |id: &str| matches!(id, "before" | "behind");
        seen.handled.retain(|handled| !handled.id.as_str().is_some_and(mine));
        seen.in_flight = running(seen);
        let may_change = seen.handled.iter().any(|it| it.ran.is_none() && it.cancelled == 0);
        if !may_change || began.elapsed() > PATIENCE || is_met(seen) {
            return Ok(());
        }
    }
}

fn running(seen: &Observed) -> usize {
    seen.handled.iter().filter(|handled| handled.is_running()).count()
}

/// The call of a tool that tells what the handlers have seen.
fn observed(id: &str, revision: Revision) -> Vec<u8> {
    let meta = if revision.era() == Era::Modern { meta() } else { json!({}) };
    let params = json!({ "name": OBSERVED, "_meta": meta });
    format!("{}\n", json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }))
        .into_bytes()
}

/// What a server says before it answers what it has observed, in which revision it was asked, and what that is.
type Told = (Vec<Sent>, Option<Revision>, Option<Vec<Handled>>);

/// The server, and both of its pipes.
struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output) }
    }

    /// Small enough for the pipe to hold it.
    fn write(&mut self, bytes: &[u8]) {
        let written = self.input.as_mut().map(|input| input.write_all(bytes));
        written.expect("it is open").expect("it reads");
    }

    /// Calls the tool that tells what the handlers have seen: what else is said before it answers, in which revision it was
    /// asked, and what they have seen. Nothing where it is refused.
    fn ask(&mut self, id: &str, revision: Revision) -> Told {
        self.write(&observed(id, revision));
        let mut sent = self.read_until(id);
        let is_answer = sent.last().is_some_and(|answer| answer.json["id"] == id);
        let answer = if is_answer { sent.pop() } else { None };
        match answer.as_ref().and_then(Sent::result_text).map(read_observed) {
            Some((spoken, handled)) => (sent, spoken, Some(handled)),
            None => (sent, None, None),
        }
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
