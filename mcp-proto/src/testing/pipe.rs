//! A duplex byte pipe in memory.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::convert::Infallible;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::driver::Transport;

/// One end of the pipe.
#[derive(Debug)]
pub(super) struct PipeEnd {
    incoming: Way,
    outgoing: Way,
}

/// One way through it.
#[derive(Clone, Debug, Default)]
struct Way(Arc<Mutex<Buffer>>);

#[derive(Debug, Default)]
struct Buffer {
    bytes: VecDeque<u8>,
    is_closed: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// What a pipe of a real system holds.
const CAPACITY: usize = 64 << 10;

/// Both ends of a pipe.
pub(super) fn pipe() -> (PipeEnd, PipeEnd) {
    let (there, back) = (Way::default(), Way::default());
    let near = PipeEnd { incoming: back.clone(), outgoing: there.clone() };
    (near, PipeEnd { incoming: there, outgoing: back })
}

impl Way {
    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut buffer = self.buffer();
        buffer.is_closed = true;
        let wakers = [buffer.reader.take(), buffer.writer.take()];
        drop(buffer);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Transport for PipeEnd {
    type Error = Infallible;

    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<Result<usize, Infallible>> {
        let mut buffer = self.incoming.buffer();
        if buffer.bytes.is_empty() && !buffer.is_closed {
            buffer.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let length = buffer.bytes.len().min(into.len());
        into.iter_mut().zip(buffer.bytes.drain(..length)).for_each(|(to, byte)| *to = byte);
        let writer = buffer.writer.take();
        drop(buffer);
        writer.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(length))
    }

    /// Writing to an end that is gone takes nothing, which the driver knows as a failure.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<Result<usize, Infallible>> {
        let mut buffer = self.outgoing.buffer();
        if buffer.is_closed {
            return Poll::Ready(Ok(0));
        }
        let length = from.len().min(CAPACITY - buffer.bytes.len());
        if length == 0 {
            buffer.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        buffer.bytes.extend(from.iter().take(length));
        let reader = buffer.reader.take();
        drop(buffer);
        reader.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(length))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.outgoing.close();
        Poll::Ready(Ok(()))
    }
}

impl Drop for PipeEnd {
    fn drop(&mut self) {
        self.outgoing.close();
        self.incoming.close();
    }
}
