//! What a type shows of itself to whoever debugs.

use std::fmt::Debug;

/// It shows these parts, and not the secret of all these tests.
///
/// # Panics
///
/// If it does not.
#[track_caller]
pub fn shows(what: &impl Debug, parts: &[&str]) {
    let shown = format!("{what:?}");
    for part in parts {
        assert!(shown.contains(part), "{shown}");
    }
    assert!(!shown.contains("hunter2"), "it shows a secret: {shown}");
}
