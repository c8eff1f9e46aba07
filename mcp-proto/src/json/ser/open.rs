//! What is open: its parts, and its end.

use alloc::vec::Vec;

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::super::foreign;
use super::super::write::{is_plain, write_checked_key, write_key};
use super::key::Key;
use super::{EncodeError, write_value};

/// What is open: an array or object, perhaps inside the object of an enum variant.
pub(super) struct Open<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
    /// Nothing for what stands for its one member.
    close: Option<u8>,
    in_variant: bool,
}

impl<'a> Open<'a> {
    #[inline]
    pub(super) fn new(out: &'a mut Vec<u8>, open: u8, close: u8) -> Self {
        out.push(open);
        Self { out, is_empty: true, close: Some(close), in_variant: false }
    }

    /// The one member of what stands for another value: there is nothing around it.
    #[inline]
    pub(super) fn bare(out: &'a mut Vec<u8>) -> Self {
        Self { out, is_empty: true, close: None, in_variant: false }
    }

    /// Of the variant `name`: `{"name":[…]}` or `{"name":{…}}`.
    pub(super) fn variant(out: &'a mut Vec<u8>, name: &str, open: u8, close: u8) -> Self {
        write_variant(out, name);
        Self { in_variant: true, ..Self::new(out, open, close) }
    }

    #[inline(always)]
    fn comma(&mut self) {
        if !core::mem::replace(&mut self.is_empty, false) {
            self.out.push(b',');
        }
    }

    pub(super) fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.comma();
        write_value(self.out, value)
    }

    /// Inlined, because the key is known where a type is written.
    #[inline(always)]
    fn member<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        if foreign::is_token(key) {
            return foreign::write(self.out, value);
        }
        self.key(key, is_plain(key));
        write_value(self.out, value)
    }

    /// Out of line, because it is the same for each member of each type.
    #[inline(never)]
    fn key(&mut self, key: &str, is_plain: bool) {
        self.comma();
        write_checked_key(self.out, key, is_plain);
    }

    #[inline(always)]
    pub(super) fn end(self) {
        if let Some(close) = self.close {
            self.out.push(close);
        }
        if self.in_variant {
            self.out.push(b'}');
        }
    }
}

pub(super) fn write_variant(out: &mut Vec<u8>, name: &str) {
    out.push(b'{');
    write_key(out, name);
}

/// One part, perhaps under a key, and the end.
macro_rules! open {
    ($trait:ident, $method:ident($($key:ident)?) => $part:ident) => {
        impl $trait for Open<'_> {
            type Ok = ();
            type Error = EncodeError;

            #[inline(always)]
            fn $method<T: Serialize + ?Sized>(
                &mut self,
                $($key: &'static str,)?
                value: &T,
            ) -> Result<(), EncodeError> {
                self.$part($($key,)? value)
            }

            #[inline]
            fn end(self) -> Result<(), EncodeError> {
                Open::end(self);
                Ok(())
            }
        }
    };
}

open!(SerializeSeq, serialize_element() => item);
open!(SerializeTuple, serialize_element() => item);
open!(SerializeTupleStruct, serialize_field() => item);
open!(SerializeTupleVariant, serialize_field() => item);
open!(SerializeStruct, serialize_field(key) => member);
open!(SerializeStructVariant, serialize_field(key) => member);

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
