//! This engine: its scanner alone, one side of a connection, and both sides without a runtime.

use std::hint::black_box;
use std::time::Duration;

use mcp_proto::json::Raw;
use mcp_proto::role::{Client, Server};
use mcp_proto::{
    CallOptions, CallTool, CallToolResult, ClientConfig, Connection, Event, Instant, Revision,
    ServerConfig, Ticket,
};

use crate::messages::{self, TEXT, Values};
use crate::{Case, Plan, Sample, measured};

pub const CASES: [(&str, Case); 7] = [
    ("ours/progress-ints/scan", |plan| scan(plan, Values::Integers)),
    ("ours/progress-floats/scan", |plan| scan(plan, Values::Floats)),
    ("ours/progress-ints/receive", |plan| receive(plan, Values::Integers)),
    ("ours/progress-floats/receive", |plan| receive(plan, Values::Floats)),
    ("ours/call/scan", scan_call),
    ("ours/call/server", server),
    ("ours/call/echo", echo),
];

/// The scanner and the readers of the members, without an endpoint behind them.
fn scan(plan: &Plan, values: Values) -> Sample {
    let lines = messages::progress("7", values, plan.warm_up + plan.messages);
    let read = |line: &Vec<u8>| {
        let message = Raw::parse(line.trim_ascii_end(), 64).expect("JSON");
        let (mut method, mut params) = (None, None);
        for (key, value) in message.members() {
            match &*key {
                "method" => method = value.as_str(),
                "params" => params = Some(value),
                _ => {}
            }
        }
        let (mut progress, mut total, mut text) = (None, None, None);
        for (key, value) in params.into_iter().flat_map(Raw::members) {
            match &*key {
                "progress" => progress = value.as_f64(),
                "total" => total = value.as_f64(),
                "message" => text = value.as_str(),
                _ => {}
            }
        }
        assert!(method.is_some() && progress.is_some() && total.is_some() && text.is_some());
        black_box((method, progress, total, text));
    };
    let (warm_up, rest) = lines.split_at(plan.warm_up);
    warm_up.iter().for_each(read);
    measured(|| rest.iter().for_each(read))
}

fn scan_call(plan: &Plan) -> Sample {
    let lines: Vec<_> = (0..plan.warm_up + plan.messages).map(|n| messages::call(n + 10)).collect();
    let read = |line: &Vec<u8>| {
        let message = Raw::parse(line.trim_ascii_end(), 64).expect("JSON");
        let name =
            message.get("params").and_then(|params| params.get("name")).and_then(Raw::as_str);
        assert_eq!(name.as_deref(), Some("echo"));
        black_box(name);
    };
    let (warm_up, rest) = lines.split_at(plan.warm_up);
    warm_up.iter().for_each(read);
    measured(|| rest.iter().for_each(read))
}

/// One notification in, one event out; each a millisecond after the one before, deadlines re-armed.
fn receive(plan: &Plan, values: Values) -> Sample {
    let mut now = Instant::ZERO;
    let (mut client, _server) = pair(now);
    let ticket = client
        .request(&CallTool::new("echo"), CallOptions::default().tracked(), now)
        .expect("room");
    send_away(&mut client);
    let lines = messages::progress(&ticket.id().to_string(), values, plan.warm_up + plan.messages);
    let mut receive = |line: &Vec<u8>| {
        now = now + Duration::from_millis(1);
        client.handle_input(line, now);
        let event = client.poll_event();
        assert!(matches!(event, Some(Event::Progress { .. })), "{event:?}");
        black_box(event);
    };
    let (warm_up, rest) = lines.split_at(plan.warm_up);
    warm_up.iter().for_each(&mut receive);
    measured(|| rest.iter().for_each(&mut receive))
}

/// One request line in, one response line out; the peer neither encodes nor decodes.
fn server(plan: &Plan) -> Sample {
    let mut now = Instant::ZERO;
    let (_client, mut server) = pair(now);
    let lines: Vec<_> = (0..plan.warm_up + plan.messages).map(|n| messages::call(n + 10)).collect();
    let mut answer = |line: &Vec<u8>| {
        now = now + Duration::from_millis(1);
        server.handle_input(line, now);
        answer_call(&mut server, now);
        let sent = server.poll_transmit().expect("a response");
        assert!(sent.ends_with(b"}\n"));
        let sent = black_box(sent).len();
        server.advance_transmit(sent);
    };
    let (warm_up, rest) = lines.split_at(plan.warm_up);
    warm_up.iter().for_each(&mut answer);
    measured(|| rest.iter().for_each(&mut answer))
}

/// The echo tool: reads its arguments, returns the text.
fn answer_call(server: &mut Connection<Server>, now: Instant) {
    let Some(Event::Request { id, params, .. }) = server.poll_event() else { panic!("no request") };
    let params = params.expect("parameters");
    let text =
        params.get("arguments").and_then(|arguments| arguments.get("text")).and_then(Raw::as_str);
    let text = text.expect("a text").into_owned();
    server.respond(&id, &CallToolResult::text(text), now).expect("a request that waits");
}

/// A typed call through both sides, with nothing but a copy of the bytes between them.
fn echo(plan: &Plan) -> Sample {
    let now = Instant::ZERO;
    let (mut client, mut server) = pair(now);
    let mut run = |count: usize| {
        for step in 1..=count as u64 {
            let now = now + Duration::from_millis(step);
            let call = CallTool::new("echo")
                .argument("text", TEXT)
                .argument("count", 3)
                .argument("tag", "xxxxxxxxxxxxxxxx");
            let ticket: Ticket<CallTool> =
                client.request(&call, CallOptions::default(), now).expect("room");
            carry(&mut client, &mut server, now);
            answer_call(&mut server, now);
            carry(&mut server, &mut client, now);
            let Some(Event::Response { outcome, .. }) = client.poll_event() else {
                panic!("no response")
            };
            let result = ticket.decode(outcome).expect("a result");
            assert_eq!(result.content.len(), 1);
            black_box(result);
        }
    };
    run(plan.warm_up);
    measured(|| run(plan.messages))
}

/// Both sides, introduced to each other, with empty queues.
fn pair(now: Instant) -> (Connection<Client>, Connection<Server>) {
    let config = ClientConfig::new("bench", "1").revisions(Revision::V2025_11_25);
    let mut client = Connection::client(config, now);
    let mut server = Connection::server(ServerConfig::new("bench", "1"));
    for _ in 0..2 {
        carry(&mut client, &mut server, now);
        while server.poll_event().is_some() {}
        carry(&mut server, &mut client, now);
        while client.poll_event().is_some() {}
    }
    assert!(client.peer().is_some() && server.peer().is_some());
    (client, server)
}

fn carry<A, B>(from: &mut Connection<A>, to: &mut Connection<B>, now: Instant)
where
    A: mcp_proto::role::Role,
    B: mcp_proto::role::Role,
{
    while let Some(bytes) = from.poll_transmit() {
        to.handle_input(bytes, now);
        let sent = bytes.len();
        from.advance_transmit(sent);
    }
}

fn send_away(client: &mut Connection<Client>) {
    while let Some(bytes) = client.poll_transmit() {
        let sent = bytes.len();
        client.advance_transmit(sent);
    }
}
