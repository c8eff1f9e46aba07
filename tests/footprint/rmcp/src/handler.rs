//! What a user edits.

use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{ProgressNotificationParam, ServerCapabilities, ServerConfig};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, ServerHandler, tool, tool_handler, tool_router};

#[derive(serde::Deserialize, schemars::JsonSchema)]
pub struct Resize {
    images: Vec<String>,
}

#[derive(Clone)]
pub struct Images;

#[tool_router]
impl Images {
    #[tool(description = "Resizes images")]
    async fn resize(
        &self,
        Parameters(args): Parameters<Resize>,
        context: RequestContext<RoleServer>,
    ) -> String {
        let total = args.images.len();
        for (done, image) in (1_u32..).zip(args.images) {
            if let Some(token) = context.meta.get_progress_token() {
                let mut report = ProgressNotificationParam::new(token, done.into());
                report.total = Some(total as f64);
                report.message = Some(image);
                let _ = context.peer.notify_progress(report).await;
            }
        }
        format!("resized {total} images")
    }
}

#[tool_handler]
impl ServerHandler for Images {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}
