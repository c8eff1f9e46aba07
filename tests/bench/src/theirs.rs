//! rmcp: its decoder alone, its server under a peer that is only bytes, and both its sides.

use std::hint::black_box;

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ServerCapabilities,
    ServerConfig,
};
use rmcp::service::{RequestContext, RxJsonRpcMessage};
use rmcp::{ErrorData, RoleClient, RoleServer, ServerHandler, ServiceExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::messages::{self, TEXT, Values};
use crate::{Case, Plan, Sample, measured};

pub const CASES: [(&str, Case); 5] = [
    ("rmcp/progress-ints/decode", |plan| decode_progress(plan, Values::Integers)),
    ("rmcp/progress-floats/decode", |plan| decode_progress(plan, Values::Floats)),
    ("rmcp/call/decode", decode_call),
    ("rmcp/call/server", server),
    ("rmcp/call/echo", echo),
];

fn decode_progress(plan: &Plan, values: Values) -> Sample {
    let lines = messages::progress("7", values, plan.warm_up + plan.messages);
    let decode = |line: &Vec<u8>| {
        let message: RxJsonRpcMessage<RoleClient> =
            serde_json::from_slice(line).expect("a notification");
        black_box(message);
    };
    let (warm_up, rest) = lines.split_at(plan.warm_up);
    warm_up.iter().for_each(decode);
    measured(|| rest.iter().for_each(decode))
}

fn decode_call(plan: &Plan) -> Sample {
    let lines: Vec<_> = (0..plan.warm_up + plan.messages).map(|n| messages::call(n + 10)).collect();
    let decode = |line: &Vec<u8>| {
        let message: RxJsonRpcMessage<RoleServer> =
            serde_json::from_slice(line).expect("a request");
        black_box(message);
    };
    let (warm_up, rest) = lines.split_at(plan.warm_up);
    warm_up.iter().for_each(decode);
    measured(|| rest.iter().for_each(decode))
}

/// Returns the text that it was given.
#[derive(Clone)]
struct Echo;

impl ServerHandler for Echo {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let text = request.arguments.as_ref().and_then(|arguments| arguments.get("text")?.as_str());
        let text = text.ok_or_else(|| ErrorData::invalid_params("text is missing", None))?;
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// One request line in, one response line out; the peer neither encodes nor decodes.
fn server(plan: &Plan) -> Sample {
    let runtime = runtime();
    let (mut peer, theirs) = tokio::io::duplex(64 << 10);
    runtime.spawn(async move { Echo.serve(theirs).await.expect("a handshake").waiting().await });
    let mut buffer = vec![0; 64 << 10];
    runtime.block_on(async {
        let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}"#;
        exchange(&mut peer, format!("{hello}\n").as_bytes(), &mut buffer).await;
        peer.write_all(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n").await.expect("room");
    });
    let lines: Vec<_> = (0..plan.warm_up + plan.messages).map(|n| messages::call(n + 10)).collect();
    let (warm_up, rest) = lines.split_at(plan.warm_up);
    let mut run = |lines: &[Vec<u8>]| {
        runtime.block_on(async {
            for line in lines {
                exchange(&mut peer, line, &mut buffer).await;
            }
        });
    };
    run(warm_up);
    let sample = measured(|| run(rest));
    assert!(
        buffer.windows(TEXT.len()).any(|window| window == TEXT.as_bytes()),
        "the text was not echoed"
    );
    sample
}

async fn exchange(peer: &mut DuplexStream, line: &[u8], buffer: &mut [u8]) {
    peer.write_all(line).await.expect("room");
    let mut filled = 0;
    while !buffer[..filled].ends_with(b"\n") {
        let read = peer.read(&mut buffer[filled..]).await.expect("an open stream");
        assert!(read > 0, "the server hung up");
        filled += read;
    }
}

/// A typed call through its client, its server and the stream between them.
fn echo(plan: &Plan) -> Sample {
    let runtime = runtime();
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    runtime.spawn(async move { Echo.serve(theirs).await.expect("a handshake").waiting().await });
    let client = runtime.block_on(().serve(ours)).expect("a handshake");
    let arguments = serde_json::json!({ "text": TEXT, "count": 3, "tag": "xxxxxxxxxxxxxxxx" });
    let arguments = arguments.as_object().expect("an object");
    let run = |count: usize| {
        runtime.block_on(async {
            for _ in 0..count {
                let params = CallToolRequestParams::new("echo").with_arguments(arguments.clone());
                let result = client.call_tool(params).await.expect("a result");
                assert_eq!(result.content.len(), 1);
                black_box(result);
            }
        });
    };
    run(plan.warm_up);
    measured(|| run(plan.messages))
}
