//! What must hold of texts and JSON as they are handed out and built up.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use mcp_proto::json::Text;
use mcp_proto::{CallTool, RawJson};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::scanner::alike;

#[derive(Arbitrary, Debug)]
pub(super) struct Given {
    text: String,
    arguments: Vec<(String, Argument)>,
    json: Vec<u8>,
}

#[derive(Arbitrary, Clone, Debug, Serialize)]
#[serde(untagged)]
enum Argument {
    Number(i64),
    Text(String),
    Nested(BTreeMap<String, bool>),
    /// No JSON.
    Unfit(Unfit),
}

/// A map with keys that are no strings.
#[derive(Arbitrary, Clone, Debug)]
struct Unfit;

impl Serialize for Unfit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        BTreeMap::from([((1, 2), 3)]).serialize(serializer)
    }
}

impl Given {
    pub(super) fn check(&self) {
        texts(&self.text);
        arguments(&self.arguments);
        tokens(&self.text, &self.json);
        if let Ok(raw) = RawJson::parse(self.json.clone()) {
            raw_json(&raw);
        }
    }
}

/// A text is a string, wherever it lies.
fn texts(string: &str) {
    let text = Text::from(string.to_owned());
    assert_eq!((&*text, text.len(), text.is_empty()), (string, string.len(), string.is_empty()));
    assert!(text == *string && text == string && text == text.detach());
    assert_eq!(
        (format!("{text:>9}"), format!("{text:?}")),
        (format!("{string:>9}"), format!("{string:?}"))
    );
    let json = RawJson::of(&text).expect("a text");
    assert_eq!(json, RawJson::string(string));
    assert_eq!(json.decode::<Text>().expect("a text"), text);
    assert_eq!(json.as_raw().as_str().as_deref(), Some(string));
}

/// Arguments that are set one by one are those of a map.
fn arguments(given: &[(String, Argument)]) {
    let mut call = CallTool::new("t");
    let mut expected = Map::new();
    for (name, value) in given {
        call = call.argument(name, value);
        expected.insert(name.clone(), serde_json::to_value(value).unwrap_or(Value::Null));
    }
    let arguments = call.arguments.map(|arguments| arguments.decode::<Value>().expect("JSON"));
    let arguments = arguments.unwrap_or_else(|| Map::new().into());
    let expected = Value::from(expected);
    assert!(alike(&arguments, &expected), "{arguments} is not {expected}");
}

fn raw_json(raw: &RawJson) {
    assert_eq!((raw.to_string(), format!("{raw:?}")), (raw.as_str().into(), raw.as_str().into()));
    assert_eq!((raw.detach(), raw.as_raw().to_raw_json()), (raw.clone(), raw.clone()));
    for (name, member) in raw.as_raw().members() {
        let first = raw.get(&name).expect("it is there");
        assert_eq!(raw.get_in(&[&name]).map(|found| found.as_bytes()), Some(first.as_bytes()));
        for (inner, _) in member.members().take(4) {
            let chained = raw.get(&name).and_then(|member| member.get(&inner));
            let found = raw.get_in(&[&name, &inner]);
            assert_eq!(found.map(|f| f.as_bytes()), chained.map(|f| f.as_bytes()));
        }
    }
}

/// What serde_json's own types say of themselves under `raw_value` and `arbitrary_precision`: the name of a type, and
/// a member of that name with a text.
#[derive(Serialize)]
#[serde(rename = "$serde_json::private::RawValue")]
struct RawValue<'a> {
    #[serde(rename = "$serde_json::private::RawValue")]
    text: &'a str,
}

#[derive(Serialize)]
#[serde(rename = "$serde_json::private::Number")]
struct Number<'a> {
    #[serde(rename = "$serde_json::private::Number")]
    digits: &'a str,
}

/// They are written as what they stand for, if that is JSON; and nothing else is ever taken for them.
fn tokens(text: &str, json: &[u8]) {
    let json = String::from_utf8_lossy(json);
    for text in [text, &json] {
        let meant = RawJson::parse(text.to_owned());
        let written = [RawJson::of(&RawValue { text }), RawJson::of(&Number { digits: text })];
        for written in written {
            match (&meant, written) {
                (Ok(meant), Ok(written)) => {
                    let value = |raw: &RawJson| raw.decode::<Value>().ok();
                    assert_eq!(value(meant), value(&written));
                }
                (Err(_), Err(_)) => {}
                (meant, written) => panic!("{text:?} is {meant:?}, but was written as {written:?}"),
            }
        }
    }
    let plain = BTreeMap::from([("$serde_json::private::RawValue", text)]);
    let written = RawJson::of(&plain).map(|raw| raw.to_string());
    assert_eq!(written.ok(), serde_json::to_string(&plain).ok(), "a map is a map");
}
