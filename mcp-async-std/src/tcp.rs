//! TCP: one message a line, as over standard input and output.
//!
//! There is no encryption and no authentication: whoever can connect may call every tool, and whoever is on the
//! way reads and changes what is said. So [`listen`] takes loopback addresses only. On a machine that others
//! use too, prefer [`unix`](crate::unix), where the system says who may connect.

use std::io;

use async_std::net::ToSocketAddrs;
use mcp_proto::net::{self, tcp};
use mcp_smol::parts;

use crate::{AsyncStd, Client, ClientConfig, ConnectError, Listener};

/// Connects to a server that listens on a TCP address, and waits until it is ready. Small messages leave at
/// once (`TCP_NODELAY`).
///
/// # Errors
///
/// [`ConnectError`]: there is no connection, or no server at its other end.
pub async fn connect(
    address: impl ToSocketAddrs,
    config: ClientConfig,
) -> Result<Client, ConnectError> {
    let mut failed = io::Error::new(io::ErrorKind::InvalidInput, "no such address");
    for address in address.to_socket_addrs().await? {
        match parts::dial(address).await {
            Ok(stream) => return Ok(net::connect(stream, config, AsyncStd::new()).await?),
            Err(error) => failed = error,
        }
    }
    Err(failed.into())
}

/// Listens on a loopback address, such as `127.0.0.1:4000`. With port 0 the system chooses one, see
/// [`Listener::local_addr`].
///
/// # Errors
///
/// [`PermissionDenied`](io::ErrorKind::PermissionDenied) for an address that other machines reach; else why the
/// system refuses it.
pub async fn listen(address: impl ToSocketAddrs) -> io::Result<Listener> {
    parts::listen_tcp(tcp::bind_loopback(&resolved(address).await?)?, AsyncStd::new())
}

/// Listens on any address. Whoever can connect may call every tool: what keeps others out has to be before it,
/// such as a firewall, a tunnel or a proxy that encrypts and authenticates.
///
/// # Errors
///
/// Why the system refuses it.
pub async fn listen_exposed(address: impl ToSocketAddrs) -> io::Result<Listener> {
    parts::listen_tcp(tcp::bind(&resolved(address).await?)?, AsyncStd::new())
}

async fn resolved(address: impl ToSocketAddrs) -> io::Result<Vec<std::net::SocketAddr>> {
    Ok(address.to_socket_addrs().await?.collect())
}
