//! What the modern era puts on every message: `basic/index`, `_meta` (2026-07-28).

use alloc::vec::Vec;

use serde::Serialize;

use crate::json::write_value;
use crate::revision::Revision;
use crate::types::{ClientCapabilities, Implementation, LogLevel, meta};

/// The `_meta` members of a client's requests, as JSON, written once.
#[derive(Clone, Debug)]
pub(crate) struct ClientStamp {
    version: Vec<u8>,
    capabilities: Vec<u8>,
    info: Vec<u8>,
    log_level: Vec<u8>,
}

/// What a server puts on its results, as JSON, written once.
#[derive(Clone, Debug)]
pub(crate) struct ServerStamp {
    info: Vec<u8>,
}

impl ClientStamp {
    pub(crate) fn new(
        revision: Revision,
        capabilities: &ClientCapabilities,
        info: &Implementation,
        log_level: Option<LogLevel>,
    ) -> Self {
        Self {
            version: json(revision.as_str()),
            capabilities: json(capabilities),
            info: json(info),
            log_level: log_level.map(|level| json(level.as_str())).unwrap_or_default(),
        }
    }

    /// The members, and how many of them there are.
    pub(crate) fn meta(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        [
            (meta::PROTOCOL_VERSION, &*self.version),
            (meta::CLIENT_CAPABILITIES, &*self.capabilities),
            (meta::CLIENT_INFO, &*self.info),
            (meta::LOG_LEVEL, &*self.log_level),
        ]
        .into_iter()
        .filter(|(_, json)| !json.is_empty())
    }
}

impl ServerStamp {
    pub(crate) fn new(info: &Implementation) -> Self {
        Self { info: json(info) }
    }

    /// Members beside `_meta`: a result that does not say otherwise is complete.
    pub(crate) const BESIDE: [(&'static str, &'static [u8]); 1] = [("resultType", b"\"complete\"")];

    pub(crate) fn meta(&self) -> [(&'static str, &[u8]); 1] {
        [(meta::SERVER_INFO, &self.info)]
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    // These types have string keys and finite numbers only, so writing them cannot fail.
    let _ = write_value(&mut out, value);
    out
}
