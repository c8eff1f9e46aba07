//! Tools of a router behind the engine, one of each kind, called in ways that nobody thought of.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use mcp_proto::driver::Reporter;
use mcp_proto::progress::ReportError;
use mcp_proto::router::{Context, Router, ToolError, ToolInfo};
use mcp_proto::testing::{Clock, ops::HandlerSchedule};
use mcp_proto::types::{LogLevel, LogMessage};
use mcp_proto::{CallToolResult, ContentBlock, ErrorObject, Progress, RawJson};
use serde::{Deserialize, Serialize};

/// Bytes that `arbitrary` reads as a schedule.
pub fn handler(input: &[u8]) {
    if let Ok(schedule) = HandlerSchedule::arbitrary(&mut Unstructured::new(input)) {
        call_tools(&schedule);
    }
}

/// Does what a schedule says with the tools of this target.
pub fn call_tools(schedule: &HandlerSchedule) {
    let clock = Clock::new();
    schedule.run(router(&clock), clock);
}

const ARGUMENTS: &str = r#"{"type":"object","properties":{"n":{"type":"integer"},
    "names":{"type":"array","items":{"type":"string"}},"how":{"enum":["told","protocol","result","slow"]}}}"#;

/// What the tools take, if it fits.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Arguments {
    n: i64,
    names: Vec<String>,
    how: Option<String>,
}

/// What a call has left behind; not its `Context`, which would hold the state that it lies in.
#[derive(Default)]
struct Kept(Mutex<Option<Reporter>>);

/// A list of three pages.
fn router(clock: &Clock) -> Router {
    let tool = |name| {
        let (input, output) = (RawJson::parse(ARGUMENTS), RawJson::parse(r#"{"type":"object"}"#));
        ToolInfo::new(name).title(name).into_tool(input.expect("a schema"), output.ok())
    };
    Router::new("handler", "1")
        .page_size(3)
        .state(clock.clone())
        .state(Kept::default())
        .raw_tool(tool("echo"), echo)
        .raw_tool(tool("work"), work)
        .raw_tool(tool("count"), count)
        .raw_tool(tool("stages"), stages)
        .raw_tool(tool("wait"), wait)
        .raw_tool(tool("fail"), fail)
        .raw_tool(tool("describe"), describe)
        .raw_tool(tool("keep"), keep)
}

fn read(arguments: Option<RawJson>) -> Result<Arguments, ToolError> {
    let Some(json) = arguments else { return Ok(Arguments::default()) };
    json.decode().map_err(ToolError::arguments)
}

async fn sleep(ctx: &Context, millis: u64) {
    let clock: Arc<Clock> = ctx.state().expect("it was given");
    clock.sleep(Duration::from_millis(millis)).await;
}

/// Lets others go first, and wakes itself while it is polled.
async fn give_way() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

async fn echo(_: Context, arguments: Option<RawJson>) -> String {
    arguments.map_or_else(String::new, |arguments| arguments.to_string())
}

/// Goes on although nobody may want it any more.
async fn work(ctx: Context, _: Option<RawJson>) {
    for step in 0..3 {
        sleep(&ctx, 20).await;
        ctx.progress().report(Progress::new(step.into())).ok();
    }
}

/// Reports without pause, of each weight.
async fn count(ctx: Context, arguments: Option<RawJson>) -> Result<Vec<ContentBlock>, ToolError> {
    let Arguments { n, names, how } = read(arguments)?;
    let steps = ctx.progress().steps(names.len() as u64);
    for at in 0..n.clamp(0, 100) {
        match at % 4 {
            0 => ctx.progress().milestone(Progress::new(at as f64))?,
            1 => ctx.progress().heartbeat("still there")?,
            2 => give_way().await,
            _ => ctx.progress().report(Progress::new(at as f64).of(100.0))?,
        }
    }
    for name in &names {
        steps.step(name.clone())?;
    }
    if how.is_some() {
        ctx.progress().delivered().await;
    }
    Ok(names.into_iter().map(ContentBlock::text).collect())
}

async fn stages(ctx: Context, arguments: Option<RawJson>) -> Result<(), ToolError> {
    let Arguments { n, names, .. } = read(arguments)?;
    let load = ctx.progress().stage("load", 0.0..0.5)?;
    for name in &names {
        load.stage(name.clone(), 0.0..n as f64)?.milestone(Progress::new(0.5))?;
        give_way().await;
    }
    sleep(&ctx, n.clamp(0, 1_000) as u64).await;
    ctx.progress().stage("clean", 0.5..1.0)?.report(Progress::new(1.0))?;
    Ok(())
}

async fn wait(ctx: Context, arguments: Option<RawJson>) -> Result<String, ToolError> {
    let Arguments { n, how, .. } = read(arguments)?;
    let millis = if how.as_deref() == Some("slow") { 60_000 } else { n.clamp(0, 10_000) as u64 };
    let waited = ctx.unless_cancelled(sleep(&ctx, millis)).await;
    assert_eq!(
        waited.is_none(),
        ctx.is_cancelled(),
        "it is told of a cancel exactly if there is one"
    );
    waited.map(|()| "waited".into()).ok_or_else(|| "cancelled".into())
}

async fn fail(_: Context, arguments: Option<RawJson>) -> Result<CallToolResult, ToolError> {
    let Arguments { n, names, how } = read(arguments)?;
    Err(match how.as_deref() {
        Some("told") => ToolError::new(names.concat()),
        Some("protocol") => ToolError::protocol(ErrorObject::new(n, names.concat())),
        Some("result") => CallToolResult::text(names.concat()).into(),
        _ => "not said how".into(),
    })
}

async fn describe(_: Context, arguments: Option<RawJson>) -> Result<CallToolResult, ToolError> {
    Ok(CallToolResult::structured(&read(arguments)?)?)
}

/// Its reporter outlives the call. It does nothing then.
async fn keep(ctx: Context, _: Option<RawJson>) -> &'static str {
    ctx.info(format!("{} in {}", ctx.id(), ctx.revision()));
    ctx.log(&LogMessage::text(LogLevel::Error, "loud")).ok();
    let kept: Arc<Kept> = ctx.state().expect("it was given");
    let earlier = kept.0.lock().expect("no panic before").replace(ctx.progress().clone());
    if let Some(earlier) = earlier {
        let late = earlier.report(Progress::new(1.0));
        assert_eq!(late, Err(ReportError::Finished), "its call is over");
    }
    "kept"
}
