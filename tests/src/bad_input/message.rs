//! Messages as they stand on the wire: those that a case feeds in, and those that the engine sends.

use mcp_proto::json::{Kind as JsonKind, Raw};
use mcp_proto::{Era, Revision};
use serde_json::Value;

use super::case::Side;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names say it
pub enum Kind {
    Request,
    Notification,
    Response,
    /// Not JSON, or no message: somebody may complain of it.
    Unreadable,
}

/// A message that was fed in.
#[derive(Clone, Debug)]
pub struct Fed {
    /// What it is.
    pub kind: Kind,
    /// Which line it is in. Several in one line are a batch.
    pub line: usize,
    /// Its ids as JSON text: none, one, or several if a member occurs twice.
    pub ids: Vec<String>,
    /// Its progress token as JSON text.
    pub token: Option<String>,
    /// The arguments of a tool as JSON text.
    pub arguments: Option<String>,
}

impl Fed {
    /// The messages of an input: one a line, or several if the line is a batch.
    ///
    /// Lines are taken apart by the engine's own scanner, which is compared with another one elsewhere.
    pub fn all(input: &[u8]) -> Vec<Self> {
        let lines = input.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        lines
            .filter(|line| !line.is_empty())
            .enumerate()
            .flat_map(|(at, line)| Self::of_line(at, line))
            .collect()
    }

    fn of_line(at: usize, line: &[u8]) -> Vec<Self> {
        match Raw::parse(line, 128) {
            Ok(batch) if batch.kind() == JsonKind::Array && batch.items().next().is_some() => {
                batch.items().map(|message| Self::of_value(at, message)).collect()
            }
            Ok(message) => vec![Self::of_value(at, message)],
            Err(_) => {
                let ids = first_id(line).into_iter().collect();
                vec![Self { kind: Kind::Unreadable, line: at, ids, token: None, arguments: None }]
            }
        }
    }

    fn of_value(line: usize, message: Raw<'_>) -> Self {
        let has = |name| message.get(name).is_some();
        let ids: Vec<_> =
            message.members().filter(|(name, _)| name == "id").map(|(_, id)| text(id)).collect();
        let kind = match (has("method"), ids.is_empty()) {
            _ if message.kind() != JsonKind::Object => Kind::Unreadable,
            (true, false) => Kind::Request,
            (true, true) => Kind::Notification,
            (false, _) if has("result") || has("error") => Kind::Response,
            _ => Kind::Unreadable,
        };
        let params = message.get("params");
        let token = params.and_then(|params| params.get("_meta")?.get("progressToken")).map(text);
        let arguments = params.and_then(|params| params.get("arguments")).map(text);
        Self { kind, line, ids, token, arguments }
    }

    /// Whether one of its ids is `id`.
    pub fn is(&self, id: &str) -> bool {
        self.ids.iter().any(|own| same_id(own, id))
    }
}

fn text(raw: Raw<'_>) -> String {
    String::from_utf8_lossy(raw.as_bytes()).into_owned()
}

/// The first thing that looks like an id in a line that cannot be read.
fn first_id(line: &[u8]) -> Option<String> {
    let line = String::from_utf8_lossy(line);
    let (_, behind) = line.split_once("\"id\":")?;
    let behind = behind.trim_start();
    let end = match behind.strip_prefix('"') {
        Some(rest) => rest.find('"')? + 2,
        None => behind.find([',', '}', ' ']).unwrap_or(behind.len()),
    };
    Some(behind[..end].to_owned())
}

/// A message that the engine sent.
#[derive(Clone, Debug)]
pub struct Sent {
    /// As it stands on the wire.
    pub text: String,
    /// The same, read.
    pub json: Value,
    /// Which line it is in, if that is a batch.
    pub batch: Option<usize>,
}

impl Sent {
    /// The messages of a line.
    ///
    /// # Errors
    ///
    /// The line is not UTF-8, not JSON, or an empty batch.
    pub fn of_line(at: usize, line: &[u8]) -> Result<Vec<Self>, String> {
        let text = std::str::from_utf8(line).map_err(|error| error.to_string())?;
        let json: Value =
            serde_json::from_str(text).map_err(|error| format!("{error}: {}", cut(text)))?;
        match json {
            Value::Array(items) if items.is_empty() => Err("an empty batch".to_owned()),
            Value::Array(items) => {
                let raw = Raw::parse(line, 128).map_err(|error| error.to_string())?;
                let texts = raw.items().map(self::text);
                Ok(items
                    .into_iter()
                    .zip(texts)
                    .map(|(json, text)| Self { text, json, batch: Some(at) })
                    .collect())
            }
            json => Ok(vec![Self { text: text.to_owned(), json, batch: None }]),
        }
    }

    /// The method of a request or notification.
    pub fn method(&self) -> Option<&str> {
        self.json["method"].as_str()
    }

    /// Whether it is a response.
    pub fn is_response(&self) -> bool {
        self.method().is_none()
    }

    /// Its id as JSON text, digits as they are.
    pub fn id(&self) -> Option<String> {
        Raw::parse(self.text.as_bytes(), 128).ok()?.get("id").map(text)
    }

    /// Whether it names no request.
    pub fn is_anonymous(&self) -> bool {
        self.json.get("id").is_none_or(Value::is_null)
    }

    /// Whether it is a result.
    pub fn is_result(&self) -> bool {
        self.json.get("result").is_some()
    }

    /// The code of an error.
    pub fn code(&self) -> Option<i64> {
        self.json["error"]["code"].as_i64()
    }

    /// The text of the first block of a result.
    pub fn result_text(&self) -> Option<&str> {
        self.json["result"]["content"][0]["text"].as_str()
    }

    /// What is wrong with it in `revision`, or before anything was agreed.
    pub fn faults(&self, side: Side, revision: Option<Revision>) -> Vec<&'static str> {
        let mut faults = Vec::new();
        let mut check = |holds: bool, fault| {
            if !holds {
                faults.push(fault);
            }
        };
        let json = &self.json;
        let Value::Object(members) = json else { return vec!["a message that is no object"] };
        check(json["jsonrpc"] == "2.0", "jsonrpc is not 2.0");
        let known = ["jsonrpc", "id", "method", "params", "result", "error"];
        check(
            members.keys().all(|name| known.contains(&name.as_str())),
            "a member that no message has",
        );
        let is_modern = revision.is_some_and(|revision| revision.era() == Era::Modern);
        let id = members.get("id");
        let named = id.is_some_and(|id| id.is_string() || id.is_number());
        match (members.get("method"), members.get("result"), members.get("error")) {
            (Some(method), None, None) => {
                check(method.is_string(), "method is not a string");
                check(
                    members.get("params").is_none_or(Value::is_object),
                    "params is not an object",
                );
                match id {
                    Some(_) => {
                        check(named, "the id of a request is neither a string nor a number");
                        check(
                            !(is_modern && side == Side::Server),
                            "a request from a modern server",
                        );
                    }
                    None => check(
                        method.as_str().is_some_and(|method| method.starts_with("notifications/")),
                        "a request without id",
                    ),
                }
                if method == "notifications/progress" {
                    let params = &json["params"];
                    let token = &params["progressToken"];
                    check(
                        token.is_string() || token.is_number(),
                        "a token that is neither a string nor a number",
                    );
                    check(params["progress"].is_number(), "progress that is no number");
                    check(
                        params.get("total").is_none_or(Value::is_number),
                        "a total that is no number",
                    );
                    let has_message =
                        revision.is_none_or(|revision| revision.rules().progress_message);
                    check(
                        has_message || params.get("message").is_none(),
                        "progress with a message before 2025-03-26",
                    );
                }
            }
            (None, Some(result), None) => {
                check(named, "a result without id");
                check(result.is_object(), "a result that is no object");
                check(
                    !is_modern || result["resultType"].is_string(),
                    "a modern result without resultType",
                );
                check(!(is_modern && side == Side::Client), "a response from a modern client");
            }
            (None, None, Some(error)) => {
                check(error["code"].is_i64(), "an error without an integer code");
                check(error["message"].is_string(), "an error without message");
                check(id.is_none_or(|id| named || id.is_null()), "the id of an error is no id");
                let null = revision.is_none_or(|revision| revision.rules().null_id);
                check(
                    null || id.is_none_or(|id| !id.is_null()),
                    "an error with the id null after 2025-06-18",
                );
                check(!(is_modern && side == Side::Client), "a response from a modern client");
                let code = error["code"].as_i64().unwrap_or_default();
                let reserved =
                    (-32099..=-32020).contains(&code) && !(-32022..=-32020).contains(&code);
                check(!reserved, "an error code that the protocol keeps for itself");
            }
            _ => check(false, "neither a request nor a notification nor one kind of a response"),
        }
        let in_batch = self.batch.is_some();
        check(!in_batch || revision.is_some_and(|revision| revision.rules().batches), "a batch");
        faults
    }
}

/// Whether two ids, as JSON text, are of one type and one value.
pub fn same_id(one: &str, other: &str) -> bool {
    match (one.starts_with('"'), other.starts_with('"')) {
        (true, true) => unquoted(one) == unquoted(other),
        (false, false) => one == other,
        _ => false,
    }
}

/// Whether two ids are numbers of one value, however they are written.
pub fn numerically_equal(one: &str, other: &str) -> bool {
    matches!((one.parse::<f64>(), other.parse::<f64>()), (Ok(one), Ok(other)) if one == other)
}

fn unquoted(text: &str) -> Option<String> {
    serde_json::from_str(text).ok()
}

/// A text short enough to be shown.
pub fn cut(text: &str) -> String {
    const SHOWN: usize = 200;
    if text.len() <= SHOWN {
        return text.to_owned();
    }
    format!("{}… ({} bytes)", &text[..text.floor_char_boundary(SHOWN)], text.len())
}
