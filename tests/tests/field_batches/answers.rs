//! The answers to a batch: when they leave, and what is kept until then.

use mcp_proto::progress::Weight;
use mcp_proto::role::Server;
use mcp_proto::{
    CallToolResult, CloseReason, DeadlineReason, ErrorObject, Event, Limits, Progress, SendError,
    Violation,
};
use mcp_tests::{Hand, progress, secs, tool_call, violations};
use serde_json::{Value, json};

use super::{
    answers, batch, cancelled, lines, outcome, ping, requested, respond, server, server_with,
};

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
