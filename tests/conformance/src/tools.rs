//! The tools that the suite calls.

use std::time::Duration;

use mcp_tokio::{
    CallToolResult, ContentBlock, Context, LogLevel, LogMessage, Pacing, Progress, RawJson, Router,
    Tool, ToolError,
};
use serde_json::json;

use crate::Runtime;
use crate::media::{picture, sound};

/// How long a tool works between two of its steps: the suite asks for about 50 ms.
const STEP: Duration = Duration::from_millis(50);

/// A server with every tool that the suite names, to be served on this runtime.
pub fn router(runtime: Runtime) -> Router {
    Router::new("conformance-server", env!("CARGO_PKG_VERSION"))
        .state(runtime)
        // The suite counts the reports, so none is merged.
        .pacing(Pacing::UNLIMITED)
        .tool("test_simple_text", "Returns text", simple_text)
        .tool("test_image_content", "Returns an image", image)
        .tool("test_audio_content", "Returns a sound", audio)
        .tool("test_embedded_resource", "Returns a resource", resource)
        .tool("test_multiple_content_types", "Returns text, an image and a resource", mixed)
        .tool("test_error_handling", "Fails", error)
        .tool("test_tool_with_progress", "Reports how far it is", progress)
        .tool("test_tool_with_logging", "Says what it does", logging)
        .tool("test_reconnection", "Ends its stream before it answers", reconnection)
        .raw_tool(with_headers(), |_: Context, arguments: Option<RawJson>| async move {
            let arguments = arguments.unwrap_or(RawJson::empty_object());
            CallToolResult::text(arguments.as_str())
        })
}

/// Waits on the runtime that the server runs on.
async fn sleep(ctx: &Context, time: Duration) {
    if let Some(runtime) = ctx.state::<Runtime>() {
        runtime.sleep(time).await;
    }
}

async fn simple_text(_: Context) -> &'static str {
    "This is a simple text response for testing."
}

async fn image(_: Context) -> ContentBlock {
    picture()
}

async fn audio(_: Context) -> ContentBlock {
    sound()
}

async fn resource(_: Context) -> Result<ContentBlock, ToolError> {
    embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")
}

async fn mixed(_: Context) -> Result<Vec<ContentBlock>, ToolError> {
    let json = r#"{"test":"data","value":123}"#;
    Ok(vec![
        ContentBlock::text("Multiple content types test:"),
        picture(),
        embedded("test://mixed-content-resource", "application/json", json)?,
    ])
}

async fn error(_: Context) -> Result<(), ToolError> {
    Err("This tool intentionally returns an error for testing".into())
}

async fn progress(ctx: Context) -> Result<&'static str, ToolError> {
    for done in [0.0, 50.0, 100.0] {
        if done > 0.0 {
            sleep(&ctx, STEP).await;
        }
        let report = Progress::new(done).of(100.0);
        ctx.progress().report(report.message(format!("Completed step {done} of 100")))?;
    }
    Ok("reported 0, 50 and 100 of 100")
}

async fn logging(ctx: Context) -> Result<&'static str, ToolError> {
    for (number, text) in
        ["Tool execution started", "Tool processing data", "Tool execution completed"]
            .into_iter()
            .enumerate()
    {
        if number > 0 {
            sleep(&ctx, STEP).await;
        }
        ctx.log(&LogMessage::text(LogLevel::Info, text))?;
    }
    Ok("said three things")
}

/// The client has to come back for the answer, with the id of the last event that it saw.
async fn reconnection(ctx: Context) -> &'static str {
    ctx.close_stream();
    sleep(&ctx, 2 * STEP).await;
    "Reconnection test completed successfully. If you received this, the client properly reconnected."
}

/// A tool one of whose arguments is repeated in a header.
fn with_headers() -> Tool {
    let schema = json!({
        "type": "object",
        "properties": {
            "region": {"type": "string", "description": "Where to run", "x-mcp-header": "Region"},
            "query": {"type": "string", "description": "What to run"}
        },
        "required": ["region"]
    });
    let schema = RawJson::of(&schema).unwrap_or(RawJson::empty_object());
    let mut tool = Tool::new("test_custom_headers", schema);
    tool.description = Some("Takes an argument that a header repeats".into());
    tool
}

fn embedded(uri: &str, mime_type: &str, text: &str) -> Result<ContentBlock, ToolError> {
    let resource = json!({"uri": uri, "mimeType": mime_type, "text": text});
    RawJson::of(&json!({"type": "resource", "resource": resource}))
        .map(ContentBlock::Other)
        .map_err(|error| error.to_string().into())
}
