//! What a transport said when it failed, in words.

use alloc::boxed::Box;
use core::fmt::Display;

use crate::json::{OneLine, shown};

/// Bytes of it that are kept. Stops a library that repeats what the peer has sent.
pub(super) const MAX_TROUBLE_LEN: usize = 512;

/// What an error says, cut if it is long, and on one line: the peer's words may be in it. The user's own code, so not under
/// the lock.
pub(super) fn said(error: &impl Display) -> Box<str> {
    let said = shown(error, MAX_TROUBLE_LEN);
    shown(&OneLine(&said), MAX_TROUBLE_LEN).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt;

    /// Goes on however often it is told that there is no room.
    struct Endless(&'static str);

    impl Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            (0..10_000).for_each(|_| _ = f.write_str(self.0));
            Err(fmt::Error)
        }
    }

    #[test]
    fn what_is_kept_is_bounded_and_whole_characters() {
        assert_eq!(&*said(&"connection reset"), "connection reset");
        assert_eq!(&*said(&"no\n\u{1b}[31m\u{e9}"), "no\\n\\u{1b}[31m\u{e9}");
        assert!(said(&Endless("\n")).len() <= MAX_TROUBLE_LEN);
        for text in ["a", "é", "完", "😀"] {
            let kept = said(&Endless(text));
            assert!(kept.len() <= MAX_TROUBLE_LEN && kept.len() + text.len() > MAX_TROUBLE_LEN);
            assert_eq!(kept.len() % text.len(), 0, "{kept}");
        }
    }
}
