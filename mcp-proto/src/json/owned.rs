//! An owned JSON value that is not yet read: a slice of its frame, or text of its own.

use alloc::vec::Vec;
use core::fmt;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::captured::Captured;
use super::de::DecodeError;
use super::raw::Raw;
use super::scan::{MAX_DEPTH, ScanError};
use super::ser::{EncodeError, write_value};
use super::write::{write_key, write_raw, write_str};

/// One JSON value, validated and not yet read. Cloning it never copies.
///
/// What arrives in an event is a slice of the buffer that was read, so it costs nothing until it is
/// decoded, and a proxy never decodes it at all. Two things follow: a small slice keeps its whole buffer
/// alive ([`detach`](Self::detach) copies it out), and nesting is bounded when the frame is read, so
/// decoding it later is safe.
///
/// ```
/// use mcp_proto::RawJson;
///
/// let args = RawJson::of(&("resize", 3))?;
/// assert_eq!(args.to_string(), r#"["resize",3]"#);
/// let (name, count): (String, u32) = args.decode()?;
/// assert_eq!((name.as_str(), count), ("resize", 3));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RawJson(Bytes);

impl RawJson {
    /// Validates JSON text, at most 128 levels deep.
    ///
    /// # Errors
    ///
    /// [`ScanError`]: it is not JSON, or is refused.
    pub fn parse(json: impl Into<Bytes>) -> Result<Self, ScanError> {
        let json = json.into();
        let value = Raw::parse(&json, MAX_DEPTH)?.as_bytes();
        Ok(Self(json.slice_ref(value)))
    }

    /// The JSON of a value.
    ///
    /// # Errors
    ///
    /// [`EncodeError`]: the value has no JSON, such as a map whose keys are no strings.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, EncodeError> {
        let mut out = Vec::new();
        write_value(&mut out, value)?;
        Ok(Self(out.into()))
    }

    /// The JSON of a text.
    pub fn string(text: &str) -> Self {
        let mut out = Vec::new();
        write_str(&mut out, text);
        Self(out.into())
    }

    /// `null`
    pub const fn null() -> Self {
        Self(Bytes::from_static(b"null"))
    }

    /// `{}`
    pub const fn empty_object() -> Self {
        Self(Bytes::from_static(b"{}"))
    }

    /// A value of the frame, sharing its buffer.
    pub(crate) fn slice_of(frame: &Bytes, value: Raw<'_>) -> Self {
        Self(frame.slice_ref(value.as_bytes()))
    }

    pub(super) fn copy_of(value: Raw<'_>) -> Self {
        Self(Bytes::copy_from_slice(value.as_bytes()))
    }

    /// The object with one member set; what is no object counts as the empty one. A value that has no
    /// JSON becomes `null`. Copies nothing if nobody else holds the text.
    pub(crate) fn with_member<T: Serialize + ?Sized>(self, name: &str, value: &T) -> Self {
        let (mut is_empty, mut is_set) = (true, false);
        for (key, _) in self.as_raw().members() {
            is_empty = false;
            is_set |= key == name;
        }
        let mut out = if is_empty {
            Vec::from(*b"{")
        } else if is_set {
            self.members_without(name)
        } else {
            let mut members: Vec<u8> = self.0.into();
            members.pop();
            members.push(b',');
            members
        };
        out.reserve(name.len() + 32);
        write_key(&mut out, name);
        let start = out.len();
        if write_value(&mut out, value).is_err() {
            out.truncate(start);
            out.extend_from_slice(b"null");
        }
        out.push(b'}');
        Self(out.into())
    }

    /// The object without a member; everything else is as it was.
    #[cfg(feature = "driver")]
    pub(crate) fn without_member(self, name: &str) -> Self {
        if self.get(name).is_none() {
            return self;
        }
        let mut out = self.members_without(name);
        if out.len() > 1 {
            out.pop();
        }
        out.push(b'}');
        Self(out.into())
    }

    /// An open object of the other members, a comma behind each.
    #[cold]
    fn members_without(&self, name: &str) -> Vec<u8> {
        let mut out = Vec::from(*b"{");
        for (key, member) in self.as_raw().members().filter(|(key, _)| key != name) {
            write_key(&mut out, &key);
            write_raw(&mut out, member);
            out.push(b',');
        }
        out
    }

    /// The value, to be looked into.
    pub fn as_raw(&self) -> Raw<'_> {
        Raw::scanned(&self.0)
    }

    /// The JSON text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The JSON text.
    pub fn as_str(&self) -> &str {
        // Every constructor takes UTF-8, so the fallback is never taken.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The first member of that name; `None` if there is none or this is no object. Linear.
    pub fn get(&self, name: &str) -> Option<Raw<'_>> {
        self.as_raw().get(name)
    }

    /// The value that a path of names leads to. Linear. See [`Raw::get_in`].
    pub fn get_in(&self, path: &[&str]) -> Option<Raw<'_>> {
        self.as_raw().get_in(path)
    }

    /// Decodes it.
    ///
    /// # Errors
    ///
    /// [`DecodeError`], which says where in the value the fault is.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        self.as_raw().decode()
    }

    /// A copy with a buffer of its own.
    #[must_use = "the original still holds its whole input buffer"]
    pub fn detach(&self) -> Self {
        Self::copy_of(self.as_raw())
    }
}

/// As its text.
#[cfg(feature = "snapshot")]
impl crate::state::Kept for RawJson {
    type Form = alloc::string::String;

    fn form(&self) -> Self::Form {
        self.as_str().into()
    }

    fn of(form: Self::Form) -> Result<Self, &'static str> {
        Self::parse(form).map_err(|_| "what should be JSON is none")
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_raw().serialize(serializer)
    }
}

/// Copies the text: a typed value must not keep a whole read buffer alive.
impl<'de> Deserialize<'de> for RawJson {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Captured::deserialize(deserializer).map(|captured| captured.to_raw_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parsed_value_shares_its_buffer() {
        let frame = Bytes::from_static(b" {\"a\": [1, 2]} ");
        let value = RawJson::parse(frame.clone()).unwrap();
        let inner = RawJson::slice_of(&frame, value.get("a").unwrap());
        assert_eq!(inner.as_str(), "[1, 2]");
        assert_eq!(inner.as_bytes().as_ptr(), frame[7..].as_ptr());
        assert_ne!(inner.detach().as_bytes().as_ptr(), frame[7..].as_ptr());
        assert_eq!(size_of::<RawJson>(), 32);
    }

    #[test]
    fn members_are_added_and_replaced() {
        let one = RawJson::null().with_member("a", &());
        assert_eq!(one.as_str(), r#"{"a":null}"#);
        let held = one.clone();
        let two = one.with_member("b\n", &RawJson::empty_object());
        assert_eq!((held.as_str(), two.as_str()), (r#"{"a":null}"#, r#"{"a":null,"b\n":{}}"#));
        let three = two.with_member("a", "x");
        assert_eq!(three.as_str(), r#"{"b\n":{},"a":"x"}"#);
        let spaced = RawJson::parse("{ }").unwrap().with_member("b", &1);
        assert_eq!(spaced.with_member("b", &true).as_str(), r#"{"b":true}"#);
        let no_json = alloc::collections::BTreeMap::from([((1, 2), 3)]);
        let four = three.with_member("c", &no_json);
        assert_eq!(four.as_str(), r#"{"b\n":{},"a":"x","c":null}"#);
    }

    #[cfg(feature = "driver")]
    #[test]
    fn members_are_taken_away() {
        let without_a = |json: &'static str| RawJson::parse(json).unwrap().without_member("a");
        assert_eq!(without_a(r#"{"a":1}"#).as_str(), "{}");
        assert_eq!(without_a(r#"{"b":1,"a":2, "c":[3]}"#).as_str(), r#"{"b":1,"c":[3]}"#);
        for same in ["{ \"b\" : 1 }", "{}", "7"] {
            assert_eq!(without_a(same).as_str(), same);
        }
    }

    #[test]
    fn it_passes_through_other_formats_unharmed() {
        let value =
            RawJson::parse(r#"{"a":[1,-2,2.5,18446744073709551615,"x\n",true,null,{}]}"#).unwrap();
        let text = serde_json::to_string(&value).unwrap();
        assert_eq!(text, value.as_str());
        assert_eq!(serde_json::from_str::<RawJson>(&text).unwrap(), value);
        let tree: serde_json::Value = value.decode().unwrap();
        assert_eq!(serde_json::to_value(&value).unwrap(), tree);
        assert_eq!(serde_json::from_value::<RawJson>(tree).unwrap(), value);
    }
}
