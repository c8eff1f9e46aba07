//! `mcpcli`: calls the tools of MCP servers and shows how far they have come.
#![forbid(unsafe_code)]

mod args;
mod asides;
mod bar;
mod call;
mod demo;
#[path = "../../../examples/demo/mod.rs"]
mod demo_server;
mod events;
mod failure;
mod human;
mod interrupt;
mod limits;
mod lint;
mod list;
mod output;
mod reaching;
mod record;
mod record_remote;
mod recorded;
mod replay;
#[path = "../../../examples/runtime/mod.rs"]
mod runtime;
mod session;
mod stage;
mod text;
mod tools;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use clap::error::ErrorKind;

use self::args::{Cli, Command, Options};
use self::failure::{Failure, Kind};
use self::stage::Stage;

fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => return usage(&error),
    };
    let command = match command {
        Command::Replay(replay) => return replay::run(&replay),
        Command::Lint(lint) => return lint::run(&lint),
        online => online,
    };
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                output::tell(format_args!("error: the system gives no threads: {error}"));
                return Kind::Spawn.exit_code().into();
            }
        };
    let code = runtime.block_on(run(command));
    // A write that still blocks is not waited for; dropping the tasks ends what they started.
    runtime.shutdown_timeout(Duration::from_millis(200));
    code
}

async fn run(command: Command) -> ExitCode {
    let (job, options) = match command {
        Command::DemoServer => {
            let Err(error) = mcp_tokio::run_stdio(demo_server::router()).await else {
                // The client has left, which is how a demo ends; nobody is there to be told.
                return ExitCode::SUCCESS;
            };
            output::tell(format_args!("error: no standard input and output: {error}"));
            return Kind::Spawn.exit_code().into();
        }
        Command::Replay(replay) => return replay::run(&replay),
        Command::Lint(lint) => return lint::run(&lint),
        Command::List(list) => {
            let (mut stage, feed) = stage(&list.options);
            let done = list::run(&list.server.target(), &list.options, &mut stage, feed).await;
            return finish(done, &mut stage);
        }
        Command::Demo(demo) => (demo::job(&demo), demo.options),
        Command::Call(call) => {
            let arguments = call.arguments();
            let target = call.server.target();
            (Ok(call::Job { tool: call.tool, arguments, target }), call.options)
        }
    };
    let (mut stage, feed) = stage(&options);
    let done = match job {
        Ok(job) => call::run(job, &options, &mut stage, feed).await,
        Err(failure) => Err(failure),
    };
    finish(done, &mut stage)
}

fn stage(options: &Options) -> (Stage, asides::Feed) {
    let start = Instant::now();
    let (feed, asides) = asides::asides();
    (Stage::new(output::output(options, start.elapsed().into()), asides, start), feed)
}

fn finish(done: Result<u8, Failure>, stage: &mut Stage) -> ExitCode {
    match done {
        Ok(code) => code.into(),
        Err(failure) => {
            let now = stage.now();
            stage.output.failure(&failure, now);
            failure.kind.exit_code().into()
        }
    }
}

/// The command line is wrong, or asks for help.
fn usage(error: &clap::Error) -> ExitCode {
    // If nobody reads it, there is nobody to tell.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    if wants_json(std::env::args_os()) {
        let text = error.to_string();
        let message = match error.kind() {
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "a subcommand is missing".into(),
            // Its first paragraph; the usage follows.
            _ => text
                .lines()
                .take_while(|line| !line.is_empty())
                .map(str::trim)
                .collect::<Vec<_>>()
                .join(" "),
        };
        events::print_failure(&Failure::new(Kind::Usage, message.trim_start_matches("error: ")));
    }
    Kind::Usage.exit_code().into()
}

/// Whether `--json` is among our own options; what comes after `--` is the server's.
fn wants_json(arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.take_while(|argument| argument != "--").any(|argument| argument == "--json")
}
