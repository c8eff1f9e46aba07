//! No runtime: a client that starts a server as a child and shows how far its tool has come, on plain threads with
//! blocking pipes.
//!
//! `cargo run -p mcp-proto --example threads` starts itself as the server; behind `--` comes the command of another
//! one whose tool `resize` shall be called.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // outside the engine, clocks are fine

mod port;
pub(crate) mod server;

use std::env::{args, current_exe};
use std::error::Error;
use std::io::{Write, stderr};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use mcp_proto::role::Client;
use mcp_proto::{
    CallError, CallOptions, CallTool, ClientConfig, Connection, Event, Instant, Progress, Timeouts,
};

use port::Port;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = args().skip(1);
    let command = match words.next() {
        Some(word) if word == "serve" => return server::serve(),
        Some(program) => {
            let mut command = Command::new(program);
            command.args(words);
            command
        }
        None => {
            let mut command = Command::new(current_exe()?);
            command.arg("serve");
            command
        }
    };
    let patience =
        Timeouts::default().idle(Duration::from_secs(10)).total(Duration::from_secs(300));
    let text = call_at(command, &CallTool::new("resize"), patience, &mut stderr())?;
    println!("{text}");
    Ok(())
}

/// Starts a server, calls its tool and sees the server off. Gives the text of the result.
pub(crate) fn call_at(
    mut command: Command,
    tool: &CallTool,
    patience: Timeouts,
    bar: &mut impl Write,
) -> Result<String, Box<dyn Error>> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (Some(source), Some(sink)) = (child.stdout.take(), child.stdin.take()) else {
        return Err("the child has no pipes".into());
    };
    let conn = Connection::client(ClientConfig::new("resize-cli", "1.0"), Instant::ZERO);
    let (client, ended) = Port::open(conn, source, sink);
    let outcome = call(&client, tool, patience, bar);
    see_off(&client, &ended, &mut child)?;
    writeln!(bar)?;
    Ok(outcome?)
}

fn call(
    client: &Port<Client>,
    tool: &CallTool,
    patience: Timeouts,
    bar: &mut impl Write,
) -> Result<String, CallError> {
    let options = CallOptions::default().tracked().timeouts(patience);
    let ticket = client.with(|conn, now| conn.request(tool, options, now))?;
    loop {
        match client.next() {
            // A bar that cannot be shown does no harm to the call.
            Event::Progress { progress, .. } => drop(show(&progress, bar)),
            Event::Response { id, outcome } if id == *ticket.id() => {
                let result = ticket.decode(outcome)?;
                let text = result.content.first().and_then(|block| block.as_text());
                return Ok(text.unwrap_or_default().to_owned());
            }
            Event::Closed(reason) => return Err(CallError::Closed(reason)),
            _ => {}
        }
    }
}

/// Draws over the bar before.
fn show(progress: &Progress, bar: &mut impl Write) -> std::io::Result<()> {
    let done = progress.progress;
    let share = progress.total.map_or(0.0, |total| (done / total).clamp(0.0, 1.0));
    let text = progress.message.as_deref().unwrap_or_default();
    write!(bar, "\r[{:24}] {done} {text}", "#".repeat((share * 24.0) as usize))?;
    bar.flush()
}

/// Closes the child's standard input, which asks it to leave; if it does not, ends it.
fn see_off(client: &Port<Client>, ended: &Receiver<()>, child: &mut Child) -> std::io::Result<()> {
    client.with(|conn, now| conn.close(now)); // what is still to be said is written first, then the stream is closed
    if let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(Duration::from_secs(2)) {
        child.kill()?;
    }
    child.wait().map(drop)
}
