//! Futures and handles around the machine, for any runtime.
//!
//! A runtime supplies a [`Transport`] and a [`Runtime`] (a clock with timers) and spawns the [`Driver`];
//! [`client()`] and [`server()`] give the handles. Nothing here knows a socket, a thread or an executor. What
//! carries whole messages instead of bytes is a [`MessageTransport`].

mod afterwards;
mod alarm;
mod call;
mod calls;
mod carrier;
mod client;
mod drive;
#[cfg(feature = "http")]
pub mod http;
mod link;
mod listen;
mod queue;
mod race;
mod reporter;
mod scratch;
mod server;
mod shared;
mod start;
mod sync;
mod transport;
mod trouble;
mod unsent;
mod watchers;

pub use call::{Call, Outcome};
pub use carrier::Carrier;
pub use client::Client;
pub use drive::Driver;
pub use listen::{AsyncClosure, Closure, Handled, Listen, ListenerError, Silent};
pub use queue::Delivery;
pub use reporter::{Reporter, Steps};
pub use server::{Incoming, Server};
#[cfg(feature = "snapshot")]
pub use start::restored_server;
pub use start::{client, client_over_messages, server, server_over_messages};
pub use transport::{MessageTransport, Messages, Runtime, Timer, Transport};

#[cfg(feature = "net")]
pub(crate) use drive::LINGER;
pub(crate) use race::unless;
#[cfg(feature = "net-http")]
pub(crate) use scratch::scratch;
pub(crate) use server::Ongoing;
#[cfg(feature = "net")]
pub(crate) use watchers::Watchers;
