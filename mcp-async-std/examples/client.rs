//! Starts a server, lists its tools, calls one, and shows how far it has come.
//!
//! `cargo run -p mcp-async-std --example async-std-client -- COMMAND [ARG …]`; without a command it is the demo server.

mod runtime;

use std::error::Error;
use std::ffi::OsStr;
use std::time::Duration;

use mcp_async_std::{CallTool, ClientConfig, Command, Timeouts};

use self::runtime::block_on;

const DEMO: &str = "run -q -p mcp-async-std --features schemars --example async-std-server";

fn main() -> Result<(), Box<dyn Error>> {
    block_on(run())
}

async fn run() -> Result<(), Box<dyn Error>> {
    let words: Vec<_> = std::env::args().skip(1).collect();
    let command = match words.split_first() {
        Some((program, arguments)) => command(program, arguments),
        None => command("cargo", DEMO.split(' ')),
    };
    let child = mcp_async_std::spawn(command)
        .on_stderr(|line| eprintln!("server: {line}"))
        .connect(ClientConfig::new("example-client", "1.0"))
        .await?;

    for tool in child.client.list_tools().await? {
        println!("{}: {}", tool.name, tool.description.unwrap_or_default());
    }

    let mut last = None; // the closure runs inside our own `.await`, so it may borrow
    let result = child
        .client
        .call(CallTool::new("long_running_task"))
        .timeouts(Timeouts::default().idle(Duration::from_secs(10)))
        .on_progress(|report| {
            println!(
                "{} of {:?} {}",
                report.progress,
                report.total,
                report.message.as_deref().unwrap_or_default()
            );
            last = Some(report.progress);
        })
        .await?; // dropping this future instead would cancel the call

    println!(
        "{}, after {last:?}",
        result.content.iter().find_map(|block| block.as_text()).unwrap_or("no text")
    );
    child.shutdown().await;
    Ok(())
}

fn command(program: &str, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}
