//! What every model is made of: threads that poll one future each, a peer, a clock that stands still.

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant as Stopwatch};

use loom::sync::Notify;
use loom::thread::{self, JoinHandle, ThreadId};
use mcp_proto::driver::{self, Call, Client, Driver, Runtime, Server, Timer, Transport};
use mcp_proto::types::CallToolResult;
use mcp_proto::{CallTool, ClientConfig, CloseReason, Instant, Revision, ServerConfig, role};

/// Words of stack; loom's own 4,096 are too few for the engine in a build with debug assertions.
const STACK: usize = 32 << 10;

/// Points at which an execution may branch; more is taken for an endless loop.
const MAX_BRANCHES: usize = 20_000;

/// Polls of one future in one execution. A future that is woken without end is found by it.
const MAX_POLLS: usize = 100;

/// Runs `model` in every interleaving of its threads, and prints how many there are.
pub fn every_interleaving(model: impl Fn() + Send + Sync + 'static) {
    check(None, model);
}

/// Runs `model` in every interleaving in which threads are interrupted at most so often where they could go on.
/// For three threads and more: without a bound there are too many.
pub fn interruptions(at_most: usize, model: impl Fn() + Send + Sync + 'static) {
    check(Some(at_most), model);
}

fn check(interruptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = MAX_BRANCHES;
    // LOOM_MAX_PREEMPTIONS, which loom has read, goes before.
    builder.preemption_bound = builder.preemption_bound.or(interruptions);
    let bound = builder.preemption_bound;
    let executions = Arc::new(AtomicUsize::new(0));
    let counter = executions.clone();
    let model = Arc::new(model);
    let began = Stopwatch::now();
    builder.check(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        let model = model.clone();
        spawn(move || model()).join().unwrap();
    });
    let bound = match bound {
        Some(at_most) => format!("{at_most} interruptions"),
        None => "exhaustive".into(),
    };
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default().to_owned();
    let executions = executions.load(Ordering::Relaxed);
    println!("{name:72} {executions:>9} {bound:>16} {:>6.1} s", began.elapsed().as_secs_f64());
    assert!(executions > 1, "nothing was interleaved");
}

pub fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    thread::Builder::new().stack_size(STACK).spawn(run).unwrap()
}

/// What wakes a thread that polls a future, once without reason in each execution too.
struct Bell {
    notify: Notify,
    owner: ThreadId,
    is_polling: AtomicBool,
    /// Polls that woke themselves.
    own: AtomicUsize,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let is_own =
            self.is_polling.load(Ordering::Relaxed) && thread::current().id() == self.owner;
        if !BY_PEER.take() && is_own {
            self.own.fetch_add(1, Ordering::Relaxed);
        }
        self.notify.notify();
    }
}

std::thread_local! {
    /// The next wake-up is the peer's, who answers while it is written to. Loom's threads all run in one.
    static BY_PEER: Cell<bool> = const { Cell::new(false) };
}

/// Polls `future` until it is ready. A wake-up that is lost ends in loom's report of a deadlock.
pub fn block_on<F: Future>(future: F) -> F::Output {
    polled(future).0
}

/// The same of a future that wakes itself for the exchanges that it opens, which is looked at again in the same poll.
pub fn block_on_busy<F: Future>(future: F) -> F::Output {
    polled_at_most(future, MAX_POLLS).0
}

/// The same, and how often it was polled.
pub fn polled<F: Future>(future: F) -> (F::Output, usize) {
    // A listener that changes something in the driver's own task wakes it, and nothing else does.
    polled_at_most(future, 1)
}

fn polled_at_most<F: Future>(future: F, own: usize) -> (F::Output, usize) {
    let mut future = pin!(future);
    let bell = Arc::new(Bell {
        notify: Notify::new(),
        owner: thread::current().id(),
        is_polling: AtomicBool::new(false),
        own: AtomicUsize::new(0),
    });
    let waker = Waker::from(bell.clone());
    for polls in 1..=MAX_POLLS {
        bell.is_polling.store(true, Ordering::Relaxed);
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        bell.is_polling.store(false, Ordering::Relaxed);
        match polled {
            Poll::Ready(output) => {
                assert!(bell.own.load(Ordering::Relaxed) <= own, "a busy loop");
                return (output, polls);
            }
            Poll::Pending => bell.notify.wait(),
        }
    }
    panic!("woken without end");
}

/// Polls as often as it takes to meet a peer who answers at once.
pub fn settle<R: role::Role>(driver: &mut Driver<R, Peer>) {
    for _ in 0..3 {
        assert!(poll_once(driver).is_pending());
    }
}

/// Polls once, for nobody.
pub fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// A clock that stands still.
#[derive(Clone)]
pub struct Still;

impl Runtime for Still {
    fn now(&self) -> Instant {
        Instant::ZERO
    }

    fn timer(&self, _: Instant) -> Pin<Box<dyn Timer>> {
        let never: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(std::future::pending());
        Box::pin(never)
    }
}

/// A clock that another thread moves.
#[derive(Clone)]
pub struct Clock(Arc<loom::sync::Mutex<Face>>);

#[derive(Default)]
struct Face {
    now: Instant,
    timers: Vec<(Instant, Waker)>,
}

impl Clock {
    pub fn new() -> Self {
        Self(Arc::new(loom::sync::Mutex::new(Face::default())))
    }

    /// Lets so much time pass, and wakes whose time has come.
    pub fn advance(&self, by: Duration) {
        let mut face = self.0.lock().unwrap();
        face.now = face.now + by;
        let now = face.now;
        let (due, later) = face.timers.drain(..).partition(|(at, _)| *at <= now);
        let due: Vec<(Instant, Waker)> = due;
        face.timers = later;
        drop(face);
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl Runtime for Clock {
    fn now(&self) -> Instant {
        self.0.lock().unwrap().now
    }

    fn timer(&self, at: Instant) -> Pin<Box<dyn Timer>> {
        let clock = self.clone();
        Box::pin(poll_fn(move |cx| {
            let mut face = clock.0.lock().unwrap();
            if face.now >= at {
                return Poll::Ready(());
            }
            face.timers.push((at, cx.waker().clone()));
            Poll::Pending
        }))
    }
}

/// What a peer answers to one line.
type Script = fn(&str) -> Vec<String>;

/// The transport. Its peer answers by a script, at once and in the driver's own thread, so that it adds no
/// interleaving; what comes by itself comes through a [`Wire`].
pub struct Peer {
    script: Script,
    heard: Heard,
    partial: Vec<u8>,
    answers: VecDeque<String>,
    reader: Option<Waker>,
    wire: Option<Wire>,
    gate: Option<Gate>,
}

/// Whether the peer takes what is written, as another thread says.
#[derive(Clone)]
pub struct Gate(Arc<loom::sync::Mutex<Output>>);

#[derive(Default)]
struct Output {
    state: Writing,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Default)]
enum Writing {
    #[default]
    Open,
    Blocked,
    Broken,
}

/// Writing has failed.
#[derive(Debug)]
pub struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("writing has failed")
    }
}

impl Gate {
    pub fn new() -> Self {
        Self(Arc::new(loom::sync::Mutex::new(Output::default())))
    }

    pub fn open(&self) {
        self.change(Writing::Open);
    }

    pub fn block(&self) {
        self.change(Writing::Blocked);
    }

    pub fn fail(&self) {
        self.change(Writing::Broken);
    }

    fn change(&self, state: Writing) {
        let mut output = self.0.lock().unwrap();
        output.state = state;
        let writer = output.writer.take();
        drop(output);
        writer.into_iter().for_each(Waker::wake);
    }
}

/// The lines that the peer has got.
#[derive(Clone, Default)]
pub struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// How many lines hold `text`.
    pub fn count(&self, text: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(text)).count()
    }
}

/// Input that comes from another thread.
#[derive(Clone)]
pub struct Wire(Arc<loom::sync::Mutex<Inbox>>);

#[derive(Default)]
struct Inbox {
    chunks: VecDeque<String>,
    has_ended: bool,
    reader: Option<Waker>,
}

impl Wire {
    pub fn new() -> Self {
        Self(Arc::new(loom::sync::Mutex::new(Inbox::default())))
    }

    pub fn send(&self, text: impl Into<String>) {
        self.change(|inbox| inbox.chunks.push_back(text.into()));
    }

    /// Wakes the reader for nothing.
    pub fn knock(&self) {
        self.change(|_| {});
    }

    pub fn hang_up(&self) {
        self.change(|inbox| inbox.has_ended = true);
    }

    /// The next chunk; none at the end.
    pub fn poll_chunk(&self, cx: &mut Context<'_>) -> Poll<Option<String>> {
        let mut inbox = self.0.lock().unwrap();
        let chunk = inbox.chunks.pop_front();
        if chunk.is_some() || inbox.has_ended {
            return Poll::Ready(chunk);
        }
        inbox.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn change(&self, change: impl FnOnce(&mut Inbox)) {
        let mut inbox = self.0.lock().unwrap();
        change(&mut inbox);
        let reader = inbox.reader.take();
        drop(inbox);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Peer {
    pub fn new(script: Script) -> Self {
        Self {
            script,
            heard: Heard::default(),
            partial: Vec::new(),
            answers: VecDeque::new(),
            reader: None,
            wire: None,
            gate: None,
        }
    }

    pub fn gate(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    pub fn wire(mut self, wire: &Wire) -> Self {
        self.wire = Some(wire.clone());
        self
    }

    pub fn heard(&self) -> Heard {
        self.heard.clone()
    }
}

impl Transport for Peer {
    type Error = Broken;

    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<Result<usize, Broken>> {
        let mut chunk = self.answers.pop_front();
        if chunk.is_none()
            && let Some(wire) = &self.wire
        {
            let mut inbox = wire.0.lock().unwrap();
            chunk = inbox.chunks.pop_front();
            if chunk.is_none() && inbox.has_ended {
                return Poll::Ready(Ok(0));
            }
            inbox.reader = Some(cx.waker().clone());
        }
        let Some(mut chunk) = chunk else {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        if chunk.len() > into.len() {
            self.answers.push_front(chunk.split_off(into.len()));
        }
        into[..chunk.len()].copy_from_slice(chunk.as_bytes());
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<Result<usize, Broken>> {
        let this = &mut *self;
        if let Some(gate) = &this.gate {
            let mut output = gate.0.lock().unwrap();
            match output.state {
                Writing::Open => {}
                Writing::Blocked => {
                    output.writer = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                Writing::Broken => return Poll::Ready(Err(Broken)),
            }
        }
        this.partial.extend(from);
        while let Some(end) = this.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = this.partial.drain(..=end).collect();
            let line = String::from_utf8(line).unwrap();
            this.answers.extend((this.script)(&line));
            this.heard.0.lock().unwrap().push(line);
        }
        if !this.answers.is_empty()
            && let Some(reader) = this.reader.take()
        {
            BY_PEER.set(true);
            reader.wake();
            BY_PEER.set(false);
        }
        Poll::Ready(Ok(from.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        assert!(self.partial.is_empty(), "the output ends within a frame");
        Poll::Ready(Ok(()))
    }
}

pub type ClientDriver = Driver<role::Client, Peer>;
pub type ServerDriver = Driver<role::Server, Peer>;

/// A client that has not begun to shake hands.
pub fn new_client(peer: Peer) -> (Client, ClientDriver) {
    new_client_by(peer, Still)
}

fn new_client_by(peer: Peer, clock: impl Runtime) -> (Client, ClientDriver) {
    let config = ClientConfig::new("c", "1").revisions(Revision::V2025_11_25);
    driver::client(peer, config, clock)
}

/// A client that has shaken hands.
pub fn client(peer: Peer) -> (Client, ClientDriver) {
    client_by(peer, Still)
}

/// The same, whose time is another clock's.
pub fn client_by(peer: Peer, clock: impl Runtime) -> (Client, ClientDriver) {
    let (client, mut driver) = new_client_by(peer, clock);
    settle(&mut driver);
    assert!(client.peer().is_some());
    (client, driver)
}

/// A server whose client has shaken hands.
pub fn server(mut peer: Peer) -> (Server, ServerDriver) {
    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
    let initialized = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    peer.answers.push_front(format!("{initialize}\n{initialized}\n"));
    let (server, mut driver) = driver::server(peer, ServerConfig::new("s", "1"), Still);
    settle(&mut driver);
    assert!(server.peer().is_some());
    (server, driver)
}

/// Runs a driver in a thread of its own until it ends.
pub fn run<R: role::Role + 'static>(driver: Driver<R, Peer>) -> JoinHandle<CloseReason>
where
    Driver<R, Peer>: Send,
{
    spawn(move || block_on(driver))
}

pub fn call(client: &Client) -> Call<CallToolResult> {
    client.call(CallTool::new("t"))
}

/// The id of the request in a line.
pub fn id(line: &str) -> i64 {
    let message: serde_json::Value = serde_json::from_str(line).unwrap();
    message["id"].as_i64().unwrap()
}

pub fn is_call(line: &str) -> bool {
    line.contains("tools/call")
}

/// Shakes hands and answers no call.
pub fn silent(line: &str) -> Vec<String> {
    if line.contains("\"initialize\"") { vec![HELLO.into()] } else { Vec::new() }
}

/// Answers each call with its own id as text.
pub fn echo(line: &str) -> Vec<String> {
    if is_call(line) { vec![result(id(line))] } else { silent(line) }
}

const HELLO: &str = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}\n";

pub fn result(id: i64) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{\"content\":[{{\"type\":\"text\",\"text\":\"{id}\"}}]}}}}\n"
    )
}

pub fn progress(token: i64, value: usize) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":{token},\"progress\":{value}}}}}\n"
    )
}

pub fn notification(method: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"method\":\"{method}\"}}\n")
}

/// A call that a client sends, with its id as progress token.
pub fn request(id: i64) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"t\",\"_meta\":{{\"progressToken\":{id}}}}}}}\n"
    )
}

pub fn cancellation(id: i64) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{{\"requestId\":{id}}}}}\n"
    )
}
