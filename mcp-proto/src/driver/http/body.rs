//! The body of a response, asked for as the client has room.

use alloc::collections::VecDeque;
use alloc::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::serving::Serve;
use crate::http::{Body, Exchange, Server};

/// An exchange under way. Dropped before its end, the client has hung up.
pub(super) struct Open {
    shared: Serve,
    exchange: Exchange,
    is_over: bool,
}

/// The body of a response: what the machine has to send, taken when it is asked for and no earlier. Dropping it
/// before its end tells the machine that the client hung up.
pub struct ResponseBody {
    /// What was there when the head was: it leaves with it, in one write.
    ready: VecDeque<Bytes>,
    rest: Option<Open>,
}

/// The client did not read, so its response breaks off: the connection is to be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client did not read its response")
    }
}

impl core::error::Error for Broken {}

impl Open {
    pub(super) fn new(shared: Serve, exchange: Exchange) -> Self {
        Self { shared, exchange, is_over: false }
    }

    pub(super) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        ask: impl FnOnce(&mut Server, Exchange) -> Option<T>,
    ) -> Poll<T> {
        self.shared.poll_exchange(self.exchange, cx, ask)
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Body> {
        let polled = self.poll(cx, Server::poll_body);
        self.is_over = matches!(polled, Poll::Ready(Body::End | Body::Broken));
        polled
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.is_over {
            let waker = self.shared.turn(|state, now| {
                state.link.machine.handle_disconnect(self.exchange, now);
                state.link.release(self.exchange)
            });
            drop(waker);
        }
    }
}

impl ResponseBody {
    /// A body that is there.
    pub(super) fn whole(body: Bytes) -> Self {
        Self { ready: Some(body).into_iter().filter(|body| !body.is_empty()).collect(), rest: None }
    }

    /// The body of an exchange whose head was taken. With what is there already; whether that is all is asked for
    /// only where it is not a stream.
    pub(super) fn begin(mut open: Open, is_stream: bool, cx: &mut Context<'_>) -> Self {
        let mut ready = VecDeque::new();
        // One piece of a stream, for it may have no end; of anything else two, the second of which is its end.
        for _ in 0..if is_stream { 1 } else { 2 } {
            match open.poll_body(cx) {
                Poll::Ready(Body::Chunk(chunk)) => ready.push_back(chunk),
                Poll::Ready(Body::End) => return Self { ready, rest: None },
                Poll::Ready(Body::Broken) | Poll::Pending => break,
            }
        }
        Self { ready, rest: Some(open) }
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(ready) = self.ready.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(ready))));
        }
        let Some(open) = &mut self.rest else { return Poll::Ready(None) };
        let body = match open.is_over {
            true => Body::Broken,
            false => core::task::ready!(open.poll_body(cx)),
        };
        Poll::Ready(match body {
            Body::Chunk(chunk) => Some(Ok(Frame::data(chunk))),
            Body::End => {
                self.rest = None;
                None
            }
            Body::Broken => {
                self.rest = None;
                Some(Err(Broken))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ready.is_empty() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let len = self.ready.iter().map(|ready| ready.len() as u64).sum();
        match self.rest {
            None => SizeHint::with_exact(len),
            Some(_) => {
                let mut hint = SizeHint::new();
                hint.set_lower(len);
                hint
            }
        }
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("ready", &self.ready).finish_non_exhaustive()
    }
}
