//! Types of users: whatever serde can describe is written and read as serde_json would.

mod laws;

use std::collections::BTreeMap;

use arbitrary::{Arbitrary, Unstructured};
use mcp_proto::RawJson;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::laws::Given;
use crate::scanner::alike;

/// A first byte that is even: `arbitrary` reads a value from the rest. Every fourth: texts and JSON to build with.
/// Otherwise the rest is JSON for a value.
pub fn values(input: &[u8]) {
    let Some((mode, bytes)) = input.split_first() else { return };
    let mut unread = Unstructured::new(bytes);
    match mode % 4 {
        0 | 2 => Zoo::arbitrary(&mut unread).iter().for_each(write),
        3 => Given::arbitrary(&mut unread).iter().for_each(Given::check),
        _ => crate::types::check_json::<Zoo>(bytes),
    }
}

fn write(zoo: &Zoo) {
    // Its shortest text is no neighbour of its value as a double, so it is compared as what it is.
    let single = RawJson::of(&zoo.single).expect("a number or null");
    let read = single.as_str().parse().ok();
    assert_eq!(read, Some(zoo.single).filter(|single| single.is_finite()), "{single}");
    let theirs = serde_json::to_string(zoo);
    let ours = RawJson::of(zoo);
    let (theirs, ours) = match (theirs, ours) {
        (Ok(theirs), Ok(ours)) => (theirs, ours),
        (Err(_), Err(_)) => return,
        (theirs, ours) => panic!("{zoo:?}: serde_json {theirs:?}, we {ours:?}"),
    };
    let value = |json: &str| -> Option<Value> { serde_json::from_str(json).ok() };
    match (value(&theirs), value(ours.as_str())) {
        (Some(theirs), Some(ours)) => assert!(alike(&theirs, &ours), "{ours} is not {theirs}"),
        // A number for which serde_json has no room.
        (None, None) => {}
        (theirs, ours) => panic!("{zoo:?}: serde_json reads {theirs:?} and {ours:?}"),
    }
    crate::types::check_json::<Zoo>(theirs.as_bytes());
}

/// One of everything.
#[derive(Arbitrary, Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
struct Zoo {
    signed: (i8, i16, i32, i64),
    unsigned: (u8, u16, u32, u64),
    wide: Option<(i128, u128)>,
    #[serde(skip)]
    single: f32,
    double: f64,
    letter: char,
    text: String,
    truth: bool,
    nothing: (),
    marker: Marker,
    wrapped: Wrapped,
    pair: Pair,
    animals: Vec<Animal>,
    nested: Option<Box<Self>>,
    by_name: BTreeMap<String, Option<i32>>,
    by_number: BTreeMap<i64, u8>,
    by_count: BTreeMap<u8, u8>,
    by_truth: BTreeMap<bool, u8>,
    by_letter: BTreeMap<char, u8>,
    by_kind: BTreeMap<Kind, u8>,
    bytes: Octets,
    inner: Option<Tagged>,
    beside: Option<Adjacent>,
    either: Option<Untagged>,
    flat: Flat,
    #[serde(rename = "renamed \"field\"\n", skip_serializing_if = "Option::is_none")]
    renamed: Option<u8>,
}

#[derive(Arbitrary, Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Marker;

#[derive(Arbitrary, Clone, Debug, Default, Serialize, Deserialize)]
struct Wrapped(Option<u32>);

#[derive(Arbitrary, Clone, Debug, Default, Serialize, Deserialize)]
struct Pair(u8, String);

#[derive(Arbitrary, Clone, Debug, Serialize, Deserialize)]
enum Animal {
    Unit,
    Newtype(Option<i32>),
    Tuple(u8, String),
    Struct { legs: Option<u8>, weight: f64 },
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    First,
    SecondOfAll,
}

#[derive(Arbitrary, Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Tagged {
    Empty,
    Number { value: i64 },
    Marked(Marker2),
}

#[derive(Arbitrary, Clone, Debug, Serialize, Deserialize)]
struct Marker2 {
    mark: String,
}

#[derive(Arbitrary, Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    None,
    Some(u8, bool),
    Named { name: String },
}

#[derive(Arbitrary, Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    List(Vec<bool>),
}

#[derive(Arbitrary, Clone, Debug, Default, Serialize, Deserialize)]
struct Flat {
    own: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, i64>,
}

/// Bytes, which serde has a call of its own for.
#[derive(Arbitrary, Clone, Debug, Default)]
struct Octets(Vec<u8>);

impl Serialize for Octets {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self)
    }
}

impl Default for Zoo {
    fn default() -> Self {
        Self::arbitrary(&mut Unstructured::new(&[])).expect("zeros are a value")
    }
}
