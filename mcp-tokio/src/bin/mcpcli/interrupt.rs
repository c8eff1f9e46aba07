//! Ctrl-C, and TERM, which means the same to a tool that has a server to end.

use std::future::pending;
use std::io;
use std::time::Duration;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC, ctrl_c};

/// Every Ctrl-C since it was made; none is missed between two waits.
pub(crate) struct Interrupts(Option<Signals>);

#[cfg(unix)]
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

#[cfg(windows)]
struct Signals(CtrlC);

impl Interrupts {
    pub(crate) fn new() -> Self {
        // Without it Ctrl-C ends the process at once, as it would have anyway.
        Self(listen().ok())
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        match &mut self.0 {
            Some(signals) => signals.next().await,
            None => pending().await,
        }
    }
}

/// Sees to it that a second Ctrl-C ends the process even where nobody waits for one, such as in a write to a
/// pipe that nobody reads.
pub(crate) fn insist() {
    tokio::spawn(async {
        let mut interrupts = Interrupts::new();
        interrupts.next().await;
        interrupts.next().await;
        tokio::time::sleep(GRACE).await;
        std::process::exit(130);
    });
}

/// What an orderly end may take after the second.
const GRACE: Duration = Duration::from_millis(500);

#[cfg(unix)]
fn listen() -> io::Result<Signals> {
    Ok(Signals {
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
    })
}

#[cfg(windows)]
fn listen() -> io::Result<Signals> {
    ctrl_c().map(Signals)
}

impl Signals {
    #[cfg(unix)]
    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    #[cfg(windows)]
    async fn next(&mut self) {
        drop(self.0.recv().await);
    }
}
