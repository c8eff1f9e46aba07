//! A cheap string: a slice of the input buffer, a literal, or an owned string.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;
use core::ops::Deref;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::raw::Raw;

/// Text that costs no copy where none is needed: a literal, an owned `String`, or a slice of the
/// frame that it arrived in. Cloning it never copies.
///
/// A slice keeps the whole buffer that it arrived in alive; [`detach`](Self::detach) copies it out.
///
/// ```
/// use mcp_proto::json::Text;
///
/// let literal = Text::from("resizing");
/// let owned = Text::from(format!("image {}", 3));
/// assert_eq!(literal, "resizing");
/// assert_eq!(owned.as_str(), "image 3");
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(Bytes);

impl Text {
    /// The text. Linear in its length, at memory speed.
    pub fn as_str(&self) -> &str {
        // Every constructor takes UTF-8, so the fallback is never taken.
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The text as bytes, without the cost of seeing once more that it is UTF-8.
    pub(crate) fn as_utf8(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// At most `max` bytes of it; a longer one becomes a copy.
    pub(crate) fn cut(self, max: usize) -> Self {
        if self.len() <= max {
            return self;
        }
        Self(Bytes::copy_from_slice(bounded(self.as_str(), max).as_bytes()))
    }

    /// A copy with a buffer of its own.
    #[must_use = "the original still holds its whole input buffer"]
    pub fn detach(&self) -> Self {
        Self(Bytes::copy_from_slice(&self.0))
    }
}

/// The beginning of a text, of `max` bytes at most: what a peer chose is bounded before it is echoed or logged.
pub(crate) fn bounded(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or_default()
}

/// The text of a string value: a slice of its frame, unless it has escapes.
pub(crate) fn text_of(frame: &Bytes, value: Raw<'_>) -> Option<Text> {
    match value.plain_str() {
        Some(text) => Some(Text(frame.slice_ref(text))),
        None => value.as_str().map(|text| text.into_owned().into()),
    }
}

impl Text {
    /// Text of the frame that was read as `text`: a slice of it, unless it had escapes.
    pub(crate) fn of(frame: &Bytes, text: Cow<'_, [u8]>) -> Self {
        match text {
            Cow::Borrowed(plain) => Self(frame.slice_ref(plain)),
            Cow::Owned(decoded) => Self(decoded.into()),
        }
    }
}

impl From<&'static str> for Text {
    fn from(literal: &'static str) -> Self {
        Self(Bytes::from_static(literal.as_bytes()))
    }
}

impl From<String> for Text {
    fn from(owned: String) -> Self {
        Self(Bytes::from(owned.into_bytes()))
    }
}

impl From<Text> for String {
    /// Copies it, unless it owns its buffer alone.
    fn from(text: Text) -> Self {
        Self::from_utf8(text.0.into()).unwrap_or_default()
    }
}

impl From<Cow<'static, str>> for Text {
    fn from(text: Cow<'static, str>) -> Self {
        match text {
            Cow::Borrowed(literal) => literal.into(),
            Cow::Owned(owned) => owned.into(),
        }
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}
