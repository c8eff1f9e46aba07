//! A platform as hyper wants one: where its tasks run, and its clock.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use hyper::rt;

use crate::driver::{self, Runtime};
use crate::net::Platform;
use crate::time::Instant;

/// hyper's own tasks, such as a request on a connection of HTTP/2.
#[derive(Clone)]
pub(super) struct Executor(pub(super) Arc<dyn Platform>);

impl<F: Future<Output = ()> + Send + 'static> rt::Executor<F> for Executor {
    fn execute(&self, task: F) {
        self.0.spawn(Box::pin(task));
    }
}

/// hyper counts in the system's moments; the clock that moves them is the platform's.
#[derive(Clone)]
#[expect(clippy::disallowed_types, reason = "hyper wants them")]
pub(super) struct Clock {
    platform: Arc<dyn Platform>,
    /// The same moment on both.
    start: (std::time::Instant, Instant),
}

#[expect(clippy::disallowed_types, reason = "hyper wants them")]
impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "any moment would do, and there is no other way to one"
    )]
    pub(super) fn new(platform: Arc<dyn Platform>) -> Self {
        let start = (std::time::Instant::now(), platform.now());
        Self { platform, start }
    }
}

#[expect(clippy::disallowed_types, reason = "hyper wants them")]
impl rt::Timer for Clock {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        let at = self.platform.now() + duration;
        Box::pin(Sleep(Mutex::new(self.platform.timer(at))))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn rt::Sleep>> {
        let at = self.start.1 + deadline.saturating_duration_since(self.start.0);
        Box::pin(Sleep(Mutex::new(self.platform.timer(at))))
    }

    fn now(&self) -> std::time::Instant {
        self.start.0 + (self.platform.now() - self.start.1)
    }
}

/// A timer that is `Sync`, which hyper wants: nobody can reach into it but whoever polls it.
struct Sleep(Mutex<Pin<Box<dyn driver::Timer>>>);

impl rt::Sleep for Sleep {}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll(cx)
    }
}
