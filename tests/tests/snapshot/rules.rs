//! What contradicts itself is refused, by a rule of its own: each is broken here by itself.

use mcp_proto::role::{Client, Server};
use mcp_proto::snapshot::{ConnectionSnapshot, RestoreError};
use mcp_proto::{Connection, Instant};
use serde_json::{Value, json};

use crate::busy::{busy_client, busy_server, client_config, new_client, server_config};

/// A member by its path, and what is there instead. A path that ends with `/-` adds to a list.
type Change = (&'static str, Value);

/// The snapshot with these changes, and why it is refused.
fn refused(tree: &Value, changes: &[Change]) -> Option<RestoreError> {
    let mut tree = tree.clone();
    for (path, value) in changes {
        let path = format!("/state{path}");
        match path.strip_suffix("/-") {
            Some(list) => {
                let list = tree.pointer_mut(list).and_then(Value::as_array_mut);
                list.unwrap_or_else(|| panic!("no list at {path}")).push(value.clone());
            }
            None => {
                let place = tree.pointer_mut(&path).unwrap_or_else(|| panic!("nothing at {path}"));
                assert_ne!(place, value, "{path} is so already");
                *place = value.clone();
            }
        }
    }
    let is_server = tree["state"]["endpoint"]["life"].get("Server").is_some();
    let snapshot: ConnectionSnapshot =
        serde_json::from_value(tree).unwrap_or_else(|error| panic!("{changes:?}: {error}"));
    match is_server {
        true => Connection::<Server>::restore(snapshot, server_config(), Instant::ZERO).err(),
        false => Connection::<Client>::restore(snapshot, client_config(), Instant::ZERO).err(),
    }
}

/// What a rule says of a change: its reason, or nothing where that is the utmost that is taken.
fn check(tree: &Value, rows: Vec<(Vec<Change>, Option<RestoreError>)>) {
    let mut wrong = Vec::new();
    for (changes, expected) in rows {
        let found = refused(tree, &changes);
        if found != expected {
            let mut changes = format!("{changes:?}");
            changes.truncate(200);
            wrong.push(format!("{changes}\n  wanted {expected:?}\n  found  {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn invalid(why: &'static str) -> Option<RestoreError> {
    Some(RestoreError::Invalid(why))
}

fn limit(of: &'static str) -> Option<RestoreError> {
    Some(RestoreError::Limit(of))
}

const UNCOUNTED: &str = "a counter that nobody can have counted to";
const TOO_MANY: u64 = 1 << 62;

/// A number as it stands in a snapshot: its bits.
fn bits(value: f64) -> Value {
    value.to_bits().into()
}

#[test]
fn reports_that_wait() {
    let (server, now) = busy_server();
    let tree = serde_json::to_value(server.snapshot(now)).unwrap();
    macro_rules! sender {
        ($path:literal) => {
            concat!("/endpoint/requests/entries/0/inbound/reporter/sender", $path)
        };
    }
    let waiting = |value: f64, len: usize, is_kept: bool| json!({"progress": [value.to_bits(), null, "m".repeat(len)], "is_kept": is_kept});
    let (first, last) = (sender!("/waiting/0/progress/0"), sender!("/waiting/1/progress/0"));
    let unordered = invalid("reports that do not increase");
    // 64 KiB of milestones, and the newest.
    let most = (64 + 16) << 10;
    let list = |messages: &[(f64, usize, bool)]| {
        let each = messages.iter().map(|(value, len, is_kept)| waiting(*value, *len, *is_kept));
        (sender!("/waiting"), Value::Array(each.collect()))
    };
    check(
        &tree,
        vec![
            (vec![(sender!("/merged"), TOO_MANY.into())], invalid(UNCOUNTED)),
            (vec![(sender!("/merged"), (TOO_MANY - 1).into())], None),
            (
                vec![list(&[(1.0, 0, true), (2.0, 0, true), (3.0, 0, true)])],
                limit("milestones that wait"),
            ),
            (vec![list(&[(1.0, 0, true), (2.0, 0, true), (3.0, 0, false)])], None),
            (vec![list(&[(2.0, most - 9, true), (3.0, 10, false)])], limit("messages of reports")),
            (vec![list(&[(2.0, most - 9, true), (3.0, 9, false)])], None),
            (
                vec![list(&[(2.0, 0, false), (3.0, 0, false)])],
                invalid("a report waits that should have merged"),
            ),
            (vec![(first, bits(3.5))], unordered.clone()),
            (vec![(last, bits(1.5))], unordered.clone()),
            (vec![(first, bits(f64::NAN))], unordered.clone()),
            (vec![(sender!("/waiting/0/progress/1"), bits(f64::INFINITY))], unordered.clone()),
            (vec![(sender!("/last/0"), bits(2.5))], unordered.clone()),
            (vec![(sender!("/last/1"), bits(f64::NAN))], unordered),
            (vec![(first, bits(3.0))], None),
            (vec![(sender!("/last"), Value::Null)], invalid("a report that nobody made")),
            (vec![(sender!("/reported"), bits(f64::NAN))], invalid("a report that is not finite")),
        ],
    );
}

#[test]
fn calls() {
    let (server, now) = busy_server();
    let tree = serde_json::to_value(server.snapshot(now)).unwrap();
    let call = tree.pointer("/state/endpoint/calls/calls/0/1").unwrap().clone();
    let numbered = |number: i64| json!([number, call]);
    let all = |calls: Vec<Value>| ("/endpoint/calls/calls", Value::Array(calls));
    let token =
        |text: &str| ("/endpoint/calls/calls/0/1/tracking", json!({"Custom": format!("{text:?}")}));
    let last = |number: i64| ("/endpoint/calls/last_id", number.into());
    let own = |number: i64| {
        let mut call = numbered(number);
        call[1]["tracking"] = "Own".into();
        call[1]["queued"] = Value::Null;
        call
    };
    check(
        &tree,
        vec![
            (
                vec![all((1..=7).map(own).collect()), last(7), ("/endpoint/calls/slots", 8.into())],
                limit("calls in flight"),
            ),
            (vec![("/endpoint/calls/slots", (1 << 20).into())], limit("slots of calls")),
            (vec![("/endpoint/calls/slots", 3.into())], invalid("calls that have no place")),
            (vec![("/endpoint/calls/slots", 0.into())], invalid("calls that have no place")),
            (vec![last(-1)], invalid(UNCOUNTED)),
            (vec![last(0)], invalid("a call that was never made")),
            (vec![all(vec![own(0)])], invalid("a call that was never made")),
            (
                vec![("/endpoint/calls/calls/0/1/receiver/value", bits(f64::NAN))],
                invalid("a report that is no number"),
            ),
            (
                vec![("/endpoint/calls/calls/0/1/receiver/count", TOO_MANY.into())],
                invalid("a report that is no number"),
            ),
            (vec![("/endpoint/calls/calls/0/1/receiver/count", (TOO_MANY - 1).into())], None),
            (vec![token(&"t".repeat(2_000))], limit("the length of a token")),
            (
                vec![("/endpoint/calls/calls/0/1/tracking", json!({"Custom": "7"}))],
                invalid("two calls that go by one token"),
            ),
            (
                vec![
                    all(vec![numbered(1), numbered(2)]),
                    last(2),
                    ("/endpoint/calls/slots", 4.into()),
                ],
                invalid("two calls that go by one token"),
            ),
            (
                vec![("/endpoint/calls/calls/0/1/queued", 1.into())],
                invalid("a call whose message is another's"),
            ),
            (
                vec![("/endpoint/calls/calls/0/1/purpose", "Probe".into())],
                invalid("a server that opens"),
            ),
        ],
    );
    let (client, now) = busy_client();
    let tree = serde_json::to_value(client.snapshot(now)).unwrap();
    check(
        &tree,
        vec![
            (
                vec![("/endpoint/calls/calls/0/1/purpose", "Initialize".into())],
                invalid("no call opens the conversation"),
            ),
            (
                vec![
                    ("/endpoint/life/Client/revision", Value::Null),
                    ("/endpoint/peer", Value::Null),
                ],
                invalid("no call opens the conversation"),
            ),
            (
                vec![("/endpoint/phase", json!({"Draining": {"until": 0, "unread": 0}}))],
                invalid("a client that is drained"),
            ),
            (
                vec![("/endpoint/peer/revision", "V2025_11_25".into())],
                invalid("a peer that speaks another revision"),
            ),
            (vec![("/endpoint/peer", Value::Null)], invalid("a peer that speaks another revision")),
        ],
    );
}

#[test]
fn requests() {
    let (server, now) = busy_server();
    let tree = serde_json::to_value(server.snapshot(now)).unwrap();
    macro_rules! entry {
        ($number:literal, $path:literal) => {
            concat!("/endpoint/requests/entries/", $number, $path)
        };
    }
    let done = tree.pointer("/state/endpoint/requests/entries/1").unwrap().clone();
    let more = |number: u64| {
        let mut entry = done.clone();
        entry["id"] = number.to_string().into();
        entry["inbound"]["serial"] = number.into();
        entry["inbound"]["asked"] = Value::Null;
        (entry!("", "-"), entry)
    };
    let entered = |count: u64| ("/endpoint/requests/entered", count.into());
    let long = "i".repeat(2_000);
    let speech = entry!("0", "/inbound/speech/revision");
    let batch = tree.pointer("/state/endpoint/requests/entries/0/inbound/batch").unwrap().clone();
    check(
        &tree,
        vec![
            (vec![more(4), more(5), more(6), entered(7)], limit("requests in flight")),
            (vec![more(4), more(5), entered(7)], None),
            (vec![entered(TOO_MANY)], invalid(UNCOUNTED)),
            (vec![entered(2)], invalid("two requests that came at once")),
            (
                vec![(entry!("1", "/inbound/serial"), 0.into())],
                invalid("two requests that came at once"),
            ),
            (vec![(entry!("1", "/id"), "1".into())], invalid("requests out of order")),
            (vec![(entry!("0", "/id"), "5".into())], invalid("requests out of order")),
            (vec![(entry!("1", "/id"), format!("{long:?}").into())], limit("the length of an id")),
            (
                vec![(entry!("0", "/inbound/reporter/token"), format!("{long:?}").into())],
                limit("the length of a token"),
            ),
            (vec![(entry!("1", "/inbound/flush_at"), 9.into())], invalid("a timer for no report")),
            (
                vec![(entry!("0", "/inbound/outlet"), "Held".into())],
                invalid("a timer for no report"),
            ),
            (
                vec![
                    (entry!("0", "/inbound/outlet"), "Shut".into()),
                    (entry!("0", "/inbound/flush_at"), Value::Null),
                ],
                invalid("a report that waits for ever"),
            ),
            (
                vec![
                    (entry!("0", "/inbound/cancelled"), true.into()),
                    (entry!("0", "/inbound/flush_at"), Value::Null),
                ],
                invalid("a cancelled request that goes on"),
            ),
            (
                vec![
                    (entry!("0", "/inbound/cancelled"), true.into()),
                    (entry!("0", "/inbound/flush_at"), Value::Null),
                    (entry!("0", "/inbound/batch"), Value::Null),
                ],
                invalid("a cancelled request that goes on"),
            ),
            (
                vec![(entry!("1", "/inbound/batch"), batch)],
                invalid("a cancelled request that goes on"),
            ),
            (
                vec![(entry!("1", "/inbound/asked/method"), "m".repeat(3000).into())],
                limit("bytes of requests"),
            ),
            (
                vec![(entry!("0", "/inbound/queued"), 3.into())],
                invalid("a request whose message is another's"),
            ),
            (vec![(entry!("0", "/inbound/queued"), Value::Null)], None),
            (
                vec![(entry!("0", "/inbound/flush_at"), Value::Null)],
                invalid("a report waits that nothing lets go"),
            ),
            (
                vec![(speech, "V2025_06_18".into())],
                invalid("a request in a revision that is not spoken"),
            ),
            (
                vec![(entry!("1", "/id"), "\"two\"".into())],
                invalid("a request that waits and was answered"),
            ),
        ],
    );
}

#[test]
fn batches() {
    let (server, now) = busy_server();
    let tree = serde_json::to_value(server.snapshot(now)).unwrap();
    macro_rules! batch {
        ($path:literal) => {
            concat!("/endpoint/batches/open/0", $path)
        };
    }
    let number = tree.pointer("/state/endpoint/batches/open/0/0").unwrap().as_u64().unwrap();
    let last = tree.pointer("/state/endpoint/batches/last").unwrap().as_u64().unwrap();
    assert!(number - 1 <= last);
    let twice = json!(["\"two\"", "\"two\""]);
    check(
        &tree,
        vec![
            (vec![("/endpoint/batches/last", TOO_MANY.into())], invalid(UNCOUNTED)),
            (vec![(batch!("/0"), (last + 2).into())], invalid("a batch that was never opened")),
            (vec![(batch!("/1/waiting"), 0.into())], invalid("a batch that was never opened")),
            (vec![(batch!("/1/waiting"), 2.into())], invalid("a batch that waits for no request")),
            (vec![(batch!("/1/text"), "{}".into())], invalid("answers that are no array")),
            (vec![(batch!("/1/text"), "[{}\n".into())], invalid("answers that are no array")),
            (vec![(batch!("/1/text"), "".into())], invalid("answers that are named and not there")),
            (vec![(batch!("/1/ids"), twice)], invalid("two answers to one request")),
            (
                vec![(batch!("/1/text"), format!("[{}", " ".repeat(1 << 20)).into())],
                limit("answers that wait"),
            ),
            (
                vec![("/endpoint/requests/entries/0/inbound/batch", Value::Null)],
                invalid("a batch that waits for no request"),
            ),
            (
                vec![("/endpoint/batches/open", json!([]))],
                invalid("a request of a batch that is over"),
            ),
        ],
    );
}

#[test]
fn what_waits_to_be_sent() {
    let (server, now) = busy_server();
    let tree = serde_json::to_value(server.snapshot(now)).unwrap();
    macro_rules! message {
        ($number:literal, $path:literal) => {
            concat!("/endpoint/outbox/messages/", $number, $path)
        };
    }
    let bytes = tree.pointer("/state/endpoint/outbox/bytes").unwrap().as_str().unwrap();
    let changed = |from: &str, to: &str| {
        assert!(bytes.contains(from), "{bytes}");
        ("/endpoint/outbox/bytes", Value::from(bytes.replacen(from, to, 1)))
    };
    let (len, lent) = (bytes.len(), "/endpoint/outbox/lent");
    check(
        &tree,
        vec![
            (
                vec![(
                    "/endpoint/outbox/messages",
                    Value::Array(vec![
                        tree["state"]["endpoint"]["outbox"]["messages"][3].clone();
                        1 << 15
                    ]),
                )],
                limit("messages that wait to be sent"),
            ),
            (
                vec![("/endpoint/outbox/bytes", "x".repeat(1 << 24).into())],
                limit("bytes that wait to be sent"),
            ),
            (vec![("/endpoint/outbox/first", TOO_MANY.into())], invalid(UNCOUNTED)),
            (vec![(lent, (len + 1).into())], invalid("more is being written than there is")),
            (vec![(message!("3", "/len"), 1_000_000.into())], invalid("a message without bytes")),
            (vec![(message!("0", "/len"), 10.into())], invalid("a message without bytes")),
            (vec![(message!("2", "/len"), 0.into())], invalid("a message without bytes")),
            (vec![(message!("2", "/len"), 89.into())], invalid("a message that is no line")),
            (vec![(message!("2", "/len"), 91.into())], invalid("a message that is no line")),
            (vec![changed("\n{\"jsonrpc", "\n \"jsonrpc")], invalid("a message that is no line")),
            (
                vec![("/endpoint/outbox/begun", 0.into()), (message!("0", "/len"), 125.into())],
                invalid("a message that is no line"),
            ),
            (
                vec![(message!("1", "/is_revoked"), true.into())],
                invalid("what is being written was taken back"),
            ),
            (vec![(lent, 0.into()), (message!("1", "/is_revoked"), true.into())], None),
            (
                vec![(message!("3", "/previous"), 1.into())],
                invalid("a message behind one of somebody else"),
            ),
            (
                vec![(message!("2", "/previous"), 9.into())],
                invalid("a message behind one of somebody else"),
            ),
            (
                vec![("/endpoint/outbox/bytes", format!("{bytes}{{}}\n").into())],
                invalid("bytes of no message"),
            ),
            (
                vec![
                    ("/endpoint/outbox/bytes", "".into()),
                    ("/endpoint/outbox/messages", json!([])),
                    (lent, 0.into()),
                ],
                invalid("a part of no message was sent"),
            ),
        ],
    );
}

#[test]
fn the_rest() {
    let (server, now) = busy_server();
    let tree = serde_json::to_value(server.snapshot(now)).unwrap();
    let inbox = |path: &'static str, value: Value| (path, value);
    let (buffer, arrivals) = ("/input/Lines/inbox/buffer", "/input/Lines/inbox/arrivals");
    let len = tree.pointer("/state/input/Lines/inbox/buffer").unwrap().as_str().unwrap().len();
    let violation = tree.pointer("/state/endpoint/events/0").unwrap().clone();
    let session = "/endpoint/life/Server/session";
    check(
        &tree,
        vec![
            (vec![(session, Value::Null)], invalid("no session was opened")),
            (vec![(session, "V2026_07_28".into())], invalid("a session of an era that has none")),
            (
                vec![("/endpoint/events", Value::Array(vec![violation; 1 << 14]))],
                limit("events that wait"),
            ),
            (
                vec![("/endpoint/settled", Value::Array(vec![1.into(); 1 << 14]))],
                limit("requests that are settled"),
            ),
            (
                vec![("/endpoint/events/-", json!({"Closed": "Local"}))],
                invalid("an end before the end"),
            ),
            (
                vec![("/endpoint/phase", "Closed".into())],
                invalid("something is left after the end"),
            ),
            (
                vec![("/endpoint/phase", json!({"Draining": {"until": 0, "unread": 0}}))],
                invalid("a client that is drained"),
            ),
            (
                vec![("/endpoint/peer/revision", "V2025_06_18".into())],
                invalid("a peer that speaks another revision"),
            ),
            (
                vec![
                    inbox(buffer, "".into()),
                    inbox(arrivals, json!([])),
                    ("/endpoint/holds_input", true.into()),
                ],
                invalid("input is held back that nobody has"),
            ),
            (vec![inbox(buffer, "x".repeat(1 << 20).into())], limit("bytes that arrived")),
            (vec![inbox(arrivals, json!([[len - 1, 0]]))], invalid("bytes that never arrived")),
            (vec![inbox(arrivals, json!([]))], invalid("bytes that never arrived")),
            (
                vec![inbox(arrivals, json!([[len, 0], [len, 0]]))],
                invalid("bytes that never arrived"),
            ),
            (vec![inbox(arrivals, json!([[1, 0], [len, 0]]))], None),
        ],
    );
}

/// What is over is empty, and its end is told last and once.
#[test]
fn after_the_end() {
    let (server, now) = busy_server();
    let busy = serde_json::to_value(server.snapshot(now)).unwrap();
    let part = |path: &str| busy.pointer(&format!("/state/endpoint{path}")).unwrap().clone();
    let mut requests = part("/requests");
    requests["entries"].as_array_mut().unwrap().remove(0);
    let (mut over, now) = busy_server();
    over.close(now);
    while over.poll_event().is_some() {}
    let tree = serde_json::to_value(over.snapshot(now)).unwrap();
    let (left, early) = ("something is left after the end", "an end before the end");
    let (end, violation) = (json!({"Closed": "Local"}), part("/events/0"));
    let events =
        |events: &[&Value]| ("/endpoint/events", events.iter().copied().cloned().collect());
    check(
        &tree,
        vec![
            (vec![events(&[&violation, &end])], None),
            (vec![events(&[&end, &violation])], invalid(early)),
            (vec![events(&[&end, &end])], invalid(early)),
            (vec![("/endpoint/calls", part("/calls"))], invalid(left)),
            (vec![("/endpoint/requests", requests)], invalid(left)),
            (vec![("/endpoint/stall_at", 9.into())], invalid(left)),
            (vec![("/endpoint/holds_progress", true.into())], invalid(left)),
        ],
    );
}

#[test]
fn what_is_held_back() {
    let (client, now) = new_client();
    let tree = serde_json::to_value(client.snapshot(now)).unwrap();
    macro_rules! held {
        ($path:literal) => {
            concat!("/endpoint/held/", $path)
        };
    }
    let unsound = invalid("what is held back cannot be sent");
    check(
        &tree,
        vec![
            (vec![(held!("0/params"), "[]".into())], unsound.clone()),
            (vec![(held!("0/params"), "{\"name\":".into())], unsound.clone()),
            (vec![(held!("0/meta"), "[]".into())], unsound.clone()),
            (vec![(held!("0/newest"), 3.into())], unsound.clone()),
            (vec![(held!("1/newest"), 1.into())], unsound.clone()),
            (vec![(held!("0/call"), 0.into()), (held!("0/newest"), 0.into())], unsound),
            (vec![(held!("1/newest"), 3.into())], None),
            (
                vec![(held!("1/newest"), 4.into())],
                invalid("what is held back came before its time"),
            ),
            (
                vec![(held!("1/call"), 3.into()), (held!("1/newest"), 3.into())],
                invalid("a call is held back that is not in flight"),
            ),
            (
                vec![("/endpoint/calls/calls/1/1/queued", 1.into())],
                invalid("a call is held back that is not in flight"),
            ),
            (vec![("/endpoint/held", json!([]))], invalid("a call has left and is held back")),
            (
                vec![("/endpoint/calls/calls/0/1/purpose", "Application".into())],
                invalid("no call opens the conversation"),
            ),
            (
                vec![(held!("1/params"), format!("{{\"a\":\"{}\"}}", "x".repeat(64 << 10)).into())],
                limit("bytes that are held back"),
            ),
            (
                vec![
                    ("/endpoint/life/Client/revision", "V2026_07_28".into()),
                    ("/endpoint/calls/calls/0/1/purpose", "Application".into()),
                ],
                invalid("calls are held back for nothing"),
            ),
        ],
    );
}
