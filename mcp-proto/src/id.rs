//! Request ids and progress tokens: compared by JSON type and value, echoed digit for digit.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use crate::bound::tree;
use crate::json::{Kind, Raw, write_i64, write_str};

/// What names one request: a string or an integer.
///
/// `5` and `"5"` differ. An integer beyond `i64`, or one written as `1.0` or `1e2`, keeps its digits.
/// Cloning never copies the text.
///
/// ```
/// use mcp_proto::RequestId;
///
/// assert_ne!(RequestId::from(5), RequestId::from("5"));
/// assert_eq!(RequestId::from("5").to_string(), "\"5\"");
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(Scalar);

/// What ties progress reports to their request: a string or an integer, chosen by the requester.
///
/// The same rules as for [`RequestId`] hold: the reporter echoes it unchanged, type and digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProgressToken(Scalar);

/// Why a value cannot be an id or a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ScalarError {
    /// Neither a string nor an integral number.
    Type,
    /// Longer than the limit.
    Length,
}

/// What either is inside.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Scalar {
    Integer(i64),
    /// An integral number that is not the plain text of an `i64`.
    Digits(Arc<str>),
    Text(Arc<str>),
}

/// An id or a token.
pub(crate) trait Name {
    fn scalar(&self) -> &Scalar;
}

/// A number for each of some ids or tokens, which come in any order. It is the same map for both, because a B-tree is
/// compiled anew for each type of key.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Names(BTreeMap<Scalar, i64>);

impl Names {
    /// Bytes that it takes at most, texts aside.
    pub(crate) const fn bound(len: usize) -> usize {
        tree(len, size_of::<(Scalar, i64)>())
    }

    pub(crate) fn get(&self, name: &impl Name) -> Option<i64> {
        self.0.get(name.scalar()).copied()
    }

    /// Whether the name was new.
    pub(crate) fn insert(&mut self, name: &impl Name, number: i64) -> bool {
        self.0.insert(name.scalar().clone(), number).is_none()
    }

    pub(crate) fn remove(&mut self, name: &impl Name) {
        self.0.remove(name.scalar());
    }
}

/// Envelope numbers longer than this are refused: no peer needs them, and digits are kept as text.
pub(crate) const MAX_NUMBER_LEN: usize = 64;

macro_rules! scalar {
    ($name:ident) => {
        impl $name {
            pub(crate) fn read(raw: Raw<'_>, max_len: usize) -> Result<Self, ScalarError> {
                Scalar::read(raw, max_len).map(Self)
            }

            /// The value, if it is an integer that fits.
            pub fn as_i64(&self) -> Option<i64> {
                match self.0 {
                    Scalar::Integer(value) => Some(value),
                    _ => None,
                }
            }

            /// The text, if it is a string.
            pub fn as_str(&self) -> Option<&str> {
                match &self.0 {
                    Scalar::Text(text) => Some(text),
                    _ => None,
                }
            }

            /// The integer that a peer meant which changed the type on the way: `"5"` and `5.0` for 5.
            /// Only canonical digits count, so `""`, `" 5 "` and `"05"` stay what they are.
            pub(crate) fn lenient_i64(&self) -> Option<i64> {
                match &self.0 {
                    Scalar::Integer(_) => None,
                    Scalar::Text(text) => canonical_i64(text),
                    Scalar::Digits(text) => {
                        let whole = text
                            .split_once('.')
                            .filter(|(_, rest)| rest.bytes().all(|b| b == b'0'));
                        canonical_i64(whole.map_or(text, |(whole, _)| whole))
                    }
                }
            }

            /// Bytes of it, if it is a string.
            #[cfg(feature = "snapshot")]
            pub(crate) fn text_len(&self) -> usize {
                self.as_str().map_or(0, str::len)
            }

            pub(crate) fn write(&self, out: &mut Vec<u8>) {
                match &self.0 {
                    Scalar::Integer(value) => write_i64(out, *value),
                    Scalar::Digits(text) => out.extend_from_slice(text.as_bytes()),
                    Scalar::Text(text) => write_str(out, text),
                }
            }
        }

        impl Name for $name {
            fn scalar(&self) -> &Scalar {
                &self.0
            }
        }

        /// As its JSON text.
        #[cfg(feature = "snapshot")]
        impl crate::state::Kept for $name {
            type Form = String;

            fn form(&self) -> String {
                let mut out = Vec::new();
                self.write(&mut out);
                String::from_utf8(out).unwrap_or_default()
            }

            fn of(form: String) -> Result<Self, &'static str> {
                let raw = Raw::parse(form.as_bytes(), 1).map_err(|_| "an id that is no JSON")?;
                Self::read(raw, usize::MAX).map_err(|_| "an id that is none")
            }
        }

        impl From<i64> for $name {
            fn from(value: i64) -> Self {
                Self(Scalar::Integer(value))
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(Scalar::Text(text.into()))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(Scalar::Text(text.into()))
            }
        }

        /// As it stands on the wire: strings in quotes.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match &self.0 {
                    Scalar::Integer(value) => value.fmt(f),
                    Scalar::Digits(text) => f.write_str(text),
                    Scalar::Text(text) => write!(f, "{text:?}"),
                }
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match &self.0 {
                    Scalar::Integer(value) => serializer.serialize_i64(*value),
                    Scalar::Text(text) => serializer.serialize_str(text),
                    Scalar::Digits(text) => Raw::parse(text.as_bytes(), 1)
                        .map_err(serde::ser::Error::custom)?
                        .serialize(serializer),
                }
            }
        }
    };
}

scalar!(RequestId);
scalar!(ProgressToken);

impl Scalar {
    fn read(raw: Raw<'_>, max_len: usize) -> Result<Self, ScalarError> {
        match raw.kind() {
            Kind::Number => {
                if let Some(value) = raw.short_integer() {
                    return Ok(Self::Integer(value));
                }
                let text = raw.number_text().ok_or(ScalarError::Type)?;
                if let Some(value) = canonical_i64(text) {
                    return Ok(Self::Integer(value));
                }
                if text.len() > MAX_NUMBER_LEN {
                    return Err(ScalarError::Length);
                }
                if is_integral(text) {
                    Ok(Self::Digits(text.into()))
                } else {
                    Err(ScalarError::Type)
                }
            }
            Kind::String => match raw.as_str() {
                Some(text) if text.len() > max_len => Err(ScalarError::Length),
                Some(Cow::Borrowed(text)) => Ok(Self::Text(text.into())),
                Some(Cow::Owned(text)) => Ok(Self::Text(text.into())),
                None => Err(ScalarError::Type),
            },
            _ => Err(ScalarError::Type),
        }
    }
}

/// Parses digits that print back as they are; `-0`, `+1` and `01` do not.
fn canonical_i64(text: &str) -> Option<i64> {
    let value: i64 = text.parse().ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().next().is_some_and(|first| first.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'))
        && !(value == 0 && text.len() > 1);
    plain.then_some(value)
}

/// Whether a JSON number has no fraction, decided on its digits: `1e-400` is not 0.
fn is_integral(text: &str) -> bool {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let Ok(exponent) = exponent.parse::<i32>() else { return false };
    let digits = whole.trim_start_matches('-');
    if exponent >= 0 {
        return i32::try_from(fraction.len()).is_ok_and(|needed| needed <= exponent);
    }
    // A negative exponent leaves no fraction only if it eats zeros.
    let zeros = digits.len() - digits.trim_end_matches('0').len();
    let all_zero = digits.bytes().all(|b| b == b'0');
    fraction.is_empty()
        && (all_zero || usize::try_from(exponent.unsigned_abs()).is_ok_and(|eaten| eaten <= zeros))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn read(json: &str) -> Result<RequestId, ScalarError> {
        RequestId::read(Raw::parse(json.as_bytes(), 4).unwrap(), 16)
    }

    #[test]
    fn ids_echo_type_and_digits() {
        for json in [
            "0",
            "1",
            "-1",
            "9007199254740993",
            "-9223372036854775808",
            "9223372036854775807",
            "1.0",
            "1e2",
            "-0",
            "123456789012345678901234567890",
            "\"\"",
            "\"5\"",
            "\"a b\"",
        ] {
            let mut out = Vec::new();
            read(json).unwrap().write(&mut out);
            assert_eq!(core::str::from_utf8(&out).unwrap(), json);
        }
    }

    #[test]
    fn what_is_no_integer_and_no_string_is_no_id() {
        for json in ["null", "true", "1.5", "1e-400", "15e-1", "[1]", "{}"] {
            assert_eq!(read(json), Err(ScalarError::Type), "{json}");
        }
        assert_eq!(read("\"seventeen letters\""), Err(ScalarError::Length));
        assert_eq!(read(&"1".repeat(65)), Err(ScalarError::Length));
    }

    #[test]
    fn lookalikes_are_found_only_by_canonical_digits() {
        let lenient = |json: &str| read(json).unwrap().lenient_i64();
        assert_eq!(lenient("\"5\""), Some(5));
        assert_eq!(lenient("5.0"), Some(5));
        assert_eq!(lenient("5"), None);
        for odd in ["\"\"", "\" 5 \"", "\"05\"", "\"5.0\"", "\"-0\"", "\"+5\""] {
            assert_eq!(lenient(odd), None, "{odd}");
        }
    }

    #[test]
    fn five_and_its_text_are_two_ids() {
        assert_ne!(RequestId::from(5), RequestId::from("5"));
        assert_eq!(RequestId::from("5").to_string(), "\"5\"");
        assert_eq!(read("\"5\""), Ok(RequestId::from("5")));
        assert_eq!(read("5"), Ok(RequestId::from(5)));
    }
}
