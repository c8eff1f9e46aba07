//! How a connection begins: a handle for the application, a driver for the runtime.

use alloc::boxed::Box;

#[cfg(feature = "snapshot")]
use super::afterwards::Afterwards;
use super::client::Client;
use super::drive::Driver;
#[cfg(feature = "snapshot")]
use super::link::Scope;
use super::server::Server;
use super::shared::{Handle, Shared};
use super::transport::{MessageTransport, Messages, Runtime, Transport};
use crate::config::{ClientConfig, ServerConfig};
use crate::role;
#[cfg(feature = "snapshot")]
use crate::state::RestoreError;
use crate::stdio::Connection;
#[cfg(feature = "snapshot")]
use crate::stdio::ConnectionSnapshot;
use crate::wire::Framing;

/// A client over `io`. Nothing moves until the driver is polled; the handshake's deadline starts now.
pub fn client<T: Transport>(
    io: T,
    config: ClientConfig,
    runtime: impl Runtime,
) -> (Client, Driver<role::Client, T>) {
    let conn = Connection::client(config, runtime.now());
    let shared = Shared::new(conn, false, runtime);
    (Client::new(Handle::new(shared.clone())), Driver::new(shared, io))
}

/// A server over `io`. Nothing moves until the driver is polled.
pub fn server<T: Transport>(
    io: T,
    config: ServerConfig,
    runtime: impl Runtime,
) -> (Server, Driver<role::Server, T>) {
    let shared = Shared::new(Connection::server(config), true, runtime);
    (Server::new(Handle::new(shared.clone())), Driver::new(shared, io))
}

/// The server that a [driver](Driver::export) or a [`Connection`] was exported from, over a transport that leads to the same
/// client. Its requests in flight are accepted once more, and [say so](super::Incoming::is_resumed). How messages are kept
/// apart is in the snapshot: `io` is to be of the same kind. Feature `snapshot`.
///
/// # Errors
///
/// See [`RestoreError`]. A connection that has ended, and said so, has nothing to go on with.
#[cfg(feature = "snapshot")]
pub fn restored_server<T: Transport>(
    io: T,
    snapshot: ConnectionSnapshot,
    config: ServerConfig,
    runtime: impl Runtime,
) -> Result<(Server, Driver<role::Server, T>), RestoreError> {
    let conn = Connection::<role::Server>::restore(snapshot, config, runtime.now())?;
    if conn.is_closed() && !conn.has_event() {
        return Err(RestoreError::Invalid("a connection that has ended"));
    }
    let shared = Shared::new(conn, true, runtime);
    let now = shared.now();
    // Nobody waits yet who could be woken.
    shared.lock().resume(Scope::ONLY, now, &mut Afterwards::default());
    Ok((Server::new(Handle::new(shared.clone())), Driver::new(shared, io)))
}

/// As [`client`], over a transport that carries whole messages.
pub fn client_over_messages<T: MessageTransport>(
    io: T,
    config: ClientConfig,
    runtime: impl Runtime,
) -> (Client, Driver<role::Client, Messages<T>>) {
    let conn = Connection::client(config, runtime.now()).framed(Framing::Messages);
    let shared = Shared::new(conn, false, runtime);
    (Client::new(Handle::new(shared.clone())), Driver::new(shared, Messages(Box::pin(io))))
}

/// As [`server`], over a transport that carries whole messages.
pub fn server_over_messages<T: MessageTransport>(
    io: T,
    config: ServerConfig,
    runtime: impl Runtime,
) -> (Server, Driver<role::Server, Messages<T>>) {
    let conn = Connection::server(config).framed(Framing::Messages);
    let shared = Shared::new(conn, true, runtime);
    (Server::new(Handle::new(shared.clone())), Driver::new(shared, Messages(Box::pin(io))))
}
