//! What is left behind, counted: tasks, descriptors, threads, child processes.

use std::fs;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mcp_proto::Instant;
use mcp_proto::driver::{Runtime, Timer};
use mcp_proto::net::{Platform, Task};

use crate::{Host, until};

/// A platform that knows how many of its tasks live.
#[derive(Clone, Debug)]
pub struct Counted<P> {
    platform: P,
    live: Arc<AtomicUsize>,
}

impl<P> Counted<P> {
    /// Of a platform, with no task yet.
    pub fn new(platform: P) -> Self {
        Self { platform, live: Arc::default() }
    }

    /// Tasks that were spawned and are not dropped.
    pub fn live(&self) -> usize {
        self.live.load(Ordering::Acquire)
    }
}

impl<P: Platform> Runtime for Counted<P> {
    fn now(&self) -> Instant {
        self.platform.now()
    }

    fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>> {
        self.platform.timer(at)
    }
}

impl<P: Platform> Platform for Counted<P> {
    fn spawn(&self, task: Task) {
        self.live.fetch_add(1, Ordering::Release);
        let place = Place(self.live.clone());
        self.platform.spawn(Box::pin(async move {
            task.await;
            drop(place);
        }));
    }
}

struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// What the process holds of the system.
#[derive(Clone, Copy, Debug)]
struct Holdings {
    descriptors: usize,
    threads: usize,
    children: usize,
}

/// How threads of runtimes are called. Others are those of the tests themselves.
const NAMES: [&str; 6] = ["tokio-", "smol-", "async-", "blocking-", "polling", "toy"];

impl Holdings {
    fn now() -> Self {
        let tasks = || fs::read_dir("/proc/self/task").expect("/proc").flatten();
        let read = |name: &'static str| {
            tasks().map(move |task| fs::read_to_string(task.path().join(name)).unwrap_or_default())
        };
        Self {
            descriptors: fs::read_dir("/proc/self/fd").expect("/proc").count(),
            threads: read("comm").filter(|name| NAMES.iter().any(|n| name.starts_with(n))).count(),
            children: read("children").map(|ids| ids.split_whitespace().count()).sum(),
        }
    }

    fn is_within(self, before: Self) -> bool {
        self.descriptors <= before.descriptors
            && self.threads <= before.threads
            && self.children <= before.children
    }
}

/// Has a fault happen once, to warm up, and five times more, after which nothing may be left: no task of the platform that
/// it is given, no descriptor, no thread, no child process.
///
/// Nothing else may run in this process meanwhile.
pub async fn leaves_nothing<H: Host>(mut fault: impl AsyncFnMut(&Counted<H::Platform>)) {
    let platform = Counted::new(H::platform());
    fault(&platform).await;
    until("no task is left of the first run", || platform.live() == 0).await;
    let before = Holdings::now();
    for _ in 0..5 {
        fault(&platform).await;
    }
    let mut now = Holdings::now();
    until("as much is held as before", || {
        now = Holdings::now();
        platform.live() == 0 && now.is_within(before)
    })
    .await;
}
