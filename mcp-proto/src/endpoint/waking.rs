//! When this machine is to be woken, and why.

use super::calls::Purpose;
use super::core::{Core, Phase};
use super::deadlines::Timer;
use crate::error::Limit;
use crate::id::RequestId;
use crate::time::Instant;

/// Why the machine wants to be woken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeadlineReason {
    /// A call of ours ends.
    Call {
        /// The call.
        id: RequestId,
        /// Its deadline.
        limit: Limit,
    },
    /// The handshake, or the probe before it, has taken too long.
    Handshake,
    /// Waiting progress of a request may leave.
    Progress {
        /// The request.
        id: RequestId,
    },
    /// The peer does not read.
    Stall,
    /// Accepted requests can no longer be answered.
    Drain,
    /// Input that was read before had to wait for room in the outbox, and there is room now.
    Input,
    /// What had not left was taken back, and progress that waited for its room, or the end, may follow.
    Room,
}

impl Core {
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let timer = self.deadlines.next().map(|(at, _)| at);
        let rare = [self.stall_due(), self.drain_due(), self.input_due(), self.room_due()];
        rare.into_iter().fold(timer, |one, other| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        })
    }

    pub(crate) fn deadline_reason(&self) -> Option<DeadlineReason> {
        let timer = self.deadlines.next().map(|(at, timer)| (at, self.reason(timer, at)));
        let stall = self.stall_due().map(|at| (at, DeadlineReason::Stall));
        let drain = self.drain_due().map(|at| (at, DeadlineReason::Drain));
        let input = self.input_due().map(|at| (at, DeadlineReason::Input));
        let room = self.room_due().map(|at| (at, DeadlineReason::Room));
        let all = [timer, stall, drain, input, room].into_iter().flatten();
        all.min_by_key(|(at, _)| *at).map(|(_, reason)| reason)
    }

    fn stall_due(&self) -> Option<Instant> {
        self.stall_at.or_else(|| self.is_full_unwatched().then_some(self.clock))
    }

    fn drain_due(&self) -> Option<Instant> {
        match self.phase {
            Phase::Draining { until, .. } => Some(until),
            Phase::Open | Phase::Closed => None,
        }
    }

    fn room_due(&self) -> Option<Instant> {
        self.has_unused_room().then_some(self.clock)
    }

    fn input_due(&self) -> Option<Instant> {
        (self.holds_input && self.has_room() && !self.is_closed()).then_some(self.clock)
    }

    fn reason(&self, timer: &Timer, at: Instant) -> DeadlineReason {
        match timer {
            Timer::Flush(id) => DeadlineReason::Progress { id: id.clone() },
            Timer::Call(number) => match self.calls.get(*number) {
                Some(call) if matches!(call.purpose, Purpose::Probe | Purpose::Initialize) => {
                    DeadlineReason::Handshake
                }
                call => {
                    let idle = call.and_then(|call| call.idle).is_some_and(|idle| idle.at == at);
                    let limit = if idle { Limit::Idle } else { Limit::Total };
                    DeadlineReason::Call { id: (*number).into(), limit }
                }
            },
        }
    }
}
