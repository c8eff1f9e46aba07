//! What a snapshot looks like belongs to its version: who changes the form raises the version, so that what an older
//! engine wrote is refused by its number and not misread.

use std::fmt;
use std::fs;
use std::path::Path;

use mcp_proto::snapshot::VERSION;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Holds the forms of some snapshots, as JSON, against the one that was written down for this version.
///
/// # Panics
///
/// If there is none, or if it is another one: then [`VERSION`] is to be raised, and the form that the message names
/// becomes the one of the new version.
pub fn assert_form<'a>(name: &str, snapshots: impl IntoIterator<Item = &'a str>) {
    let mut lines = Vec::new();
    for snapshot in snapshots {
        let mut reader = serde_json::Deserializer::from_str(snapshot);
        Form { path: String::new(), lines: &mut lines }.deserialize(&mut reader).unwrap();
    }
    let found = lines.join("\n") + "\n";
    let file = format!("{name}-{VERSION}.txt");
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/snapshots").join(&file);
    if fs::read_to_string(&known).ok().as_deref() != Some(&found) {
        let seen = std::env::temp_dir().join(&file);
        fs::write(&seen, found).unwrap();
        panic!(
            "the form of version {VERSION} is {}, found was {}",
            known.display(),
            seen.display()
        );
    }
}

/// Writes down each member in the order in which it is written, with the kinds of value that it has. Members of a table
/// count once.
struct Form<'a> {
    path: String,
    lines: &'a mut Vec<String>,
}

impl Form<'_> {
    fn at(&mut self, step: &str) -> Form<'_> {
        Form { path: format!("{}{step}", self.path), lines: self.lines }
    }

    fn leaf<E>(self, kind: &str) -> Result<(), E> {
        let line = format!("{} {kind}", self.path);
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Form<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Form<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.leaf("null")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.leaf("boolean")
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        self.leaf("number")
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        self.leaf("number")
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        self.leaf("number")
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.leaf("string")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self.at("[]"))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            // A number, where a build of serde_json keeps its digits.
            if name.starts_with("$serde_json") {
                map.next_value::<serde::de::IgnoredAny>()?;
                return self.leaf("number");
            }
            map.next_value_seed(self.at(&format!(".{name}")))?;
        }
        Ok(())
    }
}
