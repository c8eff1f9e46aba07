//! Proof that the engine needs no standard library: a server on a heap of 64 KiB that answers one
//! `tools/call` with progress, with an allocator and a panic handler of its own.
//!
//! It exits with 0 if the client would have seen two reports and then the result; any other code says
//! which step failed.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicUsize, Ordering};

use mcp_proto::progress::Weight;
use mcp_proto::{CallToolResult, Connection, Event, Instant, Progress, Revision, ServerConfig};

const HEAP: usize = 64 << 10;

/// Hands memory out once and never takes it back, but for the last block: all that one request needs.
struct Bump {
    memory: UnsafeCell<[u8; HEAP]>,
    used: AtomicUsize,
}

#[allow(unsafe_code)] // one thread, and every block is handed out once
unsafe impl Sync for Bump {}

#[allow(unsafe_code)] // an allocator cannot be written without
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = self.memory.get() as usize;
        let start = (base + self.used.load(Ordering::Relaxed)).next_multiple_of(layout.align());
        let end = start + layout.size() - base;
        if end > HEAP {
            return core::ptr::null_mut();
        }
        self.used.store(end, Ordering::Relaxed);
        start as *mut u8
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let start = block as usize - self.memory.get() as usize;
        if start + layout.size() == self.used.load(Ordering::Relaxed) {
            self.used.store(start, Ordering::Relaxed);
        }
    }
}

#[global_allocator]
static ALLOCATOR: Bump = Bump { memory: UnsafeCell::new([0; HEAP]), used: AtomicUsize::new(0) };

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit_with(101)
}

#[allow(unsafe_code)] // the host's way to end a process
fn exit_with(code: i32) -> ! {
    #[link(name = "c")]
    unsafe extern "C" {
        fn exit(code: i32) -> !;
    }
    unsafe { exit(code) }
}

#[allow(unsafe_code)] // what the host's start-up code calls
#[unsafe(no_mangle)]
extern "C" fn main(_argc: i32, _argv: *const *const u8) -> i32 {
    serve_one_request().err().unwrap_or(0)
}

/// Unwinding is compiled out, but the precompiled standard crates name its entry points.
mod unwinding {
    #[allow(unsafe_code)]
    #[unsafe(no_mangle)]
    extern "C" fn rust_eh_personality() {}

    #[allow(unsafe_code)]
    #[unsafe(no_mangle)]
    extern "C" fn _Unwind_Resume() -> ! {
        super::exit_with(102)
    }
}

const INPUT: &[u8] = br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"blink","arguments":{"times":2},"_meta":{"progressToken":"led","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}
"#;

fn serve_one_request() -> Result<(), i32> {
    let config = ServerConfig::new("board", "1.0").revisions(Revision::V2026_07_28);
    let mut conn = Connection::server(config);
    // As a serial line would deliver it: a byte at a time, a microsecond apart.
    for (tick, byte) in (0..).zip(INPUT) {
        conn.handle_input(&[*byte], Instant::from_nanos(tick * 1000));
    }
    let now = Instant::from_nanos(1_000_000);
    let Some(Event::Request { id, method, .. }) = conn.poll_event() else { return Err(1) };
    if method != "tools/call" || !conn.is_progress_wanted(&id) {
        return Err(2);
    }
    for done in 1..=2_u8 {
        let progress = Progress::new(done.into()).of(2.0).message("blink");
        conn.report(&id, progress, Weight::Ordinary, now).map_err(|_| 3)?;
    }
    conn.respond(&id, &CallToolResult::text("blinked"), now).map_err(|_| 4)?;

    let sent = conn.poll_transmit().ok_or(5)?;
    let mut lines = sent.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut next_has = |part: &[u8]| match lines.next() {
        Some(line) if line.windows(part.len()).any(|window| window == part) => Ok(()),
        _ => Err(6),
    };
    next_has(br#""progressToken":"led","progress":1,"total":2"#)?;
    next_has(br#""progressToken":"led","progress":2,"total":2"#)?;
    next_has(br#""id":7,"result":{"content":[{"type":"text","text":"blinked"}]"#)?;
    if lines.next().is_some() { Err(7) } else { Ok(()) }
}
