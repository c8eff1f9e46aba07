//! What is kept: by connections that idle, by requests that wait, by a listener that is stuck. Each measurement
//! has a process of its own, which prints its figures.

mod idle;
mod peers;
mod pending;
mod stuck;

use std::process::Command;

use crate::report::{Figures, Metric};

/// The measurements, by name.
/// Adds what it measures.
type Measure = fn(&mut Figures);

const MEASUREMENTS: [(&str, Measure); 6] = [
    ("idle-ours", idle::ours),
    ("idle-rmcp", idle::rmcp),
    ("pending-ours", pending::ours),
    ("pending-rmcp", pending::rmcp),
    ("stuck-ours", stuck::ours),
    ("stuck-rmcp", stuck::rmcp),
];

/// All measurements, each in a process of its own.
pub fn measure_all(figures: &mut Figures) {
    for (name, _) in MEASUREMENTS {
        let done = Command::new(std::env::current_exe().expect("the path of this program"))
            .args(["memory", name])
            .output()
            .expect("this program again");
        assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
        for line in String::from_utf8_lossy(&done.stdout).lines() {
            figures.0.push(serde_json::from_str(line).expect("a figure"));
        }
    }
}

/// One measurement, in this process.
pub fn measure(name: &str) {
    let mut figures = Figures::default();
    let found = MEASUREMENTS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no measurement {name}")).1(&mut figures);
    for figure in figures.0 {
        println!("{}", serde_json::to_string(&figure).expect("JSON"));
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Resident bytes of this process.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: f64 = text.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4096.0
}

/// Lets every task run until none has anything to do.
async fn settle() {
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
}

/// A figure for each of `count`.
fn add_each(figures: &mut Figures, case: &str, metric: Metric, total: f64, count: usize) {
    figures.add(case, metric, total / count as f64);
}
