//! The examples that need no runtime, run to their end.
//!
//! The cases start this very binary again, as the server that the example starts as its child.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // outside the engine

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use mcp_proto::role::Client;
use mcp_proto::{
    CallError, CallOptions, CallTool, CallToolResult, ClientConfig, Connection, Event,
    Instant as Now, Timeouts,
};

#[path = "../examples/threads.rs"]
#[allow(dead_code)] // its `main`
mod threads;

#[path = "../examples/threads_server.rs"]
mod threads_server;

#[path = "../examples/mio.rs"]
#[allow(dead_code)] // its `main`
mod one_poll;

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    if filter == "serve" {
        return threads_server::main().unwrap();
    }
    let cases: [(&str, fn()); 5] = [
        ("plain_threads_and_blocking_pipes_are_enough", plain_threads),
        ("a_deadline_passes_though_the_peer_is_silent", silent_peer),
        ("a_deadline_passes_though_the_peer_reads_nothing", deaf_peer),
        ("one_thread_serves_a_hundred_connections", one_thread),
        ("what_one_turn_leaves_unread_is_read_in_the_next", unread),
    ];
    for (name, case) in
        cases.iter().filter(|(name, _)| filter.starts_with('-') || name.contains(&filter))
    {
        case();
        println!("test {name} ... ok");
    }
}

fn myself() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("serve");
    command
}

/// The reports of a call at a server that is started for it, and what became of it.
fn call_at(
    mut command: Command,
    tool: &CallTool,
    patience: Timeouts,
) -> (Vec<f64>, Result<CallToolResult, CallError>) {
    let mut client = Connection::client(ClientConfig::new("c", "1"), Now::ZERO);
    let options = CallOptions::default().tracked().timeouts(patience);
    let ticket = client.request(tool, options, Now::ZERO).unwrap();
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (input, output) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    let (mut reports, mut became) = (Vec::new(), None);
    threads::drive(&mut client, Instant::now(), input, output, |conn, event, now| match event {
        Event::Progress { progress, .. } => reports.push(progress.progress),
        Event::Response { id, outcome } if id == *ticket.id() => {
            became = Some(ticket.decode(outcome));
            conn.close(now);
        }
        _ => {}
    });
    let _ = child.kill();
    child.wait().unwrap();
    (reports, became.unwrap())
}

fn plain_threads() {
    let tool = CallTool::new("resize").argument("pause", 0);
    let (reports, result) = call_at(myself(), &tool, Timeouts::default());
    assert_eq!(result.unwrap().content[0].as_text(), Some("resized 3 images"));
    assert_eq!(reports, [1.0, 2.0, 3.0]);
    let (_, unknown) = call_at(myself(), &CallTool::new("x"), Timeouts::default());
    assert!(unknown.unwrap_err().to_string().ends_with("no such tool (code -32602)"));
}

fn silent_peer() {
    // Its first step takes longer than the client is patient; it hears of that, and leaves.
    let tool = CallTool::new("resize").argument("pause", 60);
    assert_times_out(myself(), &tool);
}

fn deaf_peer() {
    // More than a pipe holds, so the thread that writes is stuck until the child is ended.
    let mut command = Command::new("sleep");
    command.arg("60");
    assert_times_out(command, &CallTool::new("resize").argument("text", "x".repeat(1 << 20)));
}

fn assert_times_out(command: Command, tool: &CallTool) {
    let began = Instant::now();
    let patience = Timeouts::NEVER.idle(Duration::from_millis(300));
    let error = call_at(command, tool, patience).1.unwrap_err();
    assert!(error.to_string().starts_with("timed out: nothing was heard of the call for 300ms"));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

fn one_thread() {
    const CONNECTIONS: usize = 100;
    let listener = mio::net::TcpListener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || one_poll::run(listener, CONNECTIONS).unwrap());
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| Caller::new(address)).collect();
    for _ in 0..10 {
        // All wait before one is heard.
        clients.iter_mut().for_each(Caller::ask);
        for client in &mut clients {
            assert_eq!(client.hear(), [1.0, 2.0, 3.0], "and then the result");
        }
    }
    drop(clients);
    serving.join().unwrap();
}

/// The loop is told once of all that a socket has, and reads it in several turns.
fn unread() {
    let listener = mio::net::TcpListener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let mut client = Caller::new(listener.local_addr().unwrap());
    // All of it is there before the server begins, and is more than one turn takes.
    client.stream.write_all(&[b'\n'; 60 << 10]).unwrap();
    client.ask();
    client.stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let serving = thread::spawn(move || one_poll::run(listener, 1).unwrap());
    assert_eq!(client.hear(), [1.0, 2.0, 3.0]);
    drop(client);
    serving.join().unwrap();
}

/// A client on a socket that blocks.
struct Caller {
    conn: Connection<Client>,
    stream: TcpStream,
}

impl Caller {
    fn new(address: SocketAddr) -> Self {
        let conn = Connection::client(ClientConfig::new("c", "1"), Now::ZERO);
        Self { conn, stream: TcpStream::connect(address).unwrap() }
    }

    fn ask(&mut self) {
        let options = CallOptions::default().tracked();
        let _ = self.conn.request(&CallTool::new("resize"), options, Now::ZERO).unwrap();
        self.write();
    }

    fn write(&mut self) {
        while let Some(bytes) = self.conn.poll_transmit() {
            let written = self.stream.write(bytes).unwrap();
            self.conn.advance_transmit(written);
        }
    }

    /// The reports until the result.
    fn hear(&mut self) -> Vec<f64> {
        let (mut reports, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            while let Some(event) = self.conn.poll_event() {
                match event {
                    Event::Progress { progress, .. } => reports.push(progress.progress),
                    Event::Response { outcome, .. } => {
                        outcome.unwrap();
                        return reports;
                    }
                    _ => {}
                }
            }
            self.write();
            let length = self.stream.read(&mut buffer).unwrap();
            assert_ne!(length, 0, "the server has left");
            self.conn.handle_input(&buffer[..length], Now::ZERO);
        }
    }
}
