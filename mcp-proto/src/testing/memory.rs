//! A client on a router, in memory: no runtime, no thread, no sleep.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::fmt;
use core::future::Future;
use core::pin::{Pin, pin};
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use super::clock::Clock;
use super::pipe::pipe;
use crate::config::ClientConfig;
use crate::driver::{self, Client};
use crate::router::{Kind, Router};
use crate::time::Instant;

/// Connects a client to a router. Client, server and handlers run within [`Memory::run`], on a clock that
/// jumps to the next deadline whenever nothing else can go on.
///
/// ```
/// use mcp_proto::router::{Context, Router, ToolInfo};
/// use mcp_proto::{CallTool, Progress, RawJson, testing};
///
/// async fn resize(ctx: Context, _: Option<RawJson>) -> Result<String, mcp_proto::router::ToolError> {
///     ctx.progress().report(Progress::new(1.0).of(2.0).message("a.png"))?;
///     Ok("done".into())
/// }
///
/// let resizes = ToolInfo::new("resize").into_tool(RawJson::parse(r#"{"type": "object"}"#)?, None);
/// let mut memory = testing::connect(Router::new("images", "1.0").raw_tool(resizes, resize));
/// let mut seen = Vec::new();
/// let call = memory.client().call(CallTool::new("resize")).on_progress(|report| seen.push(report.progress));
/// let result = memory.run(call)?;
/// assert_eq!((seen, result.content[0].as_text()), (vec![1.0], Some("done")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn connect<K: Kind + ?Sized>(router: Router<K>) -> Memory {
    Memory::new(router, ClientConfig::new("test", "1"), Clock::new())
}

/// A client on a router, in memory. Made by [`connect`].
pub struct Memory {
    client: Client,
    clock: Clock,
    /// The driver of each side, and the router at work.
    tasks: [Option<Task>; 3],
    bell: Arc<Bell>,
}

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// Whether anything was woken.
struct Bell(AtomicBool);

/// Rounds in which the clock stands still. Two sides that go on for ever are a fault.
const MAX_ROUNDS: usize = 1 << 24;

impl Memory {
    /// Connects a client of that configuration, on a clock that handlers may share.
    pub fn new<K: Kind + ?Sized>(router: Router<K>, config: ClientConfig, clock: Clock) -> Self {
        let (near, far) = pipe();
        let (client, client_driver) = driver::client(near, config, clock.clone());
        let (server, server_driver) = driver::server(far, router.config(), clock.clone());
        let serving = router.serve(server);
        // Why each of them ends is the client's to tell.
        let tasks: [Task; 3] = [
            Box::pin(async move { drop(client_driver.await) }),
            Box::pin(async move { drop(server_driver.await) }),
            Box::pin(async move { drop(serving.await) }),
        ];
        let bell = Arc::new(Bell(AtomicBool::new(true)));
        Self { client, clock, tasks: tasks.map(Some), bell }
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The time at both sides.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Runs until `future` is ready, and gives its output. What else is under way stops there, and goes on
    /// with the next run.
    ///
    /// # Panics
    ///
    /// If `future` can never be ready: nothing can go on and no deadline is left.
    #[allow(clippy::panic)] // the verdict of a test tool
    pub fn run<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        self.bell.ring();
        loop {
            if let Some(output) = self.settle_beside(|cx| future.as_mut().poll(cx)) {
                return output;
            }
            if !self.clock.jump() {
                panic!(
                    "deadlock at {:?}: the future waits, nothing can go on, and no deadline is left; {} calls are in flight, {}",
                    self.now(),
                    self.client.calls_in_flight(),
                    if self.tasks.iter().all(Option::is_some) {
                        "the connection is open"
                    } else {
                        "the connection has ended"
                    },
                );
            }
        }
    }

    /// Runs until nothing can go on without time passing.
    pub fn settle(&mut self) {
        let never = self.settle_beside(|_| Poll::<()>::Pending);
        debug_assert!(never.is_none());
    }

    /// Lets so much time pass. Every deadline on the way has its own moment.
    pub fn advance(&mut self, time: Duration) {
        let until = self.now() + time;
        self.settle();
        while let Some(at) = self.clock.next_alarm().filter(|at| *at <= until) {
            self.clock.set(at);
            self.settle();
        }
        self.clock.set(until);
        self.settle();
    }

    /// Polls everything as long as anything was woken, or until `poll` is ready.
    #[allow(clippy::panic)] // the verdict of a test tool
    fn settle_beside<T>(&mut self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Option<T> {
        let waker = Waker::from(self.bell.clone());
        let mut cx = Context::from_waker(&waker);
        for _ in 0..MAX_ROUNDS {
            if !self.bell.0.swap(false, Ordering::AcqRel) {
                return None;
            }
            if let Poll::Ready(output) = poll(&mut cx) {
                self.bell.ring();
                return Some(output);
            }
            for task in &mut self.tasks {
                if task.as_mut().is_some_and(|running| running.as_mut().poll(&mut cx).is_ready()) {
                    *task = None;
                }
            }
        }
        panic!("client and server go on for ever at {:?}", self.now());
    }
}

impl Bell {
    fn ring(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("client", &self.client)
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}
