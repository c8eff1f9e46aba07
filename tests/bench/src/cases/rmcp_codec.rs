//! rmcp's codec: serde_json on its message types.

use std::hint::black_box;

use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientRequest, JsonRpcMessage, NumberOrString,
    ProgressNotification, ProgressNotificationParam, ProgressToken, ServerNotification,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::{RoleClient, RoleServer};
use serde::de::DeserializeOwned;

use super::Case;
use crate::meter::{Plan, Sample, each};
use mcp_bench::messages::{self, STEP, TAG, TEXT, TOTAL, Values};

pub const CASES: [(&str, Case); 7] = [
    ("rmcp/progress-ints/decode", |plan| decode_progress(plan, Values::Integers)),
    ("rmcp/progress-floats/decode", |plan| decode_progress(plan, Values::Floats)),
    ("rmcp/call/decode", decode_call),
    ("rmcp/progress/encode", encode_progress),
    ("rmcp/call/encode", encode_call),
    ("rmcp/large-plain/decode", |plan| decode_large(plan, false)),
    ("rmcp/large-escaped/decode", |plan| decode_large(plan, true)),
];

fn decode<T: DeserializeOwned>(line: &[u8]) {
    let message: T = serde_json::from_slice(line).expect("a message");
    black_box(message);
}

fn decode_progress(plan: &Plan, values: Values) -> Sample {
    let lines = messages::progress("7", values, plan.warm_up + plan.messages);
    each(plan, &lines, |line| decode::<RxJsonRpcMessage<RoleClient>>(line))
}

fn decode_call(plan: &Plan) -> Sample {
    let lines = messages::calls(plan.warm_up + plan.messages);
    each(plan, &lines, |line| decode::<RxJsonRpcMessage<RoleServer>>(line))
}

fn decode_large(plan: &Plan, escaped: bool) -> Sample {
    let mut sample = Sample::default();
    for id in 0..plan.messages.div_ceil(100) {
        let line = messages::large_result(id, escaped);
        sample.measure(1, || decode::<RxJsonRpcMessage<RoleClient>>(&line));
    }
    sample
}

fn encode_progress(plan: &Plan) -> Sample {
    let notifications: Vec<TxJsonRpcMessage<RoleServer>> = (1..=plan.warm_up + plan.messages)
        .map(|step| {
            let token = ProgressToken(NumberOrString::Number(7));
            let params = ProgressNotificationParam::new(token, step as f64)
                .with_total(TOTAL)
                .with_message(STEP);
            JsonRpcMessage::notification(ServerNotification::ProgressNotification(
                ProgressNotification::new(params),
            ))
        })
        .collect();
    let mut out = Vec::with_capacity(1024);
    each(plan, &notifications, |notification| {
        out.clear();
        serde_json::to_writer(&mut out, notification).expect("JSON");
        black_box(&out);
    })
}

fn encode_call(plan: &Plan) -> Sample {
    let arguments = serde_json::json!({ "text": TEXT, "count": 3, "tag": TAG });
    let arguments = arguments.as_object().expect("an object");
    let requests: Vec<TxJsonRpcMessage<RoleClient>> = (0..plan.warm_up + plan.messages)
        .map(|n| {
            let params = CallToolRequestParams::new("echo").with_arguments(arguments.clone());
            JsonRpcMessage::request(
                ClientRequest::CallToolRequest(CallToolRequest::new(params)),
                NumberOrString::Number(n as i64 + 10),
            )
        })
        .collect();
    let mut out = Vec::with_capacity(1024);
    each(plan, &requests, |request| {
        out.clear();
        serde_json::to_writer(&mut out, request).expect("JSON");
        black_box(&out);
    })
}
