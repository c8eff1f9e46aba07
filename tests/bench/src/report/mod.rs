//! What was measured, and what becomes of it.

pub mod baseline;
mod callgrind;
mod count;
mod goals;
mod page;
mod svg;
mod table;

use std::fs;

use serde::{Deserialize, Serialize};

pub use count::{count_all, time_all};
pub use goals::{Verdict, verdicts};
pub use page::fill_page;
pub use svg::draw;
pub use table::{print_figures, print_verdicts};

/// One figure: what was measured, in which unit, and how far the middle half of its rounds was spread.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figure {
    /// engine/message/what is done with it.
    pub case: String,
    pub metric: Metric,
    pub value: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quartiles: Option<(f64, f64)>,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// A message.
    Instructions,
    /// A message.
    Allocations,
    /// Bytes a message.
    AllocatedBytes,
    /// Of another engine to ours, in interleaved rounds.
    TimeRatio,
    /// Microseconds of CPU of the server, a call or a report.
    CpuMicroseconds,
    /// Microseconds.
    Microseconds,
    /// CPU of one server to that of another, in interleaved rounds.
    CpuRatio,
    /// A call.
    SystemCalls,
    /// Bytes of the heap.
    HeapBytes,
    /// Bytes of resident memory.
    ResidentBytes,
    /// Things that went wrong.
    Count,
    /// Time with much pending to that with nothing, in interleaved rounds.
    SlowDown,
    /// Latency to that of a raw pipe.
    LatencyRatio,
}

/// All figures of a run.
#[derive(Debug, Default)]
pub struct Figures(pub Vec<Figure>);

impl Figures {
    /// What a run wrote as JSON lines; its goals are left out.
    pub fn read(file: &str) -> Self {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        Self(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
    }

    pub fn add(&mut self, case: &str, metric: Metric, value: f64) {
        self.0.push(Figure { case: case.into(), metric, value, quartiles: None });
    }

    pub fn add_spread(&mut self, case: &str, metric: Metric, spread: Spread) {
        let Spread { low, median, high } = spread;
        let quartiles = Some((low, high));
        self.0.push(Figure { case: case.into(), metric, value: median, quartiles });
    }

    pub fn get(&self, case: &str, metric: Metric) -> Option<f64> {
        let found = self.0.iter().find(|figure| figure.case == case && figure.metric == metric);
        found.map(|figure| figure.value)
    }
}

/// The median of many rounds and the quartiles around it.
#[derive(Clone, Copy, Debug)]
pub struct Spread {
    pub low: f64,
    pub median: f64,
    pub high: f64,
}

impl Spread {
    /// Of at least one value.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |part: usize| values[(values.len() - 1) * part / 4];
        Self { low: at(1), median: at(2), high: at(3) }
    }
}
