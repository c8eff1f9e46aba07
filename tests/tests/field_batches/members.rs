//! The members of a batch are messages like any other.

use mcp_proto::{CallOptions, Event, Violation};
use mcp_tests::{endings, progress, result, tool_call, values, violations};
use serde_json::json;

use super::{NOTIFICATION, answers, batch, cancelled, client, ping, requested, respond, server};

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
