//! One line of a recording.

use alloc::vec::Vec;

use crate::json::{Raw, RawJson};
use crate::time::Instant;

/// What was read or written at once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk {
    /// The line of the recording, from 1.
    pub line: usize,
    /// When, from the start of the recording.
    pub at: Instant,
    /// Whether the client read it; else it wrote it.
    pub is_read: bool,
    /// The bytes. None at all: the server's output ended.
    pub bytes: Vec<u8>,
}

impl Chunk {
    /// A message with a mark of who said it, at the time of what came before.
    pub(super) fn read_line(text: &str, line: usize, at: Instant) -> Option<Self> {
        let (is_read, message) = match (text.strip_prefix("C:"), text.strip_prefix("S:")) {
            (Some(message), _) => (false, message),
            (None, Some(message)) => (true, message),
            (None, None) => return None,
        };
        Some(Self::message(is_read, message.trim().as_bytes(), line, at))
    }

    fn message(is_read: bool, message: &[u8], line: usize, at: Instant) -> Self {
        let mut bytes = message.to_vec();
        bytes.push(b'\n');
        Self { line, at, is_read, bytes }
    }

    /// Reads a line, where what came before was at `now`; else why that cannot be done.
    pub(super) fn read(json: &RawJson, line: usize, now: Instant) -> Result<Self, &'static str> {
        let time = json.get("time").and_then(Raw::as_f64).filter(|time| *time >= 0.0);
        let time = time.map(|time| Instant::from_nanos((time * 1e9) as u64));
        let text = |name| json.get(name).and_then(Raw::as_str);
        if let Some(message) = json.get("message") {
            let is_read = match text("from").as_deref() {
                Some("server") => true,
                Some("client") => false,
                _ => return Err("neither from the client nor from the server"),
            };
            return Ok(Self::message(is_read, message.as_bytes(), line, time.unwrap_or(now)));
        }
        let at = time.ok_or("no time")?;
        let is_read = match text("direction").as_deref() {
            Some("read") => true,
            Some("write") => false,
            _ => return Err("neither read nor write"),
        };
        let bytes = match (text("text"), text("base64")) {
            (Some(text), _) => text.into_owned().into_bytes(),
            (None, Some(digits)) => base64(&digits).ok_or("no base64")?,
            (None, None) if json.get("end").and_then(Raw::as_bool) == Some(true) => Vec::new(),
            (None, None) => return Err("neither text nor base64 nor end"),
        };
        Ok(Self { line, at, is_read, bytes })
    }
}

/// The bytes of base64 with padding: RFC 4648, section 4.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, count) = (bits << 6 | u32::from(value), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

#[test]
fn base64_is_that_of_rfc_4648() {
    for (text, bytes) in
        [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob")]
    {
        assert_eq!(base64(text), Some(bytes.as_bytes().to_vec()), "{text}");
    }
    assert_eq!(base64("+//+"), Some(Vec::from([0xfb, 0xff, 0xfe])));
    for bad in ["Z", "Zg", "Zg=", "Z===", "Zm9*", "Zm 9"] {
        assert_eq!(base64(bad), None, "{bad}");
    }
}
