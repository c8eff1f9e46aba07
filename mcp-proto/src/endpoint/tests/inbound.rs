//! What a message is taken for.

use alloc::string::ToString;

use super::*;
use crate::error::Violation;

/// 2026-07-28 basic/index: absent means complete, and what a client does not know is invalid.
#[test]
fn a_result_that_is_not_complete_is_none() {
    let outcome = |revision: Revision, kind: &str| {
        let mut client = client_in(revision, |_| ());
        let id = call(&mut client, 10).unwrap();
        hear(&mut client, &format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{{kind}"x":1}}}}"#));
        match told(&mut client).pop() {
            Some(Event::Response { outcome, .. }) => outcome.err().map(|error| format!("{error}")),
            other => panic!("{other:?}"),
        }
    };
    let modern = |kind: &str| outcome(Revision::V2026_07_28, kind);
    for kind in ["", r#""resultType":"complete","#, r#""resultType":"comp\u006cete","#] {
        assert_eq!(modern(kind), None, "{kind}");
    }
    for (kind, why) in [
        (r#""resultType":"input_required","#, "input is required that was not offered"),
        (r#""resultType":"other","#, "unknown resultType"),
        (r#""resultType":"input_","#, "unknown resultType"),
        (r#""resultType":1,"#, "unknown resultType"),
    ] {
        assert!(modern(kind).is_some_and(|said| said.contains(why)), "{kind}: {:?}", modern(kind));
        assert_eq!(outcome(Revision::V2025_11_25, kind), None, "{kind}");
    }
}

/// A call ends with an answer that begins so and is too long, and nothing is said to that.
fn is_ended_by<R: Role>(end: &mut Endpoint<R>, answer: &str) {
    let before = end.calls_in_flight();
    let id = call(end, 10).unwrap();
    said(end);
    end.core_mut().handle_too_long(answer.replace("ID", &id.to_string()).as_bytes(), NOW);
    let too_long = Violation::TooLong { limit: end.core.limits.max_message_len };
    let outcome = Err(CallError::Protocol(too_long.clone()));
    let expected = [Event::Response { id, outcome }, Event::Violation(too_long)];
    assert_eq!(told(end), expected, "{answer}");
    assert_eq!((end.calls_in_flight(), said(end).len()), (before, 0), "{answer}");
}

/// A call whose answer was too long waits for nothing more; one that is only named in a long request does. Both sides count
/// their ids from 1, so what the head of a line shows decides whose id it is.
#[test]
fn an_answer_that_is_too_long_ends_its_call_and_a_request_that_is_does_not() {
    let mut client = client_in(Revision::V2025_11_25, |_| ());
    let too_long = Violation::TooLong { limit: client.core.limits.max_message_len };
    let id = call(&mut client, 10).unwrap();
    said(&mut client);
    for request in [
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"x","params":{{"long"#),
        format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"lo"#),
        format!(r#"{{"id":{id},"params":{{"long"#),
        format!(r#"{{"id":{id},"p\u0061rams":"long"#),
        format!(r#"{{"id":{id},"other":"long"#),
    ] {
        client.core_mut().handle_too_long(request.as_bytes(), NOW);
        assert_eq!(told(&mut client), [Event::Violation(too_long.clone())], "{request}");
        assert_eq!((client.calls_in_flight(), said(&mut client).len()), (1, 0), "{request}");
    }
    let answers = [
        r#"{"jsonrpc":"2.0","id":ID,"result":{"long"#,
        r#"{"id":ID,"r\u0065sult":{"long"#,
        r#"{"id":ID,"error":{"long"#,
        r#"{"error":{"code":1,"message":""},"id":ID,"long"#,
        r#"{"id":"ID","result":{"long"#,
    ];
    // At a server it is the same.
    let mut server = server_in(Revision::V2025_11_25, |_| ());
    for answer in answers {
        is_ended_by(&mut client, answer);
        is_ended_by(&mut server, answer);
    }
    // A request is refused by its id, and what may be either by none.
    let id = call(&mut server, 10).unwrap();
    said(&mut server);
    let refused = |server: &mut Endpoint<Server>, head: &str| {
        server.core_mut().handle_too_long(head.as_bytes(), NOW);
        let refusal: serde_json::Value = serde_json::from_str(&said(server).concat()).unwrap();
        (refusal["id"].clone(), refusal["error"]["code"].as_i64())
    };
    let request = format!(r#"{{"id":{id},"params":{{"long"#);
    assert_eq!(refused(&mut server, &request), (serde_json::json!(id), Some(-32600)));
    let either = format!(r#"{{"id":{id},"other":"long"#);
    assert_eq!(refused(&mut server, &either), (serde_json::Value::Null, Some(-32600)));
    assert_eq!(server.calls_in_flight(), 1);
}

/// The head of a long line may end in the middle of a character.
#[test]
fn a_line_that_is_cut_in_a_character_is_still_an_answer() {
    let mut client = client_in(Revision::V2025_11_25, |_| ());
    let text = "完成".as_bytes();
    for cut in 0..=text.len() {
        let id = call(&mut client, 10).unwrap();
        said(&mut client);
        let head = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"text":"#);
        let head = [head.as_bytes(), b"\"", &text[..cut]].concat();
        client.core_mut().handle_too_long(&head, NOW);
        assert_eq!(client.calls_in_flight(), 0, "{cut}");
    }
    let id = call(&mut client, 10).unwrap();
    said(&mut client);
    let head = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"text\":\"");
    client.core_mut().handle_too_long(&[head.as_bytes(), b"\xff and more"].concat(), NOW);
    assert_eq!(client.calls_in_flight(), 1, "it is no text");
}

#[test]
fn an_answer_that_cannot_be_read_ends_its_call_whatever_the_type_of_its_id() {
    let mut client = client_in(Revision::V2025_11_25, |_| ());
    for written in ["ID", "\"ID\"", "ID.0"] {
        let id = call(&mut client, 10).unwrap();
        said(&mut client);
        let written = written.replace("ID", &id.to_string());
        let answer = format!(r#"{{"jsonrpc":"2.0","id":{written},"result":null}}"#);
        hear(&mut client, &answer);
        assert!(
            matches!(&told(&mut client)[..], [Event::Response { id: ended, outcome: Err(CallError::Protocol(_)) }, ..] if *ended == id),
            "{answer}"
        );
    }
}

/// R-RT-03: it makes the answer invalid, so it is none; older servers answer anything to what they do not know.
#[test]
fn a_description_that_is_not_complete_is_no_modern_server() {
    for kind in ["\"bogus\"", "\"input_required\"", "7"] {
        let hello = format!(
            r#"{{"jsonrpc":"2.0","id":1,"result":{{"resultType":{kind},"supportedVersions":["2026-07-28"],"capabilities":{{}}}}}}"#
        );
        let mut client = new_client(|config| config.revisions = Revision::V2026_07_28.into());
        said(&mut client);
        hear(&mut client, &hello);
        assert_eq!(told(&mut client), [Event::Closed(CloseReason::HandshakeInvalid)], "{kind}");
        let mut client = new_client(|_| ());
        said(&mut client);
        hear(&mut client, &hello);
        assert!(told(&mut client).is_empty(), "{kind}");
        assert!(said(&mut client).concat().contains("\"initialize\""), "{kind}");
    }
}

/// JSON-RPC has null there, and no revision from 2025-11-25 on allows it.
#[test]
fn an_error_without_request_has_no_null_for_a_client_that_has_spoken_modern() {
    let refusal = |before: &[&str]| {
        let mut server = new_server();
        before.iter().for_each(|message| hear(&mut server, message));
        said(&mut server);
        hear(&mut server, "no message");
        let refusal: serde_json::Value = serde_json::from_str(&said(&mut server).concat()).unwrap();
        refusal.get("id").cloned()
    };
    assert_eq!(refusal(&[]), Some(serde_json::Value::Null));
    assert_eq!(refusal(&[&modern_request(1, "tools/list")]), None);
    assert_eq!(refusal(&[&modern_request(1, "server/discover")]), None);
    assert_eq!(refusal(&[&initialize(Revision::V2024_11_05)]), Some(serde_json::Value::Null));
}

/// Nobody has had the number 0.
#[test]
fn what_was_never_given_out_is_unknown_and_what_was_is_late() {
    let mut client = client_in(Revision::V2025_11_25, |_| ());
    for (number, is_late) in [(-1, false), (0, false), (1, true), (2, false)] {
        hear(&mut client, &format!(r#"{{"jsonrpc":"2.0","id":{number},"result":{{}}}}"#));
        let token = format!(r#"{{"progressToken":{number},"progress":1}}"#);
        hear(
            &mut client,
            &format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{token}}}"#),
        );
        let expected = match is_late {
            true => {
                [Violation::LateResponse(number.into()), Violation::LateProgress(number.into())]
            }
            false => {
                [Violation::UnknownResponse(number.into()), Violation::UnknownToken(number.into())]
            }
        };
        assert_eq!(told(&mut client), expected.map(Event::Violation));
    }
}

#[test]
fn the_name_of_a_notification_is_as_long_as_the_limit_and_no_longer() {
    let mut client = client_in(Revision::V2025_11_25, |config| config.limits.max_method_len = 20);
    for (len, is_told) in [(20, true), (21, false)] {
        let method = "m".repeat(len);
        hear(&mut client, &format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#));
        let told = told(&mut client);
        assert_eq!(matches!(told[..], [Event::Notification { .. }]), is_told, "{told:?}");
    }
}

/// R-VER-17: methods of the one era are unknown in the other.
#[test]
fn each_era_has_methods_that_the_other_has_not() {
    let unknown = |server: &mut Endpoint<Server>, request: &str| {
        hear(server, request);
        let is_told = told(server).iter().any(|event| matches!(event, Event::Request { .. }));
        let is_refused = said(server).concat().contains("-32601");
        assert!(is_told != is_refused, "{request}");
        is_refused
    };
    let mut modern = new_server();
    let mut legacy = server_in(Revision::V2025_11_25, |_| ());
    for (number, (method, in_legacy, in_modern)) in (1..).zip([
        ("subscriptions/listen", false, true),
        ("tasks/update", false, true),
        ("tasks/list", true, false),
        ("tasks/result", true, false),
        ("resources/subscribe", true, false),
        ("tasks/get", true, true),
    ]) {
        let request = format!(r#"{{"jsonrpc":"2.0","id":{number},"method":"{method}"}}"#);
        assert_eq!(!unknown(&mut legacy, &request), in_legacy, "{method}");
        assert_eq!(!unknown(&mut modern, &modern_request(number, method)), in_modern, "{method}");
    }
}

/// R-ERR-02, R-ERR-04: an application may come from a revision that had them.
#[test]
fn a_code_that_must_not_be_said_is_replaced() {
    for (code, modern) in [
        (-32002, -32602),
        (-32042, -32603),
        (-32050, -32603),
        (-32099, -32603),
        (-32020, -32020),
        (-32021, -32021),
        (-32022, -32022),
        (-32019, -32019),
        (-32100, -32100),
        (7, 7),
    ] {
        for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
            let mut server = match revision.era() {
                Era::Modern => new_server(),
                Era::Legacy => server_in(revision, |_| ()),
            };
            match revision.era() {
                Era::Modern => hear(&mut server, &modern_request(1, "x")),
                Era::Legacy => hear(&mut server, r#"{"jsonrpc":"2.0","id":1,"method":"x"}"#),
            }
            let error = ErrorObject::new(code, "why").data(RawJson::empty_object());
            server.fail(&1.into(), &error, NOW).unwrap();
            let said: serde_json::Value =
                serde_json::from_str(&said(&mut server).concat()).unwrap();
            let expected = if revision.era() == Era::Modern { modern } else { code };
            let expected = serde_json::json!({"code": expected, "message": "why", "data": {}});
            assert_eq!(said["error"], expected, "{revision}");
        }
    }
}

/// No method is longer than a name may be; one that is just as long is the application's affair.
#[test]
fn a_method_of_just_the_limit_is_told() {
    let mut server = new_server();
    let most = server.core.limits.max_method_len;
    for (len, is_told) in [(most, true), (most + 1, false)] {
        hear(&mut server, &modern_request(7, &"m".repeat(len)));
        let told = told(&mut server);
        assert_eq!(matches!(told[..], [Event::Request { .. }]), is_told, "{len}: {told:?}");
        assert_eq!(said(&mut server).concat().contains("-32601"), !is_told);
        server.abandon(&7.into(), NOW);
        said(&mut server);
    }
}
