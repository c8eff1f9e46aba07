//! State as a value: what the snapshots of all machines have in common.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::marker::PhantomData;

use bytes::Bytes;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeStruct};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::Instant;

/// The version of the snapshots that this engine writes and reads. It changes with what a machine remembers.
pub const VERSION: u32 = 1;

/// Why a snapshot did not become a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestoreError {
    /// It was written by another version of the engine.
    Version {
        /// Its version.
        found: u32,
    },
    /// It is of another kind of machine, such as an endpoint where a connection is wanted.
    Machine {
        /// Of which, 64 bytes of it at most.
        found: String,
    },
    /// It is of the other side of a conversation.
    Role,
    /// The configuration that was given has not what the conversation needs.
    Config(&'static str),
    /// It holds more than the limits that were given allow.
    Limit(&'static str),
    /// It contradicts itself: no machine was ever in this state.
    Invalid(&'static str),
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { found } => {
                write!(f, "the snapshot has version {found}; this engine reads version {VERSION}")
            }
            Self::Machine { found } => {
                write!(f, "the snapshot is of another kind of machine: {found:?}")
            }
            Self::Role => f.write_str("the snapshot is of the other role"),
            Self::Config(what) => write!(f, "the configuration does not fit the snapshot: {what}"),
            Self::Limit(what) => write!(f, "the snapshot holds more than the limits allow: {what}"),
            Self::Invalid(what) => write!(f, "the snapshot contradicts itself: {what}"),
        }
    }
}

impl core::error::Error for RestoreError {}

/// Whether something holds that a machine relies on.
pub(crate) fn check(holds: bool, why: &'static str) -> Result<(), RestoreError> {
    if holds { Ok(()) } else { Err(RestoreError::Invalid(why)) }
}

/// Whether something can have been counted so far, so that counting on does not overflow.
pub(crate) fn check_count(count: u64) -> Result<(), RestoreError> {
    check(count < 1 << 62, "a counter that nobody can have counted to")
}

/// Whether there is no more of something than the limits allow.
pub(crate) fn check_limit(count: usize, max: usize, of: &'static str) -> Result<(), RestoreError> {
    if count <= max { Ok(()) } else { Err(RestoreError::Limit(of)) }
}

/// What a kind of machine remembers, with all moments counted from that of the snapshot.
pub(crate) trait State: Serialize + DeserializeOwned {
    /// The kind of machine.
    const MACHINE: &'static str;
}

/// A state with its version before it, so that what is of another one is told from what is broken.
#[derive(Clone, Debug)]
pub(crate) struct Envelope<S>(Result<Box<S>, RestoreError>);

impl<S: State> Envelope<S> {
    pub(crate) fn new(state: S) -> Self {
        Self(Ok(Box::new(state)))
    }

    /// The state, if it is one of this engine's.
    pub(crate) fn open(self) -> Result<S, RestoreError> {
        self.0.map(|state| *state)
    }
}

const FIELDS: &[&str] = &["format", "machine", "state"];

impl<S: State> Serialize for Envelope<S> {
    fn serialize<T: Serializer>(&self, serializer: T) -> Result<T::Ok, T::Error> {
        let state = self.0.as_ref().map_err(T::Error::custom)?;
        let mut envelope = serializer.serialize_struct("Snapshot", FIELDS.len())?;
        envelope.serialize_field("format", &VERSION)?;
        envelope.serialize_field("machine", S::MACHINE)?;
        envelope.serialize_field("state", &**state)?;
        envelope.end()
    }
}

impl<'de, S: State> Deserialize<'de> for Envelope<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("Snapshot", FIELDS, Opening(PhantomData))
    }
}

/// Reads an envelope: nothing is looked at whose version is not known.
struct Opening<S>(PhantomData<S>);

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Format,
    Machine,
    State,
    #[serde(other)]
    Other,
}

fn unknown_version(found: u32) -> Option<RestoreError> {
    (found != VERSION).then_some(RestoreError::Version { found })
}

fn unknown_machine<S: State>(found: &str) -> Option<RestoreError> {
    let bounded = found.get(..found.floor_char_boundary(64)).unwrap_or_default();
    (found != S::MACHINE).then(|| RestoreError::Machine { found: bounded.to_owned() })
}

impl<'de, S: State> Visitor<'de> for Opening<S> {
    type Value = Envelope<S>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a snapshot: format, machine and state, in this order")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Envelope<S>, A::Error> {
        let missing = |at| A::Error::invalid_length(at, &"a snapshot of three parts");
        let version = seq.next_element()?.ok_or_else(|| missing(0))?;
        let unknown = match unknown_version(version) {
            Some(unknown) => Some(unknown),
            None => {
                let machine: String = seq.next_element()?.ok_or_else(|| missing(1))?;
                unknown_machine::<S>(&machine)
            }
        };
        if let Some(unknown) = unknown {
            // Some formats want everything to be read, and others cannot leave out what they do not know.
            while let Ok(Some(IgnoredAny)) = seq.next_element() {}
            return Ok(Envelope(Err(unknown)));
        }
        let state = seq.next_element()?.ok_or_else(|| missing(2))?;
        Ok(Envelope(Ok(state)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Envelope<S>, A::Error> {
        let (mut version, mut machine, mut state) = (None::<u32>, None::<String>, None);
        let mut unknown = None;
        while let Some(field) = map.next_key()? {
            match field {
                _ if unknown.is_some() => map.next_value::<IgnoredAny>().map(drop)?,
                Field::Format if version.is_none() => {
                    let found = map.next_value()?;
                    (version, unknown) = (Some(found), unknown_version(found));
                }
                Field::Machine if version.is_some() && machine.is_none() => {
                    let found: String = map.next_value()?;
                    unknown = unknown_machine::<S>(&found);
                    machine = Some(found);
                }
                Field::State if machine.is_some() && state.is_none() => {
                    state = Some(map.next_value()?);
                }
                _ => return Err(A::Error::custom("a part of the snapshot is out of place")),
            }
        }
        match (unknown, state) {
            (Some(unknown), _) => Ok(Envelope(Err(unknown))),
            (None, Some(state)) => Ok(Envelope(Ok(state))),
            (None, None) => Err(A::Error::missing_field("state")),
        }
    }
}

/// What holds moments, all of which move together when a machine comes to another clock.
pub(crate) trait Moments {
    /// Shows each of them.
    fn moments(&mut self, visit: &mut dyn FnMut(&mut Instant));

    /// Moves them from one clock to another: what was `from` there is `to` here.
    fn rebase(&mut self, from: Instant, to: Instant) {
        self.moments(&mut |at| *at = at.rebased(from, to));
    }
}

impl Moments for Instant {
    fn moments(&mut self, visit: &mut dyn FnMut(&mut Instant)) {
        visit(self);
    }
}

impl<T: Moments + ?Sized> Moments for Box<T> {
    fn moments(&mut self, visit: &mut dyn FnMut(&mut Instant)) {
        (**self).moments(visit);
    }
}

impl<T: Moments> Moments for Option<T> {
    fn moments(&mut self, visit: &mut dyn FnMut(&mut Instant)) {
        self.iter_mut().for_each(|it| it.moments(visit));
    }
}

impl<T: Moments> Moments for Vec<T> {
    fn moments(&mut self, visit: &mut dyn FnMut(&mut Instant)) {
        self.iter_mut().for_each(|it| it.moments(visit));
    }
}

impl<T: Moments> Moments for VecDeque<T> {
    fn moments(&mut self, visit: &mut dyn FnMut(&mut Instant)) {
        self.iter_mut().for_each(|it| it.moments(visit));
    }
}

/// What goes by a number.
impl<N: Copy, T: Moments> Moments for (N, T) {
    fn moments(&mut self, visit: &mut dyn FnMut(&mut Instant)) {
        self.1.moments(visit);
    }
}

/// Says which fields of a struct hold moments and which do not: a new one cannot be forgotten.
macro_rules! moments {
    ($name:ty { $($moving:ident),* ; $($still:ident),* $(,)? }) => {
        impl crate::state::Moments for $name {
            fn moments(&mut self, visit: &mut dyn FnMut(&mut crate::time::Instant)) {
                let Self { $($moving,)* $($still: _,)* } = self;
                $(crate::state::Moments::moments($moving, visit);)*
            }
        }
    };
}
pub(crate) use moments;

/// What a snapshot holds in another form than its own, the same in every format: text formats round numbers, binary ones
/// do not say what they hold, and what comes in must be checked.
pub(crate) trait Kept: Sized {
    type Form: Serialize + DeserializeOwned;

    fn form(&self) -> Self::Form;

    /// Back from its form, or why that is none.
    fn of(form: Self::Form) -> Result<Self, &'static str>;
}

/// For `serde(with)`.
pub(crate) mod kept {
    use super::*;

    pub(crate) fn serialize<T: Kept, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.form().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T: Kept, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        T::of(T::Form::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// By its bits: text formats may round.
impl Kept for f64 {
    type Form = u64;

    fn form(&self) -> u64 {
        self.to_bits()
    }

    fn of(form: u64) -> Result<Self, &'static str> {
        Ok(Self::from_bits(form))
    }
}

impl<T: Kept> Kept for Option<T> {
    type Form = Option<T::Form>;

    fn form(&self) -> Self::Form {
        self.as_ref().map(T::form)
    }

    fn of(form: Self::Form) -> Result<Self, &'static str> {
        form.map(T::of).transpose()
    }
}

impl<T: Kept, E: Clone + Serialize + DeserializeOwned> Kept for Result<T, E> {
    type Form = Result<T::Form, E>;

    fn form(&self) -> Self::Form {
        self.as_ref().map(T::form).map_err(E::clone)
    }

    fn of(form: Self::Form) -> Result<Self, &'static str> {
        form.map(T::of).map_or_else(|error| Ok(Err(error)), |it| it.map(Ok))
    }
}

impl<T: Kept> Kept for Box<T> {
    type Form = T::Form;

    fn form(&self) -> T::Form {
        (**self).form()
    }

    fn of(form: T::Form) -> Result<Self, &'static str> {
        T::of(form).map(Self::new)
    }
}

impl<T: Kept, U: Kept> Kept for (T, U) {
    type Form = (T::Form, U::Form);

    fn form(&self) -> Self::Form {
        (self.0.form(), self.1.form())
    }

    fn of((one, other): Self::Form) -> Result<Self, &'static str> {
        Ok((T::of(one)?, U::of(other)?))
    }
}

impl<T: Kept> Kept for Vec<T> {
    type Form = Vec<T::Form>;

    fn form(&self) -> Self::Form {
        self.iter().map(T::form).collect()
    }

    fn of(form: Self::Form) -> Result<Self, &'static str> {
        form.into_iter().map(T::of).collect()
    }
}

impl<T: Kept> Kept for VecDeque<T> {
    type Form = Vec<T::Form>;

    fn form(&self) -> Self::Form {
        self.iter().map(T::form).collect()
    }

    fn of(form: Self::Form) -> Result<Self, &'static str> {
        form.into_iter().map(T::of).collect()
    }
}

impl Kept for Vec<u8> {
    type Form = Blob;

    fn form(&self) -> Blob {
        Blob(self.clone())
    }

    fn of(form: Blob) -> Result<Self, &'static str> {
        Ok(form.0)
    }
}

impl Kept for Bytes {
    type Form = Blob;

    fn form(&self) -> Blob {
        Blob(self.to_vec())
    }

    fn of(form: Blob) -> Result<Self, &'static str> {
        Ok(form.0.into())
    }
}

/// Bytes, in formats for people as text where they are one.
pub(crate) struct Blob(Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match core::str::from_utf8(&self.0) {
            Ok(text) if serializer.is_human_readable() => serializer.serialize_str(text),
            _ if serializer.is_human_readable() => serializer.collect_seq(&self.0),
            _ => serializer.serialize_bytes(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(Reading)
        } else {
            deserializer.deserialize_byte_buf(Reading)
        }
    }
}

/// Reads bytes in any form.
struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Blob;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes, as a text or one by one")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Blob, E> {
        Ok(Blob(text.as_bytes().to_vec()))
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Blob, E> {
        Ok(Blob(text.into_bytes()))
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Blob, E> {
        Ok(Blob(bytes.to_vec()))
    }

    fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Blob, E> {
        Ok(Blob(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Blob, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = seq.next_element()? {
            bytes.push(byte);
        }
        Ok(Blob(bytes))
    }
}
