//! A connection, watched while it has not said anything yet, and while it takes nothing.

use alloc::sync::Arc;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io::{self, IoSlice};

use super::idle::Usage;
use crate::driver::Transport;
use crate::net::timing::{Deadline, GREETING};
use crate::net::{Platform, Stream};

/// Bytes by which it is known which version of HTTP is spoken: the preface of HTTP/2. From then on a connection may be idle
/// for as long as any.
const GREETING_LEN: usize = 24;

/// A stream that must begin to speak in time, and must not stand still. Stops connections that are only opened, and those
/// that read nothing: what hyper has taken from a response is no longer seen by the machine.
pub(super) struct Prompt {
    stream: Stream,
    platform: Arc<dyn Platform>,
    /// Bytes that are still expected, and until when.
    awaits: Option<(usize, Deadline)>,
    usage: Usage,
    /// How long the peer may take nothing.
    patience: Duration,
    /// Until when it has to take something, while something waits for it.
    stalls: Option<Deadline>,
    /// Where the stream keeps what is written: until when all of it has to leave, and what was written since.
    unflushed: Option<(Deadline, usize)>,
}

/// A stream that has taken so many bytes while it could not let go of all has let go of some.
const FLUSHED_LEN: usize = 64 << 10;

impl Prompt {
    pub(super) fn new(
        stream: Stream,
        usage: Usage,
        patience: Duration,
        platform: Arc<dyn Platform>,
    ) -> Self {
        let awaits = Some((GREETING_LEN, Deadline::after(GREETING, &*platform)));
        Self { stream, platform, awaits, usage, patience, stalls: None, unflushed: None }
    }

    /// What was written, unless the peer has taken nothing for too long.
    fn watched(
        &mut self,
        written: Poll<io::Result<usize>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(done) = &written {
            let len = *done.as_ref().unwrap_or(&0);
            self.usage.note_written(len);
            let has_waited = self.stalls.take().is_some() || self.unflushed.is_some();
            if let Some((_, since)) = &mut self.unflushed {
                *since += len;
                self.unflushed.take_if(|(_, since)| *since > FLUSHED_LEN);
            }
            if has_waited {
                self.usage.set_waits(self.unflushed.is_some());
            }
            return written;
        }
        let Self { stalls, patience, platform, usage, .. } = self;
        let stalls = stalls.get_or_insert_with(|| {
            usage.set_waits(true);
            Deadline::after(*patience, &**platform)
        });
        ready!(stalls.poll(&**platform, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl Transport for Prompt {
    type Error = io::Error;

    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if let Some((missing, deadline)) = &mut this.awaits {
            match &read {
                Poll::Pending => {
                    ready!(deadline.poll(&*this.platform, cx));
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                Poll::Ready(read) => {
                    *missing = missing.saturating_sub(*read.as_ref().unwrap_or(&0));
                    if *missing == 0 {
                        this.awaits = None;
                    }
                }
            }
        }
        read
    }

    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watched(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watched(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        if flushed.is_ready() {
            if this.unflushed.take().is_some() {
                this.usage.set_waits(this.stalls.is_some());
            }
            return flushed;
        }
        let Self { unflushed, patience, platform, usage, .. } = this;
        let (deadline, _) = unflushed.get_or_insert_with(|| {
            usage.set_waits(true);
            (Deadline::after(*patience, &**platform), 0)
        });
        ready!(deadline.poll(&**platform, cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}
