//! What is left behind, counted: tasks, descriptors, threads, child processes.

use std::fs;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mcp_proto::Instant;
use mcp_proto::driver::{Runtime, Timer};
use mcp_proto::net::{Dial, Dialing, Platform, Resolving, Task};

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

    fn seed(&self) -> Option<[u8; 24]> {
        self.platform.seed()
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

impl<P: Dial> Dial for Counted<P> {
    fn resolve(&self, host: &str, port: u16) -> Resolving {
        self.platform.resolve(host, port)
    }

    fn dial(&self, address: SocketAddr) -> Dialing {
        self.platform.dial(address)
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

    /// Whether it is no more than before, but for so many threads.
    fn is_within(self, before: Self, late: usize) -> bool {
        self.descriptors <= before.descriptors
            && self.threads <= before.threads + late
            && self.children <= before.children
    }
}

/// How often a fault happens while it is counted.
const REPETITIONS: usize = 5;

/// Has a fault happen once, to warm up, and five times more, after which nothing may be left: no task of the platform that
/// it is given, no descriptor, no thread, no child process.
///
/// Nothing else may run in this process meanwhile.
pub async fn leaves_nothing<H: Host>(mut fault: impl AsyncFnMut(&Counted<H::Platform>)) {
    let platform = Counted::new(H::platform());
    fault(&platform).await;
    until(|| "no task is left of the first run", || platform.live() == 0).await;
    let before = Holdings::now();
    for _ in 0..REPETITIONS {
        fault(&platform).await;
    }
    // Threads of a pool may begin late. One that is left each time would be one more than these.
    let late = REPETITIONS - 1;
    let is_so = || platform.live() == 0 && Holdings::now().is_within(before, late);
    let left = || format!("{} tasks, {:?}, before {before:?}", platform.live(), Holdings::now());
    until(left, is_so).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::process::Command;
    use std::sync::mpsc::channel;

    #[test]
    fn what_is_held_is_seen() {
        let before = Holdings::now();
        assert!(Holdings::now().is_within(before, 0));
        let file = File::open("/dev/null").unwrap();
        assert!(!Holdings::now().is_within(before, 0));
        drop(file);
        assert!(Holdings::now().is_within(before, 0));

        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        assert!(!Holdings::now().is_within(before, 0));
        child.kill().unwrap();
        assert!(!Holdings::now().is_within(before, 0), "a zombie is one too");
        child.wait().unwrap();

        let ((begins, begun), (stop, stopped)) = (channel(), channel::<()>());
        crate::toy::start(move || {
            begins.send(()).unwrap();
            let _ = stopped.recv();
        });
        begun.recv().unwrap();
        assert!(!Holdings::now().is_within(before, 0));
        drop(stop);

        let counted = Counted::new(crate::toy::Threads(std::time::Instant::now()));
        let task = crate::spawn(&counted, async {});
        crate::toy::block_on(task.join());
        let _pending = crate::spawn(&counted, std::future::pending::<()>());
        crate::toy::block_on(until(|| "one is left", || counted.live() == 1));
    }
}
