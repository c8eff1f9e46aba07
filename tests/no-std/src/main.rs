//! Proof that the engine needs no standard library: an MCP server as a board would run it, with an allocator of its
//! own over 64 KiB, a panic handler of its own, and a serial line. `peer` tries it; so can any client, such as
//! `cargo mcp call blink times=5 -- tests/no-std/target/debug/board`.
//!
//! At its end it says on standard error how much of its heap it has used. Its code is 0, 101 after a panic (no
//! memory left included) and 1 if what is built in is not right.
#![no_std]
#![no_main]
#![deny(unsafe_code)]

extern crate alloc;

mod board;
mod heap;
mod host;

use core::ffi::c_int;

#[global_allocator]
static HEAP: heap::Heap = heap::Heap::new();

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    host::exit_with(101)
}

fn serve() -> c_int {
    let served = board::run(&mut host::Host::default());
    host::tell(&alloc::format!("peak heap: {} of {} bytes\n", HEAP.peak(), heap::SIZE));
    served.map_or(1, |()| 0)
}
