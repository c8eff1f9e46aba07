//! Futures and handles around the machine, for any runtime.
