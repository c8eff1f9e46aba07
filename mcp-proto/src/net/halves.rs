//! A reader and a writer as one transport.

use alloc::boxed::Box;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::{self, IoSlice};

use crate::driver::Transport;

/// What is read: a runtime's reader, as the driver wants it.
pub trait Input: Unpin {
    /// Reads some bytes into `buf`; 0 is the end of the input.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;
}

/// What is written: a runtime's writer, as the driver wants it.
pub trait Output: Unpin {
    /// Writes some bytes of `buf`, which is not empty.
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;

    /// Writes some bytes of these slices, one behind the other; not all of them are empty. Default: of the first that is not.
    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = bufs.iter().find(|buf| !buf.is_empty());
        self.poll_write(cx, first.map_or(&[], |first| first))
    }

    /// Whether that writes more than one slice at once. Default false.
    fn is_write_vectored(&self) -> bool {
        false
    }

    /// Pushes out what was written.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Says that nothing more will come. It is dropped right after.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

impl<I: Input + ?Sized> Input for Box<I> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        (**self).poll_read(cx, buf)
    }
}

impl<O: Output + ?Sized> Output for Box<O> {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        (**self).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        (**self).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        (**self).is_write_vectored()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_flush(cx)
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_close(cx)
    }
}

/// An input and an output as one [`Transport`].
#[derive(Debug)]
pub struct Duplex<I, O> {
    input: I,
    /// Gone once the output has ended: for a pipe, dropping it is what ends it.
    output: Option<O>,
}

impl<I, O> Duplex<I, O> {
    /// Of these two.
    pub fn new(input: I, output: O) -> Self {
        Self { input, output: Some(output) }
    }

    fn output(&mut self) -> io::Result<&mut O> {
        self.output.as_mut().ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }
}

impl<I: Input, O: Output> Transport for Duplex<I, O> {
    type Error = io::Error;

    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        retried(|| self.input.poll_read(cx, buf))
    }

    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        retried(|| self.output()?.poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        retried(|| self.output()?.poll_flush(cx))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(output) = &mut self.output else { return Poll::Ready(Ok(())) };
        let closed = ready!(output.poll_close(cx));
        self.output = None;
        Poll::Ready(closed)
    }
}

/// An input and output in one, such as a socket, as a [`Transport`].
#[derive(Debug)]
pub(super) struct Whole<T>(pub(super) T);

impl<T: Input + Output> Transport for Whole<T> {
    type Error = io::Error;

    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        retried(|| self.0.poll_read(cx, buf))
    }

    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        retried(|| self.0.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        retried(|| self.0.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        retried(|| self.0.poll_flush(cx))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_close(cx)
    }
}

/// A system call that a signal interrupted has done nothing: it is made again.
fn retried<T>(mut attempt: impl FnMut() -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
    loop {
        match attempt() {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::VecDeque;
    use alloc::vec::Vec;
    use core::task::Waker;

    /// Holds what is written until it is read. Of three attempts the first is interrupted and the second comes too early;
    /// the third passes a few bytes.
    #[derive(Default)]
    struct Stuttering {
        bytes: VecDeque<u8>,
        attempts: usize,
    }

    impl Stuttering {
        fn attempt(&mut self) -> Poll<io::Result<usize>> {
            self.attempts += 1;
            match self.attempts % 3 {
                1 => Poll::Ready(Err(io::ErrorKind::Interrupted.into())),
                2 => Poll::Pending,
                _ => Poll::Ready(Ok(self.attempts % 5 + 1)),
            }
        }
    }

    impl Input for Stuttering {
        fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            let len = ready!(self.attempt())?.min(buf.len()).min(self.bytes.len());
            buf.iter_mut().zip(self.bytes.drain(..len)).for_each(|(to, from)| *to = from);
            Poll::Ready(Ok(len))
        }
    }

    impl Output for Stuttering {
        fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            let len = ready!(self.attempt())?.min(buf.len());
            self.bytes.extend(&buf[..len]);
            Poll::Ready(Ok(len))
        }

        fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.attempt().map_ok(drop)
        }

        fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Polls until it is ready: at the next attempt after one that was too early.
    fn done<T>(mut attempt: impl FnMut(&mut Context<'_>) -> Poll<io::Result<T>>) -> T {
        let cx = &mut Context::from_waker(Waker::noop());
        for _ in 0..3 {
            if let Poll::Ready(done) = attempt(cx) {
                return done.expect("an interruption is nobody's affair");
            }
        }
        panic!("it does not go on");
    }

    fn every_byte_passes(
        mut transport: impl Transport<Error = io::Error> + Unpin,
        is_vectored: bool,
    ) {
        let sent: Vec<u8> = (0..=255).cycle().take(5_000).collect();
        let (mut written, mut read) = (0, Vec::new());
        while written < sent.len() {
            let rest = &sent[written..];
            let (one, other) = rest.split_at(rest.len() / 2);
            written += done(|cx| match is_vectored {
                true => {
                    let bufs = [IoSlice::new(one), IoSlice::new(other)];
                    Pin::new(&mut transport).poll_write_vectored(cx, &bufs)
                }
                false => Pin::new(&mut transport).poll_write(cx, rest),
            });
            done(|cx| Pin::new(&mut transport).poll_flush(cx));
        }
        let mut buf = [0; 100];
        while read.len() < sent.len() {
            let len = done(|cx| Pin::new(&mut transport).poll_read(cx, &mut buf));
            assert!(len > 0, "the end came after {} bytes", read.len());
            read.extend_from_slice(&buf[..len]);
        }
        assert!(read == sent, "some bytes are lost, or others");
    }

    #[test]
    fn an_interrupted_call_is_made_again_and_loses_nothing() {
        for is_vectored in [false, true] {
            every_byte_passes(Whole(Stuttering::default()), is_vectored);
        }
    }

    #[test]
    fn of_two_halves_either_may_be_interrupted() {
        let mut duplex = Duplex::new(Stuttering::default(), Stuttering::default());
        duplex.input.bytes.extend(0..200);
        let mut buf = [0; 64];
        let mut read = Vec::new();
        while read.len() < 200 {
            let len = done(|cx| Pin::new(&mut duplex).poll_read(cx, &mut buf));
            read.extend_from_slice(&buf[..len]);
        }
        assert!(read.iter().copied().eq(0..200));
        let written = done(|cx| Pin::new(&mut duplex).poll_write(cx, b"x"));
        done(|cx| Pin::new(&mut duplex).poll_flush(cx));
        assert_eq!((written, duplex.output.map(|output| output.bytes.len())), (1, Some(1)));
    }
}
