//! The Model Context Protocol as a pure state machine: bytes in, events out, no I/O, no clock, no runtime.
//!
//! A whole conversation, with the client on one side and the server on the other. In a real program one of
//! them is another process, and the bytes travel through a pipe:
//!
//! ```
//! use mcp_proto::progress::Weight;
//! use mcp_proto::{
//!     CallOptions, CallTool, CallToolResult, ClientConfig, Connection, Event, Instant, Progress, ServerConfig,
//! };
//!
//! let now = Instant::ZERO; // the caller's clock; nothing here reads one
//! let mut client = Connection::client(ClientConfig::new("cli", "1.0"), now);
//! let mut server = Connection::server(ServerConfig::new("images", "1.0"));
//! let ticket = client.request(&CallTool::new("resize"), CallOptions::default().tracked(), now)?;
//!
//! let mut seen = Vec::new();
//! let text = 'conversation: loop {
//!     // It happened: what the other side wrote is here.
//!     while let Some(bytes) = client.poll_transmit().map(<[u8]>::to_vec) {
//!         client.advance_transmit(bytes.len());
//!         server.handle_input(&bytes, now);
//!     }
//!     // What the server makes of it.
//!     while let Some(event) = server.poll_event() {
//!         if let Event::Request { id, .. } = event {
//!             server.report(&id, Progress::new(1.0).of(2.0), Weight::Ordinary, now)?;
//!             server.respond(&id, &CallToolResult::text("done"), now)?;
//!         }
//!     }
//!     while let Some(bytes) = server.poll_transmit().map(<[u8]>::to_vec) {
//!         server.advance_transmit(bytes.len());
//!         client.handle_input(&bytes, now);
//!     }
//!     // What the client makes of that: the handshake first, then the report, then the result.
//!     while let Some(event) = client.poll_event() {
//!         match event {
//!             Event::Progress { progress, .. } => seen.push(progress.progress),
//!             Event::Response { id, outcome } if id == *ticket.id() => {
//!                 break 'conversation ticket.decode(outcome)?.content[0].as_text().map(str::to_owned);
//!             }
//!             _ => {}
//!         }
//!     }
//! };
//! assert_eq!((seen, text.as_deref()), (vec![1.0], Some("done")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! With time in it, three more lines: sleep until [`Connection::poll_timeout`](Endpoint::poll_timeout) or until
//! bytes come, then call [`handle_timeout`](Connection::handle_timeout) or
//! [`handle_input`](Connection::handle_input), then poll again. `examples/threads.rs` and
//! `examples/mio.rs` do so.
//!
//! # Where to go
//!
//! - [`Connection`] is the machine on a byte stream, [`Endpoint`] the same on whole messages.
//! - [`Event`] is all that it tells; [`Violation`] what a peer did wrong, [`CallError`] how a call ended,
//!   [`SendError`] why something could not be said.
//! - [`Limits`] bounds what a peer can make it store and do; [`Timeouts`] how long it waits.
//! - [`progress`] paces and checks reports; [`types`] are what messages say; [`json`] reads them when wanted.
//! - Feature `driver`: futures for any runtime (`driver`) and tools as functions (`router`). Feature `schemars`:
//!   typed tools. Feature `http`: both sides of HTTP without sockets (`http`), and server-sent events (`sse`). Feature `net`:
//!   what adapters to a runtime share (`net`). Feature `snapshot`: the state of a machine as a value (`snapshot`).
//!   Feature `testing`: two engines on one clock, a simulated network, a router in memory.
//! - [`role`] says which side something is of: a [`Connection`] is of one, a [`Request`] or [`Notification`] is sent by one.
//!
//! Without features it is `no_std` with `alloc`.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

extern crate alloc;
#[cfg(any(test, feature = "driver", feature = "testing"))]
extern crate std;

mod bound;
#[cfg(feature = "codec")]
pub mod codec;
mod config;
#[cfg(feature = "testing")]
mod digest;
#[cfg(feature = "driver")]
pub mod driver;
mod endpoint;
mod era;
mod error;
mod event;
#[cfg(feature = "http")]
pub mod http;
mod id;
pub mod json;
mod memory;
mod method;
#[cfg(feature = "net")]
#[allow(clippy::disallowed_types, reason = "the one module that asks the system for something")]
pub mod net;
pub mod progress;
mod revision;
pub mod role;
#[cfg(feature = "driver")]
pub mod router;
#[cfg(feature = "http")]
pub mod sse {
    //! Server-sent events without any I/O: what Streamable HTTP and HTTP+SSE stream their messages in.
    pub use crate::wire::sse::{Decoder, Event, TooLong, write_comment, write_event, write_retry};
}
mod slots;
mod sorted;
#[cfg(feature = "snapshot")]
mod state;
#[cfg(feature = "snapshot")]
pub mod snapshot {
    //! State as a value: what a machine remembers, taken out and put in again. Feature `snapshot`.
    //!
    //! [`Connection::snapshot`](crate::Connection::snapshot) takes the state of a machine out, as a value that `serde` writes in
    //! any format; `restore` makes a machine of it that goes on like the first one, byte for byte, in another process and on
    //! another clock. What is configuration (names, limits, timeouts) is not in it and is given again.
    //!
    //! ```
    //! use mcp_proto::snapshot::ConnectionSnapshot;
    //! use mcp_proto::{Connection, Event, Instant, ServerConfig, role::Server};
    //!
    //! let config = || ServerConfig::new("images", "1.0");
    //! let mut server = Connection::server(config());
    //! let now = Instant::from_nanos(5_000_000_000);
    //! server.handle_input(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ini", now); // half a line
    //!
    //! let text = serde_json::to_string(&server.snapshot(now))?;
    //!
    //! // Later, elsewhere, where the clock has just begun to count.
    //! let snapshot: ConnectionSnapshot = serde_json::from_str(&text)?;
    //! let now = Instant::ZERO;
    //! let mut server = Connection::<Server>::restore(snapshot, config(), now)?;
    //! server.handle_input(
    //!     b"tialize\",\"params\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\
    //!       \"clientInfo\":{\"name\":\"c\",\"version\":\"1\"}}}\n",
    //!     now,
    //! );
    //! assert!(matches!(server.poll_event(), Some(Event::Ready(_))));
    //! # Ok::<(), Box<dyn std::error::Error>>(())
    //! ```
    //!
    //! Under the feature the types of this crate that a snapshot holds implement the traits of `serde`, in the form that
    //! they have in snapshots.
    //!
    //! `docs/snapshot.md` says what is in it, who may read it, and how a server hands its sessions to the next one.
    pub use crate::endpoint::{Asked, EndpointSnapshot, InFlight};
    #[cfg(feature = "http")]
    pub use crate::http::SessionSnapshot;
    pub use crate::state::{RestoreError, VERSION};
    pub use crate::stdio::ConnectionSnapshot;
}
mod stdio;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
pub mod types;
mod wire;

pub use config::{CallOptions, ClientConfig, Limits, ServerConfig, Timeouts, Tolerance, Tracking};
pub use endpoint::{DeadlineReason, Endpoint, Route, Transmit};
pub use error::{
    CallError, CloseReason, ErrorObject, Expired, HttpError, Limit, SendError, Violation,
};
pub use event::{Event, PeerInfo};
pub use id::{ProgressToken, RequestId};
pub use json::RawJson;
pub use method::{Notification, Request, Ticket};
pub use revision::{Era, Revision, RevisionSet, Rules};
pub use stdio::Connection;
pub use time::Instant;
pub use types::{
    CallTool, CallToolResult, ContentBlock, ListTools, LogLevel, LogMessage, Progress, Tool,
};
pub use wire::Framing;
