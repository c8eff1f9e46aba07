//! Our scanner against serde_json: the same texts are accepted, and they say the same.

use std::borrow::Cow;
use std::collections::BTreeMap;

use mcp_proto::json::{Kind, Raw, ScanErrorKind};
use mcp_proto::testing::codec::ways_agree;
use mcp_proto::{Limits, RawJson};
use serde::de::IgnoredAny;
use serde_json::Value;

/// The depth that messages may have by default.
const DEPTH: usize = 64;

const PRIVATE: &str = "$serde_json::private::";

/// One JSON text, or something else.
pub fn scanner(input: &[u8]) {
    judge(input, DEPTH);
    judge(input, usize::MAX);
    let mut limits = Limits::default();
    for depth in [3, DEPTH, usize::MAX] {
        limits.max_depth = depth;
        assert!(ways_agree(input, &limits), "the short way finds something else");
    }
    // However deep, a limit of nothing admits scalars only.
    if let Ok(raw) = Raw::parse(input, 0) {
        assert!(!matches!(raw.kind(), Kind::Array | Kind::Object), "depth 0 admitted {raw}");
    }
    if let Ok(json) = RawJson::parse(input.to_vec()) {
        compare(json.as_raw(), input);
    }
}

fn judge(input: &[u8], max_depth: usize) {
    let is_utf8 = std::str::from_utf8(input).is_ok();
    // It reads without recursion and without building anything; strings it does not check.
    let is_json = is_utf8 && serde_json::from_slice::<IgnoredAny>(input).is_ok();
    match Raw::parse(input, max_depth) {
        Ok(raw) => {
            assert!(is_json, "accepted what serde_json refuses: {raw}");
            assert!(depth(input) <= max_depth.min(128), "accepted beyond the depth limit");
            assert_eq!(
                raw.as_bytes(),
                input.trim_ascii(),
                "the span is not the text without its surroundings"
            );
        }
        Err(error) => {
            assert!(error.offset <= input.len(), "an offset outside of the text: {error}");
            match error.kind {
                ScanErrorKind::Utf8 => assert!(!is_utf8, "UTF-8 refused as such"),
                ScanErrorKind::Syntax => {
                    assert!(!is_json, "refused what serde_json accepts: {error}")
                }
                // What lies deeper than the limit is not looked at, so it need not be JSON.
                ScanErrorKind::Depth => assert!(depth(input) > max_depth.min(128), "{error}"),
                ScanErrorKind::PrivateKey => assert!(is_private(input), "{error}"),
                ScanErrorKind::Surrogate => {
                    assert!(serde_json::from_slice::<Value>(input).is_err(), "{error}");
                }
                _ => panic!("a new refusal needs a judge here: {error}"),
            }
        }
    }
}

/// Every span says what serde_json reads, and is JSON by itself.
fn compare(raw: Raw<'_>, input: &[u8]) {
    walk(raw);
    let theirs = serde_json::from_slice::<Value>(input);
    let ours = raw.decode_owned::<Value>();
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => {
            same(raw, theirs);
            assert!(alike(ours, theirs), "decoded differently: {ours} and {theirs}");
        }
        (Err(_), Err(_)) => {}
        (Ok(ours), Err(error)) => panic!("decoded {ours}, but serde_json says {error}"),
        // It has no numbers beyond the range of floats; both refuse them.
        (Err(error), Ok(theirs)) => panic!("serde_json decoded {theirs}, but we say {error}"),
    }
}

fn walk(raw: Raw<'_>) {
    let again = Raw::parse(raw.as_bytes(), 128).expect("a span is JSON by itself");
    assert_eq!(again, raw);
    match raw.kind() {
        Kind::String => {
            let theirs = serde_json::from_slice::<String>(raw.as_bytes()).ok();
            assert_eq!(
                raw.as_str().map(Cow::into_owned),
                theirs,
                "a string reads differently: {raw}"
            );
        }
        Kind::Number => {
            let text = raw.number_text().expect("a number has digits");
            let value = text.parse::<f64>().ok().filter(|value| value.is_finite());
            assert_eq!(raw.as_f64().map(f64::to_bits), value.map(f64::to_bits), "{text}");
        }
        Kind::Array => raw.items().for_each(walk),
        Kind::Object => raw.members().for_each(|(_, value)| walk(value)),
        Kind::Null | Kind::Bool => {}
    }
}

fn same(raw: Raw<'_>, value: &Value) {
    match value {
        Value::Null => assert!(raw.is_null() && raw.as_bytes() == b"null"),
        Value::Bool(value) => assert_eq!(raw.as_bool(), Some(*value)),
        Value::Number(_) => assert_eq!(raw.kind(), Kind::Number),
        Value::String(text) => assert_eq!(raw.as_str().as_deref(), Some(text.as_str())),
        Value::Array(values) => {
            let items: Vec<_> = raw.items().collect();
            assert_eq!(items.len(), values.len());
            items.into_iter().zip(values).for_each(|(item, value)| same(item, value));
        }
        Value::Object(values) => {
            // The last of equal keys counts, as for serde_json; `get` gives the first.
            let mut first = BTreeMap::new();
            let mut last = BTreeMap::new();
            for (key, member) in raw.members() {
                first.entry(key.clone().into_owned()).or_insert(member);
                last.insert(key.into_owned(), member);
            }
            assert_eq!(last.len(), values.len());
            for (key, value) in values {
                same(last[key.as_str()], value);
                assert_eq!(raw.get(key), first.get(key).copied());
            }
        }
    }
}

/// Equal, but for the last bits of floats: serde_json rounds up to three times where it reads one, unless told otherwise.
pub(crate) fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let close = |a: f64, b: f64| a.to_bits().abs_diff(b.to_bits()) <= 4;
            one == other || one.as_f64().zip(other.as_f64()).is_some_and(|(a, b)| close(a, b))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| alike(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|((a, one), (b, other))| a == b && alike(one, other))
        }
        _ => one == other,
    }
}

/// How deep a text nests, by its brackets outside of strings.
fn depth(input: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in input {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Whether some string of the text, unescaped, begins like a key of serde_json's own.
fn is_private(input: &[u8]) -> bool {
    let text = std::str::from_utf8(input).unwrap_or_default();
    text.match_indices('"').any(|(at, _)| {
        let rest = &text[at..];
        let mut strings = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        strings.next().is_some_and(|first| first.is_ok_and(|string| string.starts_with(PRIVATE)))
    })
}
