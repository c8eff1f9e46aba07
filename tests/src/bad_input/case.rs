//! One case of the catalogue, as it stands in the file.

use std::collections::BTreeMap;

use mcp_proto::Revision;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::names::Names;
use super::reaction::Reaction;

/// One input and every reaction to it that is acceptable.
#[derive(Clone, Debug, Deserialize)]
pub struct Case {
    /// A stable name, such as `RPC-s07`.
    pub id: String,
    /// Which part of the protocol it tries.
    pub layer: String,
    /// The rule that it tries.
    pub behaviour: String,
    /// Which side is tried.
    pub role: Side,
    /// The revisions for which the expectation holds.
    #[serde(rename = "revision")]
    pub revisions: Vec<String>,
    /// The state in which the input arrives.
    pub setup: Setup,
    /// The input of a layer that does not read HTTP/1.1 itself.
    #[serde(default)]
    pub http: Option<Value>,
    #[serde(default)]
    input: Option<String>,
    #[serde(default)]
    input_b64: Option<String>,
    #[serde(default)]
    input_gen: Option<Vec<Part>>,
    /// Kept unread until the case is run: a layer that is not built yet may expect what nobody here knows.
    expect: Value,
    /// Whether the texts demand it, or this project.
    pub basis: Basis,
    /// Why it is in the catalogue.
    pub why: String,
}

/// The side under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)] // the names say it
pub enum Side {
    Client,
    Server,
}

/// Where an expectation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// It is what the specification requires or permits.
    Spec,
    /// The specification is silent or permits more.
    Policy,
}

/// The state in which the input arrives.
#[derive(Clone, Debug, Deserialize)]
pub struct Setup {
    /// The name of a starting state.
    pub base: String,
    /// Calls that are running: names at a client, requests at a server.
    #[serde(default)]
    pub pending: Vec<Pending>,
    /// Whether the running calls of a client asked for progress.
    #[serde(default)]
    pub with_token: bool,
    /// What a client can do.
    #[serde(default)]
    pub caps: Option<BTreeMap<String, Value>>,
    /// Limits other than the default ones, by name.
    #[serde(default)]
    pub limits: BTreeMap<String, usize>,
    /// The stream ends behind the input.
    #[serde(default)]
    pub eof: bool,
    /// How the input arrives.
    #[serde(default)]
    pub feed: Feed,
    /// What the peer does not do.
    #[serde(default)]
    pub peer: Option<String>,
    /// A message that came before.
    #[serde(default)]
    pub pre: Option<String>,
    /// A deadline that passes behind the input.
    #[serde(default)]
    pub advance_clock: Option<String>,
    /// Which eras are spoken.
    #[serde(default)]
    pub era: Option<String>,
    /// Whatever else refines the state; a state that does not know it refuses to start.
    #[serde(flatten)]
    pub other: BTreeMap<String, Value>,
}

/// A call that is running when the input arrives.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
#[allow(missing_docs)] // the names say it
pub enum Pending {
    Call(String),
    Request {
        id: Value,
        tool: String,
        #[serde(default)]
        token: Option<Value>,
    },
}

/// How the input arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feed {
    /// As much at once as is taken.
    #[default]
    Greedy,
    /// In single bytes.
    Bytewise,
    /// Whole, and in each way to cut it in two.
    AllSplits,
    /// Line by line, each behind the answer to the one before.
    WaitForReplyBetweenLines,
}

/// What may happen, and what may not.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// One of these must be observed in full; the first is the preferred one.
    pub any_of: Vec<Reaction>,
    /// What becomes of the connection.
    pub after: After,
    /// What fails the case whatever else happened.
    #[serde(default)]
    pub never: Vec<String>,
    /// For readers.
    #[serde(default)]
    #[allow(dead_code)]
    note: Option<String>,
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum After {
    /// It can be used.
    Usable,
    /// It has ended.
    Closed,
    /// One or the other.
    Either,
}

/// A part of a generated input.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Value")]
pub enum Part {
    /// A text.
    Literal(String),
    /// A text, so many times.
    Repeat(String, usize),
    /// A text, so many times; `{{n}}` in it counts from 0.
    Count(String, usize),
}

impl From<Value> for Part {
    fn from(part: Value) -> Self {
        let text = |at: usize| part[at].as_str().expect("a text").to_owned();
        let count = || part[2].as_u64().expect("a count") as usize;
        match part[0].as_str() {
            Some("lit") => Self::Literal(text(1)),
            Some("repeat") => Self::Repeat(text(1), count()),
            Some("count") => Self::Count(text(1), count()),
            _ => panic!("an unknown part of an input: {part}"),
        }
    }
}

const CATALOGUE: &str = include_str!("../../data/bad-input/cases.jsonl");

impl Case {
    /// The catalogue.
    pub fn all() -> Vec<Self> {
        CATALOGUE.lines().map(Self::read).collect()
    }

    /// One of them; the others are not looked at any closer.
    pub fn named(id: &str) -> Option<Self> {
        let mut named = CATALOGUE.lines().filter(|line| line.contains(id)).map(Self::read);
        named.find(|case| case.id == id)
    }

    fn read(line: &str) -> Self {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The revisions for which the case is run.
    pub fn revisions(&self) -> impl Iterator<Item = Revision> {
        self.revisions
            .iter()
            .map(|wire| Revision::parse(wire).unwrap_or_else(|| panic!("{}: {wire}", self.id)))
    }

    /// Whether its input is short enough to be tried in more ways than one.
    pub fn is_small(&self) -> bool {
        const SMALL: usize = 2 << 10;
        self.input_gen.is_none() && self.input.as_ref().is_none_or(|text| text.len() <= SMALL)
    }

    /// Whether something may not happen in it.
    pub fn forbids(&self, what: &str) -> bool {
        let never = self.expect["never"].as_array();
        never.is_some_and(|never| never.iter().any(|forbidden| forbidden == what))
    }

    /// Whether something, by its name, is expected of it or may not happen in it.
    pub fn mentions(&self, what: &str) -> bool {
        mentions(&self.expect, what)
    }

    /// The same with half of what is repeated in its input.
    #[must_use]
    pub fn halved(&self) -> Self {
        let mut halved = self.clone();
        for part in halved.input_gen.iter_mut().flatten() {
            if let Part::Repeat(_, count) | Part::Count(_, count) = part {
                *count /= 2;
            }
        }
        halved
    }

    /// The same with so many times as much of what is repeated in its input.
    #[must_use]
    pub fn repeated(&self, times: usize) -> Self {
        let mut repeated = self.clone();
        for part in repeated.input_gen.iter_mut().flatten() {
            if let Part::Repeat(_, count) | Part::Count(_, count) = part {
                *count *= times;
            }
        }
        repeated
    }

    /// What is expected, with what stands for the placeholders.
    ///
    /// # Panics
    ///
    /// If a reaction is not known here: it must be judged or not be run.
    pub fn expect(&self, names: &Names) -> Expect {
        self.expect_as(names)
    }

    /// The same in the words of a layer that has reactions of its own.
    ///
    /// # Panics
    ///
    /// If it has no words for it.
    pub fn expect_as<T: DeserializeOwned>(&self, names: &Names) -> T {
        let mut expect = self.expect.clone();
        fill(&mut expect, names);
        T::deserialize(expect).unwrap_or_else(|error| panic!("{}: {error}", self.id))
    }

    /// The acceptable reactions as they stand in the file.
    pub fn expected_text(&self) -> String {
        let reactions = self.expect["any_of"].as_array().into_iter().flatten();
        let reactions: Vec<_> = reactions.map(Value::to_string).collect();
        let mut text = format!("{} after {}", reactions.join(" or "), self.expect["after"]);
        if let Some(never) = self.expect.get("never") {
            text.push_str(&format!(" never {never}"));
        }
        text
    }

    /// The bytes of the input, with what stands for the placeholders.
    ///
    /// # Panics
    ///
    /// If it has no input, no readable one, or a placeholder that nothing stands for.
    pub fn input(&self, names: &Names) -> Vec<u8> {
        use base64::Engine;
        use base64::engine::general_purpose::STANDARD;
        match (&self.input, &self.input_b64, &self.input_gen) {
            (Some(text), None, None) => names.fill(text.as_bytes()),
            (None, Some(encoded), None) => names.fill(&STANDARD.decode(encoded).expect("base64")),
            (None, None, Some(parts)) => parts.iter().flat_map(|part| part.bytes(names)).collect(),
            _ => panic!("{}: not exactly one input", self.id),
        }
    }
}

fn mentions(expect: &Value, what: &str) -> bool {
    match expect {
        Value::Array(items) => items.iter().any(|item| mentions(item, what)),
        Value::Object(members) => members.values().any(|value| mentions(value, what)),
        Value::String(text) => text == what,
        _ => false,
    }
}

/// Fills what is said of ids: in a list of acceptable ones they are JSON text, alone they are JSON.
fn fill(expect: &mut Value, names: &Names) {
    match expect {
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, names)),
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str() {
                    Some(text) if name == "id" && text.contains("{{") => {
                        let filled = names.fill(text.as_bytes());
                        *value = serde_json::from_slice(&filled).expect("an id");
                    }
                    _ => fill(value, names),
                }
            }
        }
        Value::String(text) if text.contains("{{") => {
            *text = String::from_utf8_lossy(&names.fill(text.as_bytes())).into_owned();
        }
        _ => {}
    }
}

impl Part {
    fn bytes(&self, names: &Names) -> Vec<u8> {
        match self {
            Self::Literal(text) => names.fill(text.as_bytes()),
            Self::Repeat(text, count) => names.fill(text.as_bytes()).repeat(*count),
            Self::Count(text, count) => {
                const COUNTER: &str = "{{n}}";
                let pieces: Vec<_> =
                    text.split(COUNTER).map(|piece| names.fill(piece.as_bytes())).collect();
                let mut bytes = Vec::with_capacity((text.len() + COUNTER.len()) * count);
                for n in 0..*count {
                    let n = n.to_string();
                    for (at, piece) in pieces.iter().enumerate() {
                        bytes.extend_from_slice(if at > 0 { n.as_bytes() } else { b"" });
                        bytes.extend_from_slice(piece);
                    }
                }
                bytes
            }
        }
    }
}
