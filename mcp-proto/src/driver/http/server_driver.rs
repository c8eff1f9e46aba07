//! The future that moves time for a server on HTTP.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::super::afterwards::Afterwards;
use super::super::alarm::Alarm;
use super::super::drive::LINGER;
use super::super::shared::register;
use super::serving::Serve;
use crate::error::CloseReason;
use crate::time::Instant;

/// Moves time for a server on HTTP, whose bytes move with its responses. Spawn it, or poll it beside your own code.
///
/// It ends once the server is closed and every response has ended, or five seconds after that was asked for.
#[must_use = "no deadline is kept until it is polled"]
pub struct ServerDriver {
    shared: Serve,
    alarm: Alarm,
    /// When responses that nobody reads to their ends are waited for no longer.
    give_up_at: Option<Instant>,
}

impl ServerDriver {
    pub(super) fn new(shared: Serve) -> Self {
        Self { shared, alarm: Alarm::default(), give_up_at: None }
    }

    /// Lets time pass. When to look again, or that it is over.
    fn turn(&mut self, now: Instant, cx: &mut Context<'_>) -> Option<Option<Instant>> {
        let mut afterwards = Afterwards::default();
        let mut state = self.shared.lock();
        let former = register(&mut state.driver, cx);
        if state.link.machine.poll_timeout().is_some_and(|at| at <= now) {
            state.link.machine.handle_timeout(now);
            state.wake_outputs(&mut afterwards);
        }
        state.hand_over(now, &mut afterwards);
        if state.link.is_ending {
            self.give_up_at.get_or_insert(now + LINGER);
        }
        let is_given_up = self.give_up_at.is_some_and(|at| at <= now);
        let is_over = state.link.machine.is_closed() || is_given_up;
        if is_over {
            state.closed = Some(CloseReason::Local);
        }
        let due = state.link.arm();
        drop(state);
        drop(former);
        afterwards.wake();
        (!is_over).then(|| due.into_iter().chain(self.give_up_at).min())
    }
}

impl Future for ServerDriver {
    type Output = CloseReason;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<CloseReason> {
        let this = self.get_mut();
        loop {
            let now = this.shared.now();
            let Some(due) = this.turn(now, cx) else {
                this.shared.abandon();
                return Poll::Ready(CloseReason::Local);
            };
            if !this.alarm.arm(due, now, this.shared.runtime(), cx) {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for ServerDriver {
    fn drop(&mut self) {
        self.shared.abandon();
    }
}

impl fmt::Debug for ServerDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerDriver").finish_non_exhaustive()
    }
}
