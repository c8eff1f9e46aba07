//! The body of a request, read within its limits.

use alloc::boxed::Box;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;

use super::super::transport::{Runtime, Timer};
use super::serving::Serve;

/// A body on its way in.
pub(super) struct Intake<B> {
    body: Pin<Box<B>>,
    first: Bytes,
    more: BytesMut,
    max: usize,
    /// How long it may take to arrive, once it is waited for.
    patience: Duration,
    timer: Option<Pin<Box<dyn Timer>>>,
}

/// What a body that has not arrived completely adds to the bytes of all such bodies.
pub(super) struct Arriving {
    shared: Serve,
    len: usize,
}

impl Arriving {
    pub(super) fn new(shared: Serve) -> Self {
        Self { shared, len: 0 }
    }

    /// So much of it is here, and more is waited for. Whether there is room for that.
    pub(super) fn grow(&mut self, len: usize, max: usize) -> bool {
        if len > self.len {
            let mut state = self.shared.lock();
            let all = state.link.arriving + (len - self.len);
            if all > max {
                return false;
            }
            (state.link.arriving, self.len) = (all, len);
        }
        true
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if self.len > 0 {
            self.shared.lock().link.arriving -= self.len;
        }
    }
}

/// Why a body is not there.
#[derive(Debug)]
pub(super) enum Unread {
    /// It is longer than it may be.
    TooLong,
    /// Too much arrives at once, of all bodies.
    TooMuch,
    /// It broke off, or did not come in time.
    Broken,
}

impl<B: Body> Intake<B> {
    pub(super) fn new(body: B, max: usize, patience: Duration) -> Self {
        Self {
            body: Box::pin(body),
            first: Bytes::new(),
            more: BytesMut::new(),
            max,
            patience,
            timer: None,
        }
    }

    /// Bytes of it that are here.
    pub(super) fn len(&self) -> usize {
        self.first.len().max(self.more.len())
    }

    /// The whole body. Mostly that is one frame, which is not copied.
    pub(super) fn poll(
        &mut self,
        runtime: &dyn Runtime,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Bytes, Unread>> {
        loop {
            let frame = match self.body.as_mut().poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    let timer = || runtime.timer(runtime.now() + self.patience);
                    let timer = self.timer.get_or_insert_with(timer);
                    ready!(timer.as_mut().poll(cx));
                    return Poll::Ready(Err(Unread::Broken));
                }
            };
            match frame {
                None if self.more.is_empty() => {
                    return Poll::Ready(Ok(core::mem::take(&mut self.first)));
                }
                None => return Poll::Ready(Ok(core::mem::take(&mut self.more).freeze())),
                Some(Err(_)) => return Poll::Ready(Err(Unread::Broken)),
                Some(Ok(frame)) => {
                    // Trailers say nothing here.
                    let Ok(data) = frame.into_data() else { continue };
                    if self.take(data).is_none() {
                        return Poll::Ready(Err(Unread::TooLong));
                    }
                }
            }
        }
    }

    fn take(&mut self, mut data: B::Data) -> Option<()> {
        let len = self.len().checked_add(data.remaining())?;
        if len > self.max {
            return None;
        }
        if self.first.is_empty() && self.more.is_empty() {
            self.first = data.copy_to_bytes(data.remaining());
            return Some(());
        }
        if self.more.is_empty() {
            self.more.extend_from_slice(&core::mem::take(&mut self.first));
        }
        while data.has_remaining() {
            let chunk = data.chunk();
            let len = chunk.len();
            self.more.extend_from_slice(chunk);
            data.advance(len);
        }
        Some(())
    }
}
