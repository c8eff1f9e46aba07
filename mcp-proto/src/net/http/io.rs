//! Streams as hyper wants them.
//!
//! `smol-hyper` does this for streams of `futures-io`, but zeroes the whole of hyper's buffer for each read: 8 KiB and more
//! for a request of some hundred bytes. And it writes slices one by one: of a response on HTTP/2 nine bytes, and then the rest.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice};

use ::hyper::rt::{Read, ReadBufCursor, Write};

use crate::driver::{Transport, scratch};

/// A stream as hyper wants it.
pub(super) struct Io<T>(pub(super) T);

/// Bytes of slices that are written as one, which copies them.
const GATHERED: usize = 16 << 10;

impl<T: Transport<Error = io::Error> + Unpin> Io<T> {
    fn inner(&mut self) -> Pin<&mut T> {
        Pin::new(&mut self.0)
    }
}

impl<T: Transport<Error = io::Error> + Unpin> Read for Io<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        scratch(|scratch| {
            let room = buf.remaining().min(scratch.len());
            let (room, _) = scratch.split_at_mut(room);
            let read = ready!(self.inner().poll_read(cx, room))?;
            buf.put_slice(room.get(..read).unwrap_or_default());
            Poll::Ready(Ok(()))
        })
    }
}

impl<T: Transport<Error = io::Error> + Unpin> Write for Io<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, buf)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // To copy a little is cheaper than to name its pieces to the system.
        let len: usize = slices.iter().map(|slice| slice.len()).sum();
        if len > GATHERED && self.0.is_write_vectored() {
            return self.inner().poll_write_vectored(cx, slices);
        }
        let mut slices = slices.iter().filter(|slice| !slice.is_empty());
        let Some(first) = slices.next() else { return Poll::Ready(Ok(0)) };
        let Some(second) = slices.next().filter(|_| first.len() < GATHERED) else {
            return self.inner().poll_write(cx, first);
        };
        scratch(|scratch| {
            let (mut room, _) = scratch.split_at_mut(GATHERED);
            let mut len = 0;
            for slice in [first, second].into_iter().chain(slices) {
                let part = slice.len().min(room.len());
                let (here, rest) = room.split_at_mut(part);
                here.copy_from_slice(slice.get(..part).unwrap_or_default());
                (room, len) = (rest, len + part);
            }
            self.inner().poll_write(cx, scratch.get(..len).unwrap_or_default())
        })
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::hyper::rt::ReadBuf;
    use alloc::vec::Vec;
    use core::task::Waker;

    /// Takes so many bytes at once, and gives what is left of its input.
    struct Pipe {
        takes: usize,
        written: Vec<Vec<u8>>,
        input: &'static [u8],
        is_vectored: bool,
    }

    impl Transport for Pipe {
        type Error = io::Error;

        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            let len = self.input.len().min(buf.len());
            let (now, later) = self.input.split_at(len);
            buf[..len].copy_from_slice(now);
            self.input = later;
            Poll::Ready(Ok(len))
        }

        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            let len = buf.len().min(self.takes);
            self.written.push(buf[..len].to_vec());
            Poll::Ready(Ok(len))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bufs: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            self.written.extend(bufs.iter().map(|buf| buf.to_vec()));
            Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
        }

        fn is_write_vectored(&self) -> bool {
            self.is_vectored
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn pipe(takes: usize, input: &'static [u8]) -> Io<Pipe> {
        Io(Pipe { takes, written: Vec::new(), input, is_vectored: false })
    }

    /// What is written of some slices: as how many bytes they count, and in how many pieces they leave.
    fn written(takes: usize, slices: &[&[u8]]) -> (usize, Vec<Vec<u8>>) {
        written_by(pipe(takes, b""), slices)
    }

    fn written_by(mut io: Io<Pipe>, slices: &[&[u8]]) -> (usize, Vec<Vec<u8>>) {
        let slices: Vec<_> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
        let cx = &mut Context::from_waker(Waker::noop());
        let Poll::Ready(Ok(len)) = Pin::new(&mut io).poll_write_vectored(cx, &slices) else {
            panic!("a pipe that always takes")
        };
        (len, io.0.written)
    }

    #[test]
    fn small_slices_leave_as_one() {
        assert_eq!(written(99, &[b"head", b"", b"body"]), (8, [b"headbody".to_vec()].into()));
        assert_eq!(written(5, &[b"head", b"body"]), (5, [b"headb".to_vec()].into()));
        assert_eq!(written(99, &[b"", b""]), (0, Vec::new()));
        let long = [7; 3 * GATHERED];
        let (len, pieces) = written(usize::MAX, &[b"head", &long, b"tail"]);
        assert_eq!((len, pieces.len(), pieces[0].len()), (GATHERED, 1, GATHERED));
        assert!(pieces[0].starts_with(b"head\x07"));
        // What is long is not copied.
        assert_eq!(written(usize::MAX, &[&long, b"tail"]), (long.len(), [long.to_vec()].into()));
    }

    #[test]
    fn much_is_not_copied_where_slices_are_written_as_they_are() {
        let mut io = pipe(usize::MAX, b"");
        io.0.is_vectored = true;
        let long = [7; GATHERED];
        let pieces = [b"head".to_vec(), long.to_vec()].into();
        assert_eq!(written_by(io, &[b"head", &long]), (4 + GATHERED, pieces));
        let mut io = pipe(usize::MAX, b"");
        io.0.is_vectored = true;
        assert_eq!(written_by(io, &[b"head", b"body"]), (8, [b"headbody".to_vec()].into()));
    }

    #[test]
    fn what_comes_is_read_as_far_as_there_is_room() {
        let mut io = pipe(0, b"request");
        let cx = &mut Context::from_waker(Waker::noop());
        for expected in [&b"requ"[..], b"est", b""] {
            let mut room = [0; 4];
            let mut buf = ReadBuf::new(&mut room);
            assert!(Pin::new(&mut io).poll_read(cx, buf.unfilled()).is_ready());
            assert_eq!(buf.filled(), expected);
        }
    }
}
