//! What the handles can do beside calling and answering, on a hand-made runtime.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod runtime;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_proto::driver::{self, Client, Server};
use mcp_proto::progress::ReportError;
use mcp_proto::router::{Context, Router};
use mcp_proto::types::{LogLevel, LogMessage, ServerCapabilities};
use mcp_proto::{
    CallError, CallTool, CallToolResult, ClientConfig, CloseReason, ErrorObject, Progress, RawJson,
    Revision, ServerConfig, Timeouts, Violation,
};
use runtime::*;

/// Lines that listeners have written down.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }
}

/// A client that hears log messages, and a server that sends them.
fn with_logs(world: &mut World, revision: Revision) -> (Client, Server, Notes) {
    let (left, right) = pipe(1 << 20);
    let config = ClientConfig::new("test", "1").revisions(revision).log_level(LogLevel::Info);
    let (client, driver) = driver::client(left, config, world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    let config = ServerConfig::new("test", "1")
        .capabilities(ServerCapabilities::default().tools().logging());
    let (server, driver) = driver::server(right, config, world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    let notes = Notes::default();
    let heard = notes.clone();
    client.on_log(move |message| heard.note(message.data.decode::<String>().unwrap()));
    (client, server, notes)
}

#[test]
fn a_client_waits_until_its_server_is_known_or_the_connection_has_ended() {
    let mut world = World::new();
    let (client, _server) = world.pair(1000, Revision::V2025_11_25);
    assert!(client.peer().is_none());
    let waiting = client.clone();
    let peer = world.run(async move { waiting.ready().await }).unwrap();
    assert_eq!(peer.revision, Revision::V2025_11_25);
    assert!(format!("{client:?}").contains("V2025_11_25"), "{client:?}");

    let (left, right) = pipe(1000);
    let (client, driver) =
        driver::client(left, ClientConfig::new("test", "1"), world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    Wire(right).hang_up();
    let ended = world.run(async move { client.ready().await });
    assert_eq!(ended.unwrap_err(), CloseReason::Eof { unread: 0 });

    let (client, mut wire) = world.client_of_script(1000);
    wire.hang_up();
    let over = client.clone();
    world.run(async move { over.closed().await });
    assert_eq!(world.run(async move { client.ready().await }).unwrap().revision, peer.revision);
}

#[test]
fn the_options_of_a_call_are_seen_on_the_wire() {
    let mut world = World::new();
    let (client, mut wire) = world.client_of_script(1 << 20);
    let idle = Timeouts::NEVER.idle(Duration::from_secs(5));
    let call = || client.call(CallTool::new("x"));
    let trace = RawJson::parse(r#"{"traceparent":"00-1"}"#).unwrap();
    let calls = [
        call(),
        call().timeouts(idle),
        call().timeouts(idle).untracked(),
        call().progress_token("mine"),
        call().meta(trace),
    ];
    let mut running: Vec<_> = calls.into_iter().map(|call| Box::pin(call.outcome())).collect();
    running.iter_mut().for_each(|call| assert!(world.poll(call).is_pending()));
    world.settle();
    let received = wire.received();
    let metas: Vec<_> = received
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|message| message["method"] == "tools/call")
        .map(|message| message["params"]["_meta"].to_string())
        .collect();
    let expected = [
        "null",
        r#"{"progressToken":3}"#,
        "null",
        r#"{"progressToken":"mine"}"#,
        r#"{"traceparent":"00-1"}"#,
    ];
    assert_eq!(metas, expected);
}

#[test]
fn a_call_is_given_up_with_the_reason_that_the_caller_gave() {
    let mut world = World::new();
    let (client, mut wire) = world.client_of_script(1 << 20);
    let mut call = client.call(CallTool::new("x"));
    assert!(call.id().is_none(), "it is not sent before it is awaited");
    assert!(world.poll(&mut Box::pin(call.next_progress())).is_pending());
    world.settle();
    assert!(format!("{call:?}").contains('2') && call.id().is_some(), "{call:?}");
    wire.received();
    call.cancel("seen enough");
    world.settle();
    let cancelled = wire.received();
    assert!(
        cancelled.contains("notifications/cancelled")
            && cancelled.contains(r#""reason":"seen enough""#),
        "{cancelled}"
    );
    assert_eq!(client.calls_in_flight(), 0);
}

#[test]
fn notifications_reach_their_listener_and_a_malformed_one_is_a_violation() {
    struct Custom;
    impl serde::Serialize for Custom {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serde::Serialize::serialize(&std::collections::BTreeMap::from([("a", 1)]), serializer)
        }
    }
    impl mcp_proto::Notification for Custom {
        const METHOD: &'static str = "notifications/custom";
        type Sender = mcp_proto::role::Client;
    }
    let mut world = World::new();
    let (client, mut wire) = world.client_of_script(1 << 20);
    let notes = Notes::default();
    let (heard, wrong) = (notes.clone(), notes.clone());
    client.on_notification(move |method, params| {
        heard.note(format!("{method} {}", params.map(|params| params.as_str()).unwrap_or("-")));
    });
    client.on_violation(move |violation| wrong.note(violation.to_string()));
    wire.send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}\n");
    wire.send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/custom\",\"params\":{\"a\":[1]}}\n");
    wire.send(
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":5}}\n",
    );
    world.settle();
    assert_eq!(
        notes.take(),
        [
            "notifications/tools/list_changed -",
            "notifications/custom {\"a\":[1]}",
            "the parameters of notifications/message cannot be read"
        ]
    );
    client.notify(&Custom).unwrap();
    world.settle();
    assert!(wire.received().contains(r#""method":"notifications/custom","params":{"a":1}"#));
    assert_eq!(client.reports_received(), 0);
}

/// What README says under ²: these handles have no way to answer but this.
#[test]
fn a_request_of_the_server_is_answered_that_there_is_no_such_method_and_a_ping_as_ever() {
    let mut world = World::new();
    let (client, mut wire) = world.client_of_script(1 << 20);
    let methods = ["sampling/createMessage", "elicitation/create", "roots/list", "ping"];
    for (id, method) in methods.iter().enumerate() {
        let meta = r#""params":{"_meta":{"progressToken":1}}"#;
        wire.send(&format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"{method}\",{meta}}}\n"));
    }
    world.settle();
    let received = wire.received();
    let answers: Vec<_> = received.lines().filter(|line| line.contains("\"id\"")).collect();
    assert_eq!(answers.len(), 4, "{received}");
    for (id, answer) in answers.iter().enumerate() {
        let expected = if id == 3 { r#""result":{}"# } else { r#""code":-32601"# };
        assert!(answer.contains(&format!("\"id\":{id},")), "{answer}");
        assert!(answer.contains(expected), "{answer}");
    }
    assert!(!received.contains("notifications/progress"), "{received}");
    assert_eq!(client.calls_in_flight(), 0);
}

#[test]
fn a_list_whose_cursor_stands_still_is_refused() {
    let mut world = World::new();
    let (client, mut wire) = world.client_of_script(1 << 20);
    let notes = Notes::default();
    let done = notes.clone();
    world.spawn(async move {
        match client.list_tools().await {
            Err(CallError::Protocol(Violation::InvalidResponse(why))) => done.note(why.as_str()),
            other => panic!("{other:?}"),
        }
    });
    for id in [2, 3] {
        world.settle();
        assert!(wire.received().contains("tools/list"));
        wire.send(&format!(
            "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"tools\":[],\"nextCursor\":\"a\"}}}}\n"
        ));
    }
    world.settle();
    assert_eq!(notes.take(), ["a list that does not end"]);
}

#[test]
fn a_server_knows_its_client_and_its_requests_and_can_close() {
    let mut world = World::new();
    let (client, mut server, logs) = with_logs(&mut world, Revision::V2025_11_25);
    let notes = Notes::default();
    let ended = notes.clone();
    world.spawn(async move {
        let call = client.call(CallTool::new("x").argument("n", 5));
        ended.note(call.await.unwrap_err().to_string());
    });
    world.settle();
    assert_eq!(server.peer().unwrap().revision, Revision::V2025_11_25);
    assert_eq!(server.requests_in_flight(), 1);
    assert!(format!("{server:?}").starts_with("Server"));
    let (server, request) = world.run(async move {
        let request = server.accept().await.unwrap();
        (server, request)
    });
    assert!(request.raw_params().unwrap().as_str().contains("\"n\":5"));
    assert!(format!("{request:?}").contains("tools/call"), "{request:?}");
    assert!(request.info("at work").unwrap());
    assert!(!request.log(&LogMessage::text(LogLevel::Debug, "too fine")).unwrap());
    world.settle();
    assert_eq!(logs.take(), ["at work"]);
    world.run(async move {
        server.close();
        assert_eq!(server.closed().await, CloseReason::Local);
    });
    world.settle();
    assert_eq!(notes.take(), ["the connection ended: the peer closed it"]);
}

#[test]
fn a_request_that_was_cancelled_before_anybody_saw_it_is_never_seen() {
    let mut world = World::new();
    let (mut server, mut wire) = world.server_of_script();
    wire.send(&modern_call(1, 5));
    wire.send(&modern_call(2, 6));
    world.settle();
    assert_eq!(server.requests_in_flight(), 2);
    wire.send("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}\n");
    world.settle();
    assert_eq!(server.requests_in_flight(), 1);
    let params = world.run(async move {
        let request = server.accept().await.unwrap();
        let params = request.raw_params().unwrap().as_str().to_owned();
        request.fail(&ErrorObject::internal("no")).unwrap();
        params
    });
    assert!(params.contains("\"n\":6"), "{params}");
}

#[test]
fn reports_become_log_messages_where_the_client_gave_no_token() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let mut world = World::new();
        let (client, mut server, logs) = with_logs(&mut world, revision);
        world.spawn(async move {
            let request = server.accept().await.unwrap();
            let reporter = request.reporter().with_log_fallback();
            assert!(format!("{reporter:?}").starts_with("Reporter"));
            reporter.report(Progress::new(1.0).of(50.0).message("a.png")).unwrap();
            reporter.report(Progress::new(2.0)).unwrap();
            for n in 3..=50 {
                reporter.report(Progress::new(n.into()).of(50.0)).unwrap();
            }
            request.respond(&CallToolResult::text("done")).unwrap();
            assert_eq!(reporter.report(Progress::new(51.0)), Err(ReportError::Finished));
        });
        world.run(async move { client.call(CallTool::new("x")).await.unwrap() });
        let logs = logs.take();
        assert_eq!(logs[..3], ["1 of 50: a.png", "2", "3 of 50"]);
        assert_eq!(logs.len(), 32, "as many as reports would leave at once");
    }
}

#[test]
fn a_tool_that_logs_instead_of_progress_hears_of_its_cancellation() {
    for is_tracked in [true, false] {
        let mut world = World::new();
        let (client, mut server, _) = with_logs(&mut world, Revision::V2025_11_25);
        let call = client.call(CallTool::new("x"));
        let mut call = Box::pin(async move {
            if is_tracked { call.on_progress(|_| ()).await } else { call.await }
        });
        assert!(world.poll(&mut call).is_pending());
        world.settle();
        let request = world.run(async move { server.accept().await }).unwrap();
        let reporter = request.reporter().with_log_fallback();
        reporter.report(Progress::new(1.0)).unwrap();
        assert_eq!(reporter.report(Progress::new(f64::NAN)), Err(ReportError::NotFinite));
        drop(call);
        world.settle();
        assert!(request.is_cancelled());
        assert_eq!(reporter.report(Progress::new(2.0)), Err(ReportError::Finished), "{is_tracked}");
    }
}

#[test]
fn a_transport_that_fails_in_either_direction_ends_every_call_in_bounded_time() {
    for fails in [Fails::Read, Fails::Write, Fails::WriteNothing, Fails::Flush] {
        let mut world = World::new();
        let (left, _right) = pipe(1 << 20);
        let config = ClientConfig::new("test", "1").revisions(Revision::V2025_11_25);
        let (client, driver) =
            driver::client(Failing { pipe: left, fails }, config, world.clock.clone());
        world.spawn(async move { drop(driver.await) });
        let (first, second) = (client.call(CallTool::new("a")), client.call(CallTool::new("b")));
        let ended = world.run(async move { [first.await.unwrap_err(), second.await.unwrap_err()] });
        for error in ended {
            let closed = matches!(
                error,
                CallError::Closed(CloseReason::Transport)
                    | CallError::Send(mcp_proto::SendError::Closed)
            );
            assert!(closed, "{fails:?}: {error:?}");
        }
        let taken = Duration::from_nanos(world.clock.0.load(std::sync::atomic::Ordering::Relaxed));
        assert!(taken < Duration::from_secs(10), "{fails:?}: {taken:?}");
    }
}

#[test]
fn a_router_serves_though_its_driver_is_another_task() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let mut world = World::new();
        let (client, server) = world.pair(1 << 16, revision);
        let router = Router::new("test", "1").tool("greet", "", async |_: Context| "hello");
        let ended = Arc::new(Mutex::new(None));
        let end = ended.clone();
        world.spawn(async move {
            let reason = router.serve(server).await;
            *end.lock().unwrap() = Some(reason);
        });
        world.settle();
        for _ in 0..2 {
            let call = client.call(CallTool::new("greet"));
            let result = world.run(call).unwrap();
            assert_eq!(result.content[0].as_text(), Some("hello"), "{revision}");
        }
        drop(client);
        world.settle();
        assert!(ended.lock().unwrap().is_some(), "{revision}");
    }
}

#[test]
fn what_has_ended_before_it_was_accepted_is_handed_to_nobody() {
    let mut world = World::new();
    let (left, right) = pipe(1 << 20);
    let mut config = ServerConfig::new("test", "1");
    config.limits.max_error_answers = 0;
    let (mut server, driver) = driver::server(left, config, world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    // The call and what closes the connection come in one read.
    Wire(right).send(&(modern_call(1, 3) + "no message\n"));
    let (accepted, reason) = world.run(async move {
        let accepted = server.accept().await.map(|incoming| incoming.id().clone());
        (accepted, server.closed().await)
    });
    assert_eq!((accepted, reason), (None, CloseReason::TooManyViolations));
}
