//! Unix sockets: one message a line, as over standard input and output.
//!
//! Whoever may write to the socket's file may call every tool. It is made for its owner alone (mode 600); put it
//! where no other user may write either, such as `$XDG_RUNTIME_DIR`, so that nobody can put another in its place.

use std::io;
use std::path::Path;

use async_std::os::unix::net::UnixStream;
use mcp_proto::net;
use mcp_smol::parts;

use crate::{AsyncStd, Client, ClientConfig, ConnectError, Listener, stream};

/// Connects to a server that listens on a path, and waits until it is ready.
///
/// # Errors
///
/// [`ConnectError`]: there is no connection, or no server at its other end.
pub async fn connect(path: impl AsRef<Path>, config: ClientConfig) -> Result<Client, ConnectError> {
    let socket = UnixStream::connect(path.as_ref().to_owned()).await?;
    Ok(net::connect(stream(socket), config, AsyncStd::new()).await?)
}

/// Listens on a path, for its owner alone. A socket that nobody listens on any more is replaced; the new one is
/// removed when the listener ends.
///
/// # Errors
///
/// [`AddrInUse`](io::ErrorKind::AddrInUse) if something else is there, or somebody listens; else why the system
/// refuses it.
#[allow(clippy::unused_async, reason = "it is called as its namesake for TCP is")]
pub async fn listen(path: impl AsRef<Path>) -> io::Result<Listener> {
    parts::listen_unix(path.as_ref(), AsyncStd::new())
}
