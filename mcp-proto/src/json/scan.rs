//! The scanner: one pass over a text that validates it, bounds its depth and finds its ends.

use core::fmt;

use super::foreign;
use super::raw::Raw;
use super::string::{escape_len, find_special, is_ascii, read_hex, special_in_two_words, unescape};

/// Why a text is refused, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanError {
    /// What is wrong.
    pub kind: ScanErrorKind,
    /// Where, in bytes from the start.
    pub offset: usize,
}

/// What is wrong with a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ScanErrorKind {
    /// It is not JSON (RFC 8259).
    Syntax,
    /// It is not UTF-8.
    Utf8,
    /// It nests deeper than the limit. Stops stack exhaustion in whatever decodes it later.
    Depth,
    /// A key begins with `$serde_json::private::`. It would be rewritten by `serde_json::Value` in a
    /// build that has one of serde_json's special features switched on.
    PrivateKey,
    /// A string holds half a surrogate pair, which no Rust string can express.
    Surrogate,
}

/// However deep a caller allows, this is deeper than any decoder goes.
pub(super) const MAX_DEPTH: usize = 128;

/// Checks a whole text, and returns it without the whitespace around it.
pub(super) fn scan_value(bytes: &[u8], max_depth: usize) -> Result<&[u8], ScanError> {
    let mut scanner = Scanner::new(bytes, max_depth)?;
    scanner.whitespace();
    let start = scanner.at;
    let read = scanner.value(0);
    let end = scanner.at;
    scanner.finish(read)?;
    Ok(bytes.get(start..end).unwrap_or_default())
}

/// The length of the number that `text` begins with, by the grammar of RFC 8259; or where it breaks it.
pub(super) fn number_len(text: &[u8]) -> Result<usize, usize> {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len())
    };
    let some_digits = |from: usize| match digits(from) {
        end if end == from => Err(from),
        end => Ok(end),
    };
    let start = usize::from(text.first() == Some(&b'-'));
    let mut at = match text.get(start) {
        Some(b'0') => start + 1,
        _ => some_digits(start)?,
    };
    if text.get(at) == Some(&b'.') {
        at = some_digits(at + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(at) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        at = some_digits(at)?;
    }
    Ok(at)
}

/// The number that `text` begins with, and what is behind it.
#[inline]
pub(crate) fn number_at(text: &[u8]) -> Option<(Raw<'_>, &[u8])> {
    let (number, rest) = text.split_at_checked(number_len(text).ok()?)?;
    Some((Raw::scanned(number), rest))
}

/// The string that `text` begins with if it has no escapes, and what is behind it.
#[inline]
pub(crate) fn plain_string_at(text: &[u8]) -> Option<(Raw<'_>, &[u8])> {
    let (b'"', _) = text.split_first()? else { return None };
    let end = find_special(text, 1);
    let (string, rest) = text.split_at_checked(end + 1)?;
    string.ends_with(b"\"").then_some((Raw::scanned(string), rest))
}

/// Whether it is UTF-8: seeing that it is ASCII, as most is, is much cheaper than the general check.
#[inline]
pub(crate) fn is_utf8(bytes: &[u8]) -> bool {
    is_ascii(bytes) || core::str::from_utf8(bytes).is_ok()
}

/// Where the scan stands. It never recurses: what is open is a stack of bits. `None` is a syntax error at
/// `at`.
pub(super) struct Scanner<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) max_depth: usize,
    /// Whether the last string had escapes.
    pub(super) escaped: bool,
    /// The first fault that does not stop the scan: the text is JSON, but it is refused. Going on finds
    /// the id, so that the refusal can be told to whoever waits.
    refused: Option<ScanError>,
    /// The member of a frame that was begun last: its key, and whether that has escapes.
    pub(super) begun: Option<(&'a [u8], bool)>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8], max_depth: usize) -> Result<Self, ScanError> {
        // Most frames are ASCII, and seeing that is much cheaper than the general check.
        if !is_ascii(bytes)
            && let Err(error) = core::str::from_utf8(bytes)
        {
            return Err(ScanError { kind: ScanErrorKind::Utf8, offset: error.valid_up_to() });
        }
        Ok(Self {
            bytes,
            at: 0,
            max_depth: max_depth.min(MAX_DEPTH),
            escaped: false,
            refused: None,
            begun: None,
        })
    }

    /// One value, `depth` levels down.
    pub(super) fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'{' | b'[' => self.container(depth),
            first => self.scalar(first),
        }
    }

    #[inline(always)]
    fn scalar(&mut self, first: u8) -> Option<()> {
        match first {
            b'"' => self.string().map(|_| ()),
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => None,
        }
    }

    /// A container with all that is in it.
    #[inline(never)]
    fn container(&mut self, mut depth: usize) -> Option<()> {
        let base = depth;
        // One bit for each open container: 1 for an object. MAX_DEPTH bits.
        let mut open = 0_u128;
        loop {
            match self.peek()? {
                b'{' | b'[' if depth >= self.max_depth => {
                    self.refuse(ScanErrorKind::Depth, self.at);
                    self.skip_unread()?;
                }
                b'{' => {
                    if self.first_member()? {
                        (open, depth) = (open << 1 | 1, depth + 1);
                        self.key()?;
                        continue;
                    }
                }
                b'[' => {
                    self.at += 1;
                    self.whitespace();
                    if self.peek() != Some(b']') {
                        (open, depth) = (open << 1, depth + 1);
                        continue;
                    }
                    self.at += 1;
                }
                first => self.scalar(first)?,
            }
            // A value has ended: so may what is around it.
            loop {
                if depth == base {
                    return Some(());
                }
                self.whitespace();
                let in_object = open & 1 == 1;
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        self.whitespace();
                        if in_object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(b'}') if in_object => {}
                    Some(b']') if !in_object => {}
                    _ => return None,
                }
                self.at += 1;
                (open, depth) = (open >> 1, depth - 1);
            }
        }
    }

    /// Passes an opening brace: whether a member follows. If so, its key comes next.
    pub(super) fn first_member(&mut self) -> Option<bool> {
        self.at += 1;
        self.whitespace();
        let is_empty = self.peek() == Some(b'}');
        self.at += usize::from(is_empty);
        Some(!is_empty)
    }

    /// Passes what is behind a member: whether another follows. If so, its key comes next.
    pub(super) fn next_member(&mut self) -> Option<bool> {
        self.whitespace();
        let more = match self.peek() {
            Some(b',') => true,
            Some(b'}') => false,
            _ => return None,
        };
        self.at += 1;
        if more {
            self.whitespace();
        }
        Some(more)
    }

    /// A key and its colon, up to the value: its content. `escaped` tells of it.
    #[inline]
    pub(super) fn key(&mut self) -> Option<&'a [u8]> {
        // What machines write: a short name, nothing to decode, no whitespace.
        if let Some((b'"', text)) = self.bytes.get(self.at..)?.split_first()
            && let Some(length) = special_in_two_words(text)
            && let Some((key, [b'"', b':', b'!'..=0xFF, ..])) = text.split_at_checked(length)
            && key.first() != Some(&b'$')
        {
            self.escaped = false;
            self.at += length + 3;
            return Some(key);
        }
        self.any_key()
    }

    #[inline(never)]
    fn any_key(&mut self) -> Option<&'a [u8]> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let quote = self.at;
        let end = self.string()?;
        let content = self.bytes.get(quote + 1..end).unwrap_or_default();
        if self.escaped || content.first() == Some(&b'$') {
            self.refuse_private(content, quote);
        }
        self.whitespace();
        if self.peek() != Some(b':') {
            return None;
        }
        self.at += 1;
        self.whitespace();
        Some(content)
    }

    #[cold]
    fn refuse_private(&mut self, key: &[u8], quote: usize) {
        if is_private(key, self.escaped) {
            self.refuse(ScanErrorKind::PrivateKey, quote);
        }
    }

    /// A string from its opening quote: the position of the closing one. `escaped` tells of it.
    #[inline(always)]
    fn string(&mut self) -> Option<usize> {
        let start = self.at + 1;
        match self.bytes.get(start..).and_then(special_in_two_words) {
            Some(run) if self.bytes.get(start + run) == Some(&b'"') => {
                self.escaped = false;
                self.at = start + run + 1;
                Some(start + run)
            }
            _ => self.long_string(),
        }
    }

    #[inline(never)]
    fn long_string(&mut self) -> Option<usize> {
        let end = find_special(self.bytes, self.at + 1);
        self.at = end + 1;
        self.escaped = self.bytes.get(end) != Some(&b'"');
        if self.escaped { self.rest_of_string(end) } else { Some(end) }
    }

    /// The rest of a string from its first escape, or from what must not be in it.
    fn rest_of_string(&mut self, first: usize) -> Option<usize> {
        self.at = first;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Some(self.at - 1);
                }
                b'\\' => self.escape()?,
                _ => return None,
            }
            self.at = find_special(self.bytes, self.at);
        }
    }

    fn escape(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        self.at += match escape_len(rest) {
            Some(length) => length,
            None => {
                read_hex(rest)?;
                self.refuse(ScanErrorKind::Surrogate, self.at);
                6
            }
        };
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let rest = self.bytes.get(self.at..)?;
        match number_len(rest) {
            Ok(length) => {
                self.at += length;
                Some(())
            }
            Err(fault) => {
                self.at += fault;
                None
            }
        }
    }

    fn literal(&mut self, literal: &[u8]) -> Option<()> {
        if !self.bytes.get(self.at..).is_some_and(|rest| rest.starts_with(literal)) {
            return None;
        }
        self.at += literal.len();
        Some(())
    }

    /// Passes over a container that is too deep, by its brackets alone: it is refused whatever it holds.
    fn skip_unread(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
                None => return None,
            }
            self.at += 1;
            if depth == 0 {
                return Some(());
            }
        }
    }

    /// Nothing may follow what was read.
    pub(super) fn finish(&mut self, read: Option<()>) -> Result<(), ScanError> {
        self.whitespace();
        if read.is_none() || self.at < self.bytes.len() {
            let offset = self.at.min(self.bytes.len());
            return Err(ScanError { kind: ScanErrorKind::Syntax, offset });
        }
        self.refused.map_or(Ok(()), Err)
    }

    pub(super) fn whitespace(&mut self) {
        // What machines write has none.
        if let Some(b'!'..) = self.peek() {
            return;
        }
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn refuse(&mut self, kind: ScanErrorKind, offset: usize) {
        self.refused.get_or_insert(ScanError { kind, offset });
    }
}

/// Whether a key is one of serde_json's own, however it is escaped.
fn is_private(content: &[u8], escaped: bool) -> bool {
    // A key with half a surrogate pair cannot be read, and is refused for that.
    unescape(content, escaped).is_some_and(|key| foreign::is_token(&key))
}

impl fmt::Display for ScanErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Syntax => "not JSON",
            Self::Utf8 => "not UTF-8",
            Self::Depth => "nested too deeply",
            Self::PrivateKey => "a key reserved by serde_json",
            Self::Surrogate => "half a surrogate pair",
        })
    }
}

impl fmt::Display for ScanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)
    }
}

impl core::error::Error for ScanError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Option<ScanErrorKind> {
        scan_value(text.as_bytes(), 8).err().map(|error| error.kind)
    }

    #[test]
    fn depth_is_bounded_without_recursion() {
        assert_eq!(fault("[[[[[[[[1]]]]]]]]"), None);
        assert_eq!(fault("[[[[[[[[[1]]]]]]]]]"), Some(ScanErrorKind::Depth));
        let open = "[".repeat(1_000_000);
        assert_eq!(
            scan_value(open.as_bytes(), usize::MAX).unwrap_err().kind,
            ScanErrorKind::Syntax
        );
    }

    #[test]
    fn each_container_is_closed_by_its_own_bracket() {
        for bad in [r#"{"a":1]"#, "[1}", r#"[{"a":1]]"#, r#"{"a":[1}}"#, r#"[{"a":{"b":1]}]"#] {
            assert_eq!(fault(bad), Some(ScanErrorKind::Syntax), "{bad}");
        }
        assert_eq!(fault(r#"[{"a":{"b":[1]}}]"#), None);
    }

    #[test]
    fn an_error_names_the_byte_that_does_not_belong_there() {
        for (text, offset) in [("[12, 1.x]", 7), ("[-]", 2), ("[1e+]", 4), ("[1, 01]", 5)] {
            let error = scan_value(text.as_bytes(), 8).unwrap_err();
            assert_eq!((error.kind, error.offset), (ScanErrorKind::Syntax, offset), "{text}");
            assert_eq!(alloc::format!("{error}"), alloc::format!("not JSON at byte {offset}"));
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_refused_a_whole_one_is_not() {
        assert_eq!(fault(r#""\udc00\ud800""#), Some(ScanErrorKind::Surrogate));
        assert_eq!(fault(r#""\ud83d\ude00""#), None);
    }

    #[test]
    fn serde_jsons_own_keys_are_refused_at_any_depth_and_in_any_spelling() {
        for key in [
            "$serde_json::private::RawValue",
            r"\u0024serde_json::private::Number",
            r"$serde\u005fjson::private::",
        ] {
            assert_eq!(
                fault(&alloc::format!(r#"[{{"{key}":"1"}}]"#)),
                Some(ScanErrorKind::PrivateKey),
                "{key}"
            );
        }
        assert_eq!(fault(r#"{"$serde_json":1,"x":"$serde_json::private::RawValue"}"#), None);
    }

    #[test]
    fn what_is_not_json_is_not_json() {
        let bad = [
            "",
            " ",
            "{",
            "}",
            "[",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{1:1}",
            "01",
            "1.",
            ".1",
            "-",
            "+1",
            "1e",
            "1e+",
            "0x1",
            "NaN",
            "Infinity",
            "-Infinity",
            "tru",
            "nul",
            "\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\t\"",
            "\"\u{0}\"",
            "1 2",
            "{}{}",
            "[}",
            "{]",
            "//",
            "'a'",
            "{\"a\" 1}",
            "[1 2]",
        ];
        for text in bad {
            assert_eq!(fault(text), Some(ScanErrorKind::Syntax), "{text:?}");
            assert!(serde_json::from_str::<serde_json::Value>(text).is_err(), "{text:?}");
        }
        assert_eq!(
            scan_value(b"\"\xff\"", 8).unwrap_err(),
            ScanError { kind: ScanErrorKind::Utf8, offset: 1 }
        );
    }

    #[test]
    fn what_is_json_is_json() {
        let long = alloc::format!("\"{}\"", "é\\n".repeat(1000));
        let good = [
            "0",
            "-0",
            "1.5e-10",
            "123456789012345678901234567890",
            "null",
            "true",
            "false",
            "\"\"",
            "[]",
            "{}",
            "[[]]",
            "[{}]",
            "{\"\":{}}",
            " [ 1 , 2 ] ",
            "{\"a\":1,\"a\":2}",
            "\"\u{7f}\u{2028}\"",
            &long,
        ];
        for text in good {
            assert_eq!(fault(text), None, "{text:?}");
        }
        assert_eq!(scan_value(b" [1] ", 8).unwrap(), b"[1]");
    }
}
