//! An adapter for byte streams on blocking threads, whole, to be copied: [`mcp_proto::net`] over [`reads`] and [`writes`].

use std::io::{self, Read, Write};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker, ready};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};
use std::{cell::RefCell, collections::BTreeMap};

use async_channel::{Receiver, Sender, bounded};
use futures_lite::Stream;
use mcp_proto::driver::{Runtime, Timer};
use mcp_proto::net::{Input, Output, Platform, Task};

/// The platform. Its clock starts at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Threads(pub Instant);

impl Runtime for Threads {
    fn now(&self) -> mcp_proto::Instant {
        self.0.elapsed().into()
    }
    fn timer(&self, at: mcp_proto::Instant) -> Pin<Box<dyn Timer>> {
        let at = self.0 + (at - mcp_proto::Instant::ZERO).min(Duration::from_secs(1 << 32)); // centuries
        Box::pin(std::future::poll_fn(move |cx| {
            if at <= Instant::now() {
                return Poll::Ready(());
            }
            let (task, waker) = (cx.waker().data().addr(), cx.waker().clone());
            ALARMS.with_borrow_mut(|all| {
                all.entry(task).and_modify(|it| it.0 = it.0.min(at)).or_insert((at, waker));
            });
            Poll::Pending
        }))
    }
}

impl Platform for Threads {
    fn spawn(&self, task: Task) {
        start(|| block_on(task));
    }
}

pub(crate) fn start(work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name("toy".to_owned()).spawn(work).expect("a thread");
}

thread_local! {
    /// When each task of this thread is woken to look at its timers: once, by the first of them.
    static ALARMS: RefCell<BTreeMap<usize, (Instant, Waker)>> = RefCell::default();
}

struct Wakeup(Thread, AtomicBool);

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.1.store(true, Ordering::Release);
        self.0.unpark();
    }
}

/// Runs a future to its end on this thread, which is parked until it is woken or a timer is due.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let (mut future, wakeup) = (pin!(future), Arc::new(Wakeup(thread::current(), false.into())));
    let waker = Waker::from(wakeup.clone());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        while !wakeup.1.swap(false, Ordering::Acquire) {
            let first = ALARMS.with_borrow(|all| all.iter().map(|(key, it)| (it.0, *key)).min());
            match first.map(|(at, key)| (at.saturating_duration_since(Instant::now()), key)) {
                None => thread::park(),
                Some((wait, _)) if !wait.is_zero() => thread::park_timeout(wait),
                Some((_, key)) => ALARMS.with_borrow_mut(|all| all.remove(&key)).unwrap().1.wake(),
            }
        }
    }
}

/// What a thread reads.
pub struct Reads {
    pieces: Pin<Box<Receiver<io::Result<Vec<u8>>>>>,
    rest: Vec<u8>,
    _end: Box<dyn Send>,
}

/// Reads on a thread. `end` is dropped with this, and has to end a read that blocks, as the shutdown of a socket does.
pub fn reads(mut reader: impl Read + Send + 'static, end: impl Send + 'static) -> Reads {
    let (pieces, read) = bounded(1);
    start(move || {
        let mut buf = vec![0; 16 << 10];
        while let read = reader.read(&mut buf)
            && !matches!(read, Ok(0))
            && pieces.send_blocking(read.map(|len| buf[..len].to_vec())).is_ok()
        {}
    });
    Reads { pieces: Box::pin(read), rest: Vec::new(), _end: Box::new(end) }
}

impl Input for Reads {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.rest.is_empty() {
            self.rest = ready!(self.pieces.as_mut().poll_next(cx)).transpose()?.unwrap_or_default();
        }
        let len = buf.len().min(self.rest.len());
        self.rest.drain(..len).zip(buf).for_each(|(from, to)| *to = from);
        Poll::Ready(Ok(len))
    }
}

/// What a thread writes.
pub struct Writes {
    pieces: Sender<Vec<u8>>,
    written: Pin<Box<Receiver<io::Result<()>>>>,
    is_busy: bool,
    _end: Box<dyn Send>,
}

/// Writes on a thread. `end` is dropped with this, and has to end a write that blocks.
pub fn writes(mut writer: impl Write + Send + 'static, end: impl Send + 'static) -> Writes {
    let ((pieces, queue), (ended, written)) = (bounded(1), bounded(1));
    let mut write = move |piece: Vec<u8>| writer.write_all(&piece).and_then(|()| writer.flush());
    start(move || {
        while let Ok(piece) = queue.recv_blocking()
            && ended.send_blocking(write(piece)).is_ok()
        {}
    });
    Writes { pieces, written: Box::pin(written), is_busy: false, _end: Box::new(end) }
}

impl Output for Writes {
    fn poll_write(&mut self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_flush(cx))?;
        self.is_busy = true;
        let taken = self.pieces.try_send(buf.to_vec()).map(|()| buf.len());
        Poll::Ready(taken.map_err(|_| io::ErrorKind::BrokenPipe.into()))
    }
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = self.is_busy.then(|| self.written.as_mut().poll_next(cx));
        let done = ready!(done.unwrap_or(Poll::Ready(Some(Ok(())))));
        self.is_busy = false;
        Poll::Ready(done.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into())))
    }
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}
