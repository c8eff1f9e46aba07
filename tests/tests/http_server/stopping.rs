//! A server that stops: what never ends by itself ends at once (R-SUB-08, R-SUB-09).

use bytes::Bytes;
use http::Method;
use mcp_proto::http::{Body, ServerOptions};
use mcp_proto::{CallToolResult, Event, Revision, SendError, ServerConfig, role};
use mcp_tests::web::{Web, bare, call, initialize, modern, modern_call, to_announced};
use serde_json::json;

#[derive(serde::Serialize, serde::Deserialize)]
struct Acknowledged {}

impl mcp_proto::Notification for Acknowledged {
    const METHOD: &'static str = "notifications/subscriptions/acknowledged";
    type Sender = role::Server;
}

#[test]
fn a_subscription_ends_with_its_result_and_its_handler_is_told() {
    for id in [json!(7), json!("seven")] {
        let mut web = Web::new();
        let listening = web.send(modern(id.clone(), "subscriptions/listen", json!({}))).unwrap();
        let (scope, request) = web.request();
        let endpoint = web.server.endpoint_mut(scope).unwrap();
        endpoint.notify_for(&request, &Acknowledged {}).unwrap();
        let running = web.send(modern_call(json!(1), "work")).unwrap();
        let (other, other_id) = web.request();
        let now = web.now;
        web.server.drain(now);
        assert!(web.server.poll_ready().is_some(), "whoever reads it is woken");

        let answer = web.take(listening);
        let messages = answer.messages();
        assert_eq!(messages.len(), 2, "{messages:?}");
        assert_eq!(messages[0]["method"], "notifications/subscriptions/acknowledged");
        assert_eq!(
            (&messages[1]["id"], &messages[1]["result"]["resultType"]),
            (&id, &json!("complete"))
        );
        assert_eq!(messages[1]["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], id);
        assert_eq!(answer.end, Some(Body::End));
        web.listen();
        assert!(matches!(web.events.last(), Some((of, Event::Cancelled { .. })) if *of == scope));
        let endpoint = web.server.endpoint_mut(scope).unwrap();
        assert_eq!(endpoint.notify_for(&request, &Acknowledged {}), Err(SendError::Cancelled));

        // It waits for the handler, and for the call that is under way.
        let endpoint = web.server.endpoint_mut(scope).unwrap();
        endpoint.abandon(&request, now);
        assert!(!web.server.is_closed());
        let endpoint = web.server.endpoint_mut(other).unwrap();
        endpoint.respond(&other_id, &CallToolResult::text("done"), now).unwrap();
        assert_eq!(web.take(running).json()["id"], 1, "it was left alone");
        assert!(web.server.is_closed());
        web.listen();
        assert_eq!(web.server.poll_timeout(), None);
    }
}

#[test]
fn one_that_was_not_acknowledged_is_refused() {
    // R-SUB-01: nothing but the acknowledgement may come first.
    let mut web = Web::new();
    let exchange = web.send(modern(json!(1), "subscriptions/listen", json!({}))).unwrap();
    let (scope, id) = web.request();
    let now = web.now;
    web.server.drain(now);
    let answer = web.take(exchange);
    assert_eq!((answer.status(), answer.code().is_some()), (503, true));
    assert_eq!(answer.end, Some(Body::End));
    web.server.endpoint_mut(scope).unwrap().abandon(&id, now);
    web.listen();
    assert!(web.server.is_closed());
}

#[test]
fn closing_says_it_too() {
    let mut web = Web::new();
    let exchange = web.send(modern(json!(1), "subscriptions/listen", json!({}))).unwrap();
    let (scope, id) = web.request();
    web.server.endpoint_mut(scope).unwrap().notify_for(&id, &Acknowledged {}).unwrap();
    let now = web.now;
    web.server.close(now);
    let answer = web.take(exchange);
    assert_eq!(answer.messages()[1]["result"]["resultType"], "complete");
    web.listen();
    let cancelled = |(_, event): &&(_, Event)| matches!(event, Event::Cancelled { .. });
    assert_eq!(web.events.iter().filter(cancelled).count(), 1, "{:?}", web.events);
}

#[test]
fn a_stream_of_http_sse_ends_once_nothing_runs_in_it() {
    for is_running in [false, true] {
        let mut web = Web::with(ServerConfig::new("s", "1"), ServerOptions::default().http_sse());
        let stream = bare(Method::GET, Bytes::new(), &[("accept", "text/event-stream")]);
        let exchange = web.send(stream).unwrap();
        let address = web.take(exchange).events()[0].data.clone();
        let to = |message: &serde_json::Value| to_announced(&address, message);
        web.ask(to(&initialize(Revision::V2024_11_05)));
        web.ask(to(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"})));
        web.take(exchange);
        if is_running {
            web.ask(to(&call(json!(1), "work")));
        }
        let running = web.requests();
        let now = web.now;
        web.server.drain(now);
        if let Some((scope, id)) = running.first() {
            assert_eq!(web.take(exchange).end, None, "its answer has no other way");
            let endpoint = web.server.endpoint_mut(*scope).unwrap();
            let asked = endpoint.request_raw("roots/list", None, Default::default(), now).unwrap();
            assert_eq!(web.take(exchange).messages().len(), 1);
            let roots = json!({"jsonrpc": "2.0", "id": asked.as_i64(), "result": {"roots": []}});
            assert_eq!(web.ask(to(&roots)).status(), 202, "and it may need this for it");
            let endpoint = web.server.endpoint_mut(*scope).unwrap();
            endpoint.respond(id, &CallToolResult::text("done"), now).unwrap();
        }
        assert_eq!(web.server.poll_ready(), Some(exchange));
        let answer = web.take(exchange);
        assert_eq!(answer.messages().len(), usize::from(is_running), "{answer:?}");
        assert_eq!(answer.end, Some(Body::End));
        web.listen();
        assert!(web.server.is_closed());
        assert_eq!((web.server.sessions(), web.server.poll_timeout()), (0, None));
    }
}
