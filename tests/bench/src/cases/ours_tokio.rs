//! This engine on Tokio: client and server in one process, an in-memory stream between them.

use std::hint::black_box;

use mcp_bench::messages::TEXT;
use mcp_bench::tools::{BURST, ours};
use mcp_tokio::{CallTool, Client, ClientConfig, Delivery, Pacing, Revision};

use super::Case;
use super::ours_sans_io::arguments;
use super::tasks::{measured_in_task, runtime};
use crate::meter::{Plan, Sample};

pub const CASES: [(&str, Case); 4] = [
    ("ours/call/tokio-echo", echo),
    ("ours/progress/tokio-trip", |plan| trip(plan, Pacing::UNLIMITED, 1)),
    ("ours/progress/tokio-burst", |plan| trip(plan, Pacing::UNLIMITED, BURST)),
    ("ours/progress/tokio-burst-paced", |plan| trip(plan, Pacing::default(), 0)),
];

/// A typed call through its client, its server and the stream between them.
fn echo(plan: &Plan) -> Sample {
    let runtime = runtime();
    let client = runtime.block_on(pair(Pacing::default()));
    let arguments = arguments();
    measured_in_task(&runtime, plan, |count| {
        let (client, arguments) = (client.clone(), arguments.clone());
        async move {
            for _ in 0..count {
                let mut call = CallTool::new("echo");
                call.arguments = Some(arguments.clone());
                let result = client.call(call).await.expect("a result");
                assert_eq!(result.content[0].as_text(), Some(TEXT));
                black_box(result);
            }
        }
    })
}

/// One report from its tool to the listener of the client. The tool waits for so many to leave; 0 is never.
fn trip(plan: &Plan, pacing: Pacing, wait: usize) -> Sample {
    let runtime = runtime();
    let client = runtime.block_on(pair(pacing));
    measured_in_task(&runtime, plan, |count| {
        let client = client.clone();
        async move {
            let mut heard = 0;
            let call = CallTool::new("report").argument("count", count).argument("wait", wait);
            let listening = client.call(call).delivery(Delivery::Every).on_progress(|progress| {
                heard += usize::from(black_box(progress).message.is_some());
            });
            listening.await.expect("a result");
            assert!(heard == count || pacing != Pacing::UNLIMITED, "{heard} of {count}");
        }
    })
}

/// A client whose server runs in a task.
async fn pair(pacing: Pacing) -> Client {
    let (near, far) = tokio::io::duplex(64 << 10);
    let (reader, writer) = tokio::io::split(far);
    tokio::spawn(ours::serve(mcp_tokio::serve(reader, writer, ours::config(pacing))));
    let (reader, writer) = tokio::io::split(near);
    let config = ClientConfig::new("bench", "1").revisions(Revision::V2025_11_25);
    mcp_tokio::connect(reader, writer, config).await.expect("a handshake")
}
