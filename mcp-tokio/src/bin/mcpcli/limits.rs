//! How long a run may take: the user's limits, counted from its start.

use std::time::Duration;

use mcp_tokio::mcp_proto::{CallError, Instant, Limit, Timeouts};

/// The limits of a run, which is the start of a server and what is asked of it then.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    timeouts: Timeouts,
    /// Since the start of the run. What begins now has this much less of the total.
    elapsed: Duration,
}

/// What the start of a server may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StartLimit {
    pub(crate) kind: StartLimitKind,
    pub(crate) after: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartLimitKind {
    /// The user's `--timeout`.
    Total,
    /// Our own, which `--timeout` takes the place of.
    Handshake,
}

/// How long a server may take to start if the user says nothing of it. Stops a command that is no server.
const START: Duration = Duration::from_secs(60);

/// The longest start that a clock can be asked for.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

impl Limits {
    /// The limits for what begins now; `now` counts from the start of the run.
    pub(crate) fn new(timeouts: Timeouts, now: Instant) -> Self {
        Self { timeouts, elapsed: now.saturating_duration_since(Instant::ZERO) }
    }

    /// The limit of the start. The idle limit is one of calls: a slow start is no silence.
    pub(crate) fn of_start(&self) -> StartLimit {
        if self.timeouts.max_total() == Timeouts::default().max_total() {
            return StartLimit { kind: StartLimitKind::Handshake, after: START };
        }
        // Some servers are built or fetched by the command that starts them.
        StartLimit { kind: StartLimitKind::Total, after: self.total().min(LONGEST) }
    }

    /// The whole total; `Duration::MAX` if there is none.
    pub(crate) fn total(&self) -> Duration {
        self.timeouts.max_total().unwrap_or(Duration::MAX)
    }

    /// What is left of the total; `Duration::MAX` if there is none.
    pub(crate) fn left(&self) -> Duration {
        self.timeouts.max_total().map_or(Duration::MAX, |total| total.saturating_sub(self.elapsed))
    }

    /// The deadlines of a call that is made now.
    pub(crate) fn of_call(&self) -> Timeouts {
        let total = self.timeouts.max_total().map(|_| self.left());
        self.timeouts.total(total)
    }

    /// Tells of a call's deadline as the user knows it: the whole limit, and the time since the start of the run.
    pub(crate) fn as_set(&self, mut error: CallError) -> CallError {
        if let CallError::TimedOut(expired) = &mut error {
            expired.elapsed = self.elapsed;
            if let (Limit::Total, Some(total)) = (expired.limit, self.timeouts.max_total()) {
                expired.after = total;
            }
        }
        error
    }
}

impl StartLimitKind {
    /// Its name in events.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Handshake => "handshake",
        }
    }
}

impl StartLimit {
    /// What is left of it.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.after.saturating_sub(now.saturating_duration_since(Instant::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits(timeouts: Timeouts, elapsed: Duration) -> Limits {
        Limits { timeouts, elapsed }
    }

    #[test]
    fn the_start_is_bounded_by_the_total_and_not_by_the_idle_limit() {
        let of = |timeouts| {
            let limit = limits(timeouts, Duration::ZERO).of_start();
            (limit.kind, limit.after)
        };
        let default = Timeouts::default();
        assert_eq!(of(default), (StartLimitKind::Handshake, START));
        assert_eq!(of(Timeouts::NEVER), (StartLimitKind::Total, LONGEST));
        assert_eq!(of(default.total(SECOND * 600)), (StartLimitKind::Total, SECOND * 600));
        assert_eq!(of(default.total(SECOND * 2)), (StartLimitKind::Total, SECOND * 2));
        assert_eq!(of(default.total(SECOND * 2).idle(SECOND)), (StartLimitKind::Total, SECOND * 2));
    }

    #[test]
    fn what_the_start_took_is_gone_from_the_total() {
        let timeouts = Timeouts::default().total(SECOND * 2).idle(SECOND);
        let call = limits(timeouts, SECOND / 2).of_call();
        assert_eq!((call.max_total(), call.max_idle()), (Some(SECOND * 3 / 2), Some(SECOND)));
        assert_eq!(limits(timeouts, SECOND * 3).of_call().max_total(), Some(Duration::ZERO));
        let endless = limits(Timeouts::NEVER, SECOND);
        assert_eq!((endless.of_call().max_total(), endless.left()), (None, Duration::MAX));
    }
}
