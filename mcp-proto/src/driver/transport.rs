//! What a runtime has to offer: a duplex pipe of bytes or of messages, and a clock with timers.

use alloc::boxed::Box;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::IoSlice;

use bytes::Bytes;

use crate::error::CloseReason;
use crate::time::Instant;

/// A duplex byte pipe.
///
/// The methods are those of every async I/O trait; an adapter forwards to its runtime's own.
pub trait Transport {
    /// Why reading or writing failed. What it says becomes [`Client::last_trouble`](super::Client::last_trouble) and
    /// [`Server::last_trouble`](super::Server::last_trouble).
    type Error: fmt::Display;

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

    /// Writes some bytes of these slices, one behind the other; not all of them are empty. Default: of the first that is not.
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize, Self::Error>> {
        let first = bufs.iter().find(|buf| !buf.is_empty());
        self.poll_write(cx, first.map_or(&[], |first| first))
    }

    /// Whether that writes more than one slice at once. Default false.
    fn is_write_vectored(&self) -> bool {
        false
    }

    /// Pushes out what was written.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>>;

    /// Ends the output. Everything was pushed out before: that it fails troubles nobody.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>>;
}

/// A duplex pipe of whole messages, such as a WebSocket: the driver of [`Messages`] moves them.
///
/// Its own buffers are bounded by itself: what comes by
/// [`Limits::max_message_len`](crate::Limits), before a message is kept; what leaves because it is not ready while
/// more than a little waits in it. How the peer is told that a message is refused (too long, no text) is its
/// affair too: it then fails.
pub trait MessageTransport {
    /// Why receiving or sending failed. What it says becomes [`Client::last_trouble`](super::Client::last_trouble) and
    /// [`Server::last_trouble`](super::Server::last_trouble).
    type Error: fmt::Display;

    /// Receives the next message, UTF-8; `None` is the end of the input. Must push out by itself what it answers
    /// on its own level.
    fn poll_receive(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>>;

    /// Whether it takes a message now. Until it does, what waits can still be taken back.
    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>>;

    /// Takes one message, UTF-8 without newlines. It was ready right before.
    fn start_send(self: Pin<&mut Self>, message: Bytes) -> Result<(), Self::Error>;

    /// Pushes out what was taken.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>>;

    /// Ends the connection, and tells the peer why where it has words for it.
    fn poll_close(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        reason: &CloseReason,
    ) -> Poll<Result<(), Self::Error>>;
}

/// A [`MessageTransport`], as a [`Driver`](super::Driver) carries it.
#[derive(Debug)]
pub struct Messages<T>(pub(super) Pin<Box<T>>);

/// A clock, and timers that follow it.
pub trait Runtime: Send + Sync + 'static {
    /// The time now. Its epoch is the runtime's own, the same for every call.
    fn now(&self) -> Instant;

    /// A timer that is ready at `at`. It may be late, never early for long: the driver looks at the clock.
    fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>>;

    /// Random bytes that nobody can guess, for the id of a session on HTTP, and to spread the times that its clients wait.
    /// Default none: no session is opened then, and nothing is spread.
    fn seed(&self) -> Option<[u8; 24]> {
        None
    }
}

/// A future that is ready when its time has come.
pub trait Timer: Future<Output = ()> + Send {}

impl<T: Future<Output = ()> + Send> Timer for T {}
