//! What the `_meta` of a request says to the engine: `basic/index`, general fields.

use crate::json::{Params, Raw};
use crate::types::meta::{CLIENT_CAPABILITIES, LOG_LEVEL, PROGRESS_TOKEN, PROTOCOL_VERSION};

/// Its members that count, each the first of its name, found in one pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestMeta<'a> {
    pub(crate) progress_token: Option<Raw<'a>>,
    pub(crate) version: Option<Raw<'a>>,
    pub(crate) capabilities: Option<Raw<'a>>,
    pub(crate) log_level: Option<Raw<'a>>,
}

impl<'a> RequestMeta<'a> {
    pub(crate) fn of(params: Option<Params<'a>>) -> Self {
        let mut found = Self::default();
        let Some(meta) = params.and_then(|params| params.get("_meta")) else { return found };
        let mut members = meta.members();
        while let Some((name, escaped, value)) = members.next_raw() {
            if escaped {
                return Self::searched(meta);
            }
            for (known, slot) in [
                (PROGRESS_TOKEN, &mut found.progress_token),
                (PROTOCOL_VERSION, &mut found.version),
                (CLIENT_CAPABILITIES, &mut found.capabilities),
                (LOG_LEVEL, &mut found.log_level),
            ] {
                if name == known.as_bytes() {
                    slot.get_or_insert(value);
                }
            }
        }
        found
    }

    /// The same, name by name: the names may be written in any way.
    #[cold]
    fn searched(meta: Raw<'a>) -> Self {
        Self {
            progress_token: meta.get(PROGRESS_TOKEN),
            version: meta.get(PROTOCOL_VERSION),
            capabilities: meta.get(CLIENT_CAPABILITIES),
            log_level: meta.get(LOG_LEVEL),
        }
    }

    /// The revision that the request names, if that is a text.
    #[cfg(feature = "http")]
    pub(crate) fn version_text(&self) -> Option<alloc::borrow::Cow<'a, str>> {
        self.version.and_then(Raw::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn read(params: &str) -> [Option<alloc::string::String>; 4] {
        let params = Params::unnoted(Raw::parse(params.as_bytes(), 8).unwrap());
        let found = RequestMeta::of(Some(params));
        let searched = params.get("_meta").map(RequestMeta::searched).unwrap_or_default();
        assert_eq!(found, searched);
        [found.progress_token, found.version, found.capabilities, found.log_level]
            .map(|value| value.map(|value| format!("{value}")))
    }

    #[test]
    fn each_member_is_the_first_of_its_name_however_it_is_written() {
        let members = format!(
            r#""x":{{"progressToken":0}},"progressToken":1,"{LOG_LEVEL}":2,"progressToken":3,
               "{CLIENT_CAPABILITIES}":{{}},"{PROTOCOL_VERSION}":"v","{LOG_LEVEL}":4"#
        );
        let all = ["1", "\"v\"", "{}", "2"].map(|value| Some(value.into()));
        assert_eq!(read(&format!(r#"{{"_meta":{{{members}}},"_meta":{{}}}}"#)), all);
        let escaped = format!(r#"{{"_meta":{{"x\u0074":0,"progress\u0054oken":1,{members}}}}}"#);
        assert_eq!(read(&escaped), all);
        for other in [r#"{}"#, r#"{"_meta":[1]}"#, r#"{"_meta":{}}"#] {
            assert_eq!(read(other), [const { None }; 4]);
        }
        assert_eq!(RequestMeta::of(None), RequestMeta::default());
    }
}
