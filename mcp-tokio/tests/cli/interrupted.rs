//! Runs that somebody ends early.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{scratch, start, wait, written};

#[cfg(unix)]
#[test]
fn ctrl_c_or_term_cancels_the_call_on_the_wire_first() {
    for name in ["-INT", "-TERM"] {
        cancels_first(name);
    }
}

#[cfg(unix)]
fn cancels_first(signal: &str) {
    let record = scratch("interrupt");
    let path = record.to_str().unwrap();
    let mut child = start(&["demo", "--every", "600000", "--json", "--record", path]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("\"progress\"") {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "ended early");
    }
    send(&child, signal);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert_eq!(wait(child).code(), Some(130));
    let last: Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
    assert_eq!((&last["event"], &last["kind"]), (&json!("error"), &json!("cancelled")));
    let written = written(&record);
    let cancels: Vec<_> =
        written.lines().filter(|line| line.contains("notifications/cancelled")).collect();
    assert_eq!(cancels.len(), 1, "{written}");
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_does_not_wait_for_a_server_that_will_not_end() {
    let stubborn = "trap '' TERM; echo started >&2; while :; do sleep 1; done";
    let mut child = start(&["call", "t", "--", "sh", "-c", stubborn]);
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("started"), "{line}");
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        interrupt(&child);
        assert!(began.elapsed() < Duration::from_secs(30), "it never ends");
    }
    // By itself it would take two graces of two seconds to end such a server.
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(wait(child).code(), Some(130));
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_ends_even_a_write_that_nobody_reads() {
    let mut child = start(&["call", "t", "--json", "--", "yes"]);
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0]).unwrap();
    let began = Instant::now();
    while child.try_wait().unwrap().is_none() {
        interrupt(&child);
        assert!(began.elapsed() < Duration::from_secs(30), "it never ends");
    }
    assert_eq!(wait(child).code(), Some(130));
}

#[test]
fn a_reader_that_leaves_ends_the_call_without_a_panic() {
    let mut child = start(&["demo", "--every", "5", "--steps", "100000", "--json"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(wait(child).code(), Some(3), "{stderr}");
    assert!(stderr.contains("nobody reads") && !stderr.contains("panicked"), "{stderr}");
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    send(child, "-INT");
}

#[cfg(unix)]
fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}
