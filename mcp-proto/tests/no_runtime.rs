//! The examples that need no runtime, run to their end.
//!
//! The cases start this very binary again, as the server that the example starts as its child.
#![allow(clippy::unwrap_used, clippy::panic)]
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // outside the engine

use std::process::Command;
use std::time::{Duration, Instant};

use mcp_proto::{CallTool, Timeouts};

#[path = "../examples/threads/main.rs"]
#[allow(dead_code)] // its `main`
mod threads;

#[path = "../examples/mio/main.rs"]
#[allow(dead_code)] // its `main`
mod one_poll;

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    if filter == "serve" {
        return threads::server::serve().unwrap();
    }
    let cases: [(&str, fn()); 4] = [
        ("plain_threads_and_blocking_pipes_are_enough", plain_threads),
        ("a_deadline_passes_though_the_peer_is_silent", silent_peer),
        ("a_deadline_passes_though_the_peer_reads_nothing", deaf_peer),
        ("one_thread_serves_a_hundred_connections", one_thread),
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

fn plain_threads() {
    let mut bar = Vec::new();
    let tool = CallTool::new("resize").argument("pause", 0);
    let text = threads::call_at(myself(), &tool, Timeouts::default(), &mut bar).unwrap();
    assert_eq!(text, "resized 3 images");
    assert_eq!(
        String::from_utf8(bar).unwrap(),
        "\r[########                ] 1 a.png\r[################        ] 2 b.png\r[########################] 3 c.png\n"
    );
    let unknown =
        threads::call_at(myself(), &CallTool::new("x"), Timeouts::default(), &mut Vec::new());
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
    let error = threads::call_at(command, tool, patience, &mut Vec::new()).unwrap_err();
    assert!(error.to_string().starts_with("timed out: nothing was heard of the call for 300ms"));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

fn one_thread() {
    let mut out = Vec::new();
    one_poll::run(100, 10, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "100 connections, 3000 reports, 1000 results\n");
}
