//! The hottest message there is, and a short way to read it.
//!
//! A peer writes all its reports alike: the same members in the same order, only the values differ. So the
//! layout of the last report that was read the long way is remembered, and the next one is compared with
//! it. Where every byte between the values is the same, the scanner would find the same members again.

use crate::json::{Params, Raw, is_utf8, number_at, plain_string_at};

/// The parameters of a progress notification: spans, not yet read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProgressFields<'a> {
    pub(crate) token: Option<Raw<'a>>,
    pub(crate) progress: Option<Raw<'a>>,
    pub(crate) total: Option<Raw<'a>>,
    pub(crate) message: Option<Raw<'a>>,
}

/// How the peer lays out its reports: the text around the values. Constant size, whatever the peer sends.
#[derive(Clone, Debug, Hash)]
pub(crate) struct ProgressLayout {
    /// The text before each value and behind the last, one after the other.
    text: [u8; TEXT],
    pieces: [Piece; FIELDS],
    /// How many of `pieces` are used; none while nothing was learned.
    count: usize,
    /// Length of the text behind the last value.
    tail: usize,
}

/// Text, and the value behind it.
#[derive(Clone, Copy, Debug, Default, Hash)]
struct Piece {
    /// Length of the text.
    length: usize,
    field: Field,
    is_string: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Field {
    #[default]
    Token,
    Progress,
    Total,
    Message,
}

/// Values with the text before them: where each value starts and ends in its frame.
type Pieces = [(usize, usize, Piece); FIELDS];

/// What a layout may take: twice what peers write.
const TEXT: usize = 256;
const FIELDS: usize = 4;

impl<'a> ProgressFields<'a> {
    pub(crate) fn new(params: Option<&Params<'a>>) -> Self {
        let Some(params) = params else { return Self::default() };
        let Some(members) = params.all() else {
            return Self {
                token: params.get("progressToken"),
                progress: params.get("progress"),
                total: params.get("total"),
                message: params.get("message"),
            };
        };
        let mut fields = Self::default();
        for (name, value) in members {
            let field = match *name {
                b"progressToken" => &mut fields.token,
                b"progress" => &mut fields.progress,
                b"total" => &mut fields.total,
                b"message" => &mut fields.message,
                _ => continue,
            };
            field.get_or_insert(*value);
        }
        fields
    }

    fn slot(&mut self, field: Field) -> &mut Option<Raw<'a>> {
        match field {
            Field::Token => &mut self.token,
            Field::Progress => &mut self.progress,
            Field::Total => &mut self.total,
            Field::Message => &mut self.message,
        }
    }
}

impl ProgressLayout {
    /// Nothing is known of the peer yet.
    pub(crate) fn unknown() -> Self {
        Self { text: [0; TEXT], pieces: Default::default(), count: 0, tail: 0 }
    }

    /// Remembers how `frame` is laid out, which the scanner has accepted and in which it found `fields`.
    #[cold]
    pub(crate) fn learn(&mut self, frame: &[u8], fields: &ProgressFields<'_>) {
        self.count = 0;
        if let Some((pieces, count)) = pieces(frame, fields) {
            self.fill(frame, pieces, count);
        }
    }

    fn fill(&mut self, frame: &[u8], mut pieces: Pieces, count: usize) {
        let (mut used, mut at) = (0, 0);
        let mut keep = |from: usize, to: usize| {
            let piece = frame.get(from..to)?;
            self.text.get_mut(used..used + piece.len())?.copy_from_slice(piece);
            used += piece.len();
            Some(piece.len())
        };
        for (start, end, piece) in pieces.iter_mut().take(count) {
            let Some(length) = keep(at, *start) else { return };
            piece.length = length;
            at = *end;
        }
        let Some(tail) = keep(at, frame.len()) else { return };
        self.pieces = pieces.map(|(_, _, piece)| piece);
        (self.count, self.tail) = (count, tail);
    }

    /// The values of `frame`, if it is laid out in the same way.
    #[inline]
    pub(crate) fn read<'a>(&self, frame: &'a [u8]) -> Option<ProgressFields<'a>> {
        let mut fields = ProgressFields::default();
        let (mut rest, mut text) = (frame, &self.text[..]);
        let pieces = self.pieces.get(..self.count).filter(|pieces| !pieces.is_empty())?;
        for piece in pieces {
            let (expected, behind) = text.split_at_checked(piece.length)?;
            rest = rest.strip_prefix(expected)?;
            text = behind;
            let (value, behind) =
                if piece.is_string { plain_string_at(rest)? } else { number_at(rest)? };
            *fields.slot(piece.field) = Some(value);
            rest = behind;
        }
        (rest == text.get(..self.tail)? && is_utf8(frame)).then_some(fields)
    }
}

/// Where the values of `frame` stand, in their order; `None` if one of them can only be read the long way.
fn pieces(frame: &[u8], fields: &ProgressFields<'_>) -> Option<(Pieces, usize)> {
    let mut pieces = [(0, 0, Piece::default()); FIELDS];
    let mut count = 0;
    let mut note = |field: Field, value: Option<Raw<'_>>| {
        let Some(value) = value else { return Some(()) };
        let start = value.as_bytes().as_ptr().addr().checked_sub(frame.as_ptr().addr())?;
        let is_string = plain_string_at(frame.get(start..)?).is_some();
        let is_number = number_at(frame.get(start..)?).is_some();
        (is_string || is_number).then_some(())?;
        let piece = Piece { length: 0, field, is_string };
        *pieces.get_mut(count)? = (start, start + value.as_bytes().len(), piece);
        count += 1;
        // They are few: each moves before those that stand behind it.
        let mut before = pieces.get_mut(..count)?;
        while let [.., earlier, last] = &mut *before
            && earlier.0 > last.0
        {
            core::mem::swap(earlier, last);
            before = core::mem::take(&mut before).split_last_mut()?.1;
        }
        Some(())
    };
    note(Field::Token, fields.token)?;
    note(Field::Progress, fields.progress)?;
    note(Field::Total, fields.total)?;
    note(Field::Message, fields.message)?;
    Some((pieces, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Frame, scan_frame};
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    /// What the long way finds, if it accepts the frame.
    fn long_way(frame: &[u8]) -> Option<ProgressFields<'_>> {
        let mut fields = Frame::default();
        scan_frame(frame, 64, &mut fields).ok()?;
        Some(ProgressFields::new(fields.params.as_ref()))
    }

    fn learned(frame: &str) -> ProgressLayout {
        let mut layout = ProgressLayout::unknown();
        layout.learn(frame.as_bytes(), &long_way(frame.as_bytes()).unwrap());
        layout
    }

    /// A report in a peer's own way, with `<T>`, `<P>`, `<O>` and `<M>` for its values.
    const LAYOUTS: [&str; 8] = [
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":<T>,"progress":<P>,"total":<O>,"message":<M>}}"#,
        r#"{"method":"notifications/progress","params":{"progressToken":<T>,"progress":<P>,"total":<O>,"message":<M>},"jsonrpc":"2.0"}"#,
        r#"{"method": "notifications/progress", "params": {"progress": <P>, "total": <O>, "progressToken": <T>}, "jsonrpc": "2.0"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"message":<M>,"progress":<P>,"progressToken":<T>}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"_meta":{"a":[1,{}]},"progressToken":<T>,"progress":<P>}}"#,
        r#" { "params" : { "progress" : <P> , "progressToken" : <T> } , "x" : null , "method":"notifications\/progress","jsonrpc":"2.0" } "#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":<P>}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":<P>,"progress":5,"progressToken":<T>}}"#,
    ];

    const VALUES: [&str; 26] = [
        "0",
        "7",
        "-1",
        "42",
        "0.5",
        "1.0",
        "1e3",
        "-0",
        "100000.25",
        "1E-400",
        "\"a\"",
        "\"\"",
        "\"é😀\"",
        "\"a longer text, of more than one word\"",
        "\"\\n\"",
        "\"\\u0041\"",
        "null",
        "true",
        "[1]",
        "{}",
        "01",
        "1.",
        "\"",
        "\"\u{1}\"",
        "-",
        "",
    ];

    fn fill(layout: &str, values: [&str; 4]) -> String {
        let slots = ["<T>", "<P>", "<O>", "<M>"].iter().zip(values);
        slots.fold(layout.to_string(), |frame, (slot, value)| frame.replace(slot, value))
    }

    fn frames(layout: &str) -> Vec<String> {
        let mut frames = Vec::new();
        for value in VALUES {
            for odd in 0..4 {
                let mut values = ["7", "1", "10", "\"m\""];
                values[odd] = value;
                frames.push(fill(layout, values));
            }
        }
        frames
    }

    #[test]
    fn the_short_way_finds_what_the_long_way_finds() {
        let mut short = 0;
        for teacher in LAYOUTS {
            for taught in frames(teacher) {
                if long_way(taught.as_bytes()).is_none() {
                    continue;
                }
                let layout = learned(&taught);
                for frame in frames(teacher).iter().chain(&frames(LAYOUTS[0])) {
                    if let Some(found) = layout.read(frame.as_bytes()) {
                        assert_eq!(
                            Some(found),
                            long_way(frame.as_bytes()),
                            "{taught} then {frame}"
                        );
                        short += 1;
                    }
                }
            }
        }
        assert!(short > 1000, "{short}");
    }

    #[test]
    fn a_layout_is_used_at_once_and_whatever_the_values() {
        for layout in LAYOUTS {
            let taught = learned(&fill(layout, ["7", "1", "2", "\"m\""]));
            let next = fill(layout, ["123456", "0.25", "1e9", "\"é, and much more of it\""]);
            assert_eq!(taught.read(next.as_bytes()), long_way(next.as_bytes()), "{next}");
            assert!(taught.read(next.as_bytes()).is_some(), "{next}");
        }
    }

    #[test]
    fn what_differs_anywhere_goes_the_long_way() {
        let frame = fill(LAYOUTS[0], ["7", "1", "2", "\"m\""]);
        let layout = learned(&frame);
        assert!(layout.read(frame.as_bytes()).is_some());
        for end in 0..frame.len() {
            assert_eq!(layout.read(&frame.as_bytes()[..end]), None);
        }
        for at in 0..frame.len() {
            for byte in [b'"', b'\\', b' ', b'}', b'x', 0, 0x80, 0xC3] {
                let mut changed = frame.clone().into_bytes();
                changed[at] = byte;
                if let Some(found) = layout.read(&changed) {
                    assert_eq!(
                        Some(found),
                        long_way(&changed),
                        "{}",
                        String::from_utf8_lossy(&changed)
                    );
                }
            }
        }
        assert_eq!(layout.read((frame + " ").as_bytes()), None);
        assert_eq!(ProgressLayout::unknown().read(b""), None);
    }

    #[test]
    fn a_layout_beyond_its_room_is_not_learned() {
        let spaces = " ".repeat(TEXT);
        let wide = LAYOUTS[6].replace(":<P>", &[":", &spaces, "1"].concat());
        assert_eq!(learned(&wide).read(wide.as_bytes()), None);
        assert!(long_way(wide.as_bytes()).is_some());
    }
}
