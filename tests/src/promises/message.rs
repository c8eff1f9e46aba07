//! What a line on the wire says, as far as the promises are concerned.

use mcp_proto::ProgressToken;
use mcp_proto::json::{Kind, Raw};

/// One message.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_enums)]
pub enum Said {
    /// A request with this id.
    Request(i64, String),
    /// The answer to the request with this id.
    Answer(i64, Answer),
    /// A report for this token.
    Report(Token, f64),
    /// The request with this id is no longer wanted.
    Cancel(i64),
    /// A notification of another method, or an error without an id.
    Else(String),
}

/// What a report is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Token {
    /// The call with this id: the engine chose it.
    Call(i64),
    /// The call that was made with this token, a text.
    Own(u16),
}

impl Token {
    /// The text of a caller's own token.
    pub fn text(own: u16) -> String {
        format!("own {own}")
    }

    fn read(raw: Raw<'_>) -> Option<Self> {
        match raw.as_str() {
            Some(text) => text.strip_prefix("own ")?.parse().ok().map(Self::Own),
            None => raw.decode().ok().map(Self::Call),
        }
    }

    /// A token that an engine names.
    pub fn of(token: &ProgressToken) -> Option<Self> {
        match token.as_i64() {
            Some(id) => Some(Self::Call(id)),
            None => token.as_str()?.strip_prefix("own ")?.parse().ok().map(Self::Own),
        }
    }
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)]
pub enum Answer {
    /// A result.
    Result,
    /// An error.
    Error,
}

impl Said {
    /// Reads a line: one message, or all of a batch.
    pub fn read_all(line: &[u8]) -> Option<Vec<Self>> {
        let line = Raw::parse(line, 64).ok()?;
        match line.kind() {
            Kind::Array => line.items().map(Self::read_one).collect(),
            _ => Self::read_one(line).map(|said| vec![said]),
        }
    }

    /// Reads a line that an engine wrote. Ids are integers here, because engines choose them.
    pub fn read(line: &[u8]) -> Option<Self> {
        Self::read_one(Raw::parse(line, 64).ok()?)
    }

    fn read_one(message: Raw<'_>) -> Option<Self> {
        let integer = |raw: Raw<'_>| raw.decode::<i64>().ok();
        let id = message.get("id").and_then(integer);
        let params = message.get("params");
        let param = |name| params.and_then(|params| params.get(name));
        Some(match (message.get("method").and_then(|method| method.as_str()), id) {
            (Some(method), Some(id)) => Self::Request(id, method.into_owned()),
            (Some(method), None) if method == "notifications/progress" => {
                let token = Token::read(param("progressToken")?)?;
                Self::Report(token, param("progress")?.as_f64()?)
            }
            (Some(method), None) if method == "notifications/cancelled" => {
                Self::Cancel(integer(param("requestId")?)?)
            }
            (Some(method), None) => Self::Else(method.into_owned()),
            (None, Some(id)) if message.get("result").is_some() => Self::Answer(id, Answer::Result),
            (None, Some(id)) => Self::Answer(id, Answer::Error),
            (None, None) => Self::Else("an error without an id".into()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_is_told_apart() {
        let read = |line: &str| Said::read(line.as_bytes());
        assert_eq!(
            read(r#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#),
            Some(Said::Request(3, "ping".into()))
        );
        assert_eq!(
            read(r#"{"jsonrpc":"2.0","id":3,"result":{}}"#),
            Some(Said::Answer(3, Answer::Result))
        );
        assert_eq!(
            read(r#"{"jsonrpc":"2.0","id":3,"error":{"code":1,"message":""}}"#),
            Some(Said::Answer(3, Answer::Error))
        );
        let report = r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":3,"progress":1.5}}"#;
        assert_eq!(read(report), Some(Said::Report(Token::Call(3), 1.5)));
        let cancel =
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}"#;
        assert_eq!(read(cancel), Some(Said::Cancel(3)));
        assert_eq!(
            read(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
            Some(Said::Else("notifications/initialized".into()))
        );
        assert_eq!(read("{"), None);
        let batch =
            br#"[{"jsonrpc":"2.0","id":3,"result":{}},{"jsonrpc":"2.0","id":4,"error":{}}]"#;
        let answers = vec![Said::Answer(3, Answer::Result), Said::Answer(4, Answer::Error)];
        assert_eq!(Said::read_all(batch), Some(answers));
        let own = report.replace(":3,", r#":"own 7","#);
        assert_eq!(read(&own), Some(Said::Report(Token::Own(7), 1.5)));
    }
}
