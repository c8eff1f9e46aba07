//! Runtimes that are shut down while they are at work.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::Instant;
use std::{fmt, io};

use async_channel::{Receiver, Sender, bounded};
use futures_lite::future::or;
use mcp_proto::driver::{Runtime, Timer};
use mcp_proto::net::{Accept, Dial, Dialing, Platform, Resolving, Stream, Task};
use tokio::runtime::{self, Handle};

use crate::{Counted, hosts, threads, toy};

/// A runtime that ends when it is told to, whatever runs on it.
pub trait Doomed: Sized {
    /// Where its tasks run.
    type Platform: Platform + Clone;

    /// A runtime that has begun.
    fn begin() -> Self;

    /// Where its tasks run.
    fn platform(&self) -> Self::Platform;

    /// A socket as a stream of this runtime.
    fn stream(&self, socket: UnixStream) -> Stream;

    /// The connections of a socket that listens, as this runtime's.
    ///
    /// # Errors
    ///
    /// If it does not take it.
    fn accept(&self, socket: TcpListener) -> io::Result<Source>;

    /// Waits for a future on this thread, with what tasks of this runtime have around them.
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// Shuts it down. When this is done its tasks are dropped.
    fn end(self);
}

/// The same with its tasks counted: none may live when it has ended.
#[derive(Debug)]
pub struct Accounted<D: Doomed> {
    doomed: D,
    platform: Counted<D::Platform>,
}

impl<D: Doomed> Doomed for Accounted<D> {
    type Platform = Counted<D::Platform>;

    fn begin() -> Self {
        let doomed = D::begin();
        let platform = Counted::new(doomed.platform());
        Self { doomed, platform }
    }

    fn platform(&self) -> Self::Platform {
        self.platform.clone()
    }

    fn stream(&self, socket: UnixStream) -> Stream {
        self.doomed.stream(socket)
    }

    fn accept(&self, socket: TcpListener) -> io::Result<Source> {
        self.doomed.accept(socket)
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.doomed.block_on(future)
    }

    fn end(self) {
        self.doomed.end();
        // A task that was woken on another thread meanwhile may only be on its way out.
        let began = std::time::Instant::now();
        while self.platform.live() > 0 {
            assert!(began.elapsed().as_secs() < 20, "tasks outlive their runtime");
            std::thread::yield_now();
        }
    }
}

/// Connections of whichever socket listens.
pub struct Source(Box<dyn Accept>);

impl Source {
    pub(crate) fn new(source: impl Accept + 'static) -> Self {
        Self(Box::new(source))
    }
}

impl Accept for Source {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        self.0.poll_accept(cx)
    }
}

/// What an adapter offers, but for tasks: those run on a runtime that others may end.
#[derive(Clone)]
pub struct Elsewhere<P> {
    platform: P,
    spawn: Arc<dyn Fn(Task) + Send + Sync>,
}

impl<P> Elsewhere<P> {
    fn new(platform: P, spawn: impl Fn(Task) + Send + Sync + 'static) -> Self {
        Self { platform, spawn: Arc::new(spawn) }
    }
}

impl<P> fmt::Debug for Elsewhere<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere").finish_non_exhaustive()
    }
}

impl<P: Runtime> Runtime for Elsewhere<P> {
    fn now(&self) -> mcp_proto::Instant {
        self.platform.now()
    }

    fn timer(&self, at: mcp_proto::Instant) -> Pin<Box<dyn Timer>> {
        self.platform.timer(at)
    }

    fn seed(&self) -> Option<[u8; 24]> {
        self.platform.seed()
    }
}

impl<P: Runtime> Platform for Elsewhere<P> {
    fn spawn(&self, task: Task) {
        (self.spawn)(task);
    }
}

impl<P: Dial> Dial for Elsewhere<P> {
    fn resolve(&self, host: &str, port: u16) -> Resolving {
        self.platform.resolve(host, port)
    }

    fn dial(&self, address: SocketAddr) -> Dialing {
        self.platform.dial(address)
    }
}

fn on_tokio(runtime: &Handle) -> Elsewhere<mcp_tokio::Tokio> {
    let runtime = runtime.clone();
    Elsewhere::new(mcp_tokio::Tokio::new(), move |task| drop(runtime.spawn(task)))
}

/// Tokio's runtime with a worker for each processor, dropped.
#[derive(Debug)]
pub struct TokioMultiThread(runtime::Runtime);

impl Doomed for TokioMultiThread {
    type Platform = Elsewhere<mcp_tokio::Tokio>;

    fn begin() -> Self {
        Self(runtime::Runtime::new().expect("a runtime"))
    }

    fn platform(&self) -> Self::Platform {
        on_tokio(self.0.handle())
    }

    fn stream(&self, socket: UnixStream) -> Stream {
        let _entered = self.0.enter();
        hosts::tokio_stream(socket)
    }

    fn accept(&self, socket: TcpListener) -> io::Result<Source> {
        let _entered = self.0.enter();
        hosts::tokio_accept(socket)
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn end(self) {
        drop(self.0);
    }
}

/// Tokio's runtime of one thread, which runs its tasks until it is told to stop, and then drops it.
#[derive(Debug)]
pub struct TokioCurrentThread {
    runtime: Handle,
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Doomed for TokioCurrentThread {
    type Platform = Elsewhere<mcp_tokio::Tokio>;

    fn begin() -> Self {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (handle, (stop, stopped)) = (runtime.handle().clone(), bounded::<()>(1));
        let thread = thread::spawn(move || {
            let _ = runtime.block_on(stopped.recv());
        });
        Self { runtime: handle, stop, thread }
    }

    fn platform(&self) -> Self::Platform {
        on_tokio(&self.runtime)
    }

    fn stream(&self, socket: UnixStream) -> Stream {
        let _entered = self.runtime.enter();
        hosts::tokio_stream(socket)
    }

    fn accept(&self, socket: TcpListener) -> io::Result<Source> {
        let _entered = self.runtime.enter();
        hosts::tokio_accept(socket)
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    fn end(self) {
        drop(self.stop);
        self.thread.join().expect("no panic");
    }
}

/// An executor of smol's with a thread of its own, both ended.
#[derive(Debug)]
pub struct Smol {
    executor: Arc<smol::Executor<'static>>,
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Doomed for Smol {
    type Platform = Elsewhere<mcp_smol::Smol>;

    fn begin() -> Self {
        let executor = Arc::new(smol::Executor::new());
        let (stop, stopped) = bounded::<()>(1);
        let runs = executor.clone();
        let thread = thread::spawn(move || {
            smol::block_on(runs.run(async {
                let _ = stopped.recv().await;
            }));
        });
        Self { executor, stop, thread }
    }

    fn platform(&self) -> Self::Platform {
        let executor = Arc::downgrade(&self.executor);
        Elsewhere::new(mcp_smol::Smol::new(), move |task| {
            if let Some(executor) = executor.upgrade() {
                executor.spawn(task).detach();
            }
        })
    }

    fn stream(&self, socket: UnixStream) -> Stream {
        hosts::smol_stream(socket)
    }

    fn accept(&self, socket: TcpListener) -> io::Result<Source> {
        hosts::smol_accept(socket)
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        smol::block_on(future)
    }

    fn end(self) {
        drop(self.stop);
        self.thread.join().expect("no panic");
        drop(self.executor);
    }
}

/// Tasks of async-std, which has no shutdown: they are cancelled one by one.
#[derive(Debug)]
pub struct AsyncStd(Arc<Mutex<Vec<async_std::task::JoinHandle<()>>>>);

impl Doomed for AsyncStd {
    type Platform = Elsewhere<mcp_async_std::AsyncStd>;

    fn begin() -> Self {
        Self(Arc::default())
    }

    fn platform(&self) -> Self::Platform {
        let tasks = self.0.clone();
        Elsewhere::new(mcp_async_std::AsyncStd::new(), move |task| {
            tasks.lock().expect("no panic").push(async_std::task::spawn(task));
        })
    }

    fn stream(&self, socket: UnixStream) -> Stream {
        hosts::async_std_stream(socket)
    }

    fn accept(&self, socket: TcpListener) -> io::Result<Source> {
        hosts::smol_accept(socket)
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        async_std::task::block_on(future)
    }

    fn end(self) {
        loop {
            let tasks = std::mem::take(&mut *self.0.lock().expect("no panic"));
            if tasks.is_empty() {
                return;
            }
            async_std::task::block_on(async {
                for task in tasks {
                    task.cancel().await;
                }
            });
        }
    }
}

/// Threads that leave their tasks when they are told to, and are waited for.
#[derive(Clone, Debug)]
pub struct Threads {
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
    stop: Sender<()>,
    stopped: Receiver<()>,
    clock: toy::Threads,
}

impl Runtime for Threads {
    fn now(&self) -> mcp_proto::Instant {
        self.clock.now()
    }

    fn timer(&self, at: mcp_proto::Instant) -> Pin<Box<dyn Timer>> {
        self.clock.timer(at)
    }
}

impl Platform for Threads {
    fn spawn(&self, task: Task) {
        let stopped = self.stopped.clone();
        let work = move || {
            toy::block_on(or(task, async {
                let _ = stopped.recv().await;
            }))
        };
        self.tasks.lock().expect("no panic").push(thread::spawn(work));
    }
}

impl Doomed for Threads {
    type Platform = Self;

    fn begin() -> Self {
        let (stop, stopped) = bounded(1);
        Self { tasks: Arc::default(), stop, stopped, clock: toy::Threads(Instant::now()) }
    }

    fn platform(&self) -> Self {
        self.clone()
    }

    fn stream(&self, socket: UnixStream) -> Stream {
        threads::stream(socket)
    }

    fn accept(&self, socket: TcpListener) -> io::Result<Source> {
        Ok(Source::new(threads::tcp::accepting(socket)?))
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        toy::block_on(future)
    }

    fn end(self) {
        self.stop.close();
        loop {
            let tasks = std::mem::take(&mut *self.tasks.lock().expect("no panic"));
            if tasks.is_empty() {
                return;
            }
            for task in tasks {
                task.join().expect("no panic");
            }
        }
    }
}
