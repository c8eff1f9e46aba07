//! This engine without a runtime: one side of a connection, and both.

use std::hint::black_box;
use std::time::Duration;

use mcp_proto::json::Raw;
use mcp_proto::progress::{Pacing, Weight};
use mcp_proto::role::{Client, Role, Server};
use mcp_proto::{
    CallOptions, CallTool, CallToolResult, ClientConfig, Connection, Event, Instant, Progress,
    RawJson, RequestId, Revision, ServerConfig, Ticket,
};

use super::Case;
use crate::meter::{Plan, Sample, each, measured};
use mcp_bench::messages::{self, STEP, TAG, TEXT, TOTAL, Values};

pub const CASES: [(&str, Case); 8] = [
    ("ours/progress-ints/receive", |plan| receive(plan, Values::Integers)),
    ("ours/progress-floats/receive", |plan| receive(plan, Values::Floats)),
    ("ours/progress/report", report),
    ("ours/progress/trip", trip),
    ("ours/call/receive", receive_call),
    ("ours/call/send", send_call),
    ("ours/call/server", server),
    ("ours/call/echo", echo),
];

/// Requests that wait at once where answering them is not what is measured.
const BATCH: usize = 50;

const MILLISECOND: Duration = Duration::from_millis(1);

/// One notification in, one event out; each a millisecond after the one before, deadlines re-armed.
fn receive(plan: &Plan, values: Values) -> Sample {
    let mut now = Instant::ZERO;
    let (mut client, _server) = pair(now);
    let ticket = client
        .request(&CallTool::new("echo"), CallOptions::default().tracked(), now)
        .expect("room");
    send_away(&mut client);
    let lines = messages::progress(&ticket.id().to_string(), values, plan.warm_up + plan.messages);
    each(plan, &lines, |line| {
        now = now + MILLISECOND;
        client.handle_input(line, now);
        let event = client.poll_event();
        assert!(matches!(event, Some(Event::Progress { .. })), "{event:?}");
        black_box(event);
    })
}

/// One report in, one notification out.
fn report(plan: &Plan) -> Sample {
    let mut now = Instant::ZERO;
    let (_client, mut server, id) = tracked_call(now);
    let steps: Vec<_> = (1..=plan.warm_up + plan.messages).collect();
    each(plan, &steps, |step| {
        now = now + MILLISECOND;
        say(&mut server, &id, *step, now);
        let sent = server.poll_transmit().expect("a notification");
        let sent = black_box(sent).len();
        server.advance_transmit(sent);
    })
}

/// One report from its tool to the event of the client, with a copy of the bytes between them.
fn trip(plan: &Plan) -> Sample {
    let mut now = Instant::ZERO;
    let (mut client, mut server, id) = tracked_call(now);
    let steps: Vec<_> = (1..=plan.warm_up + plan.messages).collect();
    each(plan, &steps, |step| {
        now = now + MILLISECOND;
        say(&mut server, &id, *step, now);
        carry(&mut server, &mut client, now);
        let event = client.poll_event();
        assert!(matches!(event, Some(Event::Progress { .. })), "{event:?}");
        black_box(event);
    })
}

fn say(server: &mut Connection<Server>, id: &RequestId, step: usize, now: Instant) {
    let progress = Progress::new(step as f64).of(TOTAL).message(STEP);
    server.report(id, progress, Weight::Ordinary, now).expect("a report that is wanted");
}

/// One request line in, one event out: the name read, the arguments left as they are.
fn receive_call(plan: &Plan) -> Sample {
    let now = Instant::ZERO;
    let (_client, mut server) = pair(now);
    let lines = messages::calls(plan.warm_up + plan.messages);
    let mut sample = Sample::default();
    for (n, batch) in lines.chunks(BATCH).enumerate() {
        let mut ids = Vec::with_capacity(BATCH);
        let mut receive = || {
            for line in batch {
                server.handle_input(line, now);
                let Some(Event::Request { id, params: Some(params), .. }) = server.poll_event()
                else {
                    panic!("no request")
                };
                let name = params.get("name").and_then(Raw::as_str);
                assert_eq!(name.as_deref(), Some("echo"));
                black_box((name, params.get("arguments")));
                ids.push(id);
            }
        };
        if n * BATCH < plan.warm_up {
            receive()
        } else {
            sample.measure(batch.len(), receive)
        }
        for id in ids {
            server.respond(&id, &CallToolResult::text(""), now).expect("a request that waits");
        }
        send_away(&mut server);
    }
    sample
}

/// One call in, one request line out.
fn send_call(plan: &Plan) -> Sample {
    let now = Instant::ZERO;
    let (mut client, _server) = pair(now);
    let call =
        CallTool::new("echo").argument("text", TEXT).argument("count", 3).argument("tag", TAG);
    let mut sample = Sample::default();
    for n in 0..(plan.warm_up + plan.messages).div_ceil(BATCH) {
        let mut ids = Vec::with_capacity(BATCH);
        let mut send = || {
            for _ in 0..BATCH {
                let ticket = client.request(&call, CallOptions::default(), now).expect("room");
                ids.push(ticket.id().clone());
                let sent = client.poll_transmit().expect("a request");
                let sent = black_box(sent).len();
                client.advance_transmit(sent);
            }
        };
        if n * BATCH < plan.warm_up {
            send()
        } else {
            sample.measure(BATCH, send)
        }
        for id in ids {
            client.cancel(&id, None, now);
        }
        while client.poll_event().is_some() {}
        send_away(&mut client);
    }
    sample
}

/// One request line in, one response line out; the peer neither encodes nor decodes.
fn server(plan: &Plan) -> Sample {
    let mut now = Instant::ZERO;
    let (_client, mut server) = pair(now);
    let lines = messages::calls(plan.warm_up + plan.messages);
    each(plan, &lines, |line| {
        now = now + MILLISECOND;
        server.handle_input(line, now);
        answer_call(&mut server, now);
        let sent = server.poll_transmit().expect("a response");
        assert!(sent.ends_with(b"}\n"));
        let sent = black_box(sent).len();
        server.advance_transmit(sent);
    })
}

/// The echo tool: reads its arguments, returns the text.
fn answer_call(server: &mut Connection<Server>, now: Instant) {
    let Some(Event::Request { id, params, .. }) = server.poll_event() else { panic!("no request") };
    let params = params.expect("parameters");
    let text = params.get_in(&["arguments", "text"]).and_then(Raw::as_str);
    let text = text.expect("a text").into_owned();
    server.respond(&id, &CallToolResult::text(text), now).expect("a request that waits");
}

/// A typed call through both sides, with nothing but a copy of the bytes between them.
fn echo(plan: &Plan) -> Sample {
    let now = Instant::ZERO;
    let (mut client, mut server) = pair(now);
    // Made once, and shared by all calls as the other engines' cases share theirs.
    let arguments = arguments();
    let mut run = |count: usize| {
        for step in 1..=count as u64 {
            let now = now + Duration::from_millis(step);
            let mut call = CallTool::new("echo");
            call.arguments = Some(arguments.clone());
            let ticket: Ticket<CallTool> =
                client.request(&call, CallOptions::default(), now).expect("room");
            carry(&mut client, &mut server, now);
            answer_call(&mut server, now);
            carry(&mut server, &mut client, now);
            let Some(Event::Response { outcome, .. }) = client.poll_event() else {
                panic!("no response")
            };
            let result = ticket.decode(outcome).expect("a result");
            assert_eq!(result.content[0].as_text(), Some(TEXT));
            black_box(result);
        }
    };
    run(plan.warm_up);
    measured(plan.messages, || run(plan.messages))
}

pub(super) fn arguments() -> RawJson {
    let arguments = serde_json::json!({ "text": TEXT, "count": 3, "tag": TAG });
    RawJson::of(&arguments).expect("JSON")
}

/// Both sides, introduced to each other, with empty queues.
fn pair(now: Instant) -> (Connection<Client>, Connection<Server>) {
    let config = ClientConfig::new("bench", "1").revisions(Revision::V2025_11_25);
    let mut client = Connection::client(config, now);
    let mut server = Connection::server(ServerConfig::new("bench", "1").pacing(Pacing::UNLIMITED));
    for _ in 0..2 {
        carry(&mut client, &mut server, now);
        while server.poll_event().is_some() {}
        carry(&mut server, &mut client, now);
        while client.poll_event().is_some() {}
    }
    assert!(client.peer().is_some() && server.peer().is_some());
    (client, server)
}

/// Both sides, and a call that wants its progress.
fn tracked_call(now: Instant) -> (Connection<Client>, Connection<Server>, RequestId) {
    let (mut client, mut server) = pair(now);
    let _ticket = client
        .request(&CallTool::new("echo"), CallOptions::default().tracked(), now)
        .expect("room");
    carry(&mut client, &mut server, now);
    let Some(Event::Request { id, .. }) = server.poll_event() else { panic!("no request") };
    (client, server, id)
}

fn carry<A: Role, B: Role>(from: &mut Connection<A>, to: &mut Connection<B>, now: Instant) {
    while let Some(bytes) = from.poll_transmit() {
        to.handle_input(bytes, now);
        let sent = bytes.len();
        from.advance_transmit(sent);
    }
}

fn send_away<R: Role>(from: &mut Connection<R>) {
    while let Some(bytes) = from.poll_transmit() {
        let sent = bytes.len();
        from.advance_transmit(sent);
    }
}
