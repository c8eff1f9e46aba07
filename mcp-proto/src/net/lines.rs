//! Lines of text that a process prints.

use alloc::string::String;
use alloc::vec::Vec;
use core::future::poll_fn;

use super::halves::Input;

/// Bytes of a line; what is longer is cut.
const MAX_LINE: usize = 8 << 10;

/// An input in lines; carriage returns end them too, because progress bars of the terminal use them.
pub(super) struct Lines<I> {
    input: I,
    buffer: Vec<u8>,
    /// What of the buffer is not read yet.
    rest: core::ops::Range<usize>,
    line: Vec<u8>,
}

impl<I: Input> Lines<I> {
    pub(super) fn new(input: I) -> Self {
        Self { input, buffer: alloc::vec![0; MAX_LINE], rest: 0..0, line: Vec::new() }
    }

    /// The next line that is not empty; none once the input has ended or failed.
    pub(super) async fn next(&mut self) -> Option<String> {
        loop {
            let rest = self.buffer.get(self.rest.clone()).unwrap_or_default();
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let text = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            self.line.extend(text.iter().take(MAX_LINE - self.line.len()));
            match end {
                Some(end) => {
                    self.rest.start += end + 1;
                    if !self.line.is_empty() {
                        return Some(self.taken());
                    }
                }
                None => {
                    let read = poll_fn(|cx| self.input.poll_read(cx, &mut self.buffer)).await;
                    self.rest = 0..read.unwrap_or(0).min(self.buffer.len());
                    if self.rest.is_empty() {
                        return (!self.line.is_empty()).then(|| self.taken());
                    }
                }
            }
        }
    }

    fn taken(&mut self) -> String {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use core::pin::pin;
    use core::task::{Context, Poll, Waker};
    use std::io;

    /// Pieces, then the end, or for ever so.
    struct Pieces(Vec<&'static str>);

    impl Input for Pieces {
        fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            if self.0.is_empty() {
                return Poll::Ready(Ok(0));
            }
            let piece = self.0.remove(0).as_bytes();
            buf[..piece.len()].copy_from_slice(piece);
            Poll::Ready(Ok(piece.len()))
        }
    }

    fn lines(pieces: &[&'static str]) -> Vec<String> {
        let mut lines = Lines::new(Pieces(pieces.to_vec()));
        let mut found = Vec::new();
        let cx = &mut Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(line)) = pin!(lines.next()).as_mut().poll(cx) {
            found.push(line);
        }
        found
    }

    #[test]
    fn lines_end_with_newlines_and_returns_however_they_are_cut() {
        assert_eq!(lines(&["a", "b\r\n\n", "10 %\r20 %\rend"]), ["ab", "10 %", "20 %", "end"]);
        assert_eq!(lines(&[]), [""; 0]);
    }

    #[test]
    fn a_line_without_end_is_cut_and_the_next_is_whole() {
        let long = "x".repeat(MAX_LINE - 1).leak();
        let found = lines(&[long, long, "\nnext\n"]);
        assert_eq!((found[0].len(), found[1].to_string()), (MAX_LINE, "next".to_string()));
    }
}
