//! The body of a response, asked for as the client has room.

use alloc::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};

use super::serving::Serve;
use crate::http::{Body, Exchange, Loan, Server};

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
    ready: Option<Bytes>,
    rest: Option<Open>,
    /// What of it was handed out last counts until more is asked for, or it is dropped.
    loan: Option<Loan>,
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

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<(Body, Option<Loan>)> {
        let polled = self.poll(cx, |server, exchange| {
            let body = server.poll_body(exchange)?;
            let loan = match &body {
                Body::Chunk(chunk) => server.lend(chunk.len()),
                _ => None,
            };
            Some((body, loan))
        });
        self.is_over = matches!(polled, Poll::Ready((Body::End | Body::Broken, _)));
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

/// The head of a response, and what of its body is there already.
pub(super) struct Beginning {
    head: Response<()>,
    ready: Option<Bytes>,
    /// That is all, or what follows is lost.
    end: Option<Body>,
    loan: Option<Loan>,
}

impl Beginning {
    /// Asks the machine for it. Whether there is more is asked only where it is not a stream, which may have no end.
    pub(super) fn ask(server: &mut Server, exchange: Exchange) -> Option<Self> {
        let head = server.poll_head(exchange)?;
        Some(match server.poll_body(exchange) {
            Some(Body::Chunk(chunk)) => {
                let end = server.poll_end(exchange).then_some(Body::End);
                let loan = server.lend(chunk.len());
                Self { head, ready: Some(chunk), end, loan }
            }
            end => Self { head, ready: None, end, loan: None },
        })
    }

    /// Whether there will be more.
    pub(super) fn goes_on(&self) -> bool {
        self.end.is_none()
    }

    /// The response, the rest of which is asked for as the client has room.
    pub(super) fn respond(self, mut open: Open) -> Response<ResponseBody> {
        let Self { head, ready, end, loan } = self;
        open.is_over = end.is_some();
        let rest = (end != Some(Body::End)).then_some(open);
        head.map(|()| ResponseBody { ready, rest, loan })
    }
}

impl ResponseBody {
    /// A body that is there.
    pub(super) fn whole(body: Bytes) -> Self {
        Self { ready: Some(body).filter(|body| !body.is_empty()), rest: None, loan: None }
    }
}

/// For whoever sends it, and knows more of the connection.
#[cfg(feature = "net-http")]
impl ResponseBody {
    /// What was handed out last, to be counted for longer.
    pub(crate) fn take_loan(&mut self) -> Option<Loan> {
        self.loan.take()
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(ready) = self.ready.take() {
            return Poll::Ready(Some(Ok(Frame::data(ready))));
        }
        self.loan = None;
        let Some(open) = &mut self.rest else { return Poll::Ready(None) };
        let (body, loan) = match open.is_over {
            true => (Body::Broken, None),
            false => core::task::ready!(open.poll_body(cx)),
        };
        self.loan = loan;
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
        self.ready.is_none() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let len = self.ready.as_ref().map_or(0, |ready| ready.len() as u64);
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
