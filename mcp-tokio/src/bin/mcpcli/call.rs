//! `mcpcli call`: one tool, its progress, its result.

use std::time::Duration;

use mcp_tokio::mcp_proto::driver::{Client, Delivery};
use mcp_tokio::mcp_proto::{
    CallError, CallTool, CallToolResult, ContentBlock, ErrorObject, RawJson, Request,
};
use serde_json::{Map, Value};
use tokio::time::timeout;

use crate::args::{Options, Target};
use crate::asides::Feed;
use crate::failure::{Failure, Kind, PEER_ERROR};
use crate::limits::Limits;
use crate::session::Session;
use crate::stage::{Ending, Stage};
use crate::text::one_line;

/// A tool to call, and on which server.
pub(crate) struct Job {
    pub(crate) tool: String,
    pub(crate) arguments: Map<String, Value>,
    pub(crate) target: Target,
}

/// Reaches the server, calls the tool, and shows what happens. The exit code says whether the tool succeeded.
///
/// # Errors
///
/// Why there is no result.
pub(crate) async fn run(
    job: Job,
    options: &Options,
    stage: &mut Stage,
    feed: Feed,
) -> Result<u8, Failure> {
    let session = Session::open(&job.target, options, stage, feed).await?;
    let now = stage.now();
    stage.output.waiting(&job.tool, now);
    match call(&job, options, &session, stage).await {
        Ok(code) => {
            session.close(stage).await;
            Ok(code)
        }
        Err(failure) => Err(session.fail(failure, stage, "in the middle of the call").await),
    }
}

async fn call(
    job: &Job,
    options: &Options,
    session: &Session,
    stage: &mut Stage,
) -> Result<u8, Failure> {
    let client = &session.client;
    let what = format!("the call of {}", one_line(&job.tool));
    let invalid =
        |error: &dyn std::fmt::Display| Failure::new(Kind::Protocol, format!("{what}: {error}"));
    let params = CallTool::new(job.tool.clone())
        .arguments(&job.arguments)
        .map_err(|error| invalid(&error))?;
    let params = RawJson::of(&params).map_err(|error| invalid(&error))?;
    // Raw, so that what is printed is what the server sent, unknown members included.
    let limits = Limits::new(options.timeouts(), stage.now());
    let request = client.call_raw(CallTool::METHOD, Some(params)).timeouts(limits.of_call());
    let Ending { result, last } = if options.no_progress {
        Ending { result: stage.watch(request.untracked()).await?, last: None }
    } else {
        stage.follow(request.delivery(Delivery::Every)).await?
    };
    let raw = match result {
        Ok(raw) => raw,
        Err(error) => {
            let advice = match &error {
                CallError::Peer(error) if may_be_unknown(error) => {
                    advice(client, &job.tool, stage).await?
                }
                _ => None,
            };
            let error = Limits::new(options.timeouts(), stage.now()).as_set(error);
            let failure = Failure::of_call(error, &what, last.as_ref(), session.whereabouts());
            return Err(match advice {
                Some(advice) => failure.hint(advice),
                None => failure,
            });
        }
    };
    let result: CallToolResult = raw
        .decode()
        .map_err(|error| invalid(&format_args!("the result cannot be read: {error}")))?;
    let now = stage.now();
    stage.output.result(&raw, &result, now).map_err(|_| Failure::unread())?;
    if !result.failed() {
        return Ok(0);
    }
    // Some servers answer so what others call an error.
    if says_unknown(&result)
        && let Some(advice) = advice(client, &job.tool, stage).await?
    {
        stage.output.hint(&advice);
    }
    Ok(PEER_ERROR)
}

fn says_unknown(result: &CallToolResult) -> bool {
    result.content.iter().filter_map(ContentBlock::as_text).any(|text| {
        let text = text.to_lowercase();
        text.contains("unknown tool")
            || text.contains("tool not found")
            || text.contains("no such tool")
    })
}

fn may_be_unknown(error: &ErrorObject) -> bool {
    matches!(error.code, ErrorObject::INVALID_PARAMS | ErrorObject::METHOD_NOT_FOUND)
}

/// How long the server may take to say which tools it has, when one was not found.
const ASKING: Duration = Duration::from_secs(3);

/// What to try if it was the name of the tool that was wrong.
async fn advice(client: &Client, tool: &str, stage: &mut Stage) -> Result<Option<String>, Failure> {
    let Ok(Ok(tools)) = stage.watch(timeout(ASKING, client.list_tools())).await? else {
        return Ok(None);
    };
    if tools.iter().any(|known| known.name == tool) {
        return Ok(Some(
            "mcpcli list -- COMMAND (or --url URL), which shows the arguments of the tool".into(),
        ));
    }
    let names: Vec<_> = tools.iter().take(12).map(|known| one_line(&known.name)).collect();
    let more = if tools.len() > names.len() { ", …" } else { "" };
    Ok(Some(format!(
        "another tool: the server has {}{more} (see mcpcli list -- COMMAND, or --url URL)",
        names.join(", ")
    )))
}
