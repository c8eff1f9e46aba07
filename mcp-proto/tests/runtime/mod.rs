//! A hand-made runtime: a pipe of any capacity, a clock that jumps, an executor of one thread.
#![allow(dead_code, unreachable_pub)] // every test file uses its part

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use mcp_proto::driver::{self, Client, Runtime, Server, Timer, Transport};
use mcp_proto::{ClientConfig, Instant, Revision, ServerConfig};

pub fn progress(token: i64, value: f64) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":{token},\
         \"progress\":{value},\"message\":\"a message of some length, as people write them\"}}}}\n"
    )
}

pub fn result(id: i64) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":\"done\"}}]}}}}\n"
    )
}

pub fn modern_call(id: i64, n: u32) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"count\",\"arguments\":{{\"n\":{n}}},\
         \"_meta\":{{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\
         \"io.modelcontextprotocol/clientCapabilities\":{{}}}}}}}}\n"
    )
}

pub async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Tasks of one thread, polled only when they are woken, and a clock that stands still until it is told to jump.
pub struct World {
    pub clock: Clock,
    pub tasks: Vec<Task>,
}

pub struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    woken: Arc<Flag>,
}

#[derive(Clone, Default)]
pub struct Clock(pub Arc<AtomicU64>);

impl Runtime for Clock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>> {
        let clock = self.clone();
        Box::pin(std::future::poll_fn(move |cx| {
            if clock.now() >= at {
                return Poll::Ready(());
            }
            NEXT.with(|next| next.borrow_mut().push((at, cx.waker().clone())));
            Poll::Pending
        }))
    }

    fn seed(&self) -> Option<[u8; 24]> {
        // Different each time is all that a test needs.
        let n = SEEDS.fetch_add(1, Ordering::Relaxed).to_le_bytes();
        Some(core::array::from_fn(|at| n[at % n.len()]))
    }
}

static SEEDS: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// Timers that wait, and whom they wake. One that was dropped, or polled twice, stays until it is due.
    static NEXT: RefCell<Vec<(Instant, Waker)>> = const { RefCell::new(Vec::new()) };
}

pub struct Flag(pub AtomicU64);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl World {
    pub fn new() -> Self {
        NEXT.with(|next| next.borrow_mut().clear());
        Self { clock: Clock::default(), tasks: Vec::new() }
    }

    pub fn spawn(&mut self, task: impl Future<Output = ()> + 'static) {
        self.tasks.push(Task { future: Box::pin(task), woken: Arc::new(Flag(AtomicU64::new(1))) });
    }

    /// Polls tasks that were woken until there is none.
    pub fn settle(&mut self) {
        let mut is_settled = false;
        while !is_settled {
            is_settled = true;
            self.tasks.retain_mut(|task| {
                if task.woken.0.swap(0, Ordering::Relaxed) == 0 {
                    return true;
                }
                is_settled = false;
                let waker = Waker::from(task.woken.clone());
                task.future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending()
            });
        }
    }

    pub fn poll<F: Future + Unpin>(&mut self, future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    pub fn advance(&mut self, by: Duration) {
        self.jump(self.clock.now() + by);
        self.settle();
    }

    fn jump(&mut self, now: Instant) {
        self.clock.0.store(now.as_nanos(), Ordering::Relaxed);
        let due = NEXT.with(|next| {
            let mut next = next.borrow_mut();
            let (due, later) = next.drain(..).partition::<Vec<_>, _>(|(at, _)| *at <= now);
            *next = later;
            due
        });
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// Runs a future to its end; the clock jumps to the next timer when nothing else can go on.
    pub fn run<F: Future + 'static>(&mut self, future: F) -> F::Output
    where
        F::Output: 'static,
    {
        let slot = Rc::new(RefCell::new(None));
        let out = slot.clone();
        self.spawn(async move {
            let output = future.await;
            *out.borrow_mut() = Some(output);
        });
        loop {
            self.settle();
            if let Some(output) = slot.borrow_mut().take() {
                return output;
            }
            let next = NEXT.with(|next| next.borrow().iter().map(|(at, _)| *at).min());
            self.jump(next.expect("deadlock: nothing can go on and no timer is armed"));
        }
    }

    pub fn pair(&mut self, capacity: usize, revision: Revision) -> (Client, Server) {
        let (left, right) = pipe(capacity);
        let (client, driver) = driver::client(
            left,
            ClientConfig::new("test", "1").revisions(revision),
            self.clock.clone(),
        );
        self.spawn(async move { drop(driver.await) });
        let (server, driver) =
            driver::server(right, ServerConfig::new("test", "1"), self.clock.clone());
        self.spawn(async move { drop(driver.await) });
        (client, server)
    }

    /// A client that has shaken hands with a script; with no capacity, one that cannot even ask.
    pub fn client_of_script(&mut self, capacity: usize) -> (Client, Wire) {
        let (left, right) = pipe(capacity);
        let config = ClientConfig::new("test", "1").revisions(Revision::V2025_11_25);
        let (client, driver) = driver::client(left, config, self.clock.clone());
        self.spawn(async move { drop(driver.await) });
        let mut wire = Wire(right);
        self.settle();
        if capacity > 0 {
            assert!(wire.received().contains("initialize"));
            wire.send(
                "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\
                 \"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}\n",
            );
            self.settle();
        }
        (client, wire)
    }

    pub fn server_of_script(&mut self) -> (Server, Wire) {
        let (left, right) = pipe(1 << 20);
        let (server, driver) =
            driver::server(left, ServerConfig::new("test", "1"), self.clock.clone());
        self.spawn(async move { drop(driver.await) });
        (server, Wire(right))
    }
}

/// One end of a duplex pipe.
pub struct Pipe {
    reads: Half,
    writes: Half,
}

pub type Half = Arc<Mutex<Buffer>>;

#[derive(Default)]
pub struct Buffer {
    bytes: VecDeque<u8>,
    capacity: usize,
    ended: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

pub fn pipe(capacity: usize) -> (Pipe, Pipe) {
    let half = || Arc::new(Mutex::new(Buffer { capacity, ..Buffer::default() }));
    let (there, back) = (half(), half());
    (Pipe { reads: back.clone(), writes: there.clone() }, Pipe { reads: there, writes: back })
}

impl Transport for Pipe {
    type Error = &'static str;

    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<Result<usize, Self::Error>> {
        let mut half = self.reads.lock().unwrap();
        if half.bytes.is_empty() && !half.ended {
            half.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let length = buf.len().min(half.bytes.len());
        buf.iter_mut().zip(half.bytes.drain(..length)).for_each(|(to, from)| *to = from);
        half.writer.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(length))
    }

    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<Result<usize, Self::Error>> {
        let mut half = self.writes.lock().unwrap();
        let room = half.capacity.saturating_sub(half.bytes.len()).min(buf.len());
        if room == 0 {
            half.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        half.bytes.extend(&buf[..room]);
        half.reader.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(room))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        let mut half = self.writes.lock().unwrap();
        half.ended = true;
        half.reader.take().into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}

/// The test's own end of a pipe.
pub struct Wire(pub Pipe);

impl Wire {
    pub fn send(&mut self, text: &str) {
        let mut half = self.0.writes.lock().unwrap();
        half.bytes.extend(text.as_bytes());
        half.reader.take().into_iter().for_each(Waker::wake);
    }

    pub fn received(&mut self) -> String {
        let mut half = self.0.reads.lock().unwrap();
        half.writer.take().into_iter().for_each(Waker::wake);
        String::from_utf8(half.bytes.drain(..).collect()).unwrap()
    }

    pub fn unread(&self) -> usize {
        self.0.writes.lock().unwrap().bytes.len()
    }

    pub fn hang_up(&mut self) {
        let mut half = self.0.writes.lock().unwrap();
        half.ended = true;
        half.reader.take().into_iter().for_each(Waker::wake);
    }

    pub fn has_ended(&self) -> bool {
        self.0.reads.lock().unwrap().ended
    }
}

/// A transport of which one direction fails.
pub struct Failing {
    pub pipe: Pipe,
    pub fails: Fails,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fails {
    Read,
    Write,
    WriteNothing,
    Flush,
}

impl Transport for Failing {
    type Error = &'static str;

    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<Result<usize, Self::Error>> {
        if self.fails == Fails::Read {
            return Poll::Ready(Err("reset"));
        }
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }

    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<Result<usize, Self::Error>> {
        match self.fails {
            Fails::Write => Poll::Ready(Err("broken pipe")),
            Fails::WriteNothing => Poll::Ready(Ok(0)),
            _ => Pin::new(&mut self.pipe).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(if self.fails == Fails::Flush { Err("broken pipe") } else { Ok(()) })
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.pipe).poll_close(cx)
    }
}
