//! This engine on Tokio: client and server in one process, an in-memory stream between them.

use std::hint::black_box;

use mcp_tokio::mcp_proto::json::Raw;
use mcp_tokio::{
    CallTool, CallToolResult, Client, ClientConfig, Delivery, Incoming, Pacing, Progress, Revision,
    Server, ServerConfig,
};
use tokio::runtime::Runtime;

use super::Case;
use super::ours_sans_io::arguments;
use crate::messages::{STEP, TEXT, TOTAL};
use crate::meter::{Plan, Sample, measured};

pub const CASES: [(&str, Case); 4] = [
    ("ours/call/tokio-echo", echo),
    ("ours/progress/tokio-trip", |plan| trip(plan, Pacing::UNLIMITED, true)),
    ("ours/progress/tokio-burst", |plan| trip(plan, Pacing::UNLIMITED, false)),
    ("ours/progress/tokio-burst-paced", |plan| trip(plan, Pacing::default(), false)),
];

/// A typed call through its client, its server and the stream between them.
fn echo(plan: &Plan) -> Sample {
    let runtime = runtime();
    let (client, mut server) = runtime.block_on(pair(Pacing::default()));
    runtime.spawn(async move {
        while let Some(incoming) = server.accept().await {
            answer(incoming);
        }
    });
    let arguments = arguments();
    let run = |count: usize| {
        runtime.block_on(async {
            for _ in 0..count {
                let mut call = CallTool::new("echo");
                call.arguments = Some(arguments.clone());
                let result = client.call(call).await.expect("a result");
                assert_eq!(result.content[0].as_text(), Some(TEXT));
                black_box(result);
            }
        });
    };
    run(plan.warm_up);
    measured(plan.messages, || run(plan.messages))
}

/// The echo tool: reads its arguments, returns the text.
fn answer(incoming: Incoming) {
    let params = incoming.raw_params();
    let text = params.and_then(|params| params.get_in(&["arguments", "text"]));
    let text = text.and_then(Raw::as_str);
    let text = text.expect("a text").into_owned();
    incoming.respond(&CallToolResult::text(text)).expect("a request that waits");
}

/// One report from its tool to the listener of the client. Either the tool waits until each has left, or
/// it reports them all at once.
fn trip(plan: &Plan, pacing: Pacing, waits: bool) -> Sample {
    let runtime = runtime();
    let (client, mut server) = runtime.block_on(pair(pacing));
    runtime.spawn(async move {
        while let Some(incoming) = server.accept().await {
            let arguments = incoming.raw_params().and_then(|params| params.get("arguments"));
            let count = arguments.and_then(|arguments| arguments.get("count")?.as_f64());
            report(incoming, count.expect("a count") as usize, waits).await;
        }
    });
    let run = |count: usize| {
        let mut heard = 0;
        let call = CallTool::new("report").argument("count", count);
        let listening = client.call(call).delivery(Delivery::Every).on_progress(|progress| {
            heard += usize::from(black_box(progress).message.is_some());
        });
        runtime.block_on(listening).expect("a result");
        assert!(heard == count || pacing != Pacing::UNLIMITED, "{heard} of {count}");
    };
    run(plan.warm_up);
    measured(plan.messages, || run(plan.messages))
}

async fn report(incoming: Incoming, count: usize, waits: bool) {
    let reporter = incoming.reporter();
    for step in 1..=count {
        let progress = Progress::new(step as f64).of(TOTAL).message(STEP);
        reporter.report(progress).expect("a report that is wanted");
        if waits || step % BURST == 0 {
            reporter.delivered().await;
        }
    }
    drop(reporter);
    incoming.respond(&CallToolResult::text("")).expect("a request that waits");
}

/// Reports before a tool waits.
const BURST: usize = 100;

async fn pair(pacing: Pacing) -> (Client, Server) {
    let (near, far) = tokio::io::duplex(64 << 10);
    let (reader, writer) = tokio::io::split(far);
    let server = mcp_tokio::serve(reader, writer, ServerConfig::new("bench", "1").pacing(pacing));
    let (reader, writer) = tokio::io::split(near);
    let config = ClientConfig::new("bench", "1").revisions(Revision::V2025_11_25);
    let client = mcp_tokio::connect(reader, writer, config).await.expect("a handshake");
    (client, server)
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}
