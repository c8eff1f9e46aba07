//! Texts as header values: `Mcp-Name` and `Mcp-Param-*`.
//!
//! 2026-07-28 `basic/transports/streamable-http`, value encoding.

use alloc::borrow::Cow;
use alloc::string::String;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

const BEFORE: &str = "=?base64?";
const BEHIND: &str = "?=";

/// Writes a text so that it survives as a header value: as it is, or in Base64 between two marks.
pub(crate) fn encode(text: &str) -> Cow<'_, str> {
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && marked(text).is_none();
    if is_plain {
        return Cow::Borrowed(text);
    }
    let mut value = String::with_capacity(BEFORE.len() + text.len().div_ceil(3) * 4 + BEHIND.len());
    value.push_str(BEFORE);
    BASE64_STANDARD.encode_string(text, &mut value);
    value.push_str(BEHIND);
    Cow::Owned(value)
}

/// Reads a header value. `None`: it has characters that no value may have, or its Base64 is not as it must be.
pub(crate) fn decode(value: &[u8]) -> Option<Cow<'_, str>> {
    let text = core::str::from_utf8(value).ok()?;
    if !text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
        return None;
    }
    match marked(text) {
        None => Some(Cow::Borrowed(text)),
        Some(encoded) => {
            let bytes = BASE64_STANDARD.decode(encoded).ok()?;
            String::from_utf8(bytes).ok().map(Cow::Owned)
        }
    }
}

/// What is between the marks, if both are there. One of them alone is a text like any other.
fn marked(text: &str) -> Option<&str> {
    text.strip_prefix(BEFORE)?.strip_suffix(BEHIND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_safe_stays_as_it_is() {
        for text in ["", "us-west1", "a b", "=?base64?", "?=", "=?BASE64?eA==?=", "~!\"#"] {
            assert_eq!(encode(text), text);
            assert!(matches!(decode(text.as_bytes()), Some(Cow::Borrowed(read)) if read == text));
        }
    }

    #[test]
    fn everything_else_is_encoded_and_reads_back() {
        for (text, value) in [
            ("é", "=?base64?w6k=?="),
            (" a", "=?base64?IGE=?="),
            ("a ", "=?base64?YSA=?="),
            ("\t", "=?base64?CQ==?="),
            ("a\r\nX-Injected: 1", "=?base64?YQ0KWC1JbmplY3RlZDogMQ==?="),
            ("=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="),
            ("=?base64??=", "=?base64?PT9iYXNlNjQ/Pz0=?="),
        ] {
            assert_eq!(encode(text), value);
            assert_eq!(decode(value.as_bytes()).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_no_encoder_writes_is_refused() {
        for value in [
            &b"=?base64?w6k?="[..], // no padding
            b"=?base64?w6k=\n?=",
            b"=?base64?w6!=?=",
            b"=?base64?w6l=?=", // bits behind the end
            b"=?base64?/w==?=", // not UTF-8
            b"=?base64?_w==?=", // another alphabet
            b"a\0b",
            b"a\x7f",
            b"\xC3\xA9",
            b"\xFF",
        ] {
            assert_eq!(decode(value), None, "{}", String::from_utf8_lossy(value));
        }
    }
}
