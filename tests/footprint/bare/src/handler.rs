//! What a user edits.

use std::error::Error;

use mcp_proto::progress::Weight;
use mcp_proto::role::Server;
use mcp_proto::{CallToolResult, Connection, Instant, Progress, RawJson, RequestId};

pub fn resize(
    conn: &mut Connection<Server>,
    id: &RequestId,
    params: Option<RawJson>,
    now: Instant,
) -> Result<(), Box<dyn Error>> {
    let images =
        params.as_ref().and_then(|params| params.as_raw().get_in(&["arguments", "images"]));
    let images: Vec<String> = images.map_or(Ok(Vec::new()), |images| images.decode())?;
    for (done, image) in (1..).zip(&images) {
        let report = Progress::new(done.into()).of(images.len() as f64).message(image.clone());
        conn.report(id, report, Weight::Ordinary, now)?;
    }
    conn.respond(id, &CallToolResult::text(format!("resized {} images", images.len())), now)?;
    Ok(())
}
