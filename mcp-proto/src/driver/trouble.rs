//! What a transport said when it failed, in words.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt::{self, Display, Write};

/// Bytes of it that are kept. Stops a library that repeats what the peer has sent.
pub(super) const MAX_TROUBLE_LEN: usize = 512;

/// What an error says, cut if it is long. The user's own code, so not under the lock.
pub(super) fn said(error: &impl Display) -> Box<str> {
    let mut said = Said(String::new());
    // It fails where it is full, or where the error does not say more.
    let _ = write!(said, "{error}");
    said.0.into()
}

struct Said(String);

impl Write for Said {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let kept = text.floor_char_boundary(MAX_TROUBLE_LEN - self.0.len());
        self.0.push_str(text.get(..kept).unwrap_or_default());
        if kept == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for text in ["a", "é", "完", "😀"] {
            let kept = said(&Endless(text));
            assert!(kept.len() <= MAX_TROUBLE_LEN && kept.len() + text.len() > MAX_TROUBLE_LEN);
            assert_eq!(kept.len() % text.len(), 0, "{kept}");
        }
    }
}
