//! A session with a call in flight moves from one server process to the next, and its client sees every report.
//!
//! The case starts this very binary as both servers: the first hands its sessions over on its standard output, the second
//! takes them in on its standard input and listens at the same address.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use mcp_proto::snapshot::SessionSnapshot;
use mcp_tokio::http::ServerOptions;
use mcp_tokio::{
    CallTool, CallToolResult, ClientConfig, Progress, RawJson, Revision, ServerConfig,
};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};

const FIRST: &str = "first-server";
const SECOND: &str = "second-server";

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        [FIRST] => first(),
        [SECOND, address] => second(address),
        _ => {
            for revision in [Revision::V2025_11_25, Revision::V2025_06_18, Revision::V2025_03_26] {
                a_session_with_a_call_in_flight_moves_to_another_process(revision);
            }
            println!("test a_session_with_a_call_in_flight_moves_to_another_process ... ok");
        }
    }
}

/// One line, from a process or to it.
fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

// The servers.

fn config() -> ServerConfig {
    ServerConfig::new("moving", "1")
}

/// Serves until it is told to move, hands its sessions over and ends.
#[tokio::main(flavor = "current_thread")]
async fn first() {
    let (mut server, service) = mcp_tokio::http::service(config(), ServerOptions::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let (stop, stopped) = watch::channel(false);
    let (moves, moving) = oneshot::channel::<()>();
    let (reported, all_reported) = oneshot::channel::<()>();
    let web = tokio::spawn(serve(listener, service.clone(), stopped));
    let work = tokio::spawn(async move {
        let Some(request) = server.accept().await else { return };
        assert_eq!((request.method(), request.is_resumed()), ("tools/call", false));
        for step in 1..=3 {
            request.progress(Progress::new(step.into()).of(8.0)).unwrap();
        }
        moving.await.unwrap();
        // These may not leave this process any more.
        for step in 4..=5 {
            request.progress(Progress::new(step.into()).of(8.0)).unwrap();
        }
        reported.send(()).unwrap();
        request.cancelled().await;
    });
    tokio::task::spawn_blocking(|| assert_eq!(line(&mut std::io::stdin().lock()), "move"))
        .await
        .unwrap();
    // First nobody can come back here, then the sessions leave.
    stop.send(true).unwrap();
    moves.send(()).unwrap();
    all_reported.await.unwrap();
    let sessions = service.export_sessions();
    work.await.unwrap();
    drop(service);
    web.await.unwrap();
    println!("{}", sessions.len());
    for session in sessions {
        println!("{}", RawJson::of(&session).unwrap());
    }
}

/// Takes the sessions in, and goes on where the first server stopped.
#[tokio::main(flavor = "current_thread")]
async fn second(address: &str) {
    let (mut server, service) = mcp_tokio::http::service(config(), ServerOptions::default());
    let next = || line(&mut std::io::stdin().lock());
    let count = next().parse().unwrap();
    for _ in 0..count {
        let session: SessionSnapshot = RawJson::parse(next()).unwrap().decode().unwrap();
        service.import_session(session).unwrap();
    }
    let request = server.accept().await.unwrap();
    assert_eq!((request.method(), request.is_resumed()), ("tools/call", true));
    let call: CallTool = request.params().unwrap();
    let listener = TcpListener::bind(address).await.unwrap();
    println!("{address}");
    let (_stop, stopped) = watch::channel(false);
    tokio::spawn(serve(listener, service, stopped));
    for step in 6..=8 {
        request.progress(Progress::new(step.into()).of(8.0)).unwrap();
    }
    request.respond(&CallToolResult::text(format!("{} is done", call.name))).unwrap();
    tokio::task::spawn_blocking(next).await.unwrap();
}

async fn serve(
    listener: TcpListener,
    service: mcp_proto::driver::http::Service,
    mut stopped: watch::Receiver<bool>,
) {
    let router = axum::Router::new().route_service("/mcp", service);
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { drop(stopped.changed().await) })
        .await
        .unwrap();
}

// The client.

struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let this = std::env::current_exe().unwrap();
        let mut command = Command::new(this);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn a_session_with_a_call_in_flight_moves_to_another_process(revision: Revision) {
    let mut first = Process::start(&[FIRST]);
    let address = line(&mut first.output);
    let url = format!("http://{address}/mcp");
    let (seen, reports) = mpsc::channel();
    let (done, result) = mpsc::channel();
    let client = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let config = ClientConfig::new("client", "1").revisions(revision);
            let client = mcp_tokio::connect_url(&url, config).await.unwrap();
            let call = client.call(CallTool::new("long")).on_progress(move |report| {
                seen.send(report.progress).unwrap();
            });
            let result = call.await.unwrap();
            done.send(result.content[0].as_text().unwrap().to_owned()).unwrap();
        });
    });
    let patience = Duration::from_secs(60);
    let mut told = vec![reports.recv_timeout(patience).unwrap()];
    writeln!(first.input, "move").unwrap();
    let count = line(&mut first.output);
    assert_eq!(count, "1", "one session moves");
    let session = line(&mut first.output);
    assert!(first.child.wait().unwrap().success());

    let mut second = Process::start(&[SECOND, &address]);
    writeln!(second.input, "{count}\n{session}").unwrap();
    assert_eq!(line(&mut second.output), address);
    let text = result.recv_timeout(patience).unwrap();
    client.join().unwrap();
    told.extend(reports.try_iter());
    assert_eq!(told, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0], "{revision}");
    assert_eq!(text, "long is done");
    writeln!(second.input, "end").unwrap();
    assert!(second.child.wait().unwrap().success());
}
