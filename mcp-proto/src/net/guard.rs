//! Inputs with a rule of their own: until when they are read, and how they must begin.

use alloc::sync::Arc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io;

use super::halves::Input;
use super::platform::Platform;
use super::signal::{Raised, Signal};
use super::stream::Stream;
use super::timing::{Deadline, GREETING};
use crate::driver::Transport;

/// An input that ends when it is told to and what is there is read: the pipe of a process that is gone, a socket
/// whose server stops.
#[derive(Debug)]
pub(crate) struct Until<I> {
    input: I,
    end: Raised,
    is_told: bool,
}

impl<I> Until<I> {
    pub(crate) fn new(input: I, end: &Signal) -> Self {
        Self { input, end: end.raised(), is_told: false }
    }

    fn poll_until(
        &mut self,
        cx: &mut Context<'_>,
        read: impl FnOnce(&mut I, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if !self.is_told {
            // Asked before it is read: what is not there afterwards came too late.
            self.is_told = Pin::new(&mut self.end).poll(cx).is_ready();
        }
        match read(&mut self.input, cx) {
            Poll::Pending if self.is_told => Poll::Ready(Ok(0)),
            polled => polled,
        }
    }
}

impl<I: Input> Input for Until<I> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.poll_until(cx, |input, cx| input.poll_read(cx, buf))
    }
}

/// A socket's stream, as a server that listens reads it: until it stops, and only if it begins as a message does.
///
/// A line that is no message is skipped, as it must be on a server's standard output. To a socket anyone may speak: in
/// the body of an HTTP request, which any web page can make a browser send, there would be good messages behind the
/// lines of the head.
///
/// And only if its first line is there in time. Stops a peer that takes every place of the server with connections on which
/// it says nothing.
pub(crate) struct Accepted {
    stream: Until<Stream>,
    is_checked: bool,
    /// Until when the first line has to be there.
    greeting: Option<Deadline>,
    platform: Arc<dyn Platform>,
}

impl Accepted {
    pub(crate) fn new(stream: Stream, stop: &Signal, platform: Arc<dyn Platform>) -> Self {
        let greeting = Some(Deadline::after(GREETING, &*platform));
        Self { stream: Until::new(stream, stop), is_checked: false, greeting, platform }
    }

    fn inner(self: Pin<&mut Self>) -> Pin<&mut Stream> {
        Pin::new(&mut self.get_mut().stream.input)
    }
}

impl Transport for Accepted {
    type Error = io::Error;

    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let read = |stream: &mut Stream, cx: &mut Context<'_>| Pin::new(stream).poll_read(cx, buf);
        let Poll::Ready(len) = this.stream.poll_until(cx, read) else {
            return match &mut this.greeting {
                Some(deadline) => {
                    deadline.poll(&*this.platform, cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
                }
                None => Poll::Pending,
            };
        };
        let len = len?;
        let said = buf.get(..len).unwrap_or_default();
        if !this.is_checked {
            match said.trim_ascii_start().first() {
                // The last is how a byte order mark begins.
                Some(b'{' | b'[' | 0xEF) => this.is_checked = true,
                Some(_) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                None => {}
            }
        }
        if this.is_checked && this.greeting.is_some() && said.contains(&b'\n') {
            this.greeting = None;
        }
        Poll::Ready(Ok(len))
    }

    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::super::halves::{Duplex, Output};
    use super::super::tasks::tests::Held;
    use super::*;
    use alloc::string::String;
    use alloc::vec::Vec;
    use core::task::Waker;

    /// What is there, and then nothing for ever.
    struct Said(&'static [u8]);

    impl Input for Said {
        fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            let len = self.0.len().min(buf.len()).min(4);
            if len == 0 {
                return Poll::Pending;
            }
            let (now, later) = self.0.split_at(len);
            buf[..len].copy_from_slice(now);
            self.0 = later;
            Poll::Ready(Ok(len))
        }
    }

    struct Nowhere;

    impl Output for Nowhere {
        fn poll_write(&mut self, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(buf.len()))
        }

        fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// What is read of this by a server that has stopped, or why it fails.
    fn read(said: &'static str) -> Result<String, io::ErrorKind> {
        let stop = Signal::default();
        let stream = Stream::new(Duplex::new(Said(said.as_bytes()), Nowhere));
        let mut accepted = Accepted::new(stream, &stop, Arc::new(Held::default()));
        stop.raise();
        let (mut all, mut buf) = (Vec::new(), [0; 16]);
        loop {
            let cx = &mut Context::from_waker(Waker::noop());
            match Pin::new(&mut accepted).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(0)) => return Ok(String::from_utf8(all).unwrap()),
                Poll::Ready(Ok(len)) => all.extend_from_slice(&buf[..len]),
                Poll::Ready(Err(error)) => return Err(error.kind()),
                Poll::Pending => panic!("it has stopped"),
            }
        }
    }

    #[test]
    fn only_what_begins_as_a_message_is_read_and_all_that_is_there() {
        for good in ["{}", " \r\n\t {}", "[]", "\u{feff}{}", "", "{\"jsonrpc\":\"2.0\"}\nx"] {
            assert_eq!(read(good).as_deref(), Ok(good));
        }
        for bad in ["POST / HTTP/1.1\r\n\r\n{}", "\nGET /", "\u{16}\u{3}\u{1}", "\"x\"", "1"] {
            assert_eq!(read(bad), Err(io::ErrorKind::InvalidData), "{bad}");
        }
    }
}
