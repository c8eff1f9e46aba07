//! Cases whose expectation we do not meet, each with its reason.

use serde::Deserialize;

/// One of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// The case.
    pub id: String,
    /// The revisions in which it is not met.
    #[serde(rename = "revision")]
    pub revisions: Vec<String>,
    /// What the engine does instead.
    pub does: String,
    /// The page of the specification that says why.
    pub page: String,
    /// Why.
    pub reason: String,
}

impl Exception {
    /// All of them.
    pub fn all() -> Vec<Self> {
        let text = include_str!("../../data/bad-input/exceptions.jsonl");
        let read =
            |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        text.lines().map(read).collect()
    }
}
