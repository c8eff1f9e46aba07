//! A borrowed, validated JSON value: a lazy reader for hot paths.

use alloc::borrow::Cow;
use core::fmt;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize, Serializer};

use super::de::{DecodeError, decode};
use super::owned::RawJson;
use super::scan::{MAX_DEPTH, ScanError, scan_value};
use super::ser::serialize_raw;
use super::string::{behind_string, find_end, find_structural, special_in_two_words, unescape};

/// One JSON value, validated and not yet read, borrowed from its buffer. `Copy`, two words.
///
/// Nothing is copied until it is asked for, and looking at one member does not decode the others.
///
/// ```
/// use mcp_proto::json::Raw;
///
/// let raw = Raw::parse(br#"{"tool": "resize", "sizes": [64, 128]}"#, 8)?;
/// assert_eq!(raw.get("tool").and_then(|tool| tool.as_str()).as_deref(), Some("resize"));
/// let sizes: Vec<_> = raw.get("sizes").into_iter().flat_map(|sizes| sizes.items()).collect();
/// assert_eq!(sizes[1].as_f64(), Some(128.0));
/// # Ok::<(), mcp_proto::json::ScanError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Raw<'a>(&'a [u8]);

/// What a JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums)] // RFC 8259 has six
#[allow(missing_docs)] // the names say it
pub enum Kind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl<'a> Raw<'a> {
    /// Validates `json`, at most `max_depth` levels deep; more than 128 count as 128.
    ///
    /// # Errors
    ///
    /// [`ScanError`]: it is not JSON, or is refused.
    pub fn parse(json: &'a [u8], max_depth: usize) -> Result<Self, ScanError> {
        scan_value(json, max_depth).map(Self)
    }

    /// Wraps a value that the scanner has just passed over.
    pub(super) fn scanned(json: &'a [u8]) -> Self {
        Self(json)
    }

    /// Wraps JSON that this crate has written or checked before.
    pub(crate) fn trusted(json: &'a [u8]) -> Self {
        Self(json.trim_ascii())
    }

    /// The JSON text.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// What it is.
    pub fn kind(self) -> Kind {
        match self.0.first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'-' | b'0'..=b'9') => Kind::Number,
            _ => Kind::Null,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == Kind::Null
    }

    /// The value of a bool.
    pub fn as_bool(self) -> Option<bool> {
        match self.0.first() {
            Some(b't') => Some(true),
            Some(b'f') => Some(false),
            _ => None,
        }
    }

    /// The text of a string, borrowed unless it has escapes.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        if let Some(content) = self.plain_str() {
            return unescape(content, false);
        }
        if self.kind() != Kind::String {
            return None;
        }
        let (end, escaped) = find_end(self.0, 1)?;
        unescape(self.0.get(1..end)?, escaped)
    }

    /// The digits of a number, as they stand.
    pub fn number_text(self) -> Option<&'a str> {
        (self.kind() == Kind::Number).then(|| core::str::from_utf8(self.0).ok()).flatten()
    }

    /// The value of a number, if it is finite as a float.
    pub fn as_f64(self) -> Option<f64> {
        match self.short_integer() {
            Some(value) => Some(value as f64),
            None => self.number_text()?.parse().ok().filter(|value: &f64| value.is_finite()),
        }
    }

    /// The value of a number that is at most 15 digits and nothing else: most are, and it is exact.
    pub(crate) fn short_integer(self) -> Option<i64> {
        let is_short = (1..=15).contains(&self.0.len())
            && (self.0.len() == 1 || self.0.first() != Some(&b'0'));
        let digits = self.0.iter().map(|byte| byte.wrapping_sub(b'0'));
        let add = |value, digit: u8| (digit < 10).then(|| value * 10 + i64::from(digit));
        is_short.then(|| digits.into_iter().try_fold(0, add)).flatten()
    }

    /// The content of a string as it stands, if it has no escapes.
    pub(crate) fn plain_str(self) -> Option<&'a [u8]> {
        let (b'"', content) = self.0.split_first()? else { return None };
        let (b'"', content) = content.split_last()? else { return None };
        memchr::memchr(b'\\', content).is_none().then_some(content)
    }

    /// The first member of that name; `None` if there is none or this is no object. Linear.
    pub fn get(self, name: &str) -> Option<Self> {
        self.get_in(&[name])
    }

    /// The value that a path of names leads to, each the first member of that name. Linear, in one pass:
    /// what surrounds the value is not read to its end.
    ///
    /// ```
    /// use mcp_proto::json::Raw;
    ///
    /// let params = Raw::parse(br#"{"name": "resize", "arguments": {"width": 64}}"#, 8)?;
    /// let width = params.get_in(&["arguments", "width"]);
    /// assert_eq!(width.and_then(|width| width.as_f64()), Some(64.0));
    /// # Ok::<(), mcp_proto::json::ScanError>(())
    /// ```
    pub fn get_in(self, path: &[&str]) -> Option<Self> {
        let Some((last, outer)) = path.split_last() else { return Some(self) };
        let mut members = self.members();
        for name in outer {
            members.seek(name)?;
            members = Members(members.0.enter()?);
        }
        members.seek(last)?;
        members.0.value()
    }

    /// The members of an object, in order; none for any other value.
    pub fn members(self) -> Members<'a> {
        Members(Cursor::inside(self, b'{'))
    }

    /// The items of an array, in order; none for any other value.
    pub fn items(self) -> Items<'a> {
        Items(Cursor::inside(self, b'['))
    }

    /// Decodes it.
    ///
    /// # Errors
    ///
    /// [`DecodeError`], which says where in the value the fault is.
    pub fn decode<T: Deserialize<'a>>(self) -> Result<T, DecodeError> {
        decode(self)
    }

    /// Decodes it into something that borrows nothing.
    ///
    /// # Errors
    ///
    /// As [`decode`](Self::decode).
    pub fn decode_owned<T: DeserializeOwned>(self) -> Result<T, DecodeError> {
        decode(self)
    }

    /// A copy with a buffer of its own.
    pub fn to_raw_json(self) -> RawJson {
        RawJson::copy_of(self)
    }
}

/// The members of an object. See [`Raw::members`].
#[derive(Clone, Debug)]
pub struct Members<'a>(Cursor<'a>);

/// The items of an array. See [`Raw::items`].
#[derive(Clone, Debug)]
pub struct Items<'a>(Cursor<'a>);

impl<'a> Members<'a> {
    /// The next key as it stands, whether it has escapes, and its value.
    pub(crate) fn next_raw(&mut self) -> Option<(&'a [u8], bool, Raw<'a>)> {
        let (key, escaped) = self.next_key()?;
        Some((key, escaped, self.0.value()?))
    }

    /// Passes over the next key, up to its value: the key as it stands, and whether it has escapes.
    fn next_key(&mut self) -> Option<(&'a [u8], bool)> {
        let cursor = &mut self.0;
        if let Some(key) = cursor.short_key() {
            return Some((key, false));
        }
        cursor.separator();
        if cursor.peek()? != b'"' {
            return None;
        }
        let start = cursor.at + 1;
        let (end, escaped) = find_end(cursor.bytes, start)?;
        cursor.at = end + 1;
        cursor.whitespace();
        cursor.at += 1; // the colon
        cursor.whitespace();
        Some((cursor.bytes.get(start..end)?, escaped))
    }

    /// Goes to the value of the first member of that name.
    fn seek(&mut self, name: &str) -> Option<()> {
        loop {
            let (key, escaped) = self.next_key()?;
            let found = if escaped {
                unescape(key, true).is_some_and(|key| key == name)
            } else {
                key == name.as_bytes()
            };
            if found {
                return Some(());
            }
            self.0.value()?;
        }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Cow<'a, str>, Raw<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, escaped, value) = self.next_raw()?;
        Some((unescape(key, escaped)?, value))
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Raw<'a>> {
        self.0.separator();
        match self.0.peek()? {
            b']' => None,
            _ => self.0.value(),
        }
    }
}

/// A position in text that was validated before. What is malformed all the same ends an iteration.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    fn inside(raw: Raw<'a>, open: u8) -> Self {
        let is_open = raw.0.first() == Some(&open);
        Self { bytes: if is_open { raw.0 } else { &[] }, at: 1 }
    }

    /// Into the object that begins here.
    fn enter(self) -> Option<Self> {
        (self.peek()? == b'{').then_some(Self { at: self.at + 1, ..self })
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline]
    pub(super) fn whitespace(&mut self) {
        // What machines write has none.
        if let Some(b'!'..) = self.peek() {
            return;
        }
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// A key with its comma and colon, if they are as machines write them: a short name, nothing to decode,
    /// no space.
    #[inline]
    fn short_key(&mut self) -> Option<&'a [u8]> {
        let ([b'"', text @ ..] | [b',', b'"', text @ ..]) = self.bytes.get(self.at..)? else {
            return None;
        };
        let length = special_in_two_words(text)?;
        let (key, [b'"', b':', behind @ ..]) = text.split_at_checked(length)? else {
            return None;
        };
        if let None | Some(..=b' ') = behind.first() {
            return None;
        }
        self.at = self.bytes.len() - behind.len();
        Some(key)
    }

    /// Whitespace, with a comma in it if one is there.
    pub(super) fn separator(&mut self) {
        self.whitespace();
        if self.peek() == Some(b',') {
            self.at += 1;
            self.whitespace();
        }
    }

    /// Passes over one value.
    pub(super) fn value(&mut self) -> Option<Raw<'a>> {
        let start = self.at;
        match self.peek()? {
            b'"' => {
                let behind = behind_string(self.bytes.get(start + 1..)?)?;
                self.at = self.bytes.len() - behind.len();
            }
            b'{' | b'[' => self.container()?,
            _ => {
                while let Some(b'a'..=b'z' | b'0'..=b'9' | b'E' | b'.' | b'+' | b'-') = self.peek()
                {
                    self.at += 1;
                }
            }
        }
        (self.at > start).then(|| self.bytes.get(start..self.at).map(Raw)).flatten()
    }

    fn container(&mut self) -> Option<()> {
        let mut rest = self.bytes.get(self.at..)?;
        let mut depth = 0_usize;
        loop {
            let (first, behind) = rest.split_first()?;
            rest = match first {
                b'"' => behind_string(behind)?,
                // Most often a string comes next.
                b':' | b',' => behind,
                b'{' | b'[' => {
                    depth += 1;
                    behind
                }
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at = self.bytes.len() - behind.len();
                        return Some(());
                    }
                    behind
                }
                _ => behind.get(find_structural(behind, 0)..)?,
            };
        }
    }
}

impl Default for Raw<'_> {
    /// `null`
    fn default() -> Self {
        Self(b"null")
    }
}

impl fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(self.0).unwrap_or_default())
    }
}

impl fmt::Display for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_raw(*self, serializer)
    }
}

// Depth was bounded when the text was validated, so whatever walks a `Raw` recursively is safe.
const _: () = assert!(MAX_DEPTH <= 128);

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn raw(json: &str) -> Raw<'_> {
        Raw::parse(json.as_bytes(), 16).unwrap()
    }

    #[test]
    fn members_and_items_come_in_order() {
        let value = raw(r#" { "a" : 1 , "b":[ true , "x]}" , {"c":null} ] ,"\u0063":-1.5e3 } "#);
        let keys: Vec<_> =
            value.members().map(|(key, value)| (key.into_owned(), value.kind())).collect();
        assert_eq!(
            keys,
            [("a".into(), Kind::Number), ("b".into(), Kind::Array), ("c".into(), Kind::Number)]
        );
        let items: Vec<_> = value.get("b").unwrap().items().map(Raw::as_bytes).collect();
        assert_eq!(items, [&b"true"[..], b"\"x]}\"", b"{\"c\":null}"]);
        assert_eq!(value.get("c").unwrap().as_f64(), Some(-1500.0));
        assert_eq!(value.get("d"), None);
        assert_eq!(value.get_in(&[]), Some(value));
        let nested = raw(r#"{"x":{"b":1},"a":{"b":{"\u0063":[1]},"b":2,"d":{}},"e":{"c":3}}"#);
        assert_eq!(nested.get_in(&["a", "b", "c"]).unwrap().as_bytes(), b"[1]");
        assert_eq!(nested.get_in(&["e", "c"]).unwrap().as_bytes(), b"3");
        for nowhere in [&["a", "c"][..], &["a", "d", "c"], &["x", "b", "c"], &["a", "e"]] {
            assert_eq!(nested.get_in(nowhere), None, "{nowhere:?}");
        }
        assert_eq!(
            raw("[]").items().count() + raw("{}").members().count() + raw("1").items().count(),
            0
        );
    }

    #[test]
    fn numbers_keep_their_value() {
        for (text, value) in
            [("0", 0.0), ("999999999999999", 999_999_999_999_999.0), ("-7", -7.0), ("0.1", 0.1)]
        {
            assert_eq!(raw(text).as_f64(), Some(value));
        }
        assert_eq!(raw("9007199254740993").as_f64(), Some(9_007_199_254_740_992.0));
        assert_eq!(raw("1e999").as_f64(), None);
        assert_eq!(raw("\"1\"").as_f64(), None);
    }

    #[test]
    fn text_that_was_never_validated_ends_iterations_instead_of_panicking() {
        for broken in [
            "{", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":[", "[", "[1", "[\"\\", "{,,}", "]",
            "{\"a\\",
        ] {
            let raw = Raw::trusted(broken.as_bytes());
            let _ = (
                raw.members().count(),
                raw.items().count(),
                raw.get_in(&["a", "a"]),
                raw.as_str(),
                raw.as_f64(),
            );
        }
    }
}
