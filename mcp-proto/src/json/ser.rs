//! Values to JSON, straight into the output buffer; raw values are copied as they are.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display, Write};

use serde::ser::{
    self, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct,
    SerializeStructVariant, SerializeTuple, SerializeTupleStruct, SerializeTupleVariant,
};

use super::foreign;
use super::raw::{Kind, Raw};
use super::write::{Utf8, write_f64, write_i64, write_key, write_raw, write_str, write_u64};

/// Why a value has no JSON.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EncodeError(String);

impl EncodeError {
    pub(crate) fn not_an_object() -> Self {
        Self("not a JSON object".into())
    }

    fn key() -> Self {
        Self("a key is not a string".into())
    }
}

impl ser::Error for EncodeError {
    fn custom<T: Display>(why: T) -> Self {
        Self(why.to_string())
    }
}

/// Appends the JSON of `value`; after an error, what was appended is half a value.
pub(crate) fn write_value<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    value: &T,
) -> Result<(), EncodeError> {
    value.serialize(Serializer { out, verbatim: false })
}

/// The name of the newtype in which a raw value is handed to a serializer or asked of a deserializer.
/// It is told out of band: no data of a peer can imitate it.
pub(super) const RAW: &str = "$mcp_proto::Raw";

/// The name of the newtype in which an object is asked of a deserializer whose `type` says what it is:
/// ours visits it as an enum of that name.
pub(crate) const TAGGED: &str = "$mcp_proto::Tagged";

/// Hands `raw` to any serializer: ours copies the text, a foreign one is walked through the value.
pub(super) fn serialize_raw<S: ser::Serializer>(
    raw: Raw<'_>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_newtype_struct(RAW, &Inside(raw))
}

struct Inside<'a>(Raw<'a>);

impl Serialize for Inside<'_> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_bytes(self.0.as_bytes());
        }
        let raw = self.0;
        match raw.kind() {
            Kind::Null => serializer.serialize_unit(),
            Kind::Bool => serializer.serialize_bool(raw.as_bool().unwrap_or_default()),
            Kind::String => serializer.serialize_str(&raw.as_str().unwrap_or_default()),
            Kind::Number => {
                let text = raw.number_text().unwrap_or_default();
                if text == "-0" {
                    // No integer keeps its sign.
                    serializer.serialize_f64(-0.0)
                } else if let Ok(value) = text.parse() {
                    serializer.serialize_i64(value)
                } else if let Ok(value) = text.parse() {
                    serializer.serialize_u64(value)
                } else {
                    serializer.serialize_f64(text.parse().unwrap_or_default())
                }
            }
            Kind::Array => {
                let mut items = serializer.serialize_seq(None)?;
                for item in raw.items() {
                    items.serialize_element(&Inside(item))?;
                }
                items.end()
            }
            Kind::Object => {
                let mut members = serializer.serialize_map(None)?;
                for (key, value) in raw.members() {
                    members.serialize_entry(&*key, &Inside(value))?;
                }
                members.end()
            }
        }
    }
}

struct Serializer<'a> {
    out: &'a mut Vec<u8>,
    /// Bytes are JSON already.
    verbatim: bool,
}

/// What is open: an array or object, perhaps inside the object of an enum variant.
struct Open<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
    /// Nothing for what stands for its one member.
    close: Option<u8>,
    in_variant: bool,
}

impl<'a> Open<'a> {
    #[inline]
    fn new(out: &'a mut Vec<u8>, open: u8, close: u8) -> Self {
        out.push(open);
        Self { out, is_empty: true, close: Some(close), in_variant: false }
    }

    /// Of the variant `name`: `{"name":[…]}` or `{"name":{…}}`.
    fn variant(out: &'a mut Vec<u8>, name: &str, open: u8, close: u8) -> Self {
        write_variant(out, name);
        Self { in_variant: true, ..Self::new(out, open, close) }
    }

    #[inline(always)]
    fn comma(&mut self) {
        if !core::mem::replace(&mut self.is_empty, false) {
            self.out.push(b',');
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.comma();
        write_value(self.out, value)
    }

    #[inline(always)]
    fn member<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), EncodeError> {
        self.comma();
        write_key(self.out, key);
        write_value(self.out, value)
    }

    #[inline(always)]
    fn end(self) {
        if let Some(close) = self.close {
            self.out.push(close);
        }
        if self.in_variant {
            self.out.push(b'}');
        }
    }
}

fn write_variant(out: &mut Vec<u8>, name: &str) {
    out.push(b'{');
    write_key(out, name);
}

impl<'a> ser::Serializer for Serializer<'a> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Open<'a>;
    type SerializeTuple = Open<'a>;
    type SerializeTupleStruct = Open<'a>;
    type SerializeTupleVariant = Open<'a>;
    type SerializeMap = Open<'a>;
    type SerializeStruct = Open<'a>;
    type SerializeStructVariant = Open<'a>;

    fn is_human_readable(&self) -> bool {
        !self.verbatim
    }

    fn serialize_bool(self, value: bool) -> Result<(), EncodeError> {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), EncodeError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), EncodeError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), EncodeError> {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), EncodeError> {
        write_i64(self.out, value);
        Ok(())
    }

    fn serialize_i128(self, value: i128) -> Result<(), EncodeError> {
        self.collect_digits(value)
    }

    fn serialize_u8(self, value: u8) -> Result<(), EncodeError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), EncodeError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), EncodeError> {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), EncodeError> {
        write_u64(self.out, value);
        Ok(())
    }

    fn serialize_u128(self, value: u128) -> Result<(), EncodeError> {
        self.collect_digits(value)
    }

    fn serialize_f32(self, value: f32) -> Result<(), EncodeError> {
        if value.is_finite() && value != libm_trunc(value) {
            // The shortest digits of the short float, not those of the long one beside it.
            return self.collect_digits(value);
        }
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), EncodeError> {
        write_f64(self.out, value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), EncodeError> {
        write_str(self.out, value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), EncodeError> {
        write_str(self.out, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), EncodeError> {
        if self.verbatim {
            write_raw(self.out, Raw::scanned(value));
            return Ok(());
        }
        let mut open = Open::new(self.out, b'[', b']');
        for byte in value {
            open.item(byte)?;
        }
        open.end();
        Ok(())
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), EncodeError> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), EncodeError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        value.serialize(Serializer { out: self.out, verbatim: name == RAW })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        write_variant(self.out, variant);
        write_value(self.out, value)?;
        self.out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'a>, EncodeError> {
        Ok(Open::new(self.out, b'[', b']'))
    }

    fn serialize_tuple(self, _: usize) -> Result<Open<'a>, EncodeError> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Open<'a>, EncodeError> {
        self.serialize_seq(None)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'a>, EncodeError> {
        Ok(Open::variant(self.out, variant, b'[', b']'))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Open<'a>, EncodeError> {
        Ok(Open::new(self.out, b'{', b'}'))
    }

    #[inline(always)]
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Open<'a>, EncodeError> {
        if foreign::is_token(name) {
            return Ok(Open { out: self.out, is_empty: true, close: None, in_variant: false });
        }
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Open<'a>, EncodeError> {
        Ok(Open::variant(self.out, variant, b'{', b'}'))
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        write_str(self.out, &value.to_string());
        Ok(())
    }
}

impl Serializer<'_> {
    /// Writes a number through its own formatting.
    fn collect_digits(self, value: impl Display) -> Result<(), EncodeError> {
        write!(Utf8(self.out), "{value}")
            .map_err(|fmt::Error| ser::Error::custom("a formatter failed"))
    }
}

/// Rounds toward zero: the method of `f32` needs std.
fn libm_trunc(value: f32) -> f32 {
    if value.abs() < 8_388_608.0 { value as i32 as f32 } else { value }
}

macro_rules! open {
    ($trait:ident, $method:ident) => {
        impl $trait for Open<'_> {
            type Ok = ();
            type Error = EncodeError;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
                self.item(value)
            }

            fn end(self) -> Result<(), EncodeError> {
                Open::end(self);
                Ok(())
            }
        }
    };
    ($trait:ident) => {
        impl $trait for Open<'_> {
            type Ok = ();
            type Error = EncodeError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), EncodeError> {
                self.member(key, value)
            }

            fn end(self) -> Result<(), EncodeError> {
                Open::end(self);
                Ok(())
            }
        }
    };
}

open!(SerializeSeq, serialize_element);
open!(SerializeTuple, serialize_element);
open!(SerializeTupleStruct, serialize_field);
open!(SerializeTupleVariant, serialize_field);
open!(SerializeStructVariant);

impl SerializeStruct for Open<'_> {
    type Ok = ();
    type Error = EncodeError;

    #[inline(always)]
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        if foreign::is_token(key) {
            return foreign::write(self.out, value);
        }
        self.member(key, value)
    }

    #[inline]
    fn end(self) -> Result<(), EncodeError> {
        Open::end(self);
        Ok(())
    }
}

impl SerializeMap for Open<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.comma();
        key.serialize(Key(self.out))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.out.push(b':');
        write_value(self.out, value)
    }

    #[inline]
    fn end(self) -> Result<(), EncodeError> {
        Open::end(self);
        Ok(())
    }
}

/// Writes a key: a string, or a number or bool in quotes as `serde_json` does.
struct Key<'a>(&'a mut Vec<u8>);

macro_rules! quoted_keys {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, value: $type) -> Result<(), EncodeError> {
            self.collect_str(&value)
        })*
    };
}

macro_rules! no_keys {
    ($($method:ident($($argument:ty),*) -> $ok:ident;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<Self::$ok, EncodeError> {
            Err(EncodeError::key())
        })*
    };
}

impl ser::Serializer for Key<'_> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Impossible<(), EncodeError>;
    type SerializeTuple = Impossible<(), EncodeError>;
    type SerializeTupleStruct = Impossible<(), EncodeError>;
    type SerializeTupleVariant = Impossible<(), EncodeError>;
    type SerializeMap = Impossible<(), EncodeError>;
    type SerializeStruct = Impossible<(), EncodeError>;
    type SerializeStructVariant = Impossible<(), EncodeError>;

    fn serialize_str(self, key: &str) -> Result<(), EncodeError> {
        write_str(self.0, key);
        Ok(())
    }

    quoted_keys! {
        serialize_bool: bool, serialize_char: char,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), EncodeError> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        key: &T,
    ) -> Result<(), EncodeError> {
        key.serialize(self)
    }

    fn collect_str<T: Display + ?Sized>(self, key: &T) -> Result<(), EncodeError> {
        self.serialize_str(&key.to_string())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), EncodeError> {
        Err(EncodeError::key())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), EncodeError> {
        Err(EncodeError::key())
    }

    no_keys! {
        serialize_f32(f32) -> Ok;
        serialize_f64(f64) -> Ok;
        serialize_bytes(&[u8]) -> Ok;
        serialize_none() -> Ok;
        serialize_unit() -> Ok;
        serialize_unit_struct(&'static str) -> Ok;
        serialize_seq(Option<usize>) -> SerializeSeq;
        serialize_tuple(usize) -> SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant;
        serialize_map(Option<usize>) -> SerializeMap;
        serialize_struct(&'static str, usize) -> SerializeStruct;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec;

    #[derive(serde::Serialize)]
    enum Shape {
        Unit,
        New(i32),
        Tuple(u8, char),
        Struct { a: Option<bool>, b: f32 },
    }

    #[derive(serde::Serialize)]
    struct Nothing;

    #[derive(serde::Serialize)]
    struct Pair(u8, i8);

    #[derive(serde::Serialize)]
    struct Meters(f64);

    #[derive(serde::Serialize, PartialEq, Eq, PartialOrd, Ord)]
    enum Key {
        Unit,
        New(u8),
    }

    #[derive(serde::Serialize, PartialEq, Eq, PartialOrd, Ord)]
    struct Name(&'static str);

    struct Bytes(&'static [u8]);

    impl Serialize for Bytes {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_bytes(self.0)
        }
    }

    fn same<T: Serialize>(value: &T) {
        let mut ours = Vec::new();
        write_value(&mut ours, value).unwrap();
        let ours: serde_json::Value = serde_json::from_slice(&ours).unwrap();
        assert_eq!(ours, serde_json::to_value(value).unwrap());
    }

    #[test]
    fn values_are_written_as_serde_json_writes_them() {
        same(&vec![
            Shape::Unit,
            Shape::New(-1),
            Shape::Tuple(255, '"'),
            Shape::Struct { a: None, b: 0.5 },
        ]);
        same(&(1_u64, i64::MIN, u64::MAX, "x\n", (), Some(1.5), [0_u8; 0]));
        same(&BTreeMap::from([(1, true), (-2, false)]));
        same(&BTreeMap::from([('a', ())]));
        same(&(i8::MIN, i16::MIN, i32::MIN, u8::MAX, u16::MAX, u32::MAX, f64::MAX));
        same(&(Nothing, Pair(1, 2), Meters(1.5), Bytes(b"\x00\xff"), format_args!("{}-{}", 1, 2)));
        same(&BTreeMap::from([(Key::Unit, 1)]));
        same(&BTreeMap::from([(Name("a"), 1)]));
        let mut wide = Vec::new();
        write_value(&mut wide, &(i128::MIN, u128::MAX)).unwrap();
        assert_eq!(
            wide,
            b"[-170141183460469231731687303715884105728,340282366920938463463374607431768211455]"
        );
        same(&serde_json::json!({"a": [1, {"b": null}], "c": "\u{1}"}));
    }

    #[test]
    fn keys_that_are_no_strings_are_refused() {
        let map = BTreeMap::from([(vec![1], 1)]);
        assert_eq!(write_value(&mut Vec::new(), &map), Err(EncodeError::key()));
        assert_eq!(
            write_value(&mut Vec::new(), &BTreeMap::from([(Some(1), 1)])),
            Err(EncodeError::key())
        );
        assert_eq!(
            write_value(&mut Vec::new(), &BTreeMap::from([(Key::New(1), 1)])),
            Err(EncodeError::key())
        );
    }

    #[test]
    fn raw_values_are_copied_digit_for_digit() {
        let raw = Raw::parse(b"{\"n\":1.00, \"m\":123456789012345678901234567890}", 8).unwrap();
        let mut out = Vec::new();
        write_value(&mut out, &(raw, 1)).unwrap();
        assert_eq!(out, b"[{\"n\":1.00, \"m\":123456789012345678901234567890},1]");
    }

    #[test]
    fn a_raw_zero_keeps_its_sign_through_another_writer() {
        let raw = Raw::parse(b"[-0,0,-1]", 2).unwrap();
        assert_eq!(serde_json::to_value(raw).unwrap().to_string(), "[-0.0,0,-1]");
    }

    #[test]
    fn short_floats_keep_their_short_digits() {
        for (value, text) in [(0.1_f32, "0.1"), (3.0, "3"), (16_777_216.0, "16777216")] {
            let mut out = Vec::new();
            write_value(&mut out, &value).unwrap();
            assert_eq!(out, text.as_bytes());
        }
    }
}
