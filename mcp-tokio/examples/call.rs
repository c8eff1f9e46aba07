//! Calls a tool of any server and prints what happens, one JSON object a line, as `mcpcli call --json` does.
//!
//! `cargo run -p mcp-tokio --features http,ws --example tokio-call -- --help`
#![allow(clippy::indexing_slicing)] // of JSON objects, and of a command that clap requires

mod runtime;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;
use mcp_tokio::child::SpawnError;
use mcp_tokio::{
    CallError, CallTool, Client, ClientConfig, Command, ConnectError, Delivery, RawJson, Revision,
    Timeouts,
};
use serde_json::{Value, json};

/// The exit status is 0 if the tool succeeds, 1 if it or the server refuses, 3 if there is no result.
#[derive(Parser)]
struct Job {
    tool: String,
    #[arg(default_value = "{}")]
    arguments: String,
    #[arg(long, value_parser = |text: &str| Revision::parse(text).ok_or("it is unknown"))]
    revision: Option<Revision>,
    #[arg(long, default_value = "1m")]
    idle_timeout: humantime::Duration,
    #[arg(long)]
    timeout: Option<humantime::Duration>,
    /// Cancels the call after so many reports.
    #[arg(long)]
    give_up_after: Option<u64>,
    #[arg(long, required_unless_present = "command")]
    url: Option<String>,
    #[arg(long, value_name = "NAME: VALUE", value_parser = |text: &str| {
        text.split_once(':').map(|(name, value)| [name, value.trim()].map(str::to_owned)).ok_or("it has no `:`")
    })]
    header: Vec<[String; 2]>,
    #[arg(last = true)]
    command: Vec<String>,
}

fn main() -> ExitCode {
    let done = runtime::block_on(run(Job::parse()));
    ExitCode::from(done.unwrap_or_else(|error| {
        let (kind, status) = match (error.downcast_ref(), error.downcast_ref()) {
            (Some(CallError::Peer(_)), _) => ("peer", 1),
            (Some(CallError::TimedOut(_)), _) => ("timeout", 4),
            (Some(CallError::Cancelled), _) => ("cancelled", 130),
            (_, Some(SpawnError::NotStarted { .. })) => ("spawn", 3),
            _ if error.is::<ConnectError>() => ("connect", 3),
            _ => ("closed", 3),
        };
        print("error", json!({"kind": kind, "message": error.to_string()}));
        status
    }))
}

async fn run(job: Job) -> Result<u8, Box<dyn Error>> {
    let config = ClientConfig::new("call-example", "1.0");
    let config = job.revision.into_iter().fold(config, ClientConfig::revisions);
    let client = match &job.url {
        Some(url) if url.starts_with("ws") => {
            let connector = mcp_tokio::ws::connector();
            let headers = job.header.iter();
            let connector = headers.fold(connector, |with, [name, value]| with.header(name, value));
            connector.connect(url, config).await?
        }
        Some(url) => {
            let connector = mcp_tokio::http::connector();
            let headers = job.header.iter();
            let connector = headers.fold(connector, |with, [name, value]| with.header(name, value));
            connector.connect(url, config).await?
        }
        None => {
            let mut command = Command::new(&job.command[0]);
            command.args(&job.command[1..]);
            let child = mcp_tokio::spawn(command).connect(config).await?;
            let done = call(&child.client, job).await;
            child.shutdown().await;
            return done;
        }
    };
    let done = call(&client, job).await;
    client.close();
    client.closed().await;
    done
}

async fn call(client: &Client, job: Job) -> Result<u8, Box<dyn Error>> {
    client.on_violation(|found| print("violation", json!({"message": found.to_string()})));
    client.on_interruption(|_| print("interrupted", json!({})));
    client.on_resumption(|_| print("resumed", json!({})));
    let peer = client.ready().await?;
    print("ready", json!({"revision": peer.revision.as_str(), "server": peer.info}));
    let call = CallTool::new(job.tool).arguments(&RawJson::parse(job.arguments)?)?;
    let timeouts = Timeouts::default().idle(*job.idle_timeout);
    let timeouts = job.timeout.iter().fold(timeouts, |timeouts, total| timeouts.total(**total));
    let mut call = client.call(call).timeouts(timeouts).delivery(Delivery::Every);
    while let Some(report) = call.next_progress().await {
        let (progress, total, message) = (report.progress, report.total, report.message.as_deref());
        print("progress", json!({"progress": progress, "total": total, "message": message}));
        if job.give_up_after.is_some_and(|reports| client.reports_received() >= reports) {
            return Err(CallError::Cancelled.into()); // dropping the call cancels it
        }
    }
    let result = call.await?;
    let (failed, mut event) = (result.failed(), json!(result));
    event["isError"] = failed.into();
    print("result", event);
    Ok(failed.into())
}

fn print(event: &str, mut members: Value) {
    members["event"] = event.into();
    println!("{members}");
}
