//! The tools on rmcp.

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock,
    ProgressNotificationParam, ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};

use crate::messages::{STEP, TOTAL};

/// `echo` and `report`.
#[derive(Clone)]
pub struct Tools;

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let argument = |name| request.arguments.as_ref().and_then(|arguments| arguments.get(name));
        if request.name == "report" {
            let count = argument("count").and_then(|count| count.as_u64()).unwrap_or_default();
            let token = context.meta.get_progress_token();
            let token = token.ok_or_else(|| ErrorData::invalid_params("no token", None))?;
            for step in 1..=count {
                let params = ProgressNotificationParam::new(token.clone(), step as f64)
                    .with_total(TOTAL)
                    .with_message(STEP);
                context.peer.notify_progress(params).await.expect("an open stream");
            }
            return Ok(CallToolResult::success(vec![ContentBlock::text("")]).into());
        }
        let text = argument("text").and_then(|text| text.as_str());
        let text = text.ok_or_else(|| ErrorData::invalid_params("text is missing", None))?;
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]).into())
    }
}
