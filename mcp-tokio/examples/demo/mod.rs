//! The tools of the demo servers: one for each use of progress. They know no runtime but for `sleep` and `yield_now`.

use std::num::NonZeroU32;
use std::time::Duration;

use mcp_tokio::{Context, Progress, Router, Structured, ToolError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::runtime::{sleep, yield_now};

/// A server with these tools.
pub(crate) fn router() -> Router {
    Router::new("mcp-demo", env!("CARGO_PKG_VERSION"))
        .instructions("Every tool takes its time and reports how far it has come.")
        .tool("long_running_task", "Works through some steps", long_running_task)
        .tool("data", "Loads, cleans, transforms and writes rows, stage by stage", data)
        .tool("training", "Fits a line to noisy points, epoch by epoch", training)
        .tool("upload", "Sends a file of 5 GiB, counted in bytes", upload)
        .tool("download", "Receives a file of 6 GiB, counted in bytes", download)
        .tool("workflow", "Passes from state to state, nobody knows how many", workflow)
        .tool("flood", "Reports as fast as it can", flood)
        .tool("fail", "Fails in the middle", fail)
}

/// How long a tool takes.
#[derive(Deserialize, JsonSchema)]
struct Pace {
    /// In how many steps; by default the tool's own number.
    steps: Option<NonZeroU32>,
    /// Milliseconds from step to step; by default the tool's own pace.
    every_ms: Option<u64>,
}

impl Pace {
    fn steps(&self, own: u32) -> u32 {
        self.steps.map_or(own, NonZeroU32::get)
    }

    /// Works on one step, for so many milliseconds. Ends early if nobody wants the result any more.
    async fn work(&self, ctx: &Context, own: u64) -> Result<(), ToolError> {
        let time = Duration::from_millis(self.every_ms.unwrap_or(own));
        ctx.unless_cancelled(sleep(time)).await.ok_or_else(|| "cancelled".into())
    }
}

/// Reports each step as it begins, so the last value is one below the total and the result says the rest.
async fn long_running_task(ctx: Context, pace: Pace) -> Result<&'static str, ToolError> {
    let steps = pace.steps(10);
    for step in 0..steps {
        let report = Progress::new(step.into()).of(steps.into());
        ctx.progress().report(report.message(format!("step {} of {steps}", step + 1)))?;
        pace.work(&ctx, 400).await?;
    }
    Ok("完成")
}

/// What became of the rows.
#[derive(Serialize, JsonSchema)]
struct Cleaned {
    /// Rows that were read.
    loaded: u32,
    /// Rows that were good.
    written: u32,
}

/// Stages of unequal length: each counts for itself and fills its part of the whole.
async fn data(ctx: Context, pace: Pace) -> Result<Structured<Cleaned>, ToolError> {
    const ROWS: u32 = 120;
    let steps = pace.steps(8);
    for (name, part) in
        [("load", 0.0..0.2), ("clean", 0.2..0.5), ("transform", 0.5..0.9), ("write", 0.9..1.0)]
    {
        let stage = ctx.progress().stage(name, part)?;
        for step in 1..=steps {
            pace.work(&ctx, 120).await?;
            let rows = u64::from(ROWS) * u64::from(step) / u64::from(steps);
            let report = Progress::new(step.into()).of(steps.into());
            stage.report(report.message(format!("{rows} of {ROWS} rows")))?;
        }
        ctx.info(format!("{name}: done"));
    }
    Ok(Structured(Cleaned { loaded: ROWS, written: ROWS - ROWS / 10 }))
}

/// Gradient descent on `y = 3x + 1` with some noise; the loss is the real one.
async fn training(ctx: Context, pace: Pace) -> Result<String, ToolError> {
    let noise = |n: u32| f64::from(n * 7 % 5) / 50.0 - 0.04;
    let points: Vec<_> = (0..50_u32)
        .map(|n| (f64::from(n) / 25.0 - 1.0, n))
        .map(|(x, n)| (x, 3.0 * x + 1.0 + noise(n)))
        .collect();
    let (mut slope, mut offset) = (0.0, 0.0);
    let epochs = pace.steps(20);
    for epoch in 1..=epochs {
        pace.work(&ctx, 200).await?;
        let (mut loss, mut by_slope, mut by_offset) = (0.0, 0.0, 0.0);
        for (x, y) in &points {
            let error = slope * x + offset - y;
            loss += error * error / points.len() as f64;
            by_slope += 2.0 * error * x / points.len() as f64;
            by_offset += 2.0 * error / points.len() as f64;
        }
        slope -= 0.5 * by_slope;
        offset -= 0.5 * by_offset;
        let report = Progress::new(epoch.into()).of(epochs.into());
        ctx.progress().report(report.message(format!("epoch {epoch}: loss {loss:.4}")))?;
    }
    Ok(format!("y = {slope:.2}x + {offset:.2}"))
}

async fn upload(ctx: Context, pace: Pace) -> Result<String, ToolError> {
    transfer(&ctx, &pace, 5 << 30, "holidays.tar").await?;
    Ok("holidays.tar is there".into())
}

async fn download(ctx: Context, pace: Pace) -> Result<String, ToolError> {
    transfer(&ctx, &pace, 6 << 30, "weights.bin").await?;
    Ok("weights.bin is here".into())
}

/// Counts bytes, more than 32 bits can.
async fn transfer(ctx: &Context, pace: &Pace, bytes: u64, file: &str) -> Result<(), ToolError> {
    let steps = u64::from(pace.steps(40));
    for step in 1..=steps {
        pace.work(ctx, 100).await?;
        // In 128 bits, for the number of steps is the caller's.
        let done = u128::from(bytes) * u128::from(step) / u128::from(steps);
        ctx.progress()
            .report(Progress::new(done as f64).of(bytes as f64).message(file.to_owned()))?;
    }
    Ok(())
}

/// Named states, each a milestone: none is merged away, however fast they pass. There is no total.
async fn workflow(ctx: Context, pace: Pace) -> Result<String, ToolError> {
    let states =
        ["received", "validated", "approved", "scheduled", "running", "reviewed", "archived"];
    let steps = pace.steps(7);
    for (state, count) in states.iter().cycle().zip(1..=steps) {
        ctx.progress().milestone(Progress::new(count.into()).message(*state))?;
        pace.work(&ctx, 600).await?;
    }
    Ok(format!("passed {steps} states"))
}

/// How much is reported.
#[derive(Deserialize, JsonSchema)]
struct Flood {
    /// How many reports; a million by default.
    reports: Option<u32>,
}

/// What leaves is paced, and the last report always leaves.
async fn flood(ctx: Context, args: Flood) -> Result<String, ToolError> {
    let reports = args.reports.unwrap_or(1_000_000);
    for n in 1..=reports {
        ctx.progress().report(Progress::new(n.into()).of(reports.into()))?;
        if n % 1024 == 0 {
            yield_now().await;
        }
    }
    Ok(format!("{reports} reports, {} of them merged into later ones", ctx.progress().merged()))
}

async fn fail(ctx: Context, pace: Pace) -> Result<(), ToolError> {
    let steps = pace.steps(10);
    for step in 0..=steps / 2 {
        ctx.progress().report(Progress::new(step.into()).of(steps.into()))?;
        pace.work(&ctx, 200).await?;
    }
    Err("the disk is full".into())
}
