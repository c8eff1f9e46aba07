//! Requests of the server to its client (2025-03-26 to 2025-11-25) that have no way to it.

use http::Method;
use mcp_proto::http::ServerOptions;
use mcp_proto::{CallError, CallOptions, CallToolResult, Event, SendError, ServerConfig};
use mcp_tests::secs;
use mcp_tests::web::{Web, bare, call, get, in_session};
use serde_json::json;

use super::sessions::REVISIONS;

/// FIELD-BUGS 67; R-HTTP-13, R-HTTP-24. Its author waited for ever for an answer to what nobody was asked.
#[test]
fn where_only_json_is_taken_a_question_about_the_call_is_refused_at_once() {
    for revision in REVISIONS {
        for has_stream in [false, true] {
            let mut web = Web::new();
            let session = web.open(revision);
            let stream = has_stream.then(|| web.send(get(&session, revision, None)).unwrap());
            stream.map(|stream| web.take(stream));
            let mut request = in_session(&call(json!(1), "ask"), &session, revision);
            request.headers_mut().insert("accept", "application/json".parse().unwrap());
            let exchange = web.send(request).unwrap();
            let (scope, id) = web.request();
            let now = web.now;
            let endpoint = web.server.endpoint_mut(scope).unwrap();
            for method in ["elicitation/create", "sampling/createMessage", "roots/list"] {
                let options = CallOptions::default().related(id.clone());
                let refused = endpoint.request_raw(method, None, options, now);
                assert_eq!(refused, Err(SendError::Undeliverable), "{revision} {has_stream}");
            }
            assert_eq!(endpoint.calls_in_flight(), 0);
            // The call goes on, and nothing of it is on any stream.
            endpoint.respond(&id, &CallToolResult::text("asked nobody"), now).unwrap();
            let answer = web.take(exchange);
            assert_eq!((answer.status(), answer.is_stream()), (200, false));
            assert_eq!(answer.json()["result"]["content"][0]["text"], "asked nobody");
            if let Some(stream) = stream {
                assert!(web.take(stream).body.is_empty(), "{revision}");
            }
        }
    }
}

/// How a session is left.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Left {
    /// Its client deletes it.
    Deleted,
    /// Nobody comes any more.
    Idle,
}

/// FIELD-BUGS 67; R-HTTP-23, R-TIME-01. What belongs to no call waits for a stream, and not for ever: its deadline runs
/// from the first moment, and with the session it ends at once.
#[test]
fn a_question_that_nobody_opens_a_stream_for_ends_by_its_deadline_or_with_its_session() {
    for revision in REVISIONS {
        for (limit, left) in [(30, None), (30, Some(Left::Deleted)), (1_000, Some(Left::Idle))] {
            // An idle session ends after 300 s.
            let mut web = Web::with(ServerConfig::new("s", "1"), ServerOptions::default());
            let session = web.open(revision);
            let exchange = web.send(in_session(&call(json!(1), "x"), &session, revision)).unwrap();
            let (scope, id) = web.request();
            let now = web.now;
            let endpoint = web.server.endpoint_mut(scope).unwrap();
            let timeouts = mcp_proto::Timeouts::default().idle(secs(limit));
            let options = CallOptions::default().timeouts(timeouts);
            let asked = endpoint.request_raw("roots/list", None, options, now).unwrap();
            endpoint.respond(&id, &CallToolResult::text("done"), now).unwrap();
            assert_eq!(web.take(exchange).status(), 200, "the call does not wait for it");
            match left {
                None => web.pass(secs(limit) - std::time::Duration::from_nanos(1)),
                Some(Left::Deleted) => {}
                Some(Left::Idle) => web.pass(secs(300) - std::time::Duration::from_nanos(1)),
            }
            assert!(web.events.is_empty(), "{revision} {left:?}: {:?}", web.events);
            assert_eq!(web.server.endpoint_mut(scope).unwrap().calls_in_flight(), 1);
            if left == Some(Left::Deleted) {
                let delete =
                    bare(Method::DELETE, Default::default(), &[("mcp-session-id", &session)]);
                assert_eq!(web.ask(delete).status(), 204);
            } else {
                web.pass(std::time::Duration::from_nanos(1));
            }
            web.listen();
            let outcomes = |(of, event): (_, _)| match event {
                Event::Response { id, outcome: Err(error) } => {
                    assert_eq!((of, id), (scope, asked.clone()));
                    Some(error)
                }
                _ => None,
            };
            let ended: Vec<_> =
                std::mem::take(&mut web.events).into_iter().filter_map(outcomes).collect();
            match left {
                None => assert!(matches!(&ended[..], [CallError::TimedOut(_)]), "{ended:?}"),
                Some(_) => assert!(matches!(&ended[..], [CallError::Closed(_)]), "{ended:?}"),
            }
        }
    }
}
