//! What the modern era puts on every message: `basic/index`, `_meta` (2026-07-28).

use alloc::vec::Vec;

use serde::Serialize;

use crate::json::{EncodeError, RawJson, write_value};
use crate::revision::Revision;
use crate::types::{ClientCapabilities, Implementation, LogLevel, meta};
use crate::wire::{Stamps, object_with_meta};

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
    /// All of it, as it follows what the application says.
    whole: Vec<u8>,
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
            capabilities: json(&capabilities.clone().for_revision(revision)),
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
        let mut stamp = Self { info: json(info), whole: Vec::new() };
        let mut whole = Vec::new();
        if stamp.put(&mut whole, &RawJson::empty_object()).is_ok() {
            whole.pop();
            stamp.whole = whole.split_off(1);
        }
        stamp
    }

    /// Members beside `_meta`: a result that does not say otherwise is complete.
    const BESIDE: [(&'static str, &'static [u8]); 1] = [("resultType", b"\"complete\"")];

    /// Writes a result, stamped.
    pub(crate) fn put<T: Serialize + ?Sized>(
        &self,
        out: &mut Vec<u8>,
        result: &T,
    ) -> Result<(), EncodeError> {
        let meta: [(&str, &[u8]); 1] = [(meta::SERVER_INFO, &self.info)];
        let stamps =
            Stamps { beside: &Self::BESIDE, meta: &meta, whole: &self.whole, ..Stamps::default() };
        object_with_meta(out, result, stamps)
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    // These types have string keys and finite numbers only, so writing them cannot fail.
    let _ = write_value(&mut out, value);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stamped_whole_is_stamped_as_member_by_member() {
        let whole = ServerStamp::new(&Implementation::new("s", "1"));
        let parts = ServerStamp { whole: Vec::new(), ..whole.clone() };
        for result in [
            r#"{}"#,
            r#"{"a":1}"#,
            r#"{"resultType":"x"}"#,
            r#"{"_meta":{"a":1},"b":2}"#,
            r#"{"_meta":{},"resultType":"x"}"#,
            r#"{"result\u0054ype":"x"}"#,
        ] {
            let result = RawJson::parse(result).unwrap();
            let written = |stamp: &ServerStamp| {
                let mut out = Vec::from(b"before");
                stamp.put(&mut out, &result).unwrap();
                out
            };
            assert_eq!(written(&whole), written(&parts), "{result}");
        }
        assert!(whole.whole.starts_with(b"\"resultType\":\"complete\",\"_meta\":{"));
    }
}
