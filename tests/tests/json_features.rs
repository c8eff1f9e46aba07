//! What a build does that switches serde_json's features on: nothing else than any other build.
//!
//! `.ci/run features` runs the tests of the engine under each feature and under all; these are the ones that
//! would notice. `raw_value` and `arbitrary_precision` speak in-band: an object with one reserved key stands
//! for something else.

use mcp_proto::json::{DecodeError, Raw, ScanErrorKind};
use mcp_proto::{CallError, CallOptions, Event, RawJson, Violation};
use mcp_tests::Hand;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const RAW_VALUE: &str = "$serde_json::private::RawValue";

/// Objects that mean something else to a serde_json with features, however their key is written.
const RESERVED: [&str; 6] = [
    r#"{"$serde_json::private::RawValue":"[1,{\"injected\":true}]"}"#,
    r#"{"$serde_json::private::Number":"1e400"}"#,
    r#"{"$serde_json::private::Number":"7","other":1}"#,
    r#"{"other":1,"$serde_json::private::RawValue":"7"}"#,
    r#"{"\u0024serde_json::private::RawValue":"7"}"#,
    r#"{"$serde_json\u003a:private::Number":"7"}"#,
];

/// Numbers of every kind that a JSON text can hold.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "1.5",
    "-0.0",
    "1e2",
    "0.1",
    "1e300",
    "9007199254740993",
    "18446744073709551615",
    "-9223372036854775808",
    "340282366920938463463374607431768211455",
    "0.30000000000000004",
];

/// As `serde_json::value::RawValue` serializes itself, in any build.
#[derive(Serialize)]
#[serde(rename = "$serde_json::private::RawValue")]
struct Preformatted<'a> {
    #[serde(rename = "$serde_json::private::RawValue")]
    text: &'a str,
}

/// As `serde_json::value::RawValue` deserializes itself, in any build.
struct Verbatim(String);

impl<'de> Deserialize<'de> for Verbatim {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Member;
        impl<'de> Visitor<'de> for Member {
            type Value = Verbatim;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("any valid JSON value")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Verbatim, A::Error> {
                assert_eq!(map.next_key::<&str>()?, Some(RAW_VALUE));
                map.next_value::<&str>().map(|text| Verbatim(text.into()))
            }
        }
        deserializer.deserialize_newtype_struct(RAW_VALUE, Member)
    }
}

#[test]
fn a_peer_cannot_say_what_only_serde_json_may() {
    for reserved in RESERVED {
        for value in
            [reserved.to_owned(), format!("[[{reserved}]]"), format!("{{\"a\":{reserved}}}")]
        {
            let refused = RawJson::parse(value.clone()).unwrap_err();
            assert_eq!(refused.kind, ScanErrorKind::PrivateKey, "{value}");

            let mut server = Hand::server();
            server.feed(format!(
                "{{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"x/y\",\"params\":{{\"v\":{value}}}}}\n"
            ));
            let refused = Event::Violation(Violation::Refused(ScanErrorKind::PrivateKey));
            assert_eq!(server.told(), std::slice::from_ref(&refused), "{value}");
            let said = server.said();
            assert!(said[0].contains("\"id\":5,\"error\":{\"code\":-32600"), "{said:?}");

            for member in [
                "\"result\":{\"v\":VALUE}",
                "\"error\":{\"code\":1,\"message\":\"\",\"data\":VALUE}",
            ] {
                let mut client = Hand::client();
                let id = client.call(CallOptions::default());
                let member = member.replace("VALUE", &value);
                client.feed(format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},{member}}}\n"));
                let kind = Violation::Refused(ScanErrorKind::PrivateKey);
                let ended = Event::Response { id, outcome: Err(CallError::Protocol(kind)) };
                assert_eq!(client.told(), [ended, refused.clone()], "{value}");
            }
        }
    }
}

#[test]
fn what_comes_through_serde_json_is_no_way_around_that() {
    for reserved in RESERVED {
        for text in [reserved.to_owned(), format!("[{reserved}]")] {
            let read = serde_json::from_str::<RawJson>(&text);
            assert!(read.is_err(), "{text} became {read:?}");
        }
    }
    // A value that holds such an object as data: what it is depends on the build, but it is no number.
    let member = |key: &str, text: &str| {
        Value::Object([(key.to_owned(), json!(text))].into_iter().collect())
    };
    for key in [RAW_VALUE, "$serde_json::private::Number"] {
        let read = serde_json::from_value::<RawJson>(member(key, "7"));
        assert!(read.is_err(), "{key} became {read:?}");
    }
}

#[test]
fn numbers_stay_numbers_whichever_way_they_take() {
    for text in NUMBERS {
        let value: Value = serde_json::from_str(text).unwrap();
        let expected: f64 = text.parse().unwrap();
        let number = |json: &RawJson| json.as_raw().as_f64().unwrap_or_else(|| panic!("{json:?}"));

        let written = RawJson::of(&value).unwrap();
        assert_eq!(number(&written), expected, "{text} was written as {written:?}");
        let nested = RawJson::of(&json!({ "a": [value, "b"] })).unwrap();
        let inner = nested.get("a").and_then(|a| a.items().next()).unwrap();
        assert_eq!(inner.as_f64(), Some(expected), "{nested:?}");

        let read: RawJson = serde_json::from_str(text).unwrap();
        assert_eq!(number(&read), expected, "{text} was read as {read:?}");
        let read: RawJson = serde_json::from_value(value).unwrap();
        assert_eq!(number(&read), expected, "{text} was read as {read:?}");
        let read: Value = RawJson::parse(text).unwrap().decode().unwrap();
        assert_eq!(read.as_f64(), Some(expected), "{text} was decoded as {read:?}");
    }
}

#[test]
fn digits_that_serde_json_keeps_are_kept() {
    let text = "123456789012345678901234567890.50";
    let value: Value = serde_json::from_str(text).unwrap();
    let written = RawJson::of(&value).unwrap();
    let read: RawJson = serde_json::from_str(text).unwrap();
    let judged = value.to_string();
    if judged == text {
        assert_eq!((written.as_str(), read.as_str()), (text, text));
    } else {
        assert_eq!(written.as_raw().as_f64(), value.as_f64());
        assert_eq!(read.as_raw().as_f64(), value.as_f64());
    }
}

#[test]
fn text_that_is_json_already_stays_what_it_is() {
    let text = r#"{"n": 1.00, "list": [ ]}"#;
    let written = RawJson::of(&json_of(text)).unwrap();
    assert_eq!(written.as_str(), format!("{{\"v\":{text}}}"));
    let read: Result<Verbatim, DecodeError> = Raw::parse(text.as_bytes(), 8).unwrap().decode();
    assert_eq!(read.unwrap().0, text);
    // It may hold line breaks between tokens, which would end the frame; and it may not be JSON at all.
    assert_eq!(RawJson::of(&json_of("[\n1,\r\n2]")).unwrap().as_str(), "{\"v\":[1,2]}");
    for wrong in ["", "{", "1 2", "\u{1}", RESERVED[0]] {
        assert!(RawJson::of(&json_of(wrong)).is_err(), "{wrong:?}");
    }
}

fn json_of(text: &str) -> impl Serialize {
    std::collections::BTreeMap::from([("v", Preformatted { text })])
}
