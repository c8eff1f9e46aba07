//! The codec without an endpoint, for benchmarks and fuzz targets: what one message costs, and no table.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use crate::config::{Limits, Tolerance};
use crate::id::{ProgressToken, RequestId};
use crate::json::{self, EncodeError, Kind, Params, Raw, write_value};
use crate::method::Request;
use crate::types::Progress;
use crate::wire::{
    Head, Message, ProgressFields, ProgressLayout, read_message, write_head, write_progress,
};

/// One message that was read by itself, borrowed from its line.
#[derive(Debug)]
#[non_exhaustive]
pub enum Decoded<'a> {
    /// A progress notification, all of it read.
    #[non_exhaustive]
    Progress {
        /// The token.
        token: ProgressToken,
        /// The value.
        progress: f64,
        /// The value at which the work is done.
        total: Option<f64>,
        /// What is being done.
        message: Option<Cow<'a, str>>,
    },
    /// A request, its parameters not yet read.
    #[non_exhaustive]
    Request {
        /// Its id.
        id: RequestId,
        /// Its method.
        method: Cow<'a, str>,
        /// Its parameters, an object.
        params: Option<Parameters<'a>>,
    },
    /// A result, not yet read.
    #[non_exhaustive]
    Result {
        /// The id of the request.
        id: RequestId,
        /// The value.
        result: Raw<'a>,
    },
    /// Any other message.
    Other,
}

/// The parameters of a request. Its first members were found while the line was checked.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a>(Params<'a>);

impl<'a> Parameters<'a> {
    /// The first member of that name.
    pub fn get(&self, name: &str) -> Option<Raw<'a>> {
        self.0.get(name)
    }

    /// The whole object.
    pub fn raw(&self) -> Raw<'a> {
        self.0.raw()
    }
}

/// Reads lines as an endpoint of the default configuration does, and knows as it does how the peer lays
/// out its reports.
#[derive(Clone, Debug)]
pub struct Reader(ProgressLayout);

impl Reader {
    /// A reader that has read nothing yet.
    #[allow(clippy::new_without_default)] // as an endpoint has none
    pub fn new() -> Self {
        Self(ProgressLayout::unknown())
    }

    /// Reads one line, without its newline: all of it is checked. `None`: it is no message, or no progress
    /// notification that an endpoint would take.
    pub fn read<'a>(&mut self, line: &'a [u8], limits: &Limits) -> Option<Decoded<'a>> {
        if let Some(fields) = self.0.read(line) {
            return progress(&fields, limits);
        }
        long_way(line, limits, |fields| self.0.learn(line, fields))
    }
}

/// Reads one line by itself, the long way: nothing is known of the peer.
pub fn decode<'a>(line: &'a [u8], limits: &Limits) -> Option<Decoded<'a>> {
    long_way(line, limits, |_| ())
}

fn long_way<'a>(
    line: &'a [u8],
    limits: &Limits,
    learn: impl FnOnce(&ProgressFields<'a>),
) -> Option<Decoded<'a>> {
    Some(match read_message(line, limits, Tolerance::default()).ok()? {
        Message::Notification { method, params } if &*method == b"notifications/progress" => {
            let fields = ProgressFields::new(params.as_ref());
            learn(&fields);
            return progress(&fields, limits);
        }
        Message::Request { id, method, params } => {
            let method = match method {
                Cow::Borrowed(plain) => Cow::Borrowed(core::str::from_utf8(plain).ok()?),
                Cow::Owned(decoded) => Cow::Owned(String::from_utf8(decoded).ok()?),
            };
            Decoded::Request { id, method, params: params.map(Parameters) }
        }
        Message::Response { id, outcome: Ok(result) } => Decoded::Result { id, result },
        _ => Decoded::Other,
    })
}

fn progress<'a>(fields: &ProgressFields<'a>, limits: &Limits) -> Option<Decoded<'a>> {
    let number = |value: Raw<'_>| (value.kind() == Kind::Number).then(|| value.as_f64()).flatten();
    Some(Decoded::Progress {
        token: ProgressToken::read(fields.token?, limits.max_id_len).ok()?,
        progress: number(fields.progress?)?,
        total: fields.total.and_then(number),
        message: fields.message.and_then(Raw::as_str),
    })
}

/// Reads one line the short way, which only what machines write can go, and the long way: whether they find
/// the same. What cannot go the short way agrees.
pub fn ways_agree(line: &[u8], limits: &Limits) -> bool {
    json::ways_agree(line, limits.max_depth)
}

/// Reads a report as one whose layout was learned from another line, and the long way: whether they find the same. What is
/// not laid out in the same way agrees.
pub fn layouts_agree(learned_from: &[u8], line: &[u8], limits: &Limits) -> bool {
    let mut layout = ProgressLayout::unknown();
    let _ = long_way(learned_from, limits, |fields| layout.learn(learned_from, fields));
    let Some(short) = layout.read(line) else { return true };
    let mut long = None;
    let _ = long_way(line, limits, |fields| long = Some(*fields));
    long == Some(short)
}

/// Writes a progress notification, without a newline.
pub fn encode_progress(out: &mut Vec<u8>, token: &ProgressToken, progress: &Progress) {
    write_progress(out, token, progress);
}

/// Writes a request, without a newline and without what an era adds to it.
///
/// # Errors
///
/// [`EncodeError`]: the parameters cannot be written as JSON. What is in `out` then means nothing.
pub fn encode_request<Q: Request>(
    out: &mut Vec<u8>,
    id: &RequestId,
    params: &Q,
) -> Result<(), EncodeError> {
    write_head(out, Head::Request(id, Q::METHOD));
    write_value(out, params)?;
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::CallTool;

    #[test]
    fn what_is_written_is_read_again() {
        let mut out = Vec::new();
        let written = Progress::new(0.5).of(2.0).message("half \"of\" one");
        encode_progress(&mut out, &7.into(), &written);
        let read = decode(&out, &Limits::default());
        let Some(Decoded::Progress { token, progress, total, message }) = read else {
            panic!("{read:?}")
        };
        assert_eq!((token, progress, total), (7.into(), 0.5, Some(2.0)));
        assert_eq!(message, Some("half \"of\" one".into()));

        out.clear();
        encode_request(&mut out, &1.into(), &CallTool::new("resize")).unwrap();
        let read = decode(&out, &Limits::default());
        let Some(Decoded::Request { id, method, params }) = read else { panic!("{read:?}") };
        assert_eq!((id, &*method), (1.into(), "tools/call"));
        let name = params.and_then(|params| params.get("name")).and_then(Raw::as_str);
        assert_eq!(name, Some("resize".into()));

        let first = br#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1,"message":"a"}}"#;
        let mut broken = first.to_vec();
        broken[first.len() - 4] = 0xFF; // the message
        let mut reader = Reader::new();
        assert!(reader.read(first, &Limits::default()).is_some());
        assert!(reader.read(&broken, &Limits::default()).is_none(), "it is no UTF-8");
        assert!(layouts_agree(first, first, &Limits::default()));
        assert!(layouts_agree(first, &broken, &Limits::default()));

        let result = decode(br#"{"jsonrpc":"2.0","id":"a","result":{}}"#, &Limits::default());
        assert!(matches!(result, Some(Decoded::Result { .. })));
        assert!(decode(b"{}", &Limits::default()).is_none());
    }
}
