//! JSON to values: one pass over text that was validated before, raw values out of band.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    self, Deserialize, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::foreign;
use super::raw::{Cursor, Raw};
use super::ser::{RAW, TAGGED};
use super::string::{find_end, unescape};

/// Why a value is not what was wanted, and where in it.
#[derive(Clone, PartialEq, Eq)]
pub struct DecodeError {
    why: String,
    /// Segments from the inside out.
    path: Vec<String>,
}

impl DecodeError {
    /// Where the fault is, such as `content[0].text`; empty for the value itself.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for segment in self.path.iter().rev() {
            if !path.is_empty() && !segment.starts_with('[') {
                path.push('.');
            }
            path.push_str(segment);
        }
        path
    }

    fn new(why: &str) -> Self {
        Self { why: why.into(), path: Vec::new() }
    }

    fn within(mut self, segment: impl FnOnce() -> String) -> Self {
        self.path.push(segment());
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.why)
        } else {
            write!(f, "{}: {}", self.path(), self.why)
        }
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecodeError({self})")
    }
}

impl core::error::Error for DecodeError {}

impl de::Error for DecodeError {
    fn custom<T: fmt::Display>(why: T) -> Self {
        Self { why: why.to_string(), path: Vec::new() }
    }
}

pub(super) fn decode<'de, T: Deserialize<'de>>(raw: Raw<'de>) -> Result<T, DecodeError> {
    T::deserialize(&mut Decoder { cursor: Cursor { bytes: raw.as_bytes(), at: 0 } })
}

struct Decoder<'de> {
    cursor: Cursor<'de>,
}

impl<'de> Decoder<'de> {
    fn broken() -> DecodeError {
        DecodeError::new("not JSON")
    }

    fn peek(&mut self) -> Result<u8, DecodeError> {
        self.cursor.whitespace();
        self.cursor.peek().ok_or_else(Self::broken)
    }

    fn skip(&mut self) -> Result<Raw<'de>, DecodeError> {
        self.cursor.whitespace();
        self.cursor.value().ok_or_else(Self::broken)
    }

    /// The content of a string as it stands.
    fn quoted(&mut self) -> Result<Quoted<'de>, DecodeError> {
        let start = self.cursor.at + 1;
        let (end, escaped) = find_end(self.cursor.bytes, start).ok_or_else(Self::broken)?;
        let content = self.cursor.bytes.get(start..end).unwrap_or_default();
        self.cursor.at = end + 1;
        Ok(Quoted { content, escaped })
    }

    fn string(&mut self) -> Result<Cow<'de, str>, DecodeError> {
        self.quoted()?.read()
    }

    fn visit_string<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.string()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    fn visit_number<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, DecodeError> {
        let text = self.skip()?.number_text().unwrap_or_default();
        if let Ok(value) = text.parse::<u64>() {
            return visitor.visit_u64(value);
        }
        // `-0` is a float, as for serde_json: an integer would lose its sign.
        if let Ok(value @ ..0) = text.parse::<i64>() {
            return visitor.visit_i64(value);
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => visitor.visit_f64(value),
            _ => Err(DecodeError::new("a number out of range")),
        }
    }
}

impl<'de> de::Deserializer<'de> for &mut Decoder<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.peek()? {
            b'"' => self.visit_string(visitor),
            b'{' => {
                self.cursor.at += 1;
                let mut members = Parts { decoder: self, key: Quoted::default(), index: 0 };
                let value = visitor.visit_map(&mut members)?;
                members.end(b'}')?;
                Ok(value)
            }
            b'[' => {
                self.cursor.at += 1;
                let mut items = Parts { decoder: self, key: Quoted::default(), index: 0 };
                let value = visitor.visit_seq(&mut items)?;
                items.end(b']')?;
                Ok(value)
            }
            b't' => self.skip().and_then(|_| visitor.visit_bool(true)),
            b'f' => self.skip().and_then(|_| visitor.visit_bool(false)),
            b'n' => self.skip().and_then(|_| visitor.visit_unit()),
            _ => self.visit_number(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.peek()? == b'n' {
            self.skip()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if name == RAW {
            return visitor.visit_borrowed_bytes(self.skip()?.as_bytes());
        }
        if name == foreign::RAW_VALUE {
            let text = core::str::from_utf8(self.skip()?.as_bytes()).unwrap_or_default();
            return foreign::visit_raw_value(text, visitor);
        }
        if name == TAGGED {
            return visitor.visit_enum(Tagged(self));
        }
        visitor.visit_newtype_struct(self)
    }

    /// An object. Other decoders take the fields in order from an array as well, which no schema means.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if self.peek()? == b'[' {
            return Err(de::Error::invalid_type(de::Unexpected::Seq, &visitor));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.peek()? {
            b'"' => {
                let name = self.string()?;
                match name {
                    Cow::Borrowed(name) => visitor.visit_enum(BorrowedStrDeserializer::new(name)),
                    Cow::Owned(name) => visitor.visit_enum(name.into_deserializer()),
                }
            }
            b'{' => {
                self.cursor.at += 1;
                let mut variant = Parts { decoder: self, key: Quoted::default(), index: 0 };
                let value = visitor.visit_enum(&mut variant)?;
                variant.end(b'}')?;
                Ok(value)
            }
            _ => {
                Err(DecodeError::new("neither the name of a variant nor an object with one member"))
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map identifier
    }
}

/// An object as a variant that its `type` names; the object itself is the content.
struct Tagged<'a, 'de>(&'a mut Decoder<'de>);

impl<'de> EnumAccess<'de> for Tagged<'_, 'de> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), DecodeError> {
        self.0.peek()?;
        let rest = self.0.cursor.bytes.get(self.0.cursor.at..).unwrap_or_default();
        let kind = Raw::scanned(rest).get("type").and_then(Raw::as_str).unwrap_or_default();
        Ok((seed.deserialize(kind.into_deserializer())?, self))
    }
}

impl<'de> VariantAccess<'de> for Tagged<'_, 'de> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        self.0.skip().map(|_| ())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        de::Deserializer::deserialize_any(self.0, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        de::Deserializer::deserialize_any(self.0, visitor)
    }
}

/// A string that is not read yet.
#[derive(Clone, Copy, Default)]
struct Quoted<'de> {
    content: &'de [u8],
    escaped: bool,
}

impl<'de> Quoted<'de> {
    fn read(self) -> Result<Cow<'de, str>, DecodeError> {
        unescape(self.content, self.escaped).ok_or_else(Decoder::broken)
    }

    /// As a segment of a path.
    fn name(self) -> String {
        self.read().map(Cow::into_owned).unwrap_or_default()
    }
}

/// The parts of an open container.
struct Parts<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    /// The key whose value comes next.
    key: Quoted<'de>,
    index: usize,
}

impl Parts<'_, '_> {
    /// Whether another part comes; if so, the cursor is at its beginning.
    fn advance(&mut self) -> Result<bool, DecodeError> {
        self.decoder.cursor.separator();
        let next = self.decoder.cursor.peek().ok_or_else(Decoder::broken)?;
        Ok(!matches!(next, b'}' | b']'))
    }

    fn end(&mut self, close: u8) -> Result<(), DecodeError> {
        if self.advance()? {
            return Err(DecodeError::new("more parts than expected"));
        }
        if self.decoder.cursor.peek() != Some(close) {
            return Err(Decoder::broken());
        }
        self.decoder.cursor.at += 1;
        Ok(())
    }

    /// Passes the colon behind a key.
    fn colon(&mut self) {
        self.decoder.cursor.whitespace();
        self.decoder.cursor.at += 1;
    }
}

impl<'de> SeqAccess<'de> for &mut Parts<'_, 'de> {
    type Error = DecodeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        if !self.advance()? {
            return Ok(None);
        }
        let index = self.index;
        self.index += 1;
        let item = seed.deserialize(&mut *self.decoder);
        item.map(Some).map_err(|error| error.within(|| alloc::format!("[{index}]")))
    }
}

impl<'de> MapAccess<'de> for &mut Parts<'_, 'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        if !self.advance()? {
            return Ok(None);
        }
        self.key = self.decoder.quoted()?;
        self.colon();
        let name = seed.deserialize(Key(self.key));
        name.map(Some).map_err(|error| error.within(|| self.key.name()))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DecodeError> {
        let key = self.key;
        seed.deserialize(&mut *self.decoder).map_err(|error| error.within(|| key.name()))
    }
}

impl<'de> EnumAccess<'de> for &mut Parts<'_, 'de> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        mut self,
        seed: V,
    ) -> Result<(V::Value, Self), DecodeError> {
        match MapAccess::next_key_seed(&mut self, seed)? {
            Some(variant) => Ok((variant, self)),
            None => Err(DecodeError::new("an object with no variant in it")),
        }
    }
}

impl<'de> VariantAccess<'de> for &mut Parts<'_, 'de> {
    type Error = DecodeError;

    fn unit_variant(mut self) -> Result<(), DecodeError> {
        self.next_value()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        mut self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
        self.next_value_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        de::Deserializer::deserialize_any(&mut *self.decoder, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        de::Deserializer::deserialize_any(&mut *self.decoder, visitor)
    }
}

/// A key: a string, or what a map with keys of another type reads from one.
struct Key<'de>(Quoted<'de>);

macro_rules! parsed_keys {
    ($($method:ident => $visit:ident: $type:ty),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            match self.0.read()?.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(DecodeError::new("a key of the wrong type")),
            }
        })*
    };
}

impl<'de> de::Deserializer<'de> for Key<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.0.read()? {
            Cow::Borrowed(key) => visitor.visit_borrowed_str(key),
            Cow::Owned(key) => visitor.visit_string(key),
        }
    }

    /// The name of a field is only compared, so it need not be read as text.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.0.escaped {
            return self.deserialize_any(visitor);
        }
        visitor.visit_borrowed_bytes(self.0.content)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.0.read()? {
            Cow::Borrowed(key) => visitor.visit_enum(BorrowedStrDeserializer::new(key)),
            Cow::Owned(key) => visitor.visit_enum(key.into_deserializer()),
        }
    }

    parsed_keys! {
        deserialize_bool => visit_bool: bool,
        deserialize_i8 => visit_i64: i64, deserialize_i16 => visit_i64: i64, deserialize_i32 => visit_i64: i64,
        deserialize_i64 => visit_i64: i64, deserialize_u8 => visit_u64: u64, deserialize_u16 => visit_u64: u64,
        deserialize_u32 => visit_u64: u64, deserialize_u64 => visit_u64: u64
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::super::RawJson;
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::format;

    #[derive(serde::Deserialize, Debug, PartialEq)]
    enum Shape {
        Unit,
        New(i32),
        Tuple(u8, char),
        Struct { a: Option<bool>, b: f32 },
    }

    #[derive(serde::Deserialize, Debug, PartialEq)]
    struct Meters(f64);

    #[derive(serde::Deserialize, Debug, PartialEq, Eq, PartialOrd, Ord)]
    enum Side {
        Left,
    }

    #[derive(serde::Deserialize, Debug, PartialEq, Eq, PartialOrd, Ord)]
    struct Name(Side);

    #[derive(serde::Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Plain<'a> {
        name: &'a str,
        #[serde(default)]
        sizes: Vec<u32>,
    }

    fn read<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, DecodeError> {
        Raw::parse(json.as_bytes(), 32).unwrap().decode()
    }

    #[test]
    fn values_are_read_as_serde_json_reads_them() {
        let json = r#"["Unit",{"New":-1},{"Tuple":[255,"x"]},{"Struct":{"b":0.5,"a":null}},{"Unit":null}]"#;
        assert_eq!(
            read::<Vec<Shape>>(json).unwrap(),
            serde_json::from_str::<Vec<Shape>>(json).unwrap()
        );
        let json = r#"{"a":[1,-2,1.5,18446744073709551615,"x\n",true,null,{}],"b":{"c":[[]]}}"#;
        assert_eq!(
            read::<serde_json::Value>(json).unwrap(),
            serde_json::from_str::<serde_json::Value>(json).unwrap()
        );
        assert_eq!(
            read::<BTreeMap<u8, bool>>(r#"{"1":true}"#).unwrap(),
            BTreeMap::from([(1, true)])
        );
        assert_eq!(
            read::<BTreeMap<bool, u8>>(r#"{"true":1}"#).unwrap(),
            BTreeMap::from([(true, 1)])
        );
        assert_eq!(read::<(u8, String)>(r#"[1,"é"]"#).unwrap(), (1, "é".into()));
        assert_eq!(read::<Meters>("1.5").unwrap(), Meters(1.5));
        assert_eq!(read::<Shape>(r#""\u0055nit""#).unwrap(), Shape::Unit);
        for key in ["Left", "\\u004ceft"] {
            let json = format!("{{\"{key}\":1}}");
            let expected = BTreeMap::from([(Some(Name(Side::Left)), 1)]);
            assert_eq!(read::<BTreeMap<Option<Name>, u8>>(&json).unwrap(), expected, "{json}");
        }
    }

    #[test]
    fn what_is_not_wanted_is_refused_and_never_taken_for_something_else() {
        for json in
            ["7", "[]", "null", r#"{"New":1,"Unit":null}"#, "{}", r#"{"No":1}"#, r#"{"Unit":1}"#]
        {
            assert!(read::<Shape>(json).is_err(), "{json}");
            assert!(serde_json::from_str::<Shape>(json).is_err(), "{json}");
        }
        assert!(read::<BTreeMap<u8, u8>>(r#"{"256":1}"#).is_err());
        assert!(read::<BTreeMap<bool, u8>>(r#"{"yes":1}"#).is_err());
        assert!(read::<BTreeMap<Side, u8>>(r#"{"Up":1}"#).is_err());
        assert!(format!("{:?}", read::<u8>("-1").unwrap_err()).starts_with("DecodeError("));
    }

    #[test]
    fn strings_are_borrowed_where_they_can_be() {
        let plain: Plain<'_> = read(r#"{"name":"x","sizes":[1]}"#).unwrap();
        assert_eq!(plain, Plain { name: "x", sizes: [1].into() });
        assert!(read::<Plain<'_>>(r#"{"name":"\u0078"}"#).is_err());
    }

    #[test]
    fn an_error_says_where() {
        let at = |json| read::<Vec<Plain<'_>>>(json).unwrap_err().path();
        assert_eq!(at(r#"[{"name":"x"},{"name":"y","sizes":[1,"2"]}]"#), "[1].sizes[1]");
        assert_eq!(at(r#"[{"name":"x","nom":1}]"#), "[0].nom");
        assert_eq!(at(r#"[{"sizes":[]}]"#), "[0]");
        assert_eq!(at("1"), "");
        let error = read::<Vec<Plain<'_>>>(r#"[{"name":7}]"#).unwrap_err();
        assert_eq!(
            error.to_string(),
            "[0].name: invalid type: integer `7`, expected a borrowed string"
        );
    }

    #[test]
    fn parts_that_nobody_takes_are_an_error_not_a_shift() {
        assert!(read::<(u8, u8)>("[1,2,3]").is_err());
        assert!(read::<u8>("256").is_err());
        assert!(read::<Plain<'_>>(r#"["x",[1]]"#).is_err(), "fields without names");
        assert!(read::<f64>("1e999").is_err());
        assert!(read::<Shape>(r#"{"New":1,"Unit":null}"#).is_err());
        assert!(read::<Shape>("{}").is_err());
    }

    #[test]
    fn raw_parts_keep_their_digits_and_cannot_be_imitated() {
        #[derive(serde::Deserialize)]
        struct Outer {
            args: RawJson,
        }
        let outer: Outer = read(r#"{"x":1,"args": {"n":1.00,"m":[ ]} }"#).unwrap();
        assert_eq!(outer.args.as_str(), r#"{"n":1.00,"m":[ ]}"#);
        let odd: RawJson = read(r#"{"$mcp_proto::Raw":"[1]"}"#).unwrap();
        assert_eq!(odd.as_str(), r#"{"$mcp_proto::Raw":"[1]"}"#);
    }
}
