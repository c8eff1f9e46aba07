//! Servers as child processes that misbehave: small shell scripts. That nothing is left of one is seen at a
//! pipe that every process of its tree holds open: its end comes when the last of them is gone.
#![cfg(unix)]

use std::io::{PipeReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_channel::unbounded;
use futures_lite::future::poll_once;
use mcp_proto::net::child::{Child, Spawn, SpawnError};
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::doomed::{Accounted, Doomed};
use mcp_runtimes_tests::{GRACE, Host, apart, on_every_runtime, script, spawn, until};

fn config() -> ClientConfig {
    ClientConfig::new("test", "1.0").revisions(Revision::V2025_11_25)
}

/// A server whose whole tree holds the other end of a pipe, as its standard error.
fn witnessed<H: Host>(text: &str) -> (Spawn, PipeReader) {
    let (witness, held) = std::io::pipe().unwrap();
    (H::spawn(script(text)).stderr(held).grace(GRACE), witness)
}

/// Waits until every process that held the pipe is gone.
async fn all_gone(mut witness: PipeReader) {
    apart(move || witness.read_to_end(&mut Vec::new()).unwrap()).await;
}

async fn start<H: Host>(text: &str) -> (Child, PipeReader) {
    let (spawn, witness) = witnessed::<H>(text);
    (spawn.connect(config()).await.unwrap(), witness)
}

/// FIELD-BUGS 74; R-LIFE-11.
async fn a_server_that_exits_when_its_input_ends_is_not_waited_for_in_vain<H: Host>() {
    let (spawn, witness) = witnessed::<H>("cat > /dev/null");
    let child = spawn.grace(Duration::from_secs(60)).connect(config()).await.unwrap();
    let began = Instant::now();
    assert_eq!(child.shutdown().await.unwrap().code(), Some(0));
    all_gone(witness).await;
    assert!(began.elapsed() < Duration::from_secs(30), "no grace is burnt");
}

/// FIELD-BUGS 62; R-LIFE-10.
async fn a_server_that_exits_in_the_middle_ends_the_call_and_tells_how_it_ended<H: Host>() {
    let spawn = H::spawn(script("read -r call; echo 'out of memory' >&2; exit 3"));
    let child = spawn.on_stderr(|_| {}).connect(config()).await.unwrap();
    let error = child.client.call(CallTool::new("t")).await.unwrap_err();
    assert_eq!(error, CallError::Closed(CloseReason::Eof { unread: 0 }));
    assert_eq!(child.process.exited().await.unwrap().code(), Some(3));
    assert_eq!(child.process.last_lines(), ["out of memory"]);
    assert_eq!(child.shutdown().await.unwrap().code(), Some(3), "it may be asked again");
}

async fn a_server_that_is_not_worth_a_grace_gets_term_at_once<H: Host>() {
    let (spawn, witness) = witnessed::<H>("exec sleep 1000");
    let child = spawn.grace(Duration::from_secs(60)).connect(config()).await.unwrap();
    let began = Instant::now();
    child.process.terminate();
    assert_eq!(child.process.exited().await.unwrap().signal(), Some(15));
    all_gone(witness).await;
    assert!(began.elapsed() < Duration::from_secs(30), "no grace is burnt");
}

/// FIELD-BUGS 74; R-LIFE-11.
async fn a_server_that_ignores_term_too_is_killed_with_all_it_started<H: Host>() {
    let (child, witness) = start::<H>("trap '' TERM; sleep 1000 & sleep 1000; sleep 1000").await;
    let began = Instant::now();
    assert_eq!(child.shutdown().await.unwrap().signal(), Some(9));
    assert!(began.elapsed() >= 2 * GRACE, "it had its time, twice");
    all_gone(witness).await;
}

/// One that does not is among the faults that are counted: see `faults.rs`.
async fn a_grandchild_that_ignores_term_and_holds_the_pipe_keeps_nobody_alive<H: Host>() {
    let (child, witness) = start::<H>("read -r call; trap '' TERM; sleep 1000 & exit 4").await;
    let error = child.client.call(CallTool::new("t")).await.unwrap_err();
    assert_eq!(error, CallError::Closed(CloseReason::Eof { unread: 0 }));
    assert_eq!(child.process.exited().await.unwrap().code(), Some(4));
    all_gone(witness).await;
}

async fn a_grandchild_beyond_reach_that_holds_the_pipe_does_not_keep_the_call_alive<H: Host>() {
    // It leaves the group and says so; only then does the server exit.
    let away = "(setsid sh -c 'echo away; exec sleep 20 >&3' &) | read -r away";
    let (child, _) = start::<H>(&format!("exec 3>&1; read -r call; {away}; exit 4")).await;
    let began = Instant::now();
    let error = child.client.call(CallTool::new("t")).await.unwrap_err();
    assert_eq!(error, CallError::Closed(CloseReason::Eof { unread: 0 }));
    assert_eq!(child.process.exited().await.unwrap().code(), Some(4));
    assert!(began.elapsed() < Duration::from_secs(15), "nobody waits for it");
}

async fn what_a_server_wrote_before_it_died_still_counts<H: Host>() {
    let answer =
        r#"{"jsonrpc":"2.0","id":%s,"result":{"content":[{"type":"text","text":"done"}]}}\n"#;
    let text = format!(
        "read -r line; id=${{line##*'\"id\":'}}; id=${{id%%[,\\}}]*}}; printf '{answer}' \"$id\"; exit 5"
    );
    for _ in 0..10 {
        let (child, witness) = start::<H>(&text).await;
        let result = child.client.call(CallTool::new("t")).await.unwrap();
        assert_eq!(result.content[0].as_text(), Some("done"));
        assert_eq!(child.process.exited().await.unwrap().code(), Some(5));
        all_gone(witness).await;
    }
}

async fn a_dropped_client_leaves_no_orphan<H: Host>() {
    let (child, witness) = start::<H>("trap '' TERM; sleep 1000; sleep 1000").await;
    let process = child.process.clone();
    drop(child);
    all_gone(witness).await;
    assert_eq!(process.exited().await.unwrap().signal(), Some(9));
}

async fn giving_up_before_the_server_is_ready_leaves_no_orphan<H: Host>() {
    let (witness, held) = std::io::pipe().unwrap();
    let mut command = Command::new("sleep");
    command.arg("1000");
    let mut connecting = Box::pin(H::spawn(command).stderr(held).grace(GRACE).connect(config()));
    assert!(poll_once(&mut connecting).await.is_none(), "it says nothing");
    drop(connecting);
    all_gone(witness).await;
}

async fn a_runtime_that_is_shut_down_in_the_middle_leaves_no_orphan<H: Host>() {
    apart(|| {
        let doomed = Accounted::<H::Doomed>::begin();
        let (mut witness, held) = std::io::pipe().unwrap();
        let child = doomed.block_on(async {
            let command = script("trap '' TERM; sleep 1000 & sleep 1000; sleep 1000");
            let spawn = H::spawn(command).on(doomed.platform()).stderr(held).grace(GRACE);
            spawn.connect(config()).await.unwrap()
        });
        doomed.end();
        witness.read_to_end(&mut Vec::new()).unwrap();
        drop(child);
    })
    .await;
}

async fn a_command_that_is_not_found_is_named<H: Host>() {
    let error = H::spawn(Command::new("no-such-server")).connect(config()).await.unwrap_err();
    assert!(
        matches!(&error, SpawnError::NotStarted { error, .. } if error.kind() == std::io::ErrorKind::NotFound)
    );
    assert!(error.to_string().starts_with("cannot start no-such-server: "), "{error}");
}

async fn a_program_that_is_no_server_is_quoted<H: Host>() {
    let mut command = Command::new("sh");
    command.args(["-c", "echo 'usage: tool FILE' >&2; exit 2"]);
    let error = H::spawn(command).on_stderr(|_| {}).connect(config()).await.unwrap_err();
    let SpawnError::NotReady { status, last_lines, .. } = &error else { panic!("{error}") };
    assert_eq!(
        (status.unwrap().code(), last_lines.as_slice()),
        (Some(2), &["usage: tool FILE".to_owned()][..])
    );
    let text = error.to_string();
    assert!(text.contains("exit status: 2") && text.contains("usage: tool FILE"), "{text}");
}

async fn a_server_that_never_reads_and_floods_standard_error_blocks_nobody<H: Host>() {
    let flood =
        "head -c 4000000 /dev/zero | tr '\\0' 'x' >&2; echo >&2; echo last >&2; exec sleep 1000";
    let (lines, heard) = unbounded();
    let process = H::spawn(script(flood)).grace(GRACE);
    let process = process.on_stderr(move |line| lines.try_send(line.to_owned()).unwrap());
    let child = process.connect(config()).await.unwrap();
    let call = child.client.call(CallTool::new("t").argument("data", "x".repeat(1 << 20)));
    let call = spawn(&H::platform(), call);
    until(|| "the call is on its way", || child.client.calls_in_flight() > 0).await;
    let long = heard.recv().await.unwrap();
    assert_eq!(long.len(), 8 << 10, "a line is cut");
    assert_eq!(heard.recv().await.unwrap(), "last");
    assert_eq!(child.shutdown().await.unwrap().signal(), Some(15));
    assert_eq!(call.join().await.unwrap_err(), CallError::Closed(CloseReason::Local));
}

async fn the_last_twenty_lines_are_kept_and_carriage_returns_end_a_line<H: Host>() {
    let text = r"i=0; while [ $i -lt 30 ]; do echo line $i >&2; i=$((i+1)); done; printf '10%%\r20%%\r' >&2; printf end >&2";
    let seen = Arc::new(Mutex::new(0));
    let counted = seen.clone();
    let process = H::spawn(script(text)).on_stderr(move |_| *counted.lock().unwrap() += 1);
    let child = process.connect(config()).await.unwrap();
    child.process.exited().await.unwrap();
    let lines = child.process.last_lines();
    assert_eq!((*seen.lock().unwrap(), lines.len()), (33, 20));
    assert_eq!(
        (lines[0].as_str(), &lines[17..]),
        ("line 13", &["10%", "20%", "end"].map(String::from)[..])
    );
}

on_every_runtime!(
    a_server_that_exits_when_its_input_ends_is_not_waited_for_in_vain,
    a_server_that_exits_in_the_middle_ends_the_call_and_tells_how_it_ended,
    a_server_that_is_not_worth_a_grace_gets_term_at_once,
    a_server_that_ignores_term_too_is_killed_with_all_it_started,
    a_grandchild_that_ignores_term_and_holds_the_pipe_keeps_nobody_alive,
    a_grandchild_beyond_reach_that_holds_the_pipe_does_not_keep_the_call_alive,
    what_a_server_wrote_before_it_died_still_counts,
    a_dropped_client_leaves_no_orphan,
    giving_up_before_the_server_is_ready_leaves_no_orphan,
    a_runtime_that_is_shut_down_in_the_middle_leaves_no_orphan,
    a_command_that_is_not_found_is_named,
    a_program_that_is_no_server_is_quoted,
    a_server_that_never_reads_and_floods_standard_error_blocks_nobody,
    the_last_twenty_lines_are_kept_and_carriage_returns_end_a_line,
);
