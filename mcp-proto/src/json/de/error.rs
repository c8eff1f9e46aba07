//! What is wrong with a value, and where.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::de;

use super::super::{bounded, shown};

/// Why a value is not what was wanted, and where in it.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub struct DecodeError(Box<Fault>);

/// Boxed: what reads a value is compiled for each type and hands the error on at each step.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
struct Fault {
    why: String,
    /// Segments from the inside out.
    path: Vec<String>,
}

impl DecodeError {
    /// Where the fault is, such as `content[0].text`; empty for the value itself.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for segment in self.0.path.iter().rev() {
            if !path.is_empty() && !segment.starts_with('[') {
                path.push('.');
            }
            path.push_str(segment);
        }
        path
    }

    pub(super) fn new(why: &str) -> Self {
        Self::of(why.into())
    }

    fn of(why: String) -> Self {
        Self(Box::new(Fault { why, path: Vec::new() }))
    }

    pub(super) fn within(mut self, mut segment: String) -> Self {
        segment.truncate(bounded(&segment, MAX_SHOWN).len());
        self.0.path.push(segment);
        self
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.path.is_empty() {
            write!(f, "{}: ", bounded(&self.path(), MAX_SHOWN))?;
        }
        f.write_str(&self.0.why)
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
        Self::of(shown(&why, MAX_SHOWN))
    }
}

/// Bytes of a path or a reason: both are made of what a peer sent, and both may be sent back.
const MAX_SHOWN: usize = 256;

#[cfg(test)]
mod tests {
    use super::super::super::RawJson;
    use alloc::collections::BTreeMap;
    use alloc::format;
    use alloc::string::{String, ToString};

    #[test]
    fn what_is_wrong_is_said_in_few_words_however_long_it_is() {
        let long = "\u{301}".repeat(100_000);
        let json = RawJson::parse(format!("{{\"{long}\":{{\"a\":\"{long}\"}}}}")).unwrap();
        let error = json.decode::<BTreeMap<String, BTreeMap<String, u8>>>().unwrap_err();
        assert!(error.path().len() < 300, "{} bytes of path", error.path().len());
        let text = error.to_string();
        assert!(text.len() <= 2 * 256 + 2, "{} bytes", text.len());
        assert!(text.contains("invalid type: string"), "{text}");
    }
}
