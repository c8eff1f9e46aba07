//! What every adapter does alike: connections accepted and served, child processes ended, HTTP and WebSocket on
//! sockets.
//!
//! An adapter brings a [`Platform`] (clock, timers, tasks), and its runtime's sockets, pipes and processes as
//! [`Input`], [`Output`], [`Stream`], [`Accept`] and [`Running`](child::Running). All else is here, once, so that every
//! runtime behaves the same. A program uses an adapter and never this.
//!
//! It is the one module that asks the system for something by itself: sockets are bound, groups of processes get
//! signals, certificates are read. None of it waits.

#[cfg(feature = "net-process")]
pub mod child;
mod connect_error;
#[cfg(feature = "net-process")]
mod group;
mod guard;
mod halves;
#[cfg(feature = "net-http")]
pub mod http;
#[cfg(feature = "net-process")]
mod lines;
mod listen;
mod platform;
pub mod prelude;
#[cfg(any(feature = "net-http", feature = "net-ws"))]
mod reach;
mod run;
mod signal;
#[cfg(unix)]
pub mod stdio;
mod stream;
#[cfg(any(feature = "net-http", feature = "net-ws"))]
mod target;
mod tasks;
pub mod tcp;
#[cfg_attr(
    not(all(feature = "net-process", feature = "net-http", feature = "net-ws")),
    allow(dead_code, reason = "each feature uses its part")
)]
mod timing;
#[cfg(any(feature = "net-http", feature = "net-ws"))]
mod tls;
#[cfg(unix)]
pub mod unix;
#[cfg(feature = "net-ws")]
pub mod ws;

pub use connect_error::ConnectError;
pub use halves::{Duplex, Input, Output};
pub use listen::{Accept, Listener};
pub use platform::{Dial, Dialing, Platform, Resolving, Task};
pub use run::{client, client_over_messages, connect, run, run_local, serve, serve_over_messages};
pub use stream::Stream;
