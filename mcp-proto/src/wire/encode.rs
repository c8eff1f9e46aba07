//! Messages to bytes, written once, straight into the outbox.

use alloc::vec::Vec;

use serde::Serialize;

use crate::error::ErrorObject;
use crate::id::{ProgressToken, RequestId};
use crate::json::{
    EncodeError, Kind, Raw, write_f64, write_key, write_raw, write_str, write_utf8, write_value,
};
use crate::types::Progress;

/// What a message begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Head<'a> {
    Request(&'a RequestId, &'a str),
    Result(&'a RequestId),
}

/// Writes everything before the value of `params` or `result`; a `}` ends the message.
pub(crate) fn write_head(out: &mut Vec<u8>, head: Head<'_>) {
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"id\":");
    match head {
        Head::Request(id, method) => {
            id.write(out);
            out.extend_from_slice(b",\"method\":");
            write_str(out, method);
            out.extend_from_slice(b",\"params\":");
        }
        Head::Result(id) => {
            id.write(out);
            out.extend_from_slice(b",\"result\":");
        }
    }
}

/// Writes a whole notification.
pub(crate) fn write_notification<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    method: &str,
    params: &T,
) -> Result<(), EncodeError> {
    let start = out.len();
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",\"method\":");
    write_str(out, method);
    out.extend_from_slice(b",\"params\":");
    if let Err(error) = write_object(out, params) {
        out.truncate(start);
        return Err(error);
    }
    out.push(b'}');
    Ok(())
}

/// Writes a whole progress notification. The hottest message there is, so it is spelt out.
pub(crate) fn write_progress(out: &mut Vec<u8>, token: &ProgressToken, progress: &Progress) {
    out.extend_from_slice(
        b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":",
    );
    token.write(out);
    out.extend_from_slice(b",\"progress\":");
    write_f64(out, progress.progress);
    if let Some(total) = progress.total {
        out.extend_from_slice(b",\"total\":");
        write_f64(out, total);
    }
    if let Some(message) = &progress.message {
        out.extend_from_slice(b",\"message\":");
        write_utf8(out, message.as_utf8());
    }
    out.extend_from_slice(b"}}");
}

/// Writes a whole error response.
pub(crate) fn write_error(out: &mut Vec<u8>, id: ErrorId<'_>, error: &ErrorObject) {
    out.extend_from_slice(b"{\"jsonrpc\":\"2.0\",");
    match id {
        ErrorId::Known(id) => {
            out.extend_from_slice(b"\"id\":");
            id.write(out);
            out.push(b',');
        }
        ErrorId::Null => out.extend_from_slice(b"\"id\":null,"),
        ErrorId::Absent => {}
    }
    out.extend_from_slice(b"\"error\":{\"code\":");
    crate::json::write_i64(out, error.code);
    out.extend_from_slice(b",\"message\":");
    write_str(out, &error.message);
    if let Some(data) = &error.data {
        out.extend_from_slice(b",\"data\":");
        write_raw(out, data.as_raw());
    }
    out.extend_from_slice(b"}}");
}

/// The id of an error response.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ErrorId<'a> {
    Known(&'a RequestId),
    /// Unreadable, said with `null`, as JSON-RPC has it.
    Null,
    /// Unreadable, said by leaving the id out, as the newer revisions have it.
    Absent,
}

/// Writes `value`, which must be an object (or nothing, which is the empty object).
fn write_object<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Result<(), EncodeError> {
    let start = out.len();
    write_value(out, value)?;
    match out.get(start..) {
        Some([b'{', ..]) => Ok(()),
        Some(b"null") => {
            out.truncate(start);
            out.extend_from_slice(b"{}");
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(EncodeError::not_an_object())
        }
    }
}

/// Members to be added to an object that the application wrote.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stamps<'a> {
    /// Members beside `_meta`, already JSON: `"name":value`. They yield to the application's own.
    pub(crate) beside: &'a [(&'a str, &'a [u8])],
    /// Members of `_meta`, already JSON. They win over the application's own.
    pub(crate) meta: &'a [(&'a str, &'a [u8])],
    /// More members of `_meta`, from the caller: an object. The application's own yield to them.
    pub(crate) more: Option<Raw<'a>>,
    /// Members of `_meta` that the application cannot say: where they are not in `meta` there are none.
    pub(crate) reserved: &'a [&'a str],
    /// `beside` and `meta` as they are added to an object that has none of them; empty where that was not written before.
    pub(crate) whole: &'a [u8],
}

/// Writes `value` as an object with `stamps` added; every other key of its `_meta` is kept.
pub(crate) fn object_with_meta<T: Serialize + ?Sized>(
    out: &mut Vec<u8>,
    value: &T,
    stamps: Stamps<'_>,
) -> Result<(), EncodeError> {
    let start = out.len();
    write_object(out, value)?;
    stamp(out, start, stamps);
    Ok(())
}

/// Adds to the object that was written from `start` on; compiled once for values of all types.
fn stamp(out: &mut Vec<u8>, start: usize, stamps: Stamps<'_>) {
    let more =
        stamps.more.filter(|more| more.kind() == Kind::Object && more.members().next().is_some());
    let is_plain = stamps.beside.is_empty() && stamps.meta.is_empty() && more.is_none();
    if is_plain && !has_reserved(out.get(start..).unwrap_or_default(), stamps.reserved) {
        return;
    }
    let written = out.get(start..).unwrap_or_default();
    let (mut own_meta, mut is_empty, mut own) = (false, true, 0_u32);
    for (name, _) in Raw::trusted(written).members() {
        is_empty = false;
        own_meta |= name == "_meta";
        for (n, stamp) in stamps.beside.iter().enumerate() {
            own |= u32::from(name == stamp.0) << n;
        }
    }
    let beside = stamps.beside.iter().enumerate();
    let beside = beside.filter(|(n, _)| own & (1 << n) == 0).map(|(_, stamp)| stamp);
    if own_meta {
        // Rare: the application has metadata of its own, so its object is written again without it.
        let own: Vec<u8> = written.into();
        let own = Raw::trusted(&own);
        out.truncate(start);
        out.push(b'{');
        for (name, value) in own.members().filter(|(name, _)| name != "_meta") {
            member(out, &name, value.as_bytes());
        }
        for (name, json) in beside {
            member(out, name, json);
        }
        meta(out, own.get("_meta"), more, &stamps);
    } else {
        // The usual case: everything is appended before the closing brace.
        out.pop();
        if is_empty {
            out.truncate(start + 1);
        } else {
            out.push(b',');
        }
        if own == 0 && more.is_none() && !stamps.whole.is_empty() {
            out.extend_from_slice(stamps.whole);
        } else {
            for (name, json) in beside {
                member(out, name, json);
            }
            meta(out, None, more, &stamps);
        }
    }
    if out.ends_with(b",") {
        out.pop();
    }
    out.push(b'}');
}

/// Whether an object has one of these in its `_meta`.
fn has_reserved(written: &[u8], reserved: &[&str]) -> bool {
    // Most have no `_meta`, and are not read for that.
    let may_begin = |at: usize| {
        let rest = written.get(at..).unwrap_or_default();
        rest.starts_with(b"_meta\"") || rest.starts_with(b"\\u")
    };
    if reserved.is_empty() || !memchr::memchr2_iter(b'_', b'\\', written).any(may_begin) {
        return false;
    }
    let own = Raw::trusted(written).get("_meta");
    own.is_some_and(|own| own.members().any(|(name, _)| reserved.contains(&&*name)))
}

/// Writes the `_meta` member and a comma, unless there is nothing in it.
fn meta(out: &mut Vec<u8>, own: Option<Raw<'_>>, more: Option<Raw<'_>>, stamps: &Stamps<'_>) {
    let Stamps { meta: stamps, reserved, .. } = stamps;
    if own.is_none() && more.is_none() && stamps.is_empty() {
        return;
    }
    out.extend_from_slice(b"\"_meta\":{");
    let stamped =
        |name: &str| stamps.iter().any(|(stamp, _)| *stamp == name) || reserved.contains(&name);
    let added = |name: &str| more.is_some_and(|more| more.get(name).is_some());
    if let Some(own) = own {
        for (name, value) in own.members().filter(|(name, _)| !stamped(name) && !added(name)) {
            member(out, &name, value.as_bytes());
        }
    }
    if let Some(more) = more {
        for (name, value) in more.members().filter(|(name, _)| !stamped(name)) {
            member(out, &name, value.as_bytes());
        }
    }
    for (name, json) in *stamps {
        member(out, name, json);
    }
    if out.ends_with(b",") {
        out.pop();
    }
    out.extend_from_slice(b"},");
}

/// Writes one member and a comma.
#[inline(never)]
fn member(out: &mut Vec<u8>, name: &str, json: &[u8]) {
    write_key(out, name);
    write_raw(out, Raw::trusted(json));
    out.push(b',');
}
