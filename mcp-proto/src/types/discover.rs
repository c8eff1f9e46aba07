//! What a server of the modern era says of itself: `server/discover`.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::ServerCapabilities;
use crate::method::Request;
use crate::role;

/// `server/discover`. The engine sends it as a probe and answers it by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Discover {}

/// What the server answers to [`Discover`]. Its identity travels in the result's `_meta`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DiscoverResult {
    /// The revisions that it serves, as wire strings.
    pub supported_versions: Vec<String>,
    /// What it offers.
    #[serde(default)]
    pub capabilities: ServerCapabilities,
    /// How to use the server, for a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// How long the answer may be kept, in milliseconds.
    #[serde(default)]
    pub ttl_ms: u64,
    /// Who may keep it: `public` or `private`.
    #[serde(default)]
    pub cache_scope: String,
}

impl DiscoverResult {
    pub(crate) fn new(
        supported_versions: Vec<String>,
        capabilities: ServerCapabilities,
        instructions: Option<String>,
    ) -> Self {
        // A server's own description does not change while it runs, but its next build may differ.
        Self {
            supported_versions,
            capabilities,
            instructions,
            ttl_ms: 0,
            cache_scope: "private".into(),
        }
    }
}

impl Request for Discover {
    const METHOD: &'static str = "server/discover";
    type Sender = role::Client;
    type Output = DiscoverResult;
}
