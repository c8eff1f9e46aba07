//! A buffer for what is on its way between a transport and the machine: one for each thread, so that
//! connections that idle keep none.

use alloc::boxed::Box;
use core::cell::Cell;
use std::thread_local;

/// Its length: as much as a pipe holds, so that one system call moves all that waits.
pub(super) const SCRATCH_LEN: usize = 64 << 10;

thread_local! {
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Runs `work` with the thread's buffer. What is in it means nothing.
pub(super) fn scratch<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    // Taken for the time: a transport may itself be a driver's. While a thread ends there is none to take.
    let taken = SCRATCH.try_with(Cell::take).ok().flatten();
    let mut buffer = taken.unwrap_or_else(|| alloc::vec![0; SCRATCH_LEN].into());
    let done = work(&mut buffer);
    let _ = SCRATCH.try_with(|slot| slot.set(Some(buffer)));
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffer_is_kept_and_nested_work_gets_another() {
        let place = scratch(|outer| {
            outer[0] = 1;
            scratch(|inner| assert_ne!(inner.as_ptr(), outer.as_ptr()));
            outer.as_ptr().addr()
        });
        scratch(|buffer| assert_eq!((buffer.as_ptr().addr(), buffer[0]), (place, 1)));
    }
}
