//! A client and a server without a router, each as a hand-written loop, joined in memory.
//!
//! `cargo run -p mcp-smol --example smol-resize`

mod runtime;

use std::error::Error;
use std::io::Write;
use std::time::Duration;

use mcp_smol::{
    CallTool, CallToolResult, ClientConfig, Incoming, Progress, Request, Server, ServerConfig,
    Timeouts,
};

use self::runtime::{block_on, pair, spawn, split, yield_now};

fn main() -> Result<(), Box<dyn Error>> {
    block_on(run(&mut std::io::stdout()))
}

/// Calls the tool and writes what is seen of it.
pub(crate) async fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let (near, far) = pair()?;
    let (reader, writer) = split(far);
    let server = mcp_smol::serve(reader, writer, ServerConfig::new("image-server", "1.0"));
    spawn(serve(server));

    let (reader, writer) = split(near);
    let config = ClientConfig::new("resize-cli", "1.0");
    let client = mcp_smol::connect(reader, writer, config).await?;

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
        spawn(async move {
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
        yield_now().await; // ... the real work ...
    }
    let text = format!("{} resized {} images", call.name, images.len());
    request.respond(&CallToolResult::text(text))?;
    Ok(())
}
