//! The process group of a child, so that what it starts ends with it.

use core::time::Duration;

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

#[cfg(unix)]
use super::timing::{sleep, within};
use crate::driver::Runtime;

/// The group of a child that leads it. Dropping it kills what is left of the group.
///
/// As long as anyone is in the group, the system gives its number to nobody else.
pub(super) struct Group {
    #[cfg(unix)]
    leader: Option<Pid>,
}

/// How often it is looked whether a group is empty: no event tells.
#[cfg(unix)]
const LOOK: Duration = Duration::from_millis(10);

#[cfg(unix)]
impl Group {
    /// Of the process of this number.
    pub(super) fn of(leader: Option<u32>) -> Self {
        let id = leader.and_then(|id| i32::try_from(id).ok());
        Self { leader: id.and_then(Pid::from_raw) }
    }

    pub(super) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Waits for those that the leader left behind, then kills them.
    pub(super) async fn sweep(mut self, grace: Duration, runtime: &dyn Runtime) {
        let emptied = async {
            while self.leader.is_some_and(|leader| test_kill_process_group(leader).is_ok()) {
                sleep(LOOK, runtime).await;
            }
        };
        if within(grace, emptied, runtime).await.is_some() {
            self.leader = None;
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // The only failure possible is that nobody is left.
            let _ = kill_process_group(leader, signal);
        }
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Elsewhere the child alone is ended.
#[cfg(not(unix))]
impl Group {
    pub(super) fn of(_: Option<u32>) -> Self {
        Self {}
    }

    pub(super) fn terminate(&self) {}

    pub(super) fn kill(&self) {}

    pub(super) async fn sweep(self, _: Duration, _: &dyn Runtime) {}
}
