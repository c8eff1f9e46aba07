//! TCP: one message a line, as over standard input and output.
//!
//! There is no encryption and no authentication: whoever can connect may call every tool, and whoever is on the
//! way reads and changes what is said. So [`listen`] takes loopback addresses only. On a machine that others
//! use too, prefer [`unix`](crate::unix), where the system says who may connect.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use mcp_proto::ClientConfig;
use mcp_proto::driver::Client;
use tokio::net::{TcpListener, TcpSocket, TcpStream, ToSocketAddrs};

use crate::ConnectError;
use crate::listen::{Listener, Source, Stream};

/// Connections that the system keeps until they are accepted.
const BACKLOG: u32 = 1024;

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
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (reader, writer) = stream.into_split();
    Ok(crate::connect(reader, writer, config).await?)
}

/// Listens on a loopback address, such as `127.0.0.1:4000`. With port 0 the system chooses one, see
/// [`Listener::local_addr`].
///
/// # Errors
///
/// [`PermissionDenied`](io::ErrorKind::PermissionDenied) for an address that other machines reach; else why the
/// system refuses it.
pub async fn listen(address: impl ToSocketAddrs) -> io::Result<Listener> {
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host(address).await?.collect();
    if !addresses.iter().all(|address| address.ip().is_loopback()) {
        let why = "other machines reach this address; see `tcp::listen_exposed`";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    listen_exposed(&addresses[..]).await
}

/// Listens on any address. Whoever can connect may call every tool: what keeps others out has to be before it,
/// such as a firewall, a tunnel or a proxy that encrypts and authenticates.
///
/// # Errors
///
/// Why the system refuses it.
pub async fn listen_exposed(address: impl ToSocketAddrs) -> io::Result<Listener> {
    let mut failed = io::Error::new(io::ErrorKind::InvalidInput, "no such address");
    for address in tokio::net::lookup_host(address).await? {
        match bind(address) {
            Ok(listener) => {
                let local = listener.local_addr()?;
                return Ok(Listener::new(listener, Some(local)));
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    #[cfg(not(windows))] // there it would let another program take the port
    socket.set_reuseaddr(true)?;
    // Connections have it from here: one whose peer has vanished ends at last, and makes room.
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Source for TcpListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let (stream, _) = ready!(Self::poll_accept(self, cx))?;
        // It fails only if the peer is gone already, which reading shows too.
        let _ = stream.set_nodelay(true);
        let (reader, writer) = stream.into_split();
        Poll::Ready(Ok((Box::new(reader), Box::new(writer))))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rustix::net::sockopt::socket_keepalive;

    #[tokio::test]
    async fn what_is_accepted_notices_a_peer_that_vanished() {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let _near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        assert!(socket_keepalive(&far).unwrap());
    }
}
