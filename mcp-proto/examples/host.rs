//! A host that draws: one line for each call, made of what `ProgressView` says. Copy it into your own program, and draw
//! the line with whatever you draw with: `cargo run -p mcp-proto --example host` shows a call that was recorded.
#![allow(clippy::disallowed_methods)] // outside the engine one may sleep

use std::io::{self, Write};
use std::time::Duration;

use mcp_proto::progress::{Phase, ProgressView};
use mcp_proto::{Instant, Progress};

/// A call on show. Give it every report, and tell it how the call ended.
#[derive(Debug)]
pub struct Line {
    label: String,
    view: ProgressView,
}

/// Columns of the bar itself.
const BAR: usize = 20;

impl Line {
    /// The line of a call that begins `now`.
    pub fn new(label: &str, now: Instant) -> Self {
        Self { label: printable(label), view: ProgressView::new(now) }
    }

    /// A report has come. One that does not increase changes nothing.
    pub fn update(&mut self, report: &Progress, now: Instant) {
        self.view.update(report, now);
    }

    /// The call has ended, with a result or without.
    pub fn end(&mut self, has_result: bool, now: Instant) {
        match has_result {
            true => self.view.finish(now),
            false => self.view.stop(now),
        }
    }

    /// What is on show now, in so many columns at most. Ask again as time passes: a call that says nothing is not a call
    /// that stands still.
    pub fn text(&self, now: Instant, columns: usize) -> String {
        let seconds = self.view.elapsed(now).as_secs();
        let value = self.view.last().map_or(0.0, |last| last.progress);
        let mut text = match self.view.phase() {
            Phase::Waiting => format!("{} … {seconds} s", self.label),
            Phase::Finished => format!("{} done after {seconds} s", self.label),
            Phase::Stopped => format!("{} stopped at {value} after {seconds} s", self.label),
            // There is no telling how much is left.
            Phase::Counting => format!("{} {value}", self.label),
            _ => self.bar(now),
        };
        if let Some(message) = self.view.last().and_then(|last| last.message.as_deref())
            && !matches!(self.view.phase(), Phase::Finished)
        {
            text = format!("{text} {}", printable(message));
        }
        text.chars().take(columns).collect()
    }

    fn bar(&self, now: Instant) -> String {
        // It is known: where the server's total says nothing the call is counted, and there is no bar.
        let percent = self.view.percent().unwrap_or(0.0);
        let full = (percent / 100.0 * BAR as f64) as usize;
        let left = match self.view.eta(now) {
            Some(left) => format!(", {} s left", left.as_secs()),
            None => String::new(),
        };
        format!("{} [{:-<BAR$}] {percent:.0} %{left}", self.label, "#".repeat(full))
    }
}

/// A server's text cannot move the cursor, clear the screen or fill it.
fn printable(text: &str) -> String {
    text.chars().take(200).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A call as it was recorded: milliseconds, and what was reported then.
pub fn recorded() -> Vec<(u64, Progress)> {
    let report = |value: f64, text: &'static str| Progress::new(value).of(4.0).message(text);
    vec![
        (400, report(0.0, "opening")),
        (900, report(1.0, "a.png")),
        (1_900, report(2.0, "b.png")),
        (2_900, report(3.0, "c.png")),
    ]
}

fn at(millis: u64) -> Instant {
    Instant::from(Duration::from_millis(millis))
}

fn main() -> io::Result<()> {
    let (mut line, mut out) = (Line::new("resize", at(0)), io::stderr());
    let mut reports = recorded().into_iter().peekable();
    for millis in (0..=4_000).step_by(100) {
        while let Some((_, report)) = reports.next_if(|(due, _)| *due <= millis) {
            line.update(&report, at(millis));
        }
        if millis == 4_000 {
            line.end(true, at(millis));
        }
        write!(out, "\r\x1b[K{}", line.text(at(millis), 79))?;
        std::thread::sleep(Duration::from_millis(100));
    }
    writeln!(out)
}
