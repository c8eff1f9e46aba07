//! A clock that tests stop and move: Tokio's own, as a program's tests have it. No other runtime has one; what the clock is
//! asked for here, the engine's tests ask on simulated time.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use mcp_tokio::{
    CallError, CallTool, CallToolResult, ClientConfig, Context, Progress, RawJson, Router,
    Timeouts, Tool, ToolError,
};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn progress_re_arms_the_idle_deadline_and_never_the_total_one() {
    let (near, far) = tokio::io::duplex(4096);
    let (reader, writer) = tokio::io::split(far);
    let slow = async |ctx: Context, _: Option<RawJson>| {
        for step in 1..=100_u32 {
            tokio::time::sleep(Duration::from_secs(4)).await;
            ctx.progress().report(Progress::new(step.into()))?;
        }
        Ok::<_, ToolError>(CallToolResult::text("done"))
    };
    let schema = RawJson::parse(r#"{"type":"object"}"#).unwrap();
    let router = Router::new("test", "1.0").raw_tool(Tool::new("slow", schema), slow);
    tokio::spawn(mcp_tokio::run(router, reader, writer));
    let (reader, writer) = tokio::io::split(near);
    let config = ClientConfig::new("test", "1.0");
    let client = mcp_tokio::connect(reader, writer, config).await.unwrap();

    let patience = Timeouts::default().idle(Duration::from_secs(5));
    let began = Instant::now();
    client.call(CallTool::new("slow")).timeouts(patience).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 400);

    let began = Instant::now();
    let call = client.call(CallTool::new("slow")).timeouts(patience.total(Duration::from_secs(30)));
    let Err(CallError::TimedOut(expired)) = call.await else { panic!("it is too slow") };
    assert_eq!((began.elapsed().as_secs(), expired.reports), (30, 7));
}
