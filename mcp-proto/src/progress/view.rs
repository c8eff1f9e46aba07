//! What the reports of a call look like to a person.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::time::Instant;
use crate::types::Progress;

/// Percent, rate and remaining time of one call, from its reports and the time.
///
/// Nothing that a server may report is a special case for the user of a view: a total that is unknown,
/// zero, negative, shrinking or exceeded gives `None` or a bounded number, never a panic.
///
/// ```
/// use std::time::Duration;
/// use mcp_proto::progress::{Phase, ProgressView};
/// use mcp_proto::{Instant, Progress};
///
/// let second = |n| Instant::from(Duration::from_secs(n));
/// let mut view = ProgressView::new(second(0));
/// assert_eq!(view.phase(), Phase::Waiting);
/// view.update(&Progress::new(0.0).of(10.0), second(1));
/// view.update(&Progress::new(4.0).of(10.0), second(3));
/// assert_eq!(view.percent(), Some(40.0));
/// assert_eq!(view.rate(second(3)), Some(2.0));
/// assert_eq!(view.eta(second(3)), Some(Duration::from_secs(3)));
/// view.finish(second(5));
/// assert_eq!(view.percent(), Some(100.0));
/// ```
#[derive(Clone, Debug)]
pub struct ProgressView {
    started: Instant,
    ended: Option<(Instant, Phase)>,
    last: Option<Progress>,
    last_at: Instant,
    total: Option<f64>,
    reports: u64,
    /// Reports to measure by, oldest first, the last one not included.
    samples: VecDeque<(Instant, f64)>,
}

/// What there is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Nothing has been reported: show that time passes.
    Waiting,
    /// Reports come without a usable total: show a count.
    Counting,
    /// Reports come with a total: show a bar.
    Measured,
    /// The call has ended with a result.
    Finished,
    /// The call has ended without one.
    Stopped,
}

/// How many samples a rate is measured over.
const MAX_SAMPLES: usize = 16;

/// How far they are apart at least, so that a burst of reports does not shrink what is measured to nothing.
const APART: Duration = Duration::from_millis(500);

impl ProgressView {
    /// The view of a call that begins `now`.
    pub fn new(now: Instant) -> Self {
        Self {
            started: now,
            ended: None,
            last: None,
            last_at: now,
            total: None,
            reports: 0,
            samples: VecDeque::new(),
        }
    }

    /// Takes in one report. Ignores one that does not increase, is no finite number, or comes after
    /// the end; says whether it counted. The first report counts whatever its value, 0 included.
    pub fn update(&mut self, report: &Progress, now: Instant) -> bool {
        let value = report.progress;
        let last = self.last.as_ref().map(|last| last.progress);
        if self.ended.is_some() || !value.is_finite() || last.is_some_and(|last| value <= last) {
            return false;
        }
        if let Some(last) = last
            && self.samples.back().is_none_or(|(at, _)| self.last_at - *at >= APART)
        {
            if self.samples.len() >= MAX_SAMPLES {
                self.samples.pop_front();
            }
            self.samples.push_back((self.last_at, last));
        }
        if let Some(total) = report.total {
            self.total = Some(total).filter(|total| total.is_finite() && *total > 0.0);
        }
        self.reports += 1;
        self.last = Some(report.clone());
        self.last_at = now.max(self.last_at);
        true
    }

    /// The call has ended with a result: whatever was reported last, it is complete. A bar that stands at
    /// 9 of 10 ends well.
    pub fn finish(&mut self, now: Instant) {
        self.ended.get_or_insert((now, Phase::Finished));
    }

    /// The call has ended without a result: what was reached stays on show.
    pub fn stop(&mut self, now: Instant) {
        self.ended.get_or_insert((now, Phase::Stopped));
    }

    /// How much is done, from 0 to 100. `None` while no usable total is known: there was none, or it was
    /// zero, negative or not finite. A report without total leaves the one before it in force.
    pub fn percent(&self) -> Option<f64> {
        let total = self.total?;
        if self.phase() == Phase::Finished {
            return Some(100.0);
        }
        let value = self.last.as_ref()?.progress;
        Some((value / total * 100.0).clamp(0.0, 100.0))
    }

    /// Units a second, measured over the latest reports. `None` before there are two that are apart in
    /// time. Sinks during a silence that is longer than usual.
    pub fn rate(&self, now: Instant) -> Option<f64> {
        let value = self.last.as_ref()?.progress;
        let (oldest, from) = *self.samples.front()?;
        let measured = self.last_at - oldest;
        let intervals = u32::try_from(self.samples.len()).ok()?;
        let silence = self.clock(now) - self.last_at;
        let unusual = silence.saturating_sub((measured / intervals).max(APART));
        let seconds = (measured + unusual).as_secs_f64();
        let rate = (value - from) / seconds;
        (rate.is_finite() && rate > 0.0).then_some(rate)
    }

    /// How long the rest takes at the present rate. Zero once the total is reached; `None` while total or
    /// rate is unknown.
    pub fn eta(&self, now: Instant) -> Option<Duration> {
        let total = self.total?;
        let rest = total - self.last.as_ref()?.progress;
        if rest <= 0.0 || self.phase() == Phase::Finished {
            return Some(Duration::ZERO);
        }
        let spent = self.clock(now) - self.last_at;
        let left = Duration::try_from_secs_f64(rest / self.rate(now)?).ok()?;
        Some(left.saturating_sub(spent))
    }

    /// How long the call has run, or ran.
    pub fn elapsed(&self, now: Instant) -> Duration {
        self.clock(now) - self.started
    }

    /// What there is to show.
    pub fn phase(&self) -> Phase {
        match (&self.ended, &self.last, self.total) {
            (Some((_, ending)), ..) => *ending,
            (None, None, _) => Phase::Waiting,
            (None, Some(_), None) => Phase::Counting,
            (None, Some(_), Some(_)) => Phase::Measured,
        }
    }

    /// The last report that counted.
    pub fn last(&self) -> Option<&Progress> {
        self.last.as_ref()
    }

    /// The total in force, if it is usable.
    pub fn total(&self) -> Option<f64> {
        self.total
    }

    /// How many reports counted.
    pub fn reports(&self) -> u64 {
        self.reports
    }

    fn clock(&self, now: Instant) -> Instant {
        self.ended.map_or(now, |(at, _)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from(Duration::from_millis(millis))
    }

    fn view(reports: &[(f64, Option<f64>)]) -> ProgressView {
        let mut view = ProgressView::new(at(0));
        for (n, (progress, total)) in (1..).zip(reports) {
            let report = Progress { total: *total, ..Progress::new(*progress) };
            view.update(&report, at(n * 1000));
        }
        view
    }

    #[test]
    fn a_total_that_means_nothing_gives_no_percent() {
        for total in [None, Some(0.0), Some(-0.0), Some(-3.0), Some(f64::NAN), Some(f64::INFINITY)]
        {
            let view = view(&[(0.0, total), (5.0, total)]);
            assert_eq!(view.percent(), None, "{total:?}");
            assert_eq!(view.phase(), Phase::Counting, "{total:?}");
            assert_eq!(view.eta(at(2000)), None, "{total:?}");
            assert_eq!(view.rate(at(2000)), Some(5.0), "{total:?}");
        }
    }

    #[test]
    fn a_total_may_be_exceeded_shrink_grow_or_go_unsaid() {
        assert_eq!(view(&[(12.0, Some(10.0))]).percent(), Some(100.0));
        assert_eq!(
            view(&[(1.0, Some(10.0)), (12.0, Some(10.0))]).eta(at(2000)),
            Some(Duration::ZERO)
        );
        assert_eq!(view(&[(4.0, Some(10.0)), (5.0, Some(5.0))]).percent(), Some(100.0));
        assert_eq!(view(&[(4.0, Some(5.0)), (5.0, Some(10.0))]).percent(), Some(50.0));
        assert_eq!(view(&[(4.0, Some(10.0)), (5.0, None)]).percent(), Some(50.0));
        assert_eq!(view(&[(4.0, Some(10.0)), (5.0, Some(0.0))]).percent(), None);
        assert_eq!(view(&[(-4.0, Some(10.0))]).percent(), Some(0.0));
        assert_eq!(view(&[(f64::MAX, Some(f64::MIN_POSITIVE))]).percent(), Some(100.0));
    }

    #[test]
    fn what_does_not_increase_or_is_no_number_changes_nothing() {
        let mut view = view(&[(1.0, Some(4.0)), (2.0, Some(4.0))]);
        for odd in [2.0, 1.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(!view.update(&Progress::new(odd).of(99.0), at(9000)), "{odd}");
        }
        assert_eq!((view.percent(), view.reports()), (Some(50.0), 2));
        assert_eq!(view.rate(at(2000)), Some(1.0));
    }

    #[test]
    fn a_first_value_of_zero_is_a_report() {
        let view = view(&[(0.0, Some(10.0))]);
        assert_eq!((view.phase(), view.percent(), view.reports()), (Phase::Measured, Some(0.0), 1));
        assert_eq!((view.rate(at(1000)), view.eta(at(1000))), (None, None));
    }

    #[test]
    fn a_bar_that_ends_at_nine_of_ten_with_a_result_ends_well() {
        let steps: alloc::vec::Vec<_> = (0..10).map(|n| (f64::from(n), Some(10.0))).collect();
        let mut finished = view(&steps);
        assert_eq!(finished.percent(), Some(90.0));
        let mut stopped = finished.clone();
        finished.finish(at(11_000));
        assert_eq!((finished.phase(), finished.percent()), (Phase::Finished, Some(100.0)));
        assert_eq!(finished.eta(at(99_000)), Some(Duration::ZERO));
        assert_eq!(finished.elapsed(at(99_000)), Duration::from_secs(11));
        assert!(!finished.update(&Progress::new(10.0), at(12_000)));
        stopped.stop(at(11_000));
        assert_eq!((stopped.phase(), stopped.percent()), (Phase::Stopped, Some(90.0)));
    }

    #[test]
    fn without_reports_only_time_passes() {
        let view = ProgressView::new(at(1000));
        assert_eq!((view.phase(), view.percent(), view.last()), (Phase::Waiting, None, None));
        assert_eq!((view.rate(at(5000)), view.eta(at(5000))), (None, None));
        assert_eq!(view.elapsed(at(5000)), Duration::from_secs(4));
        assert_eq!(view.elapsed(at(0)), Duration::ZERO);
    }

    #[test]
    fn a_burst_of_reports_is_measured_over_its_whole_time() {
        let mut view = ProgressView::new(at(0));
        for n in 0..10_000_u32 {
            view.update(&Progress::new(f64::from(n) * 1e9), at(u64::from(n)));
        }
        let rate = view.rate(at(9_999)).unwrap();
        assert!((rate / 1e12 - 1.0).abs() < 0.01, "{rate}");
        assert!(view.samples.len() <= MAX_SAMPLES);
    }

    #[test]
    fn reports_of_one_moment_have_no_rate() {
        let mut view = ProgressView::new(at(0));
        view.update(&Progress::new(1.0).of(9.0), at(1));
        view.update(&Progress::new(2.0).of(9.0), at(1));
        assert_eq!((view.rate(at(1)), view.eta(at(1))), (None, None));
    }

    #[test]
    fn a_rate_sinks_in_silence_and_the_rest_takes_longer() {
        let view = view(&[(0.0, Some(100.0)), (10.0, Some(100.0)), (20.0, Some(100.0))]);
        assert_eq!(view.rate(at(3000)), Some(10.0));
        assert_eq!(view.rate(at(3900)), Some(10.0), "the next report is not late yet");
        assert!(view.rate(at(60_000)).unwrap() < 1.0);
        assert!(view.eta(at(60_000)) > view.eta(at(3000)));
    }

    #[test]
    fn a_clock_that_jumps_back_is_no_panic() {
        let mut view = view(&[(0.0, Some(10.0)), (1.0, Some(10.0))]);
        view.update(&Progress::new(2.0), at(0));
        assert!(view.rate(at(0)).is_none_or(f64::is_finite));
        let _ = view.eta(at(0));
    }

    #[test]
    fn the_last_report_and_the_total_in_force_are_known() {
        let view = view(&[(1.0, Some(4.0)), (2.0, None)]);
        assert_eq!((view.last(), view.total()), (Some(&Progress::new(2.0)), Some(4.0)));
        assert_eq!(ProgressView::new(at(0)).total(), None);
    }

    #[test]
    fn only_reports_that_are_apart_are_measured_and_only_the_latest() {
        let mut view = ProgressView::new(at(0));
        let reports = 2 * MAX_SAMPLES as u64;
        for n in 0..=reports {
            view.update(&Progress::new(n as f64), at(n * 500));
            // Too soon behind it to count as another measurement.
            view.update(&Progress::new(n as f64 + 0.5), at(n * 500 + 100));
        }
        assert_eq!(view.samples.len(), MAX_SAMPLES);
        let apart = view.samples.iter().zip(view.samples.iter().skip(1));
        assert!(apart.into_iter().all(|((one, _), (next, _))| *next - *one >= APART));
        let (oldest, _) = view.samples[0];
        assert!(oldest >= at((reports - MAX_SAMPLES as u64 - 1) * 500), "{oldest:?}");
    }

    #[test]
    fn a_silence_counts_once_it_is_longer_than_the_usual_interval() {
        // Every four seconds, measured from the first of three.
        let mut view = ProgressView::new(at(0));
        for (n, seconds) in [(0.0, 0), (8.0, 4), (16.0, 8)] {
            view.update(&Progress::new(n), at(seconds * 1000));
        }
        assert_eq!(view.rate(at(8_000)), Some(2.0));
        assert_eq!(view.rate(at(12_000)), Some(2.0), "the usual interval");
        assert_eq!(view.rate(at(20_000)), Some(1.0), "eight seconds beyond it");
    }
}
