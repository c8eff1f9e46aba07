//! A relay: a server whose tools are those of another server.

use mcp_proto::net::prelude::*;

/// A router of the tools of the server that this client is connected to.
///
/// # Errors
///
/// Why they cannot be listed.
pub async fn relay(inner: &Client) -> Result<Router, CallError> {
    // Whoever is behind it has paced its reports already.
    let mut router = Router::new("relay", "1.0").pacing(Pacing::UNLIMITED);
    for tool in inner.list_tools().await? {
        let (inner, name) = (inner.clone(), tool.name.clone());
        router = router.raw_tool(tool, move |ctx: Context, arguments| {
            forward(ctx, inner.clone(), name.clone(), arguments)
        });
    }
    Ok(router)
}

async fn forward(
    ctx: Context,
    inner: Client,
    name: String,
    arguments: Option<RawJson>,
) -> Result<CallToolResult, ToolError> {
    let mut call = CallTool::new(name);
    call.arguments = arguments;
    // Deadlines are those of who asks: when one passes, the call is cancelled here, and so it is behind.
    let mut call = inner.call(call).timeouts(Timeouts::NEVER).delivery(Delivery::Every);
    if !ctx.progress().is_wanted() {
        call = call.untracked();
    }
    let call = call.on_progress(|report| ctx.progress().report(report));
    match ctx.unless_cancelled(call).await {
        Some(Ok(result)) => Ok(result),
        Some(Err(CallError::Peer(error))) => Err(ToolError::protocol(error)),
        Some(Err(error)) => Err(ToolError::protocol(ErrorObject::internal(error.to_string()))),
        None => Err("cancelled".into()), // the call behind was dropped, which cancels it
    }
}
