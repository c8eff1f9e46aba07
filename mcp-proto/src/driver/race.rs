//! One future raced against another.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;

/// What a future yields, unless something else happens before. If both have, it is too late.
pub(crate) async fn unless<F: Future>(
    other: impl Future<Output = ()>,
    future: F,
) -> Option<F::Output> {
    let (mut future, mut other) = (pin!(future), pin!(other));
    poll_fn(|cx| match other.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => future.as_mut().poll(cx).map(Some),
    })
    .await
}
