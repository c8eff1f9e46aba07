//! Something that happens once, and everyone who waits for it.

use alloc::sync::Arc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::driver::Watchers;

/// It has not happened until it is [raised](Self::raise); then it has, for ever. Clones are the same signal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signal(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    is_raised: bool,
    waiting: Watchers,
    /// The key of the next who waits.
    next: u64,
}

impl Signal {
    pub(crate) fn raise(&self) {
        let mut waiting = {
            let mut state = self.lock();
            state.is_raised = true;
            core::mem::take(&mut state.waiting)
        };
        waiting.take().for_each(Waker::wake);
    }

    /// Ready once it has happened.
    pub(crate) fn raised(&self) -> Raised {
        Raised { signal: self.clone(), key: None }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Signal::raised`].
#[derive(Debug)]
pub(crate) struct Raised {
    signal: Signal,
    key: Option<u64>,
}

impl Raised {
    /// Whether it has happened. It is not waited for by that.
    pub(crate) fn is_raised(&self) -> bool {
        self.signal.lock().is_raised
    }
}

impl Future for Raised {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut state = this.signal.lock();
        if state.is_raised {
            this.key = None;
            return Poll::Ready(());
        }
        let State { waiting, next, .. } = &mut *state;
        let former = waiting.keep(&mut this.key, next, cx);
        // Dropping a waker may run another's code, so not under the lock.
        drop(state);
        drop(former);
        Poll::Pending
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        if self.key.is_some() {
            let mut state = self.signal.lock();
            let waker = state.waiting.release(self.key);
            drop(state);
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::sync::atomic::{AtomicUsize, Ordering};

    struct Count(AtomicUsize);

    impl alloc::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn everyone_who_waits_is_woken_once_and_who_has_left_is_not() {
        let (signal, count) = (Signal::default(), Arc::new(Count(AtomicUsize::new(0))));
        let waker = Waker::from(count.clone());
        let cx = &mut Context::from_waker(&waker);
        let mut waits: Vec<_> = (0..3).map(|_| signal.raised()).collect();
        for _ in 0..2 {
            for wait in &mut waits {
                assert!(Pin::new(wait).poll(cx).is_pending());
            }
        }
        drop(waits.remove(1));
        assert_eq!(signal.lock().waiting.len(), 2);
        signal.raise();
        assert_eq!(count.0.load(Ordering::Relaxed), 2);
        assert!(waits.iter_mut().all(|wait| Pin::new(wait).poll(cx).is_ready()));
        assert!(Pin::new(&mut signal.raised()).poll(cx).is_ready());
    }
}
