//! Values to JSON, straight into the output buffer; raw values are copied as they are.

mod key;
mod open;
mod raw;

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt::{self, Display, Write};

use serde::ser::{self, Serialize};

use super::foreign;
use super::raw::Raw;
use super::write::{Utf8, write_f64, write_i64, write_raw, write_str, write_u64};
use open::{Open, write_variant};

pub(crate) use raw::TAGGED;
pub(super) use raw::{RAW, serialize_raw};

/// Why a value has no JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub struct EncodeError(Box<str>);

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for EncodeError {}

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
        Self(why.to_string().into())
    }
}

/// Appends the JSON of `value`; after an error, what was appended is half a value.
pub(crate) fn write_value<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    value: &T,
) -> Result<(), EncodeError> {
    value.serialize(Serializer { out, verbatim: false })
}

struct Serializer<'a> {
    out: &'a mut Vec<u8>,
    /// Bytes are JSON already.
    verbatim: bool,
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

    /// Inlined, because the name is known where a type is written.
    #[inline(always)]
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
            return Ok(Open::bare(self.out));
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
