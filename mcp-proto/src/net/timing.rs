//! Waiting, and waiting no longer than so.

use alloc::boxed::Box;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;

use crate::driver::{Runtime, Timer};
use crate::time::Instant;

pub(crate) use crate::driver::unless;

/// How long a connection may take to show what it speaks.
pub(crate) const GREETING: Duration = Duration::from_secs(10);

/// A moment that comes. It is set anew without a new timer where the moment only moves away.
pub(crate) struct Deadline {
    at: Instant,
    armed: Instant,
    timer: Pin<Box<dyn Timer>>,
}

impl Deadline {
    pub(crate) fn after(duration: Duration, runtime: &dyn Runtime) -> Self {
        let at = runtime.now() + duration;
        Self { at, armed: at, timer: runtime.timer(at) }
    }

    /// Moves it.
    #[cfg(feature = "net-ws")]
    pub(crate) fn reset(&mut self, duration: Duration, runtime: &dyn Runtime) {
        self.at = runtime.now() + duration;
        if self.at < self.armed {
            self.rearm(runtime);
        }
    }

    /// Ready when it has come. Ask no more then, before it is [moved](Self::reset).
    pub(crate) fn poll(&mut self, runtime: &dyn Runtime, cx: &mut Context<'_>) -> Poll<()> {
        while self.timer.as_mut().poll(cx).is_ready() {
            if runtime.now() >= self.at {
                // A timer that was ready is not asked again.
                self.armed = Instant::from_nanos(u64::MAX);
                return Poll::Ready(());
            }
            self.rearm(runtime);
        }
        Poll::Pending
    }

    fn rearm(&mut self, runtime: &dyn Runtime) {
        (self.armed, self.timer) = (self.at, runtime.timer(self.at));
    }
}

pub(crate) async fn sleep(duration: Duration, runtime: &dyn Runtime) {
    let mut deadline = Deadline::after(duration, runtime);
    poll_fn(|cx| deadline.poll(runtime, cx)).await;
}

/// What a future yields, unless it takes longer.
pub(crate) async fn within<F: Future>(
    limit: Duration,
    future: F,
    runtime: &dyn Runtime,
) -> Option<F::Output> {
    let (mut future, mut deadline) = (pin!(future), Deadline::after(limit, runtime));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => deadline.poll(runtime, cx).map(|()| None),
    })
    .await
}
