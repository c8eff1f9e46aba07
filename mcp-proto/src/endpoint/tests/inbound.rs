//! What a message is taken for.

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

/// A call whose answer was too long waits for nothing more; one that is only named in a long request does.
#[test]
fn an_answer_that_is_too_long_ends_its_call_and_a_request_that_is_does_not() {
    let mut client = client_in(Revision::V2025_11_25, |_| ());
    let id = call(&mut client, 10).unwrap();
    said(&mut client);
    let too_long = Violation::TooLong { limit: client.core.limits.max_message_len };
    let request = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"x","params":{{"long"#);
    client.core_mut().handle_too_long(request.as_bytes(), NOW);
    assert_eq!(told(&mut client), [Event::Violation(too_long.clone())]);
    assert_eq!((client.calls_in_flight(), said(&mut client).len()), (1, 0));
    let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"long"#);
    client.core_mut().handle_too_long(answer.as_bytes(), NOW);
    let outcome = Err(CallError::Protocol(too_long.clone()));
    assert_eq!(told(&mut client), [Event::Response { id, outcome }, Event::Violation(too_long)]);
    // A server takes it for a request, whatever its head shows.
    let mut server = server_in(Revision::V2025_11_25, |_| ());
    let id = call(&mut server, 10).unwrap();
    said(&mut server);
    let answer = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"long"#);
    server.core_mut().handle_too_long(answer.as_bytes(), NOW);
    assert_eq!((server.calls_in_flight(), said(&mut server).len()), (1, 1));
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
