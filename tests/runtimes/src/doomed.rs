//! Runtimes that are shut down while they are at work.

use std::future::Future;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::process::Command;
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use async_channel::{Receiver, Sender, bounded};
use futures_lite::future::or;
use mcp_proto::driver::{Runtime, Timer};
use mcp_proto::net::child::Spawn;
use mcp_proto::net::{Platform, Stream, Task};

use crate::{hosts, threads, toy};

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

    /// A child process whose tasks are this runtime's.
    fn spawn(&self, command: Command) -> Spawn;

    /// Waits for a future on this thread, with what tasks of this runtime have around them.
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// Shuts it down. When this is done its tasks are dropped.
    fn end(self);
}

/// Tokio's runtime, dropped.
#[derive(Debug)]
pub struct Tokio(tokio::runtime::Runtime);

/// Spawns on a runtime of Tokio's from outside of it.
#[derive(Clone, Debug)]
pub struct Outside(tokio::runtime::Handle, mcp_tokio::Tokio);

impl Runtime for Outside {
    fn now(&self) -> mcp_proto::Instant {
        self.1.now()
    }

    fn timer(&self, at: mcp_proto::Instant) -> Pin<Box<dyn Timer>> {
        self.1.timer(at)
    }
}

impl Platform for Outside {
    fn spawn(&self, task: Task) {
        self.0.spawn(task);
    }
}

impl Doomed for Tokio {
    type Platform = Outside;

    fn begin() -> Self {
        Self(tokio::runtime::Runtime::new().expect("a runtime"))
    }

    fn platform(&self) -> Outside {
        Outside(self.0.handle().clone(), mcp_tokio::Tokio::new())
    }

    fn stream(&self, socket: UnixStream) -> Stream {
        let _entered = self.0.enter();
        hosts::tokio_stream(socket)
    }

    fn spawn(&self, command: Command) -> Spawn {
        mcp_tokio::spawn(command)
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn end(self) {
        drop(self.0);
    }
}

/// An executor of smol's with a thread of its own, both ended.
#[derive(Debug)]
pub struct Smol {
    executor: Arc<smol::Executor<'static>>,
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// Spawns on an executor that others may drop.
#[derive(Clone, Debug)]
pub struct Borrowed(Weak<smol::Executor<'static>>, mcp_smol::Smol);

impl Runtime for Borrowed {
    fn now(&self) -> mcp_proto::Instant {
        self.1.now()
    }

    fn timer(&self, at: mcp_proto::Instant) -> Pin<Box<dyn Timer>> {
        self.1.timer(at)
    }
}

impl Platform for Borrowed {
    fn spawn(&self, task: Task) {
        if let Some(executor) = self.0.upgrade() {
            executor.spawn(task).detach();
        }
    }
}

impl Doomed for Smol {
    type Platform = Borrowed;

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

    fn platform(&self) -> Borrowed {
        Borrowed(Arc::downgrade(&self.executor), mcp_smol::Smol::new())
    }

    fn stream(&self, socket: UnixStream) -> Stream {
        hosts::smol_stream(socket)
    }

    fn spawn(&self, command: Command) -> Spawn {
        mcp_smol::parts::spawn(command, self.platform())
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
#[derive(Clone, Debug)]
pub struct AsyncStd(Arc<Mutex<Vec<async_std::task::JoinHandle<()>>>>, mcp_async_std::AsyncStd);

impl Runtime for AsyncStd {
    fn now(&self) -> mcp_proto::Instant {
        self.1.now()
    }

    fn timer(&self, at: mcp_proto::Instant) -> Pin<Box<dyn Timer>> {
        self.1.timer(at)
    }
}

impl Platform for AsyncStd {
    fn spawn(&self, task: Task) {
        self.0.lock().expect("no panic").push(async_std::task::spawn(task));
    }
}

impl Doomed for AsyncStd {
    type Platform = Self;

    fn begin() -> Self {
        Self(Arc::default(), mcp_async_std::AsyncStd::new())
    }

    fn platform(&self) -> Self {
        self.clone()
    }

    fn stream(&self, socket: UnixStream) -> Stream {
        hosts::async_std_stream(socket)
    }

    fn spawn(&self, command: Command) -> Spawn {
        mcp_smol::parts::spawn(command, self.clone())
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        async_std::task::block_on(future)
    }

    fn end(self) {
        let tasks = std::mem::take(&mut *self.0.lock().expect("no panic"));
        async_std::task::block_on(async {
            for task in tasks {
                task.cancel().await;
            }
        });
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

    fn spawn(&self, command: Command) -> Spawn {
        threads::spawn_on(command, self.clone())
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        toy::block_on(future)
    }

    fn end(self) {
        self.stop.close();
        let tasks = std::mem::take(&mut *self.tasks.lock().expect("no panic"));
        for task in tasks {
            task.join().expect("no panic");
        }
    }
}
