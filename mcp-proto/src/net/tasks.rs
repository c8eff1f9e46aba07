//! Tasks that belong together: counted, waited for, and ended with whoever started them.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use super::platform::Platform;
use super::signal::{Raised, Signal};
use crate::driver::Runtime;

/// Tasks on a platform. Dropping this ends those that still run.
pub(crate) struct Tasks {
    platform: Arc<dyn Platform>,
    end: Signal,
    count: Arc<Mutex<Count>>,
}

#[derive(Default)]
struct Count {
    running: usize,
    /// Who waits until one of them has ended.
    waiter: Option<Waker>,
}

impl Tasks {
    pub(crate) fn new(platform: Arc<dyn Platform>) -> Self {
        Self { platform, end: Signal::default(), count: Arc::default() }
    }

    /// Runs one more. Its panic ends itself alone.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.lock().running += 1;
        let place = Place(self.count.clone());
        self.platform.spawn(Box::pin(Running {
            // In this order: the task is dropped before its place is free.
            task: Some(Box::pin(task)),
            end: self.end.raised(),
            _place: place,
        }));
    }

    /// Where they run.
    pub(crate) fn runtime(&self) -> &dyn Runtime {
        &*self.platform
    }

    /// Ready when there are fewer than `most`.
    pub(crate) fn poll_fewer(&self, most: usize, cx: &Context<'_>) -> Poll<()> {
        let mut count = self.lock();
        if count.running < most {
            return Poll::Ready(());
        }
        let former = count.waiter.replace(cx.waker().clone());
        drop(count);
        drop(former);
        Poll::Pending
    }

    /// Waits until all have ended.
    pub(crate) async fn ended(&self) {
        poll_fn(|cx| self.poll_fewer(1, cx)).await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Count> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.end.raise();
    }
}

struct Running<F> {
    task: Option<Pin<Box<F>>>,
    end: Raised,
    _place: Place,
}

impl<F: Future<Output = ()>> Future for Running<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let is_over = pin!(&mut this.end).poll(cx).is_ready();
        // What it owns may panic too when it is dropped. The executor must not see either.
        let ended = catch_unwind(AssertUnwindSafe(|| match &mut this.task {
            Some(task) if !is_over => task.as_mut().poll(cx),
            _ => Poll::Ready(()),
        }));
        if matches!(ended, Ok(Poll::Pending)) {
            return Poll::Pending;
        }
        let _ = catch_unwind(AssertUnwindSafe(|| this.task = None));
        Poll::Ready(())
    }
}

/// A place among the running, free when it is dropped.
struct Place(Arc<Mutex<Count>>);

impl Drop for Place {
    fn drop(&mut self) {
        let waiter = {
            let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            count.running -= 1;
            count.waiter.take()
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
    }
}
