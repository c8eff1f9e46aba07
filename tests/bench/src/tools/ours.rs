//! The tools on this engine.

use std::time::Duration;

use mcp_tokio::mcp_proto::json::Raw;
use mcp_tokio::{CallToolResult, Incoming, Pacing, Progress, RawJson, Server, ServerConfig};

use super::{BURST, stamped};
use crate::messages::{STEP, TOTAL};

/// A server's configuration; the limit on reports is lifted or not.
pub fn config(pacing: Pacing) -> ServerConfig {
    ServerConfig::new("bench", "1").pacing(pacing)
}

/// Serves until the client is gone.
pub async fn serve(mut server: Server) {
    while let Some(incoming) = server.accept().await {
        let name = incoming.raw_params().and_then(|params| params.get("name")?.as_str());
        match name.as_deref() {
            Some("echo") => {
                let result = echo(incoming.raw_params());
                incoming.respond(&result).expect("a request that waits");
            }
            Some("report") => {
                tokio::spawn(report(incoming));
            }
            Some("stamp") => {
                tokio::spawn(stamps(incoming));
            }
            _ => incoming.reject_unknown().expect("a request that waits"),
        }
    }
}

/// Returns the text that it was given.
pub fn echo(params: Option<&RawJson>) -> CallToolResult {
    let text =
        params.and_then(|params| params.get_in(&["arguments", "text"])).and_then(Raw::as_str);
    CallToolResult::text(text.expect("a text").into_owned())
}

/// A number among the arguments.
pub fn argument(params: Option<&RawJson>, name: &str) -> Option<usize> {
    Some(params?.get_in(&["arguments", name])?.as_f64()? as usize)
}

/// A report with the time at which it was made.
pub fn stamp(step: usize) -> Progress {
    Progress::new(step as f64).of(TOTAL).message(stamped())
}

/// Waits after `wait` reports until they have left; never if that is 0.
async fn report(incoming: Incoming) {
    let count = argument(incoming.raw_params(), "count").expect("a count");
    let wait = argument(incoming.raw_params(), "wait").unwrap_or(BURST);
    let reporter = incoming.reporter();
    for step in 1..=count {
        let progress = Progress::new(step as f64).of(TOTAL).message(STEP);
        if reporter.report(progress).is_err() {
            return;
        }
        if wait > 0 && step % wait == 0 {
            reporter.delivered().await;
        }
    }
    drop(reporter);
    incoming.respond(&CallToolResult::text("")).expect("a request that waits");
}

async fn stamps(incoming: Incoming) {
    let count = argument(incoming.raw_params(), "count").expect("a count");
    for step in 1..=count {
        tokio::time::sleep(Duration::from_millis(1)).await;
        incoming.progress(stamp(step)).expect("a report that is wanted");
    }
    incoming.respond(&CallToolResult::text("")).expect("a request that waits");
}
