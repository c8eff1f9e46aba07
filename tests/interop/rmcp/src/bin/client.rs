//! The rmcp client: client legacy|auto|REVISION PLAN -- (URL | COMMAND [ARG ...]); for the plan see `peers/plan.py`.
//!
//! Reports are listened to as rmcp's documentation shows it: `ProgressDispatcher` and a subscription per call.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use rmcp::handler::client::progress::ProgressDispatcher;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, CancelledNotificationParam, ClientCapabilities,
    ClientConfig, ClientRequest, Implementation, JsonObject, ProgressNotificationParam,
    ProtocolVersion, ServerResult,
};
use rmcp::service::{NotificationContext, PeerRequestOptions, RunningService};
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess};
use rmcp::{ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient, ServiceError};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinSet;

/// One call of the plan.
#[derive(Deserialize)]
struct Call {
    tool: String,
    #[serde(default)]
    arguments: JsonObject,
    progress: Option<bool>,
    #[serde(default)]
    slow: bool,
    cancel_after: Option<u32>,
}

struct Interop {
    reports: ProgressDispatcher,
    legacy: ProtocolVersion,
    listeners: Mutex<JoinSet<()>>,
}

impl ClientHandler for Interop {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::new(ClientCapabilities::default(), Implementation::new("rmcp", "3.9.0"))
            .with_protocol_version(self.legacy.clone())
    }

    async fn on_progress(
        &self,
        report: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.reports.handle_notification(report).await;
    }
}

fn emit(event: Value) {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{event}").and_then(|()| stdout.flush()).expect("an open standard output");
}

/// Carries one call out and prints its reports and its end.
async fn one(
    client: &RunningService<RoleClient, Interop>,
    number: usize,
    call: &Call,
) -> Result<(), ServiceError> {
    let params =
        CallToolRequestParams::new(call.tool.clone()).with_arguments(call.arguments.clone());
    let request = ClientRequest::CallToolRequest(CallToolRequest::new(params));
    let handle = client.send_cancellable_request(request, PeerRequestOptions::no_options()).await?;
    let enough = Arc::new(Notify::new());
    if call.progress != Some(false) {
        let mut reports = client.service().reports.subscribe(handle.progress_token.clone()).await;
        let (enough, slow, cancel_after) = (enough.clone(), call.slow, call.cancel_after);
        client.service().listeners.lock().await.spawn(async move {
            let mut seen = 0;
            while let Some(report) = reports.next().await {
                seen += 1;
                if slow {
                    tokio::time::sleep(Duration::from_millis(20) * 11_u32.saturating_sub(seen))
                        .await;
                }
                emit(json!({
                    "event": "progress", "call": number, "progress": report.progress, "total": report.total,
                    "message": report.message,
                }));
                if cancel_after == Some(seen) {
                    enough.notify_one();
                }
            }
        });
    }
    // What is left of the handle when its waiting is given up: as the library cancels, so does this.
    let (peer, id) = (handle.peer.clone(), handle.id.clone());
    tokio::select! {
        outcome = handle.await_response() => match outcome? {
            ServerResult::CallToolResult(result) => {
                let text: String = result.content.iter().filter_map(|block| Some(block.as_text()?.text.as_str())).collect();
                emit(json!({ "event": "result", "call": number, "error": result.is_error == Some(true), "text": text }));
            }
            other => emit(json!({ "event": "error", "call": number, "text": format!("{other:?}") })),
        },
        () = enough.notified() => {
            peer.notify_cancelled(CancelledNotificationParam::new(Some(id), Some("enough".to_owned()))).await?;
            emit(json!({ "event": "cancelled", "call": number }));
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mode = arguments.next().ok_or("a mode is missing")?;
    let plan: Vec<Vec<Call>> = serde_json::from_str(&arguments.next().ok_or("a plan is missing")?)?;
    let command: Vec<String> = arguments.skip(1).collect();
    let (program, arguments) = command.split_first().ok_or("a command is missing")?;

    let modern = ProtocolVersion::V_2026_07_28;
    let legacy = match mode.as_str() {
        "legacy" | "auto" => ProtocolVersion::LATEST_WITH_INITIALIZE,
        revision => serde_json::from_value(json!(revision))?,
    };
    let lifecycle = match mode.as_str() {
        "auto" => ClientLifecycleMode::Auto {
            preferred_versions: vec![modern],
            legacy_version: Some(legacy.clone()),
        },
        _ if legacy == modern => ClientLifecycleMode::Discover { preferred_versions: vec![modern] },
        _ => ClientLifecycleMode::Initialize,
    };
    let handler =
        Interop { reports: ProgressDispatcher::new(), legacy, listeners: Mutex::default() };
    let client = if program.starts_with("http") {
        let transport = StreamableHttpClientTransport::from_uri(program.as_str());
        handler.serve_with_lifecycle(transport, lifecycle).await?
    } else {
        let mut command = tokio::process::Command::new(program);
        command.args(arguments);
        handler.serve_with_lifecycle(TokioChildProcess::new(command)?, lifecycle).await?
    };
    let tools = client.list_all_tools().await?;
    let tools: JsonObject =
        tools.into_iter().map(|tool| (tool.name.into_owned(), json!(tool.input_schema))).collect();
    emit(json!({ "event": "connected", "tools": tools }));

    let mut number = 0;
    for calls in &plan {
        join_all(calls.iter().enumerate().map(|(i, call)| {
            let (client, number) = (&client, number + i);
            async move {
                if let Err(error) = one(client, number, call).await {
                    emit(json!({ "event": "error", "call": number, "text": error.to_string() }));
                }
            }
        }))
        .await;
        number += calls.len();
    }
    // Reports that come after their call has ended get a moment, and so do slow listeners, to be counted.
    tokio::time::sleep(Duration::from_millis(500)).await;
    client.service().reports.clear().await;
    let mut listeners = client.service().listeners.lock().await;
    let _ = tokio::time::timeout(Duration::from_secs(5), async {
        while listeners.join_next().await.is_some() {}
    })
    .await;
    drop(listeners);
    client.cancel().await?;
    Ok(())
}
