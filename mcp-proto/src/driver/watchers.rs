//! Futures that look again when something has changed, and what wakes them.

use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::link::Scope;
use super::shared::{Key, Shared, State};
use crate::role::Role;

/// Wakers, each under a key that its future keeps: a future that is dropped takes its waker along, and others of
/// its task stay. Those who give keys out count up.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    waiting: Vec<(u64, Waker)>,
}

impl Watchers {
    /// Keeps the waker of the task that polls. What it displaces is to be dropped without the lock.
    #[must_use]
    pub(crate) fn keep(
        &mut self,
        key: &mut Option<u64>,
        next: &mut u64,
        cx: &Context<'_>,
    ) -> Option<Waker> {
        if let Some((_, waker)) = self.find(*key).and_then(|at| self.waiting.get_mut(at)) {
            let is_same = waker.will_wake(cx.waker());
            return (!is_same).then(|| core::mem::replace(waker, cx.waker().clone()));
        }
        self.waiting.push((*next, cx.waker().clone()));
        *key = Some(*next);
        *next += 1;
        None
    }

    #[must_use]
    pub(crate) fn release(&mut self, key: Option<u64>) -> Option<Waker> {
        let at = self.find(key)?;
        Some(self.waiting.remove(at).1)
    }

    fn find(&self, key: Option<u64>) -> Option<usize> {
        let key = key?;
        self.waiting.binary_search_by_key(&key, |(key, _)| *key).ok()
    }

    #[cfg(all(test, feature = "net"))]
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// All of them, who are woken once the lock is released.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Waker> {
        self.waiting.drain(..).map(|(_, waker)| waker)
    }
}

/// What a future waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Change {
    /// A request came, or the connection is over.
    Request,
    /// The answer to that request is no longer wanted, or has been given.
    Cancelled(Key),
    /// Output of that scope has left, or need not any more.
    Output(Scope),
    /// The peer became known, or the connection ended.
    Phase,
}

/// Looks, and looks again whenever there was such a change, until it finds something.
pub(super) struct Watch<'a, R: Role, F> {
    shared: &'a Shared<R>,
    change: Change,
    look: F,
    key: Option<u64>,
}

impl<'a, R: Role, F> Watch<'a, R, F> {
    pub(super) fn new(shared: &'a Shared<R>, change: Change, look: F) -> Self {
        Self { shared, change, look, key: None }
    }
}

/// Nothing in it is pinned.
impl<R: Role, F> Unpin for Watch<'_, R, F> {}

impl<R: Role, T, F: FnMut(&mut State<R>) -> Option<T>> Future for Watch<'_, R, F> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let this = self.get_mut();
        let mut state = this.shared.lock();
        if let Some(found) = (this.look)(&mut state) {
            let key = this.key.take();
            let former = key.and_then(|_| state.release_watcher(this.change, key));
            drop(state);
            drop(former);
            return Poll::Ready(found);
        }
        let former = state.keep_watcher(this.change, &mut this.key, cx);
        drop(state);
        drop(former);
        Poll::Pending
    }
}

impl<R: Role, F> Drop for Watch<'_, R, F> {
    fn drop(&mut self) {
        if self.key.is_some() {
            let waker = self.shared.lock().release_watcher(self.change, self.key);
            drop(waker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_that_is_dropped_takes_its_waker_and_no_other() {
        let mut watchers = Watchers::default();
        let (mut next, cx) = (1, Context::from_waker(Waker::noop()));
        let mut keys = [None; 3];
        for _ in 0..2 {
            for key in &mut keys {
                drop(watchers.keep(key, &mut next, &cx));
            }
        }
        assert_eq!(watchers.waiting.len(), 3, "one for each future, though their task is one");
        assert!(watchers.release(keys[1]).is_some() && watchers.release(keys[1]).is_none());
        assert_eq!(watchers.take().count(), 2);
        assert!(watchers.keep(&mut keys[0], &mut next, &cx).is_none());
        assert!(watchers.release(keys[2]).is_none(), "its key is not given out again");
        assert_eq!(watchers.take().count(), 1);
    }
}
