//! The side that works: what was reported, and what of it leaves.

use alloc::collections::VecDeque;
use core::fmt;

use super::pacing::{Bucket, Pacing};
use crate::bound::{PART, queue, sum, times};
#[cfg(feature = "testing")]
use crate::digest::Digest;
use crate::json::Text;
#[cfg(feature = "snapshot")]
use crate::state::{RestoreError, check, check_count, check_limit};
use crate::time::Instant;
use crate::types::Progress;

/// What becomes of a report that comes faster than its pacing allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "testing", derive(arbitrary::Arbitrary))]
#[non_exhaustive]
pub enum Weight {
    /// It merges: only the newest that waits is kept.
    #[default]
    Ordinary,
    /// It is kept in order, up to [`Limits::max_milestones`](crate::Limits) and 64 KiB of messages: a new
    /// stage, a named state.
    Milestone,
    /// It says only that the work goes on, and merges: its value does not count as reported. It leaves just
    /// above the last one, by a billionth, which no bar shows.
    Heartbeat,
}

/// Why a report was refused. It never reached the wire; nothing else has changed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ReportError {
    /// `progress` or `total` is not a finite number, which JSON cannot express.
    NotFinite,
    /// `progress` must increase with each report of a request (R-PROG-03).
    NotIncreasing {
        /// The value reported before.
        last: f64,
    },
    /// The request has been answered or cancelled: nothing may follow (R-PROG-05).
    Finished,
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFinite => f.write_str("progress and total must be finite numbers"),
            Self::NotIncreasing { last } => {
                write!(f, "progress must increase: {last} was reported before")
            }
            Self::Finished => f.write_str("the request has been answered or cancelled"),
        }
    }
}

impl core::error::Error for ReportError {}

/// The reports of one request on their way out. Memory is bounded by the milestones, however fast
/// reports come.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Sender {
    bucket: Bucket,
    /// The value reported last, and its total.
    #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
    last: Option<(f64, Option<f64>)>,
    /// The value that the tool itself reported last: heartbeats do not count.
    #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
    reported: Option<f64>,
    /// What waits: milestones in order, and behind them at most one ordinary report.
    waiting: VecDeque<Waiting>,
    /// Bytes of the messages that wait.
    #[cfg_attr(feature = "snapshot", serde(skip))]
    waiting_len: usize,
    #[cfg_attr(feature = "snapshot", serde(skip))]
    max_milestones: usize,
    merged: u64,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
struct Waiting {
    #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
    progress: Progress,
    /// It is a milestone, and must not merge.
    is_kept: bool,
}

impl Waiting {
    /// Bytes of its message.
    fn len(&self) -> usize {
        self.progress.message.as_ref().map_or(0, Text::len)
    }
}

/// Bytes that are sent of the message of a report: a person reads it.
pub(crate) const MAX_TEXT_LEN: usize = 16 << 10;

/// Bytes of messages beyond which milestones merge like others.
pub(crate) const MAX_WAITING_LEN: usize = 64 << 10;

/// The next value above `last` that no bar shows: by a billionth.
pub(crate) fn above(last: f64) -> f64 {
    (last + last.abs().max(1.0) * 1e-9).max(last.next_up())
}

impl Sender {
    pub(crate) fn new(pacing: Pacing, max_milestones: usize) -> Self {
        Self {
            bucket: Bucket::new(pacing),
            last: None,
            reported: None,
            waiting: VecDeque::new(),
            waiting_len: 0,
            max_milestones,
            merged: 0,
        }
    }

    /// Takes a report. If it is to leave at once it is given back; else it waits, which it always does
    /// without `room`.
    pub(crate) fn offer(
        &mut self,
        mut progress: Progress,
        weight: Weight,
        room: bool,
        now: Instant,
    ) -> Result<Option<Progress>, ReportError> {
        if !progress.progress.is_finite() || progress.total.is_some_and(|total| !total.is_finite())
        {
            return Err(ReportError::NotFinite);
        }
        let reported = progress.progress;
        if weight != Weight::Heartbeat
            && let Some(last) = self.reported.filter(|last| reported <= *last)
        {
            return Err(ReportError::NotIncreasing { last });
        }
        // Heartbeats may have gone a little beyond what was reported; the peer must see an increase.
        if let Some((last, _)) = self.last.filter(|(last, _)| reported <= *last) {
            progress.progress = above(last);
            if progress.progress.is_infinite() {
                return Err(ReportError::NotIncreasing { last });
            }
        }
        if weight != Weight::Heartbeat {
            self.reported = Some(reported);
        }
        self.last = Some((progress.progress, progress.total));
        progress.message = progress.message.map(|message| message.cut(MAX_TEXT_LEN));
        if self.waiting.is_empty() && room && self.bucket.try_take(now) {
            return Ok(Some(progress));
        }
        if let Some(merged) = self.waiting.pop_back_if(|newest| !newest.is_kept) {
            self.waiting_len -= merged.len();
            self.merged += 1;
        }
        // A message may be a slice of something large.
        progress.message = progress.message.map(|message| message.detach());
        let mut newest = Waiting { progress, is_kept: false };
        self.waiting_len += newest.len();
        newest.is_kept = weight == Weight::Milestone
            && self.waiting.len() < self.max_milestones
            && self.waiting_len <= MAX_WAITING_LEN;
        self.waiting.push_back(newest);
        Ok(None)
    }

    /// One report that may leave now.
    pub(crate) fn poll(&mut self, room: bool, now: Instant) -> Option<Progress> {
        if self.waiting.is_empty() || !room || !self.bucket.try_take(now) {
            return None;
        }
        self.flush()
    }

    /// One report that waits, whatever the pacing says: the response is about to follow.
    pub(crate) fn flush(&mut self) -> Option<Progress> {
        let waiting = self.waiting.pop_front()?;
        self.waiting_len -= waiting.len();
        Some(waiting.progress)
    }

    /// When the next one may leave.
    pub(crate) fn next_at(&self, now: Instant) -> Option<Instant> {
        (!self.waiting.is_empty()).then(|| self.bucket.next_at().max(now))
    }

    /// The value reported last, and its total.
    pub(crate) fn last(&self) -> Option<(f64, Option<f64>)> {
        self.last
    }

    /// Whether nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Bytes that the reports of one request take at most.
    pub(crate) const fn bound(max_milestones: usize) -> usize {
        let reports = sum([max_milestones, 1]);
        let texts = MAX_WAITING_LEN + MAX_TEXT_LEN;
        sum([queue(reports, size_of::<Waiting>()), times(reports, PART), texts])
    }

    /// Reports that were replaced by newer ones before they could leave.
    pub(crate) fn merged(&self) -> u64 {
        self.merged
    }

    /// Gives it its configuration, after it was read from a snapshot.
    #[cfg(feature = "snapshot")]
    pub(crate) fn restore(
        &mut self,
        pacing: Pacing,
        max_milestones: usize,
    ) -> Result<(), RestoreError> {
        self.bucket = self.bucket.paced(pacing);
        self.max_milestones = max_milestones;
        self.waiting_len = self.waiting.iter().map(Waiting::len).sum();
        check_count(self.merged)?;
        let kept = self.waiting.iter().filter(|waiting| waiting.is_kept).count();
        check_limit(kept, max_milestones, "milestones that wait")?;
        check_limit(self.waiting_len, MAX_WAITING_LEN + MAX_TEXT_LEN, "messages of reports")?;
        let merges = self.waiting.iter().rev().skip(1).any(|waiting| !waiting.is_kept);
        check(!merges, "a report waits that should have merged")?;
        let mut last = None;
        let values =
            self.waiting.iter().map(|waiting| (waiting.progress.progress, waiting.progress.total));
        for (value, total) in values.chain(self.last) {
            let is_finite = value.is_finite() && total.is_none_or(f64::is_finite);
            let is_in_order = last.is_none_or(|last| last <= value);
            check(is_finite && is_in_order, "reports that do not increase")?;
            last = Some(value);
        }
        check(self.waiting.is_empty() || self.last.is_some(), "a report that nobody made")?;
        check(self.reported.is_none_or(f64::is_finite), "a report that is not finite")
    }

    #[cfg(feature = "testing")]
    pub(crate) fn digest(&self, digest: &mut Digest<'_>) {
        let Self { bucket, last, reported, waiting, waiting_len, max_milestones: _, merged: _ } =
            self;
        bucket.digest(digest);
        digest.real(last.map(|(last, _)| last));
        digest.real(last.and_then(|(_, total)| total));
        digest.real(*reported);
        digest.put((waiting.len(), waiting_len));
        for Waiting { progress, is_kept } in waiting {
            digest.shown(progress);
            digest.put(is_kept);
        }
    }
}

#[cfg(feature = "snapshot")]
crate::state::moments!(Sender {
    bucket; last, reported, waiting, waiting_len, max_milestones, merged
});

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use core::time::Duration;

    fn sender() -> Sender {
        Sender::new(Pacing::default().burst(2), 3)
    }

    fn offer(sender: &mut Sender, value: f64, weight: Weight) -> Option<f64> {
        sender
            .offer(Progress::new(value), weight, true, Instant::ZERO)
            .unwrap()
            .map(|sent| sent.progress)
    }

    fn rest(sender: &mut Sender) -> Vec<f64> {
        core::iter::from_fn(|| sender.flush()).map(|progress| progress.progress).collect()
    }

    #[test]
    fn above_the_bucket_only_the_newest_is_kept() {
        let mut sender = sender();
        let sent: Vec<_> =
            (0..1000).filter_map(|n| offer(&mut sender, n.into(), Weight::Ordinary)).collect();
        assert_eq!(sent, [0.0, 1.0]);
        assert_eq!(sender.merged(), 997);
        assert_eq!(rest(&mut sender), [999.0]);
        assert!(sender.is_idle());
    }

    #[test]
    fn milestones_are_kept_in_order_up_to_their_limit() {
        let mut sender = sender();
        for n in 0..4 {
            offer(&mut sender, n.into(), Weight::Ordinary);
        }
        for n in 4..9 {
            offer(&mut sender, n.into(), Weight::Milestone);
        }
        offer(&mut sender, 9.0, Weight::Ordinary);
        assert_eq!(rest(&mut sender), [4.0, 5.0, 6.0, 9.0]);
    }

    #[test]
    fn a_report_that_does_not_increase_or_is_not_finite_is_refused_and_changes_nothing() {
        let mut sender = sender();
        let mut report = |progress| sender.offer(progress, Weight::Ordinary, true, Instant::ZERO);
        assert_eq!(report(Progress::new(0.0)), Ok(Some(Progress::new(0.0))));
        assert_eq!(report(Progress::new(0.0)), Err(ReportError::NotIncreasing { last: 0.0 }));
        assert_eq!(report(Progress::new(-1.0)), Err(ReportError::NotIncreasing { last: 0.0 }));
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(report(Progress::new(odd)), Err(ReportError::NotFinite));
            assert_eq!(report(Progress::new(1.0).of(odd)), Err(ReportError::NotFinite));
        }
        assert!(report(Progress::new(0.1)).unwrap().is_some());
    }

    #[test]
    fn a_heartbeat_is_above_the_last_value_and_takes_no_value_from_the_tool() {
        let mut sender = Sender::new(Pacing::UNLIMITED, 3);
        let mut seen = Vec::new();
        let mut beat =
            |sender: &mut Sender, value, weight| seen.extend(offer(sender, value, weight));
        beat(&mut sender, 0.0, Weight::Heartbeat);
        beat(&mut sender, 0.0, Weight::Heartbeat);
        beat(&mut sender, 0.0, Weight::Ordinary);
        beat(&mut sender, 0.0, Weight::Heartbeat);
        beat(&mut sender, 1.0, Weight::Ordinary);
        assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
        assert_eq!((seen.len(), seen.first(), seen.last()), (5, Some(&0.0), Some(&1.0)));
        let again = sender.offer(Progress::new(1.0), Weight::Ordinary, true, Instant::ZERO);
        assert_eq!(
            again,
            Err(ReportError::NotIncreasing { last: 1.0 }),
            "a report of the tool still has to increase"
        );
    }

    #[test]
    fn what_waits_leaves_when_the_bucket_refills() {
        let mut sender = sender();
        for n in 0..5 {
            offer(&mut sender, n.into(), Weight::Ordinary);
        }
        let soon = Instant::from(Duration::from_millis(50));
        assert_eq!(sender.next_at(Instant::ZERO), Some(soon));
        assert_eq!(sender.poll(true, Instant::ZERO), None);
        assert_eq!(sender.poll(false, soon), None);
        assert_eq!(sender.poll(true, soon), Some(Progress::new(4.0)));
        assert_eq!(sender.next_at(soon), None);
    }

    #[test]
    fn without_room_a_report_waits_and_merges() {
        let mut sender = sender();
        for n in 0..10 {
            let waits =
                sender.offer(Progress::new(n.into()), Weight::Ordinary, false, Instant::ZERO);
            assert_eq!(waits, Ok(None));
        }
        assert_eq!(rest(&mut sender), [9.0]);
    }

    #[test]
    fn the_least_step_is_a_billionth_or_what_a_float_can_hold() {
        assert_eq!(above(0.0), 1e-9);
        assert_eq!(above(-2.0), -2.0 + 2e-9);
        assert_eq!(above(4e9), 4e9 + 4.0);
        assert_eq!(above(f64::MAX), f64::INFINITY);
        let tiny = above(1.0) - 1.0;
        assert!((0.9e-9..1.1e-9).contains(&tiny), "{tiny}");
    }

    #[test]
    fn milestones_with_long_texts_merge_and_room_comes_back_as_they_leave() {
        let mut sender = Sender::new(Pacing::default().burst(1), 100);
        offer(&mut sender, 0.0, Weight::Ordinary);
        let report = |sender: &mut Sender, value, weight| {
            let text = "x".repeat(MAX_TEXT_LEN + 1);
            let progress = Progress { message: Some(text.into()), ..Progress::new(value) };
            assert_eq!(sender.offer(progress, weight, true, Instant::ZERO), Ok(None));
        };
        // Of five texts of 16 KiB the fifth is too much: it waits, and merges into what comes next.
        for n in 1..=5 {
            report(&mut sender, n.into(), Weight::Milestone);
        }
        report(&mut sender, 6.0, Weight::Milestone);
        report(&mut sender, 7.0, Weight::Ordinary);
        assert_eq!((sender.waiting_len, sender.merged()), (5 * MAX_TEXT_LEN, 2));
        let first = sender.flush().unwrap();
        assert_eq!((first.progress, first.message.unwrap().len()), (1.0, MAX_TEXT_LEN));
        assert_eq!(sender.flush().unwrap().progress, 2.0);
        // There is room for one more now, in the place of what merged, and a place behind it.
        report(&mut sender, 8.0, Weight::Milestone);
        report(&mut sender, 9.0, Weight::Ordinary);
        assert_eq!(rest(&mut sender), [3.0, 4.0, 8.0, 9.0]);
        assert_eq!(sender.waiting_len, 0);
    }

    #[test]
    fn what_was_said_last_is_known_with_its_total() {
        let mut sender = sender();
        assert_eq!(sender.last(), None);
        for (value, total) in [(1.0, Some(7.0)), (2.5, None)] {
            let progress = Progress { total, ..Progress::new(value) };
            sender.offer(progress, Weight::Ordinary, true, Instant::ZERO).unwrap();
            assert_eq!(sender.last(), Some((value, total)));
        }
        offer(&mut sender, 0.0, Weight::Heartbeat);
        assert_eq!(sender.last(), Some((above(2.5), None)));
    }
}
