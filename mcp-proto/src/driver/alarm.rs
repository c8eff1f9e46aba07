//! The timer of a driver.

use alloc::boxed::Box;
use core::pin::Pin;
use core::task::Context;

use super::transport::{Runtime, Timer};
use crate::time::Instant;

/// A timer for the next deadline, if there is one.
#[derive(Default)]
pub(super) struct Alarm(Option<(Instant, Pin<Box<dyn Timer>>)>);

impl Alarm {
    /// Arms it for `at`. Whether that has come already; otherwise the task of `cx` is woken by then.
    pub(super) fn arm(
        &mut self,
        at: Option<Instant>,
        now: Instant,
        runtime: &dyn Runtime,
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(at) = at else { return false };
        if at <= now {
            return true;
        }
        // Deadlines mostly move away, and one look at the clock costs less than a timer for each: so an
        // earlier one stays, and so does that of a call that has ended.
        let timer = match &mut self.0 {
            Some((armed, timer)) if *armed <= at => timer,
            slot => &mut slot.insert((at, runtime.timer(at))).1,
        };
        if timer.as_mut().poll(cx).is_ready() {
            // It may be early by the clock: then it is armed again.
            self.0 = None;
            return true;
        }
        false
    }
}
