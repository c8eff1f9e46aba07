//! What the engine keeps, with an adapter that keeps nothing for a connection: for a pair that idles, and for a call that
//! waits. Prints JSON lines.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant as Clock;

use mcp_proto::role::{Client, Server};
use mcp_proto::{
    CallOptions, CallTool, CallToolResult, ClientConfig, Connection, Event, Instant, RequestId,
    Revision, ServerConfig, Ticket,
};

const PAIRS: usize = 1000;
const WAITING: usize = 100_000;
const NOW: Instant = Instant::ZERO;

struct Counted;

static LIVE: AtomicUsize = AtomicUsize::new(0);

#[allow(unsafe_code)]
// SAFETY: all is done by the system's allocator.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("idle") => idle(),
        Some("pending") => pending(),
        _ => panic!("usage: footprint-memory idle|pending"),
    }
}

fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    text.split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .map_or(0, |pages: usize| pages * 4096)
}

struct Pair {
    client: Connection<Client>,
    server: Connection<Server>,
    events: Vec<Event>,
}

impl Pair {
    /// Two that know each other.
    fn new(room: usize) -> Self {
        let mut config = ClientConfig::new("client", "1").revisions(Revision::V2025_11_25);
        config.limits.max_calls = config.limits.max_calls.max(room);
        let mut limits = ServerConfig::new("server", "1").limits;
        limits.max_requests = limits.max_requests.max(room);
        let server = Connection::server(ServerConfig::new("server", "1").limits(limits));
        let mut pair = Self { client: Connection::client(config, NOW), server, events: Vec::new() };
        pair.talk();
        assert!(pair.client.peer().is_some());
        pair.events = Vec::new();
        pair
    }

    /// Passes on what each side says, until neither has more to say. What they tell is kept in `events`.
    fn talk(&mut self) {
        loop {
            let mut is_quiet = true;
            while let Some(bytes) = self.client.poll_transmit() {
                let length = bytes.len();
                self.server.handle_input(bytes, NOW);
                self.client.advance_transmit(length);
                is_quiet = false;
            }
            self.events.extend(std::iter::from_fn(|| self.server.poll_event()));
            while let Some(bytes) = self.server.poll_transmit() {
                let length = bytes.len();
                self.client.handle_input(bytes, NOW);
                self.server.advance_transmit(length);
                is_quiet = false;
            }
            self.events.extend(std::iter::from_fn(|| self.client.poll_event()));
            if is_quiet {
                return;
            }
        }
    }

    /// Asks something. What both sides keep of it for themselves: a ticket and an id.
    fn ask(&mut self) -> (Ticket<CallTool>, RequestId) {
        let tool = CallTool::new("resize").argument("width", 800);
        let options = CallOptions::default().tracked();
        let ticket = self.client.request(&tool, options, NOW).expect("room");
        self.talk();
        let id = self.events.drain(..).find_map(|event| match event {
            Event::Request { id, .. } => Some(id),
            _ => None,
        });
        (ticket, id.expect("a request"))
    }

    fn answer(&mut self, id: &RequestId) {
        self.server.respond(id, &CallToolResult::text("done"), NOW).expect("a request that waits");
        self.talk();
        assert!(matches!(self.events[..], [Event::Response { .. }]));
        self.events.clear();
    }
}

fn idle() {
    drop(Pair::new(0));
    let mut pairs = Vec::with_capacity(PAIRS);
    let (heap, pages) = (LIVE.load(Relaxed), resident());
    pairs.extend((0..PAIRS).map(|_| Pair::new(0)));
    // What lies in the table itself counts as heap.
    let heap = (LIVE.load(Relaxed) - heap) / PAIRS + size_of::<Pair>();
    let pages = (resident() - pages) / PAIRS;
    println!("{{\"what\":\"idle pair\",\"heap\":{heap},\"resident\":{pages}}}");
}

/// The time of a call and its answer, the shortest of some hundreds.
fn time_of_call(pair: &mut Pair) -> f64 {
    let times = (0..500).map(|_| {
        let start = Clock::now();
        let (_, id) = pair.ask();
        pair.answer(&id);
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min)
}

fn pending() {
    let mut pair = Pair::new(2 * WAITING);
    let alone = time_of_call(&mut pair);
    let heap = LIVE.load(Relaxed);
    let mut waiting = Vec::with_capacity(WAITING);
    waiting.extend((0..WAITING).map(|_| pair.ask()));
    let heap = (LIVE.load(Relaxed) - heap) / WAITING;
    let ratio = time_of_call(&mut pair) / alone;
    println!("{{\"what\":\"pending request\",\"heap\":{heap},\"time\":{ratio:.2}}}");
    drop(waiting);
}
