//! Waiting: for what comes, and not for ever.

use std::fmt::Display;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use futures_lite::future::{or, yield_now};
use mcp_proto::driver::Runtime;

use crate::Host;

/// How long anything may take, also where many processes are started on a busy machine. What hangs, fails.
const PATIENCE: Duration = Duration::from_secs(180);

/// Waits for a time of the host's.
async fn sleep<H: Host>(time: Duration) {
    let platform = H::platform();
    platform.timer(platform.now() + time).await;
}

/// What a future yields, which must not take long.
pub async fn soon<H: Host, T>(future: impl Future<Output = T>) -> T {
    let output = or(async { Some(future.await) }, async {
        sleep::<H>(PATIENCE).await;
        None
    });
    output.await.expect("it hangs")
}

/// Waits for what nobody tells of. What is told of it if it does not come is made then.
pub async fn until<T: Display>(what: impl Fn() -> T, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE / 4, "still not so: {}", what());
        yield_now().await;
    }
}

/// What work yields that blocks, on a thread of its own.
pub async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let (yields, yielded) = async_channel::bounded(1);
    std::thread::spawn(move || yields.try_send(work()));
    yielded.recv().await.expect("it panics")
}

/// Ready when nobody has had anything to do for a while.
pub async fn idle() {
    for _ in 0..10_000 {
        yield_now().await;
    }
}

/// What becomes of work that so many threads do at once; each is told which it is.
pub async fn at_once<T: Send + 'static>(
    threads: usize,
    work: impl Fn(usize) -> T + Clone + Send + 'static,
) -> Vec<T> {
    let barrier = Arc::new(Barrier::new(threads));
    let begin = |at| {
        let (work, barrier) = (work.clone(), barrier.clone());
        std::thread::spawn(move || {
            barrier.wait();
            work(at)
        })
    };
    let threads: Vec<_> = (0..threads).map(begin).collect();
    apart(|| threads.into_iter().map(|thread| thread.join().expect("it panics")).collect()).await
}
