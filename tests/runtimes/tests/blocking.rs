//! Tools that hold the thread on which they run: what `docs/progress.md` says to do about it is done here, on every runtime, also
//! those that have one thread. The client is spoken by hand, on a thread that is nobody's.
#![cfg(unix)]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_channel::bounded;
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::{
    Host, TokioCurrentThread, TokioMultiThread, apart, on_every_runtime, sockets, talk,
};

/// The client's end of a connection. What does not come fails.
struct Hand {
    lines: BufReader<UnixStream>,
}

impl Hand {
    /// Of a server on a runtime of its own, past the handshake.
    fn served<H: Host>(router: Router) -> Self {
        let (near, far) = sockets();
        std::thread::spawn(move || H::block_on(async { H::run(router, far).await }));
        near.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut hand = Self { lines: BufReader::new(near) };
        hand.say(&talk(&[]));
        assert!(hand.hear().contains(r#""id":0,"result""#));
        hand
    }

    fn say(&mut self, text: &str) {
        self.lines.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("nothing comes");
        line
    }

    fn call(&mut self, id: u32, tool: &str) {
        self.say(&call(id, tool));
    }

    /// A report of this call and this value is what comes next.
    fn hears_report(&mut self, id: u32, value: u32) {
        let line = self.hear();
        let params = format!(r#""params":{{"progressToken":{id},"progress":{value}"#);
        assert!(line.contains(&params), "{line}");
    }
}

/// A call that asks for progress, under its own id.
fn call(id: u32, tool: &str) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"{tool}\",\"_meta\":{{\"progressToken\":{id}}}}}}}\n"
    )
}

fn tool(name: &str) -> Tool {
    Tool::new(name, RawJson::parse(r#"{"type":"object"}"#).unwrap())
}

/// What lets a tool go on, step by step, and what the tool waits at.
fn steps() -> (Sender<()>, Arc<Mutex<Receiver<()>>>) {
    let (go, goes) = channel();
    (go, Arc::new(Mutex::new(goes)))
}

/// Holds the thread until it may go on.
fn hold(goes: &Mutex<Receiver<()>>) {
    goes.lock().unwrap().recv_timeout(Duration::from_secs(60)).expect("nobody lets it go on");
}

/// FIELD-BUGS 28, 65; R-PROG-03, R-PING-01. Reports came all at the end. Here each is there before the next step begins, and what
/// came meanwhile is answered.
async fn a_tool_that_waits_for_delivery_between_its_steps_lets_its_reports_leave<H: Host>() {
    let (go, goes) = steps();
    let stepping = move |ctx: Context, _: Option<RawJson>| {
        let goes = goes.clone();
        async move {
            for step in 1..=3 {
                hold(&goes);
                ctx.progress().report(Progress::new(step.into()).of(3.0))?;
                ctx.progress().delivered().await;
            }
            Ok::<_, ToolError>("done")
        }
    };
    let router = Router::new("test", "1.0").raw_tool(tool("stepping"), stepping);
    let mut hand = Hand::served::<H>(router);
    apart(move || {
        hand.call(1, "stepping");
        for step in 1..=3 {
            go.send(()).unwrap();
            hand.hears_report(1, step);
        }
        let line = hand.hear();
        assert!(line.contains(r#""id":1,"result""#), "{line}");
    })
    .await;
}

/// FIELD-BUGS 28, 65; R-PROG-03, R-PING-01, R-CANC-07. Work on a thread of its own holds nobody up: while it stands still its
/// reports are there, a ping and another call are answered, and it sees that it was cancelled.
async fn work_on_a_thread_of_its_own_holds_nobody_up<H: Host>() {
    let (go, goes) = steps();
    let (sees, seen) = channel();
    let working = move |ctx: Context, _: Option<RawJson>| {
        let (goes, sees) = (goes.clone(), sees.clone());
        async move {
            let (says, said) = bounded(1);
            std::thread::spawn(move || {
                for step in 1..=2 {
                    if ctx.progress().report(Progress::new(step.into()).of(2.0)).is_err() {
                        break;
                    }
                    hold(&goes);
                }
                sees.send(ctx.is_cancelled()).unwrap();
                says.send_blocking("done")
            });
            Ok::<_, ToolError>(said.recv().await?)
        }
    };
    let quick = async |_: Context, _: Option<RawJson>| "quick";
    let router = Router::new("test", "1.0")
        .raw_tool(tool("working"), working)
        .raw_tool(tool("quick"), quick);
    let mut hand = Hand::served::<H>(router);
    apart(move || {
        hand.call(1, "working");
        hand.hears_report(1, 1);
        hand.say("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n");
        assert!(hand.hear().contains(r#""id":2,"result":{}"#));
        hand.call(3, "quick");
        assert!(hand.hear().contains(r#""id":3,"result""#));
        go.send(()).unwrap();
        hand.hears_report(1, 2);
        go.send(()).unwrap();
        assert!(hand.hear().contains(r#""id":1,"result""#));
        assert!(!seen.recv().unwrap());
        // The same, cancelled in the middle.
        hand.call(4, "working");
        hand.hears_report(4, 1);
        hand.say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":4}}\n");
        hand.say("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"ping\"}\n");
        assert!(hand.hear().contains(r#""id":5,"#));
        go.send(()).unwrap();
        assert!(seen.recv().unwrap(), "it was told");
        hand.say("{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"ping\"}\n");
        assert!(hand.hear().contains(r#""id":6,"#), "and nothing of it follows");
    })
    .await;
}

/// FIELD-BUGS 73; R-STDIO-07. A tool that never ends kept its server alive, 312 of them.
async fn a_server_whose_tool_never_returns_ends_with_its_input<H: Host>() {
    for kind in ["apart", "looking"] {
        apart(move || ends::<H>(kind)).await;
    }
}

/// FIELD-BUGS 73; R-STDIO-07. Tokio waits for what was begun by `spawn_blocking`, so the program says when it ends.
#[test]
fn a_program_that_exits_when_it_has_served_does_not_wait_for_blocking_work_of_tokio() {
    ends::<TokioCurrentThread>("exiting");
    ends::<TokioMultiThread>("exiting");
}

/// A server of this kind ends by itself in time although its tool works on.
fn ends<H: Host>(kind: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_served"));
    command.args([H::NAME, kind]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all((talk(&[]) + &call(1, "work")).as_bytes()).unwrap();
    let mut lines = String::new();
    while !lines.contains("notifications/progress") {
        assert!(stdout.read_line(&mut lines).unwrap() > 0, "{lines}");
    }
    let ended = Instant::now();
    drop(stdin);
    let status = child.wait().unwrap();
    assert!(status.success(), "{kind}: {status}");
    assert!(ended.elapsed() < Duration::from_secs(20), "the drain limit is 0.1 s");
    stdout.read_to_string(&mut lines).unwrap();
}

on_every_runtime!(
    a_tool_that_waits_for_delivery_between_its_steps_lets_its_reports_leave,
    work_on_a_thread_of_its_own_holds_nobody_up,
    a_server_whose_tool_never_returns_ends_with_its_input,
);
