//! Whether a connection is used: a request of it is under way, or its peer still takes what was said.

use alloc::sync::Arc;
use core::convert::Infallible;
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use core::task::{Context, Poll};
use core::time::Duration;

use ::hyper::Response;
use ::hyper::body::{Body, Frame, Incoming, SizeHint};
use bytes::Bytes;

use crate::driver::Runtime;
use crate::driver::http::{Broken, Responding, ResponseBody};
use crate::net::timing::sleep;

/// The use of one connection. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Usage(Arc<State>);

#[derive(Default)]
struct State {
    /// Requests that are under way.
    open: AtomicUsize,
    /// Something waits for the peer to take it.
    waits: AtomicBool,
    /// Counts on with each use, so that one is seen that was short.
    uses: AtomicUsize,
}

/// What is written without being asked for is shorter: pings of HTTP/2, and the answers to them.
const SHORT: usize = 64;

impl Usage {
    /// A request has come.
    pub(super) fn begin(&self) -> Used {
        self.0.open.fetch_add(1, Relaxed);
        self.0.note();
        Used(self.0.clone())
    }

    /// So many bytes were written.
    pub(super) fn note_written(&self, len: usize) {
        if len > SHORT {
            self.0.note();
        }
    }

    /// Whether something waits for the peer to take it.
    pub(super) fn set_waits(&self, waits: bool) {
        self.0.waits.store(waits, Relaxed);
        self.0.note();
    }

    /// Ready once the connection was not used for so long, or half as long again. It needs no clock with each use.
    pub(super) async fn unused(&self, limit: Duration, runtime: &dyn Runtime) {
        // A timer that is due at once would let nothing else run.
        let half = (limit / 2).max(Duration::from_millis(1));
        let (mut seen, mut quiet) = (self.0.uses.load(Relaxed), 0);
        while quiet < 2 {
            sleep(half, runtime).await;
            let uses = self.0.uses.load(Relaxed);
            quiet = if self.0.is_used() || uses != seen { 0 } else { quiet + 1 };
            seen = uses;
        }
    }
}

impl State {
    fn is_used(&self) -> bool {
        self.open.load(Relaxed) > 0 || self.waits.load(Relaxed)
    }

    fn note(&self) {
        self.uses.fetch_add(1, Relaxed);
    }
}

/// A request under way, until it is dropped.
pub(super) struct Used(Arc<State>);

impl Drop for Used {
    fn drop(&mut self) {
        self.0.note();
        self.0.open.fetch_sub(1, Relaxed);
    }
}

/// A response on its way, during which the connection is used.
pub(super) struct Using {
    responding: Responding<Incoming>,
    used: Option<Used>,
}

impl Using {
    pub(super) fn new(responding: Responding<Incoming>, used: Used) -> Self {
        Self { responding, used: Some(used) }
    }
}

impl Future for Using {
    type Output = Result<Response<UsingBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = core::task::ready!(Pin::new(&mut self.responding).poll(cx));
        let _used = self.used.take();
        Poll::Ready(response.map(|response| response.map(|body| UsingBody { body, _used })))
    }
}

/// Its body.
pub(super) struct UsingBody {
    body: ResponseBody,
    _used: Option<Used>,
}

impl Body for UsingBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
