//! Tools that report, wait, and send much, for tests to call; and what such a call has to bring.

use async_channel::{Receiver, Sender, unbounded};
use mcp_proto::net::prelude::*;

/// How many reports `steps`, `slow` and `part` send.
pub const STEPS: u32 = 64;

/// How many reports `pour` sends.
pub const POURED: u32 = 5_000;

/// What tests share with the tools that they call.
#[derive(Debug)]
pub struct Gate {
    /// One for each call of `wait`, `slow` or `pour` that has come as far as it can.
    pub entered: Receiver<()>,
    /// One for each call of `wait` that was cancelled.
    pub cancelled: Receiver<()>,
    /// One for each call of `wait` that is gone: it has ended, or was dropped.
    pub left: Receiver<()>,
    /// What is sent here lets one of them go on.
    pub open: Sender<()>,
}

/// Says that a handler is gone.
struct Left(Sender<()>);

impl Drop for Left {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

/// `steps` reports each step; `wait` is there until the gate opens or nobody wants it; `slow` reports one half, waits for
/// the gate, and reports the other; `part` sends its client away in the middle; `pour` reports more than any buffer holds,
/// and waits for the gate; `echo` reports once and answers with as many letters as it is asked for.
pub fn tools() -> (Router, Gate) {
    let ((enter, entered), (open, opened)) = (unbounded(), unbounded::<()>());
    let ((cancel, cancelled), (leave, left)) = (unbounded(), unbounded());
    let schema = || RawJson::parse(r#"{"type":"object"}"#).expect("JSON");
    let steps = async |ctx: Context, _: Option<RawJson>| {
        report(&ctx, 1..=STEPS)?;
        Ok::<_, ToolError>(CallToolResult::text("done"))
    };
    let (enters, opens): (Sender<()>, _) = (enter.clone(), opened.clone());
    let wait = move |ctx: Context, _: Option<RawJson>| {
        let (enter, opened) = (enters.clone(), opens.clone());
        let (cancel, left): (Sender<()>, _) = (cancel.clone(), Left(leave.clone()));
        async move {
            enter.send(()).await.expect("a test");
            if ctx.unless_cancelled(opened.recv()).await.is_none() {
                cancel.send(()).await.expect("a test");
            }
            drop(left);
            CallToolResult::text("waited")
        }
    };
    let (enters, opens) = (enter.clone(), opened.clone());
    let slow = move |ctx: Context, _: Option<RawJson>| {
        let (enter, opened) = (enters.clone(), opens.clone());
        async move {
            report(&ctx, 1..=STEPS / 2)?;
            enter.send(()).await.expect("a test");
            opened.recv().await.expect("a test");
            report(&ctx, STEPS / 2 + 1..=STEPS)?;
            Ok::<_, ToolError>(CallToolResult::text("done"))
        }
    };
    let part = async |ctx: Context, _: Option<RawJson>| {
        report(&ctx, 1..=STEPS / 2)?;
        let has_parted = ctx.close_stream();
        report(&ctx, STEPS / 2 + 1..=STEPS)?;
        Ok::<_, ToolError>(CallToolResult::text(if has_parted { "parted" } else { "stayed" }))
    };
    let pour = move |ctx: Context, _: Option<RawJson>| {
        let (enter, opened) = (enter.clone(), opened.clone());
        async move {
            let message = "x".repeat(10_000);
            for step in 1..=POURED {
                ctx.progress().report(Progress::new(step.into()).message(message.clone()))?;
            }
            enter.send(()).await.expect("a test");
            opened.recv().await.expect("a test");
            Ok::<_, ToolError>(CallToolResult::text("done"))
        }
    };
    let echo = async |ctx: Context, asked: Option<RawJson>| {
        let len = asked.and_then(|asked| asked.get("len")?.to_string().parse().ok());
        ctx.progress().report(Progress::new(1.0))?;
        Ok::<_, ToolError>(CallToolResult::text("x".repeat(len.expect("a length"))))
    };
    let router = Router::new("test", "1.0")
        .pacing(Pacing::UNLIMITED)
        .raw_tool(Tool::new("steps", schema()), steps)
        .raw_tool(Tool::new("wait", schema()), wait)
        .raw_tool(Tool::new("slow", schema()), slow)
        .raw_tool(Tool::new("part", schema()), part)
        .raw_tool(Tool::new("pour", schema()), pour)
        .raw_tool(Tool::new("echo", schema()), echo);
    (router, Gate { entered, cancelled, left, open })
}

fn report(ctx: &Context, steps: impl Iterator<Item = u32>) -> Result<(), ToolError> {
    for step in steps {
        let report = Progress::new(step.into()).of(STEPS.into());
        ctx.progress().report(report.message(format!("step {step}")))?;
    }
    Ok(())
}

/// The reports of a call, and what it answers. `at` is called at each of them.
///
/// # Errors
///
/// Why it did not end well.
pub async fn reports(
    client: &Client,
    tool: &'static str,
    mut at: impl FnMut(f64) + Send,
) -> Result<(Vec<f64>, String), CallError> {
    let mut seen = Vec::new();
    let call = client.call(CallTool::new(tool)).delivery(Delivery::Every).on_progress(|report| {
        seen.push(report.progress);
        at(report.progress);
    });
    let result: CallToolResult = call.await?;
    Ok((seen, result.content[0].as_text().expect("a text").to_owned()))
}

/// What a call of `steps`, `slow` or `part` brings if it answers so: every report, in order, before the result.
pub fn all(answer: &str) -> (Vec<f64>, String) {
    ((1..=STEPS).map(f64::from).collect(), answer.to_owned())
}
