//! Tries the board over its serial line: what it answers, and how much of its heap it needs for that.
//!
//! `cargo build && cargo run`. Ends with a panic if something is not as it should be.

mod port;

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use mcp_proto::role::Client;
use mcp_proto::types::{ListTools, ListToolsResult};
use mcp_proto::{
    CallError, CallOptions, CallTool, CallToolResult, ClientConfig, Connection, Event, Instant,
    Request, Revision, Timeouts, Violation,
};
use port::Port;

/// Gives the peak heap of a board.
type Case = fn() -> usize;

/// What it may need of its 64 KiB.
const ALLOWED: usize = 24 << 10;

fn main() {
    let cases: [(&str, Case); 5] = [
        ("blinks for a client of 2026-07-28", || blinks(Revision::V2026_07_28)),
        ("blinks for a client of 2025-11-25", || blinks(Revision::V2025_11_25)),
        ("blinks for a client of 2024-11-05", || blinks(Revision::V2024_11_05)),
        ("stops when it is told to", stops),
        ("serves on after what is no message", serves_on),
    ];
    for (name, case) in cases {
        let peak = case();
        println!("{name}: peak heap {peak} of {} bytes", 64 << 10);
        assert!(peak <= ALLOWED, "more than {ALLOWED} bytes");
    }
}

/// The board, switched on.
fn board() -> Child {
    let path = std::env::current_exe().unwrap().with_file_name("board");
    let mut command = Command::new(path);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the board is built by `cargo build`")
}

/// Its peak heap, once it has ended well.
fn peak_of(mut board: Child) -> usize {
    let mut said = String::new();
    board.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(board.wait().unwrap().success(), "{said}");
    let peak =
        said.strip_prefix("peak heap: ").and_then(|said| said.strip_suffix(" of 65536 bytes\n"));
    peak.unwrap().parse().unwrap()
}

fn client(revision: Revision, board: &mut Child) -> Arc<Port<Client>> {
    let config = ClientConfig::new("peer", "1.0").revisions(revision);
    let conn = Connection::client(config, Instant::ZERO);
    Port::open(conn, board.stdout.take().unwrap(), board.stdin.take().unwrap()).0
}

/// The outcome of a call and its reports; each is seen by `on_report`.
fn ask<Q: Request<Sender = Client>>(
    client: &Port<Client>,
    question: &Q,
    mut on_report: impl FnMut(f64),
) -> Result<Q::Output, CallError> {
    let limit = Timeouts::NEVER.total(Duration::from_secs(60));
    let options = CallOptions::default().tracked().timeouts(limit);
    let ticket = client.with(|conn, now| conn.request(question, options, now))?;
    loop {
        match client.next() {
            Event::Progress { id, progress } if id == *ticket.id() => on_report(progress.progress),
            Event::Response { id, outcome } if id == *ticket.id() => return ticket.decode(outcome),
            Event::Ready(_) => {}
            event => panic!("{event:?}"),
        }
    }
}

fn blink(times: u32) -> CallTool {
    CallTool::new("blink").argument("times", times).argument("every_ms", 1)
}

fn text(result: &CallToolResult) -> Option<&str> {
    result.content.first()?.as_text()
}

/// Lists its tool and lets it blink, more than once: what one call takes is given back after it.
fn blinks(revision: Revision) -> usize {
    let mut board = board();
    let client = client(revision, &mut board);
    let ListToolsResult { tools, .. } = ask(&client, &ListTools::new(), |_| ()).unwrap();
    assert_eq!(tools[0].name, "blink");
    for _ in 0..100 {
        let mut reports = Vec::new();
        let result = ask(&client, &blink(5), |report| reports.push(report)).unwrap();
        assert_eq!(
            (text(&result), reports),
            (Some("blinked 5 times"), vec![1.0, 2.0, 3.0, 4.0, 5.0])
        );
    }
    let unknown = ask(&client, &CallTool::new("beep"), |_| ());
    assert!(matches!(unknown, Err(CallError::Peer(error)) if error.code == -32602));
    client.with(|conn, now| conn.close(now));
    peak_of(board)
}

/// A call that would take an hour is given up after its third report; the board is free for the next one.
fn stops() -> usize {
    let mut board = board();
    let client = client(Revision::V2026_07_28, &mut board);
    let limit = Timeouts::NEVER.total(Duration::from_secs(60));
    let options = CallOptions::default().tracked().timeouts(limit);
    for _ in 0..10 {
        let ticket =
            client.with(|conn, now| conn.request(&blink(3_600_000), options.clone(), now)).unwrap();
        loop {
            match client.next() {
                Event::Progress { progress, .. } if progress.progress == 3.0 => {
                    client.with(|conn, now| conn.cancel(ticket.id(), Some("enough"), now));
                }
                Event::Response { outcome, .. } => {
                    assert_eq!(outcome, Err(CallError::Cancelled));
                    break;
                }
                Event::Progress { .. } | Event::Ready(_) => {}
                // It crossed the cancellation of the call before.
                Event::Violation(Violation::LateProgress(_)) => {}
                event => panic!("{event:?}"),
            }
        }
    }
    // A report that was on its way when its call was given up is late, and of no interest.
    let ticket = client.with(|conn, now| conn.request(&blink(2), options, now)).unwrap();
    let result = loop {
        if let Event::Response { outcome, .. } = client.next() {
            break ticket.decode(outcome).unwrap();
        }
    };
    assert_eq!(text(&result), Some("blinked 2 times"));
    client.with(|conn, now| conn.close(now));
    peak_of(board)
}

/// Noise on the line, a line longer than the heap, too many calls at once: each is dealt with, and then comes a call.
fn serves_on() -> usize {
    let meta = r#""_meta":{"progressToken":"led","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let call = |id: u32| {
        format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"blink","arguments":{{"times":2,"every_ms":1}},{meta}}}}}"#
        )
    };
    let mut said = String::from("\0\u{7f}~~~ noise {\n");
    said += &format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{}\"}}\n", "x".repeat(100 << 10));
    said += &format!("{}\n", "[".repeat(3000));
    for id in 10..20 {
        said += &(call(id) + "\n");
    }
    let mut board = board();
    let mut heard = String::new();
    let mut line = board.stdin.take().unwrap();
    let writer = std::thread::spawn(move || line.write_all(said.as_bytes()));
    board.stdout.take().unwrap().read_to_string(&mut heard).unwrap();
    writer.join().unwrap().unwrap();
    let lines: Vec<&str> = heard.lines().collect();
    let count = |part: &str| lines.iter().filter(|line| line.contains(part)).count();
    // Three that cannot be read, and those of ten calls that are more than four at once.
    assert_eq!(count("-32700") + count("-32600"), 3, "{heard}");
    let (blinked, refused) = (count("blinked 2 times"), count("-32603"));
    assert!(blinked >= 4 && blinked + refused == 10, "{heard}");
    assert_eq!(count(r#""progressToken":"led","progress":1,"total":2"#), blinked, "{heard}");
    peak_of(board)
}
