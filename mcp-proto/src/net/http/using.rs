//! A response on its way over a connection.

use alloc::sync::Arc;
use core::convert::Infallible;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use ::hyper::Response;
use ::hyper::body::{Body, Frame, Incoming, SizeHint};
use bytes::Bytes;

use super::idle::{Unread, Used, Waiting};
use crate::driver::http::{Broken, Responding, ResponseBody};
use crate::http::Loan;

/// A response that is to come, during which the connection is used.
pub(super) struct Using {
    responding: Responding<Incoming>,
    used: Option<Used>,
    is_shared: bool,
}

impl Using {
    /// A response over HTTP/2, or not.
    pub(super) fn new(responding: Responding<Incoming>, used: Used, is_shared: bool) -> Self {
        Self { responding, used: Some(used), is_shared }
    }
}

impl Future for Using {
    type Output = Result<Response<UsingBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = core::task::ready!(Pin::new(&mut self.responding).poll(cx));
        let (used, is_shared) = (self.used.take(), self.is_shared);
        Poll::Ready(
            response.map(|response| response.map(|body| UsingBody::new(body, used, is_shared))),
        )
    }
}

/// Bytes that are given to HTTP/2 at once: most peers give room for a few of these.
const PIECE: usize = 16 << 10;

/// Its body.
pub(super) struct UsingBody {
    body: ResponseBody,
    /// What was taken from it, and is yet to be given to hyper.
    rest: Option<Rest>,
    _used: Option<Used>,
    /// Over HTTP/2, what of it waits there.
    waiting: Option<Waiting>,
    /// There, what was given to hyper last waits for room. It asks for more, or drops this, once it has got it.
    unread: Option<Unread>,
}

struct Rest {
    bytes: Bytes,
    loan: Arc<Loan>,
}

/// A piece as hyper keeps it until it has left.
struct Piece {
    bytes: Bytes,
    _loan: Arc<Loan>,
    _unread: Option<Unread>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl UsingBody {
    fn new(body: ResponseBody, used: Option<Used>, is_shared: bool) -> Self {
        let waiting = used.as_ref().filter(|_| is_shared).map(Used::waiting);
        let mut body = Self { body, rest: None, _used: used, waiting, unread: None };
        body.unread = body.waits();
        body
    }

    /// Something waits for room, where it needs some.
    fn waits(&self) -> Option<Unread> {
        self.waiting.as_ref().map(Waiting::unread)
    }

    /// The next piece of what was taken.
    fn next_piece(&mut self) -> Option<Bytes> {
        let mut rest = self.rest.take()?;
        let most = if self.waiting.is_some() { PIECE } else { usize::MAX };
        let bytes = rest.bytes.split_to(most.min(rest.bytes.len()));
        let piece = Piece { bytes, _loan: rest.loan.clone(), _unread: self.waits() };
        self.rest = Some(rest).filter(|rest| !rest.bytes.is_empty());
        Some(Bytes::from_owner(piece))
    }
}

impl Body for UsingBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let this = &mut *self;
        this.unread = None;
        if this.rest.is_none() {
            let polled = core::task::ready!(Pin::new(&mut this.body).poll_frame(cx));
            let Some(Ok(frame)) = polled else { return Poll::Ready(polled) };
            this.unread = this.waits();
            // What is short costs no more than its request.
            let Some(loan) = this.body.take_loan() else { return Poll::Ready(Some(Ok(frame))) };
            match frame.into_data() {
                Ok(bytes) => this.rest = Some(Rest { bytes, loan: Arc::new(loan) }),
                Err(frame) => return Poll::Ready(Some(Ok(frame))),
            }
        } else {
            this.unread = this.waits();
        }
        Poll::Ready(this.next_piece().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, body) = (self.rest.as_ref(), self.body.size_hint());
        let rest = rest.map_or(0, |rest| rest.bytes.len() as u64);
        let mut hint = SizeHint::new();
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(body.lower() + rest);
        hint
    }
}
