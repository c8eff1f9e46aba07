//! The server as a process of its own: what becomes of its standard input and output.
#![cfg(unix)]

use std::fs::File;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::tools::{all, reports};
use mcp_runtimes_tests::{Host, apart, on_every_runtime};

/// The server of this kind, on the host that is tried.
fn served<H: Host>(kind: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_served"));
    command.args([H::NAME, kind]);
    command
}

fn config() -> ClientConfig {
    ClientConfig::new("test", "1.0")
}

async fn standard_input_that_cannot_be_had_is_an_error_and_no_empty_connection<H: Host>() {
    let mut command = served::<H>("crowded");
    let output = apart(move || command.stdin(Stdio::piped()).output().unwrap()).await;
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told.starts_with("no connection: "), "{told}");
}

/// FIELD-BUGS 70; R-STDIO-02.
/// With the feature `guard` standard output carries the protocol only; without it the line stands among the messages, and a
/// client that skips what is no message serves on.
async fn what_a_tool_prints_reaches_the_client_only_without_the_guard<H: Host>() {
    let (violations, lines) = noise::<H>("printing", 2).await;
    let told = lines.iter().filter(|line| *line == "a stray line on standard output").count();
    assert_eq!((violations, told), if cfg!(feature = "guard") { (0, 2) } else { (2, 0) });
}

/// FIELD-BUGS 76; R-STDIO-03.
#[cfg(feature = "guard")]
async fn a_child_of_a_tool_cannot_swallow_the_protocols_input<H: Host>() {
    // Were the input the child's too, its `cat` would wait for ever or take the second call.
    let (violations, lines) = noise::<H>("starting", 2).await;
    let printed = lines.iter().filter(|line| *line == "the child printed").count();
    assert_eq!((violations, printed), (0, 2));
}

async fn a_router_serves_standard_input_and_output<H: Host>() {
    let child = H::spawn(served::<H>("routed")).connect(config()).await.unwrap();
    assert_eq!(reports(&child.client, "steps", |_| ()).await, Ok(all("done")));
    assert!(child.shutdown().await.unwrap().success());
}

/// Calls a noisy server; violations seen by the client, and the server's standard error.
async fn noise<H: Host>(kind: &str, calls: usize) -> (usize, Vec<String>) {
    let spawn = H::spawn(served::<H>(kind)).on_stderr(|_| {});
    let child = spawn.connect(config()).await.unwrap();
    let (count, counted) = std::sync::mpsc::channel();
    child.client.on_violation(move |violation| count.send(violation).unwrap());
    for _ in 0..calls {
        let result = child.client.call(CallTool::new("noise")).await.unwrap();
        assert_eq!(result.content.first().unwrap().as_text(), Some("done"));
    }
    let process = child.process.clone();
    assert!(child.shutdown().await.unwrap().success());
    (counted.try_iter().count(), process.last_lines())
}

/// A handshake of 2025-11-25 and two calls.
const TALK: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"one","_meta":{"progressToken":"t"}}}
{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"two"}}
"#;

fn check_talk(answers: &str) {
    let lines: Vec<_> = answers.lines().collect();
    let at = |part: &str| {
        lines.iter().position(|line| line.contains(part)).unwrap_or_else(|| panic!("{answers}"))
    };
    assert_eq!((lines.len(), at(r#""id":0"#)), (4, 0), "{answers}");
    assert!(at(r#""progressToken":"t""#) < at(r#""id":1"#), "{answers}");
    assert!(lines[at(r#""id":2"#)].contains(r#""text":"two""#), "{answers}");
}

fn piped<H: Host>() -> Child {
    served::<H>("plain").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap()
}

/// All at once, and the end right behind it; everything that is answered.
fn say(child: &mut Child, talk: &str) -> String {
    child.stdin.take().unwrap().write_all(talk.as_bytes()).unwrap();
    let mut answers = String::new();
    child.stdout.take().unwrap().read_to_string(&mut answers).unwrap();
    assert!(child.wait().unwrap().success());
    answers
}

/// FIELD-BUGS 75; R-STDIO-07.
async fn half_close_accepted_calls_are_answered_before_the_end<H: Host>() {
    apart(|| check_talk(&say(&mut piped::<H>(), TALK))).await;
}

async fn a_last_line_without_its_newline_is_read<H: Host>() {
    apart(|| check_talk(&say(&mut piped::<H>(), TALK.trim_end()))).await;
}

async fn a_server_over_files_and_sockets_serves_as_over_pipes<H: Host>() {
    apart(|| {
        over_files::<H>();
        over_a_socket::<H>();
    })
    .await;
}

fn over_files<H: Host>() {
    let path = |name: &str| {
        std::env::temp_dir().join(format!("mcp-{}-{}-{name}", std::process::id(), H::NAME))
    };
    let (input, output) = (path("in"), path("out"));
    std::fs::write(&input, TALK).unwrap();
    let mut command = served::<H>("plain");
    command.stdin(File::open(&input).unwrap()).stdout(File::create(&output).unwrap());
    assert!(command.status().unwrap().success());
    check_talk(&std::fs::read_to_string(&output).unwrap());
    std::fs::remove_file(input).unwrap();
    std::fs::remove_file(output).unwrap();
}

/// As Node starts its children.
fn over_a_socket<H: Host>() {
    let (mut near, far) = UnixStream::pair().unwrap();
    let far = OwnedFd::from(far);
    let mut command = served::<H>("plain");
    let mut child = command.stdin(far.try_clone().unwrap()).stdout(far).spawn().unwrap();
    drop(command);
    near.write_all(TALK.as_bytes()).unwrap();
    near.shutdown(Shutdown::Write).unwrap();
    let mut answers = String::new();
    near.read_to_string(&mut answers).unwrap();
    check_talk(&answers);
    assert!(child.wait().unwrap().success());
}

/// FIELD-BUGS 73; R-STDIO-07.
async fn the_end_of_the_input_ends_the_server_with_work_in_flight<H: Host>() {
    let talk = TALK.replace(r#""name":"one""#, r#""name":"never""#);
    let began = Instant::now();
    let answers = apart(move || say(&mut piped::<H>(), &talk)).await;
    assert!(answers.contains(r#""text":"two""#), "{answers}");
    assert!(began.elapsed() < Duration::from_secs(20), "the drain limit is 0.1 s");
}

async fn an_output_that_nobody_reads_any_more_ends_the_server_and_no_signal_does<H: Host>() {
    let status = apart(|| {
        let mut child = piped::<H>();
        drop(child.stdout.take());
        // Its answers meet a broken pipe. Its input stays open until it has ended.
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(TALK.as_bytes()).unwrap();
        // A process that another test starts at this moment holds the pipe's other end too, until it has begun: so it is asked
        // again.
        let ping = b"{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}\n";
        while stdin.write_all(ping).is_ok() {
            std::thread::yield_now();
        }
        child.wait().unwrap()
    })
    .await;
    assert_eq!(status.code(), Some(0), "{status}");
}

/// A pipe that nobody reads any more, where a tool that prints panics; and one that was closed before the program began, which
/// Rust replaces. The tool panics anyway: it is answered, and the next call works.
async fn a_standard_error_that_is_gone_ends_no_server_and_no_other_call<H: Host>() {
    let (reader, unread) = std::io::pipe().unwrap();
    drop(reader);
    let mut closed = Command::new("sh");
    closed.args(["-c", r#"exec "$0" "$@" 2>&-"#, env!("CARGO_BIN_EXE_served"), H::NAME, "loud"]);
    for spawn in [H::spawn(served::<H>("loud")).stderr(unread), H::spawn(closed)] {
        let child = spawn.connect(config()).await.unwrap();
        for _ in 0..2 {
            let error = child.client.call(CallTool::new("loud")).await.unwrap_err();
            let is_internal = |error: &ErrorObject| error.code == ErrorObject::INTERNAL_ERROR;
            assert!(matches!(&error, CallError::Peer(error) if is_internal(error)), "{error}");
            assert_eq!(reports(&child.client, "steps", |_| ()).await, Ok(all("done")));
        }
        assert!(child.shutdown().await.unwrap().success());
    }
}

on_every_runtime!(
    a_router_serves_standard_input_and_output,
    standard_input_that_cannot_be_had_is_an_error_and_no_empty_connection,
    what_a_tool_prints_reaches_the_client_only_without_the_guard,
    half_close_accepted_calls_are_answered_before_the_end,
    a_last_line_without_its_newline_is_read,
    a_server_over_files_and_sockets_serves_as_over_pipes,
    the_end_of_the_input_ends_the_server_with_work_in_flight,
    an_output_that_nobody_reads_any_more_ends_the_server_and_no_signal_does,
    a_standard_error_that_is_gone_ends_no_server_and_no_other_call,
);

#[cfg(feature = "guard")]
on_every_runtime!(a_child_of_a_tool_cannot_swallow_the_protocols_input);
