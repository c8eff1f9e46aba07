//! What machines write: no space between tokens, no escape in a key, nothing refused. A message of that kind
//! is read here in one short pass. Of any other, and of whatever is wrong with one, nothing is said here: the
//! scanner reads it.

use super::frame::{Frame, Params, Shape};
use super::raw::Raw;
use super::scan::number_len;
use super::string::{escape_len, find_special, special_in_two_words, unlike_digit};

/// Reads a whole frame, which is UTF-8, into the empty `frame`. What is accepted the scanner accepts too, and
/// finds the same in it. `None` leaves `frame` half filled.
pub(super) fn read_plain<'a>(
    bytes: &'a [u8],
    max_depth: usize,
    frame: &mut Frame<'a>,
) -> Option<()> {
    let levels = max_depth.checked_sub(1)?;
    let mut rest = bytes.strip_prefix(b"{")?;
    loop {
        let (name, value) = member(rest)?;
        if name == b"params" && value.first() == Some(&b'{') && frame.params.is_none() {
            rest = params(value, levels, frame.params.insert(Params::none()))?;
        } else {
            rest = any(value, levels)?;
            frame.take(name, between(value, rest)?);
        }
        match rest.split_first()? {
            (b',', more) => rest = more,
            (b'}', []) => break,
            _ => return None,
        }
    }
    frame.shape = Shape::Object;
    (!frame.duplicate).then_some(())
}

/// The object that `text` begins with, each member noted: what is behind it.
fn params<'a>(text: &'a [u8], levels: usize, noted: &mut Params<'a>) -> Option<&'a [u8]> {
    let levels = levels.checked_sub(1)?;
    let mut rest = text.strip_prefix(b"{")?;
    if let Some(behind) = rest.strip_prefix(b"}") {
        rest = behind;
    } else {
        loop {
            let (name, value) = member(rest)?;
            rest = any(value, levels)?;
            noted.note(name, between(value, rest)?);
            match rest.split_first()? {
                (b',', more) => rest = more,
                (b'}', behind) => {
                    rest = behind;
                    break;
                }
                _ => return None,
            }
        }
    }
    noted.end(between(text, rest)?);
    Some(rest)
}

/// What lies between the beginnings of two texts, the second of which ends the first.
#[inline(always)]
fn between<'a>(text: &'a [u8], behind: &[u8]) -> Option<Raw<'a>> {
    text.get(..text.len() - behind.len()).map(Raw::scanned)
}

/// A name, and what is behind its colon.
#[inline(always)]
fn member(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_prefix(b"\"")?;
    let length = match special_in_two_words(text) {
        Some(length) => length,
        None => find_special(text, 0),
    };
    let (name, [b'"', b':', behind @ ..]) = text.split_at_checked(length)? else { return None };
    // It may be a key that is refused.
    (name.first() != Some(&b'$')).then_some((name, behind))
}

/// The value that `text` begins with, at most so many levels deep: what is behind it.
#[inline(always)]
fn any(text: &[u8], levels: usize) -> Option<&[u8]> {
    match text.first()? {
        b'{' | b'[' => container(text, levels),
        first => scalar(*first, text),
    }
}

#[inline(always)]
fn scalar(first: u8, text: &[u8]) -> Option<&[u8]> {
    match first {
        b'"' => string(text),
        b'-' | b'0'..=b'9' => number(text),
        b't' => text.strip_prefix(b"true"),
        b'f' => text.strip_prefix(b"false"),
        b'n' => text.strip_prefix(b"null"),
        _ => None,
    }
}

/// Deeper than this is left to the scanner: what is open is kept in one word.
const LEVELS: usize = 60;

#[inline(never)]
fn container(text: &[u8], levels: usize) -> Option<&[u8]> {
    let mut room = levels.min(LEVELS);
    // One bit for each open container, 1 for an object, below a bit that stands for none.
    let mut open = 1_u64;
    let mut rest = text;
    loop {
        let (first, behind) = rest.split_first()?;
        rest = match first {
            b'{' => {
                room = room.checked_sub(1)?;
                open = open << 1 | 1;
                match behind.first()? {
                    b'}' => behind,
                    _ => {
                        rest = member(behind)?.1;
                        continue;
                    }
                }
            }
            b'[' => {
                room = room.checked_sub(1)?;
                open <<= 1;
                match behind.first()? {
                    b']' => behind,
                    _ => {
                        rest = behind;
                        continue;
                    }
                }
            }
            first => scalar(*first, rest)?,
        };
        // A value has ended, or an empty container is about to: so may what is around it.
        loop {
            let (next, behind) = rest.split_first()?;
            let in_object = open & 1 == 1;
            match next {
                b',' => {
                    rest = if in_object { member(behind)?.1 } else { behind };
                    break;
                }
                b'}' if in_object => {}
                b']' if !in_object => {}
                _ => return None,
            }
            rest = behind;
            open >>= 1;
            room += 1;
            if open == 1 {
                return Some(rest);
            }
        }
    }
}

/// A string from its opening quote: what is behind it.
#[inline(always)]
fn string(text: &[u8]) -> Option<&[u8]> {
    let content = text.get(1..)?;
    if let Some(length) = special_in_two_words(content)
        && let Some((b'"', behind)) = content.get(length..)?.split_first()
    {
        return Some(behind);
    }
    long_string(content)
}

/// The rest of a string: what is behind it.
#[inline(never)]
fn long_string(content: &[u8]) -> Option<&[u8]> {
    let mut rest = content;
    loop {
        rest = rest.get(find_special(rest, 0)..)?;
        match rest.first()? {
            b'"' => return rest.get(1..),
            b'\\' => rest = rest.get(escape_len(rest)?..)?,
            _ => return None,
        }
    }
}

#[inline(always)]
fn number(text: &[u8]) -> Option<&[u8]> {
    // Most are a few digits.
    if let Some(length) = unlike_digit(text)
        && let Some((digits, behind @ [b',' | b'}' | b']', ..])) = text.split_at_checked(length)
        && (digits.len() == 1 || digits.first() != Some(&b'0'))
    {
        return Some(behind);
    }
    text.get(number_len(text).ok()?..)
}

#[cfg(test)]
mod tests {
    use super::super::frame::ways_agree;
    use super::*;
    use alloc::string::String;

    const DEPTH: usize = 8;

    fn is_plain(frame: &[u8]) -> bool {
        read_plain(frame, DEPTH, &mut Frame::default()).is_some()
    }

    const FRAMES: [&str; 9] = [
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"more than one word or two","n":[1,-2.5e3,true,null]}}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":"t","progress":0.5,"total":100000,"message":"é😀"}}"#,
        r#"{"result":{"content":[{"type":"text","text":"a\n\"b\"\u00e9\ud83d\ude00\\"}],"isError":false},"id":"7","jsonrpc":"2.0"}"#,
        r#"{"jsonrpc":"2.0","id":12345678901,"error":{"code":-32601,"message":"no","data":[[],{},[{}],{"a":[]}]}}"#,
        r#"{"params":[1],"x":{},"":"","method":"m","a name of some length":0.1}"#,
        r#"{"params":{"a":1,"b":2,"c":3,"d":4,"e":5,"e":6}}"#,
        r#"{"params":{},"id":0}"#,
        r#"{"a":[[[[[[[1]]]]]]]}"#,
        r#"{"params":{"a":{"b":[[[[{"c":1}]]]]}}}"#,
    ];

    #[test]
    fn what_machines_write_is_read_the_short_way() {
        for frame in FRAMES {
            assert!(is_plain(frame.as_bytes()), "{frame}");
        }
    }

    #[test]
    fn what_is_not_so_plain_or_wrong_is_left_to_the_scanner() {
        for frame in [
            "{}",
            "[]",
            r#"{"a":1} "#,
            r#"{"a": 1}"#,
            r#"{"\u0061":1}"#,
            r#"{"$serde_json::private::Number":"1"}"#,
            r#"{"a":{"$":1}}"#,
            r#"{"id":1,"id":2}"#,
            r#"{"params":{},"params":{}}"#,
            r#"{"params":{},"params":1}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":[[[[[[[[1]]]]]]]]}"#,
            r#"{"params":{"a":{"b":[[[[{"c":[]}]]]]}}}"#,
            r#"{"a":01}"#,
            r#"{"a":1]"#,
            r#"{"a":[1,]}"#,
            r#"{"a":{"b":1,}}"#,
            r#"{"a":[1}}"#,
            r#"{"a":1}}"#,
        ] {
            assert!(!is_plain(frame.as_bytes()), "{frame}");
            assert!(ways_agree(frame.as_bytes(), DEPTH), "{frame}");
        }
    }

    #[test]
    fn both_ways_find_the_same_whatever_is_changed() {
        for frame in FRAMES {
            for depth in 0..=DEPTH {
                assert!(ways_agree(frame.as_bytes(), depth), "{depth}: {frame}");
            }
            for at in 0..frame.len() {
                for byte in *b"\"\\{}[]:, 0-.etn$u\x1F\x80" {
                    let mut changed = frame.as_bytes().to_vec();
                    changed[at] = byte;
                    assert!(ways_agree(&changed, DEPTH), "{}", String::from_utf8_lossy(&changed));
                    changed.insert(at, frame.as_bytes()[at]);
                    assert!(ways_agree(&changed, DEPTH), "{}", String::from_utf8_lossy(&changed));
                }
                let cut = [&frame.as_bytes()[..at], &frame.as_bytes()[at + 1..]].concat();
                assert!(ways_agree(&cut, DEPTH), "{}", String::from_utf8_lossy(&cut));
                assert!(
                    ways_agree(&frame.as_bytes()[..at], DEPTH),
                    "{}",
                    &frame[..frame.floor_char_boundary(at)]
                );
            }
        }
    }
}
