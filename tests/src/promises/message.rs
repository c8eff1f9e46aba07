//! What a line on the wire says, as far as the promises are concerned.

use mcp_proto::json::Raw;

/// One message.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::exhaustive_enums)]
pub enum Said {
    /// A request with this id.
    Request(i64, String),
    /// The answer to the request with this id.
    Answer(i64, Answer),
    /// A report for this token.
    Report(i64, f64),
    /// The request with this id is no longer wanted.
    Cancel(i64),
    /// A notification of another method, or an error without an id.
    Else(String),
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
    /// Reads a line that an engine wrote. Ids and tokens are integers here, because engines choose them.
    pub fn read(line: &[u8]) -> Option<Self> {
        let message = Raw::parse(line, 64).ok()?;
        let integer = |raw: Raw<'_>| raw.decode::<i64>().ok();
        let id = message.get("id").and_then(integer);
        let params = message.get("params");
        let param = |name| params.and_then(|params| params.get(name));
        Some(match (message.get("method").and_then(|method| method.as_str()), id) {
            (Some(method), Some(id)) => Self::Request(id, method.into_owned()),
            (Some(method), None) if method == "notifications/progress" => {
                Self::Report(integer(param("progressToken")?)?, param("progress")?.as_f64()?)
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
        assert_eq!(read(report), Some(Said::Report(3, 1.5)));
        let cancel =
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":3}}"#;
        assert_eq!(read(cancel), Some(Said::Cancel(3)));
        assert_eq!(
            read(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
            Some(Said::Else("notifications/initialized".into()))
        );
        assert_eq!(read("{"), None);
    }
}
