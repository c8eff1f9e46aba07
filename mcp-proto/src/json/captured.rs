//! A raw value on its way in: the span itself from this crate's decoder, a transcript from any other.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, MapAccess, SeqAccess, Visitor};

use super::foreign;
use super::owned::RawJson;
use super::raw::Raw;
use super::ser::RAW;
use super::write::{write_f64, write_i64, write_str, write_u64};

/// A raw value as its deserializer hands it over: a span of the input if it is ours, else a copy.
pub(crate) enum Captured<'de> {
    Span(Raw<'de>),
    Copy(Vec<u8>),
}

impl Captured<'_> {
    pub(crate) fn as_raw(&self) -> Raw<'_> {
        match self {
            Self::Span(raw) => *raw,
            Self::Copy(json) => Raw::trusted(json),
        }
    }

    pub(crate) fn to_raw_json(&self) -> RawJson {
        self.as_raw().to_raw_json()
    }
}

impl<'de> Deserialize<'de> for Captured<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Span;

        impl<'de> Visitor<'de> for Span {
            type Value = Captured<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any JSON value")
            }

            fn visit_borrowed_bytes<E: de::Error>(
                self,
                json: &'de [u8],
            ) -> Result<Captured<'de>, E> {
                Ok(Captured::Span(Raw::scanned(json)))
            }

            fn visit_newtype_struct<D: de::Deserializer<'de>>(
                self,
                foreign: D,
            ) -> Result<Captured<'de>, D::Error> {
                let mut out = Vec::new();
                Transcribe(&mut out).deserialize(foreign)?;
                Ok(Captured::Copy(out))
            }
        }

        deserializer.deserialize_newtype_struct(RAW, Span)
    }
}

/// Borrows the span from this crate's decoder; a foreign deserializer has none to lend.
impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Captured::deserialize(deserializer)? {
            Captured::Span(raw) => Ok(raw),
            Captured::Copy(_) => {
                Err(de::Error::custom("only RawJson can be read from another format"))
            }
        }
    }
}

/// Writes the JSON of whatever a foreign deserializer has.
struct Transcribe<'a>(&'a mut Vec<u8>);

impl<'de> DeserializeSeed<'de> for Transcribe<'_> {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Transcribe<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.0.extend_from_slice(b"null");
        Ok(())
    }

    fn visit_none<E: de::Error>(self) -> Result<(), E> {
        self.visit_unit()
    }

    fn visit_some<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.0.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        write_i64(self.0, value);
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        write_u64(self.0, value);
        Ok(())
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<(), E> {
        self.0.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<(), E> {
        self.0.extend_from_slice(value.to_string().as_bytes());
        Ok(())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        write_f64(self.0, value);
        Ok(())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<(), E> {
        write_str(self.0, value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.0.push(b'[');
        while seq.next_element_seed(Transcribe(self.0))?.is_some() {
            self.0.push(b',');
        }
        end(self.0, b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let is_unsized = map.size_hint().is_none();
        self.0.push(b'{');
        while let Some(key) = map.next_key::<String>()? {
            if foreign::is_token(&key) {
                self.0.pop();
                return foreign::transcribe_number(self.0, &key, is_unsized, map);
            }
            write_str(self.0, &key);
            self.0.push(b':');
            map.next_value_seed(Transcribe(self.0))?;
            self.0.push(b',');
        }
        end(self.0, b'}');
        Ok(())
    }
}

/// Closes a container, in place of the comma behind its last part.
fn end(out: &mut Vec<u8>, close: u8) {
    if out.last() == Some(&b',') {
        out.pop();
    }
    out.push(close);
}

#[cfg(test)]
mod tests {
    use super::super::owned::RawJson;

    #[test]
    fn whatever_a_foreign_deserializer_has_is_written_down() {
        for text in [
            "null",
            "[true,false,null]",
            "[0,-1,18446744073709551615,-9223372036854775808,0.5,-1e300]",
            r#"["","a\n\"é",[],[[]],{}]"#,
            r#"{"a":{"b":[1,{"c":false}]},"d":true}"#,
        ] {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            for captured in
                [serde_json::from_str::<RawJson>(text), serde_json::from_value(value.clone())]
            {
                let captured: serde_json::Value =
                    serde_json::from_str(captured.unwrap().as_str()).unwrap();
                assert_eq!(captured, value, "{text}");
            }
        }
    }
}
