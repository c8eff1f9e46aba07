//! `mcpcli replay`: what the engine tells of a recording.

use std::io::{self, Write};
use std::process::ExitCode;

use mcp_tokio::mcp_proto::testing::recording::Recording;
use mcp_tokio::mcp_proto::testing::transcript::describe;
use mcp_tokio::mcp_proto::{Event, Instant, RawJson, RequestId, types::Implementation};
use serde::Serialize;

use crate::args::Replay;
use crate::output::tell;
use crate::recorded::{Outcome, print, seconds, with};
use crate::text::lines;

/// One event for programs.
#[derive(Serialize)]
struct Line<'a> {
    time: f64,
    #[serde(flatten)]
    what: Told<'a>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Told<'a> {
    Ready {
        revision: &'static str,
        server: Option<&'a Implementation>,
    },
    Progress {
        id: &'a RequestId,
        progress: f64,
        total: Option<f64>,
        message: Option<&'a str>,
    },
    Response {
        id: &'a RequestId,
        result: &'a RawJson,
    },
    Failed {
        id: &'a RequestId,
        message: String,
    },
    Request {
        id: &'a RequestId,
        method: &'a str,
        params: Option<&'a RawJson>,
    },
    Cancelled {
        id: &'a RequestId,
        message: Option<&'a str>,
    },
    Notification {
        method: &'a str,
        params: Option<&'a RawJson>,
    },
    Violation {
        message: String,
    },
    Closed {
        message: String,
    },
    Other {
        message: String,
    },
    /// The last one: from here on the engine does not do what was recorded.
    Parted {
        line: usize,
        message: &'a str,
    },
}

pub(crate) fn run(options: &Replay) -> ExitCode {
    with(&options.file, |recording, out| {
        if recording.is_over_http() {
            return Ok(Outcome::Unfit(
                "what passed over HTTP has an exchange for each message, and what can be replayed is one stream: \
                 mcpcli lint judges it",
            ));
        }
        replay(recording, options, out).map(Outcome::found)
    })
}

/// Prints the events. Whether the engine and the recording part.
fn replay(recording: &Recording, options: &Replay, out: &mut dyn Write) -> io::Result<bool> {
    let (events, parted) = recording.replay_until_parted(recording.config());
    for (at, event) in &events {
        if options.json {
            print(out, &Line { time: seconds(*at), what: told(event) })?;
        } else {
            writeln!(out, "{:>12.6}  {}", seconds(*at), lines(&describe(event)))?;
        }
    }
    if let Some(parted) = &parted {
        if options.json {
            let at = events.last().map_or(Instant::ZERO, |(at, _)| *at);
            let what = Told::Parted { line: parted.line, message: &parted.what };
            print(out, &Line { time: seconds(at), what })?;
        }
        tell(format_args!(
            "error: {}:{}: from here on the engine does otherwise: {}",
            options.file.display(),
            parted.line,
            lines(&parted.what)
        ));
    }
    Ok(parted.is_some())
}

fn told(event: &Event) -> Told<'_> {
    match event {
        Event::Ready(peer) => {
            Told::Ready { revision: peer.revision.as_str(), server: peer.info.as_ref() }
        }
        Event::Progress { id, progress } => Told::Progress {
            id,
            progress: progress.progress,
            total: progress.total,
            message: progress.message.as_deref(),
        },
        Event::Response { id, outcome: Ok(result) } => Told::Response { id, result },
        Event::Response { id, outcome: Err(error) } => {
            Told::Failed { id, message: error.to_string() }
        }
        Event::Request { id, method, params } => {
            Told::Request { id, method, params: params.as_ref() }
        }
        Event::Cancelled { id, reason } => Told::Cancelled { id, message: reason.as_deref() },
        Event::Notification { method, params } => {
            Told::Notification { method, params: params.as_ref() }
        }
        Event::Violation(violation) => Told::Violation { message: violation.to_string() },
        Event::Closed(reason) => Told::Closed { message: reason.to_string() },
        other => Told::Other { message: describe(other) },
    }
}
