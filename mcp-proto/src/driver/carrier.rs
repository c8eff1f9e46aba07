//! What a driver moves: bytes in which messages are lines, or whole messages.

use alloc::boxed::Box;
use core::fmt::Display;
use core::pin::Pin;
use core::task::{Context, Poll};

use bytes::Bytes;

use super::transport::{MessageTransport, Messages, Transport};
use super::trouble::said;
use crate::error::CloseReason;
use crate::role::Role;
use crate::stdio::Connection;

/// How a [`Driver`](super::Driver) carries what is said. Sealed: every [`Transport`] does, and [`Messages`].
pub trait Carrier: sealed::Sealed {
    /// What is to be sent.
    #[doc(hidden)]
    type Output;

    /// Receives what is there.
    #[doc(hidden)]
    fn poll_input(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Input>;

    /// Whether it takes something now, or has failed.
    #[doc(hidden)]
    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Failed>>;

    /// Copies what can be sent, of `offer` bytes at most where that is bytes: it is not called under the lock. Its
    /// length comes with it.
    #[doc(hidden)]
    fn copy_output<R: Role>(
        machine: &mut Connection<R>,
        offer: usize,
        buffer: &mut [u8],
    ) -> Option<(Self::Output, usize)>;

    /// Takes output, and says how many bytes of it.
    #[doc(hidden)]
    fn poll_output(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        output: Self::Output,
        buffer: &[u8],
    ) -> Poll<Result<usize, Failed>>;

    /// Pushes out what was taken.
    #[doc(hidden)]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Failed>>;

    /// Ends the output.
    #[doc(hidden)]
    fn poll_close(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        reason: &CloseReason,
    ) -> Poll<Result<(), Failed>>;
}

/// What was received.
#[doc(hidden)]
#[allow(unnameable_types, missing_debug_implementations)] // what only a sealed trait speaks of
#[non_exhaustive]
pub enum Input {
    /// So many bytes, in the buffer.
    Bytes(usize),
    /// A whole message.
    Message(Bytes),
    End,
    Failure(Failed),
}

/// Nothing can be sent any more, or received: what was said of it.
#[doc(hidden)]
#[allow(unnameable_types)]
#[derive(Debug)]
#[non_exhaustive]
pub struct Failed(pub(super) Box<str>);

impl Failed {
    fn of(error: &impl Display) -> Self {
        Self(said(error))
    }
}

fn failed<T, E: Display>(result: Result<T, E>) -> Result<T, Failed> {
    result.map_err(|error| Failed::of(&error))
}

impl<T: Transport> Carrier for T {
    /// So many bytes, in the buffer.
    type Output = usize;

    fn poll_input(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Input> {
        self.poll_read(cx, buffer).map(|read| match read {
            Ok(0) => Input::End,
            Ok(length) => Input::Bytes(length),
            Err(error) => Input::Failure(Failed::of(&error)),
        })
    }

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn copy_output<R: Role>(
        machine: &mut Connection<R>,
        offer: usize,
        buffer: &mut [u8],
    ) -> Option<(usize, usize)> {
        let lent = machine.lend_transmit(offer)?;
        buffer.get_mut(..lent.len())?.copy_from_slice(lent);
        Some((lent.len(), lent.len()))
    }

    fn poll_output(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        length: usize,
        buffer: &[u8],
    ) -> Poll<Result<usize, Failed>> {
        self.poll_write(cx, buffer.get(..length).unwrap_or_default()).map(failed)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Transport::poll_flush(self, cx).map(failed)
    }

    fn poll_close(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _: &CloseReason,
    ) -> Poll<Result<(), Failed>> {
        Transport::poll_close(self, cx).map(failed)
    }
}

impl<T: MessageTransport> Carrier for Messages<T> {
    type Output = Bytes;

    fn poll_input(mut self: Pin<&mut Self>, cx: &mut Context<'_>, _: &mut [u8]) -> Poll<Input> {
        self.0.as_mut().poll_receive(cx).map(|received| match received {
            Some(Ok(message)) => Input::Message(message),
            Some(Err(error)) => Input::Failure(Failed::of(&error)),
            None => Input::End,
        })
    }

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.0.as_mut().poll_ready(cx).map(failed)
    }

    fn copy_output<R: Role>(
        machine: &mut Connection<R>,
        offer: usize,
        _: &mut [u8],
    ) -> Option<(Bytes, usize)> {
        machine.lend_transmit(offer).map(|lent| (Bytes::copy_from_slice(lent), lent.len()))
    }

    fn poll_output(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        message: Bytes,
        _: &[u8],
    ) -> Poll<Result<usize, Failed>> {
        let length = message.len();
        Poll::Ready(failed(self.0.as_mut().start_send(message)).map(|()| length))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.0.as_mut().poll_flush(cx).map(failed)
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        reason: &CloseReason,
    ) -> Poll<Result<(), Failed>> {
        self.0.as_mut().poll_close(cx, reason).map(failed)
    }
}

#[allow(unnameable_types)] // what seals a trait must not be named
mod sealed {
    pub trait Sealed {}
    impl<T: super::Transport> Sealed for T {}
    impl<T: super::MessageTransport> Sealed for super::Messages<T> {}
}
