//! Ctrl-C.

use std::future::pending;
use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC as Signal, ctrl_c};

/// Every Ctrl-C since it was made; none is missed between two waits.
pub(crate) struct Interrupts(Option<Signal>);

impl Interrupts {
    pub(crate) fn new() -> Self {
        // Without it Ctrl-C ends the process at once, as it would have anyway.
        Self(listen().ok())
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        match &mut self.0 {
            Some(signal) => drop(signal.recv().await),
            None => pending().await,
        }
    }
}

#[cfg(unix)]
fn listen() -> io::Result<Signal> {
    signal(SignalKind::interrupt())
}

#[cfg(windows)]
fn listen() -> io::Result<Signal> {
    ctrl_c()
}
