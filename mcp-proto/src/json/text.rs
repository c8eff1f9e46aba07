//! A cheap string: a slice of the input buffer, a literal, or an owned string.

use alloc::borrow::Cow;
use alloc::string::String;
use core::cmp::Ordering;
use core::fmt::{self, Write};
use core::hash::{Hash, Hasher};
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
#[derive(Clone)]
pub struct Text(Form);

#[derive(Clone)]
enum Form {
    Literal(&'static str),
    /// UTF-8.
    Shared(Bytes),
}

impl Text {
    const fn shared(utf8: Bytes) -> Self {
        Self(Form::Shared(utf8))
    }

    /// The text. Linear in its length, at memory speed; a literal is just there.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Form::Literal(text) => text,
            // Every constructor takes UTF-8, so the fallback is never taken.
            Form::Shared(utf8) => core::str::from_utf8(utf8).unwrap_or_default(),
        }
    }

    /// The text as bytes, without the cost of seeing once more that it is UTF-8.
    pub(crate) fn as_utf8(&self) -> &[u8] {
        match &self.0 {
            Form::Literal(text) => text.as_bytes(),
            Form::Shared(utf8) => utf8,
        }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        self.as_utf8().len()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.as_utf8().is_empty()
    }

    /// At most `max` bytes of it; a longer one becomes a copy.
    pub(crate) fn cut(self, max: usize) -> Self {
        if self.len() <= max {
            return self;
        }
        Self::shared(Bytes::copy_from_slice(bounded(self.as_str(), max).as_bytes()))
    }

    /// A copy with a buffer of its own; a literal needs none.
    #[must_use = "the original still holds its whole input buffer"]
    pub fn detach(&self) -> Self {
        match &self.0 {
            Form::Literal(text) => Self(Form::Literal(text)),
            Form::Shared(utf8) => Self::shared(Bytes::copy_from_slice(utf8)),
        }
    }
}

/// The beginning of a text, of `max` bytes at most: what a peer chose is bounded before it is echoed or logged.
pub(crate) fn bounded(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or_default()
}

/// A text for a log or a terminal: it stays on its line, and control characters, which a peer may have chosen, are shown with
/// escapes.
pub(crate) struct OneLine<'a>(pub(crate) &'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character.is_control() {
                true => character.escape_default().fmt(f)?,
                false => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// What a value says of itself, cut in the same way: it may be made of what a peer sent, and be as long as that.
pub(crate) fn shown(value: &impl fmt::Display, max: usize) -> String {
    let mut shown = Shown { text: String::new(), max };
    // It fails where there is enough, or where the value does not say more.
    let _ = write!(shown, "{value}");
    shown.text
}

struct Shown {
    text: String,
    max: usize,
}

impl Write for Shown {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fits = bounded(text, self.max - self.text.len());
        self.text.push_str(fits);
        if fits.len() == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// The text of a string value: a slice of its frame, unless it has escapes.
pub(crate) fn text_of(frame: &Bytes, value: Raw<'_>) -> Option<Text> {
    match value.plain_str() {
        Some(text) => Some(Text::shared(frame.slice_ref(text))),
        None => value.as_str().map(|text| text.into_owned().into()),
    }
}

impl Text {
    /// Text of the frame that was read as `text`: a slice of it, unless it had escapes.
    pub(crate) fn of(frame: &Bytes, text: Cow<'_, [u8]>) -> Self {
        match text {
            Cow::Borrowed(plain) => Self::shared(frame.slice_ref(plain)),
            Cow::Owned(decoded) => Self::shared(decoded.into()),
        }
    }
}

impl From<&'static str> for Text {
    fn from(literal: &'static str) -> Self {
        Self(Form::Literal(literal))
    }
}

impl From<String> for Text {
    fn from(owned: String) -> Self {
        Self::shared(Bytes::from(owned.into_bytes()))
    }
}

impl From<Text> for String {
    /// Copies it, unless it owns its buffer alone.
    fn from(text: Text) -> Self {
        match text.0 {
            Form::Literal(text) => text.into(),
            Form::Shared(utf8) => Self::from_utf8(utf8.into()).unwrap_or_default(),
        }
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

impl Default for Text {
    fn default() -> Self {
        "".into()
    }
}

/// As the text itself, however it is kept.
impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_utf8() == other.as_utf8()
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_utf8().cmp(other.as_utf8())
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_utf8().hash(state);
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
        self.as_utf8() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_utf8() == other.as_bytes()
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

#[cfg(test)]
mod tests {
    use super::*;
    use core::hash::BuildHasher;
    use std::hash::RandomState;

    #[test]
    fn a_literal_is_the_same_as_what_was_owned_and_takes_no_more_room() {
        assert_eq!(size_of::<Text>(), size_of::<Bytes>());
        let state = RandomState::new();
        for (text, other) in [("", "a"), ("é", "ê"), ("ab", "abc")] {
            let (literal, owned) = (Text::from(text), Text::from(String::from(text)));
            assert_eq!(literal, owned);
            assert_eq!(literal.cmp(&owned), Ordering::Equal);
            assert_eq!(state.hash_one(&literal), state.hash_one(&owned));
            assert_eq!((literal.len(), literal.is_empty()), (text.len(), text.is_empty()));
            let other = Text::from(other);
            for text in [literal, owned] {
                assert!(text < other && text.detach() == text && text != other);
                assert_eq!(String::from(text.clone().cut(1)), bounded(&text, 1));
            }
        }
        assert!(Text::default().is_empty());
    }
}
