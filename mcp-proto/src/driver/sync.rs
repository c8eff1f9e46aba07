//! What threads share, named once: the standard types, or those of the model checker that runs the models
//! in `tests/loom`.

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
