//! What a look at the state leaves to be done without its lock: futures to wake, listeners to call.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::task::Waker;

use super::listen::caught;
use crate::error::Violation;
use crate::id::RequestId;
use crate::json::{RawJson, Text};
use crate::types::{LogMessage, Progress};

/// What the connection as a whole is listened to with.
#[derive(Clone, Default)]
pub(super) struct Listeners {
    pub(super) progress: Option<Arc<OnProgress>>,
    pub(super) log: Option<Arc<dyn Fn(LogMessage) + Send + Sync>>,
    pub(super) violation: Option<Arc<dyn Fn(Violation) + Send + Sync>>,
    pub(super) notification: Option<Arc<OnNotification>>,
    #[cfg(feature = "http")]
    pub(super) interruption: Option<Arc<OnStream>>,
    #[cfg(feature = "http")]
    pub(super) resumption: Option<Arc<OnStream>>,
}

#[cfg(feature = "http")]
type OnStream = dyn Fn(Option<&RequestId>) + Send + Sync;

type OnProgress = dyn Fn(&RequestId, &Progress) + Send + Sync;
type OnNotification = dyn Fn(&str, Option<&RawJson>) + Send + Sync;

/// What is left to do once the lock is released.
#[derive(Default)]
pub(super) struct Afterwards {
    pub(super) wakers: Vec<Waker>,
    pub(super) jobs: Vec<Job>,
    /// Requests that now wait to be accepted.
    pub(super) handed_over: usize,
}

/// Requests after which those who accept and handle them get their turn.
const BURST: usize = 32;

/// Room of lists that is kept.
pub(super) const KEPT_ROOM: usize = 16;

/// One event for a listener of the connection.
pub(super) enum Job {
    Log(LogMessage),
    Violation(Violation),
    Notification(Text, Option<RawJson>),
    #[cfg(feature = "http")]
    Interrupted(Option<RequestId>),
    #[cfg(feature = "http")]
    Resumed(Option<RequestId>),
}

impl Afterwards {
    /// Whether so many requests were handed over that it is the turn of those who handle them.
    pub(super) fn is_burst(&self) -> bool {
        self.handed_over >= BURST
    }

    /// Does it, without the lock.
    pub(super) fn run(&mut self, listeners: Option<&Listeners>) {
        for job in self.jobs.drain(..) {
            let Some(listeners) = listeners else { continue };
            // A listener that panics must not end the connection for everybody else.
            let _ = caught(|| match job {
                Job::Log(message) => {
                    listeners.log.iter().for_each(|listen| listen(message.clone()))
                }
                Job::Violation(violation) => {
                    listeners.violation.iter().for_each(|listen| listen(violation.clone()));
                }
                Job::Notification(method, params) => {
                    listeners
                        .notification
                        .iter()
                        .for_each(|listen| listen(&method, params.as_ref()));
                }
                #[cfg(feature = "http")]
                Job::Interrupted(id) => {
                    listeners.interruption.iter().for_each(|listen| listen(id.as_ref()));
                }
                #[cfg(feature = "http")]
                Job::Resumed(id) => {
                    listeners.resumption.iter().for_each(|listen| listen(id.as_ref()));
                }
            });
        }
        self.wake();
    }

    /// Wakes who waits, without the lock.
    pub(super) fn wake(&mut self) {
        self.handed_over = 0;
        // Mostly nobody does.
        if !self.wakers.is_empty() {
            self.wakers.drain(..).for_each(Waker::wake);
            self.wakers.shrink_to(KEPT_ROOM);
        }
    }
}
