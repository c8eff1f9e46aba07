//! One message, read by its members alone, and what is wrong with its form.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::rules::{self, Rule};
use crate::id::{ProgressToken, RequestId};
use crate::json::{Kind, Raw};

/// What a message says, as far as it can be read.
#[derive(Debug)]
pub(super) enum Said<'a> {
    Request { id: RequestId, method: Cow<'a, str>, params: Params<'a> },
    Notification { method: Cow<'a, str>, params: Params<'a> },
    Answer { id: Option<RequestId>, outcome: Outcome<'a> },
}

/// How a request was answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome<'a> {
    Result(Raw<'a>),
    Error { code: Option<i64>, data: Option<Raw<'a>> },
}

/// Parameters that may be absent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Params<'a>(Option<Raw<'a>>);

impl<'a> Params<'a> {
    pub(super) fn get(self, name: &str) -> Option<Raw<'a>> {
        self.0?.get(name)
    }

    pub(super) fn meta(self, key: &str) -> Option<Raw<'a>> {
        self.get("_meta")?.get(key)
    }
}

/// A fault, and what shows it.
pub(super) type Fault = (&'static Rule, String);

/// A message, and the faults of its form. No message: it cannot be told what it is.
pub(super) struct Read<'a> {
    pub(super) said: Option<Said<'a>>,
    pub(super) faults: Vec<Fault>,
    /// Its id, if that can be read though the rest cannot.
    pub(super) id: Option<RequestId>,
}

/// Requests by name: one that lacks its id is no notification.
const REQUESTS: [&str; 13] = [
    "completion/complete",
    "elicitation/create",
    "initialize",
    "logging/setLevel",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "roots/list",
    "sampling/createMessage",
    "tools/call",
    "tools/list",
];

pub(super) fn id(raw: Raw<'_>) -> Option<RequestId> {
    RequestId::read(raw, usize::MAX).ok()
}

pub(super) fn token(raw: Raw<'_>) -> Option<ProgressToken> {
    ProgressToken::read(raw, usize::MAX).ok()
}

/// Reads an object or whatever it is.
pub(super) fn read(raw: Raw<'_>) -> Read<'_> {
    let mut faults = Vec::new();
    let mut note = |rule: &'static Rule, what: &str| faults.push((rule, String::from(what)));
    if raw.kind() != Kind::Object {
        note(&rules::NOT_A_MESSAGE, "it is no object");
        return Read { said: None, faults, id: None };
    }
    let names = ["jsonrpc", "id", "method", "params", "result", "error"];
    for name in names {
        if raw.members().filter(|(key, _)| key == name).count() > 1 {
            note(&rules::NOT_A_MESSAGE, &alloc::format!("`{name}` occurs twice"));
        }
    }
    let [jsonrpc, given_id, method, params, result, error] = names.map(|name| raw.get(name));
    if jsonrpc.and_then(Raw::as_str).as_deref() != Some("2.0") {
        note(&rules::NOT_A_MESSAGE, "`jsonrpc` is not \"2.0\"");
    }
    let own_id = given_id.and_then(id);
    let said = match (method, result, error) {
        (Some(method), None, None) => {
            if params.is_some_and(|params| params.kind() != Kind::Object) {
                note(&rules::BAD_PARAMS, "they are no object");
            }
            let params = Params(params.filter(|params| params.kind() == Kind::Object));
            match method.as_str() {
                None => {
                    note(&rules::NOT_A_MESSAGE, "`method` is no string");
                    None
                }
                Some(method) => call(method, params, given_id, &mut note),
            }
        }
        (None, Some(_), None) | (None, None, Some(_)) | (None, Some(_), Some(_)) => {
            if result.is_some() && error.is_some() {
                note(&rules::BAD_ANSWER, "it has both");
            }
            if given_id.is_some_and(|id| !id.is_null()) && own_id.is_none() {
                note(&rules::ANSWER_WITHOUT_ID, "its id is neither a string nor an integer");
            }
            Some(Said::Answer { id: own_id.clone(), outcome: outcome(result, error, &mut note) })
        }
        (None, None, None) => {
            let what = if given_id.is_some() { "it has neither" } else { "it has no method" };
            let rule = if given_id.is_some() { &rules::BAD_ANSWER } else { &rules::NOT_A_MESSAGE };
            note(rule, what);
            None
        }
        (Some(_), ..) => {
            note(&rules::NOT_A_MESSAGE, "it is both a request and an answer");
            None
        }
    };
    Read { said, faults, id: own_id }
}

fn call<'a>(
    method: Cow<'a, str>,
    params: Params<'a>,
    given_id: Option<Raw<'_>>,
    note: &mut impl FnMut(&'static Rule, &str),
) -> Option<Said<'a>> {
    match given_id {
        None if REQUESTS.contains(&&*method) => {
            note(&rules::BAD_ID, &alloc::format!("{method} has none"));
            None
        }
        Some(_) if method.starts_with("notifications/") => {
            note(&rules::NOTIFICATION_WITH_ID, &method);
            Some(Said::Notification { method, params })
        }
        None => Some(Said::Notification { method, params }),
        Some(given) if given.is_null() => {
            note(&rules::NULL_ID, &method);
            None
        }
        Some(given) => match id(given) {
            Some(id) => Some(Said::Request { id, method, params }),
            None => {
                note(&rules::BAD_ID, &alloc::format!("{method} has {given}"));
                None
            }
        },
    }
}

fn outcome<'a>(
    result: Option<Raw<'a>>,
    error: Option<Raw<'a>>,
    note: &mut impl FnMut(&'static Rule, &str),
) -> Outcome<'a> {
    let error = match (result, error) {
        (Some(result), None) => {
            if result.kind() != Kind::Object {
                note(&rules::BAD_ANSWER, "its result is no object");
            }
            return Outcome::Result(result);
        }
        (_, Some(error)) => error,
        (None, None) => return Outcome::Error { code: None, data: None },
    };
    let code = error.get("code").and_then(|code| code.decode::<i64>().ok());
    if code.is_none() {
        note(&rules::BAD_ERROR, "its code is no integer");
    }
    if error.get("message").is_none_or(|text| text.kind() != Kind::String) {
        note(&rules::BAD_ERROR, "its message is no string");
    }
    Outcome::Error { code, data: error.get("data") }
}
