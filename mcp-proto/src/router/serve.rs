//! A router's handlers polled in place: no spawning, no threads, nothing that must be `Send`.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::task::Wake;
use alloc::vec::Vec;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use std::sync::{Mutex, PoisonError};

use super::handler::Kind;
use super::router::Router;
use crate::driver::Server;
use crate::error::CloseReason;

impl<K: Kind + ?Sized> Router<K> {
    /// Accepts the requests of a server and polls their handlers here, beside each other, until the
    /// connection has ended; handlers that still run are then dropped. Poll the driver
    /// beside it, in this task or another.
    pub fn serve(&self, mut server: Server) -> impl Future<Output = CloseReason> + use<K> {
        let router = self.clone();
        async move {
            let mut handlers = InPlace::default();
            loop {
                // Kept until it is ready, for with it goes what would wake this task.
                let mut next = pin!(server.accept());
                let accepted = poll_fn(|cx| {
                    let accepted = next.as_mut().poll(cx);
                    // At the end as well: they see that they are cancelled.
                    if !matches!(accepted, Poll::Ready(Some(_))) {
                        handlers.poll(cx);
                    }
                    accepted
                });
                match accepted.await {
                    Some(incoming) => handlers.push(router.handle(incoming)),
                    None => break,
                }
            }
            server.closed().await
        }
    }
}

/// Futures polled beside each other, each only when it was woken.
struct InPlace<F> {
    running: Vec<(Arc<Bell>, Pin<Box<F>>)>,
    outer: Arc<Mutex<Option<Waker>>>,
}

/// Remembers that its future was woken, and wakes the task that they all share.
struct Bell {
    rang: AtomicBool,
    outer: Arc<Mutex<Option<Waker>>>,
}

impl<F> Default for InPlace<F> {
    fn default() -> Self {
        Self { running: Vec::new(), outer: Arc::default() }
    }
}

impl<F: Future<Output = ()>> InPlace<F> {
    fn push(&mut self, future: F) {
        let bell = Bell { rang: AtomicBool::new(true), outer: self.outer.clone() };
        self.running.push((Arc::new(bell), Box::pin(future)));
    }

    fn poll(&mut self, cx: &Context<'_>) {
        let earlier =
            self.outer.lock().unwrap_or_else(PoisonError::into_inner).replace(cx.waker().clone());
        drop(earlier);
        self.running.retain_mut(|(bell, future)| {
            if !bell.rang.swap(false, Ordering::AcqRel) {
                return true;
            }
            let waker = Waker::from(bell.clone());
            future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
        });
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.rang.swap(true, Ordering::AcqRel) {
            let outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner).clone();
            outer.into_iter().for_each(Waker::wake);
        }
    }
}
