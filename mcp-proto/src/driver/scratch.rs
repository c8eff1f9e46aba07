//! Buffers for what is on its way between a transport and the machine, and from the user's values into it: one of
//! each for each thread, so that connections that idle keep none.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::Cell;
use std::thread_local;

/// Its length: as much as a pipe holds, so that one system call moves all that waits.
pub(super) const SCRATCH_LEN: usize = 64 << 10;

thread_local! {
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    static TEXT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Runs `work` with the thread's buffer. What is in it means nothing.
pub(crate) fn scratch<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    // Taken for the time: a transport may itself be a driver's. While a thread ends there is none to take.
    let taken = SCRATCH.try_with(Cell::take).ok().flatten();
    let mut buffer = taken.unwrap_or_else(|| alloc::vec![0; SCRATCH_LEN].into());
    let done = work(&mut buffer);
    let _ = SCRATCH.try_with(|slot| slot.set(Some(buffer)));
    done
}

/// Runs `work` with an empty vector of the thread, to write JSON in without the lock.
pub(super) fn written<T>(work: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    // Taken for the time: what is written is the user's code, which may make a call itself.
    let mut text = TEXT.try_with(Cell::take).unwrap_or_default();
    let done = work(&mut text);
    text.clear();
    text.shrink_to(SCRATCH_LEN);
    let _ = TEXT.try_with(|slot| slot.set(text));
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

    #[test]
    fn text_is_written_anew_each_time_and_nested_text_elsewhere() {
        written(|outer| {
            outer.resize(2 * SCRATCH_LEN, 1);
            written(|inner| assert!(inner.is_empty()));
            assert_eq!(outer.len(), 2 * SCRATCH_LEN);
        });
        written(|text| assert!(text.is_empty() && text.capacity() <= SCRATCH_LEN));
    }
}
