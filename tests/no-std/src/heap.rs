//! A heap of fixed size: the free blocks in a list, sorted by address, the first that fits is taken. It knows how
//! much of it was in use at most.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::null_mut;

/// The bytes that there are.
pub(crate) const SIZE: usize = 64 << 10;

/// Blocks are multiples of it, and lie on multiples of it.
const UNIT: usize = size_of::<Free>();

/// What is written into a free block.
#[repr(align(16))]
struct Free {
    size: usize,
    next: *mut Self,
}

#[repr(align(16))]
#[allow(dead_code)] // only where it lies is of interest
struct Memory([u8; SIZE]);

/// What is known of the memory. It lies beside it: a reference to it is none to what was handed out.
struct State {
    first: *mut Free,
    is_set_up: bool,
    used: usize,
    peak: usize,
}

pub(crate) struct Heap {
    memory: UnsafeCell<Memory>,
    state: UnsafeCell<State>,
}

impl Heap {
    pub(crate) const fn new() -> Self {
        let state = State { first: null_mut(), is_set_up: false, used: 0, peak: 0 };
        Self { memory: UnsafeCell::new(Memory([0; SIZE])), state: UnsafeCell::new(state) }
    }

    /// The bytes that were in use at most, rounding of blocks included.
    #[allow(unsafe_code)]
    pub(crate) fn peak(&self) -> usize {
        // SAFETY: there is one thread, and nobody keeps a reference.
        unsafe { (*self.state.get()).peak }
    }
}

#[allow(unsafe_code)]
// SAFETY: a board has one thread, and no interrupt handler of this one allocates.
unsafe impl Sync for Heap {}

#[allow(unsafe_code)]
// SAFETY: what is handed out comes from `memory`, is as large as asked for and as aligned, and no two blocks overlap.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: there is one thread, and the reference ends with this function.
        let state = unsafe { &mut *self.state.get() };
        if !state.is_set_up {
            state.is_set_up = true;
            state.first = self.memory.get().cast();
            // SAFETY: the memory is as large and aligned, and nobody has any of it yet.
            unsafe { state.first.write(Free { size: SIZE, next: null_mut() }) };
        }
        if layout.align() > UNIT { null_mut() } else { state.take(size_of_block(layout)) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above; the caller gives back what `alloc` handed out for the same layout.
        unsafe { (*self.state.get()).give_back(block.cast(), size_of_block(layout)) }
    }
}

/// How much of the heap a block of this layout takes.
fn size_of_block(layout: Layout) -> usize {
    layout.size().max(1).next_multiple_of(UNIT)
}

#[allow(unsafe_code)]
impl State {
    /// The end of the first free block that has so much.
    fn take(&mut self, size: usize) -> *mut u8 {
        let mut link = &raw mut self.first;
        // SAFETY: what is in the list is free, and was written by this heap.
        unsafe {
            while let block = *link
                && !block.is_null()
            {
                if (*block).size < size {
                    link = &raw mut (*block).next;
                    continue;
                }
                (*block).size -= size;
                let rest = (*block).size;
                if rest == 0 {
                    *link = (*block).next;
                }
                self.used += size;
                self.peak = self.peak.max(self.used);
                return block.cast::<u8>().add(rest);
            }
        }
        null_mut()
    }

    /// # Safety
    ///
    /// The block was handed out with that size, and nobody has it any more.
    unsafe fn give_back(&mut self, block: *mut Free, size: usize) {
        self.used -= size;
        let mut before = null_mut();
        let mut after = self.first;
        // SAFETY: as above, and the block is free from now on.
        unsafe {
            while !after.is_null() && after < block {
                before = after;
                after = (*after).next;
            }
            block.write(Free { size, next: after });
            merge(block);
            if before.is_null() {
                self.first = block;
            } else {
                (*before).next = block;
                merge(before);
            }
        }
    }
}

/// Makes one of this block and the next free one, if there is nothing between them.
///
/// # Safety
///
/// The block is in the list, and so are those behind it.
#[allow(unsafe_code)]
unsafe fn merge(block: *mut Free) {
    // SAFETY: the caller says so.
    unsafe {
        let next = (*block).next;
        if !next.is_null() && block.byte_add((*block).size) == next {
            (*block).size += (*next).size;
            (*block).next = (*next).next;
        }
    }
}
