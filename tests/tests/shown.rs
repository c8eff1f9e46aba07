//! What errors say to people, and what types show of themselves to whoever debugs.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use http::HeaderValue;
use http::header::AUTHORIZATION;
use mcp_proto::http::{Client as HttpClient, ClientOptions, Server as HttpServer, ServerOptions};
use mcp_proto::json::EncodeError;
use mcp_proto::router::{Router, ToolError};
use mcp_proto::testing::{Clock, Memory, SimNet};
use mcp_proto::types::Ping;
use mcp_proto::{
    CallError, CallOptions, CallTool, CallToolResult, ClientConfig, ErrorObject, HttpError,
    Instant, RawJson, Revision, SendError, ServerConfig, Violation, role,
};
use mcp_tests::Hand;
use mcp_tests::shown::shows;

/// One line, as a part of a sentence.
#[track_caller]
fn is_part_of_a_sentence(error: &impl Display) -> String {
    let text = error.to_string();
    assert!((5..200).contains(&text.len()), "{text:?}");
    assert!(!text.contains('\n') && !text.ends_with('.'), "{text:?}");
    assert!(!text.starts_with(|first: char| first.is_uppercase()), "{text:?}");
    text
}

fn are_all_told_apart<E: Display>(errors: &[E]) {
    let texts: BTreeSet<_> = errors.iter().map(is_part_of_a_sentence).collect();
    assert_eq!(texts.len(), errors.len(), "{texts:#?}");
}

fn refused() -> EncodeError {
    serde::ser::Error::custom("a map in which a key is no text")
}

#[test]
fn every_error_says_in_a_line_what_happened_and_no_two_say_the_same() {
    let what_was_not_sent = [
        SendError::Cancelled,
        SendError::Closed,
        SendError::Encode(refused()),
        SendError::NotReady,
        SendError::OutboxFull,
        SendError::TokenTooLong,
        SendError::TokenInUse,
        SendError::TooManyCalls,
        SendError::Undeliverable,
        SendError::UnknownRequest,
        SendError::Unsupported,
    ];
    are_all_told_apart(&what_was_not_sent);
    let told = is_part_of_a_sentence(&SendError::Encode(refused()));
    assert!(told.ends_with("a map in which a key is no text"), "{told}");

    let what_failed_over_http = [
        HttpError::Unreachable,
        HttpError::Cut,
        HttpError::Status { status: 502, text: "bad gateway".into() },
        HttpError::NoAnswer,
        HttpError::ContentType,
        HttpError::TooLong { limit: 7 },
        HttpError::SessionExpired,
        HttpError::BadSession,
        HttpError::BadAddress,
        HttpError::TimedOut,
    ];
    are_all_told_apart(&what_failed_over_http);

    let id = || 7.into();
    let violations = [
        Violation::NotAMessage("no method".into()),
        Violation::TooLong { limit: 7 },
        Violation::Batch,
        Violation::BatchTooLong { limit: 7 },
        Violation::DuplicateId(id()),
        Violation::TooManyRequests,
        Violation::LateResponse(id()),
        Violation::UnknownResponse(id()),
        Violation::AnonymousError(ErrorObject::new(-32700, "what was that")),
        Violation::LenientId(id()),
        Violation::InvalidResponse("neither result nor error".into()),
        Violation::LateProgress(7.into()),
        Violation::UnknownToken(7.into()),
        Violation::LenientToken(7.into()),
        Violation::BadToken,
        Violation::BadProgress,
        Violation::NotIncreasing { id: id(), last: 2.0, progress: 1.0 },
        Violation::UnexpectedMethod("initialize again".into()),
        Violation::BadNotification("notifications/progress".into()),
        Violation::BadTool { tool: "t".into(), why: "no name".into() },
        Violation::Http(HttpError::Cut),
        Violation::More(7),
    ];
    are_all_told_apart(&violations);

    let decoded = RawJson::parse("7").unwrap().decode::<bool>().unwrap_err();
    let ends = [
        CallError::Cancelled,
        CallError::Decode(decoded),
        CallError::Http(HttpError::Cut),
        CallError::Peer(ErrorObject::new(-7, "no such tool")),
        CallError::Protocol(Violation::BadToken),
        CallError::Send(SendError::OutboxFull),
    ];
    are_all_told_apart(&ends);
}

#[test]
fn what_is_shown_of_machines_over_http_tells_their_state_and_no_credentials() {
    let secret = HeaderValue::from_static("Bearer hunter2");
    let options = ClientOptions::default().header(AUTHORIZATION, secret);
    let config = ClientConfig::new("c", "1").revisions(Revision::LATEST_LEGACY);
    let uri = "http://127.0.0.1/mcp".parse().unwrap();
    let mut client = HttpClient::new(config, uri, options, Instant::ZERO);
    shows(&client, &["Client", "127.0.0.1/mcp"]);
    client.close(Instant::ZERO);

    let server = HttpServer::new(ServerConfig::new("s", "1"), ServerOptions::default());
    shows(&server, &["Server", "sessions: 0", "requests_in_flight: 0"]);
    let (server, service, _driver) = mcp_proto::driver::http::serve(
        ServerConfig::new("s", "1"),
        ServerOptions::default(),
        Clock::new(),
    );
    shows(&server, &["Server"]);
    shows(&service, &["Service", "sessions: 0"]);
}

#[test]
fn what_is_shown_of_small_types_is_what_they_are() {
    shows(&Ping::<role::Client>::default(), &["Ping"]);
    let mut client = Hand::client();
    let now = client.now();
    let ticket = client.conn().request(&CallTool::new("t"), CallOptions::default(), now).unwrap();
    shows(&ticket.clone(), &["Ticket", &ticket.id().to_string()]);

    shows(&ToolError::new("out of paper"), &["ToolError", "out of paper"]);
    let error = ErrorObject::new(-7, "no such page");
    shows(&ToolError::protocol(error), &["ToolError", "no such page"]);
    let decoded = RawJson::parse("7").unwrap().decode::<bool>().unwrap_err();
    shows(&ToolError::arguments(decoded), &["ToolError"]);

    let net = SimNet::new(7);
    assert_eq!((net.seed(), net.to_string()), (7, "SimNet with seed 7".to_owned()));
    shows(&net, &["SimNet", "seed: 7"]);
}

fn schema() -> RawJson {
    RawJson::parse(r#"{"type":"object"}"#).unwrap()
}

#[test]
fn what_a_tool_sees_of_its_request_is_shown() {
    let shown = Arc::new(Mutex::new(String::new()));
    let seen = shown.clone();
    let router = Router::new("s", "1").raw_tool(
        mcp_proto::Tool::new("show", schema()),
        move |ctx: mcp_proto::router::Context, _: Option<RawJson>| {
            *seen.lock().unwrap() = format!("{ctx:?}");
            async { CallToolResult::text("shown") }
        },
    );
    let mut memory = Memory::new(router, ClientConfig::new("c", "1"), Clock::new());
    let call = memory.client().call(CallTool::new("show"));
    memory.run(call).unwrap();
    let shown = shown.lock().unwrap().clone();
    assert!(shown.contains("Context") && shown.contains("V2026_07_28"), "{shown}");
    shows(&memory, &["Memory", "Client"]);
}

#[test]
fn a_router_in_memory_tells_of_a_deadlock_instead_of_waiting_for_ever() {
    let router = || {
        Router::new("s", "1").raw_tool(
            mcp_proto::Tool::new("stuck", schema()),
            |_: mcp_proto::router::Context, _: Option<RawJson>| pending::<CallToolResult>(),
        )
    };
    let config = || {
        let never = mcp_proto::Timeouts::NEVER;
        ClientConfig::new("c", "1").timeouts(never)
    };
    let told = |closes: bool| {
        let mut memory = Memory::new(router(), config(), Clock::new());
        let client = memory.client().clone();
        memory.run(client.ready()).unwrap();
        let _waits = (!closes).then(|| client.call(CallTool::new("stuck")));
        if closes {
            client.close();
            memory.run(client.closed());
        }
        let run = AssertUnwindSafe(|| memory.run(pending::<()>()));
        let panicked = catch_unwind(run).unwrap_err();
        panicked.downcast_ref::<String>().expect("a text").clone()
    };
    let open = told(false);
    assert!(open.starts_with("deadlock at ") && open.contains("the connection is open"), "{open}");
    let ended = told(true);
    assert!(ended.contains("0 calls are in flight, the connection has ended"), "{ended}");
}
