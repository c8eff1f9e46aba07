//! Batches of 2025-03-26: what arrives in an array.

use mcp_proto::progress::Weight;
use mcp_proto::role::{Client, Server};
use mcp_proto::{
    CallOptions, CallToolResult, CloseReason, DeadlineReason, ErrorObject, Event, Limits, Progress,
    RequestId, Revision, SendError, ServerConfig, Violation,
};
use mcp_tests::{Hand, endings, handshake, progress, result, secs, tool_call, values, violations};
use proptest::prelude::*;
use serde_json::{Value, json};

const REVISION: Revision = Revision::V2025_03_26;

fn server() -> Hand<Server> {
    Hand::server_at(ServerConfig::new("s", "1"), REVISION)
}

fn server_with(limits: Limits) -> Hand<Server> {
    Hand::server_at(ServerConfig::new("s", "1").limits(limits), REVISION)
}

fn client() -> Hand<Client> {
    Hand::client_at(REVISION)
}

/// One line of these messages.
fn batch<T: AsRef<str>>(messages: &[T]) -> String {
    let messages: Vec<&str> = messages.iter().map(|message| message.as_ref().trim_end()).collect();
    format!("[{}]\n", messages.join(","))
}

fn ping(id: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}")
}

fn cancelled(id: &str) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{id}}}}}"
    )
}

const NOTIFICATION: &str = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}";

/// The lines that were said, read.
fn lines(said: &[String]) -> Vec<Value> {
    said.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Ids and outcomes of the one batch that was said: `true` for a result, a code for an error.
fn answers(said: &[String]) -> Vec<(Value, Value)> {
    let [line] = &lines(said)[..] else { panic!("not one line: {said:?}") };
    let answers = line.as_array().unwrap_or_else(|| panic!("no batch: {line}"));
    answers.iter().map(outcome).collect()
}

fn outcome(answer: &Value) -> (Value, Value) {
    let outcome = match answer.get("result") {
        Some(_) => json!(true),
        None => answer["error"]["code"].clone(),
    };
    (answer["id"].clone(), outcome)
}

fn respond(server: &mut Hand<Server>, id: impl Into<RequestId>, text: &str) {
    let now = server.now();
    server.conn().respond(&id.into(), &CallToolResult::text(text), now).unwrap();
}

fn requested(events: &[Event]) -> Vec<String> {
    let id = |event: &Event| match event {
        Event::Request { id, .. } => Some(id.to_string()),
        _ => None,
    };
    events.iter().filter_map(id).collect()
}

/// FIELD-BUGS 69; R-BATCH-01, R-BATCH-04. Reference servers said nothing, or closed.
#[test]
fn members_are_ordinary_messages_and_their_answers_leave_together() {
    let mut server = server();
    let members = [
        NOTIFICATION.into(),
        ping("\"b\""),
        tool_call("1", None),
        result(99),
        tool_call("2", None),
    ];
    server.feed(batch(&members));
    let told = server.told();
    let [
        Event::Notification { .. },
        Event::Request { .. },
        Event::Violation(Violation::UnknownResponse(_)),
        Event::Request { .. },
    ] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!(requested(&told), ["1", "2"]);
    respond(&mut server, 2, "two");
    assert_eq!(server.said(), [""; 0], "1 is still worked on");
    server.feed(ping("3") + "\n");
    assert_eq!(
        answers(&[format!("[{}]", server.said()[0])]),
        [(json!(3), json!(true))],
        "in between"
    );
    respond(&mut server, 1, "one");
    assert_eq!(
        answers(&server.said()),
        [(json!("b"), json!(true)), (json!(2), json!(true)), (json!(1), json!(true))]
    );
    assert_eq!(server.conn().requests_in_flight(), 0);
}

/// FIELD-BUGS 69; R-BATCH-01, R-RPC-12, R-PROG-03. A client has its results by batch.
#[test]
fn a_client_takes_responses_and_reports_in_the_order_of_the_batch() {
    let mut client = client();
    let a = client.call(CallOptions::default().tracked());
    let b = client.call(CallOptions::default());
    let refused =
        format!("{{\"jsonrpc\":\"2.0\",\"id\":{b},\"error\":{{\"code\":1,\"message\":\"m\"}}}}");
    let token = a.to_string();
    client.feed(batch(&[
        progress(&token, "1"),
        refused,
        progress(&token, "2"),
        result(&a),
        progress(&token, "3"),
    ]));
    let told = client.told();
    assert_eq!(values(&told), [1.0, 2.0]);
    assert_eq!(endings(&told), [(b, false), (a, true)]);
    let [Violation::LateProgress(_)] = violations(&told)[..] else { panic!("{told:?}") };
    assert_eq!(client.said(), [""; 0]);
}

/// FIELD-BUGS 69; R-BATCH-01, R-PROG-03. Reports that look alike are read in a short way, one by one.
#[test]
fn batches_that_look_alike_are_read_whole_each_time() {
    let mut client = client();
    let ids = [(); 2].map(|()| client.call(CallOptions::default().tracked()));
    let [a, b] = ids.map(|id| id.to_string());
    for value in ["1", "2", "3"] {
        client.feed(batch(&[progress(&a, value), progress(&b, value), NOTIFICATION.into()]));
        let told = client.told();
        let value: f64 = value.parse().unwrap();
        assert_eq!((values(&told), told.len()), (vec![value, value], 3));
        client.feed(progress(&a, &format!("{value}.5")));
        assert_eq!(values(&client.told()), [value + 0.5]);
    }
    for value in [4.0, 5.0, 6.0] {
        // Behind the one report everything is the same each time.
        client.feed(batch(&[progress(&a, &value.to_string()), NOTIFICATION.into()]));
        let told = client.told();
        assert_eq!((values(&told), told.len()), (vec![value], 2));
    }
}

/// FIELD-BUGS 69; R-BATCH-01, R-BATCH-04. Servers ask too, and the client answers with an array.
#[test]
fn a_client_answers_a_batch_of_requests() {
    let mut client = client();
    let roots = "{\"jsonrpc\":\"2.0\",\"id\":\"r\",\"method\":\"roots/list\"}";
    client.feed(batch(&[roots.to_owned(), ping("1"), NOTIFICATION.into()]));
    assert_eq!(requested(&client.told()), ["\"r\""]);
    assert_eq!(client.said(), [""; 0]);
    let now = client.now();
    client.conn().respond(&"r".into(), &json!({"roots": []}), now).unwrap();
    assert_eq!(answers(&client.said()), [(json!(1), json!(true)), (json!("r"), json!(true))]);
}

/// FIELD-BUGS 69; R-BATCH-05, R-RPC-06.
#[test]
fn a_batch_without_requests_is_not_answered() {
    let mut server = server();
    server.feed(batch(&[NOTIFICATION, NOTIFICATION]));
    server.feed(batch(&[result(1), result(2)]));
    server.feed(batch(&[cancelled("7")]));
    assert_eq!(server.said(), [""; 0]);
    let told = server.told();
    let announced = told.iter().filter(|event| matches!(event, Event::Notification { .. }));
    assert_eq!((announced.count(), violations(&told).len(), told.len()), (2, 2, 4));
}

/// FIELD-BUGS 69; R-BATCH-05. One object, no array.
#[test]
fn an_empty_batch_is_one_error() {
    for empty in ["[]\n", "[ \t ]\n", " [] \r\n"] {
        let mut server = server();
        server.feed(empty);
        let said = lines(&server.said());
        assert_eq!(said.iter().map(outcome).collect::<Vec<_>>(), [(Value::Null, json!(-32600))]);
        let mut client = client();
        client.feed(empty);
        assert_eq!(client.said(), [""; 0], "a client answers no malformed message");
        assert_eq!(client.told().len(), 1);
    }
}

/// FIELD-BUGS 69; R-BATCH-04, R-RPC-07. Each fault has an entry, and harms no other.
#[test]
fn an_invalid_member_has_an_entry_of_its_own() {
    for (members, expected) in [
        (
            vec![json!(1), json!(2), json!(3)],
            json!([[null, -32600], [null, -32600], [null, -32600]]),
        ),
        (
            vec![
                serde_json::from_str(&ping("1")).unwrap(),
                json!(7),
                json!(null),
                json!("x"),
                json!({}),
            ],
            json!([[1, true], [null, -32600], [null, -32600], [null, -32600], [null, -32600]]),
        ),
        (
            vec![
                json!({"jsonrpc": "1.0", "id": 1, "method": "ping"}),
                json!({"id": "x", "method": 5}),
            ],
            json!([[1, -32600], ["x", -32600]]),
        ),
        (
            vec![
                serde_json::from_str(&ping("1")).unwrap(),
                json!([serde_json::from_str::<Value>(&ping("2")).unwrap()]),
                json!([]),
            ],
            json!([[1, true], [null, -32600], [null, -32600]]),
        ),
        (
            vec![
                json!({"jsonrpc": "2.0", "method": 5, "params": {}}),
                json!({"jsonrpc": "2.0", "method": "m", "params": []}),
            ],
            json!([[null, -32600]]),
        ),
    ] {
        let mut server = server();
        server.feed(format!("{}\n", Value::from(members.clone())));
        let said = answers(&server.said());
        let said: Vec<_> = said.into_iter().map(|(id, outcome)| json!([id, outcome])).collect();
        assert_eq!(Value::from(said), expected, "{members:?}");
    }
}

/// FIELD-BUGS 69; R-BATCH-04, R-RPC-07. It nests as deep as the same message without brackets around it may.
#[test]
fn depth_is_counted_from_the_member_and_only_that_member_is_refused() {
    let deep = |id: &str, levels: usize| {
        let (open, close) = ("[".repeat(levels - 2), "]".repeat(levels - 2));
        format!(
            "{{\"params\":{{\"x\":{open}{close}}},\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\"}}"
        )
    };
    let mut server = server();
    server.feed(batch(&[deep("1", 64), deep("2", 65), ping("3")]));
    let told = server.told();
    assert_eq!(requested(&told), ["1"]);
    let [Violation::Refused(_)] = violations(&told)[..] else { panic!("{told:?}") };
    respond(&mut server, 1, "one");
    assert_eq!(
        answers(&server.said()),
        [(json!(2), json!(-32600)), (json!(3), json!(true)), (json!(1), json!(true))]
    );
}

/// FIELD-BUGS 69; R-BATCH-05, R-RPC-01. Where the text is broken nobody knows what is in it.
#[test]
fn a_batch_that_is_no_json_is_one_parse_error() {
    // At the deepest level that a member may have.
    let deepest = format!("{{\"params\":{{\"x\":{}1 2{}}}}}", "[".repeat(62), "]".repeat(62));
    for broken in [
        format!("[{},{deepest}]\n", tool_call("1", None).trim_end()),
        format!("[{},{{\"jsonrpc\":\"2.0\",\"id\":]\n", tool_call("1", None).trim_end()),
        format!("[{},]\n", tool_call("1", None).trim_end()),
        format!("[{}\n", tool_call("1", None).trim_end()),
    ] {
        let mut server = server();
        server.feed(&broken);
        let said = lines(&server.said());
        assert_eq!(said.iter().map(outcome).collect::<Vec<_>>(), [(Value::Null, json!(-32700))]);
        assert_eq!(requested(&server.told()), [""; 0], "{broken}");
    }
}

/// FIELD-BUGS 69; R-BATCH-03, R-LIFE-01.
#[test]
fn initialize_is_never_in_a_batch() {
    let initialize = handshake(REVISION).lines().next().unwrap().to_owned();
    for members in [vec![initialize.clone()], vec![ping("1"), initialize.clone()]] {
        let mut server = Hand::silent_server(ServerConfig::new("s", "1"));
        server.feed(batch(&members));
        let said = lines(&server.said());
        assert_eq!(said.iter().map(outcome).collect::<Vec<_>>(), [(Value::Null, json!(-32600))]);
        assert_eq!(server.told(), [Event::Violation(Violation::Batch)], "no session");
        server.feed(handshake(REVISION));
        assert!(matches!(server.told()[..], [Event::Ready(_)]), "the right way still goes");
    }
    let mut server = server();
    server.feed(batch(&[initialize, ping("1")]));
    assert_eq!(answers(&server.said()), [(json!(0), json!(-32600)), (json!(1), json!(true))]);
    assert_eq!(server.told(), []);
}

/// FIELD-BUGS 69; R-BATCH-08. With the revision that is in force, whoever speaks which others.
#[test]
fn every_other_revision_refuses_the_array_whole() {
    let members = batch(&[ping("1"), tool_call("2", None)]);
    for revision in Revision::ALL.into_iter().filter(|revision| *revision != REVISION) {
        let mut server = match revision {
            Revision::V2026_07_28 => Hand::silent_server(ServerConfig::new("s", "1")),
            revision => Hand::server_at(ServerConfig::new("s", "1"), revision),
        };
        server.feed(&members);
        let said = lines(&server.said());
        let null_id = revision != Revision::V2025_11_25;
        assert_eq!(said.iter().map(outcome).collect::<Vec<_>>(), [(Value::Null, json!(-32600))]);
        assert_eq!(said[0].get("id").is_some(), null_id, "{revision}");
        assert_eq!(server.told(), [Event::Violation(Violation::Batch)], "{revision}");
    }
    for revision in [Revision::V2024_11_05, Revision::V2025_06_18, Revision::V2025_11_25] {
        let mut client = Hand::client_at(revision);
        let id = client.call(CallOptions::default());
        client.feed(batch(&[result(&id)]));
        assert_eq!(client.told(), [Event::Violation(Violation::Batch)], "{revision}");
        assert_eq!(client.said(), [""; 0]);
        client.feed(result(&id));
        assert_eq!(endings(&client.told()), [(id, true)]);
    }
}

/// FIELD-BUGS 69; R-BATCH-07, R-BATCH-08. A request that names its own revision is not of this session.
#[test]
fn a_modern_request_is_no_member_of_a_batch() {
    let modern = |id| {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "work", "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {}}}})
        .to_string()
    };
    let mut server = server();
    server.feed(batch(&[modern(1), ping("2")]));
    assert_eq!(answers(&server.said()), [(json!(1), json!(-32600)), (json!(2), json!(true))]);
    assert_eq!(server.told(), []);
    server.feed(modern(3) + "\n");
    assert_eq!(requested(&server.told()), ["3"], "alone it stands");
}

/// FIELD-BUGS 69; R-BATCH-08, R-BATCH-04. A line of 4 MB could ask for a hundred thousand answers.
#[test]
fn a_batch_beyond_the_limit_is_one_error_and_nothing_of_it_is_executed() {
    let call = |n: usize| tool_call(&n.to_string(), None);
    let most: Vec<String> = (0..100).map(call).collect();
    let mut server = server();
    server.feed(batch(&most));
    assert_eq!(requested(&server.told()).len(), 100);
    for n in 0..100 {
        respond(&mut server, n, "done");
    }
    assert_eq!(answers(&server.said()).len(), 100);
    for count in [101, 90_000] {
        let members: Vec<String> = (0..count).map(|n| ping(&n.to_string())).collect();
        server.feed(batch(&members));
        let said = lines(&server.said());
        assert_eq!(said.iter().map(outcome).collect::<Vec<_>>(), [(Value::Null, json!(-32600))]);
        assert_eq!(server.told(), [Event::Violation(Violation::BatchTooLong { limit: 100 })]);
    }
}

/// FIELD-BUGS 69; R-ID-01, R-ID-06. `1` and `"1"` are two.
#[test]
fn an_id_is_in_use_until_the_batch_with_its_answer_has_left() {
    let mut server = server();
    server.feed(batch(&[
        ping("1"),
        ping("\"1\""),
        ping("1"),
        tool_call("2", None),
        tool_call("2", None),
    ]));
    let told = server.told();
    assert_eq!(requested(&told), ["2"]);
    assert_eq!(
        violations(&told),
        [&Violation::DuplicateId(1.into()), &Violation::DuplicateId(2.into())]
    );
    // 1 has its answer, which waits for that of 2.
    server.feed(ping("1") + "\n");
    server.feed("{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}\n");
    let said = lines(&server.said());
    assert_eq!(
        said.iter().map(outcome).collect::<Vec<_>>(),
        [(Value::Null, json!(-32600)), (Value::Null, json!(-32600))]
    );
    respond(&mut server, 2, "two");
    assert_eq!(
        answers(&server.said()),
        [
            (json!(1), json!(true)),
            (json!("1"), json!(true)),
            (Value::Null, json!(-32600)),
            (Value::Null, json!(-32600)),
            (json!(2), json!(true)),
        ]
    );
    server.feed(ping("1") + "\n");
    assert_eq!(server.said(), ["{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}"]);
}

/// FIELD-BUGS 69, 54; R-CANC-07, R-BATCH-04. Nobody waits for what is not wanted.
#[test]
fn a_cancelled_member_does_not_hold_the_others_up() {
    let mut server = server();
    server.feed(batch(&[tool_call("1", Some("1")), tool_call("2", None), ping("3")]));
    server.told();
    respond(&mut server, 2, "two");
    server.feed(cancelled("1") + "\n");
    assert_eq!(answers(&server.said()), [(json!(3), json!(true)), (json!(2), json!(true))]);
    assert!(matches!(server.told()[..], [Event::Cancelled { .. }]));
    let now = server.now();
    let late = server.conn().respond(&1.into(), &CallToolResult::text("one"), now);
    assert_eq!((late, server.said()), (Err(SendError::Cancelled), vec![]));

    // All of them, and by a member of the same batch.
    server.feed(batch(&[tool_call("4", None), tool_call("5", None), cancelled("5")]));
    server.feed(cancelled("4") + "\n");
    server.told();
    for id in [4, 5] {
        server.conn().abandon(&id.into(), now);
    }
    assert_eq!(server.said(), [""; 0]);
    assert_eq!(server.conn().requests_in_flight(), 0);
}

/// FIELD-BUGS 69; R-BATCH-04, R-RPC-07. Errors and handlers that forget are answers as well.
#[test]
fn every_ending_of_a_member_counts() {
    let mut server = server();
    server.feed(batch(&[tool_call("1", None), tool_call("2", None), tool_call("3", None)]));
    server.told();
    let now = server.now();
    server.conn().fail(&3.into(), &ErrorObject::invalid_params("no"), now).unwrap();
    server.conn().abandon(&1.into(), now);
    let not_an_object = server.conn().respond(&2.into(), "text", now);
    assert!(matches!(not_an_object, Err(SendError::Encode(_))));
    assert_eq!(server.said(), [""; 0], "it can still be answered");
    respond(&mut server, 2, "two");
    assert_eq!(
        answers(&server.said()),
        [(json!(3), json!(-32602)), (json!(1), json!(-32603)), (json!(2), json!(true))]
    );
}

/// FIELD-BUGS 69, 13; R-PROG-04, R-PROG-05, R-BATCH-04. Progress is for now, and stands alone.
#[test]
fn progress_of_a_member_leaves_at_once_and_before_the_answers() {
    let mut server = server();
    server.feed(batch(&[tool_call("1", Some("\"t\"")), tool_call("2", None)]));
    server.told();
    let now = server.now();
    let report = |server: &mut Hand<Server>, value: f64| {
        server.conn().report(&1.into(), Progress::new(value), Weight::Ordinary, now).unwrap();
    };
    report(&mut server, 1.0);
    assert_eq!(server.said(), [progress("\"t\"", "1").trim_end()]);
    // So many that some wait; the last of them leaves with the answer at the latest.
    for value in 2..=100 {
        report(&mut server, f64::from(value));
    }
    respond(&mut server, 2, "two");
    respond(&mut server, 1, "one");
    let said = server.said();
    let (last, before) = said.split_last().unwrap();
    assert_eq!(
        answers(std::slice::from_ref(last)),
        [(json!(2), json!(true)), (json!(1), json!(true))]
    );
    assert_eq!(before.last().unwrap(), progress("\"t\"", "100").trim_end());
    server.pass(secs(60));
    assert_eq!(server.said(), [""; 0]);
}

/// FIELD-BUGS 69; R-BATCH-04. One slow request beside many that answer much fills no memory, and stops
/// neither reading nor answering.
#[test]
fn answers_that_wait_are_bounded_and_never_in_the_way() {
    let mut limits = Limits::default();
    limits.max_outbox_len = 10_000;
    let mut server = server_with(limits);
    let members: Vec<String> = (0..100).map(|n| tool_call(&n.to_string(), None)).collect();
    server.feed(batch(&members));
    server.told();
    let (mut said, mut lines_said) = (Vec::new(), 0);
    for n in 1..100 {
        respond(&mut server, n, &"x".repeat(1_000));
        let now = server.said();
        assert!(server.conn().wants_input(), "after {n}");
        assert_ne!(server.conn().deadline_reason(), Some(DeadlineReason::Stall));
        assert!(now.iter().all(|line| line.len() < 12_000));
        lines_said += now.len();
        said.extend(now.iter().flat_map(|line| answers(std::slice::from_ref(line))));
    }
    assert!((9..12).contains(&lines_said), "{lines_said}: about 10 KB in each");
    server.feed(ping("\"still there\"") + "\n");
    assert_eq!(server.said().len(), 1);
    respond(&mut server, 0, "slow");
    let rest = server.said();
    said.extend(answers(&rest));
    let mut ids: Vec<_> = said.iter().map(|(id, _)| id.as_i64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..100).collect::<Vec<_>>(), "each once");
}

/// FIELD-BUGS 69, 75; R-BATCH-04, R-STDIO-02. What is done is told, even if the rest never is.
#[test]
fn a_connection_that_ends_in_between_leaves_what_was_answered() {
    let half_done = || {
        let mut server = server();
        server.feed(batch(&[tool_call("1", None), ping("2"), tool_call("3", None)]));
        server.told();
        respond(&mut server, 3, "three");
        assert_eq!(server.said(), [""; 0]);
        server
    };
    let done = [(json!(2), json!(true)), (json!(3), json!(true))];

    let mut server = half_done();
    server.eof();
    assert_eq!(server.said(), [""; 0], "there is time to drain");
    server.pass(secs(60));
    assert_eq!(answers(&server.said()), done);
    assert!(matches!(
        server.told()[..],
        [Event::Cancelled { .. }, Event::Closed(CloseReason::Eof { .. })]
    ));

    let mut server = half_done();
    server.eof();
    respond(&mut server, 1, "one");
    assert_eq!(answers(&server.said()).len(), 3, "in time");
    assert_eq!(server.told(), [Event::Closed(CloseReason::Eof { unread: 0 })]);

    let mut server = half_done();
    let now = server.now();
    server.conn().close(now);
    assert_eq!(answers(&server.said()), done);

    let mut server = half_done();
    let now = server.now();
    server.conn().handle_transport_error(now);
    assert_eq!(server.said(), [""; 0]);
}

/// FIELD-BUGS 69; R-BATCH-08. An error storm in arrays is one all the same.
#[test]
fn faults_in_batches_spend_the_same_budget_and_the_end_stops_the_rest() {
    let mut limits = Limits::default();
    limits.max_error_answers = 5;
    let mut server = server_with(limits);
    let mut members = vec!["7".to_owned(); 6];
    members.push(tool_call("1", None));
    server.feed(batch(&members));
    let told = server.told();
    assert_eq!(requested(&told), [""; 0], "nothing is executed after the end");
    assert_eq!(told.last(), Some(&Event::Closed(CloseReason::TooManyViolations)));
    assert_eq!(server.said(), [""; 0]);

    let mut limits = Limits::default();
    limits.max_error_answers_per_second = 3;
    let mut server = server_with(limits);
    server.feed(batch(&["7"; 50]));
    assert_eq!(answers(&server.said()).len(), 3);
    assert_eq!(server.told().len(), 50);
}

/// Members that a server may meet; ids are the places, so that none comes twice.
fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => prop::option::of(0..4_i64)
            .prop_map(|token| tool_call("ID", token.map(|token| token.to_string()).as_deref())),
        2 => Just(ping("ID")),
        1 => (0..12_i64).prop_map(|id| cancelled(&id.to_string())),
        1 => Just(NOTIFICATION.to_owned()),
        1 => (0..9_i64).prop_map(result),
        1 => Just("{\"jsonrpc\":\"1.0\",\"id\":ID,\"method\":\"x\"}".to_owned()),
        1 => Just("{\"jsonrpc\":\"2.0\",\"id\":ID,\"method\":\"notifications/x\"}".to_owned()),
        1 => Just("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"x\"}".to_owned()),
        1 => Just("7".to_owned()),
    ]
}

/// What came out: events, answers in the order of their ids, and what is no answer in its own order.
type Outcome = (Vec<Event>, Vec<String>, Vec<Value>);

/// Feeds the stream cut at `cuts`, then answers what was asked in an order that `order` picks.
fn conversation(stream: &str, cuts: &[usize], order: &[usize], ends: bool) -> Outcome {
    let mut server = server();
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    places.extend([0, stream.len()]);
    places.sort_unstable();
    let mut told = Vec::new();
    for pair in places.windows(2) {
        server.feed(&stream.as_bytes()[pair[0]..pair[1]]);
        if pair[1] % 3 == 0 {
            told.extend(server.told());
        }
    }
    told.extend(server.told());
    let mut open: Vec<RequestId> = Vec::new();
    for event in &told {
        match event {
            Event::Request { id, .. } => open.push(id.clone()),
            Event::Cancelled { id, .. } => open.retain(|open| open != id),
            _ => {}
        }
    }
    let now = server.now();
    for (step, pick) in order.iter().cycle().enumerate().take(2 * open.len()) {
        let id = open[pick % open.len()].clone();
        match step % 3 {
            0 => {
                let progress = Progress::new(step as f64);
                let _ = server.conn().report(&id, progress, Weight::Milestone, now);
            }
            1 => drop(server.conn().respond(&id, &CallToolResult::text("done"), now)),
            _ => server.conn().abandon(&id, now),
        }
    }
    for id in &open {
        server.conn().abandon(id, now);
    }
    if ends {
        server.eof();
    }
    let mut answers = Vec::new();
    let mut others = Vec::new();
    for line in lines(&server.said()) {
        let messages = match line {
            Value::Array(messages) => messages,
            message => vec![message],
        };
        for message in messages {
            if message.get("method").is_some() {
                others.push(message);
            } else {
                answers.push(message.to_string());
            }
        }
    }
    answers.sort();
    told.extend(server.told());
    (told, answers, others)
}

proptest! {
    /// R-BATCH-01, R-BATCH-04, R-STDIO-01: a batch is what its members are one by one, but for how its
    /// answers are grouped; and where a read ends means nothing.
    #[test]
    fn a_batch_equals_its_members_one_by_one(
        mut members in prop::collection::vec(member(), 1..12),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
        order in prop::collection::vec(any::<usize>(), 1..20),
        ends in any::<bool>(),
    ) {
        for (place, member) in members.iter_mut().enumerate() {
            *member = member.trim_end().replace("ID", &place.to_string());
        }
        let together = conversation(&batch(&members), &cuts, &order, ends);
        let alone = members.join("\n") + "\n";
        prop_assert_eq!(&together, &conversation(&alone, &[], &order, ends));
    }

    /// R-BATCH-04: several batches at once, whatever is cancelled and whoever answers first: each array
    /// has the answers of one of them.
    #[test]
    fn batches_do_not_mix(
        first in 1..6_usize,
        second in 1..6_usize,
        order in Just((0..12).collect::<Vec<i64>>()).prop_shuffle(),
        gone in prop::collection::vec(0..12_i64, 0..3),
    ) {
        let mut server = server();
        let calls = |ids: std::ops::Range<usize>| -> Vec<String> {
            ids.map(|id| tool_call(&id.to_string(), None)).collect()
        };
        server.feed(batch(&calls(0..first)));
        server.feed(batch(&calls(6..6 + second)));
        server.told();
        for id in &gone {
            server.feed(cancelled(&id.to_string()) + "\n");
        }
        server.told();
        let now = server.now();
        for id in order {
            let _ = server.conn().respond(&id.into(), &CallToolResult::text("done"), now);
        }
        let mut arrays: Vec<Vec<i64>> = Vec::new();
        for line in lines(&server.said()) {
            let answers = line.as_array().unwrap().iter();
            let mut ids: Vec<i64> = answers.map(|answer| answer["id"].as_i64().unwrap()).collect();
            ids.sort_unstable();
            arrays.push(ids);
        }
        arrays.sort();
        let left = |ids: std::ops::Range<usize>| -> Vec<i64> {
            ids.map(|id| id as i64).filter(|id| !gone.contains(id)).collect()
        };
        let mut expected = vec![left(0..first), left(6..6 + second)];
        expected.retain(|ids| !ids.is_empty());
        prop_assert_eq!(arrays, expected);
        prop_assert_eq!(server.conn().requests_in_flight(), 0);
    }
}
