//! Connections and drivers over transports that carry whole messages.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod runtime;

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use mcp_proto::driver::{self, Client, MessageTransport, Server};
use mcp_proto::progress::Pacing;
use mcp_proto::{
    CallError, CallTool, CallToolResult, ClientConfig, CloseReason, Connection, Event, Framing,
    Instant, Limits, Progress, Revision, ServerConfig, Timeouts, Violation, role,
};
use runtime::{World, modern_call, progress, result};

fn server(limits: Limits) -> Connection<role::Server> {
    Connection::server(ServerConfig::new("s", "1").limits(limits)).framed(Framing::Messages)
}

fn limits(set: impl FnOnce(&mut Limits)) -> Limits {
    let mut limits = Limits::default();
    set(&mut limits);
    limits
}

fn events(end: &mut Connection<role::Server>) -> Vec<Event> {
    std::iter::from_fn(|| end.poll_event()).collect()
}

/// Everything that it has to say, a message each.
fn said(end: &mut Connection<role::Server>) -> Vec<String> {
    let mut said = Vec::new();
    while let Some(message) = end.poll_transmit() {
        said.push(String::from_utf8(message.to_vec()).unwrap());
        let length = message.len();
        end.advance_transmit(length);
    }
    said
}

#[test]
fn a_message_may_have_newlines_and_its_answer_has_none() {
    let mut server = server(Limits::default());
    let call = modern_call(1, 3).trim_end().replace(",\"", ",\r\n\t\"");
    assert!(call.contains('\n'));
    server.handle_input(call.as_bytes(), Instant::ZERO);
    let seen = events(&mut server);
    let [Event::Request { id, params: Some(params), .. }] = &seen[..] else { panic!("{seen:?}") };
    // What came with newlines may be said again.
    server.respond(id, params, Instant::ZERO).unwrap();
    let said = said(&mut server);
    assert!(said.len() == 1 && !said[0].contains(['\n', '\r']), "{said:?}");
    assert!(!server.has_transmit());
}

#[test]
fn two_messages_in_one_are_no_message_and_a_half_is_none_either() {
    let mut server = server(Limits::default());
    let two = format!("{}{}", modern_call(1, 3), modern_call(2, 3));
    let half = modern_call(3, 3).split_off(20);
    for bad in [two.as_bytes(), half.as_bytes(), b"\xff\xfe", b"x"] {
        server.handle_input(bad, Instant::ZERO);
        let seen = events(&mut server);
        assert!(
            matches!(&seen[..], [Event::Violation(Violation::NotJson { .. })]),
            "{seen:?} for {}",
            String::from_utf8_lossy(bad)
        );
        let said = said(&mut server);
        assert!(said.len() == 1 && said[0].contains("-32700"), "{said:?}");
    }
    server.handle_input(modern_call(4, 3).as_bytes(), Instant::ZERO);
    assert!(matches!(&events(&mut server)[..], [Event::Request { .. }]));
}

#[test]
fn a_message_that_is_too_long_is_answered_by_its_id_and_not_kept() {
    let mut server = server(limits(|limits| limits.max_message_len = 1_000));
    let long = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"ping\",\"params\":{{\"x\":\"{}\"}}}}",
        "y".repeat(1_000)
    );
    server.handle_input_owned(Bytes::from(long), Instant::ZERO);
    let seen = events(&mut server);
    assert!(
        matches!(&seen[..], [Event::Violation(Violation::TooLong { limit: 1_000 })]),
        "{seen:?}"
    );
    let said = said(&mut server);
    assert!(said.len() == 1 && said[0].contains("\"id\":77"), "{said:?}");
    assert!(server.wants_input());
}

#[test]
fn no_more_input_is_taken_than_one_message_before_it_is_decoded() {
    let mut server = server(limits(|limits| limits.max_outbox_len = 100));
    let ping = |id: i64| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"ping\"}}");
    for id in 0..10 {
        server.handle_input(ping(id).as_bytes(), Instant::ZERO);
        assert!(!server.wants_input(), "one waits");
    }
    let mut answers = Vec::new();
    loop {
        assert!(events(&mut server).is_empty());
        let said = said(&mut server);
        if said.is_empty() {
            break;
        }
        // A little above the limit at most.
        assert!(said.iter().map(String::len).sum::<usize>() < 300);
        answers.extend(said);
    }
    assert_eq!(answers.len(), 10);
    assert!(server.wants_input());
}

#[test]
fn the_end_is_behind_what_came_before_it() {
    let mut server = server(Limits::default());
    server.handle_input(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", Instant::ZERO);
    server.handle_eof(Instant::ZERO);
    assert_eq!(said(&mut server).len(), 1);
    assert_eq!(events(&mut server), [Event::Closed(CloseReason::Eof { unread: 0 })]);
}

/// One direction: messages, as many as there is room for.
#[derive(Default)]
struct Half {
    messages: VecDeque<String>,
    room: usize,
    is_ended: bool,
    reason: Option<CloseReason>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

struct Pipe {
    reads: Arc<Mutex<Half>>,
    writes: Arc<Mutex<Half>>,
}

fn pipe(room: usize) -> (Pipe, Pipe) {
    let half = || Arc::new(Mutex::new(Half { room, ..Half::default() }));
    let (there, back) = (half(), half());
    (Pipe { reads: back.clone(), writes: there.clone() }, Pipe { reads: there, writes: back })
}

impl Pipe {
    fn send(&self, message: &str) {
        let mut half = self.writes.lock().unwrap();
        half.messages.push_back(message.trim_end().to_owned());
        half.reader.take().into_iter().for_each(Waker::wake);
    }

    fn received(&self) -> Vec<String> {
        let mut half = self.reads.lock().unwrap();
        half.writer.take().into_iter().for_each(Waker::wake);
        half.messages.drain(..).collect()
    }

    fn room(&self, room: usize) {
        let mut half = self.reads.lock().unwrap();
        half.room = room;
        half.writer.take().into_iter().for_each(Waker::wake);
    }
}

impl MessageTransport for Pipe {
    type Error = &'static str;

    fn poll_receive(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let mut half = self.reads.lock().unwrap();
        let message = half.messages.pop_front();
        if message.is_none() && !half.is_ended {
            half.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        half.writer.take().into_iter().for_each(Waker::wake);
        Poll::Ready(message.map(|message| Ok(message.into())))
    }

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let mut half = self.writes.lock().unwrap();
        if half.messages.len() < half.room {
            return Poll::Ready(Ok(()));
        }
        half.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    fn start_send(self: Pin<&mut Self>, message: Bytes) -> Result<(), Self::Error> {
        let mut half = self.writes.lock().unwrap();
        assert!(half.messages.len() < half.room, "it was not ready");
        half.messages.push_back(String::from_utf8(message.to_vec()).unwrap());
        half.reader.take().into_iter().for_each(Waker::wake);
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        reason: &CloseReason,
    ) -> Poll<Result<(), Self::Error>> {
        let mut half = self.writes.lock().unwrap();
        half.is_ended = true;
        half.reason = Some(reason.clone());
        half.reader.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}

/// A transport whose peer ends it at length.
struct Reset(Pipe);

impl MessageTransport for Reset {
    type Error = String;

    fn poll_receive(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, String>>> {
        Poll::Ready(Some(Err("it says no ".repeat(1 << 16))))
    }

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), String>> {
        Poll::Pending
    }

    fn start_send(self: Pin<&mut Self>, _: Bytes) -> Result<(), String> {
        panic!("it was not ready")
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), String>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        reason: &CloseReason,
    ) -> Poll<Result<(), String>> {
        Pin::new(&mut self.0).poll_close(cx, reason).map_err(String::from)
    }
}

#[test]
fn of_why_the_transport_failed_no_more_is_told_than_the_beginning() {
    let mut world = World::new();
    let (left, _right) = pipe(1);
    let config = ClientConfig::new("test", "1");
    let (client, driver) = driver::client_over_messages(Reset(left), config, world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    let ended = client.clone();
    assert_eq!(world.run(async move { ended.closed().await }), CloseReason::Transport);
    let told = client.last_trouble().unwrap();
    assert_eq!((&told[..11], told.len()), ("it says no ", 512));
}

fn client_of(world: &mut World, pipe: Pipe, config: ClientConfig) -> Client {
    let (client, driver) = driver::client_over_messages(pipe, config, world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    client
}

fn server_of(world: &mut World, pipe: Pipe, config: ServerConfig) -> Server {
    let (server, driver) = driver::server_over_messages(pipe, config, world.clock.clone());
    world.spawn(async move { drop(driver.await) });
    server
}

/// A client that has shaken hands with a script.
fn client_of_script(world: &mut World) -> (Client, Pipe) {
    let (near, far) = pipe(64);
    let config = ClientConfig::new("c", "1").revisions(Revision::V2025_11_25);
    let client = client_of(world, near, config);
    world.settle();
    assert!(far.received()[0].contains("\"initialize\""));
    far.send(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\",\n\"capabilities\":{},\
         \"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}",
    );
    world.settle();
    assert_eq!(far.received().len(), 1);
    (client, far)
}

/// FIELD-BUGS 64; R-PROG-03.
#[test]
fn reports_come_complete_and_in_order_through_a_pipe_of_one_message() {
    for revision in [Revision::V2025_11_25, Revision::V2026_07_28] {
        let mut world = World::new();
        let (near, far) = pipe(1);
        let config = ServerConfig::new("s", "1").pacing(Pacing::UNLIMITED);
        let mut server = server_of(&mut world, far, config);
        world.spawn(async move {
            while let Some(request) = server.accept().await {
                for step in 1..=64 {
                    request.progress(Progress::new(f64::from(step)).of(64.0)).unwrap();
                }
                request.respond(&CallToolResult::text("done")).unwrap();
            }
        });
        let config = ClientConfig::new("c", "1").revisions(revision);
        let client = client_of(&mut world, near, config);
        let seen = world.run(async move {
            let mut seen = Vec::new();
            let call =
                client.call(CallTool::new("t")).on_progress(|report| seen.push(report.progress));
            call.await.unwrap();
            seen
        });
        assert_eq!(seen, (1..=64).map(f64::from).collect::<Vec<_>>(), "{revision}");
    }
}

#[test]
fn what_the_transport_has_no_room_for_can_be_taken_back() {
    let mut world = World::new();
    let (client, far) = client_of_script(&mut world);
    far.room(0);
    let mut call = client.call(CallTool::new("never"));
    assert!(world.poll(&mut call).is_pending());
    world.settle();
    drop(call);
    world.settle();
    far.room(64);
    world.settle();
    assert_eq!(far.received(), Vec::<String>::new());
    let mut call = client.call(CallTool::new("taken"));
    assert!(world.poll(&mut call).is_pending());
    world.settle();
    drop(call);
    world.settle();
    let received = far.received();
    assert!(received.len() == 2 && received[1].contains("notifications/cancelled"), "{received:?}");
}

#[test]
fn deadlines_hold_while_nothing_is_read() {
    let mut world = World::new();
    let (client, far) = client_of_script(&mut world);
    far.room(0);
    let limit = Timeouts::NEVER.total(Duration::from_secs(7));
    let call = client.call(CallTool::new("t")).timeouts(limit);
    let ended = world.run(call);
    assert!(matches!(ended, Err(CallError::TimedOut(_))), "{ended:?}");
}

#[test]
fn a_peer_that_does_not_read_is_given_up() {
    let mut world = World::new();
    let (near, far) = pipe(0);
    let limits = limits(|limits| limits.max_outbox_len = 100);
    let config = ClientConfig::new("c", "1").revisions(Revision::V2025_11_25).limits(limits);
    let client = client_of(&mut world, near, config);
    let closed = world.run(async move { client.closed().await });
    assert_eq!(closed, CloseReason::Stalled);
    assert!(far.received().is_empty());
}

#[test]
fn what_is_queued_leaves_before_the_end_and_the_end_says_why() {
    let mut world = World::new();
    let (client, far) = client_of_script(&mut world);
    far.room(0);
    let call = client.call(CallTool::new("t"));
    world.spawn(async move { drop(call.await) });
    world.settle();
    far.room(1);
    client.close();
    world.settle();
    while !far.reads.lock().unwrap().is_ended {
        assert!(!far.received().is_empty(), "it waits for nothing that is said");
        world.settle();
    }
    assert_eq!(far.reads.lock().unwrap().reason, Some(CloseReason::Local));
}

#[test]
fn forty_reports_and_their_result_are_handed_over_as_they_came() {
    let mut world = World::new();
    let (client, far) = client_of_script(&mut world);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heard = seen.clone();
    let call = client.call(CallTool::new("t")).on_progress(move |report| {
        heard.lock().unwrap().push(report.progress);
    });
    let done = Arc::new(Mutex::new(false));
    let is_done = done.clone();
    world.spawn(async move {
        call.await.unwrap();
        *is_done.lock().unwrap() = true;
    });
    world.settle();
    for step in 1..=40 {
        far.send(&progress(2, f64::from(step)));
    }
    far.send(&result(2));
    world.settle();
    assert!(*done.lock().unwrap());
    assert_eq!(seen.lock().unwrap().len(), 40);
    assert_eq!(client.calls_in_flight(), 0);
}
