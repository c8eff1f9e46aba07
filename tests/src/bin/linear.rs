//! Inputs that cost other engines quadratic time, each in two sizes: `tests/linear/run` counts the instructions
//! of both under callgrind, and the doubled one may cost 2.3 times as much.
//!
//! Only what `measured` calls is counted; what is fed is made before.

use std::hint::black_box;
use std::time::Duration;

use mcp_proto::progress::Weight;
use mcp_proto::role::{Client, Role, Server};
use mcp_proto::{
    CallOptions, ClientConfig, Connection, Event, Instant, Limits, Progress, RequestId, Revision,
    ServerConfig, Timeouts,
};
use mcp_tests::{handshake, progress, result, secs, tool_call, welcome, work};

/// A case: its name, its size, and what it does so many times over.
type Case = (&'static str, usize, fn(usize));

const CASES: [Case; 23] = [
    ("deep-nesting", 20_000, deep_nesting),
    ("many-keys", 2_000, many_keys),
    ("many-escapes", 20_000, many_escapes),
    ("one-byte-chunks", 10_000, one_byte_chunks),
    ("string-in-chunks", 400, string_in_chunks),
    ("line-without-end", 400, line_without_end),
    ("many-small-lines", 5_000, many_small_lines),
    ("flood-before-a-timeout", 5_000, flood_before_a_timeout),
    ("blank-lines", 20_000, blank_lines),
    ("unknown-tokens", 2_000, unknown_tokens),
    ("request-and-cancel", 1_000, request_and_cancel),
    ("requests-at-once", 1_000, requests_at_once),
    ("answers-one-by-one", 1_000, answers_one_by_one),
    ("one-batch", 1_000, one_batch),
    ("many-batches", 500, many_batches),
    ("reports-unread", 1_000, reports_unread),
    ("timers-due-at-once", 2_000, timers_due_at_once),
    ("deadlines-re-armed", 500, deadlines_rearmed),
    ("revocations", 2_000, revocations),
    ("held-and-cancelled", 8_000, held_and_cancelled),
    ("late-answers", 2_000, late_answers),
    ("answers-in-reverse", 2_000, answers_in_reverse),
    ("huge-number", 20_000, huge_number),
];

/// What a case would look like that is not linear: it must be caught.
const PLANTED: Case = ("planted", 500, planted);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["list"] => CASES.iter().for_each(|(name, size, _)| println!("{name} {size}")),
        ["run", name, size] => {
            let case = CASES.iter().chain([&PLANTED]).find(|(known, ..)| *known == name);
            let size = size.parse().expect("a number");
            (case.expect("a case; see `linear list`").2)(size);
        }
        _ => {
            eprintln!("usage: linear list | run CASE SIZE");
            std::process::exit(2);
        }
    }
}

/// The region that is counted.
#[inline(never)]
fn measured(work: impl FnOnce()) {
    work();
}

/// No limit that a case could run into: it is the time that is bounded here.
fn unlimited() -> Limits {
    let mut limits = Limits::default();
    limits.max_message_len = 64 << 20;
    limits.max_calls = usize::MAX;
    limits.max_requests = usize::MAX;
    limits.max_batch_len = usize::MAX;
    limits.max_outbox_len = usize::MAX >> 1;
    limits.max_output_len = usize::MAX >> 1;
    limits.max_error_answers = u32::MAX;
    limits
}

fn server() -> Connection<Server> {
    server_of(Revision::LATEST_LEGACY)
}

fn server_of(revision: Revision) -> Connection<Server> {
    let mut server = Connection::server(ServerConfig::new("s", "1").limits(unlimited()));
    server.handle_input(handshake(revision).as_bytes(), Instant::ZERO);
    while server.poll_event().is_some() {}
    drain(&mut server);
    server
}

fn client() -> Connection<Client> {
    let revision = Revision::LATEST_LEGACY;
    let config = ClientConfig::new("c", "1").revisions(revision).limits(unlimited());
    let mut client = Connection::client(config, Instant::ZERO);
    client.handle_input(welcome(revision).as_bytes(), Instant::ZERO);
    while client.poll_event().is_some() {}
    drain(&mut client);
    client
}

fn drain<R: Role>(end: &mut Connection<R>) {
    while let Some(length) = end.poll_transmit().map(<[u8]>::len) {
        end.advance_transmit(length);
    }
}

fn feed<R: Role>(end: &mut Connection<R>, input: &str) {
    end.handle_input(input.as_bytes(), Instant::ZERO);
}

/// Polls every event. How many there were.
fn events<R: Role>(end: &mut Connection<R>) -> usize {
    std::iter::from_fn(|| end.poll_event()).map(black_box).count()
}

/// So many calls, which have left.
fn calls(client: &mut Connection<Client>, count: usize, timeouts: Timeouts) -> Vec<RequestId> {
    let options = || CallOptions::default().tracked().timeouts(timeouts);
    let call = |_| client.request(&work(), options(), Instant::ZERO).unwrap().id().clone();
    let ids = (0..count).map(call).collect();
    drain(client);
    ids
}

fn request_with(value: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x/y\",\"params\":{{\"v\":{value}}}}}\n")
}

fn deep_nesting(n: usize) {
    let mut server = server();
    let line = request_with(&format!("{}{}", "[".repeat(n), "]".repeat(n)));
    measured(|| {
        feed(&mut server, &line);
        assert_eq!(events(&mut server), 1);
    });
}

fn many_keys(n: usize) {
    let mut server = server();
    let keys: String = (0..n).map(|n| format!("\"key{n}\":{n},")).collect();
    let line = format!(
        "{{{keys}\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x/y\",\"params\":{{{keys}\"_meta\":{{\
         {keys}\"progressToken\":1}}}}}}\n"
    );
    measured(|| {
        feed(&mut server, &line);
        let Some(Event::Request { params: Some(params), .. }) = server.poll_event() else {
            panic!()
        };
        let all: std::collections::BTreeMap<String, mcp_proto::RawJson> = params.decode().unwrap();
        assert_eq!(all.len(), n + 1);
        assert_eq!(params.as_raw().members().count(), n + 1);
    });
}

fn many_escapes(n: usize) {
    let mut client = client();
    let id = calls(&mut client, 1, Timeouts::NEVER).remove(0);
    let text = "\\u0041\\\"\\ud83d\\ude00".repeat(n);
    let lines = format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":{id},\
         \"progress\":1,\"message\":\"{text}\"}}}}\n{}",
        request_with(&format!("\"{text}\""))
    );
    measured(|| {
        feed(&mut client, &lines);
        let Some(Event::Progress { progress, .. }) = client.poll_event() else { panic!() };
        assert_eq!(progress.message.unwrap().len(), 6 * n);
        let Some(Event::Request { params: Some(params), .. }) = client.poll_event() else {
            panic!()
        };
        assert_eq!(params.get("v").unwrap().decode_owned::<String>().unwrap().len(), 6 * n);
    });
}

fn one_byte_chunks(n: usize) {
    let mut server = server();
    let line = request_with(&format!("\"{}\"", "x".repeat(n)));
    measured(|| {
        let told: usize = line
            .as_bytes()
            .iter()
            .map(|byte| {
                server.handle_input(&[*byte], Instant::ZERO);
                events(&mut server)
            })
            .sum();
        assert_eq!(told, 1);
    });
}

fn string_in_chunks(n: usize) {
    let mut server = server();
    let line = request_with(&format!("\"{}\"", "x".repeat(n << 10)));
    measured(|| {
        let told: usize = line
            .as_bytes()
            .chunks(1 << 10)
            .map(|chunk| {
                server.handle_input(chunk, Instant::ZERO);
                events(&mut server)
            })
            .sum();
        assert_eq!(told, 1);
    });
}

fn line_without_end(n: usize) {
    let mut limits = Limits::default();
    limits.max_message_len = 100 << 10;
    let mut server = Connection::server(ServerConfig::new("s", "1").limits(limits));
    let chunk = "x".repeat(1 << 10);
    measured(|| {
        // It is told as soon as it is known, and once.
        let mut told = 0;
        for _ in 0..n {
            feed(&mut server, &chunk);
            told += events(&mut server);
        }
        feed(&mut server, "\n");
        assert_eq!((told, events(&mut server)), (1, 0));
    });
}

fn many_small_lines(n: usize) {
    let mut client = client();
    let id = calls(&mut client, 1, Timeouts::NEVER).remove(0).to_string();
    let lines: String = (0..n).map(|n| progress(&id, &n.to_string())).collect();
    measured(|| {
        feed(&mut client, &lines);
        assert_eq!(events(&mut client), n);
    });
}

fn flood_before_a_timeout(n: usize) {
    let mut server = server();
    let lines = "0\n".repeat(n);
    measured(|| {
        feed(&mut server, &lines);
        // Only so many violations are told at one time; all lines are read.
        let mut told = 0;
        loop {
            server.handle_timeout(Instant::ZERO);
            match events(&mut server) {
                0 => break,
                more => told += more,
            }
        }
        assert!((1..=n).contains(&told) && server.wants_input());
    });
}

fn blank_lines(n: usize) {
    let mut server = server();
    let lines = "\n \t\r\n".repeat(n);
    measured(|| {
        feed(&mut server, &lines);
        assert_eq!(events(&mut server), 0);
    });
}

fn unknown_tokens(n: usize) {
    let mut client = client();
    calls(&mut client, n, Timeouts::NEVER);
    let lines: String = (0..n).map(|n| progress(&format!("\"no{n}\""), "1")).collect();
    measured(|| {
        feed(&mut client, &lines);
        assert!((1..=n).contains(&events(&mut client)));
    });
}

/// Rapid reset, by a peer that reads nothing of what it caused.
fn request_and_cancel(n: usize) {
    let mut server = server();
    let lines: Vec<String> = (0..n)
        .map(|n| {
            let cancel = format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{n}}}}}\n"
            );
            tool_call(&n.to_string(), Some(&n.to_string())) + &cancel
        })
        .collect();
    measured(|| {
        for line in &lines {
            feed(&mut server, line);
            let Some(Event::Request { id, .. }) = server.poll_event() else { panic!() };
            server.report(&id, Progress::new(1.0), Weight::Ordinary, Instant::ZERO).unwrap();
            assert_eq!(events(&mut server), 1);
            server.abandon(&id, Instant::ZERO);
        }
        drain(&mut server);
    });
}

fn requests_at_once(n: usize) {
    let mut server = server();
    let lines: String = (0..n).map(|n| tool_call(&n.to_string(), None)).collect();
    measured(|| {
        feed(&mut server, &lines);
        assert_eq!(events(&mut server), n);
        for n in 0..n {
            server.abandon(&(n as i64).into(), Instant::ZERO);
        }
        drain(&mut server);
    });
}

/// Each leaves by itself, while all others are still worked on.
fn answers_one_by_one(n: usize) {
    let mut server = server();
    let token = |n: usize| tool_call(&n.to_string(), Some(&n.to_string()));
    feed(&mut server, &(0..n).map(token).collect::<String>());
    assert_eq!(events(&mut server), n);
    measured(|| {
        for n in 0..n {
            server.abandon(&(n as i64).into(), Instant::ZERO);
            drain(&mut server);
        }
    });
}

fn one_batch(n: usize) {
    let mut server = server_of(Revision::V2025_03_26);
    let ping = |n| format!("{{\"jsonrpc\":\"2.0\",\"id\":\"p{n}\",\"method\":\"ping\"}}");
    let members: Vec<String> =
        (0..n).map(|n| tool_call(&n.to_string(), None).replace('\n', ",") + &ping(n)).collect();
    let line = format!("[{}]\n", members.join(","));
    measured(|| {
        feed(&mut server, &line);
        assert_eq!(events(&mut server), n);
        (0..n).for_each(|n| server.abandon(&(n as i64).into(), Instant::ZERO));
        drain(&mut server);
    });
}

/// Batches of which each waits for one of its two answers.
fn many_batches(n: usize) {
    let mut server = server_of(Revision::V2025_03_26);
    let ping = |n| format!("{{\"jsonrpc\":\"2.0\",\"id\":\"p{n}\",\"method\":\"ping\"}}");
    let batch = |n: usize| format!("[{},{}]\n", tool_call(&n.to_string(), None).trim(), ping(n));
    let lines: String = (0..n).map(batch).collect();
    measured(|| {
        feed(&mut server, &lines);
        assert_eq!(events(&mut server), n);
        (0..n).for_each(|n| server.abandon(&(n as i64).into(), Instant::ZERO));
        drain(&mut server);
    });
}

/// Reports of one request, while nobody reads the first of them.
fn reports_unread(n: usize) {
    let mut server = server();
    feed(&mut server, &tool_call("1", Some("1")));
    assert_eq!(events(&mut server), 1);
    measured(|| {
        for n in 0..n {
            let report = Progress::new(n as f64).message(format!("{n}"));
            server.report(&1.into(), report, Weight::Milestone, Instant::ZERO).unwrap();
        }
        server.abandon(&1.into(), Instant::ZERO);
        drain(&mut server);
    });
}

fn timers_due_at_once(n: usize) {
    let mut client = client();
    calls(&mut client, n, Timeouts::NEVER.total(secs(1)));
    measured(|| {
        client.handle_timeout(Instant::from(secs(1)));
        assert_eq!(events(&mut client), n);
        drain(&mut client);
    });
}

fn deadlines_rearmed(n: usize) {
    let mut client = client();
    let ids = calls(&mut client, n, Timeouts::NEVER.idle(secs(1)));
    let lines: Vec<String> = ids.iter().map(|id| progress(&id.to_string(), "1")).collect();
    let later = ids.iter().map(|id| progress(&id.to_string(), "2"));
    let lines: Vec<String> = lines.into_iter().chain(later).collect();
    measured(|| {
        for (at, line) in lines.iter().enumerate() {
            let now = Instant::from(Duration::from_micros(at as u64));
            client.handle_input(line.as_bytes(), now);
            assert_eq!(events(&mut client), 1);
            client.handle_timeout(now);
        }
    });
}

fn revocations(n: usize) {
    let mut client = client();
    let ids: Vec<RequestId> = (0..n)
        .map(|_| {
            let call = client.request(&work(), CallOptions::default(), Instant::ZERO);
            call.unwrap().id().clone()
        })
        .collect();
    measured(|| {
        // Every other one, so that what is left is in pieces.
        for id in ids.iter().rev().step_by(2) {
            client.cancel(id, None, Instant::ZERO);
        }
        assert_eq!(events(&mut client), n.div_ceil(2));
        drain(&mut client);
    });
}

fn held_and_cancelled(n: usize) {
    let config = ClientConfig::new("c", "1").limits(unlimited());
    let mut client = Connection::client(config, Instant::ZERO);
    let ids = calls(&mut client, n, Timeouts::NEVER);
    measured(|| {
        for id in ids.iter().rev() {
            client.cancel(id, None, Instant::ZERO);
        }
        assert_eq!(events(&mut client), n);
    });
}

fn late_answers(n: usize) {
    let mut client = client();
    let ids = calls(&mut client, 2 * n, Timeouts::default());
    let (gone, _) = ids.split_at(n);
    for id in gone {
        client.cancel(id, None, Instant::ZERO);
    }
    assert_eq!(events(&mut client), n);
    let lines: String = gone.iter().map(result).collect();
    measured(|| {
        feed(&mut client, &lines);
        assert!((1..=n).contains(&events(&mut client)));
    });
}

fn answers_in_reverse(n: usize) {
    let mut client = client();
    let ids = calls(&mut client, n, Timeouts::default());
    let lines: String = ids.iter().rev().map(result).collect();
    measured(|| {
        feed(&mut client, &lines);
        assert_eq!(events(&mut client), n);
    });
}

fn huge_number(n: usize) {
    let mut server = server();
    let number = "1234567890".repeat(n) + "." + &"1234567890".repeat(n) + "e-400";
    let id = "1".repeat(n);
    let lines = request_with(&number) + &tool_call(&id, None) + &tool_call("2", Some(&id));
    measured(|| {
        feed(&mut server, &lines);
        let Some(Event::Request { params: Some(params), .. }) = server.poll_event() else {
            panic!()
        };
        black_box(params.get("v").unwrap().as_f64());
        assert_eq!(events(&mut server), 3);
    });
}

/// Looks for each of many lines from the first byte again.
fn planted(n: usize) {
    let text = "line\n".repeat(n);
    measured(|| {
        for n in 0..n {
            assert!(black_box(&text).lines().nth(n).is_some());
        }
    });
}
