//! A client and a server without a router, each as a hand-written loop, joined in memory.
//!
//! `cargo run -p mcp-tokio --example resize`

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use mcp_proto::Request;
use mcp_tokio::{
    CallTool, CallToolResult, ClientConfig, Incoming, Progress, Server, ServerConfig, Timeouts,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout()).await
}

/// Calls the tool and writes what is seen of it.
pub(crate) async fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let (near, far) = tokio::io::duplex(4096);
    let (reader, writer) = tokio::io::split(far);
    tokio::spawn(serve(mcp_tokio::serve(reader, writer, ServerConfig::new("image-server", "1.0"))));

    let (reader, writer) = tokio::io::split(near);
    let client = mcp_tokio::connect(reader, writer, ClientConfig::new("resize-cli", "1.0")).await?;

    let mut last = 0.0; // the closure runs inside our own .await, so it may borrow
    let result = client
        .call(CallTool::new("resize").argument("width", 800))
        .timeouts(Timeouts::default().idle(Duration::from_secs(10)))
        .on_progress(|p| {
            last = p.progress;
            writeln!(out, "{} of {:?} {}", p.progress, p.total, p.message.unwrap_or_default())
        })
        .await?; // dropping this future instead would cancel the call
    let text = result.content.first().and_then(|block| block.as_text()).unwrap_or_default();
    writeln!(out, "{text}, after {last}")?;
    Ok(())
}

async fn serve(mut server: Server) {
    while let Some(request) = server.accept().await {
        tokio::spawn(async move {
            let answered = match request.method() {
                CallTool::METHOD => resize(request).await,
                _ => request.reject_unknown().map_err(Into::into),
            };
            if let Err(error) = answered {
                eprintln!("{error}"); // stdout belongs to the protocol
            }
        });
    }
}

async fn resize(request: Incoming) -> Result<(), Box<dyn Error + Send + Sync>> {
    let call: CallTool = request.params()?;
    let images = ["a.png", "b.png", "c.png"];
    for (done, image) in (0_u8..).zip(images) {
        if request.is_cancelled() {
            return Ok(()); // dropping a cancelled request sends nothing
        }
        request.progress(Progress::new(done.into()).of(3.0).message(image))?;
        tokio::task::yield_now().await; // ... the real work ...
    }
    let text = format!("{} resized {} images", call.name, images.len());
    request.respond(&CallToolResult::text(text))?;
    Ok(())
}
