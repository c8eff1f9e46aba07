//! `mcpcli lint`: which rules a recording breaks.

use std::io::{self, Write};
use std::process::ExitCode;

use mcp_tokio::mcp_proto::testing::End;
use mcp_tokio::mcp_proto::testing::lint::{Finding, Level, lint};
use mcp_tokio::mcp_proto::testing::recording::Recording;
use serde::Serialize;

use crate::args::Lint;
use crate::output::tell;
use crate::recorded::{Outcome, print, seconds, with};
use crate::text::{count, one_line};

/// One finding for programs.
#[derive(Serialize)]
struct Found<'a> {
    line: usize,
    time: f64,
    side: &'static str,
    rule: &'static str,
    requirement: &'static str,
    level: &'static str,
    message: &'a str,
    text: &'static str,
}

pub(crate) fn run(options: &Lint) -> ExitCode {
    with(&options.file, |recording, out| judge(recording, options, out).map(Outcome::found))
}

/// Prints the findings. Whether there are any.
fn judge(recording: &Recording, options: &Lint, out: &mut dyn Write) -> io::Result<bool> {
    let mut findings = lint(recording);
    findings.retain(|found| found.requirement.level == Level::Must || !options.must);
    for found in &findings {
        if options.json {
            print(out, &described(found))?;
        } else {
            let (name, line) = (options.file.display(), found.line);
            let level = found.requirement.level;
            let text = one_line(&found.to_string());
            writeln!(out, "{name}:{line}: at {:.3} s, {text}", seconds(found.at))?;
            writeln!(out, "    {level}: {}", found.rule.text)?;
        }
    }
    if !options.json {
        match findings.len() {
            0 => tell("clean"),
            some => tell(count(some as u64, "finding")),
        }
    }
    Ok(!findings.is_empty())
}

fn described(found: &Finding) -> Found<'_> {
    Found {
        line: found.line,
        time: seconds(found.at),
        side: match found.side {
            End::Client => "client",
            End::Server => "server",
        },
        rule: found.rule.name,
        requirement: found.requirement.number,
        level: match found.requirement.level {
            Level::Must => "MUST",
            Level::Should => "SHOULD",
        },
        message: &found.what,
        text: found.rule.text,
    }
}
