//! What threads share, named once: the standard types, or those of the model checker that runs the models
//! in `tests/loom`.

/// What may point to a trait object, which the checker's own cannot: its counting is the standard library's there too.
pub(super) use alloc::sync::Arc as Shared;

#[cfg(not(mcp_loom))]
pub(super) use {
    alloc::sync::Arc,
    core::sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    std::sync::{Mutex, MutexGuard, PoisonError},
};

#[cfg(mcp_loom)]
pub(super) use {
    loom::sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    loom::sync::{Arc, Mutex, MutexGuard},
    std::sync::PoisonError,
};
