//! The process group of a child, so that what it starts ends with it.

use std::time::Duration;

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::Child;

/// The group of a child that leads it. Dropping it kills what is left of the group.
///
/// As long as anyone is in the group, the system gives its number to nobody else.
pub(crate) struct Group {
    #[cfg(unix)]
    leader: Option<Pid>,
}

/// How often it is looked whether a group is empty: no event tells.
#[cfg(unix)]
const LOOK: Duration = Duration::from_millis(10);

#[cfg(unix)]
impl Group {
    pub(crate) fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self { leader: id.and_then(Pid::from_raw) }
    }

    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Waits for those that the leader left behind, then kills them.
    pub(crate) async fn sweep(mut self, grace: Duration) {
        let emptied = async {
            while self.leader.is_some_and(|leader| test_kill_process_group(leader).is_ok()) {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(grace, emptied).await.is_ok() {
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
    pub(crate) fn of(_: &Child) -> Self {
        Self {}
    }

    pub(crate) fn terminate(&self) {}

    pub(crate) fn kill(&self) {}

    pub(crate) async fn sweep(self, _: Duration) {}
}
