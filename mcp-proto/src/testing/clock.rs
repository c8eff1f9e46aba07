//! A simulated clock that futures can wait for.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::driver::{Runtime, Timer};
use crate::time::Instant;

/// A clock that stands still until it is told to jump. Clones share it.
///
/// A handler that has to wait gets a clone, and its test takes no time:
///
/// ```
/// use core::time::Duration;
/// use mcp_proto::router::{Context, Router, ToolInfo};
/// use mcp_proto::testing::{Clock, Memory};
/// use mcp_proto::{CallTool, ClientConfig, RawJson};
///
/// let clock = Clock::new();
/// let hour = clock.clone();
/// let info = ToolInfo::new("wait").into_tool(RawJson::parse(r#"{"type": "object"}"#)?, None);
/// let router = Router::new("slow", "1").raw_tool(info, move |_: Context, _| {
///     let hour = hour.sleep(Duration::from_secs(3600));
///     async move {
///         hour.await;
///         "an hour later"
///     }
/// });
///
/// let mut memory = Memory::new(router, ClientConfig::new("test", "1").timeouts(mcp_proto::Timeouts::NEVER), clock);
/// let call = memory.client().call(CallTool::new("wait"));
/// assert_eq!(memory.run(call)?.content[0].as_text(), Some("an hour later"));
/// assert_eq!(memory.now().saturating_duration_since(mcp_proto::Instant::ZERO).as_secs(), 3600);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<Mutex<Face>>);

#[derive(Debug, Default)]
struct Face {
    now: Instant,
    /// Who waits until when. The number tells timers of the same moment apart.
    alarms: BTreeMap<(Instant, u64), Waker>,
    next_alarm: u64,
}

impl Clock {
    /// A clock that shows zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// The time it shows.
    pub fn now(&self) -> Instant {
        self.face().now
    }

    /// Waits until so much time has passed from now.
    pub fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send + use<> {
        self.until(self.now() + time)
    }

    /// Waits until that moment.
    pub fn until(&self, at: Instant) -> impl Future<Output = ()> + Send + use<> {
        let mut face = self.face();
        face.next_alarm += 1;
        Alarm { clock: self.clone(), key: (at, face.next_alarm) }
    }

    /// Jumps to the next moment that something waits for. `false`: nothing waits.
    pub fn jump(&self) -> bool {
        self.next_alarm().inspect(|at| self.set(*at)).is_some()
    }

    /// Lets so much time pass, and wakes who waited for a moment up to then.
    pub fn advance(&self, time: Duration) {
        self.set(self.now() + time);
    }

    /// Sets it to a later moment, and wakes who waited for one up to that.
    pub(super) fn set(&self, now: Instant) {
        let mut face = self.face();
        let now = face.now.max(now);
        face.now = now;
        let later = face.alarms.split_off(&(now, u64::MAX));
        let due = core::mem::replace(&mut face.alarms, later);
        drop(face);
        due.into_values().for_each(Waker::wake);
    }

    /// The next moment that something waits for.
    pub(super) fn next_alarm(&self) -> Option<Instant> {
        self.face().alarms.keys().next().map(|(at, _)| *at)
    }

    fn face(&self) -> MutexGuard<'_, Face> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runtime for Clock {
    fn now(&self) -> Instant {
        Self::now(self)
    }

    fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>> {
        Box::pin(self.until(at))
    }
}

/// One wait for a moment.
#[derive(Debug)]
struct Alarm {
    clock: Clock,
    key: (Instant, u64),
}

impl Future for Alarm {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut face = self.clock.face();
        if face.now >= self.key.0 {
            return Poll::Ready(());
        }
        face.alarms.insert(self.key, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let waker = self.clock.face().alarms.remove(&self.key);
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::pin::pin;

    #[test]
    fn it_jumps_from_alarm_to_alarm_and_forgets_those_that_were_dropped() {
        let clock = Clock::new();
        let (near, far) = (Duration::from_secs(1), Duration::from_secs(9));
        let mut cx = Context::from_waker(Waker::noop());
        let mut late = pin!(clock.sleep(far));
        let mut dropped = Box::pin(clock.sleep(Duration::from_secs(5)));
        let mut early = pin!(clock.sleep(near));
        assert!(late.as_mut().poll(&mut cx).is_pending());
        assert!(dropped.as_mut().poll(&mut cx).is_pending());
        assert!(early.as_mut().poll(&mut cx).is_pending());
        drop(dropped);
        assert!(clock.jump());
        assert_eq!(clock.now(), Instant::from(near));
        assert!(early.as_mut().poll(&mut cx).is_ready());
        assert!(late.as_mut().poll(&mut cx).is_pending());
        assert!(clock.jump());
        assert!(late.as_mut().poll(&mut cx).is_ready());
        assert!(!clock.jump());
        assert_eq!(clock.now(), Instant::from(far));
    }
}
