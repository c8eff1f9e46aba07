//! A frame to the messages of a batch: 2025-03-26 `basic/index`.

use alloc::vec::Vec;

use crate::config::{Limits, Tolerance};
use crate::error::Violation;
use crate::json::Raw;

/// The members of a frame that [`read_message`](super::read_message) took for a batch, not yet read. If it
/// has too few or too many, it is refused whole.
pub(crate) fn read_batch<'a>(
    frame: &'a [u8],
    limits: &Limits,
    tolerance: Tolerance,
) -> Result<Vec<&'a [u8]>, Violation> {
    let limit = limits.max_batch_len;
    if tolerance == Tolerance::Strict && frame.last() == Some(&b'\r') {
        return Err(Violation::NotAMessage("a carriage return before the newline".into()));
    }
    // One more than allowed is enough to know.
    let items = Raw::trusted(frame).items().map(Raw::as_bytes).take(limit.saturating_add(1));
    let members: Vec<_> = items.collect();
    match members.len() {
        0 => Err(Violation::NotAMessage("an empty batch".into())),
        count if count > limit => Err(Violation::BatchTooLong { limit }),
        _ => Ok(members),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn read(frame: &str, max_batch_len: usize) -> Result<Vec<&[u8]>, Violation> {
        let limits = Limits { max_batch_len, ..Limits::default() };
        read_batch(frame.as_bytes(), &limits, Tolerance::Strict)
    }

    #[test]
    fn members_come_as_they_stand() {
        let frame = " [ {\"a\":[1,{\"b\":\"],[\"}]} ,7, [1,2],\"x\\\"y\" , null ] ";
        let members = read(frame, 5).unwrap();
        let expected: [&str; 5] =
            ["{\"a\":[1,{\"b\":\"],[\"}]}", "7", "[1,2]", "\"x\\\"y\"", "null"];
        assert_eq!(members, expected.map(str::as_bytes));
    }

    #[test]
    fn too_few_and_too_many_are_refused() {
        for empty in ["[]", " [ \t ] "] {
            assert_eq!(read(empty, 2), Err(Violation::NotAMessage("an empty batch".into())));
        }
        assert_eq!(read("[1,2]", 2).unwrap().len(), 2);
        assert_eq!(read("[1,2,3]", 2), Err(Violation::BatchTooLong { limit: 2 }));
        assert_eq!(read("[1]", 0), Err(Violation::BatchTooLong { limit: 0 }));
        assert_eq!(read("[1,2]", usize::MAX).unwrap().len(), 2);
    }

    #[test]
    fn of_a_batch_that_is_too_long_no_more_is_read_than_shows_it() {
        let frame: String = core::iter::repeat_n("[1],", 1_000_000).collect();
        // No text that ends like this is a batch; nobody comes as far as seeing that.
        assert_eq!(read(&alloc::format!("[{frame}"), 9), Err(Violation::BatchTooLong { limit: 9 }));
    }
}
