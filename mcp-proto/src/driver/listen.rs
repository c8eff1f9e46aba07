//! What a call does with its reports: nothing, a closure, or an async closure.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt::{self, Display};
use core::future::Future;
use core::panic::AssertUnwindSafe;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::panic::catch_unwind;

use crate::types::Progress;

/// A listener of a call. Sealed: [`Call::on_progress`](super::Call::on_progress) and its siblings make them.
pub trait Listen: sealed::Sealed {
    /// Whether somebody listens, so that progress is asked for.
    #[doc(hidden)]
    const IS_LISTENING: bool;

    /// Begins to handle one report.
    #[doc(hidden)]
    fn start(&mut self, progress: Progress) -> Result<(), ListenerError>;

    /// Ready when the report is handled, and the next one may begin.
    #[doc(hidden)]
    fn poll_done(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), ListenerError>> {
        Poll::Ready(Ok(()))
    }
}

/// How a listener failed. The call goes on without it, and its result is not lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListenerError {
    /// It returned an error.
    Failed(String),
    /// It panicked.
    Panicked,
}

impl fmt::Display for ListenerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(what) => write!(f, "the progress listener failed: {what}"),
            Self::Panicked => f.write_str("the progress listener panicked"),
        }
    }
}

impl core::error::Error for ListenerError {}

/// Nobody listens.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Silent;

/// A closure listens.
#[derive(Debug)]
pub struct Closure<F>(pub(super) F);

/// An async closure listens: one report at a time, in order.
#[derive(Debug)]
pub struct AsyncClosure<F, Fut> {
    pub(super) closure: F,
    pub(super) running: Option<Pin<Box<Fut>>>,
}

/// What a closure may return: nothing, or a `Result` whose error tells that it failed.
pub trait Handled {
    /// The error, if it failed.
    fn failure(self) -> Result<(), ListenerError>;
}

impl Handled for () {
    fn failure(self) -> Result<(), ListenerError> {
        Ok(())
    }
}

impl<E: Display> Handled for Result<(), E> {
    fn failure(self) -> Result<(), ListenerError> {
        self.map_err(|error| ListenerError::Failed(error.to_string()))
    }
}

impl Listen for Silent {
    const IS_LISTENING: bool = false;

    fn start(&mut self, _: Progress) -> Result<(), ListenerError> {
        Ok(())
    }
}

impl<F: FnMut(Progress) -> H, H: Handled> Listen for Closure<F> {
    const IS_LISTENING: bool = true;

    fn start(&mut self, progress: Progress) -> Result<(), ListenerError> {
        caught(|| (self.0)(progress))?.failure()
    }
}

impl<F: FnMut(Progress) -> Fut, Fut: Future<Output: Handled>> Listen for AsyncClosure<F, Fut> {
    const IS_LISTENING: bool = true;

    fn start(&mut self, progress: Progress) -> Result<(), ListenerError> {
        self.running = Some(Box::pin(caught(|| (self.closure)(progress))?));
        Ok(())
    }

    fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ListenerError>> {
        let Some(running) = &mut self.running else { return Poll::Ready(Ok(())) };
        let done = match caught(|| running.as_mut().poll(cx)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(handled)) => handled.failure(),
            Err(panicked) => Err(panicked),
        };
        self.running = None;
        Poll::Ready(done)
    }
}

/// Runs the user's code: its panic must not lose the response.
pub(super) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, ListenerError> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| ListenerError::Panicked)
}

#[allow(unnameable_types)] // what seals a trait must not be named
mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Silent {}
    impl<F> Sealed for super::Closure<F> {}
    impl<F, Fut> Sealed for super::AsyncClosure<F, Fut> {}
}
