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
        let is_over = this.end.is_raised();
        // What it owns may panic too when it is dropped. The executor must not see either.
        let ended = catch_unwind(AssertUnwindSafe(|| match &mut this.task {
            Some(task) if !is_over => task.as_mut().poll(cx),
            _ => Poll::Ready(()),
        }));
        // Most end at once, and never wait for the end of all.
        if matches!(ended, Ok(Poll::Pending)) && pin!(&mut this.end).poll(cx).is_pending() {
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

#[cfg(test)]
pub(super) mod tests {
    use super::super::platform::Task;
    use super::*;
    use crate::driver::Timer;
    use crate::time::Instant;
    use alloc::vec::Vec;
    use core::sync::atomic::{AtomicUsize, Ordering};

    /// Keeps tasks until a test polls them; time stands still.
    #[derive(Default)]
    pub(in crate::net) struct Held(Mutex<Vec<Task>>);

    impl Runtime for Held {
        fn now(&self) -> Instant {
            Instant::ZERO
        }

        fn timer(&self, _: Instant) -> Pin<Box<dyn Timer>> {
            Box::pin(core::future::pending())
        }
    }

    impl Platform for Held {
        fn spawn(&self, task: Task) {
            self.0.lock().unwrap().push(task);
        }
    }

    impl Held {
        fn poll(&self) {
            let cx = &mut Context::from_waker(Waker::noop());
            self.0.lock().unwrap().retain_mut(|task| task.as_mut().poll(cx).is_pending());
        }
    }

    struct Counted(Arc<AtomicUsize>);

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn fewer(tasks: &Tasks, most: usize) -> bool {
        tasks.poll_fewer(most, &Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn a_panic_ends_its_own_task_and_frees_its_place() {
        let held = Arc::new(Held::default());
        let tasks = Tasks::new(held.clone());
        tasks.spawn(async { panic!("on purpose") });
        tasks.spawn(core::future::pending());
        assert!(!fewer(&tasks, 2) && fewer(&tasks, 3));
        held.poll();
        assert!(fewer(&tasks, 2) && !fewer(&tasks, 1));
    }

    #[test]
    fn what_still_runs_is_dropped_with_whoever_started_it() {
        let (held, dropped) = (Arc::new(Held::default()), Arc::new(AtomicUsize::new(0)));
        let tasks = Tasks::new(held.clone());
        for _ in 0..2 {
            let counted = Counted(dropped.clone());
            tasks.spawn(async move {
                core::future::pending::<()>().await;
                drop(counted);
            });
        }
        held.poll();
        assert_eq!(dropped.load(Ordering::Relaxed), 0);
        drop(tasks);
        held.poll();
        assert_eq!(dropped.load(Ordering::Relaxed), 2);
        assert!(held.0.lock().unwrap().is_empty());
    }
}
