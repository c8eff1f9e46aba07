//! The sample that started this project: a long task with a progress bar, client and server.
#![cfg(unix)]

use futures_lite::future::yield_now;
use mcp_proto::net::prelude::*;
use mcp_runtimes_tests::{Host, on_every_runtime, sockets, spawn};

const STEPS: u32 = 10;

fn router() -> Router {
    let schema = RawJson::parse(r#"{"type":"object"}"#).unwrap();
    Router::new("sample", "1.0").raw_tool(Tool::new("long_running_task", schema), long_running_task)
}

async fn long_running_task(ctx: Context, _: Option<RawJson>) -> Result<CallToolResult, ToolError> {
    for step in 0..STEPS {
        let report = Progress::new(step.into()).of(STEPS.into());
        ctx.progress().report(report.message(format!("step {step}")))?;
        yield_now().await;
    }
    Ok(CallToolResult::text("完成"))
}

async fn ten_steps_from_zero_to_nine_and_then_done<H: Host>() {
    let (near, far) = sockets();
    let served = spawn(&H::platform(), H::run(router(), far));

    let client = H::connect(near, ClientConfig::new("sample", "1.0")).await.unwrap();
    let mut seen = Vec::new();
    let result = client
        .call(CallTool::new("long_running_task"))
        .on_progress(|report| {
            seen.push((report.progress, report.total, report.message.unwrap().to_string()));
        })
        .await
        .unwrap();
    let expected: Vec<_> =
        (0..STEPS).map(|step| (step.into(), Some(STEPS.into()), format!("step {step}"))).collect();
    assert_eq!(seen, expected);
    assert_eq!(result.content[0].as_text(), Some("完成"));

    drop(client);
    assert_eq!(served.join().await, CloseReason::Eof { unread: 0 });
}

on_every_runtime!(ten_steps_from_zero_to_nine_and_then_done);
