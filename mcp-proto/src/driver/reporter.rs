//! A tool's handle to report progress with: plain values, steps, stages, a heartbeat.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;
use core::ops::Range;

use super::server::Ongoing;
use super::sync::{Arc, AtomicU64, Mutex, Ordering, PoisonError};
use crate::endpoint::Endpoint;
use crate::json::Text;
use crate::progress::{Bucket, Pacing, ReportError, Span, Weight, above};
use crate::types::{LogLevel, LogMessage, Progress};

/// Reports the progress of one request. Cheap to clone and to send to the tasks that do the work.
///
/// Reporting never waits. Without a token from the client it does nothing; once the request is answered
/// or cancelled it is refused. What leaves is paced ([`Pacing`]); the last value always leaves, before
/// the answer.
#[derive(Clone)]
pub struct Reporter {
    ongoing: Ongoing,
    /// The part of the whole that this reporter fills; none for the whole in the tool's own unit.
    stage: Option<Stage>,
    /// With no token, reports become log messages, as often as this allows.
    fallback: Option<Arc<Mutex<Bucket>>>,
}

#[derive(Clone)]
struct Stage {
    name: Text,
    span: Span,
}

/// Counts steps, and reports each. Clones count together.
#[derive(Clone, Debug)]
pub struct Steps {
    reporter: Reporter,
    total: Option<f64>,
    done: Arc<AtomicU64>,
}

/// Stages are reported on a scale of so many parts.
const SCALE: f64 = 100.0;

impl Reporter {
    pub(super) fn new(ongoing: Ongoing) -> Self {
        Self { ongoing, stage: None, fallback: None }
    }

    pub(crate) fn ongoing(&self) -> &Ongoing {
        &self.ongoing
    }

    /// Whether the client asked for progress and still wants it. A tool may skip costly measuring if not.
    pub fn is_wanted(&self) -> bool {
        self.ongoing.look(false, Endpoint::is_progress_wanted)
    }

    /// Reports how far the work has come.
    ///
    /// In a [`stage`](Self::stage) the value counts against its total, or from 0 to 1 if it has none.
    ///
    /// # Errors
    ///
    /// [`ReportError`]: the report was refused here and never sent. In a stage, a value that does not
    /// increase is no error: it is passed over.
    pub fn report(&self, progress: Progress) -> Result<(), ReportError> {
        self.send(progress, Weight::Ordinary)
    }

    /// Reports something that must not be merged into later reports: a named state, a part that is done.
    ///
    /// # Errors
    ///
    /// As [`report`](Self::report).
    pub fn milestone(&self, progress: Progress) -> Result<(), ReportError> {
        self.send(progress, Weight::Milestone)
    }

    /// A counter of `total` steps, or of an unknown number of them.
    pub fn steps(&self, total: impl Into<Option<u64>>) -> Steps {
        let total = total.into().map(|total| total as f64);
        Steps { reporter: self.clone(), total, done: Arc::default() }
    }

    /// Begins a stage that fills `part` of this reporter's whole, such as `0.0..0.4`, and announces its name.
    ///
    /// Stages nest. They are reported on a scale of 100, so use either stages or values of your own unit
    /// in one request, not both.
    ///
    /// # Errors
    ///
    /// [`ReportError::Finished`]: the request has been answered or cancelled.
    pub fn stage(&self, name: impl Into<Text>, part: Range<f64>) -> Result<Self, ReportError> {
        let (name, span) = match &self.stage {
            Some(outer) => (format!("{}: {}", outer.name, name.into()).into(), outer.span),
            None => (name.into(), Span::WHOLE),
        };
        let stage = Stage { name, span: span.part(part.start, part.end) };
        let reporter = Self { stage: Some(stage), ..self.clone() };
        reporter.milestone(Progress::new(0.0))?;
        Ok(reporter)
    }

    /// Says that the work goes on although nothing can be counted: the last value, increased by next to
    /// nothing, so that the client's idle deadline is re-armed.
    ///
    /// # Errors
    ///
    /// [`ReportError::Finished`]: the request has been answered or cancelled.
    pub fn heartbeat(&self, message: impl Into<Text>) -> Result<(), ReportError> {
        let last = self.ongoing.look(None, Endpoint::last_report);
        let message = message.into();
        let (start, message) = match &self.stage {
            Some(stage) => {
                let text = format!("{}: {message}", stage.name);
                ((stage.span.at(0.0) * SCALE, Some(SCALE)), text.into())
            }
            None => ((0.0, None), message),
        };
        let (value, total) = last.unwrap_or(start);
        self.put(with(value, total, Some(message)), Weight::Heartbeat)
    }

    /// Waits until everything reported so far has been handed to the transport: for tools that want every
    /// value delivered, at the client's pace.
    pub async fn delivered(&self) {
        self.ongoing.delivered().await;
    }

    /// Reports that were merged into later ones because they came faster than their pacing.
    pub fn merged(&self) -> u64 {
        self.ongoing.look(0, Endpoint::merged_reports)
    }

    /// Turns reports into log messages of level *info* where the client sent no token, as often as
    /// progress would leave.
    #[must_use]
    pub fn with_log_fallback(mut self) -> Self {
        self.fallback = Some(Arc::new(Mutex::new(Bucket::new(Pacing::default()))));
        self
    }

    fn send(&self, progress: Progress, weight: Weight) -> Result<(), ReportError> {
        let Some(stage) = &self.stage else { return self.put(progress, weight) };
        check_finite(&progress)?;
        let Progress { progress: value, total, message, .. } = progress;
        let fraction = match total {
            Some(total) if total > 0.0 => value / total,
            Some(_) => 1.0,
            None => value,
        };
        let message = match message {
            Some(message) => format!("{}: {message}", stage.name).into(),
            None => stage.name.clone(),
        };
        let mapped = Progress::new(stage.span.at(fraction) * SCALE).of(SCALE).message(message);
        match self.put(mapped.clone(), weight) {
            Err(ReportError::NotIncreasing { .. }) if weight == Weight::Ordinary => Ok(()),
            Err(ReportError::NotIncreasing { last }) => {
                self.put(Progress { progress: above(last), ..mapped }, weight)
            }
            done => done,
        }
    }

    fn put(&self, progress: Progress, weight: Weight) -> Result<(), ReportError> {
        if let Some(bucket) = &self.fallback
            && self.ongoing.look(false, |endpoint, id| !endpoint.is_progress_wanted(id))
        {
            return self.log_instead(bucket, &progress);
        }
        self.ongoing.with(Err(ReportError::Finished), |endpoint, id, now| {
            endpoint.report(id, progress, weight, now)
        })
    }

    fn log_instead(&self, bucket: &Mutex<Bucket>, progress: &Progress) -> Result<(), ReportError> {
        // A tool must not learn otherwise than by progress that its work is not wanted any more, nor what it does wrong.
        if self.ongoing.is_cancelled() {
            return Err(ReportError::Finished);
        }
        check_finite(progress)?;
        let now = self.ongoing.now();
        if !bucket.lock().unwrap_or_else(PoisonError::into_inner).try_take(now) {
            return Ok(());
        }
        let far = match progress.total {
            Some(total) => format!("{} of {total}", progress.progress),
            None => progress.progress.to_string(),
        };
        let text: String = match &progress.message {
            Some(message) => format!("{far}: {message}"),
            None => far,
        };
        // The client does not want it, or does not read: a report is not worth waiting for.
        let _ = self.ongoing.log(&LogMessage::text(LogLevel::Info, &text));
        Ok(())
    }
}

impl Steps {
    /// One more step is done: reports how many, and what it was.
    ///
    /// # Errors
    ///
    /// As [`Reporter::report`]; but a step that a later one of another clone overtakes is passed over.
    pub fn step(&self, message: impl Into<Text>) -> Result<(), ReportError> {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        match self.reporter.report(with(done as f64, self.total, Some(message.into()))) {
            Err(ReportError::NotIncreasing { .. }) => Ok(()),
            done => done,
        }
    }

    /// Steps done.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

fn check_finite(progress: &Progress) -> Result<(), ReportError> {
    let is_finite = progress.progress.is_finite() && progress.total.is_none_or(f64::is_finite);
    if is_finite { Ok(()) } else { Err(ReportError::NotFinite) }
}

fn with(value: f64, total: Option<f64>, message: Option<Text>) -> Progress {
    Progress { progress: value, total, message }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = self.stage.as_ref().map(|stage| stage.name.as_str());
        f.debug_struct("Reporter").field("stage", &stage).finish_non_exhaustive()
    }
}
