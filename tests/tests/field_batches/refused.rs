//! What is refused: members, whole batches, and batches where there are none.

use mcp_proto::{CallOptions, CloseReason, Event, Limits, Revision, ServerConfig, Violation};
use mcp_tests::{Hand, endings, handshake, result, tool_call, violations};
use serde_json::{Value, json};

use super::{
    REVISION, answers, batch, client, lines, outcome, ping, requested, respond, server, server_with,
};

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
