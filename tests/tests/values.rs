//! Values that pass through: nothing that a peer or a caller put into a message is lost or turned into something else.

use std::borrow::Cow;

use mcp_proto::json::Text;
use mcp_proto::router::{Router, ToolInfo};
use mcp_proto::types::ToolAnnotations;
use mcp_proto::{
    CallOptions, CallTool, ContentBlock, Era, ProgressToken, RawJson, RequestId, Revision,
    RevisionSet, testing,
};
use mcp_tests::Hand;
use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

fn parse(raw: &RawJson) -> Value {
    serde_json::from_str(raw.as_str()).unwrap()
}

#[test]
fn every_kind_of_content_passes_unharmed() {
    for (content, kind) in [
        (json!({"type": "text", "text": "x", "annotations": {"priority": 1}}), "Text"),
        (json!({"type": "image", "data": "AA==", "mimeType": "image/png"}), "Image"),
        (
            json!({"type": "audio", "data": "AA==", "mimeType": "audio/wav", "_meta": {"a": 1}}),
            "Audio",
        ),
        (
            json!({"type": "resource_link", "uri": "file:///a", "name": "a", "size": 5}),
            "ResourceLink",
        ),
        (json!({"type": "resource", "resource": {"uri": "file:///a", "text": "x"}}), "Other"),
        (json!({"type": "hologram", "depth": 1.0}), "Other"),
        (json!({"type": 7}), "Other"),
    ] {
        let raw = RawJson::parse(content.to_string()).unwrap();
        let block: ContentBlock = raw.decode().unwrap();
        assert!(format!("{block:?}").starts_with(kind), "{block:?} is not {kind}");
        assert_eq!(parse(&RawJson::of(&block).unwrap()), content);
        assert_eq!(block.as_text(), (kind == "Text").then_some("x"));
    }
    assert!(RawJson::parse(r#"{"type":"image"}"#).unwrap().decode::<ContentBlock>().is_err());
}

#[test]
fn metadata_of_the_application_is_kept_and_the_keys_of_the_engine_win() {
    let params = r#"{"name":"x","_meta":{"own":1,"both":"own","progressToken":"forged"},"arguments":{"a":[1.0]}}"#;
    let more = RawJson::parse(r#"{"both":"option","more":true}"#).unwrap();
    let mut client = Hand::client();
    let now = client.now();
    let options = CallOptions::default().tracked().meta(more);
    let params = RawJson::parse(params).unwrap();
    let id = client.conn().request_raw("tools/call", Some(&params), options, now).unwrap();
    let said: Value = serde_json::from_str(&client.said().pop().unwrap()).unwrap();
    let expected = json!({
        "name": "x",
        "arguments": {"a": [1.0]},
        "_meta": {"own": 1, "both": "option", "more": true, "progressToken": id.as_i64()},
    });
    assert_eq!(said["params"], expected);
    assert!(said.to_string().matches("progressToken").count() == 1);
}

#[test]
fn parameters_that_are_no_object_are_the_callers_error() {
    let mut client = Hand::client();
    let now = client.now();
    for params in ["[]", "7", "\"x\"", "null"] {
        let params = RawJson::parse(params).unwrap();
        let sent =
            client.conn().request_raw("x", Some(&params), CallOptions::default().tracked(), now);
        assert!(sent.is_err() || params.as_str() == "null", "{params:?}");
    }
    assert!(client.said().iter().all(|line| !line.contains("[]") && !line.contains(":7")));
}

#[test]
fn a_text_is_the_same_text_however_it_was_made() {
    let texts = [
        Text::from("né"),
        Text::from("né".to_owned()),
        Text::from(Cow::Borrowed("né")),
        Text::from(Cow::Owned("né".to_owned())),
        RawJson::parse("\"n\\u00e9\"").unwrap().decode().unwrap(),
    ];
    for text in texts {
        assert!(text == *"né" && text == "né" && text != "ne");
        assert_eq!((text.len(), text.is_empty(), text.as_ref()), (3, false, "né"));
        assert_eq!(RawJson::of(&text).unwrap().as_str(), "\"né\"");
        assert_eq!((format!("{text:>4}"), format!("{text:?}")), ("  né".into(), "\"né\"".into()));
    }
    assert!(Text::default().is_empty());
}

#[test]
fn an_id_is_a_number_or_a_text_and_never_both() {
    let (number, text) = (RequestId::from(5), RequestId::from("5"));
    assert_eq!((number.as_i64(), number.as_str()), (Some(5), None));
    assert_eq!((text.as_i64(), text.as_str()), (None, Some("5")));
    assert_eq!(ProgressToken::from("t").as_str(), Some("t"));
}

#[test]
fn the_set_of_an_era_holds_its_revisions_and_no_other() {
    let (old, new) = (RevisionSet::era(Era::Legacy), RevisionSet::era(Era::Modern));
    for revision in RevisionSet::default().iter() {
        let is_old = revision.era() == Era::Legacy;
        assert_eq!((old.contains(revision), new.contains(revision)), (is_old, !is_old));
    }
    assert_eq!(new.iter().collect::<Vec<_>>(), [Revision::V2026_07_28]);
}

#[test]
fn what_a_tool_hints_is_what_a_client_is_told() {
    let hinted = ToolInfo::new("remove").destructive(false).idempotent();
    let whole = ToolInfo::new("look")
        .annotations(ToolAnnotations::default())
        .meta(RawJson::parse("{\"a\":1}").unwrap());
    let schema = || RawJson::parse(r#"{"type":"object"}"#).unwrap();
    let nothing = async |_: mcp_proto::router::Context, _: Option<RawJson>| "done";
    let router = Router::new("hints", "1")
        .instructions("look before you remove")
        .raw_tool(hinted.into_tool(schema(), None), nothing)
        .raw_tool(whole.into_tool(schema(), None), nothing);
    assert!(format!("{router:?}").contains("remove"), "{router:?}");
    let mut memory = testing::connect(router);
    let client = memory.client().clone();
    let tools = memory.run(async { client.list_tools().await.unwrap() });
    let hints = tools[0].annotations.as_ref().unwrap();
    assert_eq!(
        (hints.destructive_hint, hints.idempotent_hint, hints.read_only_hint),
        (Some(false), Some(true), None)
    );
    assert_eq!(parse(tools[1].meta.as_ref().unwrap()), json!({"a": 1}));
    assert_eq!(client.peer().unwrap().instructions.as_deref(), Some("look before you remove"));
    let result = memory.run(async { client.call(CallTool::new("look")).await.unwrap() });
    assert_eq!(result.content[0].as_text(), Some("done"));
}

/// What formats have that JSON has not, or has in another way.
#[derive(Clone, Copy)]
enum Foreign {
    Wide(i128),
    WideUnsigned(u128),
    Nothing,
    Something(i64),
    /// A number as serde_json has it that keeps every digit, or what imitates one.
    Digits {
        key: &'static str,
        digits: &'static str,
        is_owned: bool,
        size: Option<usize>,
    },
}

type ForeignError = serde::de::value::Error;

impl<'de> Deserializer<'de> for Foreign {
    type Error = ForeignError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ForeignError> {
        match self {
            Self::Wide(value) => visitor.visit_i128(value),
            Self::WideUnsigned(value) => visitor.visit_u128(value),
            Self::Nothing => visitor.visit_none(),
            Self::Something(value) => visitor.visit_some(value.into_deserializer()),
            Self::Digits { .. } => visitor.visit_map(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, ForeignError> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for Foreign {
    type Error = ForeignError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ForeignError> {
        let Self::Digits { key, .. } = *self else { return Ok(None) };
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ForeignError> {
        match *self {
            Self::Digits { digits, is_owned: true, .. } => {
                seed.deserialize(digits.to_owned().into_deserializer())
            }
            Self::Digits { digits, .. } => seed.deserialize(digits.into_deserializer()),
            _ => seed.deserialize(().into_deserializer()),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        if let Self::Digits { size, .. } = *self { size } else { None }
    }
}

const NUMBER: &str = "$serde_json::private::Number";

#[test]
fn what_only_other_formats_have_becomes_json() {
    let number = |digits| Foreign::Digits { key: NUMBER, digits, is_owned: true, size: None };
    for (value, json) in [
        (Foreign::Wide(i128::MIN), "-170141183460469231731687303715884105728"),
        (Foreign::WideUnsigned(u128::MAX), "340282366920938463463374607431768211455"),
        (Foreign::Nothing, "null"),
        (Foreign::Something(7), "7"),
        (number("0.1000000000000000055511151231257827"), "0.1000000000000000055511151231257827"),
    ] {
        assert_eq!(RawJson::deserialize(value).unwrap().as_str(), json);
    }
    // A format that does not pass on what it is asked for has nothing to copy from.
    let number = serde::de::value::I64Deserializer::<ForeignError>::new(1);
    let error = RawJson::deserialize(number).unwrap_err().to_string();
    assert!(error.contains("any JSON value"), "{error}");
}

#[test]
fn what_imitates_a_number_of_serde_json_is_refused() {
    let digits = "1";
    for imitation in [
        Foreign::Digits { key: NUMBER, digits, is_owned: true, size: Some(1) },
        Foreign::Digits { key: NUMBER, digits, is_owned: false, size: None },
        Foreign::Digits { key: NUMBER, digits: "[1]", is_owned: true, size: None },
        Foreign::Digits { key: NUMBER, digits: "1,2", is_owned: true, size: None },
        Foreign::Digits {
            key: "$serde_json::private::RawValue",
            digits,
            is_owned: true,
            size: None,
        },
    ] {
        let error = RawJson::deserialize(imitation).unwrap_err().to_string();
        assert!(error.contains("reserved"), "{error}");
    }
}
