//! Servers as child processes that misbehave: small shell scripts. That nothing is left of one is seen at a
//! pipe that every process of its tree holds open: its end comes when the last of them is gone.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::io::{PipeReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mcp_tokio::child::{Child, Spawn, SpawnError};
use mcp_tokio::{CallError, CallTool, ClientConfig, CloseReason, Command, Revision};
use tokio::sync::mpsc;

/// Becomes ready, as a server of 2025-11-25 does.
const READY: &str = r#"
read -r line
id=${line##*'"id":'}
id=${id%%[,\}]*}
printf '{"jsonrpc":"2.0","id":%s,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"sh","version":"1"}}}\n' "$id"
read -r line
"#;

const GRACE: Duration = Duration::from_millis(100);

fn script(text: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{READY}{text}")]);
    command
}

fn config() -> ClientConfig {
    ClientConfig::new("test", "1.0").revisions(Revision::V2025_11_25)
}

/// A server whose whole tree holds the other end of a pipe, as its standard error.
fn witnessed(text: &str) -> (Spawn, PipeReader) {
    let (witness, held) = std::io::pipe().unwrap();
    (mcp_tokio::spawn(script(text)).stderr(held).grace(GRACE), witness)
}

/// Waits until every process that held the pipe is gone.
async fn all_gone(mut witness: PipeReader) {
    tokio::task::spawn_blocking(move || witness.read_to_end(&mut Vec::new()).unwrap())
        .await
        .unwrap();
}

async fn start(text: &str) -> (Child, PipeReader) {
    let (spawn, witness) = witnessed(text);
    (spawn.connect(config()).await.unwrap(), witness)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_exits_when_its_input_ends_is_not_waited_for_in_vain() {
    let (spawn, witness) = witnessed("cat > /dev/null");
    let child = spawn.grace(Duration::from_secs(60)).connect(config()).await.unwrap();
    let began = Instant::now();
    assert_eq!(child.shutdown().await.unwrap().code(), Some(0));
    all_gone(witness).await;
    assert!(began.elapsed() < Duration::from_secs(30), "no grace is burnt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_exits_in_the_middle_ends_the_call_and_tells_how_it_ended() {
    let spawn = mcp_tokio::spawn(script("read -r call; echo 'out of memory' >&2; exit 3"));
    let child = spawn.on_stderr(|_| {}).connect(config()).await.unwrap();
    let error = child.client.call(CallTool::new("t")).await.unwrap_err();
    assert_eq!(error, CallError::Closed(CloseReason::Eof { unread: 0 }));
    assert_eq!(child.process.exited().await.unwrap().code(), Some(3));
    assert_eq!(child.process.last_lines(), ["out of memory"]);
    assert_eq!(child.shutdown().await.unwrap().code(), Some(3), "it may be asked again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ignores_the_end_of_its_input_gets_term() {
    let (child, witness) = start("exec sleep 1000").await;
    let began = Instant::now();
    assert_eq!(child.shutdown().await.unwrap().signal(), Some(15));
    assert!(began.elapsed() >= GRACE, "it had its time");
    all_gone(witness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_worth_a_grace_gets_term_at_once() {
    let (spawn, witness) = witnessed("exec sleep 1000");
    let child = spawn.grace(Duration::from_secs(60)).connect(config()).await.unwrap();
    let began = Instant::now();
    child.process.terminate();
    assert_eq!(child.process.exited().await.unwrap().signal(), Some(15));
    all_gone(witness).await;
    assert!(began.elapsed() < Duration::from_secs(30), "no grace is burnt");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ignores_term_too_is_killed_with_all_it_started() {
    let (child, witness) = start("trap '' TERM; sleep 1000 & sleep 1000; sleep 1000").await;
    let began = Instant::now();
    assert_eq!(child.shutdown().await.unwrap().signal(), Some(9));
    assert!(began.elapsed() >= 2 * GRACE, "it had its time, twice");
    all_gone(witness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grandchild_that_holds_the_pipe_keeps_neither_the_call_nor_itself_alive() {
    for stubborn in ["", "trap '' TERM;"] {
        let (child, witness) =
            start(&format!("read -r call; {stubborn} sleep 1000 & exit 4")).await;
        let error = child.client.call(CallTool::new("t")).await.unwrap_err();
        assert_eq!(error, CallError::Closed(CloseReason::Eof { unread: 0 }));
        assert_eq!(child.process.exited().await.unwrap().code(), Some(4));
        all_gone(witness).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grandchild_beyond_reach_that_holds_the_pipe_does_not_keep_the_call_alive() {
    // It leaves the group and says so; only then does the server exit.
    let away = "(setsid sh -c 'echo away; exec sleep 20 >&3' &) | read -r away";
    let (child, _) = start(&format!("exec 3>&1; read -r call; {away}; exit 4")).await;
    let began = Instant::now();
    let error = child.client.call(CallTool::new("t")).await.unwrap_err();
    assert_eq!(error, CallError::Closed(CloseReason::Eof { unread: 0 }));
    assert_eq!(child.process.exited().await.unwrap().code(), Some(4));
    assert!(began.elapsed() < Duration::from_secs(15), "nobody waits for it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_wrote_before_it_died_still_counts() {
    let answer =
        r#"{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"done"}]}}\n"#;
    let text = format!(
        "read -r line; id=${{line##*'\"id\":'}}; id=${{id%%[,\\}}]*}}; printf '{answer}' \"$id\"; exit 5"
    );
    let (child, witness) = start(&text).await;
    let result = child.client.call(CallTool::new("t")).await.unwrap();
    assert_eq!(result.content[0].as_text(), Some("done"));
    assert_eq!(child.process.exited().await.unwrap().code(), Some(5));
    all_gone(witness).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_client_leaves_no_orphan() {
    let (child, witness) = start("trap '' TERM; sleep 1000; sleep 1000").await;
    let process = child.process.clone();
    drop(child);
    all_gone(witness).await;
    assert_eq!(process.exited().await.unwrap().signal(), Some(9));
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_up_before_the_server_is_ready_leaves_no_orphan() {
    let (witness, held) = std::io::pipe().unwrap();
    let mut command = Command::new("sleep");
    command.arg("1000");
    let connecting = mcp_tokio::spawn(command).stderr(held).grace(GRACE).connect(config());
    tokio::select! {
        biased;
        _ = connecting => panic!("it says nothing"),
        () = tokio::task::yield_now() => {}
    }
    all_gone(witness).await;
}

#[test]
fn a_runtime_that_is_shut_down_in_the_middle_leaves_no_orphan() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (child, mut witness) =
        runtime.block_on(start("trap '' TERM; sleep 1000 & sleep 1000; sleep 1000"));
    drop(runtime);
    witness.read_to_end(&mut Vec::new()).unwrap();
    drop(child);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_not_found_is_named() {
    let spawn = mcp_tokio::spawn(Command::new("no-such-server"));
    let error = spawn.connect(config()).await.unwrap_err();
    assert!(
        matches!(&error, SpawnError::NotStarted { error, .. } if error.kind() == std::io::ErrorKind::NotFound)
    );
    assert!(error.to_string().starts_with("cannot start no-such-server: "), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_no_server_is_quoted() {
    let mut command = Command::new("sh");
    command.args(["-c", "echo 'usage: tool FILE' >&2; exit 2"]);
    let error = mcp_tokio::spawn(command).on_stderr(|_| {}).connect(config()).await.unwrap_err();
    let SpawnError::NotReady { status, last_lines, .. } = &error else { panic!("{error}") };
    assert_eq!(
        (status.unwrap().code(), last_lines.as_slice()),
        (Some(2), &["usage: tool FILE".to_owned()][..])
    );
    let text = error.to_string();
    assert!(text.contains("exit status: 2") && text.contains("usage: tool FILE"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_never_reads_and_floods_standard_error_blocks_nobody() {
    let flood =
        "head -c 4000000 /dev/zero | tr '\\0' 'x' >&2; echo >&2; echo last >&2; exec sleep 1000";
    let (lines, mut heard) = mpsc::unbounded_channel();
    let spawn = mcp_tokio::spawn(script(flood)).grace(GRACE);
    let spawn = spawn.on_stderr(move |line| lines.send(line.to_owned()).unwrap());
    let child = spawn.connect(config()).await.unwrap();
    let call =
        tokio::spawn(child.client.call(CallTool::new("t").argument("data", "x".repeat(1 << 20))));
    while child.client.calls_in_flight() == 0 {
        tokio::task::yield_now().await;
    }
    let long = heard.recv().await.unwrap();
    assert_eq!(long.len(), 8 << 10, "a line is cut");
    assert_eq!(heard.recv().await.unwrap(), "last");
    assert_eq!(child.shutdown().await.unwrap().signal(), Some(15));
    assert_eq!(call.await.unwrap().unwrap_err(), CallError::Closed(CloseReason::Local));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_twenty_lines_are_kept_and_carriage_returns_end_a_line() {
    let text = r"i=0; while [ $i -lt 30 ]; do echo line $i >&2; i=$((i+1)); done; printf '10%%\r20%%\r' >&2; printf end >&2";
    let seen = Arc::new(Mutex::new(0));
    let counted = seen.clone();
    let spawn = mcp_tokio::spawn(script(text)).on_stderr(move |_| *counted.lock().unwrap() += 1);
    let child = spawn.connect(config()).await.unwrap();
    child.process.exited().await.unwrap();
    let lines = child.process.last_lines();
    assert_eq!((*seen.lock().unwrap(), lines.len()), (33, 20));
    assert_eq!(
        (lines[0].as_str(), &lines[17..]),
        ("line 13", &["10%", "20%", "end"].map(String::from)[..])
    );
}
