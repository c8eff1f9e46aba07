//! A machine that was written down and read again goes on as the one before, at every step of every conversation that the
//! tests know.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::role::{Client, Role, Server};
use mcp_proto::snapshot::{ConnectionSnapshot, InFlight, RestoreError};
use mcp_proto::testing::recording::Recording;
use mcp_proto::testing::{exhaust, take_output, transcript};
use mcp_proto::{
    CallOptions, CallTool, CallToolResult, ClientConfig, Connection, Endpoint, Event, Instant,
    Limits, Notification, Progress, RawJson, Request, Revision, ServerConfig, Timeouts,
};
use mcp_tests::hostile;

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

// Hostile snapshots.

/// Limits that a few messages reach.
fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_message_len = 2 << 10;
    limits.max_requests = 4;
    limits.max_calls = 4;
    limits.max_milestones = 2;
    limits.max_outbox_len = 4 << 10;
    limits
}

fn server_config() -> ServerConfig {
    let pacing = Pacing::default().burst(1).every(Duration::from_secs(9));
    ServerConfig::new("s", "1").limits(limits()).pacing(pacing)
}

fn client_config() -> ClientConfig {
    ClientConfig::new("c", "1").limits(limits())
}

/// A server of a session with a batch that is half answered, reports that wait, half a message written, lines and half a
/// line read and not decoded, and events that wait.
fn busy_server() -> (Connection<Server>, Instant) {
    let now = Instant::from_nanos(7_000_000_000);
    let mut server = Connection::server(server_config());
    let open = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-03-26","capabilities":{"roots":{}},"clientInfo":{"name":"c","version":"1"}}}
{"jsonrpc":"2.0","method":"notifications/initialized"}
[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","_meta":{"progressToken":"t"}}},{"jsonrpc":"2.0","id":"two","method":"tools/call","params":{"name":"b"}}]
{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"c"}}
"#;
    server.handle_input(open.as_bytes(), now);
    while server.poll_event().is_some() {}
    server.poll_transmit();
    server.advance_transmit(10);
    for (value, weight) in
        [(1.0, Weight::Ordinary), (2.0, Weight::Milestone), (3.0, Weight::Ordinary)]
    {
        server
            .report(&1.into(), Progress::new(value).of(9.5).message("some"), weight, now)
            .unwrap();
    }
    server.respond(&"two".into(), &CallToolResult::text("b"), now).unwrap();
    server
        .request_raw("roots/list", None, CallOptions::default().progress_token("own"), now)
        .unwrap();
    let later = now + Duration::from_secs(1);
    let more = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}
{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":99,"progress":1}}
{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"own","progress":0.5}}
no JSON
{"jsonrpc":"2.0","id":4,"met"#;
    server.handle_input(more.as_bytes(), now);
    assert!(matches!(server.poll_event(), Some(Event::Cancelled { .. })));
    server.handle_timeout(now);
    server.handle_input(b"hod\":\"ping\"}\n{\"half\":", later);
    server.poll_transmit();
    (server, later)
}

/// A client that probes, with calls and a notification held back.
fn new_client() -> (Connection<Client>, Instant) {
    let now = Instant::from_nanos(3);
    let mut client = Connection::client(client_config(), now);
    let options = CallOptions::default().tracked().meta(RawJson::parse(r#"{"a":1}"#).unwrap());
    let _ = client.request(&CallTool::new("held"), options, now).unwrap();
    client.notify(&RootsChanged {}).unwrap();
    let _ = client.request(&CallTool::new("gone"), CallOptions::default(), now).unwrap();
    client.cancel(&3.into(), Some("why"), now);
    (client, now)
}

#[derive(serde::Serialize)]
struct RootsChanged {}

impl Notification for RootsChanged {
    const METHOD: &'static str = "notifications/roots/list_changed";
    type Sender = Client;
}

/// A client with calls of every kind in flight, and events that wait.
fn busy_client() -> (Connection<Client>, Instant) {
    let (mut client, now) = new_client();
    let found = r#"{"jsonrpc":"2.0","id":1,"result":{"supportedVersions":["2026-07-28"],"capabilities":{},"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"s","version":"1"}}}}
"#;
    client.handle_input(found.as_bytes(), now);
    client.handle_timeout(now);
    let timed = Timeouts::default().idle(Duration::from_secs(5)).total(Duration::from_secs(50));
    for options in
        [CallOptions::default().timeouts(timed), CallOptions::default().progress_token("own")]
    {
        let _ = client.request(&CallTool::new("more"), options, now).unwrap();
    }
    let told = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":2,"progress":0.1,"total":0.3}}
{"jsonrpc":"2.0","id":99,"error":{"code":-1,"message":"what","data":[1.0]}}
{"jsonrpc":"2.0","id":2,"result":{"resultType":"other"}}
"#;
    client.handle_input(told.as_bytes(), now + Duration::from_millis(1));
    client.handle_timeout(now + Duration::from_millis(1));
    (client, now + Duration::from_secs(2))
}

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

#[derive(serde::Serialize)]
struct ListRoots {}

impl Request for ListRoots {
    const METHOD: &'static str = "roots/list";
    type Sender = Server;
    type Output = serde_json::Value;
}
