//! Counts what goes through the global allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

static COUNT: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);
static LIVE: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

/// Allocations and their bytes since the process began. A reallocation is one more allocation.
pub fn count() -> (u64, u64) {
    (COUNT.load(Relaxed), BYTES.load(Relaxed))
}

/// Bytes that are allocated now.
pub fn live() -> i64 {
    LIVE.load(Relaxed)
}

/// The most that were allocated at once since [`forget_peak`].
pub fn peak() -> i64 {
    PEAK.load(Relaxed)
}

/// The peak begins anew with what is allocated now.
pub fn forget_peak() {
    PEAK.store(live(), Relaxed);
}

fn note(bytes: usize, freed: usize) {
    COUNT.fetch_add(1, Relaxed);
    BYTES.fetch_add(bytes as u64, Relaxed);
    let change = bytes as i64 - freed as i64;
    let live = LIVE.fetch_add(change, Relaxed) + change;
    if live > PEAK.load(Relaxed) {
        PEAK.fetch_max(live, Relaxed);
    }
}

// The exception that decision D1 names: an allocator cannot be written without `unsafe`.
#[allow(unsafe_code)]
// SAFETY: every call goes on to `System` unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0);
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0);
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size, layout.size());
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}
