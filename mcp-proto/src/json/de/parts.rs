//! What is open: its parts, and its end.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::key::Key;
use super::{DecodeError, Decoder, Quoted};

/// The parts of an open container.
pub(super) struct Parts<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    /// The key whose value comes next.
    key: Quoted<'de>,
    index: usize,
}

impl<'a, 'de> Parts<'a, 'de> {
    /// Goes into the container that begins here.
    pub(super) fn open(decoder: &'a mut Decoder<'de>) -> Self {
        decoder.cursor.at += 1;
        Self { decoder, key: Quoted::default(), index: 0 }
    }

    /// Whether another part comes; if so, the cursor is at its beginning.
    fn advance(&mut self) -> Result<bool, DecodeError> {
        self.decoder.cursor.separator();
        let next = self.decoder.cursor.peek().ok_or_else(Decoder::broken)?;
        Ok(!matches!(next, b'}' | b']'))
    }

    /// Goes to the value of the next member and keeps its key. Whether there is one.
    #[inline(never)]
    fn begin_member(&mut self) -> Result<bool, DecodeError> {
        let comes = self.advance()?;
        if comes {
            self.key = self.decoder.quoted()?;
            self.colon();
        }
        Ok(comes)
    }

    pub(super) fn end(&mut self, close: u8) -> Result<(), DecodeError> {
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

// Rare, and out of line: what is above them is compiled for each type.

#[cold]
#[inline(never)]
fn in_item(error: DecodeError, index: usize) -> DecodeError {
    error.within(alloc::format!("[{index}]"))
}

#[cold]
#[inline(never)]
fn in_member(error: DecodeError, key: Quoted<'_>) -> DecodeError {
    error.within(key.name())
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
        item.map(Some).map_err(|error| in_item(error, index))
    }
}

impl<'de> MapAccess<'de> for &mut Parts<'_, 'de> {
    type Error = DecodeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DecodeError> {
        if !self.begin_member()? {
            return Ok(None);
        }
        let name = seed.deserialize(Key(self.key));
        name.map(Some).map_err(|error| in_member(error, self.key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, DecodeError> {
        let key = self.key;
        seed.deserialize(&mut *self.decoder).map_err(|error| in_member(error, key))
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
        Deserializer::deserialize_any(&mut *self.decoder, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        Deserializer::deserialize_any(&mut *self.decoder, visitor)
    }
}
