//! What serde_json says in-band under its features `raw_value` and `arbitrary_precision`, which any crate of
//! a build may switch on: an object with one reserved key stands for a number or for text that is JSON.
//!
//! In what a peer sent, such an object is refused by the scanner. Here its own types are told by what no
//! data can imitate.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Serialize;
use serde::de::value::{BorrowedStrDeserializer, MapDeserializer};
use serde::de::{self, MapAccess, Visitor};

use super::de::DecodeError;
use super::raw::{Kind, Raw};
use super::scan::MAX_DEPTH;
use super::ser::{EncodeError, write_value};
use super::write::write_raw;

/// How every reserved key begins.
const PREFIX: &str = "$serde_json::private::";

/// The name of its `RawValue`.
pub(super) const RAW_VALUE: &str = "$serde_json::private::RawValue";

const NUMBER: &str = "$serde_json::private::Number";

/// Whether this is the name or the key of one of its own types.
#[inline]
pub(super) fn is_token(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Writes the text that `value` is as the JSON that it holds. Names of types come from the program, never
/// from a peer.
pub(super) fn write<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    value: &T,
) -> Result<(), EncodeError> {
    let mut quoted = Vec::new();
    write_value(&mut quoted, value)?;
    let text = Raw::trusted(&quoted).as_str();
    let json = text.as_deref().map(|text| Raw::parse(text.as_bytes(), MAX_DEPTH));
    match json {
        Some(Ok(json)) => {
            write_raw(out, json);
            Ok(())
        }
        Some(Err(error)) => Err(serde::ser::Error::custom(error)),
        None => Err(serde::ser::Error::custom("a raw value that is no text")),
    }
}

/// Hands `text` to the visitor of a `RawValue`.
pub(super) fn visit_raw_value<'de, V: Visitor<'de>>(
    text: &'de str,
    visitor: V,
) -> Result<V::Value, DecodeError> {
    let member = (BorrowedStrDeserializer::new(RAW_VALUE), BorrowedStrDeserializer::new(text));
    visitor.visit_map(MapDeserializer::new(core::iter::once(member)))
}

/// Reads the digits behind the reserved key of a number, and writes them. An object of that form in the data
/// is refused: it has a size, or its value is lent from a text; a number comes without a size, as an owned
/// text.
pub(super) fn transcribe_number<'de, A: MapAccess<'de>>(
    out: &mut Vec<u8>,
    key: &str,
    is_unsized: bool,
    mut map: A,
) -> Result<(), A::Error> {
    if key != NUMBER || !is_unsized {
        return Err(reserved());
    }
    let Digits(digits) = map.next_value()?;
    match Raw::parse(digits.as_bytes(), 1) {
        Ok(number) if number.kind() == Kind::Number => {
            write_raw(out, number);
            Ok(())
        }
        _ => Err(reserved()),
    }
}

fn reserved<E: de::Error>() -> E {
    E::custom("a key reserved by serde_json")
}

/// A text that is handed over, not lent.
struct Digits(String);

impl<'de> de::Deserialize<'de> for Digits {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Owned;

        impl Visitor<'_> for Owned {
            type Value = Digits;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the digits of a number")
            }

            fn visit_str<E: de::Error>(self, _: &str) -> Result<Digits, E> {
                Err(reserved())
            }

            fn visit_string<E: de::Error>(self, digits: String) -> Result<Digits, E> {
                Ok(Digits(digits))
            }
        }

        deserializer.deserialize_string(Owned)
    }
}
