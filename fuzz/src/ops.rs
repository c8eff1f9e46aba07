//! What can be done to an endpoint, as `arbitrary` reads it from bytes.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use mcp_proto::{RawJson, RequestId};

/// Calls of ours in flight, with the last progress of each.
pub(crate) type Calls = BTreeMap<RequestId, Option<f64>>;

#[derive(Arbitrary, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) side: Side,
    pub(crate) revision: u8,
    /// Whether the handshake lies behind it.
    pub(crate) met: bool,
    pub(crate) ops: Vec<Op<'a>>,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
pub(crate) enum Side {
    Client,
    Server,
}

#[derive(Arbitrary, Debug)]
pub(crate) enum Op<'a> {
    /// Bytes as they are.
    Bytes(&'a [u8]),
    /// A message that makes sense, or nearly.
    Message(Message<'a>),
    /// A call of ours: with its own token or the engine's, and deadlines in milliseconds.
    Call {
        token: Token,
        idle: Option<u16>,
        total: Option<u16>,
    },
    CancelUnknown,
    Cancel(u8),
    Respond(u8),
    Fail(u8),
    Abandon(u8),
    Report {
        request: u8,
        step: Step,
        total: Option<f64>,
        milestone: bool,
    },
    Log(u8),
    Poll(u8),
    Transmit(u16),
    /// Time passes and nobody says so until the next operation.
    Pass(u16),
    /// Time passes to the next deadline, or beyond it, and the endpoint is told.
    Wake {
        late: u16,
    },
    /// The clock of the caller goes backwards.
    Back(u16),
    /// Three of these values end it, in one way each; the rest moves everything that waits.
    Rest(u8),
}

#[derive(Arbitrary, Debug, Clone, Copy)]
pub(crate) enum Token {
    None,
    Own,
    Number(u8),
    Text(u8),
}

#[derive(Arbitrary, Debug, Clone, Copy)]
pub(crate) enum Step {
    Forward(u8),
    Any(f64),
}

#[derive(Arbitrary, Debug)]
pub(crate) enum Message<'a> {
    Progress { token: Reference, step: Step },
    Result { id: Reference, result: &'a str },
    Error { id: Reference, code: i32 },
    Request { id: Reference, method: Method, token: Option<Reference>, modern: bool },
    Cancelled(Reference),
    Initialized,
    TooLong(Reference),
    TooDeep(Reference),
}

/// What a peer might name: something that is there, or as it might garble it.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub(crate) enum Reference {
    /// One of our calls in flight.
    Call(u8),
    /// The same, as a string.
    CallText(u8),
    /// The same, as a float.
    CallFloat(u8),
    Number(u8),
    Text(u8),
    Huge,
    Null,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
pub(crate) enum Method {
    Initialize(u8),
    Discover,
    Ping,
    Call,
    SetLevel,
    Unknown,
}

impl Message<'_> {
    pub(crate) fn line(&self, calls: &Calls) -> String {
        let body = match self {
            Self::Progress { token, step } => {
                let progress = match (step, token) {
                    (Step::Forward(by), Reference::Call(which)) => {
                        let last = pick(calls.keys(), *which)
                            .and_then(|id| calls[&id])
                            .unwrap_or_default();
                        last + f64::from(*by)
                    }
                    (Step::Forward(by), _) => f64::from(*by),
                    (Step::Any(value), _) => *value,
                };
                format!(
                    r#""method":"notifications/progress","params":{{"progressToken":{},"progress":{}}}"#,
                    token.text(calls),
                    number(progress)
                )
            }
            Self::Result { id, result } => {
                let result = if RawJson::parse(result.as_bytes().to_vec()).is_ok()
                    && !result.contains('\n')
                {
                    result
                } else {
                    r#"{"content":[]}"#
                };
                format!(r#""id":{},"result":{result}"#, id.text(calls))
            }
            Self::Error { id, code } => {
                format!(r#""id":{},"error":{{"code":{code},"message":"no"}}"#, id.text(calls))
            }
            Self::Request { id, method, token, modern } => {
                let mut meta = token
                    .map(|token| format!(r#""progressToken":{},"#, token.text(calls)))
                    .unwrap_or_default();
                if *modern {
                    meta += r#""io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{},"#;
                }
                let meta = meta.trim_end_matches(',');
                let (method, more) = method.text();
                format!(
                    r#""id":{},"method":"{method}","params":{{"_meta":{{{meta}}}{more}}}"#,
                    id.text(calls)
                )
            }
            Self::Cancelled(id) => {
                format!(
                    r#""method":"notifications/cancelled","params":{{"requestId":{}}}"#,
                    id.text(calls)
                )
            }
            Self::Initialized => r#""method":"notifications/initialized""#.into(),
            Self::TooLong(id) => {
                format!(
                    r#""id":{},"method":"tools/call","params":{{"x":"{:x<2000}"}}"#,
                    id.text(calls),
                    ""
                )
            }
            Self::TooDeep(id) => {
                let (open, close) = ("[".repeat(20), "]".repeat(20));
                format!(
                    r#""id":{},"method":"tools/call","params":{{"x":{open}{close}}}"#,
                    id.text(calls)
                )
            }
        };
        format!("{{\"jsonrpc\":\"2.0\",{body}}}\n")
    }
}

impl Reference {
    fn text(self, calls: &Calls) -> String {
        let call = |which| pick(calls.keys(), which).and_then(|id| id.as_i64()).unwrap_or(1);
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

fn number(value: f64) -> String {
    match serde_json::Number::from_f64(value) {
        Some(number) => number.to_string(),
        None => "1e999".into(),
    }
}

pub(crate) fn pick<'a>(
    mut ids: impl ExactSizeIterator<Item = &'a RequestId>,
    which: u8,
) -> Option<RequestId> {
    let count = ids.len();
    (count > 0).then(|| ids.nth(usize::from(which) % count).cloned()).flatten()
}
