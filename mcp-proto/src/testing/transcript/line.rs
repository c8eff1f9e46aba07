//! Reads the text of a transcript.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::Mismatch;
use crate::config::{CallOptions, Timeouts};
use crate::id::{ProgressToken, RequestId};
use crate::json::{Kind, RawJson};
use crate::revision::{Revision, RevisionSet};
use crate::testing::End;
use crate::types::{LogLevel, Progress};

/// The `@` line.
#[derive(Clone, Debug)]
pub(super) struct Header {
    pub(super) side: End,
    pub(super) revisions: RevisionSet,
    pub(super) strict: bool,
    pub(super) logging: bool,
    pub(super) probe: Option<Duration>,
    pub(super) handshake: Option<Duration>,
    pub(super) drain: Option<Duration>,
    pub(super) max_message: Option<usize>,
    pub(super) log: Option<LogLevel>,
}

/// One line that means something.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) content: Content,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    /// An end says a message.
    Says(End, String),
    /// An end writes these bytes.
    Writes(End, String),
    /// The engine tells its caller.
    Tells(String),
    Passes(Duration),
    Does(Action),
}

/// What the caller does.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Call(String, Option<RawJson>, CallOptions),
    Notify(String, Option<RawJson>),
    Cancel(RequestId, Option<String>),
    Respond(RequestId, RawJson),
    Fail(RequestId, i64, String),
    Report(RequestId, Progress),
    Milestone(RequestId, Progress),
    Abandon(RequestId),
    Log(Option<RequestId>, LogLevel, String),
    Close,
    Eof,
}

pub(super) fn parse(text: &str) -> Result<(Header, Vec<Line>), Mismatch> {
    let mut header = None;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let content = if line.trim().is_empty() || line.starts_with('#') {
            Ok(None)
        } else if let Some(rest) = line.strip_prefix('@') {
            read_header(rest).map(|read| {
                header = Some(read);
                None
            })
        } else {
            read_line(line).map(Some)
        };
        match content {
            Ok(Some(content)) => lines.push(Line { number, content }),
            Ok(None) => {}
            Err(what) => return Err(Mismatch { line: number, what }),
        }
    }
    match header {
        Some(header) => Ok((header, lines)),
        None => Err(Mismatch { line: 1, what: "no @client or @server line".into() }),
    }
}

fn read_header(text: &str) -> Result<Header, String> {
    let mut words = text.split_whitespace();
    let side = match words.next() {
        Some("client") => End::Client,
        Some("server") => End::Server,
        _ => return Err("neither @client nor @server".into()),
    };
    let revisions = match words.next() {
        None | Some("all") => RevisionSet::ALL,
        Some(list) => {
            let mut named = list.split(',').map(Revision::parse);
            let first = named.next().flatten().ok_or("no such revision")?;
            named.try_fold(RevisionSet::only(first), |set, revision| {
                revision.map(|revision| set.with(revision)).ok_or("no such revision")
            })?
        }
    };
    let mut header = Header {
        side,
        revisions,
        strict: false,
        logging: false,
        probe: None,
        handshake: None,
        drain: None,
        max_message: None,
        log: None,
    };
    for word in words {
        match word.split_once('=') {
            None if word == "strict" => header.strict = true,
            None if word == "logging" => header.logging = true,
            Some(("probe", time)) => header.probe = Some(read_time(time)?),
            Some(("handshake", time)) => header.handshake = Some(read_time(time)?),
            Some(("drain", time)) => header.drain = Some(read_time(time)?),
            Some(("max-message", bytes)) => {
                header.max_message = Some(bytes.parse().map_err(|_| "no number of bytes")?);
            }
            Some(("log", level)) => {
                header.log = Some(LogLevel::parse(level).ok_or("no such log level")?);
            }
            _ => return Err(format!("no such option: {word}")),
        }
    }
    Ok(header)
}

fn read_line(line: &str) -> Result<Content, String> {
    if let Some(time) = line.strip_prefix('+') {
        return read_time(time.trim()).map(Content::Passes);
    }
    if let Some(action) = line.strip_prefix('!') {
        return read_action(action.trim()).map(Content::Does);
    }
    if let Some(event) = line.strip_prefix("E:") {
        return Ok(Content::Tells(event.trim().to_owned()));
    }
    let end = match line.chars().next() {
        Some('C') => End::Client,
        Some('S') => End::Server,
        _ => return Err("not a line of a transcript".into()),
    };
    match line.get(1..).and_then(|rest| rest.split_at_checked(1)) {
        Some((":", text)) => {
            Ok(Content::Says(end, text.strip_prefix(' ').unwrap_or(text).to_owned()))
        }
        Some((">", text)) => {
            match RawJson::parse(text.trim().to_owned()).map(|json| json.decode::<String>()) {
                Ok(Ok(bytes)) => Ok(Content::Writes(end, bytes)),
                _ => Err("not a JSON string".into()),
            }
        }
        _ => Err("not a line of a transcript".into()),
    }
}

fn read_time(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("no time: {text}"))?;
    Ok(match unit {
        "ns" => Duration::from_nanos(number),
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number.saturating_mul(60)),
        "h" => Duration::from_secs(number.saturating_mul(3600)),
        _ => return Err(format!("no time: {text}")),
    })
}

/// Words, of which the last may be JSON or free text.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (word, rest) = self.0.split_once(' ').unwrap_or((self.0, ""));
        self.0 = rest.trim_start();
        Some(word).filter(|word| !word.is_empty())
    }

    fn rest(&mut self) -> Option<&'a str> {
        Some(core::mem::take(&mut self.0)).filter(|rest| !rest.is_empty())
    }

    fn id(&mut self) -> Result<RequestId, String> {
        read_id(self.next().ok_or("no id")?)
    }

    fn json(&mut self) -> Result<Option<RawJson>, String> {
        self.rest().map(read_json).transpose()
    }

    fn number<T: core::str::FromStr>(&mut self) -> Result<T, String> {
        self.next().and_then(|word| word.parse().ok()).ok_or_else(|| "no number".to_owned())
    }
}

fn read_action(text: &str) -> Result<Action, String> {
    let mut words = Words(text);
    Ok(match words.next().unwrap_or_default() {
        "call" => {
            let (method, options) = read_options(&mut words)?;
            Action::Call(method, words.json()?, options)
        }
        "notify" => Action::Notify(words.next().ok_or("no method")?.into(), words.json()?),
        "cancel" => Action::Cancel(words.id()?, words.rest().map(Into::into)),
        "respond" => Action::Respond(words.id()?, words.json()?.ok_or("no result")?),
        "fail" => {
            Action::Fail(words.id()?, words.number()?, words.rest().unwrap_or_default().into())
        }
        "report" => Action::Report(words.id()?, read_report(&mut words)?),
        "milestone" => Action::Milestone(words.id()?, read_report(&mut words)?),
        "abandon" => Action::Abandon(words.id()?),
        "log" => {
            let id = words.next().filter(|word| *word != "-").map(read_id).transpose()?;
            let level = words.next().and_then(LogLevel::parse).ok_or("no such log level")?;
            Action::Log(id, level, words.rest().unwrap_or_default().into())
        }
        "close" => Action::Close,
        "eof" => Action::Eof,
        other => return Err(format!("no such action: {other}")),
    })
}

fn read_options(words: &mut Words<'_>) -> Result<(String, CallOptions), String> {
    let mut options = CallOptions::default();
    let mut timeouts = None::<Timeouts>;
    loop {
        let word = words.next().ok_or("no method")?;
        let times = timeouts.unwrap_or_default();
        match word.split_once('=') {
            None if word == "tracked" => options = options.tracked(),
            None => {
                options.timeouts = timeouts;
                return Ok((word.into(), options));
            }
            Some(("idle", "none")) => timeouts = Some(times.idle(None)),
            Some(("total", "none")) => timeouts = Some(times.total(None)),
            Some(("idle", time)) => timeouts = Some(times.idle(read_time(time)?)),
            Some(("total", time)) => timeouts = Some(times.total(read_time(time)?)),
            Some(("token", token)) => options = options.progress_token(read_token(token)?),
            Some(("meta", json)) => options = options.meta(read_json(json)?),
            Some(_) => return Err(format!("no such option: {word}")),
        }
    }
}

fn read_report(words: &mut Words<'_>) -> Result<Progress, String> {
    let value = words.next().ok_or("no value")?;
    let (value, total) =
        value.split_once('/').map_or((value, None), |(value, total)| (value, Some(total)));
    let number = |text: &str| text.parse::<f64>().map_err(|_| format!("no number: {text}"));
    Ok(Progress {
        progress: number(value)?,
        total: total.map(number).transpose()?,
        message: words.rest().map(|text| text.to_owned().into()),
    })
}

fn read_json(text: &str) -> Result<RawJson, String> {
    RawJson::parse(text.to_owned()).map_err(|error| format!("not JSON: {error}"))
}

fn read_id(text: &str) -> Result<RequestId, String> {
    let json = read_json(text)?;
    RequestId::read(json.as_raw(), usize::MAX).map_err(|_| format!("no id: {text}"))
}

fn read_token(text: &str) -> Result<ProgressToken, String> {
    let json = read_json(text)?;
    if json.as_raw().kind() == Kind::Null {
        return Err("no token".into());
    }
    ProgressToken::read(json.as_raw(), usize::MAX).map_err(|_| format!("no token: {text}"))
}
