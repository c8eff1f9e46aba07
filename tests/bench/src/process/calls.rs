//! CPU and system calls of a server, a call and a report.

use mcp_bench::messages;
use mcp_bench::tools::BURST;

use super::{Server, is_set_up, system_calls};
use crate::report::{Figures, Metric, Spread};

const ROUNDS: usize = 21;

/// What a round does.
#[derive(Clone, Copy)]
enum Work {
    /// One call after the other.
    Sequential,
    /// So many calls are written at once, and all answers awaited.
    InFlight,
    /// Reports of one call, as fast as they come.
    Reports,
}

const IN_FLIGHT: usize = 64;

/// A kind of server, the work it is given, and how much of it in a round.
struct Load {
    name: &'static str,
    work: Work,
    count: usize,
    servers: &'static [&'static str],
}

const LOADS: [Load; 3] = [
    Load {
        name: "sequential",
        work: Work::Sequential,
        count: 300,
        servers: &["ours", "ours-blocking", "rmcp", "rmcp-pipes", "mcp-io", "typescript", "raw"],
    },
    Load {
        name: "in-flight",
        work: Work::InFlight,
        count: 20 * IN_FLIGHT,
        servers: &["ours", "ours-blocking", "rmcp", "rmcp-pipes", "mcp-io", "typescript", "raw"],
    },
    Load {
        name: "progress",
        work: Work::Reports,
        count: 3_000,
        servers: &["ours", "ours-paced", "rmcp", "rmcp-pipes", "mcp-io", "typescript", "raw"],
    },
];

/// What is compared with what.
const RATIOS: [(&str, &str); 6] = [
    ("rmcp", "ours"),
    ("rmcp-pipes", "ours"),
    ("mcp-io", "ours"),
    ("typescript", "ours"),
    ("ours", "raw"),
    ("ours-blocking", "raw"),
];

/// CPU of the servers in interleaved rounds.
pub fn measure(figures: &mut Figures) {
    for load in &LOADS {
        let kinds = load.kinds();
        let mut servers: Vec<_> = kinds.iter().map(|kind| Server::start(kind)).collect();
        let mut costs: Vec<Vec<f64>> = vec![Vec::new(); servers.len()];
        for round in 0..=ROUNDS {
            for (at, server) in servers.iter_mut().enumerate() {
                let before = server.cpu();
                load.run(kinds[at], server, round);
                let cost = (server.cpu() - before) as f64 / load.count as f64 / 1000.0;
                // The first round is there to warm up.
                if round > 0 {
                    costs[at].push(cost);
                }
            }
        }
        for (kind, costs) in kinds.iter().zip(&costs) {
            let case = format!("stdio/{}/{kind}", load.name);
            figures.add_spread(&case, Metric::CpuMicroseconds, Spread::of(costs.clone()));
        }
        for (above, below) in RATIOS {
            let of = |kind| kinds.iter().position(|known| *known == kind);
            let (Some(above_at), Some(below_at)) = (of(above), of(below)) else { continue };
            let ratios = costs[above_at].iter().zip(&costs[below_at]).map(|(a, b)| a / b);
            let case = format!("stdio/{}/{above} ÷ {below}", load.name);
            figures.add_spread(&case, Metric::CpuRatio, Spread::of(ratios.collect()));
        }
    }
}

/// System calls of the servers, by the kernel's own count.
pub fn count_system_calls(figures: &mut Figures) {
    for load in &LOADS {
        for kind in load.kinds() {
            let mut server = Server::start(kind);
            load.run(kind, &mut server, 0);
            let id = server.child.id();
            let Some(counted) = system_calls::count(id, || load.run(kind, &mut server, 1)) else {
                eprintln!(
                    "system calls are not counted: `perf` is missing, or may not see the kernel"
                );
                return;
            };
            let case = format!("stdio/{}/{kind}", load.name);
            figures.add(&case, Metric::SystemCalls, counted as f64 / load.count as f64);
        }
    }
}

impl Load {
    /// The servers that there are.
    fn kinds(&self) -> Vec<&'static str> {
        self.servers.iter().copied().filter(|kind| is_set_up(kind)).collect()
    }

    fn run(&self, kind: &str, server: &mut Server, round: usize) {
        let id = 100 + round * self.count;
        match self.work {
            Work::Sequential => {
                for n in 0..self.count {
                    server.exchange(&messages::call(id + n), 1);
                }
            }
            Work::InFlight => {
                for n in (0..self.count).step_by(IN_FLIGHT) {
                    let lines: Vec<_> =
                        (0..IN_FLIGHT).map(|m| messages::call(id + n + m)).collect();
                    server.exchange(&lines.concat(), IN_FLIGHT);
                }
            }
            Work::Reports if kind == "raw" => {
                server.exchange_reports(format!("report {}\n", self.count).as_bytes());
            }
            Work::Reports => {
                // With its reports paced, a tool that waited for each to leave would wait for the pace.
                let wait = if kind == "ours-paced" { 0 } else { BURST };
                let line = format!(
                    "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"report\",\"arguments\":{{\"count\":{},\"wait\":{wait}}},\"_meta\":{{\"progressToken\":7}}}}}}\n",
                    self.count
                );
                server.exchange_reports(line.as_bytes());
            }
        }
    }
}
