//! A frame's members: what makes it a JSON-RPC message, found in the one pass that validates it.

use alloc::borrow::Cow;

use super::plain::read_plain;
use super::raw::Raw;
use super::scan::{MAX_DEPTH, ScanError, Scanner};
use super::string::unescape;

/// The members of a frame that make it a JSON-RPC message: spans, not yet read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) shape: Shape,
    pub(crate) jsonrpc: Option<Raw<'a>>,
    pub(crate) id: Option<Raw<'a>>,
    pub(crate) method: Option<Raw<'a>>,
    pub(crate) params: Option<Params<'a>>,
    pub(crate) result: Option<Raw<'a>>,
    pub(crate) error: Option<Raw<'a>>,
    /// One of the above occurs twice; the first is kept.
    pub(crate) duplicate: bool,
}

/// The parameters of a message, and their first members, noted while the scanner passed over them: the
/// hot messages have no more, so they are read in one pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Params<'a> {
    raw: Raw<'a>,
    noted: [(&'a [u8], Raw<'a>); NOTED],
    /// How many of `noted` are members; more than there is room for means that some are not noted.
    count: usize,
}

const NOTED: usize = 4;

/// What a frame is at the top.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    Object,
    Array,
    #[default]
    Scalar,
}

/// Reads a whole frame into `frame`. If it is refused, what could be read of it is there all the same;
/// after a syntax error that means nothing.
pub(crate) fn scan_frame<'a>(
    bytes: &'a [u8],
    max_depth: usize,
    frame: &mut Frame<'a>,
) -> Result<(), ScanError> {
    let scanner = Scanner::new(bytes, max_depth)?;
    if read_plain(bytes, max_depth, frame).is_some() {
        return Ok(());
    }
    *frame = Frame::default();
    scan_any(scanner, frame)
}

/// Reads how a frame begins that is cut off somewhere. What could be read of it is in `frame`; the member that it is cut in
/// is returned.
#[cold]
pub(crate) fn scan_head<'a>(
    head: &'a [u8],
    max_depth: usize,
    frame: &mut Frame<'a>,
) -> Option<Cow<'a, str>> {
    // It may be cut in the middle of a character.
    let head = match core::str::from_utf8(head) {
        Err(error) if error.error_len().is_none() => head.get(..error.valid_up_to())?,
        _ => head,
    };
    let mut scanner = Scanner::new(head, max_depth).ok()?;
    match scanner.frame(frame) {
        Some(()) => None,
        None => scanner.begun.map(|(key, escaped)| unescape(key, escaped).unwrap_or_default()),
    }
}

#[cold]
fn scan_any<'a>(mut scanner: Scanner<'a>, frame: &mut Frame<'a>) -> Result<(), ScanError> {
    let read = scanner.frame(frame);
    scanner.finish(read)
}

/// Whether the short way, if it can be gone, and the long way find the same in a frame.
#[cfg(any(test, feature = "codec"))]
pub(crate) fn ways_agree(bytes: &[u8], max_depth: usize) -> bool {
    let (mut short, mut long) = (Frame::default(), Frame::default());
    let Ok(scanner) = Scanner::new(bytes, max_depth) else { return true };
    let long_way = scan_any(scanner, &mut long);
    read_plain(bytes, max_depth, &mut short).is_none() || (long_way.is_ok() && short == long)
}

impl<'a> Scanner<'a> {
    fn frame(&mut self, frame: &mut Frame<'a>) -> Option<()> {
        self.whitespace();
        match self.peek() {
            Some(b'{') if self.max_depth > 0 => {
                frame.shape = Shape::Object;
                self.members(frame)?;
            }
            Some(b'[') => {
                frame.shape = Shape::Array;
                // Each item may be as deep as a frame of its own.
                self.max_depth = (self.max_depth + 1).min(MAX_DEPTH);
                self.value(0)?;
            }
            _ => {
                frame.shape = Shape::Scalar;
                self.value(0)?;
            }
        }
        Some(())
    }

    /// The members of the frame, up to and with the closing brace.
    fn members(&mut self, frame: &mut Frame<'a>) -> Option<()> {
        let mut more = self.first_member()?;
        while more {
            let key = self.key()?;
            let escaped = self.escaped;
            self.begun = Some((key, escaped));
            let from = self.at;
            match (key, self.peek()) {
                (b"params", Some(b'{')) if self.max_depth > 1 => {
                    if frame.params.is_some() {
                        frame.duplicate = true;
                        self.value(1)?;
                    } else {
                        self.params(frame.params.insert(Params::none()))?;
                    }
                }
                _ => {
                    self.value(1)?;
                    let value = self.raw_from(from);
                    if escaped {
                        // `"\u0069d"` is `id` to every other reader, so it is to us.
                        frame.take(unescape(key, true).unwrap_or_default().as_bytes(), value);
                    } else {
                        frame.take(key, value);
                    }
                }
            }
            more = self.next_member()?;
        }
        Some(())
    }

    /// The parameters, with a note of their first members.
    fn params(&mut self, params: &mut Params<'a>) -> Option<()> {
        let start = self.at;
        let mut more = self.first_member()?;
        while more {
            let key = self.key()?;
            let escaped = self.escaped;
            let from = self.at;
            self.value(2)?;
            params.note(key, self.raw_from(from));
            if escaped {
                // It may be any name, so the notes no longer tell all.
                params.count += NOTED + 1;
            }
            more = self.next_member()?;
        }
        params.end(self.raw_from(start));
        Some(())
    }

    fn raw_from(&self, start: usize) -> Raw<'a> {
        Raw::scanned(self.bytes.get(start..self.at).unwrap_or_default())
    }
}

impl<'a> Frame<'a> {
    #[inline]
    pub(super) fn take(&mut self, key: &[u8], value: Raw<'a>) {
        let slot = match key {
            b"jsonrpc" => &mut self.jsonrpc,
            b"id" => &mut self.id,
            b"method" => &mut self.method,
            b"params" => {
                // No object, or found under an escaped key.
                self.duplicate |= self.params.is_some();
                self.params.get_or_insert_with(|| Params::unnoted(value));
                return;
            }
            b"result" => &mut self.result,
            b"error" => &mut self.error,
            _ => return,
        };
        if slot.is_some() {
            self.duplicate = true;
        } else {
            *slot = Some(value);
        }
    }
}

impl<'a> Params<'a> {
    /// Parameters of which nothing was noted.
    pub(crate) fn unnoted(raw: Raw<'a>) -> Self {
        Self { raw, noted: Default::default(), count: NOTED + 1 }
    }

    /// Parameters of which nothing is known yet.
    pub(super) fn none() -> Self {
        Self { count: 0, ..Self::unnoted(Raw::default()) }
    }

    /// Notes the next member.
    #[inline]
    pub(super) fn note(&mut self, key: &'a [u8], value: Raw<'a>) {
        if let Some(note) = self.noted.get_mut(self.count) {
            *note = (key, value);
        }
        self.count += 1;
    }

    /// The end was reached, so the whole is known.
    pub(super) fn end(&mut self, raw: Raw<'a>) {
        self.raw = raw;
    }

    /// The whole value.
    pub(crate) fn raw(&self) -> Raw<'a> {
        self.raw
    }

    /// All members, if there are few enough that each was noted.
    pub(crate) fn all(&self) -> Option<&[(&'a [u8], Raw<'a>)]> {
        self.noted.get(..self.count)
    }

    /// The first member of that name.
    pub(crate) fn get(&self, name: &str) -> Option<Raw<'a>> {
        match self.all() {
            Some(noted) => {
                noted.iter().find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| *value)
            }
            None => self.raw.get(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scan::ScanErrorKind;
    use super::*;
    use alloc::string::String;

    fn scan(text: &[u8], max_depth: usize) -> (Frame<'_>, Option<ScanErrorKind>) {
        let mut frame = Frame::default();
        let error = scan_frame(text, max_depth, &mut frame).err();
        assert!(ways_agree(text, max_depth));
        (frame, error.map(|error| error.kind))
    }

    #[test]
    fn members_are_found_in_any_order_and_the_rest_is_passed_over() {
        let text = r#" {"params" : {"a":[1,{"id":9}]} ,"x":"\u00e9", "method":"m","jsonrpc":"2.0" ,"id": -1.5e3 } "#;
        let frame = scan(text.as_bytes(), 8).0;
        assert_eq!(frame.shape, Shape::Object);
        assert_eq!(frame.params.unwrap().raw().as_bytes(), br#"{"a":[1,{"id":9}]}"#);
        assert_eq!(frame.method.unwrap().as_bytes(), b"\"m\"");
        assert_eq!(frame.jsonrpc.unwrap().as_bytes(), b"\"2.0\"");
        assert_eq!(frame.id.unwrap().as_bytes(), b"-1.5e3");
        assert!(frame.result.is_none() && frame.error.is_none() && !frame.duplicate);
    }

    #[test]
    fn parameters_are_found_whether_they_were_noted_or_not() {
        for params in [
            r#"{"a":1,"b":{"c":2}}"#,
            r#"{ "x":0 , "y":0,"a": 1,"b":{"c":2} ,"z":0,"a":9}"#,
            r#"{"\u0061":1,"b":{"c":2}}"#,
            r#"{"b":{"c":2},"x":[{"a":3}],"\u0061":1}"#,
        ] {
            for frame in [r#"{"params":P}"#, r#"{"\u0070arams" : P }"#] {
                let text = frame.replace('P', params);
                let found = scan(text.as_bytes(), 8).0.params.unwrap();
                assert_eq!(found.raw().as_bytes(), params.as_bytes());
                assert_eq!(found.get("a").unwrap().as_bytes(), b"1", "{text}");
                assert_eq!(found.get("b").unwrap().as_bytes(), b"{\"c\":2}", "{text}");
                assert_eq!(found.get("c"), None);
            }
        }
        assert!(scan(br#"{"params":{},"\u0070arams":1}"#, 8).0.duplicate);
        assert!(scan(br#"{"params":1,"params":{}}"#, 8).0.duplicate);
        assert_eq!(scan(br#"{"params":{}}"#, 1).1, Some(ScanErrorKind::Depth));
    }

    #[test]
    fn a_name_with_an_escape_is_found_though_it_is_the_only_one() {
        let params = scan(br#"{"params":{"\u0061":1}}"#, 8).0.params.unwrap();
        assert_eq!(params.get("a").unwrap().as_bytes(), b"1");
    }

    #[test]
    fn an_item_of_a_batch_may_be_as_deep_as_a_message() {
        let deep = |text: &[u8], max_depth| scan(text, max_depth).1;
        let item = br#"{"a":[1]}"#;
        assert_eq!(deep(item, 2), None);
        assert_eq!(deep(br#"[{"a":[1]}]"#, 2), None);
        assert_eq!(deep(br#"[{"a":[[1]]}]"#, 2), Some(ScanErrorKind::Depth));
        // Nothing is nested at all where nothing may be.
        assert_eq!(deep(b"{}", 0), Some(ScanErrorKind::Depth));
        assert_eq!(deep(b"1", 0), None);
    }

    #[test]
    fn a_member_twice_is_seen_however_it_is_escaped() {
        let frame = scan(br#"{"id":1,"\u0069d":2}"#, 8).0;
        assert!(frame.duplicate);
        assert_eq!(frame.id.unwrap().as_bytes(), b"1");
    }

    #[test]
    fn the_id_behind_what_is_too_deep_is_still_found() {
        let deep =
            ["{\"params\":", &"[{\"a\":".repeat(5000), "\"]\"", &"}]".repeat(5000), ",\"id\":7}"]
                .concat();
        let (partial, refused) = scan(deep.as_bytes(), 64);
        assert_eq!(refused, Some(ScanErrorKind::Depth));
        assert_eq!(partial.id.unwrap().as_bytes(), b"7");
    }

    #[test]
    fn half_a_surrogate_pair_is_refused_but_does_not_hide_the_id() {
        let (partial, refused) = scan(br#"{"result":{"text":"\udc00\ud800"},"id":3}"#, 8);
        assert_eq!(refused, Some(ScanErrorKind::Surrogate));
        assert_eq!(partial.id.unwrap().as_bytes(), b"3");
    }

    #[test]
    fn every_prefix_of_a_frame_is_refused() {
        let text: String =
            r#"{"jsonrpc":"2.0","id":"a\u00e9","method":"m","params":{"n":[-1.5e3,true,null]}}"#
                .into();
        for end in 0..text.len() {
            assert!(scan(&text.as_bytes()[..end], 8).1.is_some(), "{end}");
        }
        assert!(scan(text.as_bytes(), 8).1.is_none());
    }
}
