//! HTTP without a socket: the client's driver over a library that is the server's service, on a hand-made runtime.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod runtime;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame};
use mcp_proto::driver::http::{self as http_driver, HttpClient, ResponseBody, Service};
use mcp_proto::driver::{Client, Delivery, Runtime, Server};
use mcp_proto::http::{ClientOptions, Ring, ServerOptions};
use mcp_proto::progress::Pacing;
use mcp_proto::{
    CallError, CallTool, CallToolResult, ClientConfig, CloseReason, HttpError, Progress, Revision,
    ServerConfig,
};
use runtime::*;

/// A body that is there, or of which nothing more ever comes.
struct Text {
    text: Option<Bytes>,
    has_end: bool,
}

impl Text {
    fn whole(text: impl Into<Bytes>) -> Self {
        Self { text: Some(text.into()), has_end: true }
    }

    fn unfinished(text: impl Into<Bytes>) -> Self {
        Self { text: Some(text.into()), has_end: false }
    }
}

impl Body for Text {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.text.take() {
            Some(text) => Poll::Ready(Some(Ok(Frame::data(text)))),
            None if self.has_end => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

/// A library that hands requests to the service, and cuts bodies when it is told to.
#[derive(Clone)]
struct Library {
    service: Service,
    sent: Arc<Mutex<Vec<String>>>,
    /// Frames until every body is cut.
    frames_left: Arc<AtomicUsize>,
    /// The next frame is lost with its connection.
    loses: Arc<AtomicBool>,
    /// The next request has no response.
    refuses: Arc<AtomicBool>,
}

struct Cut {
    body: ResponseBody,
    frames_left: Arc<AtomicUsize>,
    loses: Arc<AtomicBool>,
}

impl Body for Cut {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if self.frames_left.load(Ordering::Relaxed) == 0 {
            self.frames_left.store(usize::MAX, Ordering::Relaxed);
            return Poll::Ready(Some(Err("cut")));
        }
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(_))) = &polled {
            if self.loses.swap(false, Ordering::Relaxed) {
                return Poll::Ready(Some(Err("cut")));
            }
            self.frames_left.fetch_sub(1, Ordering::Relaxed);
        }
        polled.map_err(|_| "broken")
    }
}

impl HttpClient for Library {
    type Body = Cut;
    type Error = &'static str;
    type Sending = Pin<Box<dyn Future<Output = Result<Response<Cut>, &'static str>>>>;

    fn send(&mut self, request: Request<Bytes>) -> Self::Sending {
        self.sent.lock().unwrap().push(request.method().to_string());
        let (service, frames_left) = (self.service.clone(), self.frames_left.clone());
        let (loses, refuses) = (self.loses.clone(), self.refuses.clone());
        Box::pin(async move {
            if refuses.swap(false, Ordering::Relaxed) {
                return Err("connection refused");
            }
            let response = service.respond(request.map(Text::whole)).await.unwrap();
            Ok(response.map(|body| Cut { body, frames_left, loses }))
        })
    }
}

fn service(world: &mut World) -> (Server, Service) {
    let config = ServerConfig::new("test", "1").pacing(Pacing::UNLIMITED);
    let (server, service, driver) =
        http_driver::serve(config, ServerOptions::default(), world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    (server, service)
}

/// The same, which keeps so many messages of a stream.
fn forgetful(world: &mut World, kept: usize) -> (Server, Service) {
    let config = ServerConfig::new("test", "1").pacing(Pacing::UNLIMITED);
    let (ring, options) = (Ring::new(kept, 1 << 20, 1 << 20), ServerOptions::default());
    let (server, service, driver) =
        http_driver::serve_with(config, options, Box::new(ring), world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    (server, service)
}

fn library(service: Service) -> Library {
    let frames_left = Arc::new(AtomicUsize::new(usize::MAX));
    Library {
        service,
        sent: Arc::default(),
        frames_left,
        loses: Arc::default(),
        refuses: Arc::default(),
    }
}

/// A client that opens no stream but those of its calls.
fn client(world: &mut World, library: &Library, revision: Revision) -> Client {
    let config = ClientConfig::new("test", "1").revisions(revision);
    let uri = "http://localhost/mcp".parse().unwrap();
    let options = ClientOptions::default().deaf();
    let (client, driver) =
        http_driver::connect(library.clone(), uri, config, options, world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    client
}

/// Answers each call after so many reports, each of which has left before the next.
fn counting(world: &mut World, mut server: Server, reports: u32) {
    world.spawn(async move {
        while let Some(request) = server.accept().await {
            let reporter = request.reporter();
            for step in 1..=reports {
                reporter.report(Progress::new(step.into()).message("a step")).unwrap();
                reporter.delivered().await;
                yield_now().await;
            }
            let _ = request.respond(&CallToolResult::text("done"));
        }
    });
}

fn post(tool: &str, body: Text) -> Request<Text> {
    Request::post("/mcp")
        .header("host", "localhost")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool)
        .body(body)
        .unwrap()
}

const ALL: [Revision; 3] = [Revision::V2025_03_26, Revision::V2025_11_25, Revision::V2026_07_28];

#[test]
fn every_report_reaches_a_slow_listener_before_the_result() {
    for revision in ALL {
        let mut world = World::new();
        let (server, service) = service(&mut world);
        counting(&mut world, server, 600);
        let client = client(&mut world, &library(service), revision);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (heard, clock) = (seen.clone(), world.clock.clone());
        let call = client.call(CallTool::new("count")).delivery(Delivery::Every);
        let call = call.on_progress_async(move |report: Progress| {
            let (heard, clock) = (heard.clone(), clock.clone());
            async move {
                // Begun at once, the later ones would be done first; begun and left, none would be.
                let wait = Duration::from_millis(601 - report.progress as u64);
                clock.timer(clock.now() + wait).await;
                heard.lock().unwrap().push(report.progress);
            }
        });
        let result = world.run(call).unwrap();
        assert_eq!(result.content[0].as_text(), Some("done"));
        assert_eq!(*seen.lock().unwrap(), (1..=600).map(f64::from).collect::<Vec<_>>());
    }
}

#[test]
fn a_cut_stream_is_resumed_after_a_while_and_said_to_be() {
    let mut world = World::new();
    let (server, service) = service(&mut world);
    counting(&mut world, server, 50);
    let library = library(service);
    let client = client(&mut world, &library, Revision::V2025_11_25);
    let ready = client.clone();
    world.run(async move { ready.ready().await }).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let [interrupted, resumed] = [told.clone(), told.clone()];
    client.on_interruption(move |id| interrupted.lock().unwrap().push(("lost", id.is_some())));
    client.on_resumption(move |id| resumed.lock().unwrap().push(("back", id.is_some())));
    let (seen, began) = (Arc::new(Mutex::new(Vec::new())), world.clock.0.load(Ordering::Relaxed));
    let (heard, cut) = (seen.clone(), library.frames_left.clone());
    let call = client.call(CallTool::new("count")).on_progress(move |report| {
        heard.lock().unwrap().push(report.progress);
        if report.progress == 10.0 {
            cut.store(0, Ordering::Relaxed);
        }
    });
    world.run(call).unwrap();
    assert_eq!(*seen.lock().unwrap(), (1..=50).map(f64::from).collect::<Vec<_>>());
    assert_eq!(*told.lock().unwrap(), [("lost", true), ("back", true)]);
    let waited = Duration::from_nanos(world.clock.0.load(Ordering::Relaxed) - began);
    // A second, spread by the runtime's randomness.
    let bounds = Duration::from_millis(500)..=Duration::from_secs(1);
    assert!(bounds.contains(&waited), "{waited:?}");
    assert_eq!(library.sent.lock().unwrap().iter().filter(|sent| *sent == "GET").count(), 1);
}

#[test]
fn how_much_is_kept_for_a_client_that_comes_back_is_the_servers_choice() {
    // What left with the connection has to be said again.
    for (kept, is_whole) in [(50, true), (0, false)] {
        let mut world = World::new();
        let (server, service) = forgetful(&mut world, kept);
        counting(&mut world, server, 50);
        let library = library(service);
        let client = client(&mut world, &library, Revision::V2025_11_25);
        let lose = library.loses.clone();
        let call = client.call(CallTool::new("count")).on_progress(move |report| {
            if report.progress == 10.0 {
                lose.store(true, Ordering::Relaxed);
            }
        });
        match world.run(call) {
            Ok(_) => assert!(is_whole, "{kept}"),
            Err(error) => assert_eq!((error, is_whole), (CallError::Http(HttpError::Cut), false)),
        }
    }
}

#[test]
fn a_cut_stream_of_the_modern_era_ends_the_call_and_cancels_the_request() {
    let mut world = World::new();
    let (mut server, service) = service(&mut world);
    let library = library(service);
    let client = client(&mut world, &library, Revision::V2026_07_28);
    let cut = library.frames_left.clone();
    let cancelled = Arc::new(AtomicUsize::new(0));
    let counter = cancelled.clone();
    world.spawn(async move {
        while let Some(request) = server.accept().await {
            request.progress(Progress::new(1.0)).unwrap();
            request.cancelled().await;
            counter.fetch_add(1, Ordering::Relaxed);
        }
    });
    let call =
        client.call(CallTool::new("t")).on_progress(move |_| cut.store(0, Ordering::Relaxed));
    let error = world.run(call).unwrap_err();
    assert!(matches!(error, CallError::Http(_)), "{error:?}");
    world.settle();
    assert_eq!(cancelled.load(Ordering::Relaxed), 1);
}

#[test]
fn why_a_response_broke_is_told_and_stays_known() {
    let mut world = World::new();
    let (mut server, service) = service(&mut world);
    world.spawn(async move {
        while let Some(request) = server.accept().await {
            let call: CallTool = request.params().unwrap();
            if call.name == "long" {
                request.progress(Progress::new(1.0)).unwrap();
                request.cancelled().await;
            } else {
                request.respond(&CallToolResult::text("done")).unwrap();
            }
        }
    });
    let library = library(service);
    let client = client(&mut world, &library, Revision::V2026_07_28);
    let ready = client.clone();
    world.run(async move { ready.ready().await }).unwrap();
    assert_eq!(client.last_trouble(), None);
    library.refuses.store(true, Ordering::Relaxed);
    let refused = world.run(client.call(CallTool::new("short"))).unwrap_err();
    assert_eq!(refused, CallError::Http(HttpError::Unreachable));
    assert_eq!(client.last_trouble().as_deref(), Some("connection refused"));
    // What was refused before is told no more, and what broke this time is.
    let cut = library.frames_left.clone();
    let call = client.call(CallTool::new("long"));
    let call = call.on_progress(move |_| cut.store(0, Ordering::Relaxed));
    assert_eq!(world.run(call).unwrap_err(), CallError::Http(HttpError::Cut));
    assert_eq!(client.last_trouble().as_deref(), Some("cut"));
    // Others may be answered before somebody looks.
    world.run(client.call(CallTool::new("short"))).unwrap();
    assert_eq!(client.last_trouble().as_deref(), Some("cut"));
}

#[test]
fn a_body_that_does_not_come_or_never_ends_is_refused_in_time() {
    let mut world = World::new();
    let (_server, service) = service(&mut world);
    let mut slow = service.respond(post("t", Text::unfinished("{")));
    assert!(world.poll(&mut slow).is_pending());
    world.advance(Duration::from_secs(29));
    assert!(world.poll(&mut slow).is_pending());
    world.advance(Duration::from_secs(1));
    let Poll::Ready(Ok(response)) = world.poll(&mut slow) else { panic!("it waits for ever") };
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);

    let mut long = service.respond(post("t", Text::unfinished(vec![b' '; 5 << 20])));
    let Poll::Ready(Ok(response)) = world.poll(&mut long) else { panic!("it reads on") };
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(service.exchanges(), 0);
}

/// A body that comes drop by drop: a byte for each time that this is counted up.
struct Drip(Arc<AtomicUsize>);

impl Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.swap(0, Ordering::Relaxed) {
            0 => Poll::Pending,
            len => Poll::Ready(Some(Ok(Frame::data(vec![b' '; len].into())))),
        }
    }
}

#[test]
fn a_body_that_comes_drop_by_drop_has_no_more_time() {
    let mut world = World::new();
    let (_server, service) = service(&mut world);
    let drops = Arc::new(AtomicUsize::new(0));
    let mut slow = service.respond(post("t", Text::whole("")).map(|_| Drip(drops.clone())));
    for second in 0..30 {
        drops.fetch_add(1, Ordering::Relaxed);
        assert!(world.poll(&mut slow).is_pending(), "after {second} s");
        assert_eq!(drops.load(Ordering::Relaxed), 0, "it is read as it comes");
        world.advance(Duration::from_secs(1));
    }
    drops.fetch_add(1, Ordering::Relaxed);
    let Poll::Ready(Ok(response)) = world.poll(&mut slow) else { panic!("it waits for ever") };
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(service.exchanges(), 0);
}

/// A call with a token, as a client of the modern era sends it.
fn tracked() -> Text {
    let line = modern_call(1, 1).replace("count", "t");
    Text::whole(line.replace("\"_meta\":{", "\"_meta\":{\"progressToken\":1,"))
}

#[test]
fn a_handler_that_waits_for_delivery_goes_at_the_pace_of_its_client() {
    let mut world = World::new();
    let (mut server, service) = service(&mut world);
    let mut responding = service.respond(post("t", tracked()));
    assert!(world.poll(&mut responding).is_pending());
    let Poll::Ready(Some(request)) = world.poll(&mut Box::pin(server.accept())) else { panic!() };
    let reporter = request.reporter();
    let message = "x".repeat(10_000);
    let mut sent = 0_u32;
    let mut delivered = loop {
        sent += 1;
        reporter.report(Progress::new(sent.into()).message(message.clone())).unwrap();
        let waiting = reporter.clone();
        let mut delivered = Box::pin(async move { waiting.delivered().await });
        if world.poll(&mut delivered).is_pending() {
            break delivered;
        }
        assert!(sent < 20, "nobody reads, and it goes on");
    };
    assert!(sent > 5, "{sent}: some may be on its way");
    let Poll::Ready(Ok(response)) = world.poll(&mut responding) else { panic!() };
    let mut body = Box::pin(response.into_body());
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut read = 0;
    while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut cx) {
        read += frame.into_data().unwrap().len();
    }
    assert!(read > 10_000 * sent as usize, "{read} bytes of {sent} reports");
    assert!(world.poll(&mut delivered).is_ready());
    // Whoever drops the response has hung up.
    assert!(!request.is_cancelled());
    drop(body);
    assert!(request.is_cancelled());
}

#[test]
fn a_session_is_served_to_nobody_but_who_opened_it() {
    let mut world = World::new();
    let (server, service) = service(&mut world);
    counting(&mut world, server, 0);
    let mut send = |body: &'static str, session: Option<&http::HeaderValue>, name: &str| {
        let mut request = post("t", Text::whole(body));
        let headers = request.headers_mut();
        headers.insert("mcp-protocol-version", "2025-11-25".parse().unwrap());
        session.map(|id| headers.insert("mcp-session-id", id.clone()));
        request.extensions_mut().insert(http_driver::Principal(name.into()));
        let service = service.clone();
        world.run(async move { service.respond(request).await.unwrap() })
    };
    let opened = send(
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#,
        None,
        "anna",
    );
    let session = opened.headers()["mcp-session-id"].clone();
    let ping = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;
    assert_eq!(send(ping, Some(&session), "bert").status(), StatusCode::NOT_FOUND);
    assert_eq!(send(ping, Some(&session), "anna").status(), StatusCode::OK);
}

#[test]
fn bodies_that_arrive_slowly_take_so_much_memory_and_no_more() {
    let mut world = World::new();
    let (_server, service) = service(&mut world);
    let slow = || service.respond(post("t", Text::unfinished(vec![b' '; 3 << 20])));
    let mut arriving: Vec<_> = (0..21).map(|_| slow()).collect();
    for body in &mut arriving {
        assert!(world.poll(body).is_pending());
    }
    let Poll::Ready(Ok(refused)) = world.poll(&mut slow()) else { panic!("64 MiB are full") };
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    // What is there at once waits for nothing.
    let Poll::Ready(Ok(read)) = world.poll(&mut service.respond(post("t", Text::whole("{"))))
    else {
        panic!("it is whole")
    };
    assert_eq!(read.status(), StatusCode::BAD_REQUEST);
    arriving.pop();
    assert!(world.poll(&mut slow()).is_pending(), "there is room again");
    arriving.clear();
    let mut all: Vec<_> = (0..21).map(|_| slow()).collect();
    assert!(all.iter_mut().all(|body| world.poll(body).is_pending()), "and all of it");
}

#[test]
fn what_was_handed_out_and_not_sent_counts_as_waiting() {
    let mut world = World::new();
    let mut options = ServerOptions::default();
    options.max_waiting_len = 100_000;
    let (mut server, service, driver) =
        http_driver::serve(ServerConfig::new("test", "1"), options, world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    world.spawn(async move {
        while let Some(request) = server.accept().await {
            let _ = request.respond(&CallToolResult::text("x".repeat(60_000)));
        }
    });
    let mut ask = || {
        let line = modern_call(1, 1).replace("count", "t");
        let service = service.clone();
        world.run(async move { service.respond(post("t", Text::whole(line))).await.unwrap() })
    };
    let mut unsent: Vec<_> = (0..2).map(|_| ask().into_body()).collect();
    assert_eq!(ask().status(), StatusCode::SERVICE_UNAVAILABLE);
    // It is on its way, and no further.
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let frame = Pin::new(&mut unsent[0]).poll_frame(&mut cx);
    assert!(matches!(frame, Poll::Ready(Some(Ok(_)))));
    assert_eq!(ask().status(), StatusCode::SERVICE_UNAVAILABLE);
    unsent.pop();
    assert_eq!(ask().status(), StatusCode::OK, "there is room again");
    unsent.clear();
    let all: Vec<_> = (0..2).map(|_| ask()).collect();
    assert!(all.iter().all(|answer| answer.status() == StatusCode::OK), "and all of it");
}

#[test]
fn a_server_on_its_way_out_finishes_what_is_under_way_and_takes_nothing_new() {
    let mut world = World::new();
    let (mut server, service) = service(&mut world);
    let library = library(service.clone());
    let client = client(&mut world, &library, Revision::V2026_07_28);
    let calling = client.clone();
    let (sender, received) = std::sync::mpsc::channel();
    world.spawn(async move {
        sender.send(calling.call(CallTool::new("t")).await).unwrap();
    });
    world.settle();
    let Poll::Ready(Some(request)) = world.poll(&mut Box::pin(server.accept())) else { panic!() };
    service.drain();
    let calling = client.clone();
    let refused = world.run(async move { calling.call(CallTool::new("late")).await });
    let Err(CallError::Peer(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.message, "the server is about to stop");
    request.respond(&CallToolResult::text("done")).unwrap();
    let reason = world.run(async move { server.closed().await });
    assert_eq!(reason, CloseReason::Local);
    world.settle();
    assert_eq!(received.try_recv().unwrap().unwrap().content[0].as_text(), Some("done"));
}

#[test]
fn a_server_whose_service_is_gone_ends() {
    let mut world = World::new();
    let (mut server, service) = service(&mut world);
    drop(service);
    world.run(async move {
        assert!(server.accept().await.is_none());
        assert_eq!(server.closed().await, CloseReason::Local);
    });
}

#[test]
fn a_response_that_nobody_reads_is_waited_for_a_while_and_no_longer() {
    let mut world = World::new();
    let (mut server, service) = service(&mut world);
    let line = modern_call(1, 1).replace("count", "t");
    let mut unread = service.respond(post("t", Text::whole(line)));
    assert!(world.poll(&mut unread).is_pending());
    world.settle();
    let Poll::Ready(Some(request)) = world.poll(&mut Box::pin(server.accept())) else { panic!() };
    let began = world.clock.0.load(Ordering::Relaxed);
    server.close();
    assert!(request.is_cancelled());
    world.run(async move { server.closed().await });
    let waited = Duration::from_nanos(world.clock.0.load(Ordering::Relaxed) - began);
    assert_eq!(waited, Duration::from_secs(5));
}

#[test]
fn a_client_that_closes_ends_its_session() {
    let mut world = World::new();
    let (server, service) = service(&mut world);
    counting(&mut world, server, 1);
    let library = library(service.clone());
    let client = client(&mut world, &library, Revision::V2025_11_25);
    let calling = client.clone();
    world.run(async move { calling.call(CallTool::new("count")).await }).unwrap();
    assert_eq!(service.sessions(), 1);
    client.close();
    let reason = world.run(async move { client.closed().await });
    assert_eq!(reason, CloseReason::Local);
    assert_eq!(library.sent.lock().unwrap().last().unwrap(), "DELETE");
    assert_eq!((service.sessions(), service.exchanges()), (0, 0));
}
