//! What is wrong with a value, and where.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use serde::de;

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

    pub(super) fn new(why: &str) -> Self {
        Self { why: why.into(), path: Vec::new() }
    }

    pub(super) fn within(mut self, segment: impl FnOnce() -> String) -> Self {
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
