//! Futures and handles around the machine, for any runtime.
//!
//! A runtime supplies a [`Transport`] and a [`Runtime`] (a clock with timers) and spawns the [`Driver`];
//! [`client()`] and [`server()`] give the handles. Nothing here knows a socket, a thread or an executor.

mod call;
mod calls;
mod client;
mod drive;
mod link;
mod listen;
mod queue;
mod reporter;
mod scratch;
mod server;
mod shared;
mod start;
mod sync;
mod transport;
mod watchers;

pub use call::{Call, Outcome};
pub use client::Client;
pub use drive::Driver;
pub use listen::{AsyncClosure, Closure, Handled, Listen, ListenerError, Silent};
pub use queue::Delivery;
pub use reporter::{Reporter, Steps};
pub use server::{Incoming, Server};
pub use start::{client, server};
pub use transport::{Runtime, Timer, Transport};

pub(crate) use server::Watch;
