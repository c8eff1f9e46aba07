//! The smallest pieces of output: numbers, strings, text that is JSON already.

use alloc::vec::Vec;
use core::fmt::Write;

use super::raw::Raw;
use super::string::find_special;

/// Writes an integer.
pub(crate) fn write_i64(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    write_u64(out, value.unsigned_abs());
}

/// Writes an integer without sign.
pub(crate) fn write_u64(out: &mut Vec<u8>, value: u64) {
    if value < 10 {
        return out.push(b'0' + value as u8);
    }
    if value < GROUP {
        let digits = eight_digits(value);
        let zeros = digits.trailing_zeros() / 8;
        let start = out.len();
        // A whole word is cheaper to append than so many bytes as there are digits.
        out.extend_from_slice(&((digits | ZEROS) >> (zeros * 8)).to_le_bytes());
        return out.truncate(start + 8 - zeros as usize);
    }
    // Recurses twice at most: a u64 has 20 digits.
    write_u64(out, value / GROUP);
    out.extend_from_slice(&(eight_digits(value % GROUP) | ZEROS).to_le_bytes());
}

/// What is above needs more than eight digits.
const GROUP: u64 = 100_000_000;

/// Eight times the digit `0`.
const ZEROS: u64 = u64::from_le_bytes(*b"00000000");

/// The digits of what is below [`GROUP`], one in each byte, the first in the lowest. Each step splits all lanes
/// at once, and divides by multiplying.
fn eight_digits(value: u64) -> u64 {
    let fours = (value / 10_000) | ((value % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007F_0000_007F;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000F_000F_000F_000F;
    tens | ((twos - tens * 10) << 8)
}

/// Integers up to here are exact in a float.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Writes a float so that it reads back the same: whole numbers without a fraction, as most peers do.
/// What JSON cannot express becomes `null`.
pub(crate) fn write_f64(out: &mut Vec<u8>, value: f64) {
    let magnitude = value.abs();
    // The cast saturates, so comparing back tells whether it was exact; -0.0 keeps its sign below.
    let whole = value as i64;
    if magnitude <= EXACT && whole as f64 == value && (whole != 0 || value.is_sign_positive()) {
        return write_i64(out, whole);
    }
    // Writing to a vector cannot fail.
    let _ = if !value.is_finite() {
        write!(Utf8(out), "null")
    } else if (1e-6..1e21).contains(&magnitude) || value == 0.0 {
        write!(Utf8(out), "{value}")
    } else {
        write!(Utf8(out), "{value:e}")
    };
}

/// Writes a string with its quotes.
pub(crate) fn write_str(out: &mut Vec<u8>, text: &str) {
    write_utf8(out, text.as_bytes());
}

/// Writes a text that is UTF-8 as a string.
pub(crate) fn write_utf8(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    let plain = find_special(text, 0);
    if plain == text.len() {
        out.extend_from_slice(text);
    } else {
        write_escaped(out, text, plain);
    }
    out.push(b'"');
}

#[inline(never)]
fn write_escaped(out: &mut Vec<u8>, text: &[u8], first: usize) {
    out.reserve(text.len());
    let (mut rest, mut plain) = (text, first);
    while let Some((run, behind)) = rest.split_at_checked(plain) {
        out.extend_from_slice(run);
        let Some((special, behind)) = behind.split_first() else { break };
        write_escape(out, *special);
        rest = behind;
        plain = find_special(rest, 0);
    }
}

/// Whether a name is short and stands for itself. Inlined, so that nothing is left to check of one in the program.
#[inline(always)]
pub(crate) fn is_plain(name: &str) -> bool {
    name.len() <= 16 && find_special(name.as_bytes(), 0) == name.len()
}

/// Writes a name and its colon.
#[inline(always)]
pub(crate) fn write_key(out: &mut Vec<u8>, name: &str) {
    write_checked_key(out, name, is_plain(name));
}

/// Writes a name of which it is known whether it [`is_plain`], and its colon.
#[inline]
pub(crate) fn write_checked_key(out: &mut Vec<u8>, name: &str, is_plain: bool) {
    if !is_plain {
        write_str(out, name);
        return out.push(b':');
    }
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

/// Writes what is JSON already.
pub(crate) fn write_raw(out: &mut Vec<u8>, raw: Raw<'_>) {
    // A line break between tokens would end the frame, so only text that has none is copied as it is.
    let bytes = raw.as_bytes();
    if memchr::memchr2(b'\n', b'\r', bytes).is_none() {
        out.extend_from_slice(bytes);
    } else {
        // Inside a string a line break is always escaped, so every one found here stands between tokens.
        out.extend(bytes.iter().copied().filter(|byte| !matches!(byte, b'\n' | b'\r')));
    }
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        0x08 => b'b',
        0x09 => b't',
        0x0A => b'n',
        0x0C => b'f',
        0x0D => b'r',
        _ => {
            let hex = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', hex(byte >> 4), hex(byte & 15)]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// Formats into a vector of bytes.
pub(super) struct Utf8<'a>(pub(super) &'a mut Vec<u8>);

impl Write for Utf8<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers_at_their_limits() {
        for value in [0, 1, -1, 9, -10, i64::MIN, i64::MAX] {
            assert_eq!(written(|out| write_i64(out, value)), alloc::format!("{value}"));
        }
        let powers = (0..20).map(|power| 10_u64.pow(power));
        for value in powers.flat_map(|power| [power - 1, power, power + 1, power / 7, power / 3]) {
            assert_eq!(written(|out| write_u64(out, value)), alloc::format!("{value}"));
        }
        assert_eq!(written(|out| write_u64(out, u64::MAX)), "18446744073709551615");
    }

    #[test]
    fn each_group_of_digits_is_written() {
        for value in (0..GROUP).step_by(997).chain(0..20_000) {
            let digits = eight_digits(value) | ZEROS;
            assert_eq!(digits.to_le_bytes(), *alloc::format!("{value:08}").as_bytes());
        }
    }

    #[test]
    fn floats_read_back_the_same() {
        let values = [
            0.1,
            -0.0,
            0.5,
            1e-7,
            1.5e300,
            f64::MIN_POSITIVE,
            f64::MAX,
            5e-324,
            1e21,
            123456.789,
            EXACT,
            -EXACT,
            EXACT + 2.0,
            1.0 / 3.0,
        ];
        for value in values {
            let text = written(|out| write_f64(out, value));
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits(), "{text}");
            assert!(serde_json::from_str::<f64>(&text).is_ok(), "{text}");
        }
        assert_eq!(written(|out| write_f64(out, 40.0)), "40");
        assert_eq!(written(|out| write_f64(out, 4_294_967_296.0)), "4294967296");
        assert_eq!(written(|out| write_f64(out, f64::NAN)), "null");
        assert_eq!(written(|out| write_f64(out, f64::INFINITY)), "null");
    }

    #[test]
    fn strings_are_escaped_as_serde_json_escapes_them() {
        let every: String =
            (0..0x100).filter_map(char::from_u32).chain("完成😀\u{2028}".chars()).collect();
        assert_eq!(written(|out| write_str(out, &every)), serde_json::to_string(&every).unwrap());
    }

    #[test]
    fn line_breaks_between_tokens_never_reach_the_wire() {
        let raw = Raw::parse(b"{\r\n \"a\\n\" : [1,\n2]}", 8).unwrap();
        assert_eq!(written(|out| write_raw(out, raw)), "{ \"a\\n\" : [1,2]}");
    }
}
