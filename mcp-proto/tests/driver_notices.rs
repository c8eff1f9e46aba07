//! What a server says that answers nothing: of its own accord, and for one request.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod runtime;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use bytes::Bytes;
use http::{Request, Response};
use mcp_proto::driver::http::{self as http_driver, HttpClient, ResponseBody, Service};
use mcp_proto::driver::{Client, Incoming, Server};
use mcp_proto::http::{ClientOptions, ServerOptions};
use mcp_proto::router::{self, Router};
use mcp_proto::{
    CallTool, CallToolResult, ClientConfig, Notification, RawJson, Revision, SendError,
    ServerConfig, role,
};
use runtime::*;

#[derive(serde::Serialize)]
struct ToolsChanged {}

impl Notification for ToolsChanged {
    const METHOD: &'static str = "notifications/tools/list_changed";
    type Sender = role::Server;
}

/// What a client has heard, in order.
type Heard = Arc<Mutex<Vec<String>>>;

fn listen(client: &Client) -> Heard {
    let heard = Heard::default();
    let notes = heard.clone();
    client.on_notification(move |method, params| {
        let params = params.map_or("-", |params| params.as_str());
        notes.lock().unwrap().push(format!("{method} {params}"));
    });
    heard
}

fn take(heard: &Heard) -> Vec<String> {
    std::mem::take(&mut heard.lock().unwrap())
}

/// The next request, which has come.
fn accepted(world: &mut World, server: &mut Server) -> Incoming {
    world.settle();
    match world.poll(&mut Box::pin(server.accept())) {
        Poll::Ready(Some(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn ready(world: &mut World, client: &Client) {
    let client = client.clone();
    world.run(async move { client.ready().await }).unwrap();
    world.settle();
}

/// A library that hands requests to the service.
struct Library(Service);

impl HttpClient for Library {
    type Body = ResponseBody;
    type Error = Infallible;
    type Sending = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, Infallible>>>>;

    fn send(&mut self, request: Request<Bytes>) -> Self::Sending {
        let service = self.0.clone();
        let request = request.map(|text| String::from_utf8(text.into()).unwrap());
        Box::pin(async move { service.respond(request).await })
    }
}

fn http_server(world: &mut World) -> (Server, Service) {
    let config = ServerConfig::new("test", "1");
    let (server, service, driver) =
        http_driver::serve(config, ServerOptions::default(), world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    (server, service)
}

fn http_client(world: &mut World, service: &Service, revision: Revision) -> Client {
    let config = ClientConfig::new("test", "1").revisions(revision);
    let uri = "http://localhost/mcp".parse().unwrap();
    let (client, driver) = http_driver::connect(
        Library(service.clone()),
        uri,
        config,
        ClientOptions::default(),
        world.clock.clone(),
    );
    world.spawn(async move { drop(driver.await) });
    client
}

const CHANGED: &str = "notifications/tools/list_changed {}";

#[test]
fn a_server_says_on_lines_that_its_tools_have_changed_to_whoever_has_a_session() {
    for revision in [Revision::V2024_11_05, Revision::V2025_11_25, Revision::V2026_07_28] {
        let mut world = World::new();
        let (client, server) = world.pair(1 << 16, revision);
        let heard = listen(&client);
        assert_eq!(server.notify(&ToolsChanged {}), Err(SendError::Unsupported));
        ready(&mut world, &client);
        let is_session = revision != Revision::V2026_07_28;
        let said = if is_session { Ok(()) } else { Err(SendError::Unsupported) };
        assert_eq!(server.notify(&ToolsChanged {}), said, "{revision}");
        let updated = RawJson::parse(r#"{"uri":"file:///a"}"#).unwrap();
        assert_eq!(server.notify_raw("notifications/resources/updated", Some(&updated)), said);
        world.settle();
        let updated = r#"notifications/resources/updated {"uri":"file:///a"}"#;
        let expected: &[&str] = if is_session { &[CHANGED, updated] } else { &[] };
        assert_eq!(take(&heard), expected, "{revision}");
        server.close();
        assert_eq!(server.notify(&ToolsChanged {}), Err(SendError::Closed));
    }
}

#[test]
fn what_the_engine_says_by_itself_is_said_by_nobody_else() {
    let mut world = World::new();
    let (client, mut server) = world.pair(1 << 16, Revision::V2025_11_25);
    ready(&mut world, &client);
    let mut call = client.call(CallTool::new("t"));
    assert!(world.poll(&mut Box::pin(call.next_progress())).is_pending());
    let request = accepted(&mut world, &mut server);
    for method in ["notifications/progress", "notifications/cancelled"] {
        assert_eq!(server.notify_raw(method, None), Err(SendError::Unsupported));
        assert_eq!(request.notify_raw(method, None), Err(SendError::Unsupported));
    }
}

#[test]
fn over_http_every_session_hears_it_once_and_nobody_else() {
    let mut world = World::new();
    let (server, service) = http_server(&mut world);
    assert_eq!(server.notify(&ToolsChanged {}), Ok(()), "there is nobody to be told");
    let revisions = [Revision::V2025_03_26, Revision::V2025_11_25, Revision::V2026_07_28];
    let clients = revisions.map(|revision| http_client(&mut world, &service, revision));
    let heard = [0, 1, 2].map(|n| listen(&clients[n]));
    for client in &clients {
        ready(&mut world, client);
    }
    assert_eq!(service.sessions(), 2);
    for _ in 0..2 {
        server.notify(&ToolsChanged {}).unwrap();
        world.settle();
        assert_eq!(heard.each_ref().map(take), [vec![CHANGED], vec![CHANGED], vec![]]);
    }
    server.close();
    assert_eq!(server.notify(&ToolsChanged {}), Err(SendError::Closed));
}

/// As R-SUB-01, R-SUB-02 and R-SUB-09 have it.
#[test]
fn a_subscription_is_acknowledged_and_all_that_is_said_for_it_carries_its_id() {
    for over_http in [false, true] {
        let mut world = World::new();
        let (client, mut server) = if over_http {
            let (server, service) = http_server(&mut world);
            (http_client(&mut world, &service, Revision::V2026_07_28), server)
        } else {
            world.pair(1 << 16, Revision::V2026_07_28)
        };
        let heard = listen(&client);
        let filter = RawJson::parse(r#"{"notifications":{"toolsListChanged":true}}"#).unwrap();
        let mut listening =
            Box::pin(client.call_raw("subscriptions/listen", Some(filter.clone())).outcome());
        assert!(world.poll(&mut listening).is_pending());
        let request = accepted(&mut world, &mut server);
        let id = request.id().to_string();
        let ack = "notifications/subscriptions/acknowledged";
        request.notify_raw(ack, Some(&filter)).unwrap();
        world.settle();
        let meta = format!(r#""_meta":{{"io.modelcontextprotocol/subscriptionId":{id}}}"#);
        let acknowledged =
            format!(r#"{ack} {{"notifications":{{"toolsListChanged":true}},{meta}}}"#);
        assert_eq!(take(&heard), [acknowledged], "over HTTP: {over_http}");
        request.notify(&ToolsChanged {}).unwrap();
        world.settle();
        assert_eq!(take(&heard), [format!("notifications/tools/list_changed {{{meta}}}")]);
        request.respond(&RawJson::empty_object()).unwrap();
        let outcome = world.run(listening);
        let result = outcome.result.unwrap();
        let said = result.get_in(&["_meta", "io.modelcontextprotocol/subscriptionId"]).unwrap();
        assert_eq!(said.as_bytes(), id.as_bytes());
    }
}

#[test]
fn what_a_tool_says_for_its_call_comes_before_the_answer_and_never_after() {
    for over_http in [false, true] {
        let mut world = World::new();
        let (client, server) = if over_http {
            let (server, service) = http_server(&mut world);
            (http_client(&mut world, &service, Revision::V2025_11_25), server)
        } else {
            world.pair(1 << 16, Revision::V2025_11_25)
        };
        let router = Router::new("test", "1").tool("t", "", async |ctx: router::Context| {
            ctx.notify(&ToolsChanged {}).map_or("it is not said", |()| "done")
        });
        world.spawn(async move { drop(router.serve(server).await) });
        let heard = listen(&client);
        let result = world.run(client.call(CallTool::new("t"))).unwrap();
        assert_eq!(result.content[0].as_text(), Some("done"));
        assert_eq!(take(&heard), [CHANGED]);
    }
}

#[test]
fn nothing_is_said_for_a_request_whose_client_has_gone() {
    let mut world = World::new();
    let (client, mut server) = world.pair(1 << 16, Revision::V2025_11_25);
    let mut call = Box::pin(client.call(CallTool::new("t")).outcome());
    assert!(world.poll(&mut call).is_pending());
    let request = accepted(&mut world, &mut server);
    drop(call);
    world.settle();
    assert_eq!(request.notify(&ToolsChanged {}), Err(SendError::Cancelled));
    server.close();
    assert_eq!(request.notify(&ToolsChanged {}), Err(SendError::Closed));
    assert_eq!(request.respond(&CallToolResult::text("late")), Err(SendError::Closed));
}
