//! What a peer may say that makes sense, or nearly.

use alloc::format;
use alloc::string::{String, ToString};

use arbitrary::Arbitrary;

use super::operation::Step;
use crate::json::RawJson;

/// A message of a peer that may be confused or hostile.
#[derive(Arbitrary, Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Message {
    /// `notifications/progress`
    Progress {
        /// Its token.
        token: Reference,
        /// Its value.
        step: Step,
    },
    /// A result.
    Result {
        /// The call that it answers.
        id: Reference,
        /// What it is, if that is JSON on one line; else an empty list of content.
        result: String,
    },
    /// An error.
    Error {
        /// The call that it answers.
        id: Reference,
        /// Its code.
        code: i32,
    },
    /// A request.
    Request {
        /// Its id.
        id: Reference,
        /// What is asked.
        method: Method,
        /// The token, if it asks for progress.
        token: Option<Reference>,
        /// Whether it is spoken as of 2026-07-28.
        modern: bool,
    },
    /// `notifications/cancelled`
    Cancelled(Reference),
    /// `notifications/initialized`
    Initialized,
    /// What is longer than the limit of a [`SoloSchedule`](super::SoloSchedule).
    TooLong {
        /// Its id, or that of the call that it answers.
        id: Reference,
        /// Whether it is a result; else it is a request.
        answers: bool,
    },
    /// What nests deeper than that limit.
    TooDeep {
        /// Its id, or that of the call that it answers.
        id: Reference,
        /// Whether it is a result; else it is a request.
        answers: bool,
    },
}

/// What a peer may name: something that is there, or as it might garble it.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reference {
    /// A call in flight.
    Call(u8),
    /// The same, as a string.
    CallText(u8),
    /// The same, as a float.
    CallFloat(u8),
    /// A number below 8.
    Number(u8),
    /// The same, as a string.
    Text(u8),
    /// A number beyond 64 bits.
    Huge,
    /// `null`, which names nothing.
    Null,
}

/// What a peer may ask.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// `initialize`; without parameters from 128 on.
    Initialize(u8),
    /// `server/discover`
    Discover,
    /// `ping`
    Ping,
    /// `tools/call`
    Call,
    /// `logging/setLevel`
    SetLevel,
    /// A method that nobody has.
    Unknown,
}

/// The calls in flight at the end that listens: their ids, and the value that each has reported last.
pub(super) type InFlight = alloc::vec::Vec<(i64, Option<f64>)>;

impl Message {
    /// Its line, newline included, for a peer that has these calls in flight: their ids, and the value that each has
    /// reported last. Where none are known, what names one names the call 1.
    pub fn line(&self, calls: &[(i64, Option<f64>)]) -> String {
        let body = match self {
            Self::Progress { token, step } => {
                let last = match token {
                    Reference::Call(which) => pick(calls, *which).and_then(|(_, last)| last),
                    _ => None,
                };
                let value = match step {
                    Step::Forward(by) => last.unwrap_or_default() + f64::from(*by),
                    Step::Any(value) => *value,
                };
                format!(
                    r#""method":"notifications/progress","params":{{"progressToken":{},"progress":{}}}"#,
                    token.text(calls),
                    number(value)
                )
            }
            Self::Result { id, result } => {
                let is_fit = !result.contains('\n') && RawJson::parse(result.clone()).is_ok();
                let result = if is_fit { result } else { r#"{"content":[]}"# };
                format!(r#""id":{},"result":{result}"#, id.text(calls))
            }
            Self::Error { id, code } => {
                format!(r#""id":{},"error":{{"code":{code},"message":"no"}}"#, id.text(calls))
            }
            Self::Request { id, method, token, modern } => {
                let mut meta = match token {
                    Some(token) => format!(r#""progressToken":{},"#, token.text(calls)),
                    None => String::new(),
                };
                if *modern {
                    meta += r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"#;
                }
                let (method, more) = method.text();
                format!(
                    r#""id":{},"method":"{method}","params":{{"_meta":{{{}}}{more}}}"#,
                    id.text(calls),
                    meta.trim_end_matches(',')
                )
            }
            Self::Cancelled(id) => {
                format!(
                    r#""method":"notifications/cancelled","params":{{"requestId":{}}}"#,
                    id.text(calls)
                )
            }
            Self::Initialized => r#""method":"notifications/initialized""#.into(),
            Self::TooLong { id, answers } => {
                format!(r#""id":{},{}:{{"x":"{:x<4000}"}}"#, id.text(calls), body(*answers), "")
            }
            Self::TooDeep { id, answers } => {
                let (open, close) = ("[".repeat(20), "]".repeat(20));
                format!(r#""id":{},{}:{{"x":{open}{close}}}"#, id.text(calls), body(*answers))
            }
        };
        format!("{{\"jsonrpc\":\"2.0\",{body}}}\n")
    }

    /// The id that an answer to it may bear, as JSON; none if it asks for nothing.
    pub fn asks_as(&self, calls: &[(i64, Option<f64>)]) -> Option<String> {
        match self {
            Self::Request { id, .. }
            | Self::TooLong { id, answers: false }
            | Self::TooDeep { id, answers: false } => Some(id.text(calls)),
            _ => None,
        }
    }
}

impl Reference {
    fn text(self, calls: &[(i64, Option<f64>)]) -> String {
        let call = |which| pick(calls, which).map_or(1, |(id, _)| id);
        match self {
            Self::Call(which) => call(which).to_string(),
            Self::CallText(which) => format!("\"{}\"", call(which)),
            Self::CallFloat(which) => format!("{}.0", call(which)),
            Self::Number(number) => (number % 8).to_string(),
            Self::Text(number) => format!("\"{}\"", number % 8),
            Self::Huge => "123456789012345678901234567890".into(),
            Self::Null => "null".into(),
        }
    }
}

impl Method {
    fn text(self) -> (&'static str, &'static str) {
        match self {
            Self::Initialize(0..128) => (
                "initialize",
                r#","protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}"#,
            ),
            Self::Initialize(_) => ("initialize", ""),
            Self::Discover => ("server/discover", ""),
            Self::Ping => ("ping", ""),
            Self::Call => ("tools/call", r#","name":"t","arguments":{"n":1}"#),
            Self::SetLevel => ("logging/setLevel", r#","level":"debug""#),
            Self::Unknown => ("x/y", ""),
        }
    }
}

/// What stands before the content of a result, or of a request.
fn body(answers: bool) -> &'static str {
    if answers { r#""result""# } else { r#""method":"tools/call","params""# }
}

fn pick(calls: &[(i64, Option<f64>)], which: u8) -> Option<(i64, Option<f64>)> {
    super::operation::pick(calls.iter().copied(), which)
}

fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:?}") } else { "1e999".into() }
}
