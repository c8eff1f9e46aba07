//! HTTP: requests taken in, answered, hung up on and closed, from several threads.

use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use mcp_proto::driver::http::{self as driver_http, HttpClient, ServerDriver, Service};
use mcp_proto::driver::{Client, Delivery, Incoming, Server};
use mcp_proto::http::{ClientOptions, ServerOptions};
use mcp_proto::types::CallToolResult;
use mcp_proto::{CallError, ClientConfig, Progress, Revision, SendError, ServerConfig};

use crate::world::*;

/// What is sent through a wire is a body, frame by frame.
impl Body for Wire {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.poll_chunk(cx).map(|chunk| chunk.map(|chunk| Ok(Frame::data(chunk.into()))))
    }
}

const META: &str = r#""_meta":{"progressToken":2,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;

/// A tracked call of the modern era.
fn said() -> String {
    format!(r#"{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"t",{META}}}}}"#)
}

/// Its request, whose body comes through a wire.
fn post(body: Wire) -> Request<Wire> {
    Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", "t")
        .body(body)
        .unwrap()
}

/// A body that is there.
fn whole(text: String) -> Wire {
    let wire = Wire::new();
    wire.send(text);
    wire.hang_up();
    wire
}

fn served() -> (Server, Service, ServerDriver) {
    driver_http::serve(ServerConfig::new("s", "1"), ServerOptions::default(), Still)
}

/// A server that has accepted a call, whose response is not there yet.
struct Asked {
    server: Server,
    service: Service,
    driver: ServerDriver,
    incoming: Incoming,
    responding: driver_http::Responding<Wire>,
}

fn asked() -> Asked {
    let (mut server, service, driver) = served();
    let mut responding = service.respond(post(whole(said())));
    assert!(poll_once(&mut responding).is_pending());
    let incoming = block_on(server.accept()).unwrap();
    Asked { server, service, driver, incoming, responding }
}

fn answer() -> CallToolResult {
    CallToolResult::text("done")
}

/// What hangs up is the HTTP library, by dropping its response. Who works on the request is woken.
#[test]
fn a_client_hangs_up_while_its_handler_waits() {
    interruptions(4, || {
        let Asked { server, service, driver, incoming, responding } = asked();
        let handler = spawn(move || block_on(incoming.cancelled()));
        drop(responding);
        handler.join().unwrap();
        assert_eq!((server.requests_in_flight(), service.exchanges()), (0, 0));
        server.close();
        block_on(driver);
    });
}

/// A body is dropped by the HTTP library while the handler writes to it: the answer is taken or refused, and nothing of
/// the exchange is left.
#[test]
fn an_answer_meets_a_client_that_hangs_up() {
    interruptions(3, || {
        let Asked { server, service, driver, incoming, mut responding } = asked();
        incoming.progress(Progress::new(1.0)).unwrap();
        let Poll::Ready(Ok(response)) = poll_once(&mut responding) else { panic!("no head") };
        let handler = spawn(move || {
            let _ = incoming.progress(Progress::new(2.0));
            incoming.respond(&answer())
        });
        let mut body = response.into_body();
        // What left with the head, and what there is behind it.
        for _ in 0..2 {
            let _some_or_nothing = poll_once(&mut poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)));
        }
        drop(body);
        let answered = handler.join().unwrap();
        assert!(
            matches!(answered, Ok(()) | Err(SendError::Cancelled | SendError::UnknownRequest)),
            "{answered:?}"
        );
        assert_eq!((server.requests_in_flight(), service.exchanges()), (0, 0));
        server.close();
        block_on(driver);
    });
}

/// The server closes while a request is being taken in: it is refused or cancelled, its response ends, and the driver
/// sees that it was the last.
#[test]
fn a_server_closes_while_a_request_arrives() {
    interruptions(3, || {
        let (server, service, driver) = served();
        let wire = Wire::new();
        let responding = service.respond(post(wire.clone()));
        let library = spawn(move || {
            let Ok(response) = block_on(responding);
            let mut body = response.into_body();
            while block_on(poll_fn(|cx| Pin::new(&mut body).poll_frame(cx))).is_some() {}
        });
        wire.send(said());
        wire.hang_up();
        server.close();
        block_on(driver);
        library.join().unwrap();
        assert_eq!((server.requests_in_flight(), service.exchanges()), (0, 0));
    });
}

/// An HTTP library whose server knows what it can do; what it answers to a call comes through a wire, as JSON or as a
/// stream.
struct Library(Wire, &'static str);

impl HttpClient for Library {
    type Body = Wire;
    type Error = Infallible;
    type Sending = Ready<Result<Response<Wire>, Infallible>>;

    fn send(&mut self, request: Request<Bytes>) -> Self::Sending {
        let message: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
        let (body, kind) = match message["method"].as_str() {
            Some("server/discover") => (whole(result(&message["id"], DISCOVERED)), JSON),
            _ => (self.0.clone(), self.1),
        };
        let response = Response::builder().header("content-type", kind);
        ready(Ok(response.body(body).unwrap()))
    }
}

const JSON: &str = "application/json";
const STREAM: &str = "text/event-stream";

const DISCOVERED: &str =
    r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#;

fn result(id: &serde_json::Value, result: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#)
}

/// A client that knows its server, and the wire that its call is answered through.
fn client(kind: &'static str) -> (Client, driver_http::ClientDriver<Library>, Wire) {
    let config = ClientConfig::new("c", "1").revisions(Revision::V2026_07_28);
    let (wire, uri) = (Wire::new(), "http://localhost/mcp".parse().unwrap());
    let options = ClientOptions::default().deaf();
    let (client, mut driver) =
        driver_http::connect(Library(wire.clone(), kind), uri, config, options, Still);
    for _ in 0..3 {
        assert!(poll_once(&mut driver).is_pending());
    }
    assert!(client.peer().is_some());
    (client, driver, wire)
}

/// The answer to the first call.
fn answered(wire: &Wire) {
    wire.send(result(&2.into(), r#"{"resultType":"complete","content":[]}"#));
    wire.hang_up();
}

/// The driver looks at an exchange that was woken, whenever that was.
#[test]
fn an_answer_arrives_while_its_call_is_awaited() {
    interruptions(3, || {
        let (client, mut driver, wire) = client(JSON);
        let mut call = call(&client);
        assert!(poll_once(&mut call).is_pending());
        assert!(poll_once(&mut driver).is_pending());
        let driver = spawn(move || block_on_busy(driver));
        answered(&wire);
        block_on(call).unwrap();
        drop(client);
        driver.join().unwrap();
    });
}

/// What is taken from a full queue lets the stream of its call go on, whatever the driver was doing.
#[test]
fn taking_from_a_full_queue_lets_its_stream_go_on() {
    fn event(message: &str) -> String {
        format!("data: {}\n\n", message.trim_end())
    }
    interruptions(4, || {
        let (client, mut driver, wire) = client(STREAM);
        let mut call = call(&client).delivery(Delivery::Every);
        let mut next = Box::pin(call.next_progress());
        assert!(poll_once(&mut next).is_pending());
        drop(next);
        // Few reports, as full as many.
        let more = format!(r#","message":"{}"}}}}"#, "x".repeat(128 << 10));
        wire.send([1, 2].map(|n| event(&progress(2, n).trim_end().replace("}}", &more))).concat());
        wire.send(event(&result(&2.into(), r#"{"resultType":"complete","content":[]}"#)));
        wire.hang_up();
        for _ in 0..3 {
            assert!(poll_once(&mut driver).is_pending());
        }
        assert_eq!(client.calls_in_flight(), 1, "its answer is behind what waits");
        let driver = spawn(move || block_on_busy(driver));
        for n in [1.0, 2.0] {
            assert_eq!(block_on(call.next_progress()).unwrap().progress, n);
        }
        block_on(call).unwrap();
        drop(client);
        driver.join().unwrap();
    });
}

/// A call that is dropped hangs up; its answer, if it comes at that moment, is nobody's.
#[test]
fn an_answer_arrives_while_its_call_is_dropped() {
    interruptions(3, || {
        let (client, mut driver, wire) = client(JSON);
        let mut first = call(&client);
        assert!(poll_once(&mut first).is_pending());
        assert!(poll_once(&mut driver).is_pending());
        let driver = spawn(move || block_on_busy(driver));
        let server = spawn(move || answered(&wire));
        drop(first);
        assert_eq!(client.calls_in_flight(), 0);
        server.join().unwrap();
        client.close();
        assert!(matches!(
            block_on(call(&client)),
            Err(CallError::Send(SendError::Closed) | CallError::Closed(_))
        ));
        driver.join().unwrap();
    });
}
