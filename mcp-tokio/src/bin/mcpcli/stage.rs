//! The one place where a run waits: for work, for what comes beside it, for time, and for Ctrl-C.

use std::future::Future;
use std::io;
use std::time::{self, Duration};

use mcp_tokio::mcp_proto::driver::Call;
use mcp_tokio::mcp_proto::{CallError, Instant, Progress, RawJson};
use tokio::select;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::asides::Asides;
use crate::failure::Failure;
use crate::interrupt::{Interrupts, insist};
use crate::output::{Aside, Output};

/// A run in progress.
pub(crate) struct Stage {
    pub(crate) output: Box<dyn Output>,
    asides: Asides,
    interrupts: Interrupts,
    ticker: Interval,
    start: time::Instant,
}

/// How a followed call ended.
pub(crate) struct Ending {
    pub(crate) result: Result<RawJson, CallError>,
    /// The last report.
    pub(crate) last: Option<Progress>,
}

/// How often a spinner moves.
const TICK: Duration = Duration::from_millis(100);

impl Stage {
    pub(crate) fn new(output: Box<dyn Output>, asides: Asides, start: time::Instant) -> Self {
        let mut ticker = interval(TICK);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
        insist();
        Self { output, asides, interrupts: Interrupts::new(), ticker, start }
    }

    pub(crate) fn now(&self) -> Instant {
        self.start.elapsed().into()
    }

    /// Waits for `work`, which no report belongs to.
    ///
    /// # Errors
    ///
    /// Ctrl-C, or nobody reads the output any more. The work is dropped.
    pub(crate) async fn watch<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let mut work = std::pin::pin!(work);
        loop {
            select! {
                biased;
                () = self.interrupts.next() => return Err(Failure::cancelled()),
                () = self.asides.arrived() => {}
                done = &mut work => {
                    self.show_all()?;
                    return Ok(done);
                }
                _ = self.ticker.tick() => {
                    let now = self.now();
                    self.output.tick(now);
                }
            }
            self.show_all()?;
        }
    }

    /// Follows a call to its end and shows every report, in one order with everything else.
    ///
    /// # Errors
    ///
    /// Like [`watch`](Self::watch). The server is told that the call is cancelled.
    pub(crate) async fn follow(&mut self, mut call: Call<RawJson>) -> Result<Ending, Failure> {
        let mut last = None;
        loop {
            let step = select! {
                biased;
                () = self.interrupts.next() => Step::Interrupted,
                () = self.asides.arrived() => Step::Aside,
                report = call.next_progress() => report.map_or(Step::Ended, Step::Report),
                _ = self.ticker.tick() => Step::Tick,
            };
            let now = self.now();
            let shown = match step {
                Step::Interrupted => {
                    call.cancel("interrupted by the user");
                    return Err(Failure::cancelled());
                }
                Step::Ended => break,
                Step::Aside => self.show_due(),
                Step::Report(report) => {
                    let shown = self.show_due().and_then(|()| self.output.progress(&report, now));
                    self.asides.report_shown();
                    last = Some(report);
                    shown.and_then(|()| self.show_due())
                }
                Step::Tick => {
                    self.output.tick(now);
                    Ok(())
                }
            };
            if shown.is_err() {
                call.cancel("nobody reads the output any more");
                return Err(Failure::unread());
            }
        }
        self.show_all()?;
        Ok(Ending { result: call.await, last })
    }

    /// Waits for what follows after the last word, and shows of it only what goes to stderr.
    pub(crate) async fn wind_up<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        loop {
            let done = select! {
                biased;
                () = self.interrupts.next() => return None,
                () = self.asides.arrived() => None,
                done = &mut work => Some(done),
            };
            while let Some(aside) = self.asides.any() {
                if let Aside::Stderr(_) | Aside::Warning(_) = aside {
                    // Whether or not it can be shown, the run is over.
                    let _ = self.output.aside(&aside);
                }
            }
            if done.is_some() {
                return done;
            }
        }
    }

    /// Shows what no unseen report came before.
    fn show_due(&mut self) -> io::Result<()> {
        while let Some(aside) = self.asides.due() {
            self.output.aside(&aside)?;
        }
        Ok(())
    }

    fn show_all(&mut self) -> Result<(), Failure> {
        while let Some(aside) = self.asides.any() {
            self.output.aside(&aside).map_err(|_| Failure::unread())?;
        }
        Ok(())
    }
}

enum Step {
    Interrupted,
    Aside,
    Report(Progress),
    Ended,
    Tick,
}
