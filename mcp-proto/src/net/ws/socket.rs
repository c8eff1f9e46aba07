//! A WebSocket as the driver wants it: a pipe of whole messages.

use alloc::sync::Arc;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use async_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use async_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};
use futures_util::{Sink, Stream as _};

use crate::driver::{MessageTransport, Transport};
use crate::error::CloseReason;
use crate::net::Platform;
use crate::net::signal::{Raised, Signal};
use crate::net::timing::Deadline;

use super::PULSE;
use super::counted::Counted;

/// An open WebSocket. Made by [`Connector::reach`](super::Connector::reach).
pub struct Socket {
    stream: WebSocketStream<Counted>,
    /// The peer has closed it: nothing can be sent any more.
    is_left: bool,
    /// Why this side ends it, where that is not the engine's reason.
    fault: Option<CloseCode>,
    closing: Closing,
    /// Pings since everything was flushed last; their answers may wait in the buffer.
    unanswered: u32,
    /// Once there are too many: until when the peer has to take some, and how many bytes had left.
    stalls: Option<(Deadline, u64)>,
    pulse: Pulse,
    /// Nothing was there when it was last asked for: what comes wakes whoever asked.
    is_read: bool,
    platform: Arc<dyn Platform>,
    /// Ready when the server stops.
    stop: Option<Raised>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// The close frame is queued.
    Said,
    /// It has left; the peer may still answer it.
    Flushed,
    /// Nothing more leaves, and what comes is passed over, so that the system does not reset the connection
    /// before the peer has read why it ended.
    Shut,
}

/// Asks a peer that says nothing whether it is still there, and keeps what is on the way from forgetting the
/// connection.
struct Pulse {
    deadline: Deadline,
    every: Duration,
    has_heard: bool,
    has_asked: bool,
}

/// Pings that are answered before the peer reads an answer. Stops one that only pings from filling our memory.
const MAX_UNANSWERED: u32 = 64;

/// Frames that are passed over before other tasks get their turn.
const MAX_PASSED: usize = 64;

/// Bytes that are read at once, and that are written together.
const BUFFER_LEN: usize = 16 << 10;

/// The library's configuration for messages of so many bytes at most, none of them kept beyond that.
pub(super) fn config(max_message_len: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(BUFFER_LEN)
        .write_buffer_size(BUFFER_LEN)
        .max_message_size(Some(max_message_len))
        .max_frame_size(Some(max_message_len))
}

impl Socket {
    /// A socket that is open. If it hears nothing for `every`, it asks; if it then hears nothing, it fails.
    pub(super) fn new(
        stream: WebSocketStream<Counted>,
        every: Duration,
        platform: Arc<dyn Platform>,
    ) -> Self {
        let deadline = Deadline::after(every, &*platform);
        Self {
            stream,
            is_left: false,
            fault: None,
            closing: Closing::No,
            unanswered: 0,
            stalls: None,
            pulse: Pulse { deadline, every, has_heard: false, has_asked: false },
            is_read: true,
            platform,
            stop: None,
        }
    }

    /// Ends its input when the server stops.
    pub(super) fn until(mut self, stop: &Signal) -> Self {
        self.stop = Some(stop.raised());
        self
    }

    fn fail(&mut self, code: CloseCode, error: Error) -> Poll<Option<Result<Bytes, Error>>> {
        self.fault.get_or_insert(code);
        Poll::Ready(Some(Err(error)))
    }

    /// Whether the server has stopped: the end of the input, once.
    fn has_stopped(&mut self, cx: &mut Context<'_>) -> bool {
        let has_stopped = self.stop.as_mut().is_some_and(|stop| Pin::new(stop).poll(cx).is_ready());
        if has_stopped {
            self.stop = None;
            self.fault = Some(CloseCode::Away);
        }
        has_stopped
    }

    /// What to do while nothing is read, because the peer has pinged and takes no answer.
    fn poll_unread(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if self.has_stopped(cx) {
            return Poll::Ready(None);
        }
        let Self { stream, stalls, pulse, platform, .. } = self;
        let written = stream.get_ref().written();
        let (deadline, before) =
            stalls.get_or_insert_with(|| (Deadline::after(pulse.every, &**platform), written));
        // One that reads slowly reads.
        if core::mem::replace(before, written) != written {
            deadline.reset(pulse.every, &**platform);
        }
        ready!(deadline.poll(&**platform, cx));
        self.fail(CloseCode::Policy, Error::Io(io::ErrorKind::TimedOut.into()))
    }

    /// What was read may not be taken at once, and the peer's pings lie behind it. Its patience may be less than ours.
    fn leave_unheard(&mut self) {
        self.is_read = false;
        if self.pulse.every > PULSE {
            self.pulse.deadline.reset(PULSE / 2, &*self.platform);
        }
    }

    /// What to do while nothing is read: the peer is told without being heard that somebody is there. If it cannot be told,
    /// reading shows why, behind what came before.
    fn poll_unheard(&mut self, cx: &mut Context<'_>) {
        let Self { stream, pulse, platform, .. } = self;
        // One that is due at once would let nothing else run.
        let half = (pulse.every.min(PULSE) / 2).max(Duration::from_millis(1));
        while pulse.deadline.poll(&**platform, cx).is_ready() {
            pulse.deadline.reset(half, &**platform);
            if Pin::new(&mut *stream).start_send(Message::Pong(Bytes::new())).is_ok() {
                let _ = Pin::new(&mut *stream).poll_flush(cx);
            }
        }
    }

    /// What to do while nothing comes.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Error>>> {
        if self.has_stopped(cx) {
            return Poll::Ready(None);
        }
        let platform = self.platform.clone();
        while self.pulse.deadline.poll(&*platform, cx).is_ready() {
            self.pulse.deadline.reset(self.pulse.every, &*platform);
            let has_heard = core::mem::take(&mut self.pulse.has_heard);
            // Where it has not read what was sent before, it cannot answer, and that it does not read is
            // noticed elsewhere.
            if has_heard || Pin::new(&mut self.stream).poll_flush(cx).is_pending() {
                self.pulse.has_asked = false;
            } else if core::mem::replace(&mut self.pulse.has_asked, true) {
                let error = Error::Io(io::ErrorKind::TimedOut.into());
                return self.fail(CloseCode::Policy, error);
            } else {
                Pin::new(&mut self.stream).start_send(Message::Ping(Bytes::new()))?;
                let _ = Pin::new(&mut self.stream).poll_flush(cx)?;
            }
        }
        Poll::Pending
    }
}

/// What the peer is told when the WebSocket cannot go on.
fn code_of(error: &Error) -> CloseCode {
    match error {
        Error::Capacity(_) => CloseCode::Size,
        Error::Utf8(_) => CloseCode::Invalid,
        Error::Protocol(_) => CloseCode::Protocol,
        _ => CloseCode::Error,
    }
}

/// What the peer is told when the conversation has ended.
fn code_for(reason: &CloseReason) -> CloseCode {
    match reason {
        CloseReason::Local
        | CloseReason::Eof { .. }
        | CloseReason::NoCommonVersion
        | CloseReason::HandshakeRefused(_) => CloseCode::Normal,
        CloseReason::HandshakeTimeout
        | CloseReason::HandshakeInvalid
        | CloseReason::Stalled
        | CloseReason::TooManyViolations => CloseCode::Policy,
        _ => CloseCode::Error,
    }
}

impl MessageTransport for Socket {
    type Error = Error;

    fn poll_receive(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Error>>> {
        let this = &mut *self;
        if this.is_left {
            return Poll::Ready(None);
        }
        this.is_read = true;
        for _ in 0..MAX_PASSED {
            if this.unanswered >= MAX_UNANSWERED {
                if Pin::new(&mut this.stream).poll_flush(cx)?.is_pending() {
                    return this.poll_unread(cx);
                }
                (this.unanswered, this.stalls) = (0, None);
            }
            let Poll::Ready(received) = Pin::new(&mut this.stream).poll_next(cx) else {
                return this.poll_silence(cx);
            };
            this.pulse.has_heard = true;
            match received {
                Some(Ok(Message::Text(text))) => {
                    this.leave_unheard();
                    return Poll::Ready(Some(Ok(text.into())));
                }
                Some(Ok(Message::Ping(_))) => {
                    this.unanswered += 1;
                    if Pin::new(&mut this.stream).poll_flush(cx)?.is_ready() {
                        this.unanswered = 0;
                    }
                }
                Some(Ok(Message::Pong(_))) => {}
                Some(Ok(Message::Close(_))) | None => {
                    this.is_left = true;
                    return Poll::Ready(None);
                }
                Some(Ok(Message::Binary(_) | Message::Frame(_))) => {
                    let error = io::Error::new(io::ErrorKind::InvalidData, "a binary message");
                    return this.fail(CloseCode::Unsupported, Error::Io(error));
                }
                Some(Err(error)) => return this.fail(code_of(&error), error),
            }
        }
        // One that is always there with another ping would be heard for ever.
        if this.has_stopped(cx) {
            return Poll::Ready(None);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.is_left {
            return Poll::Ready(Err(Error::ConnectionClosed));
        }
        if !self.is_read {
            self.poll_unheard(cx);
        }
        Pin::new(&mut self.stream).poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Bytes) -> Result<(), Error> {
        let text = Utf8Bytes::try_from(message)?;
        Pin::new(&mut self.stream).start_send(Message::Text(text))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        reason: &CloseReason,
    ) -> Poll<Result<(), Error>> {
        let this = &mut *self;
        if this.closing == Closing::No {
            this.closing = Closing::Said;
            if !this.is_left {
                let code = this.fault.unwrap_or_else(|| code_for(reason));
                let frame = CloseFrame { code, reason: Utf8Bytes::from_static("") };
                // If it cannot be said, the peer is gone.
                let _ = Pin::new(&mut this.stream).start_send(Message::Close(Some(frame)));
            }
        }
        if this.closing == Closing::Said {
            ready!(Pin::new(&mut this.stream).poll_flush(cx))?;
            this.closing = Closing::Flushed;
        }
        if this.closing == Closing::Flushed {
            for passed in 0.. {
                if passed == MAX_PASSED {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                if !matches!(ready!(Pin::new(&mut this.stream).poll_next(cx)), Some(Ok(_))) {
                    break;
                }
            }
            this.closing = Closing::Shut;
        }
        let stream = this.stream.get_mut();
        ready!(Transport::poll_close(stream.stream(), cx))?;
        let mut passed_over = [0; 1 << 10];
        for _ in 0..MAX_PASSED {
            if ready!(Transport::poll_read(stream.stream(), cx, &mut passed_over))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").finish_non_exhaustive()
    }
}
