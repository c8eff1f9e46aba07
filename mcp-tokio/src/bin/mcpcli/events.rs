//! The output for programs: one JSON object a line on stdout.

use std::io::{self, Write};

use mcp_tokio::mcp_proto::{
    CallToolResult, Instant, LogLevel, PeerInfo, Progress, RawJson, Tool, types::Implementation,
};
use serde::Serialize;

use crate::failure::{Deadline, Failure, Kind};
use crate::output::{Aside, Output, tell};

/// Prints every event as it happens. People are told of a failure on stderr too.
pub(crate) struct Events;

/// One line. Members that a report lacks are `null`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event<'a> {
    Ready {
        revision: &'static str,
        server: Option<&'a Implementation>,
    },
    Progress {
        progress: f64,
        total: Option<f64>,
        message: Option<&'a str>,
    },
    Log {
        level: LogLevel,
        logger: Option<&'a str>,
        data: &'a RawJson,
    },
    Violation {
        message: String,
    },
    Interrupted,
    Resumed,
    Result {
        #[serde(rename = "isError")]
        is_error: bool,
        content: RawJson,
        #[serde(rename = "structuredContent", skip_serializing_if = "Option::is_none")]
        structured_content: Option<RawJson>,
    },
    #[serde(rename = "result")]
    Tools {
        tools: &'a [Tool],
    },
    Error {
        kind: Kind,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        data: Option<&'a RawJson>,
        #[serde(flatten)]
        deadline: Option<Deadline>,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        stderr: &'a [String],
        #[serde(skip_serializing_if = "Option::is_none")]
        hint: Option<&'a str>,
    },
}

impl Output for Events {
    fn waiting(&mut self, _: &str, _: Instant) {}

    fn ready(&mut self, peer: &PeerInfo) -> io::Result<()> {
        print(&Event::Ready { revision: peer.revision.as_str(), server: peer.info.as_ref() })
    }

    fn progress(&mut self, report: &Progress, _: Instant) -> io::Result<()> {
        print(&progress(report))
    }

    fn aside(&mut self, aside: &Aside) -> io::Result<()> {
        match aside {
            Aside::Log(log) => print(&Event::Log {
                level: log.level,
                logger: log.logger.as_deref(),
                data: &log.data,
            }),
            Aside::Violation(violation) => {
                print(&Event::Violation { message: violation.to_string() })
            }
            Aside::Interrupted => print(&Event::Interrupted),
            Aside::Resumed => print(&Event::Resumed),
            Aside::Stderr(line) => {
                // Where it would have gone without us.
                tell(line);
                Ok(())
            }
            Aside::Warning(text) => {
                tell(format_args!("warning: {text}"));
                Ok(())
            }
        }
    }

    fn tick(&mut self, _: Instant) {}

    fn result(&mut self, raw: &RawJson, result: &CallToolResult, _: Instant) -> io::Result<()> {
        let member = |name| raw.get(name).and_then(|value| RawJson::of(&value).ok());
        print(&Event::Result {
            is_error: result.failed(),
            content: member("content").unwrap_or_else(empty_list),
            structured_content: member("structuredContent"),
        })
    }

    fn tools(&mut self, tools: &[Tool], _: Instant) -> io::Result<()> {
        print(&Event::Tools { tools })
    }

    fn failure(&mut self, failure: &Failure, _: Instant) {
        print_failure(failure);
        tell(failure);
    }
}

/// Prints the last line of a run that has failed.
pub(crate) fn print_failure(failure: &Failure) {
    // Whether or not somebody still reads it, there is nothing more to do about it.
    let _ = print(&error(failure));
}

fn progress(report: &Progress) -> Event<'_> {
    Event::Progress {
        progress: report.progress,
        total: report.total,
        message: report.message.as_deref(),
    }
}

fn error(failure: &Failure) -> Event<'_> {
    let peer = failure.error.as_deref();
    Event::Error {
        kind: failure.kind,
        message: &failure.message,
        code: peer.map(|error| error.code),
        data: peer.and_then(|error| error.data.as_ref()),
        deadline: failure.expired.as_deref().copied(),
        stderr: &failure.said,
        hint: failure.hint.as_deref(),
    }
}

fn empty_list() -> RawJson {
    RawJson::of::<[(); 0]>(&[]).unwrap_or_else(|_| RawJson::null())
}

fn print(event: &Event<'_>) -> io::Result<()> {
    let line = RawJson::of(event).map_err(io::Error::other)?;
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use mcp_tokio::mcp_proto::{CallError, ErrorObject};

    use super::*;
    use crate::failure::Whereabouts;
    use crate::limits::{StartLimit, StartLimitKind};

    fn line(event: &Event<'_>) -> String {
        RawJson::of(event).unwrap().to_string()
    }

    #[test]
    fn a_report_is_printed_as_it_came() {
        let full = Progress::new(0.0).of(10.0).message("正在处理 \"1\"");
        assert_eq!(
            line(&progress(&full)),
            r#"{"event":"progress","progress":0,"total":10,"message":"正在处理 \"1\""}"#
        );
        let bare = Progress::new(0.1 + 0.2);
        assert_eq!(
            line(&progress(&bare)),
            r#"{"event":"progress","progress":0.30000000000000004,"total":null,"message":null}"#
        );
        assert!(line(&progress(&Progress::new(4_294_967_297.0))).contains("4294967297,"));
    }

    #[test]
    fn an_error_says_of_which_kind_it_is() {
        let refused = ErrorObject::new(-32602, "unknown tool")
            .data(RawJson::parse("{\"name\": 1e400}").unwrap());
        let failure =
            Failure::of_call(CallError::Peer(refused), "the call", None, Whereabouts::Command);
        assert_eq!(
            line(&error(&failure)),
            r#"{"event":"error","kind":"peer","message":"the server answered the call with an error: unknown tool (code -32602)","code":-32602,"data":{"name": 1e400}}"#
        );
        let after = std::time::Duration::from_secs(60);
        let limit = StartLimit { kind: StartLimitKind::Handshake, after };
        let failure = Failure::of_slow_start(limit, after.into(), Whereabouts::Command);
        let told: serde_json::Value = serde_json::from_str(&line(&error(&failure))).unwrap();
        assert_eq!(
            (&told["kind"], &told["limit"], &told["after"]),
            (&"timeout".into(), &"handshake".into(), &60.into())
        );
    }
}
