//! 100,000 reports for a listener that is stuck with the first: what is kept meanwhile, and once it goes on,
//! whether all came, and in order.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use mcp_bench::tools::{BURST, ours as tools, rmcp as theirs};
use mcp_tokio::{CallTool, Delivery};
use rmcp::model::{CallToolRequestParams, ProgressNotificationParam};
use rmcp::service::NotificationContext;
use rmcp::{ClientHandler, RoleClient};
use tokio::sync::Semaphore;

use super::{peers, runtime, settle};
use crate::allocations;
use crate::report::{Figures, Metric};

const REPORTS: usize = 100_000;

/// What a listener heard.
#[derive(Default)]
struct Heard {
    count: usize,
    breaks: usize,
    last: f64,
}

impl Heard {
    fn note(&mut self, progress: f64) {
        self.count += 1;
        self.breaks += usize::from(progress <= self.last);
        self.last = progress;
    }

    fn add(&self, case: &str, figures: &mut Figures) {
        figures.add(&format!("{case}/order-breaks"), Metric::Count, self.breaks as f64);
        figures.add(&format!("{case}/lost"), Metric::Count, (REPORTS - self.count) as f64);
    }
}

/// The tool reports as it pleases, and waits after a burst until it has left.
pub fn ours(figures: &mut Figures) {
    for (case, wait) in [("stuck/ours", BURST), ("stuck/ours-never-waits", 0)] {
        runtime().block_on(async {
            let (client, server) = peers::ours_pair(|_| ()).await;
            tokio::spawn(tools::serve(server));
            settle().await;
            let before = allocations::live();
            allocations::forget_peak();
            let gate = Arc::new(Semaphore::new(0));
            let mut heard = Heard::default();
            let opened = gate.clone();
            tokio::spawn(async move {
                // Until nothing moves any more.
                for _ in 0..10 {
                    settle().await;
                }
                opened.add_permits(1);
            });
            let arguments =
                CallTool::new("report").argument("count", REPORTS).argument("wait", wait);
            let call =
                client.call(arguments).delivery(Delivery::Every).on_progress_async(|report| {
                    heard.note(report.progress);
                    let gate = gate.clone();
                    async move { drop(gate.acquire().await) }
                });
            call.await.expect("a result");
            let peak = allocations::peak() - before;
            figures.add(case, Metric::HeapBytes, peak as f64);
            if wait > 0 {
                heard.add(case, figures);
            } else {
                // What a tool that never waits reports beyond what fits merges, and the last always comes.
                figures.add(&format!("{case}/order-breaks"), Metric::Count, heard.breaks as f64);
                assert_eq!(heard.last, REPORTS as f64);
            }
        });
    }
}

/// Stuck until it is let go.
#[derive(Clone)]
struct Listener {
    gate: Arc<Semaphore>,
    heard: Arc<Mutex<Heard>>,
    begun: Arc<AtomicUsize>,
}

impl ClientHandler for Listener {
    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.begun.fetch_add(1, Relaxed);
        drop(self.gate.acquire().await);
        self.heard.lock().expect("no panic").note(params.progress);
    }
}

pub fn rmcp(figures: &mut Figures) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = Listener {
            gate: Arc::new(Semaphore::new(0)),
            heard: Arc::default(),
            begun: Arc::default(),
        };
        let (client, _server) = peers::rmcp_pair(listener.clone(), theirs::Tools).await;
        settle().await;
        let before = allocations::live();
        allocations::forget_peak();
        let arguments = serde_json::json!({ "count": REPORTS });
        let params = CallToolRequestParams::new("report")
            .with_arguments(arguments.as_object().expect("an object").clone());
        client.call_tool(params).await.expect("a result");
        while listener.begun.load(Relaxed) < REPORTS {
            settle().await;
        }
        let peak = allocations::peak() - before;
        listener.gate.add_permits(1);
        while listener.heard.lock().expect("no panic").count < REPORTS {
            settle().await;
        }
        figures.add("stuck/rmcp", Metric::HeapBytes, peak as f64);
        listener.heard.lock().expect("no panic").add("stuck/rmcp", figures);
    });
}
