//! What a user edits.

use mcp_tokio::{Context, Progress, ToolError};

#[derive(serde::Deserialize, schemars::JsonSchema)]
pub struct Resize {
    images: Vec<String>,
}

pub async fn resize(ctx: Context, args: Resize) -> Result<String, ToolError> {
    let total = args.images.len();
    for (done, image) in (1..).zip(args.images) {
        ctx.progress().report(Progress::new(done.into()).of(total as f64).message(image))?;
    }
    Ok(format!("resized {total} images"))
}
