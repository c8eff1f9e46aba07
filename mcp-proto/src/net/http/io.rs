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

/// Bytes of small slices that are written together at most.
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
