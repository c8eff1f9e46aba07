//! rmcp's services: its server under a peer that is only bytes, and both its sides.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mcp_bench::messages::{self, INITIALIZE, INITIALIZED, TAG, TEXT};
use mcp_bench::tools::rmcp::Tools;
use rmcp::model::{CallToolRequestParams, ProgressNotificationParam};
use rmcp::service::{NotificationContext, RunningService};
use rmcp::{ClientHandler, RoleClient, ServiceExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::Case;
use super::tasks::{measured_in_task, runtime};
use crate::meter::{Plan, Sample, measured};

pub const CASES: [(&str, Case); 3] =
    [("rmcp/call/server", server), ("rmcp/call/echo", echo), ("rmcp/progress/trip", trip)];

/// Counts the reports that it hears.
#[derive(Clone, Default)]
struct Listener(Arc<AtomicUsize>);

impl ClientHandler for Listener {
    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.0.fetch_add(usize::from(black_box(params).message.is_some()), Relaxed);
    }
}

/// One request line in, one response line out; the peer neither encodes nor decodes.
fn server(plan: &Plan) -> Sample {
    let runtime = runtime();
    let (mut peer, theirs) = tokio::io::duplex(64 << 10);
    runtime.spawn(async move { Tools.serve(theirs).await.expect("a handshake").waiting().await });
    let mut buffer = vec![0; 64 << 10];
    runtime.block_on(async {
        exchange(&mut peer, INITIALIZE.as_bytes(), &mut buffer).await;
        peer.write_all(INITIALIZED.as_bytes()).await.expect("room");
    });
    let lines = messages::calls(plan.warm_up + plan.messages);
    let (warm_up, rest) = lines.split_at(plan.warm_up);
    let mut run = |lines: &[Vec<u8>]| {
        runtime.block_on(async {
            for line in lines {
                exchange(&mut peer, line, &mut buffer).await;
            }
        });
    };
    run(warm_up);
    let sample = measured(rest.len(), || run(rest));
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

async fn pair(listener: Listener) -> RunningService<RoleClient, Listener> {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    tokio::spawn(async move { Tools.serve(theirs).await.expect("a handshake").waiting().await });
    listener.serve(ours).await.expect("a handshake")
}

/// A typed call through its client, its server and the stream between them.
fn echo(plan: &Plan) -> Sample {
    let runtime = runtime();
    let client = runtime.block_on(pair(Listener::default()));
    let arguments = serde_json::json!({ "text": TEXT, "count": 3, "tag": TAG });
    let arguments = arguments.as_object().expect("an object");
    measured_in_task(&runtime, plan, |count| {
        let (client, arguments) = (client.peer().clone(), arguments.clone());
        async move {
            for _ in 0..count {
                let params = CallToolRequestParams::new("echo").with_arguments(arguments.clone());
                let result = client.call_tool(params).await.expect("a result");
                assert_eq!(result.content.len(), 1);
                black_box(result);
            }
        }
    })
}

/// One report from its tool to the listener of the client; the tool awaits each, as it must.
fn trip(plan: &Plan) -> Sample {
    let runtime = runtime();
    let listener = Listener::default();
    let client = runtime.block_on(pair(listener.clone()));
    measured_in_task(&runtime, plan, |count| {
        let arguments = serde_json::json!({ "count": count });
        let params = CallToolRequestParams::new("report")
            .with_arguments(arguments.as_object().expect("an object").clone());
        let (client, listener) = (client.peer().clone(), listener.clone());
        async move {
            let before = listener.0.load(Relaxed);
            client.call_tool(params).await.expect("a result");
            // The result may overtake reports that are handled in tasks of their own.
            while listener.0.load(Relaxed) - before < count {
                tokio::task::yield_now().await;
            }
        }
    })
}
