//! Headers that repeat what the body says, so that a proxy need not read it: they must say the same.
//!
//! 2026-07-28 `basic/transports/streamable-http`, request headers and custom headers.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::super::names::{METHOD, NAME, TASK, VERSION, named_by};
use super::super::params::{self, Param, Unfit};
use super::super::value::decode;
use crate::era::unsupported;
use crate::error::ErrorObject;
use crate::json::{Doubled, Kind, Params, Raw, bounded};
use crate::revision::{Era, Revision, RevisionSet};
use crate::wire::RequestMeta;

/// Whether a header repeats what a body says.
pub(super) fn is_mirror(name: &HeaderName) -> bool {
    [&METHOD, &NAME].contains(&name) || name.as_str().starts_with(params::PREFIX)
}

/// A header that occurs twice: which of the two counts cannot be known, and a proxy may have looked at the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Twice;

/// The value of a header without the space around it.
pub(super) fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a [u8]>, Twice> {
    let mut values = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(<[u8]>::trim_ascii)),
        _ => Err(Twice),
    }
}

/// The revision that the header names, if it is one.
pub(super) fn version(headers: &HeaderMap) -> Result<Option<Result<Revision, ()>>, Twice> {
    let value = single(headers, &VERSION)?;
    let parse = |value| core::str::from_utf8(value).ok().and_then(Revision::parse).ok_or(());
    Ok(value.map(parse))
}

/// Whether the header names one version, known or not, or none.
pub(super) fn is_version_readable(headers: &HeaderMap) -> bool {
    single(headers, &VERSION).is_ok_and(|value| {
        value.is_none_or(|name| !name.is_empty() && name.iter().all(u8::is_ascii_graphic))
    })
}

/// What a request of the modern era says in its headers, beside its body.
pub(super) struct Mirror<'a> {
    pub(super) headers: &'a HeaderMap,
    pub(super) method: &'a [u8],
    pub(super) params: Option<Params<'a>>,
    pub(super) meta: RequestMeta<'a>,
    /// The arguments of tools that are repeated.
    pub(super) mirrored: &'a BTreeMap<String, Vec<Param>>,
    pub(super) served: RevisionSet,
}

impl Mirror<'_> {
    /// Checks what the endpoint cannot. The order is one that satisfies every row of the page: version header,
    /// `_meta`, the two compared, version served (the endpoint says so), method, name, arguments.
    pub(super) fn check(&self) -> Result<(), ErrorObject> {
        let version =
            self.single(&VERSION)?.ok_or_else(|| mismatch("MCP-Protocol-Version is missing"))?;
        let Some(named) = self.meta.version_text() else {
            return Err(self.without_version(version));
        };
        if self.meta.capabilities.is_none_or(|capabilities| capabilities.kind() != Kind::Object) {
            return Err(ErrorObject::invalid_params("_meta: clientCapabilities is not an object"));
        }
        if version != named.as_bytes() {
            return Err(mismatch("MCP-Protocol-Version is not the version in _meta"));
        }
        let known = Revision::parse(&named).filter(|revision| revision.era() == Era::Modern);
        if known.is_none_or(|revision| !self.served.contains(revision)) {
            return Ok(()); // the endpoint refuses it, and says what is served
        }
        match self.single(&METHOD)? {
            None => return Err(mismatch("Mcp-Method is missing")),
            Some(method) if method != self.method => {
                return Err(mismatch("Mcp-Method is not the method of the body"));
            }
            Some(_) => {}
        }
        self.check_name()?;
        self.check_params()
    }

    /// Why a request that names no version in `_meta` is refused. Whoever names one of the legacy era in the header goes on with
    /// the session of a server that was here before: so it hears which versions there are now.
    fn without_version(&self, version: &[u8]) -> ErrorObject {
        let header = core::str::from_utf8(version).ok().and_then(Revision::parse);
        match header.filter(|named| named.era() == Era::Legacy && self.meta.version.is_none()) {
            Some(legacy) => unsupported(self.served, legacy.as_str()),
            None => ErrorObject::invalid_params("_meta: protocolVersion is missing or no string"),
        }
    }

    fn single(&self, name: &HeaderName) -> Result<Option<&[u8]>, ErrorObject> {
        single(self.headers, name).map_err(|Twice| mismatch(&format!("{name} occurs twice")))
    }

    /// What the headers repeat. Of two the application may go by one, and whoever stands between by the other.
    fn param(&self, name: &str) -> Result<Option<Raw<'_>>, ErrorObject> {
        let param = self.params.map_or(Ok(None), |params| params.get_only(name));
        param.map_err(|Doubled| mismatch(&format!("{name} is in the body twice")))
    }

    fn check_name(&self) -> Result<(), ErrorObject> {
        let Some(named_by) = named_by(self.method) else { return Ok(()) };
        let name = self.param(named_by)?.and_then(Raw::as_str);
        let header = self.single(&NAME)?;
        match (name, header) {
            // What a task lacks is for the extension to say: nothing here makes its header a required one.
            (None, None) if named_by == TASK => Ok(()),
            (_, None) => Err(mismatch("Mcp-Name is missing")),
            (name, Some(header)) => match (decode(header), name) {
                (None, _) => Err(mismatch("Mcp-Name cannot be read")),
                (Some(header), Some(name)) if header == name => Ok(()),
                _ => Err(mismatch("Mcp-Name is not the name in the body")),
            },
        }
    }

    fn check_params(&self) -> Result<(), ErrorObject> {
        if self.method != b"tools/call" || self.mirrored.is_empty() {
            return Ok(());
        }
        let tool = self.param("name")?.and_then(Raw::as_str);
        let Some(params) = tool.and_then(|tool| self.mirrored.get(&*tool)) else { return Ok(()) };
        let arguments = self.param("arguments")?;
        for param in params {
            let name = &param.header;
            let argument = arguments.map_or(Ok(None), |arguments| param.of(arguments));
            let argument = argument.map_err(|unfit| match unfit {
                Unfit::Doubled => mismatch(&format!("{name}: its argument is in the body twice")),
                Unfit::Unsayable => mismatch(&format!("{name}: no header can say its argument")),
            })?;
            match (argument, self.single(name)?) {
                (None, None) => {}
                (Some(_), None) => return Err(mismatch(&format!("{name} is missing"))),
                (argument, Some(header)) => {
                    let header: Option<Cow<'_, str>> = decode(header);
                    let header =
                        header.ok_or_else(|| mismatch(&format!("{name} cannot be read")))?;
                    if !argument.is_some_and(|argument| argument.is_said_by(&header)) {
                        return Err(mismatch(&format!("{name} is not the argument in the body")));
                    }
                }
            }
        }
        Ok(())
    }
}

fn mismatch(why: &str) -> ErrorObject {
    ErrorObject::new(ErrorObject::HEADER_MISMATCH, bounded(why, 256))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_one_value_without_the_space_around_it() {
        let mut headers = HeaderMap::new();
        assert_eq!(single(&headers, &NAME), Ok(None));
        headers.append(NAME, HeaderValue::from_static("  a b\t"));
        assert_eq!(single(&headers, &NAME), Ok(Some(&b"a b"[..])));
        headers.append(NAME, HeaderValue::from_static("a b"));
        assert_eq!(single(&headers, &NAME), Err(Twice));
    }

    #[test]
    fn a_version_is_known_absent_or_neither() {
        let mut headers = HeaderMap::new();
        assert_eq!(version(&headers), Ok(None));
        for (value, known) in [
            ("2025-11-25", Ok(Revision::V2025_11_25)),
            (" 2026-07-28", Ok(Revision::V2026_07_28)),
            ("2026-07-29", Err(())),
            ("", Err(())),
        ] {
            headers.insert(VERSION, HeaderValue::from_static(value));
            assert_eq!(version(&headers), Ok(Some(known)), "{value}");
        }
        headers.append(VERSION, HeaderValue::from_static("2025-11-25"));
        assert_eq!(version(&headers), Err(Twice));
    }
}
