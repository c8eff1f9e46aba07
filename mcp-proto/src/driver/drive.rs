//! The future that moves bytes and time.

use alloc::boxed::Box;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use super::afterwards::Afterwards;
use super::alarm::Alarm;
use super::carrier::{Carrier, Failed, Input};
use super::link::Scope;
use super::scratch::{SCRATCH_LEN, scratch};
use super::shared::{Shared, State, register};
use super::sync;
use super::watchers::Change;
use crate::error::CloseReason;
#[cfg(feature = "snapshot")]
use crate::role;
use crate::role::Role;
use crate::stdio::Connection;
#[cfg(feature = "snapshot")]
use crate::stdio::ConnectionSnapshot;
use crate::time::Instant;

/// Moves bytes and time between a transport and the machine. Spawn it, or poll it beside your own code.
///
/// It ends with the transport, or when the last handle is dropped; what was queued is written first,
/// for at most five seconds. It never waits to write while it could read, nor the reverse; it looks at
/// the clock before it trusts a timer, works in bounded steps, and runs no code of yours but the
/// listeners of the connection.
#[must_use = "nothing moves until the driver is polled"]
pub struct Driver<R: Role, T> {
    shared: sync::Shared<Shared<R, Connection<R>>>,
    io: Pin<Box<T>>,
    /// What is left to do after a look at the state; empty between polls, and kept for its room.
    afterwards: Afterwards,
    /// How much is offered to the transport: twice what it took last, if that was not all.
    offer: usize,
    needs_flush: bool,
    /// More requests came in one read than were handed over yet: nothing is read before they are, and answers
    /// wait for each other, to leave in one write.
    is_bursting: bool,
    /// The machine took input when it was last looked at. What handles do meanwhile cannot fill it.
    takes_input: bool,
    input_ended: bool,
    alarm: Alarm,
    /// Writing has failed; until then what the peer had said before is still read.
    hear_until: Option<Instant>,
    /// When what is left to write is given up.
    give_up_at: Option<Instant>,
}

/// What is offered to a transport at least, however little it takes.
const LEAST_OFFER: usize = 512;

/// Bytes of answers that wait for others while a burst of requests is handed over.
const HELD_OUTPUT: usize = 16 << 10;

/// Steps before other tasks get their turn.
const BUDGET: usize = 64;

/// How long the last bytes, or over HTTP the last requests and responses, may take once the connection is closed. Stops a
/// peer that never reads, or never answers, from keeping it open.
pub(crate) const LINGER: Duration = Duration::from_secs(5);

/// How long a peer that no longer reads is still listened to: what it said last is on its way.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What came of looking at the machine.
struct Turn<O> {
    /// Why the connection has closed, if it has.
    closed: Option<CloseReason>,
    /// Whether more events may wait.
    has_more: bool,
    /// What is to be written.
    output: Pending<O>,
    /// The machine's next deadline, unless there is output.
    due: Option<Instant>,
}

/// What there is to be written in one step.
enum Pending<O> {
    Nothing,
    /// Something, which the transport does not take now.
    Blocked,
    /// Something, of so many bytes.
    Some(O, usize),
}

/// What became of the output in one step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrote {
    /// There was none.
    Nothing,
    /// The transport takes none.
    Blocked,
    /// Some left, or it failed, or something came of it.
    Some,
    /// What there was, and nothing came of it.
    All,
}

impl<R: Role, T: Carrier> Driver<R, T> {
    pub(super) fn new(shared: sync::Shared<Shared<R, Connection<R>>>, io: T) -> Self {
        Self {
            shared,
            io: Box::pin(io),
            afterwards: Afterwards::default(),
            offer: SCRATCH_LEN,
            needs_flush: false,
            is_bursting: false,
            takes_input: false,
            input_ended: false,
            alarm: Alarm::default(),
            hear_until: None,
            give_up_at: None,
        }
    }

    /// Reads what is there, if the machine takes it.
    fn read(
        &mut self,
        is_dry: &mut bool,
        buffer: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Option<Input> {
        if *is_dry || !self.wants_input() {
            return None;
        }
        let Poll::Ready(input) = self.io.as_mut().poll_input(cx, buffer) else {
            *is_dry = true;
            return None;
        };
        self.input_ended = matches!(input, Input::End | Input::Failure(_));
        Some(input)
    }

    /// Whether the machine takes input. Not while requests that came in one read are handed over.
    fn wants_input(&mut self) -> bool {
        if self.input_ended || self.is_bursting {
            return false;
        }
        if !self.takes_input {
            self.takes_input = takes_input(&self.shared.lock());
        }
        self.takes_input
    }

    /// Whether the transport takes output now.
    fn is_ready(&mut self, cx: &mut Context<'_>) -> bool {
        match self.io.as_mut().poll_ready(cx) {
            Poll::Ready(Ok(())) => true,
            Poll::Ready(Err(failed)) => {
                self.fail(failed);
                false
            }
            Poll::Pending => false,
        }
    }

    /// Takes in what was read, lets time pass, sorts events, and takes out what is to be written.
    fn turn(
        &mut self,
        input: Option<Input>,
        is_ready: bool,
        buffer: &mut [u8],
        now: Instant,
        cx: &mut Context<'_>,
    ) -> Turn<T::Output> {
        let afterwards = &mut self.afterwards;
        let mut state = self.shared.lock();
        let former = register(&mut state.driver, cx);
        match input {
            Some(Input::Bytes(length)) => {
                state.detach();
                state.link.handle_input(buffer.get(..length).unwrap_or_default(), now);
            }
            Some(Input::Message(message)) => {
                state.detach();
                state.link.handle_input_owned(message, now);
            }
            Some(Input::End) => state.link.handle_eof(now),
            Some(Input::Failure(failed)) => {
                trouble(&mut state, failed);
                state.link.handle_transport_error(now);
            }
            None => {}
        }
        if state.link.poll_timeout().is_some_and(|at| at <= now) {
            state.link.handle_timeout(now);
        }
        if self.hear_until.is_some_and(|until| until <= now || self.input_ended) {
            self.input_ended = true;
            state.link.handle_transport_error(now);
        }
        state.pump(now, afterwards);
        let closed = state.closed.clone();
        self.is_bursting = afterwards.is_burst();
        let has_jobs = !afterwards.jobs.is_empty();
        let listeners = state.listeners.as_ref().filter(|_| has_jobs).cloned();
        let mut output = Pending::Nothing;
        if self.hear_until.is_some() {
            // Nobody reads it, but input is not taken while it waits.
            while let Some(lost) = state.link.poll_transmit().map(<[u8]>::len) {
                state.link.advance_transmit(lost);
            }
        } else if !self.is_bursting || state.link.has_output(HELD_OUTPUT) {
            if !is_ready {
                output = if state.link.has_transmit() { Pending::Blocked } else { output };
            } else if let Some((copy, length)) = T::copy_output(&mut state.link, self.offer, buffer)
            {
                output = Pending::Some(copy, length);
            }
        }
        self.takes_input = takes_input(&state);
        let due = match output {
            Pending::Some(..) => None, // writing changes it
            Pending::Nothing | Pending::Blocked => state.link.poll_timeout(),
        };
        drop(state);
        drop(former);
        afterwards.run(listeners.as_deref());
        Turn { closed, has_more: self.is_bursting || has_jobs, output, due }
    }

    /// Writes what the transport takes of `output`, and sees what comes of it.
    ///
    /// Nothing is set aside between polls: what is revoked until the transport takes it never leaves.
    fn write(
        &mut self,
        output: Pending<T::Output>,
        buffer: &[u8],
        due: &mut Option<Instant>,
        cx: &mut Context<'_>,
    ) -> Wrote {
        let (output, offered) = match output {
            Pending::Some(output, length) => (output, length),
            Pending::Blocked => return Wrote::Blocked,
            Pending::Nothing if self.flush(cx) => return Wrote::Nothing,
            Pending::Nothing => return Wrote::Some,
        };
        let wrote = self.io.as_mut().poll_output(cx, output, buffer);
        let written = match &wrote {
            Poll::Ready(Ok(written)) => offered.min(*written),
            _ => 0,
        };
        let mut state = self.shared.lock();
        state.link.advance_transmit(written);
        if written > 0 {
            state.wake_watchers(Change::Output(Scope::ONLY), &mut self.afterwards);
        }
        // The last of what was owed to a peer that sends nothing more is the end of the connection: an event.
        let is_all = !state.link.has_transmit() && !state.link.has_event();
        *due = state.link.poll_timeout();
        drop(state);
        self.afterwards.wake();
        match wrote {
            Poll::Ready(Ok(1..)) => {
                self.offer = match written {
                    all if all == offered => SCRATCH_LEN,
                    some => (2 * some).clamp(LEAST_OFFER, SCRATCH_LEN),
                };
                self.needs_flush = true;
                if is_all && self.flush(cx) { Wrote::All } else { Wrote::Some }
            }
            Poll::Ready(failed) => {
                self.fail(failed.err().unwrap_or_else(|| Failed("it takes nothing".into())));
                Wrote::Some
            }
            Poll::Pending => Wrote::Blocked,
        }
    }

    /// Pushes out what was written. Whether that has not failed.
    fn flush(&mut self, cx: &mut Context<'_>) -> bool {
        if self.needs_flush {
            match self.io.as_mut().poll_flush(cx) {
                Poll::Ready(Ok(())) => self.needs_flush = false,
                Poll::Ready(Err(failed)) => {
                    self.fail(failed);
                    return false;
                }
                Poll::Pending => {}
            }
        }
        true
    }

    /// Nothing can be written any more. What the peer had said before it stopped reading still counts.
    fn fail(&mut self, failed: Failed) {
        trouble(&mut self.shared.lock(), failed);
        self.needs_flush = false;
        let until = self.shared.now() + LAST_WORDS;
        self.hear_until.get_or_insert(until);
    }

    /// Arms the timer for the next deadline, the machine's or its own. Whether that has come already.
    fn arm(&mut self, due: Option<Instant>, now: Instant, cx: &mut Context<'_>) -> bool {
        let hear_until = self.hear_until.filter(|_| !self.input_ended);
        let at = [due, self.give_up_at, hear_until].into_iter().flatten().min();
        self.alarm.arm(at, now, self.shared.runtime(), cx)
    }

    /// Ends the output once everything is written, or given up.
    fn close(
        &mut self,
        reason: &CloseReason,
        wrote: Wrote,
        now: Instant,
        cx: &mut Context<'_>,
    ) -> bool {
        let give_up_at = *self.give_up_at.get_or_insert(now + LINGER);
        // What is written may have more behind it, so only a round that wrote nothing is the last.
        let is_written = wrote == Wrote::Nothing && !self.needs_flush;
        now >= give_up_at || (is_written && self.io.as_mut().poll_close(cx, reason).is_ready())
    }

    fn drive(&mut self, buffer: &mut [u8], cx: &mut Context<'_>) -> Poll<CloseReason> {
        // Once there was nothing to read, the transport is not asked again: it wakes the driver.
        let mut is_dry = false;
        // The last round has left nothing to do but to wait for input, or for this.
        let mut waits: Option<(Option<Instant>, Instant)> = None;
        for _ in 0..BUDGET {
            let input = self.read(&mut is_dry, buffer, cx);
            if input.is_none()
                && let Some((due, now)) = waits
                && !self.arm(due, now, cx)
            {
                return Poll::Pending;
            }
            let now = self.shared.now();
            let is_ready = self.is_ready(cx);
            let turn = self.turn(input, is_ready, buffer, now, cx);
            let Turn { closed, has_more, output, mut due } = turn;
            let wrote = self.write(output, buffer, &mut due, cx);
            let is_closing = closed.is_some();
            if let Some(reason) = closed
                && !has_more
                && self.close(&reason, wrote, now, cx)
            {
                self.shared.abandon();
                return Poll::Ready(reason);
            }
            if self.is_bursting {
                break;
            }
            // Where all was written, only what comes or is due can bring more.
            let moved = has_more || wrote == Wrote::Some || (is_closing && wrote == Wrote::All);
            waits = (!moved).then_some((due, now));
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Keeps what the transport said. What else fails then fails because of it.
fn trouble<R: Role>(state: &mut State<R, Connection<R>>, Failed(said): Failed) {
    state.trouble.get_or_insert(said);
}

/// Whether the machine takes input. Once closed, what comes is passed over: a peer that must be heard before it
/// reads goes on then.
fn takes_input<R: Role>(state: &State<R, Connection<R>>) -> bool {
    state.closed.is_some() || (state.link.wants_input() && !state.is_paused())
}

#[cfg(feature = "snapshot")]
impl<T: Carrier> Driver<role::Server, T> {
    /// Takes the state of the connection out, for who goes on with it: see
    /// [`restored_server`](super::restored_server). Feature `snapshot`.
    ///
    /// Nothing more is read or written here, and the output is not ended: the transport is dropped. Whatever was read is
    /// in the state, and so is what was not written; what the transport had taken and not flushed is lost with it. Those who
    /// work on requests see them cancelled.
    pub fn export(self) -> ConnectionSnapshot {
        let now = self.shared.now();
        self.shared.lock().link.snapshot(now)
    }
}

impl<R: Role, T: Carrier> Future for Driver<R, T> {
    type Output = CloseReason;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseReason> {
        let this = self.get_mut();
        scratch(|buffer| this.drive(buffer, cx))
    }
}

impl<R: Role, T> Drop for Driver<R, T> {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}
