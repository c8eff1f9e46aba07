//! What is taken back: by the peer, by this side, and by what the peer turns out to be.

use super::*;
use crate::error::Violation;
use crate::progress::Weight;
use crate::types::CallToolResult;

fn cancel(id: impl ::core::fmt::Display) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#
    )
}

fn request(revision: Revision, id: u32) -> String {
    match revision.era() {
        Era::Modern => modern_request(id, "tools/call"),
        Era::Legacy => {
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{}}}}"#)
        }
    }
}

/// A server that has answered the requests 7 to 9, and whose client has read nothing of it.
fn answered(revision: Revision) -> Endpoint<Server> {
    let mut server = match revision.era() {
        Era::Modern => new_server(),
        Era::Legacy => server_in(revision, |_| ()),
    };
    for id in 7..10 {
        hear(&mut server, &request(revision, id));
        server.respond(&i64::from(id).into(), &CallToolResult::text("done"), NOW).unwrap();
    }
    told(&mut server);
    server
}

/// R-CANC-06, R-CANC-07. Where answers may come in batches they are one message.
#[test]
fn an_answer_that_waits_does_not_leave_after_its_cancellation() {
    for revision in
        [Revision::V2024_11_05, Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28]
    {
        let mut server = answered(revision);
        hear(&mut server, &cancel(8));
        hear(&mut server, &cancel(8));
        hear(&mut server, &cancel(10));
        assert!(told(&mut server).is_empty(), "{revision}: it is nobody's work any more");
        let said = said(&mut server);
        assert_eq!(said.len(), 2, "{revision}: {said:?}");
        assert!(!said.concat().contains("\"id\":8"), "{revision}: {said:?}");
    }
    let mut server = answered(Revision::V2025_03_26);
    hear(&mut server, &cancel(8));
    assert_eq!(said(&mut server).len(), 3);
}

/// R-CANC-07: a client does not say either what its server has cancelled.
#[test]
fn an_answer_of_a_client_that_waits_is_taken_back_too() {
    for (revision, left) in [(Revision::V2025_03_26, 2), (Revision::V2025_11_25, 1)] {
        let mut client = client_in(revision, |_| ());
        for id in [7, 8] {
            let asks = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"roots/list"}}"#);
            hear(&mut client, &asks);
            client.respond(&id.into(), &EmptyResult {}, NOW).unwrap();
        }
        hear(&mut client, &cancel(7));
        let said = said(&mut client);
        assert_eq!(said.len(), left, "{revision}: {said:?}");
    }
}

/// R-CANC-06: nor does what was said before it. What belongs to another request leaves, and so does what had left.
#[test]
fn what_waits_before_an_answer_goes_with_it() {
    let answers: [fn(&mut Endpoint<Server>); 2] = [
        |server| server.respond(&7.into(), &CallToolResult::text("done"), NOW).unwrap(),
        |server| server.fail(&7.into(), &ErrorObject::internal("no"), NOW).unwrap(),
    ];
    for (answer, has_left) in answers.into_iter().zip([false, true]).chain([(answers[0], true)]) {
        let mut server = new_server();
        for id in [7, 8] {
            hear(&mut server, &modern_request(id, "tools/call"));
            server
                .report(&i64::from(id).into(), Progress::new(1.0), Weight::Ordinary, NOW)
                .unwrap();
            // It waits for its turn until the answer takes it along.
            server
                .report(&i64::from(id).into(), Progress::new(2.0), Weight::Ordinary, NOW)
                .unwrap();
        }
        let notified = server.core.notify_for(&7.into(), "notifications/x", &());
        assert_eq!(notified, Ok(()));
        let before = if has_left { server.poll_transmit() } else { None };
        assert_eq!(before.is_some(), has_left);
        answer(&mut server);
        server.respond(&8.into(), &CallToolResult::text("done"), NOW).unwrap();
        #[cfg(feature = "snapshot")]
        let mut server = {
            let snapshot = server.snapshot(NOW);
            Endpoint::<Server>::restore(snapshot, ServerConfig::new("s", "1"), NOW).unwrap()
        };
        hear(&mut server, &cancel(7));
        let said = said(&mut server);
        assert!(said.iter().all(|said| said.contains(":8")), "{said:?}");
        assert_eq!(said.len(), 3, "{said:?}");
    }
}

/// What an answer that is taken back leaves is room for the reports of others.
#[test]
fn an_answer_that_is_taken_back_makes_room() {
    let mut server = new_server();
    for id in [7, 8] {
        hear(&mut server, &modern_request(id, "tools/call"));
    }
    server.respond(&7.into(), &CallToolResult::text("x".repeat(70_000)), NOW).unwrap();
    server.report(&8.into(), Progress::new(1.0), Weight::Ordinary, NOW).unwrap();
    assert_eq!(server.clone().poll_transmit().map(|it| it.message.len() > 70_000), Some(true));
    assert_eq!(server.poll_timeout(), None, "nobody knows when there will be room");
    hear(&mut server, &cancel(7));
    assert_eq!(server.poll_timeout(), Some(NOW));
    server.handle_timeout(NOW);
    let said = said(&mut server);
    assert!(said.len() == 1 && said[0].contains("\"progressToken\":8"), "{said:?}");
}

/// R-RPC-07, R-ID-03: the client waits for the new one alone, so that one is told with its id that it has come too early.
#[test]
fn a_request_with_the_id_of_a_cancelled_one_is_answered() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let mut server = match revision.era() {
            Era::Modern => new_server(),
            Era::Legacy => server_in(revision, |_| ()),
        };
        hear(&mut server, &request(revision, 7));
        hear(&mut server, &request(revision, 7));
        let refused = said(&mut server).concat();
        assert!(refused.contains("-32600") && !refused.contains("\"id\":7"), "{refused}");
        hear(&mut server, &cancel(7));
        told(&mut server);
        // More of them than broken messages are answered in a second.
        for _ in 0..100 {
            hear(&mut server, &request(revision, 7));
            let refused = said(&mut server).concat();
            assert!(refused.contains("-32600") && refused.contains("\"id\":7"), "{refused}");
        }
        assert!(told(&mut server).iter().all(|event| matches!(event, Event::Violation(_))));
        // Its handler has seen it.
        let late = server.respond(&7.into(), &CallToolResult::text("late"), NOW);
        assert_eq!(late, Err(SendError::Cancelled));
        hear(&mut server, &request(revision, 7));
        server.respond(&7.into(), &CallToolResult::text("anew"), NOW).unwrap();
        assert!(said(&mut server).concat().contains("anew"));
    }
}

#[test]
fn an_id_that_was_used_again_is_the_new_request() {
    let mut server = answered(Revision::V2026_07_28);
    hear(&mut server, &cancel(8));
    hear(&mut server, &request(Revision::V2026_07_28, 8));
    server.respond(&8.into(), &CallToolResult::text("anew"), NOW).unwrap();
    let said = said(&mut server);
    assert_eq!(said.len(), 3);
    assert!(said[2].contains("anew"), "{said:?}");
}

#[test]
fn what_has_begun_to_leave_leaves() {
    let mut server = answered(Revision::V2026_07_28);
    let first = server.core.outbox.lend(10).unwrap().len();
    hear(&mut server, &cancel(7));
    server.core.outbox.advance(first);
    hear(&mut server, &cancel(7));
    let mut left = Vec::new();
    while let Some(chunk) = server.core.outbox.lend(usize::MAX) {
        left.extend_from_slice(chunk);
        let len = chunk.len();
        server.core.outbox.advance(len);
    }
    assert_eq!(String::from_utf8(left).unwrap().lines().count(), 3);
}

/// R-LIFE-07: it cannot be taken back, so its answer is not either.
#[test]
fn the_answer_to_initialize_leaves_in_any_case() {
    let mut server = new_server();
    hear(&mut server, &initialize(Revision::V2025_11_25));
    hear(&mut server, &cancel(0));
    assert!(said(&mut server).concat().contains("protocolVersion"));
}

/// A peer that cancels and never reads costs the same for each message, however much waits.
#[test]
fn what_is_looked_through_for_an_answer_is_bounded() {
    let mut server = answered(Revision::V2026_07_28);
    for id in 10..2_000 {
        hear(&mut server, &modern_request(id, "server/discover"));
    }
    hear(&mut server, &cancel(7));
    hear(&mut server, &cancel(1_500));
    let said = said(&mut server).concat();
    assert!(said.contains("\"id\":7,"), "it is behind too many");
    assert!(!said.contains("\"id\":1500,"));
}

/// R-CANC-17, R-CANC-03
#[test]
fn a_server_ends_a_subscription_and_nothing_else() {
    let mut client = client_in(Revision::V2026_07_28, |_| ());
    let options = CallOptions::default().timeouts(Timeouts::NEVER);
    let listening = client.request_raw("subscriptions/listen", None, options, NOW).unwrap();
    let called = call(&mut client, 10).unwrap();
    // Of what it has never heard it ends nothing.
    said(&mut client);
    hear(&mut client, &cancel(&listening));
    let ended = Event::Response { id: listening.clone(), outcome: Err(CallError::Withdrawn) };
    assert_eq!(told(&mut client), [ended]);
    for id in [&called, &listening, &99.into()] {
        hear(&mut client, &cancel(id));
        let told = told(&mut client);
        match id == &called {
            true => assert!(
                matches!(told[..], [Event::Violation(Violation::UnexpectedMethod(_))]),
                "{told:?}"
            ),
            false => assert!(told.is_empty(), "{told:?}"),
        }
    }
    assert_eq!((client.calls_in_flight(), said(&mut client).len()), (1, 0));
}

#[test]
fn a_cancellation_that_names_no_request_may_name_a_task_in_one_revision() {
    let nothing = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{}}"#;
    for revision in [Revision::V2025_06_18, Revision::V2025_11_25] {
        let mut server = server_in(revision, |_| ());
        hear(&mut server, nothing);
        assert_eq!(told(&mut server).is_empty(), revision == Revision::V2025_11_25, "{revision}");
    }
}

/// A server that turns out to be modern must hear nothing of what it had asked before.
#[test]
fn what_was_said_of_a_request_is_taken_back_with_it() {
    let mut client = new_client(|_| ());
    said(&mut client);
    hear(
        &mut client,
        r#"{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{"_meta":{"progressToken":1}}}"#,
    );
    for n in 0..100 {
        client.report(&1.into(), Progress::new(n.into()), Weight::Ordinary, NOW).unwrap();
    }
    hear(&mut client, &welcome(Revision::V2026_07_28));
    assert!(told(&mut client).iter().any(|event| matches!(event, Event::Cancelled { .. })));
    client.handle_timeout(NOW + Duration::from_secs(1));
    assert!(said(&mut client).is_empty());
    #[cfg(feature = "snapshot")]
    {
        let config = ClientConfig::new("c", "1");
        let snapshot = client.snapshot(NOW);
        Endpoint::<Client>::restore(snapshot, config, NOW).unwrap();
    }
}

/// What only the engine knows when to say.
#[test]
fn an_application_does_not_speak_for_the_engine() {
    let mut client = client_in(Revision::V2025_11_25, |_| ());
    let mut server = server_in(Revision::V2025_11_25, |_| ());
    hear(&mut server, &request(Revision::V2025_11_25, 1));
    for method in ["notifications/cancelled", "notifications/progress", "notifications/initialized"]
    {
        let refused = Err(SendError::Unsupported);
        assert_eq!(client.core.notify(method, &()), refused, "{method}");
        assert_eq!(server.core.notify_for(&1.into(), method, &()), refused, "{method}");
    }
    assert!(said(&mut client).is_empty() && said(&mut server).is_empty());
}

/// R-PROG-02: a token that the engine does not know would be taken for one of its own; and a version would make the
/// request one of another era.
#[test]
fn an_application_has_no_token_and_no_version_of_its_own_in_the_metadata() {
    let own = r#"{"progressToken":7,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"x":{}},"mine":1}"#;
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let mut client = client_in(revision, |_| ());
        let untracked = || CallOptions::default().timeouts(Timeouts::NEVER);
        let params = RawJson::parse(format!(r#"{{"name":"a","_meta":{own}}}"#)).unwrap();
        client.request_raw("tools/call", Some(&params), untracked(), NOW).unwrap();
        // However it is spelled.
        let params = RawJson::parse(format!(r#"{{"name":"a","\u005fm\u0065ta":{own}}}"#)).unwrap();
        client.request_raw("tools/call", Some(&params), untracked(), NOW).unwrap();
        let options = untracked().meta(RawJson::parse(String::from(own)).unwrap());
        client.request_raw("tools/call", None, options, NOW).unwrap();
        for said in said(&mut client) {
            let said: serde_json::Value = serde_json::from_str(&said).unwrap();
            let meta = &said["params"]["_meta"];
            assert_eq!((&meta["mine"], meta.get("progressToken")), (&1.into(), None), "{said}");
            let is_modern = revision.era() == Era::Modern;
            let version = meta.get("io.modelcontextprotocol/protocolVersion").is_some();
            let capabilities = meta.get("io.modelcontextprotocol/clientCapabilities");
            assert_eq!(version, is_modern, "{said}");
            assert_eq!(capabilities, is_modern.then(|| serde_json::json!({})).as_ref(), "{said}");
        }
    }
}
