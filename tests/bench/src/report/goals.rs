//! The goals, each a bound on one figure, and whether it is kept.

use serde::Serialize;

use super::{Figures, Metric};
use Bound::{AtLeast, AtMost, Fewer};
use Metric::{
    AllocatedBytes, Allocations, Count, CpuMicroseconds, CpuRatio, HeapBytes, Instructions,
    LatencyRatio, ResidentBytes, SlowDown, SystemCalls,
};

/// One bound. A goal may have several.
struct Goal {
    number: &'static str,
    what: &'static str,
    case: &'static str,
    metric: Metric,
    bound: Bound,
}

/// What a figure is held against.
enum Bound {
    /// It is that much, or less.
    AtMost(f64),
    /// It is that much, or more: a ratio.
    AtLeast(f64),
    /// The other's figure is so many times ours, or more.
    Fewer(f64, &'static str),
}

/// A goal and what came of it.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// Its number; a letter behind it means that it is a stretch.
    pub goal: &'static str,
    pub what: &'static str,
    pub case: &'static str,
    pub metric: Metric,
    pub ours: f64,
    /// The figure of the other engine, if it is held against one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theirs: Option<(&'static str, f64)>,
    pub target: String,
    /// What is compared with the target: our figure, or the ratio.
    pub reached_value: String,
    pub reached: bool,
}

const fn goal(
    number: &'static str,
    what: &'static str,
    case: &'static str,
    metric: Metric,
    bound: Bound,
) -> Goal {
    Goal { number, what, case, metric, bound }
}

const INTS: &str = "ours/progress-ints/decode";
const FLOATS: &str = "ours/progress-floats/decode";
const CALL: &str = "ours/call/decode";

#[rustfmt::skip]
const GOALS: &[Goal] = &[
    goal("1", "decode progress, integers", INTS, Instructions, AtMost(2960.0)),
    goal("1", "decode progress, integers", INTS, Instructions, Fewer(8.0, "rmcp/progress-ints/decode")),
    goal("1", "decode progress, floats", FLOATS, Instructions, AtMost(3900.0)),
    goal("1", "decode progress, floats", FLOATS, Instructions, Fewer(6.0, "rmcp/progress-floats/decode")),
    goal("1b", "decode progress, layout known", "ours/progress-ints/decode-known", Instructions, AtMost(1580.0)),
    goal("1b", "decode progress, layout known", "ours/progress-ints/decode-known", Instructions, Fewer(15.0, "rmcp/progress-ints/decode")),
    goal("2", "decode tools/call, arguments lazy", CALL, Instructions, AtMost(5180.0)),
    goal("2", "decode tools/call, arguments lazy", CALL, Instructions, Fewer(12.0, "rmcp/call/decode")),
    goal("2b", "decode tools/call, arguments lazy", CALL, Instructions, AtMost(3100.0)),
    goal("2b", "decode tools/call, arguments lazy", CALL, Instructions, Fewer(20.0, "rmcp/call/decode")),
    goal("5", "encode progress", "ours/progress/encode", Instructions, Fewer(10.0, "rmcp/progress/encode")),
    goal("5", "encode tools/call", "ours/call/encode", Instructions, Fewer(20.0, "rmcp/call/encode")),
    goal("6", "decode progress", INTS, Allocations, AtMost(0.0)),
    goal("6", "decode progress, floats", FLOATS, Allocations, AtMost(0.0)),
    goal("6", "decode tools/call", CALL, Allocations, AtMost(0.0)),
    goal("6", "line to event, progress", "ours/progress-ints/receive", Allocations, AtMost(0.0)),
    goal("6", "line to event, tools/call", "ours/call/receive", Allocations, AtMost(0.0)),
    goal("6", "encode progress", "ours/progress/encode", Allocations, AtMost(0.0)),
    goal("6", "encode tools/call", "ours/call/encode", Allocations, AtMost(0.0)),
    goal("6", "report to line", "ours/progress/report", Allocations, AtMost(0.0)),
    goal("7", "echo in memory over Tokio", "ours/call/tokio-echo", Instructions, AtMost(22_600.0)),
    goal("7", "echo in memory over Tokio", "ours/call/tokio-echo", Instructions, Fewer(7.0, "rmcp/call/echo")),
    goal("7", "echo in memory over Tokio", "ours/call/tokio-echo", Allocations, AtMost(4.0)),
    goal("7b", "echo in memory over Tokio", "ours/call/tokio-echo", Instructions, AtMost(15_800.0)),
    goal("7b", "echo in memory over Tokio", "ours/call/tokio-echo", Instructions, Fewer(10.0, "rmcp/call/echo")),
    goal("8", "echo without a runtime", "ours/call/echo", Instructions, Fewer(9.5, "rmcp/call/echo")),
    goal("8b", "echo without a runtime", "ours/call/echo", Instructions, Fewer(25.0, "rmcp/call/echo")),
    goal("9", "report to listener over Tokio", "ours/progress/tokio-burst", Instructions, AtMost(5_400.0)),
    goal("9", "report to listener over Tokio", "ours/progress/tokio-burst", Instructions, Fewer(10.0, "rmcp/progress/trip")),
    goal("9", "report to listener over Tokio", "ours/progress/tokio-burst", Allocations, AtMost(0.0)),
    goal("9", "the same, each awaited", "ours/progress/tokio-trip", Instructions, AtMost(5_400.0)),
    goal("9", "the same, each awaited", "ours/progress/tokio-trip", Allocations, AtMost(0.0)),
    goal("9b", "report to listener over Tokio", "ours/progress/tokio-burst", Instructions, AtMost(3_000.0)),
    goal("9b", "report to listener over Tokio", "ours/progress/tokio-burst", Instructions, Fewer(18.0, "rmcp/progress/trip")),
    goal("10", "stuck listener, order breaks", "stuck/ours/order-breaks", Count, AtMost(0.0)),
    goal("10", "stuck listener, reports lost", "stuck/ours/lost", Count, AtMost(0.0)),
    goal("10", "stuck listener, peak of 100,000", "stuck/ours", HeapBytes, AtMost(1_500_000.0)),
    goal("10", "the same, a tool that never waits", "stuck/ours-never-waits", HeapBytes, AtMost(1_500_000.0)),
    goal("11", "stdio server, sequential", "stdio/sequential/rmcp ÷ ours", CpuRatio, AtLeast(10.0)),
    goal("11", "stdio server, 64 in flight", "stdio/in-flight/rmcp ÷ ours", CpuRatio, AtLeast(50.0)),
    goal("11", "stdio server to raw, sequential", "stdio/sequential/ours ÷ raw", CpuRatio, AtMost(1.5)),
    goal("11", "stdio server to raw, 64 in flight", "stdio/in-flight/ours ÷ raw", CpuRatio, AtMost(2.0)),
    goal("12", "stdio server, sequential", "stdio/sequential/ours", SystemCalls, AtMost(2.1)),
    goal("12", "the same without a runtime", "stdio/sequential/ours-blocking", SystemCalls, AtMost(2.1)),
    goal("12", "stdio server, 64 in flight", "stdio/in-flight/ours", SystemCalls, AtMost(0.05)),
    goal("12", "the same without a runtime", "stdio/in-flight/ours-blocking", SystemCalls, AtMost(0.05)),
    goal("13", "stdio progress server", "stdio/progress/ours", CpuMicroseconds, AtMost(0.25)),
    goal("13", "stdio progress server, rmcp's to it", "stdio/progress/rmcp ÷ ours", CpuRatio, AtLeast(130.0)),
    goal("13", "the same, TypeScript's to it", "stdio/progress/typescript ÷ ours", CpuRatio, AtLeast(25.0)),
    goal("13", "the same, paced", "stdio/progress/ours-paced", CpuMicroseconds, AtMost(0.25)),
    goal("14", "HTTP to bare axum, JSON, 1", "http/http-call-1/ours ÷ axum", CpuRatio, AtMost(1.5)),
    goal("14", "the same, 16 connections", "http/http-call-16/ours ÷ axum", CpuRatio, AtMost(1.5)),
    goal("14", "the same in a session, 1", "http/session-call-1/ours ÷ axum", CpuRatio, AtMost(1.5)),
    goal("14", "the same, 16 connections", "http/session-call-16/ours ÷ axum", CpuRatio, AtMost(1.5)),
    goal("14", "HTTP to bare axum, SSE, 1", "http/http-progress-1/ours ÷ axum", CpuRatio, AtMost(2.0)),
    goal("14", "the same, 16 connections", "http/http-progress-16/ours ÷ axum", CpuRatio, AtMost(2.0)),
    goal("14", "the same in a session, 1", "http/session-progress-1/ours ÷ axum", CpuRatio, AtMost(2.0)),
    goal("14", "the same, 16 connections", "http/session-progress-16/ours ÷ axum", CpuRatio, AtMost(2.0)),
    goal("15", "idle session on HTTP", "http-session/ours", ResidentBytes, AtMost(4_000.0)),
    goal("16", "idle pair", "idle/ours", ResidentBytes, AtMost(8_000.0)),
    goal("16", "idle pair", "idle/ours", HeapBytes, AtMost(8_000.0)),
    goal("16", "idle pair", "idle/ours", ResidentBytes, Fewer(8.0, "idle/rmcp")),
    goal("17", "pending request", "pending/ours", HeapBytes, AtMost(512.0)),
    goal("17", "pending request", "pending/ours", HeapBytes, Fewer(18.0, "pending/rmcp")),
    goal("17", "call while 100,000 wait", "pending/ours", SlowDown, AtMost(1.2)),
    goal("18", "decode a text of 1 MiB", "ours/large-plain/decode", AllocatedBytes, AtMost(1.05 * LARGE)),
    goal("18", "decode a text of 1 MiB, escapes", "ours/large-escaped/decode", AllocatedBytes, AtMost(1.05 * LARGE)),
    goal("22", "report over a pipe to raw, p50", "stdio/latency-p50/ours ÷ raw", LatencyRatio, AtMost(2.0)),
    goal("22", "report over a pipe to raw, p99", "stdio/latency-p99/ours ÷ raw", LatencyRatio, AtMost(2.0)),
    goal("22", "the same without a runtime, p50", "stdio/latency-p50/ours-blocking ÷ raw", LatencyRatio, AtMost(2.0)),
    goal("22", "the same without a runtime, p99", "stdio/latency-p99/ours-blocking ÷ raw", LatencyRatio, AtMost(2.0)),
];

const LARGE: f64 = mcp_bench::messages::LARGE_LEN as f64;

/// Every goal whose figures were measured in this run.
pub fn verdicts(figures: &Figures) -> Vec<Verdict> {
    GOALS.iter().filter_map(|goal| verdict(goal, figures)).collect()
}

fn verdict(goal: &Goal, figures: &Figures) -> Option<Verdict> {
    let ours = figures.get(goal.case, goal.metric)?;
    let (theirs, target, reached_value, reached) = match goal.bound {
        AtMost(most) => (None, format!("≤ {}", thousands(most)), thousands(ours), ours <= most),
        AtLeast(least) => (None, format!("≥ {least} ×"), format!("{ours:.1} ×"), ours >= least),
        Fewer(times, case) => {
            let theirs = figures.get(case, goal.metric)?;
            let ratio = theirs / ours;
            (Some((case, theirs)), format!("≥ {times} ×"), format!("{ratio:.1} ×"), ratio >= times)
        }
    };
    let Goal { number, what, case, metric, .. } = *goal;
    Some(Verdict { goal: number, what, case, metric, ours, theirs, target, reached_value, reached })
}

/// A number as people read it.
pub fn thousands(value: f64) -> String {
    if value != 0.0 && value.abs() < 100.0 && value.fract() != 0.0 {
        return if value.abs() < 1.0 { format!("{value:.3}") } else { format!("{value:.2}") };
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}
