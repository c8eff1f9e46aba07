//! This engine's codec: one message read or written, and no table.

use std::hint::black_box;

use bytes::Bytes;
use mcp_proto::codec::{self, Decoded};
use mcp_proto::json::Raw;
use mcp_proto::role::Client;
use mcp_proto::{
    CallOptions, CallTool, ClientConfig, Endpoint, Event, Instant, Limits, Progress, ProgressToken,
    Revision,
};

use super::Case;
use crate::meter::{Plan, Sample, each};
use mcp_bench::messages::{self, STEP, TAG, TEXT, TOTAL, Values};

pub const CASES: [(&str, Case); 9] = [
    ("ours/progress-ints/decode", |plan| decode_progress(plan, Values::Integers)),
    ("ours/progress-floats/decode", |plan| decode_progress(plan, Values::Floats)),
    ("ours/progress-ints/decode-known", |plan| decode_known(plan, Values::Integers)),
    ("ours/progress-floats/decode-known", |plan| decode_known(plan, Values::Floats)),
    ("ours/call/decode", decode_call),
    ("ours/progress/encode", encode_progress),
    ("ours/call/encode", encode_call),
    ("ours/large-plain/decode", |plan| decode_large(plan, false)),
    ("ours/large-escaped/decode", |plan| decode_large(plan, true)),
];

fn decode_progress(plan: &Plan, values: Values) -> Sample {
    let limits = Limits::default();
    let lines = messages::progress("7", values, plan.warm_up + plan.messages);
    each(plan, &lines, |line| {
        let decoded = codec::decode(line.trim_ascii_end(), &limits);
        assert!(matches!(
            decoded,
            Some(Decoded::Progress { total: Some(_), message: Some(_), .. })
        ));
        black_box(decoded);
    })
}

/// As an endpoint reads the second report of a peer and those behind it.
fn decode_known(plan: &Plan, values: Values) -> Sample {
    let limits = Limits::default();
    let lines = messages::progress("7", values, plan.warm_up + plan.messages);
    let mut reader = codec::Reader::new();
    each(plan, &lines, |line| {
        let decoded = reader.read(line.trim_ascii_end(), &limits);
        assert!(matches!(
            decoded,
            Some(Decoded::Progress { total: Some(_), message: Some(_), .. })
        ));
        black_box(decoded);
    })
}

/// The name as a string, the arguments left as they are.
fn decode_call(plan: &Plan) -> Sample {
    let limits = Limits::default();
    let lines = messages::calls(plan.warm_up + plan.messages);
    each(plan, &lines, |line| {
        let Some(Decoded::Request { id, params: Some(params), .. }) =
            codec::decode(line.trim_ascii_end(), &limits)
        else {
            panic!("no request")
        };
        let name = params.get("name").and_then(Raw::as_str);
        assert_eq!(name.as_deref(), Some("echo"));
        black_box((id, name, params.get("arguments")));
    })
}

fn encode_progress(plan: &Plan) -> Sample {
    let token = ProgressToken::from(7);
    let reports: Vec<_> = (1..=plan.warm_up + plan.messages)
        .map(|step| Progress::new(step as f64).of(TOTAL).message(STEP))
        .collect();
    let mut out = Vec::with_capacity(1024);
    each(plan, &reports, |report| {
        out.clear();
        codec::encode_progress(&mut out, &token, report);
        black_box(&out);
    })
}

fn encode_call(plan: &Plan) -> Sample {
    let call =
        CallTool::new("echo").argument("text", TEXT).argument("count", 3).argument("tag", TAG);
    let ids: Vec<_> = (0..plan.warm_up + plan.messages).map(|n| (n as i64 + 10).into()).collect();
    let mut out = Vec::with_capacity(1024);
    each(plan, &ids, |id| {
        out.clear();
        codec::encode_request(&mut out, id, &call).expect("JSON");
        black_box(&out);
    })
}

/// A whole message to its typed result: what is copied counts.
fn decode_large(plan: &Plan, escaped: bool) -> Sample {
    let mut sample = Sample::default();
    let mut client = client();
    for _ in 0..plan.messages.div_ceil(100) {
        let ticket =
            client.request(&CallTool::new("echo"), CallOptions::default(), NOW).expect("room");
        while client.poll_transmit().is_some() {}
        while client.poll_event().is_some() {}
        let id = ticket.id().to_string().parse().expect("a number");
        let mut line = messages::large_result(id, escaped);
        line.pop();
        let frame = Bytes::from(line);
        sample.measure(1, || {
            client.handle_message(frame, NOW);
            let Some(Event::Response { outcome, .. }) = client.poll_event() else {
                panic!("no response")
            };
            let result = ticket.decode(outcome).expect("a result");
            assert_eq!(result.content.len(), 1);
            black_box(result);
        });
    }
    sample
}

const NOW: Instant = Instant::ZERO;

/// A client whose server has introduced itself.
fn client() -> Endpoint<Client> {
    let config = ClientConfig::new("bench", "1").revisions(Revision::V2025_11_25);
    let mut client = Endpoint::client(config, NOW);
    let hello = r#"{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"s","version":"1"}}}"#;
    client.handle_message(hello.into(), NOW);
    assert!(matches!(client.poll_event(), Some(Event::Ready(_))));
    client
}
