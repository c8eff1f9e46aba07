//! The server as a process of its own: what becomes of its standard input and output.
//!
//! The cases start this very binary again, with the name of a server as its argument.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command as StdCommand, Stdio};
use std::time::{Duration, Instant};

use mcp_tokio::{
    CallTool, CallToolResult, ClientConfig, CloseReason, Command, Incoming, Progress, Server,
    ServerConfig,
};
use tokio::runtime::Runtime;

type Case = fn(&Runtime);

const NOISY: &str = "noisy-server";
const PLAIN: &str = "plain-server";
const CROWDED: &str = "crowded-server";

fn main() {
    let argument = std::env::args().nth(1).unwrap_or_default();
    let runtime = Runtime::new().unwrap();
    match argument.as_str() {
        NOISY => runtime.block_on(noisy_server()),
        PLAIN => runtime.block_on(plain_server()),
        CROWDED => runtime.block_on(crowded_server()),
        filter => {
            let cases: [(&str, Case); 7] = [
                ("standard_input_that_cannot_be_had_is_an_error_and_no_empty_connection", crowded),
                ("printing_in_a_tool_does_not_break_the_protocol", printing),
                ("a_child_of_a_tool_cannot_swallow_the_protocols_input", swallowing),
                ("half_close_accepted_calls_are_answered_before_the_end", half_close),
                ("a_server_over_files_and_sockets_serves_as_over_pipes", files_and_sockets),
                ("the_end_of_the_input_ends_the_server_with_work_in_flight", work_in_flight),
                ("a_hundred_starts_leave_no_descriptor_and_no_zombie", hundred_starts),
            ];
            for (name, case) in
                cases.iter().filter(|(name, _)| filter.starts_with('-') || name.contains(filter))
            {
                case(&runtime);
                println!("test {name} ... ok");
            }
        }
    }
}

/// A server whose tool prints, and lets a child process read and print.
async fn noisy_server() {
    let mut server = mcp_tokio::serve_stdio(ServerConfig::new("noisy", "1.0")).unwrap();
    while let Some(request) = server.accept().await {
        println!("a stray line on standard output");
        let child =
            StdCommand::new("sh").args(["-c", "cat; echo the child printed"]).status().unwrap();
        request.respond(&CallToolResult::text(child.to_string())).unwrap();
    }
}

/// A server that answers when all it was sent has been read, except to `never`.
async fn plain_server() {
    let config = ServerConfig::new("plain", "1.0").drain_timeout(Duration::from_millis(100));
    let mut server: Server = mcp_tokio::serve_stdio(config).unwrap();
    while let Some(request) = server.accept().await {
        tokio::spawn(answer(request));
    }
}

async fn answer(request: Incoming) {
    let call: CallTool = request.params().unwrap();
    if call.name == "never" {
        std::future::pending::<()>().await;
    }
    let _ = request.progress(Progress::new(1.0));
    let _ = request.respond(&CallToolResult::text(call.name));
}

/// A server that has no descriptor left for its standard input.
async fn crowded_server() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(64) }).unwrap();
    let crowd: Vec<_> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    let error = mcp_tokio::serve_stdio(ServerConfig::new("crowded", "1.0")).unwrap_err();
    drop(crowd);
    eprintln!("no connection: {error}");
}

fn crowded(_: &Runtime) {
    let mut command = StdCommand::new(std::env::current_exe().unwrap());
    let output = command.arg(CROWDED).stdin(Stdio::piped()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told.starts_with("no connection: "), "{told}");
}

fn this(server: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg(server);
    command
}

fn config() -> ClientConfig {
    ClientConfig::new("test", "1.0")
}

fn printing(runtime: &Runtime) {
    runtime.block_on(async {
        let (violations, lines) = noise(1).await;
        assert_eq!(violations, 0, "standard output carries the protocol only");
        assert_eq!(lines.first().map(String::as_str), Some("a stray line on standard output"));
    });
}

fn swallowing(runtime: &Runtime) {
    runtime.block_on(async {
        // Were the input the child's too, its `cat` would wait for ever or take the second call.
        let (violations, lines) = noise(2).await;
        let printed = lines.iter().filter(|line| *line == "the child printed").count();
        assert_eq!((violations, printed), (0, 2));
    });
}

/// Calls the noisy server; violations seen by the client, and the server's standard error.
async fn noise(calls: usize) -> (usize, Vec<String>) {
    let child = mcp_tokio::spawn(this(NOISY)).on_stderr(|_| {}).connect(config()).await.unwrap();
    let (count, counted) = std::sync::mpsc::channel();
    child.client.on_violation(move |violation| count.send(violation).unwrap());
    for _ in 0..calls {
        let result = child.client.call(CallTool::new("noise")).await.unwrap();
        assert_eq!(result.content.first().unwrap().as_text(), Some("exit status: 0"));
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

fn half_close(_: &Runtime) {
    let mut child = StdCommand::new(std::env::current_exe().unwrap())
        .arg(PLAIN)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // All at once, and the end right behind it.
    child.stdin.take().unwrap().write_all(TALK.as_bytes()).unwrap();
    let mut answers = String::new();
    child.stdout.take().unwrap().read_to_string(&mut answers).unwrap();
    check_talk(&answers);
    assert!(child.wait().unwrap().success());
}

fn files_and_sockets(_: &Runtime) {
    let path =
        |name: &str| std::env::temp_dir().join(format!("mcp-tokio-{}-{name}", std::process::id()));
    let (input, output) = (path("in"), path("out"));
    std::fs::write(&input, TALK).unwrap();
    let mut command = StdCommand::new(std::env::current_exe().unwrap());
    command.arg(PLAIN);
    let status = command
        .stdin(File::open(&input).unwrap())
        .stdout(File::create(&output).unwrap())
        .status()
        .unwrap();
    check_talk(&std::fs::read_to_string(&output).unwrap());
    assert!(status.success());
    std::fs::remove_file(input).unwrap();
    std::fs::remove_file(output).unwrap();

    // As Node starts its children.
    let (mut near, far) = UnixStream::pair().unwrap();
    let far = std::os::fd::OwnedFd::from(far);
    let mut child = command.stdin(far.try_clone().unwrap()).stdout(far).spawn().unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null());
    near.write_all(TALK.as_bytes()).unwrap();
    near.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answers = String::new();
    near.read_to_string(&mut answers).unwrap();
    check_talk(&answers);
    assert!(child.wait().unwrap().success());
}

fn work_in_flight(_: &Runtime) {
    let mut child = StdCommand::new(std::env::current_exe().unwrap())
        .arg(PLAIN)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let talk = TALK.replace(r#""name":"one""#, r#""name":"never""#);
    let began = Instant::now();
    child.stdin.take().unwrap().write_all(talk.as_bytes()).unwrap();
    let mut answers = String::new();
    child.stdout.take().unwrap().read_to_string(&mut answers).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(answers.contains(r#""text":"two""#), "{answers}");
    assert!(began.elapsed() < Duration::from_secs(4), "the drain limit is 0.1 s");
}

fn hundred_starts(runtime: &Runtime) {
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let once = || {
        runtime.block_on(async {
            let child =
                mcp_tokio::spawn(this(PLAIN)).on_stderr(|_| {}).connect(config()).await.unwrap();
            let client = child.client.clone();
            let process = child.process.clone();
            assert!(child.shutdown().await.unwrap().success());
            assert_eq!(client.closed().await, CloseReason::Local);
            let zombie = format!("/proc/{}", process.id().unwrap());
            assert!(!std::path::Path::new(&zombie).exists(), "it is reaped");
        });
    };
    once();
    let baseline = descriptors();
    (0..100).for_each(|_| once());
    // What a task of the runtime still holds is let go once that task has run.
    runtime.block_on(tokio::task::yield_now());
    assert!(descriptors() <= baseline + 3, "{} descriptors, {baseline} before", descriptors());
}
