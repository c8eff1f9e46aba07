//! JSON to values: one pass over text that was validated before, raw values out of band.

mod error;
mod key;
mod parts;
mod tagged;

use alloc::borrow::Cow;
use alloc::string::String;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, Deserialize, Expected, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use super::foreign;
use super::raw::{Cursor, Raw};
use super::ser::{RAW, TAGGED};
use super::string::{find_end, unescape};
use parts::Parts;
use tagged::Tagged;

pub use error::DecodeError;

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

    fn number(&mut self) -> Result<Number, DecodeError> {
        let text = self.skip()?.number_text().unwrap_or_default();
        if let Ok(value) = text.parse() {
            return Ok(Number::Unsigned(value));
        }
        // `-0` is a float, as for serde_json: an integer would lose its sign.
        if let Ok(value @ ..0) = text.parse() {
            return Ok(Number::Signed(value));
        }
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Number::Float(value)),
            _ => Err(DecodeError::new("a number out of range")),
        }
    }

    /// Another kind of value comes than is wanted. It is passed over, for who makes do without: what is not would be
    /// found again and again.
    #[cold]
    #[inline(never)]
    fn mismatch(&mut self, wanted: &dyn Expected) -> DecodeError {
        let start = self.cursor.at;
        let error = self.unwanted(wanted);
        self.cursor.at = start;
        self.skip().err().unwrap_or(error)
    }

    fn unwanted(&mut self, wanted: &dyn Expected) -> DecodeError {
        let refuse = |found: Unexpected<'_>| de::Error::invalid_type(found, wanted);
        let described = match self.peek() {
            Ok(b'{') => Ok(refuse(Unexpected::Map)),
            Ok(b'[') => Ok(refuse(Unexpected::Seq)),
            Ok(b'n') => Ok(refuse(Unexpected::Unit)),
            Ok(first @ (b't' | b'f')) => Ok(refuse(Unexpected::Bool(first == b't'))),
            Ok(b'"') => {
                self.quoted().and_then(Quoted::read).map(|text| refuse(Unexpected::Str(&text)))
            }
            Ok(_) => self.number().map(|number| {
                refuse(match number {
                    Number::Unsigned(value) => Unexpected::Unsigned(value),
                    Number::Signed(value) => Unexpected::Signed(value),
                    Number::Float(value) => Unexpected::Float(value),
                })
            }),
            Err(error) => Err(error),
        };
        described.unwrap_or_else(|error| error)
    }
}

/// Values of one kind, and no other.
impl<'de> Decoder<'de> {
    fn only_bool<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.peek()? {
            first @ (b't' | b'f') => self.skip().and_then(|_| visitor.visit_bool(first == b't')),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn only_number<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.peek()? {
            b'-' | b'0'..=b'9' => match self.number()? {
                Number::Unsigned(value) => visitor.visit_u64(value),
                Number::Signed(value) => visitor.visit_i64(value),
                Number::Float(value) => visitor.visit_f64(value),
            },
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn only_string<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.peek()? {
            b'"' => self.quoted()?.visit(visitor),
            _ => Err(self.mismatch(&visitor)),
        }
    }

    fn only_array<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.peek()? != b'[' {
            return Err(self.mismatch(&visitor));
        }
        let mut items = Parts::open(self);
        let value = visitor.visit_seq(&mut items)?;
        items.end(b']')?;
        Ok(value)
    }

    fn only_object<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.peek()? != b'{' {
            return Err(self.mismatch(&visitor));
        }
        let mut members = Parts::open(self);
        let value = visitor.visit_map(&mut members)?;
        members.end(b'}')?;
        Ok(value)
    }
}

/// A number by the widest type of its kind.
enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

/// Methods for a type that can be read from one kind of value only: little is compiled for each such type.
macro_rules! only {
    ($($kind:ident: $($method:ident)*,)*) => { $($(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            self.$kind(visitor)
        }
    )*)* };
}

/// Integers for which no other method of a visitor has room; anything else is as it always is.
macro_rules! wide_integers {
    ($($method:ident => $visit:ident: $type:ty),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            self.peek()?;
            let start = self.cursor.at;
            match self.skip()?.number_text().map(str::parse::<$type>) {
                Some(Ok(value)) => visitor.$visit(value),
                _ => {
                    self.cursor.at = start;
                    self.only_number(visitor)
                }
            }
        })*
    };
}

impl<'de> de::Deserializer<'de> for &mut Decoder<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.peek()? {
            b'"' => self.only_string(visitor),
            b'{' => self.only_object(visitor),
            b'[' => self.only_array(visitor),
            b't' | b'f' => self.only_bool(visitor),
            b'n' => self.skip().and_then(|_| visitor.visit_unit()),
            _ => self.only_number(visitor),
        }
    }

    only! {
        only_bool: deserialize_bool,
        only_number: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
            deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64,
        only_string: deserialize_char deserialize_str deserialize_string deserialize_identifier,
        only_array: deserialize_seq,
        only_object: deserialize_map,
    }

    wide_integers! { deserialize_i128 => visit_i128: i128, deserialize_u128 => visit_u128: u128 }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.peek()? == b'n' {
            self.skip()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    /// Inlined, because the name is known where a type is read: of what is for other names nothing is left there.
    #[inline(always)]
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
        self.only_object(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.only_array(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.only_array(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.peek()? {
            b'"' => self.quoted()?.visit_variant(visitor),
            b'{' => {
                let mut variant = Parts::open(self);
                let value = visitor.visit_enum(&mut variant)?;
                variant.end(b'}')?;
                Ok(value)
            }
            _ => {
                self.skip()?;
                Err(DecodeError::new("neither the name of a variant nor an object with one member"))
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { bytes byte_buf unit unit_struct }
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

    fn visit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.read()? {
            Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
            Cow::Owned(text) => visitor.visit_string(text),
        }
    }

    /// As the name of a variant without content.
    fn visit_variant<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.read()? {
            Cow::Borrowed(name) => visitor.visit_enum(BorrowedStrDeserializer::new(name)),
            Cow::Owned(name) => visitor.visit_enum(name.into_deserializer()),
        }
    }

    /// As a segment of a path.
    fn name(self) -> String {
        self.read().map(Cow::into_owned).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::RawJson;
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    /// Makes do without what it cannot read.
    #[derive(Debug, PartialEq)]
    struct Perhaps<T>(Option<T>);

    impl<'de, T: Deserialize<'de>> Deserialize<'de> for Perhaps<T> {
        fn deserialize<D: de::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            Ok(Self(T::deserialize(from).ok()))
        }
    }

    #[test]
    fn what_is_not_wanted_is_passed_over_for_who_makes_do_without() {
        let all = r#"[null,true,[1,[2]],{"x":1},"s",1.5,7,"Unit"]"#;
        let numbers: Vec<Perhaps<u32>> = read(all).unwrap();
        let found: Vec<_> = numbers.iter().map(|one| one.0).collect();
        assert_eq!(found, [None, None, None, None, None, None, Some(7), None]);
        let shapes: Vec<Perhaps<Shape>> = read(r#"[null,true,[1,[2]],"s",7,"Unit"]"#).unwrap();
        assert_eq!(shapes.len(), 6);
        assert_eq!(shapes.last(), Some(&Perhaps(Some(Shape::Unit))));
        let members: BTreeMap<String, Perhaps<u8>> = read(r#"{"a":null,"b":[],"c":1}"#).unwrap();
        assert_eq!(members.len(), 3);
        assert_eq!(members.get("c"), Some(&Perhaps(Some(1))));
    }

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
    fn integers_are_read_at_their_full_width() {
        let text = format!("[{},{},7]", i128::MIN, u128::MAX);
        let read: (i128, u128, i128) = RawJson::parse(text).unwrap().decode().unwrap();
        assert_eq!(read, (i128::MIN, u128::MAX, 7));
        let text = format!("{{\"{}\":true}}", u128::MAX);
        let read: BTreeMap<u128, bool> = RawJson::parse(text).unwrap().decode().unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), [&u128::MAX]);
        for text in ["1.5", "-1", "\"1\"", "null", "340282366920938463463374607431768211456"] {
            assert!(RawJson::parse(text).unwrap().decode::<u128>().is_err(), "{text}");
        }
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
