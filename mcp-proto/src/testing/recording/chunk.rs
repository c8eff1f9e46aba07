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
    /// The bytes. None at all: the server's output ended, or the client has closed the exchange.
    pub bytes: Vec<u8>,
    /// Over HTTP, which request of the client this was or came on; they are counted from 1.
    pub exchange: Option<u64>,
}

impl Chunk {
    /// A message with a mark of who said it, at the time of what came before.
    pub(super) fn read_line(text: &str, line: usize, at: Instant) -> Option<Self> {
        let (is_read, message) = match (text.strip_prefix("C:"), text.strip_prefix("S:")) {
            (Some(message), _) => (false, message),
            (None, Some(message)) => (true, message),
            (None, None) => return None,
        };
        let bytes = ended(message.trim().as_bytes());
        Some(Self { line, at, is_read, bytes, exchange: None })
    }

    /// Reads a line, where what came before was at `now`; else why that cannot be done.
    pub(super) fn read(json: &RawJson, line: usize, now: Instant) -> Result<Self, &'static str> {
        let time = json.get("time").and_then(Raw::as_f64).filter(|time| *time >= 0.0);
        let time = time.map(|time| Instant::from_nanos((time * 1e9) as u64));
        let text = |name| json.get(name).and_then(Raw::as_str);
        let message = json.get("message");
        let (from, direction) = (text("from"), text("direction"));
        let is_read = match (from.as_deref(), direction.as_deref()) {
            (Some("server"), _) | (None, Some("read")) => true,
            (Some("client"), _) | (None, Some("write")) => false,
            _ if from.is_some() || message.is_some() => {
                return Err("neither from the client nor from the server");
            }
            _ => return Err("neither read nor write"),
        };
        let at = time.or_else(|| message.map(|_| now)).ok_or("no time")?;
        let exchange = json.get("exchange").and_then(Raw::as_f64);
        let exchange = exchange.filter(|number| *number >= 1.0).map(|number| number as u64);
        let is_end = json.get("end").and_then(Raw::as_bool) == Some(true);
        let bytes = match (message, text("text"), text("base64")) {
            (Some(message), ..) => ended(message.as_bytes()),
            (None, Some(text), _) => text.into_owned().into_bytes(),
            (None, None, Some(digits)) => base64(&digits).ok_or("no base64")?,
            (None, None, None) if is_end => Vec::new(),
            (None, None, None) => return Err("neither text nor base64 nor end"),
        };
        Ok(Self { line, at, is_read, bytes, exchange })
    }
}

/// A message as a line.
fn ended(message: &[u8]) -> Vec<u8> {
    let mut bytes = message.to_vec();
    bytes.push(b'\n');
    bytes
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
