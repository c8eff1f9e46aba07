//! What a runtime has to offer: a duplex byte pipe, and a clock with timers.

use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::time::Instant;

/// A duplex byte pipe.
///
/// The methods are those of every async I/O trait; an adapter forwards to its runtime's own.
pub trait Transport {
    /// Why reading or writing failed.
    type Error: fmt::Debug;

    /// Reads some bytes into `buf`; 0 is the end of the input.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<Result<usize, Self::Error>>;

    /// Writes some bytes of `buf`, which is not empty.
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<Result<usize, Self::Error>>;

    /// Pushes out what was written.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>>;

    /// Ends the output.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>>;
}

/// A clock, and timers that follow it.
pub trait Runtime: Send + Sync + 'static {
    /// The time now. Its epoch is the runtime's own, the same for every call.
    fn now(&self) -> Instant;

    /// A timer that is ready at `at`. It may be late, never early for long: the driver looks at the clock.
    fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>>;
}

/// A future that is ready when its time has come.
pub trait Timer: Future<Output = ()> + Send {}

impl<T: Future<Output = ()> + Send> Timer for T {}
