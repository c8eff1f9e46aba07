//! The picture: one bar for each comparison, as long as the ratio.

use std::fmt::Write as _;
use std::fs;

use super::{Figures, Metric};

/// What is drawn: a label, our case, the other's, and what is compared.
const BARS: &[(&str, &str, &str, Metric)] = &[
    ("decode progress", "ours/progress-ints/decode", "progress-ints/decode", Metric::Instructions),
    ("decode tools/call", "ours/call/decode", "call/decode", Metric::Instructions),
    ("encode progress", "ours/progress/encode", "progress/encode", Metric::Instructions),
    ("encode tools/call", "ours/call/encode", "call/encode", Metric::Instructions),
    ("answer tools/call", "ours/call/server", "call/server", Metric::Instructions),
    ("echo call, no runtime", "ours/call/echo", "call/echo", Metric::Instructions),
    ("echo call, Tokio", "ours/call/tokio-echo", "call/echo", Metric::Instructions),
    (
        "report to listener, Tokio",
        "ours/progress/tokio-burst",
        "progress/trip",
        Metric::Instructions,
    ),
];

const ENGINES: [(&str, &str); 3] =
    [("rmcp", "#c0504d"), ("rpc-io", "#7f7f7f"), ("mcp-io", "#bfbfbf")];

const LEFT: f64 = 190.0;
const WIDTH: f64 = 720.0;
const BAR: f64 = 13.0;
const GAP: f64 = 10.0;

struct Bar {
    engine: &'static str,
    color: &'static str,
    /// The other's figure to ours.
    ratio: f64,
}

/// Draws how many times more instructions the others take than this engine.
pub fn draw(file: &str, command: &str, figures: &Figures) {
    let mut rows: Vec<(&str, Vec<Bar>)> = Vec::new();
    for (label, ours, theirs, metric) in BARS {
        let Some(own) = figures.get(ours, *metric) else { continue };
        let bars = ENGINES.iter().filter_map(|(engine, color)| {
            let other = figures.get(&format!("{engine}/{theirs}"), *metric)?;
            Some(Bar { engine, color, ratio: other / own })
        });
        rows.push((label, bars.collect()));
    }
    let longest = rows.iter().flat_map(|(_, bars)| bars).map(|bar| bar.ratio).fold(1.0, f64::max);
    let scale = (WIDTH - LEFT - 110.0) / longest;
    let mut body = String::new();
    let mut y = 52.0;
    for (label, bars) in &rows {
        let middle = y + BAR * bars.len() as f64 / 2.0 + 4.0;
        let _ = writeln!(
            body,
            r#"<text x="{}" y="{middle}" text-anchor="end">{label}</text>"#,
            LEFT - 8.0
        );
        for Bar { engine, color, ratio } in bars {
            let (length, text) = (ratio * scale, y + BAR - 3.0);
            let _ = writeln!(
                body,
                r#"<rect x="{LEFT}" y="{y}" width="{length:.1}" height="{}" fill="{color}"/><text x="{:.1}" y="{text}">{engine} {ratio:.1} ×</text>"#,
                BAR - 2.0,
                LEFT + length + 6.0
            );
            y += BAR;
        }
        y += GAP;
    }
    let one = LEFT + scale;
    let svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="white"/>
<text x="12" y="20" font-size="14">Instructions of other engines, as a multiple of this one's</text>
<text x="12" y="38" fill="gray">{command}; the line is this engine</text>
{body}<line x1="{one:.1}" y1="46" x2="{one:.1}" y2="{y}" stroke="black" stroke-dasharray="3 2"/>
</svg>
"#,
        height = y + 12.0
    );
    fs::write(file, svg).unwrap_or_else(|error| panic!("{file}: {error}"));
}
