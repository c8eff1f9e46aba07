//! JSON strings: where they end, and what they say.

use alloc::borrow::Cow;
use alloc::string::String;

/// The first byte at or after `from` that ends a run of plain text inside a string: a quote, a backslash
/// or a control character; the length of `bytes` if there is none.
#[inline(always)]
pub(super) fn find_special(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    // Most names and many texts end in their first word.
    match rest.first_chunk() {
        Some(word) => match special_in_word(word) {
            Some(run) => from + run,
            None => from + 8 + special_behind(rest),
        },
        None => from + special_in_short(rest),
    }
}

/// As [`find_special`], for what is behind the first word.
#[inline(always)]
fn special_behind(text: &[u8]) -> usize {
    match (text.len(), text.last_chunk()) {
        // The last word overlaps the first, where there is none.
        (..=16, Some(last)) => {
            special_in_word(last).map_or(text.len(), |run| text.len() - 8 + run) - 8
        }
        _ => special_in_long(text.get(8..).unwrap_or_default()),
    }
}

/// As [`find_special`], for less than a word.
#[inline]
fn special_in_short(text: &[u8]) -> usize {
    if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
        let word =
            u64::from(u32::from_le_bytes(*head)) | u64::from(u32::from_le_bytes(*tail)) << 32;
        if specials(word) == 0 {
            return text.len();
        }
    }
    text.iter().position(is_special).unwrap_or(text.len())
}

/// As [`find_special`], if it is one of the first sixteen bytes.
#[inline]
pub(super) fn special_in_two_words(text: &[u8]) -> Option<usize> {
    let (first, rest) = text.split_first_chunk()?;
    special_in_word(first).or_else(|| Some(8 + special_in_word(rest.first_chunk()?)?))
}

/// So far one search looks ahead: what it finds there is found again if a control character comes first.
const WINDOW: usize = 256;

#[inline(never)]
fn special_in_long(text: &[u8]) -> usize {
    // A search for bytes costs more to begin than a few blocks do.
    let near = text.get(..WINDOW).unwrap_or(text);
    let mut at = plain_blocks::<64>(near);
    if at == WINDOW {
        return at + special_in_windows(text.get(at..).unwrap_or_default());
    }
    at += plain_blocks::<16>(near.get(at..).unwrap_or_default());
    let mut rest = near.get(at..).unwrap_or_default();
    while let Some((word, behind)) = rest.split_first_chunk() {
        if let Some(run) = special_in_word(word) {
            return at + run;
        }
        (at, rest) = (at + 8, behind);
    }
    at + special_in_short(rest)
}

#[inline(never)]
fn special_in_windows(text: &[u8]) -> usize {
    let mut at = 0;
    for window in text.chunks(WINDOW) {
        let end = memchr::memchr2(b'"', b'\\', window);
        let run = window.get(..end.unwrap_or(window.len())).unwrap_or_default();
        if has_control(run) {
            return at + run.iter().position(|byte| *byte < 0x20).unwrap_or(run.len());
        }
        at += run.len();
        if end.is_some() {
            break;
        }
    }
    at
}

/// Length of the blocks at the beginning in which nothing ends a run of plain text.
#[inline(always)]
fn plain_blocks<const N: usize>(text: &[u8]) -> usize {
    text.as_chunks::<N>().0.iter().take_while(|block| !has_special(block)).count() * N
}

/// Whether a byte of it ends a run of plain text. Compiles to a few vector instructions.
#[inline(always)]
fn has_special<const N: usize>(block: &[u8; N]) -> bool {
    // In each lane, the least of what is zero for a special byte alone.
    let mut least = [0xFF_u8; 16];
    for lanes in block.as_chunks::<16>().0 {
        least.iter_mut().zip(lanes).for_each(|(least, byte)| {
            let special = (byte ^ b'"').min(byte ^ b'\\').min(byte.saturating_sub(0x1F));
            *least = (*least).min(special);
        });
    }
    // Together, because lanes that are looked at in turn may be compiled to a branch for each.
    u128::from_ne_bytes(least.map(|least| if least == 0 { 0xFF } else { 0 })) != 0
}

/// Whether there is a control character.
fn has_control(run: &[u8]) -> bool {
    fold_lanes(run, 0xFF, u8::min).iter().any(|byte| *byte < 0x20)
}

/// As [`slice::is_ascii`], at half its cost for a message.
pub(super) fn is_ascii(text: &[u8]) -> bool {
    fold_lanes(text, 0, core::ops::BitOr::bitor).is_ascii()
}

/// Combines all bytes, sixteen lanes side by side: compiles to a few vector instructions. A byte may be
/// taken twice.
#[inline]
fn fold_lanes(bytes: &[u8], start: u8, combine: impl Fn(u8, u8) -> u8) -> [u8; 16] {
    let mut lanes = [start; 16];
    let mut add = |bytes: &[u8]| {
        lanes.iter_mut().zip(bytes).for_each(|(lane, byte)| *lane = combine(*lane, *byte));
    };
    let (blocks, tail) = bytes.as_chunks::<16>();
    blocks.iter().for_each(|block| add(block));
    // The last block overlaps the others.
    match bytes.last_chunk::<16>() {
        Some(last) => add(last),
        None => add(tail),
    }
    lanes
}

fn is_special(byte: &u8) -> bool {
    matches!(*byte, b'"' | b'\\' | 0..0x20)
}

/// The position of the first byte in `chunk` that ends a run of plain text, as for [`find_special`].
#[inline(always)]
pub(super) fn special_in_word(chunk: &[u8; 8]) -> Option<usize> {
    let special = specials(u64::from_le_bytes(*chunk));
    (special != 0).then(|| special.trailing_zeros() as usize / 8)
}

/// Sets the high bit of each byte of `word` that ends a run of plain text. Bits above the first may be
/// wrong.
fn specials(word: u64) -> u64 {
    // With this bit flipped, the quote stands right above the control characters, and nothing else does.
    let quote_or_control = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    (quote_or_control | backslash) & !word & HIGHS
}

/// The first quote or bracket at or after `from`; the length of `bytes` if there is none.
#[inline]
pub(super) fn find_structural(bytes: &[u8], from: usize) -> usize {
    let (words, tail) = bytes.get(from..).unwrap_or_default().as_chunks::<8>();
    let mut at = from;
    for chunk in words {
        let word = u64::from_le_bytes(*chunk);
        // Without the bit 0x20, square and curly brackets are the same two bytes.
        let folded = word & (ONES * 0xDF);
        let found = bytes_equal(word, b'"') | bytes_equal(folded, b'[') | bytes_equal(folded, b']');
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let is_structural = |byte: &u8| matches!(*byte, b'"' | b'[' | b']' | b'{' | b'}');
    at + tail.iter().position(is_structural).unwrap_or(tail.len())
}

/// Which of the first eight bytes is the first that is no digit; `None` if all are, or there are not so many.
#[inline]
pub(super) fn unlike_digit(text: &[u8]) -> Option<usize> {
    // The digits become 0 to 9, and only what is above reaches the high bit.
    let word = u64::from_le_bytes(*text.first_chunk()?) ^ (ONES * u64::from(b'0'));
    let others = (((word & !HIGHS) + ONES * 0x76) | word) & HIGHS;
    (others != 0).then(|| others.trailing_zeros() as usize / 8)
}

const ONES: u64 = u64::MAX / 255;
const HIGHS: u64 = ONES * 0x80;

/// Sets the high bit of each byte of `word` that equals `byte`. Bits above the first may be wrong.
fn bytes_equal(word: u64, byte: u8) -> u64 {
    let others = word ^ (ONES * u64::from(byte));
    others.wrapping_sub(ONES) & !others & HIGHS
}

/// Where the string whose content starts at `from` ends: the position of its closing quote, and whether
/// it has escapes. For text that was validated before; control characters are let pass.
pub(super) fn find_end(bytes: &[u8], from: usize) -> Option<(usize, bool)> {
    let mut at = from;
    let mut escaped = false;
    loop {
        let rest = bytes.get(at..)?;
        // Most names and many texts end in their first word.
        let run = match rest.first_chunk().and_then(special_in_word) {
            Some(run) => run,
            None => memchr::memchr2(b'"', b'\\', rest)?,
        };
        match rest.get(run)? {
            b'"' => return Some((at + run, escaped)),
            b'\\' => {
                escaped = true;
                at += run + 2;
            }
            _ => at += run + 1,
        }
    }
}

/// What is behind the string whose content `text` begins with. As [`find_end`].
#[inline(always)]
pub(super) fn behind_string(text: &[u8]) -> Option<&[u8]> {
    if let Some(length) = special_in_two_words(text)
        && let Some((b'"', behind)) = text.get(length..)?.split_first()
    {
        return Some(behind);
    }
    behind_long_string(text)
}

#[inline(never)]
fn behind_long_string(text: &[u8]) -> Option<&[u8]> {
    text.get(find_end(text, 0)?.0 + 1..)
}

/// Reads the content of a string, quotes excluded: borrowed if it has no escapes.
pub(super) fn unescape(content: &[u8], escaped: bool) -> Option<Cow<'_, str>> {
    if !escaped {
        return core::str::from_utf8(content).ok().map(Cow::Borrowed);
    }
    let mut rest = core::str::from_utf8(content).ok()?;
    let mut out = String::with_capacity(rest.len());
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(rest.get(..at)?);
        let escape = *rest.as_bytes().get(at + 1)?;
        let (decoded, length) = match escape {
            b'u' => read_unicode(rest.as_bytes().get(at..)?)?,
            _ => (simple_escape(escape)?, 2),
        };
        out.push(decoded);
        rest = rest.get(at + length..)?;
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}

/// The character that a two-byte escape stands for.
pub(super) fn simple_escape(escape: u8) -> Option<char> {
    Some(match escape {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        _ => return None,
    })
}

/// Reads `\uXXXX`, or a surrogate pair of two of them: the character and the length of its escape.
/// `None` if it is half a pair or not hexadecimal.
pub(super) fn read_unicode(escape: &[u8]) -> Option<(char, usize)> {
    let first = read_hex(escape)?;
    match first {
        0xD800..0xDC00 => {
            let second =
                read_hex(escape.get(6..)?).filter(|second| (0xDC00..0xE000).contains(second))?;
            let code = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            Some((char::from_u32(code)?, 12))
        }
        _ => Some((char::from_u32(first)?, 6)),
    }
}

/// The length of the escape that `text` begins with; `None` if it stands for no character.
pub(super) fn escape_len(text: &[u8]) -> Option<usize> {
    match *text.get(1)? {
        b'u' => read_unicode(text).map(|(_, length)| length),
        escape => simple_escape(escape).map(|_| 2),
    }
}

/// Reads the number of `\uXXXX`.
pub(super) fn read_hex(escape: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = escape.first_chunk::<6>()? else { return None };
    digits.iter().try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_bytes_are_found_at_every_offset() {
        for special in [b'"', b'\\', 0, 0x1f] {
            for length in 0..40 {
                let mut text = alloc::vec![b'\x7f'; length];
                assert_eq!(find_special(&text, 0), length);
                text.push(special);
                text.extend_from_slice("é \u{10ffff}".as_bytes());
                assert_eq!(find_special(&text, 0), length);
            }
        }
        // 0x21 and 0x23 surround the quote, and bytes above 0x7f are no control characters.
        assert_eq!(find_special(b"!#!#!#!#\xC3\xBF\xC3\xBF[]  ", 0), 16);
    }

    #[test]
    fn in_long_text_a_space_is_plain_and_a_control_character_ends_it_wherever_it_stands() {
        let plain = " a".repeat(2 * WINDOW);
        assert_eq!(find_special(plain.as_bytes(), 0), plain.len());
        for at in [0, 8, WINDOW - 1, WINDOW, WINDOW + 9, 2 * WINDOW + 8, plain.len()] {
            for special in [b'"', b'\\', 0, 0x1f] {
                let mut text = plain.clone().into_bytes();
                text.insert(at, special);
                text.push(b'"');
                assert_eq!(find_special(&text, 0), at, "{special}");
            }
        }
    }

    #[test]
    fn one_byte_that_is_not_ascii_is_noticed_wherever_it_stands() {
        for length in 0..40 {
            let mut text = alloc::vec![0x7F; length];
            assert!(is_ascii(&text), "{length}");
            for at in 0..length {
                text[at] = 0x80;
                assert!(!is_ascii(&text), "{at} of {length}");
                text[at] = 0x7F;
            }
        }
    }

    #[test]
    fn of_eight_bytes_the_first_is_found_that_is_no_digit() {
        assert_eq!(unlike_digit(b"0123456"), None, "not a word");
        assert_eq!(unlike_digit(b"01234567"), None);
        assert_eq!(unlike_digit(b"89898989,"), None);
        for at in 0..8 {
            for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_digit()) {
                let mut text = *b"90909090";
                text[at] = byte;
                assert_eq!(unlike_digit(&text), Some(at), "{byte}");
                text[7] = b'-';
                assert_eq!(unlike_digit(&text), Some(at), "{byte}");
            }
        }
    }

    #[test]
    fn a_string_ends_at_the_first_quote_that_is_not_escaped() {
        for (text, end) in [
            (r#"""#, Some((0, false))),
            (r#"plain" ""#, Some((5, false))),
            (r#"a longer text, of several words" ""#, Some((31, false))),
            (r#"\" ""#, Some((3, true))),
            (r#"\\" ""#, Some((2, true))),
            (r#"a\"b\\" ""#, Some((6, true))),
            (r#"more than one word, then \" and \u0022, and more" ""#, Some((48, true))),
            ("control\u{1} characters are let pass\" \"", Some((32, false))),
            ("", None),
            ("no end", None),
            (r#"no end\""#, None),
            (r"no end\", None),
        ] {
            assert_eq!(find_end(text.as_bytes(), 0), end, "{text}");
            let all = [b"\"escaped: ", text.as_bytes()].concat();
            let end = end.map(|(at, escaped)| (at + 10, escaped));
            assert_eq!(find_end(&all, 10), end, "{text}");
        }
    }

    #[test]
    fn structural_bytes_are_found_at_every_offset() {
        for structural in *b"\"[]{}" {
            for length in 0..40 {
                let mut text = alloc::vec![b'z'; length];
                assert_eq!(find_structural(&text, 0), length);
                text.push(structural);
                text.extend_from_slice(b"[[[]]]{{{}}}");
                assert_eq!(find_structural(&text, 0), length);
            }
        }
        // Their neighbours, with and without the bits that are folded away or above.
        assert_eq!(find_structural(b"Zz\\|^~:;!#\xDB\xDD\xFB\xFD 19azAZ", 0), 21);
    }

    #[test]
    fn escapes_are_read() {
        let read = |text: &'static str| unescape(text.as_bytes(), text.contains('\\'));
        assert_eq!(read("plain").as_deref(), Some("plain"));
        assert_eq!(read(r#"a\"\\\/\b\f\n\r\t\u00e9"#).as_deref(), Some("a\"\\/\u{8}\u{c}\n\r\té"));
        assert_eq!(read(r"\ud83d\ude00!").as_deref(), Some("😀!"));
        assert_eq!(read(r"\ud83d"), None);
        assert_eq!(read(r"\ud83d\u0041"), None);
        assert_eq!(read(r"\ude00"), None);
        assert_eq!(read(r"\u12"), None);
        assert_eq!(read(r"\x"), None);
        assert_eq!(read("end\\"), None);
    }
}
