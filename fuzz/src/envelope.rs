//! One frame, as a client and as a server take it, against a plain reading of it by serde_json.

use std::collections::BTreeMap;

use bytes::Bytes;
use mcp_proto::json::{Kind, Raw, ScanErrorKind};
use mcp_proto::role::Role;
use mcp_proto::testing::codec::{layouts_agree, ways_agree};
use mcp_proto::{
    CallError, CallOptions, CallTool, ClientConfig, Endpoint, Event, Instant, Limits, Revision,
    ServerConfig, Violation,
};

use crate::members::Members;
use crate::wire::{client, server};

/// What a frame is.
#[derive(Debug, PartialEq)]
enum Reading {
    NotJson,
    /// JSON that the scanner refuses; if its members can be read all the same, as what is malformed.
    Refused(Option<(Concerns, Option<String>)>),
    Batch,
    /// No message; what is to be answered, and with which id.
    Malformed(Concerns, Option<String>),
    Request {
        id: String,
        method: String,
    },
    Notification {
        method: String,
    },
    Result {
        id: String,
    },
    Error {
        id: String,
        code: i64,
    },
    AnonymousError,
}

/// Whom what is no message concerns.
#[derive(Debug, PartialEq, Clone, Copy)]
enum Concerns {
    Request,
    Response,
    Notification,
}

/// One frame. Line breaks are blanks in it, as for every reader of JSON; what stands around the first one are besides two
/// reports of one peer, the second read by what the first has taught.
pub fn envelope(input: &[u8]) {
    let limits = Limits::default();
    assert!(ways_agree(input, &limits), "the short way finds something else");
    if let Some(at) = input.iter().position(|byte| *byte == b'\n') {
        let (first, second) = (&input[..at], &input[at + 1..]);
        assert!(layouts_agree(first, second, &limits), "what was learned finds something else");
    }
    let reading = read(input);
    let now = Instant::from_nanos(1);
    at_server(input, &reading, now);
    at_client(input, &reading, now);
}

fn at_server(input: &[u8], reading: &Reading, now: Instant) {
    let connection = server(ServerConfig::new("envelope", "1"), Revision::V2025_11_25, now);
    let mut end: Endpoint<_> = (*connection).clone();
    end.handle_message(Bytes::copy_from_slice(input), now);
    let (told, said) = outcome(&mut end);
    // What a server is asked for by name it may answer by itself, or refuse; every request has one outcome.
    match reading {
        Reading::Request { id, method } => {
            let accepted =
                told.iter().filter(|event| matches!(event, Event::Request { .. })).count();
            assert_eq!(accepted + said.len(), 1, "{method}: {told:?} {said:?}");
            if let [Event::Request { id: own, method: name, .. }, ..] = &told[..] {
                assert_eq!((&own.to_string(), name.as_str()), (id, method.as_str()));
            }
            if let Some(answer) = said.first() {
                assert_eq!(answer.get("id"), Some(id), "{answer:?}");
            }
        }
        Reading::Notification { method } => {
            assert!(said.is_empty(), "an answer to a notification: {said:?}");
            check_notification(method, &told);
        }
        Reading::Result { .. } | Reading::Error { .. } | Reading::AnonymousError => {
            assert!(said.is_empty(), "an answer to an answer: {said:?}");
            assert!(matches!(&told[..], [Event::Violation(_)]), "{told:?}");
        }
        Reading::Malformed(concerns, id) => {
            assert!(matches!(&told[..], [Event::Violation(Violation::NotAMessage(_))]), "{told:?}");
            check_refusal(*concerns, id.as_deref(), &said, "-32600");
        }
        Reading::Batch => {
            assert!(matches!(&told[..], [Event::Violation(Violation::Batch)]), "{told:?}");
            check_refusal(Concerns::Request, None, &said, "-32600");
        }
        Reading::NotJson => {
            assert!(matches!(&told[..], [Event::Violation(Violation::NotJson { .. })]), "{told:?}");
            check_refusal(Concerns::Request, None, &said, "-32700");
        }
        Reading::Refused(read) => {
            assert!(matches!(&told[..], [Event::Violation(Violation::Refused(_))]), "{told:?}");
            if let Some((concerns, id)) = read {
                check_refusal(*concerns, id.as_deref(), &said, "-32600");
            }
        }
    }
}

fn check_refusal(concerns: Concerns, id: Option<&str>, said: &[Answer], code: &str) {
    if concerns != Concerns::Request {
        assert!(said.is_empty(), "an answer to what asks nothing: {said:?}");
        return;
    }
    let [answer] = said else { panic!("{said:?}") };
    assert_eq!(answer.get("code").map(String::as_str), Some(code), "{answer:?}");
    assert_eq!(answer.get("id").map(String::as_str), id, "{answer:?}");
}

fn check_notification(method: &str, told: &[Event]) {
    match method {
        "notifications/progress" | "notifications/cancelled" => {
            assert!(told.len() <= 1, "{told:?}");
        }
        "notifications/initialized" => {}
        _ if method.len() > 256 => assert!(matches!(told, [Event::Violation(_)]), "{told:?}"),
        _ => {
            let [Event::Notification { method: name, .. }] = told else { panic!("{told:?}") };
            assert_eq!(name.as_str(), method);
        }
    }
}

fn at_client(input: &[u8], reading: &Reading, now: Instant) {
    let connection = client(ClientConfig::new("envelope", "1"), Revision::V2025_11_25, now);
    let mut end: Endpoint<_> = (*connection).clone();
    let options = CallOptions::default().tracked();
    let ticket = end.request(&CallTool::new("t"), options, now).expect("room");
    let own = ticket.id().to_string();
    while end.poll_transmit().is_some() {}
    end.handle_message(Bytes::copy_from_slice(input), now);
    let (told, said) = outcome(&mut end);
    let ended: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            Event::Response { id, outcome } if id == ticket.id() => Some(outcome),
            Event::Response { id, .. } => panic!("{id} was never called"),
            _ => None,
        })
        .collect();
    // A stringified id, and one such as 2.0, are let pass; nothing else is.
    let names_it = |id: &str| id == own || id == format!("{own:?}") || is_same_number(id, &own);
    match reading {
        Reading::Result { id } => {
            assert_eq!(ended.len(), usize::from(names_it(id)), "{id}: {told:?}");
            assert!(ended.iter().all(|outcome| outcome.is_ok()), "{told:?}");
        }
        Reading::Error { id, code } => {
            assert_eq!(ended.len(), usize::from(names_it(id)), "{id}: {told:?}");
            for outcome in ended {
                let Err(CallError::Peer(error)) = outcome else { panic!("{outcome:?}") };
                assert_eq!(error.code, *code);
            }
        }
        Reading::Malformed(Concerns::Response, id)
        | Reading::Refused(Some((Concerns::Response, id))) => {
            // It cannot be read, so waiting on would be waiting for ever.
            assert_eq!(ended.len(), usize::from(id.as_deref().is_some_and(names_it)), "{told:?}");
        }
        Reading::Refused(None) => {}
        _ => assert!(ended.is_empty(), "ended by what is no response: {told:?}"),
    }
    match reading {
        Reading::Request { .. } => assert!(said.len() <= 1, "{said:?}"),
        _ => assert!(said.is_empty(), "a client answers nothing but requests: {said:?}"),
    }
}

fn is_same_number(id: &str, own: &str) -> bool {
    id.split_once('.').is_some_and(|(whole, rest)| {
        whole == own && !rest.is_empty() && rest.bytes().all(|digit| digit == b'0')
    })
}

/// The members of an answer that matter, as text.
type Answer = BTreeMap<&'static str, String>;

fn outcome<R: Role>(end: &mut Endpoint<R>) -> (Vec<Event>, Vec<Answer>) {
    let told = std::iter::from_fn(|| end.poll_event()).collect();
    let said = std::iter::from_fn(|| end.poll_transmit()).map(|transmit| {
        let raw = Raw::parse(&transmit.message, usize::MAX).expect("our own JSON");
        assert!(raw.get("method").is_none(), "said without being asked: {raw}");
        let mut answer = Answer::new();
        let id = raw.get("id").filter(|id| !id.is_null());
        id.into_iter().for_each(|id| drop(answer.insert("id", key(id))));
        let code = raw.get("error").and_then(|error| error.get("code"));
        code.into_iter().for_each(|code| drop(answer.insert("code", code.to_string())));
        answer
    });
    let said = said.collect();
    (told, said)
}

/// Reads a frame as one would who has all the time in the world.
fn read(input: &[u8]) -> Reading {
    match Raw::parse(input, 64).map_err(|error| error.kind) {
        Err(ScanErrorKind::Syntax | ScanErrorKind::Utf8) => return Reading::NotJson,
        // Nobody looks into what this revision does not have.
        _ if input.trim_ascii().starts_with(b"[") => return Reading::Batch,
        Err(_) => return Reading::Refused(refused(input)),
        Ok(_) => {}
    }
    // Which digits a number has only its text says, and that the scanner has cut out.
    let raw = Raw::parse(input, 64).expect("it was read before");
    let Some(members) = members(raw) else {
        return Reading::Malformed(Concerns::Request, None);
    };
    let known = ["jsonrpc", "id", "method", "params", "result", "error"];
    let is_double = |name| members.iter().filter(|(key, _)| key == name).count() > 1;
    if known.into_iter().any(is_double) {
        return Reading::Malformed(Concerns::Request, None);
    }
    let get = |name| members.iter().find(|(key, _)| key == name).map(|(_, value)| *value);
    let id = get("id");
    let good_id = id.filter(|id| is_id(*id)).map(key);
    let method = get("method").map(|method| serde_json::from_slice::<String>(method.as_bytes()));
    let (result, error) = (get("result"), get("error"));
    let concerns = match (&method, id) {
        (None, _) if result.is_some() || error.is_some() => Concerns::Response,
        (Some(Ok(_)), None) => Concerns::Notification,
        _ => Concerns::Request,
    };
    let malformed = Reading::Malformed(concerns, good_id.clone());
    if get("jsonrpc").is_none_or(|version| version.as_bytes() != b"\"2.0\"") {
        return malformed;
    }
    match (method, result, error) {
        (Some(Ok(method)), None, None) => {
            match (get("params").is_none_or(is_object), id.is_some(), good_id) {
                (true, true, Some(id)) => Reading::Request { id, method },
                (true, false, _) => Reading::Notification { method },
                _ => malformed,
            }
        }
        (None, Some(result), None) if is_object(result) => match good_id {
            Some(id) => Reading::Result { id },
            None => malformed,
        },
        (None, None, Some(error)) => {
            let members = self::members(error).unwrap_or_default();
            let get = |name| members.iter().rfind(|(key, _)| key == name).map(|(_, value)| *value);
            let code = get("code").and_then(whole);
            let has_message = get("message").is_some_and(|text| text.kind() == Kind::String);
            match (code, has_message, id.filter(|id| !id.is_null()), good_id) {
                (Some(code), true, Some(_), Some(id)) => Reading::Error { id, code },
                (Some(_), true, None, _) => Reading::AnonymousError,
                _ => malformed,
            }
        }
        _ => malformed,
    }
}

/// Whom it concerns and with which id, though some value in it is refused.
fn refused(input: &[u8]) -> Option<(Concerns, Option<String>)> {
    let members = Members::read(std::str::from_utf8(input).ok()?);
    if members.begun.is_some() {
        return None;
    }
    let concerns = match (members.get("method"), members.get("id")) {
        (None, _) if members.get("result").is_some() || members.get("error").is_some() => {
            Concerns::Response
        }
        (Some(method), None) if method.value.starts_with('"') => Concerns::Notification,
        _ => Concerns::Request,
    };
    let id = members.get("id").filter(|_| !members.is_double());
    let id = id.and_then(|id| Raw::parse(id.value.as_bytes(), 64).ok());
    Some((concerns, id.filter(|id| is_id(*id)).map(key)))
}

fn is_object(value: Raw<'_>) -> bool {
    value.kind() == Kind::Object
}

/// A code that is written as an integer. One beyond 64 bits is cut down to that.
fn whole(code: Raw<'_>) -> Option<i64> {
    let code: serde_json::Number = serde_json::from_slice(code.as_bytes()).ok()?;
    let beyond = || code.as_u64().map(|_| i64::MAX);
    code.to_string().parse().ok().or_else(beyond)
}

/// Whether it is a string or an integer that may be an id, in the words of the specification: its value counts.
fn is_id(id: Raw<'_>) -> bool {
    match id.kind() {
        Kind::String => id.as_str().is_some_and(|text| text.len() <= 1 << 10),
        Kind::Number => {
            let text = id.number_text().unwrap_or_default();
            let plain = text.strip_prefix('-').unwrap_or(text);
            text.len() <= 64 && has_no_fraction(plain)
        }
        _ => false,
    }
}

/// Moves the decimal point by the exponent and looks at what is behind it.
fn has_no_fraction(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.bytes().all(|digit| digit == b'0') {
        // Zero is zero; but an exponent that no program could ever use is no id.
        return exponent.parse::<i32>().is_ok();
    }
    let Ok(exponent) = exponent.parse::<i32>() else { return false };
    let point = whole.len() as i64 + i64::from(exponent);
    let behind = digits.bytes().enumerate().filter(|(at, _)| *at as i64 >= point);
    behind.into_iter().all(|(_, digit)| digit == b'0')
}

/// An id as JSON, so that a number keeps its digits and a text differs from a number.
fn key(id: Raw<'_>) -> String {
    match id.as_str() {
        Some(text) => format!("{text:?}"),
        None => String::from_utf8_lossy(id.as_bytes()).into_owned(),
    }
}

/// The members of an object, those included that occur twice. Their values are not looked into: a number that no
/// float can hold is JSON.
fn members(object: Raw<'_>) -> Option<Vec<(String, Raw<'_>)>> {
    let Names(names) = serde_json::from_slice(object.as_bytes()).ok()?;
    let values: Vec<_> = object.members().map(|(_, value)| value).collect();
    assert_eq!(names.len(), values.len(), "{object}");
    Some(names.into_iter().zip(values).collect())
}

struct Names(Vec<String>);

impl<'de> serde::Deserialize<'de> for Names {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Names;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((name, serde::de::IgnoredAny)) = map.next_entry()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}
