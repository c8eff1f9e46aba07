//! The rules of Streamable HTTP and of HTTP+SSE, without sockets.

mod access;
mod client;
mod media;
mod names;
mod params;
mod server;
mod value;

pub use access::{Access, Denied};
pub use client::{Client, ClientOptions, Transmit};
pub use params::BadAnnotation;
#[cfg(feature = "driver")]
pub(crate) use server::Loan;
#[cfg(feature = "snapshot")]
pub use server::SessionSnapshot;
pub use server::{Admission, Body, Caller, Replay, Ring, Scope, Server, ServerOptions, StreamName};

/// One HTTP request and its response. Names are never used twice by one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exchange(pub(crate) u64);
