//! A machine that was written down and read again goes on as the one before, at every step of every conversation that the
//! tests know.

mod busy;
mod rules;

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mcp_proto::progress::Weight;
use mcp_proto::role::{Client, Role, Server};
use mcp_proto::snapshot::{ConnectionSnapshot, InFlight, RestoreError};
use mcp_proto::testing::recording::Recording;
use mcp_proto::testing::{exhaust, take_output, transcript};
use mcp_proto::{
    CallOptions, CallTool, CallToolResult, ClientConfig, Connection, Endpoint, Event, Instant,
    Progress, Request, Revision, Timeouts,
};
use mcp_tests::form::assert_form;
use mcp_tests::hostile;

use crate::busy::{busy_client, busy_server, client_config, limits, new_client, server_config};

fn by_serde_json(snapshot: ConnectionSnapshot) -> ConnectionSnapshot {
    serde_json::from_str(&serde_json::to_string(&snapshot).unwrap()).unwrap()
}

/// Through a tree, which sorts members by name and knows numbers only as they are written.
fn by_value(snapshot: ConnectionSnapshot) -> ConnectionSnapshot {
    serde_json::from_value(serde_json::to_value(&snapshot).unwrap()).unwrap()
}

/// A format that does not say what it holds.
fn by_postcard(snapshot: ConnectionSnapshot) -> ConnectionSnapshot {
    postcard::from_bytes(&postcard::to_allocvec(&snapshot).unwrap()).unwrap()
}

type Format = (&'static str, fn(ConnectionSnapshot) -> ConnectionSnapshot);

const FORMATS: [Format; 4] = [
    ("the engine's own JSON", mcp_proto::testing::as_json),
    ("serde_json", by_serde_json),
    ("serde_json::Value", by_value),
    ("postcard", by_postcard),
];

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    files.sort();
    files
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_transcript_happens_as_written_by_machines_restored_after_each_line() {
    let (mut played, mut faults) = (0, String::new());
    for revision in Revision::ALL {
        for file in files(&root().join("transcripts").join(revision.as_str()), "txt") {
            let text = fs::read_to_string(&file).unwrap();
            for (format, mut carry) in FORMATS {
                played += 1;
                if let Err(mismatch) = transcript::play_restored(&text, &mut carry) {
                    writeln!(faults, "{}, {format}:\n  {mismatch}", file.display()).unwrap();
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults}");
    assert!(played >= 120, "only {played} were played");
}

#[test]
fn every_recording_replays_to_its_events_by_machines_restored_after_each_chunk() {
    let recordings = files(&root().join("data/recordings"), "jsonl");
    assert!(recordings.len() >= 10, "only {} recordings were found", recordings.len());
    for path in recordings {
        let recording = Recording::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        let told = recording.replay(recording.config()).unwrap();
        for (format, mut carry) in FORMATS {
            let pieces = recording.chopped(100);
            let again = pieces.replay_restored(recording.config(), &mut carry);
            assert_eq!(again.as_ref(), Ok(&told), "{}, {format}", path.display());
        }
    }
}

/// Two endpoints talk, message by message; what is said and told, in words. `replaces`: before each message both are replaced
/// by what their snapshots become, at another time.
fn conversation(revision: Revision, replaces: bool) -> Vec<String> {
    let (mut now, mut words) = (Instant::ZERO, Vec::new());
    let config = || ClientConfig::new("c", "1").revisions(revision);
    let served = || server_config();
    let (mut client, mut server) = (Endpoint::client(config(), now), Endpoint::server(served()));
    let timed = Timeouts::default().idle(Duration::from_secs(20));
    let options = CallOptions::default().tracked().timeouts(timed);
    let _ticket = client.request(&CallTool::new("a"), options, now).unwrap();
    let mut asked = None;
    for step in 0..60_u32 {
        if replaces {
            let then = now + Duration::from_secs(1_000_000);
            client = Endpoint::<Client>::restore(client.snapshot(now), config(), then).unwrap();
            server = Endpoint::<Server>::restore(server.snapshot(now), served(), then).unwrap();
            now = then;
        }
        now = now + Duration::from_millis(500);
        client.handle_timeout(now);
        server.handle_timeout(now);
        while let Some(event) = client.poll_event() {
            words.push(format!("{step} client: {event:?}"));
        }
        while let Some(event) = server.poll_event() {
            words.push(format!("{step} server: {event:?}"));
            if let Event::Request { id, .. } = event {
                asked = Some(id);
            }
        }
        if let Some(id) = asked.as_ref().filter(|_| step >= 10) {
            let report = Progress::new(f64::from(step)).message("some");
            match step {
                10..30 => server.report(id, report, Weight::Ordinary, now).unwrap(),
                30 => server.respond(id, &CallToolResult::text("done"), now).unwrap(),
                _ => {}
            }
        }
        if let Some(sent) = client.poll_transmit() {
            words.push(format!("{step} > {}", String::from_utf8_lossy(&sent.message)));
            server.handle_message(sent.message, now);
        } else if let Some(sent) = server.poll_transmit() {
            words.push(format!("{step} < {}", String::from_utf8_lossy(&sent.message)));
            client.handle_message(sent.message, now);
        }
    }
    words
}

#[test]
fn endpoints_restored_before_each_message_say_and_tell_the_same() {
    for revision in Revision::ALL {
        let words = conversation(revision, false);
        let count = |part: &str| words.iter().filter(|line| line.contains(part)).count();
        assert!(count("client: Progress") >= 2 && count("client: Response") == 1, "{words:#?}");
        assert_eq!(conversation(revision, true), words, "{revision}");
    }
}

// Hostile snapshots.

/// Every change of a value, and of every byte of a binary form.
fn attack<R: Role>(
    (machine, now): (Connection<R>, Instant),
    restore: impl Fn(ConnectionSnapshot) -> Result<Connection<R>, RestoreError>,
) {
    let snapshot = machine.snapshot(now);
    exhaust(restore(snapshot.clone()).unwrap(), Instant::ZERO, "as it was");
    let (mut taken, mut refused) = (0, 0);
    let mut attempt = |what: &str, snapshot: Option<ConnectionSnapshot>| {
        match snapshot.map(&restore) {
            Some(Ok(machine)) => {
                println!("{what}"); // shown if it fails
                exhaust(machine, Instant::ZERO, what);
                taken += 1;
            }
            Some(Err(error)) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
            None => refused += 1,
        }
    };
    let tree = serde_json::to_value(&snapshot).unwrap();
    hostile::each_change(&tree, |what, changed| {
        attempt(what, serde_json::from_value(changed).ok());
    });
    let text = serde_json::to_string(&snapshot).unwrap();
    for length in 0..text.len() {
        assert!(serde_json::from_str::<ConnectionSnapshot>(&text[..length]).is_err());
    }
    let bytes = postcard::to_allocvec(&snapshot).unwrap();
    for at in 0..bytes.len() {
        assert!(postcard::from_bytes::<ConnectionSnapshot>(&bytes[..at]).is_err());
        for other in [0, 1, 0x7F, 0x80, 0xFF, bytes[at] ^ 1, bytes[at].wrapping_add(2)] {
            let mut changed = bytes.clone();
            changed[at] = other;
            attempt(&format!("byte {at} is {other}"), postcard::from_bytes(&changed).ok());
        }
    }
    println!("{taken} taken, {refused} refused");
    assert!(taken > 300 && refused > 1_000, "{taken} taken, {refused} refused");
}

#[test]
fn whatever_is_changed_in_a_snapshot_it_is_refused_or_makes_a_sound_machine() {
    let server = |it| Connection::<Server>::restore(it, server_config(), Instant::ZERO);
    let client = |it| Connection::<Client>::restore(it, client_config(), Instant::ZERO);
    attack(busy_server(), server);
    attack(new_client(), client);
    attack(busy_client(), client);
}

#[test]
fn a_connection_is_written_down_in_the_form_of_its_version() {
    let text = |snapshot: ConnectionSnapshot| serde_json::to_string(&snapshot).unwrap();
    let ((server, then), (new, now), (client, later)) =
        (busy_server(), new_client(), busy_client());
    let servers = [text(server.snapshot(then))];
    assert_form("server", servers.iter().map(String::as_str));
    let clients = [text(new.snapshot(now)), text(client.snapshot(later))];
    assert_form("client", clients.iter().map(String::as_str));
}

#[test]
fn what_is_no_snapshot_of_this_machine_is_refused_with_its_reason() {
    let (server, now) = busy_server();
    let snapshot = server.snapshot(now);
    let refused = |it| Connection::<Client>::restore(it, client_config(), now).unwrap_err();
    assert_eq!(refused(snapshot.clone()), RestoreError::Role);

    let mut tree = serde_json::to_value(&snapshot).unwrap();
    tree["format"] = 2.into();
    tree["more"] = "of a later version".into();
    let later: ConnectionSnapshot = serde_json::from_value(tree.clone()).unwrap();
    assert_eq!(refused(later), RestoreError::Version { found: 2 });
    let mut bytes = postcard::to_allocvec(&snapshot).unwrap();
    bytes[0] = 3;
    let later = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(refused(later), RestoreError::Version { found: 3 });

    let endpoint = serde_json::to_value(Endpoint::server(server_config()).snapshot(now)).unwrap();
    let other: ConnectionSnapshot = serde_json::from_value(endpoint).unwrap();
    let found = "endpoint".to_owned();
    assert_eq!(refused(other), RestoreError::Machine { found });

    let with = |config| Connection::<Server>::restore(snapshot.clone(), config, now).unwrap_err();
    let modern = server_config().revisions(Revision::V2026_07_28);
    assert_eq!(with(modern), RestoreError::Config("the revision of the session"));
    let mut small = limits();
    small.max_requests = 1;
    assert_eq!(with(server_config().limits(small)), RestoreError::Limit("requests in flight"));
}

#[test]
fn who_goes_on_is_told_what_is_in_flight() {
    let (server, now) = busy_server();
    let restored =
        Connection::<Server>::restore(by_postcard(server.snapshot(now)), server_config(), now);
    let mut server = restored.unwrap();
    let asked = |request: InFlight<'_>| {
        let asked = request.asked.unwrap();
        let name =
            asked.params.as_ref().unwrap().get("name").unwrap().as_str().unwrap().into_owned();
        (request.id.to_string(), name, request.token.is_some(), request.is_cancelled)
    };
    let found: Vec<_> = server.in_flight().map(asked).collect();
    let expected = [("1", "a", true, false), ("3", "c", false, true)]
        .map(|(id, name, token, cancelled)| (id.into(), name.into(), token, cancelled));
    assert_eq!(found, expected, "the other was answered, and its answer waits for its batch");
    assert!(server.ticket::<ListRoots>(&1.into()).is_some());
    assert!(server.ticket::<ListRoots>(&2.into()).is_none());
    server.respond(&1.into(), &CallToolResult::text("a"), now).unwrap();
    let written = String::from_utf8(take_output(&mut server)).unwrap();
    let last = written.lines().last().unwrap();
    assert!(
        last.starts_with("[{") && last.contains(r#""id":"two""#) && last.contains(r#""id":1"#),
        "{written}"
    );

    // Of what is longer than one message may be in all, nothing is kept.
    let mut config = server_config();
    config.limits.max_message_len = 400;
    let mut server = Connection::server(config);
    for id in 0..3 {
        let line = format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{}","_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#,
            "x".repeat(30)
        );
        server.handle_input(format!("{line}\n").as_bytes(), now);
    }
    assert_eq!(server.in_flight().count(), 0, "they have not been told of");
    while server.poll_event().is_some() {}
    let kept: Vec<_> = server.in_flight().map(|request| request.asked.is_some()).collect();
    assert_eq!(kept, [true, false, false]);
}

#[test]
fn a_server_whose_input_has_ended_hears_nothing_more_after_it_was_restored_either() {
    let (mut server, now) = busy_server();
    server.handle_eof(now);
    while server.poll_event().is_some() {}
    assert!(!server.is_closed(), "it still answers");
    let left = take_output(&mut server.clone());
    for (format, carry) in FORMATS {
        let snapshot = carry(server.snapshot(now));
        let restored = Connection::<Server>::restore(snapshot, server_config(), now);
        let mut server = restored.unwrap();
        server.handle_input(b"\n{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"ping\"}\n", now);
        assert_eq!(server.poll_event(), None, "{format}");
        assert_eq!(take_output(&mut server), left, "{format}");
    }
}

#[derive(serde::Serialize)]
struct ListRoots {}

impl Request for ListRoots {
    const METHOD: &'static str = "roots/list";
    type Sender = Server;
    type Output = serde_json::Value;
}
