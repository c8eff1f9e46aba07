//! TCP: one message a line, as over standard input and output.
//!
//! There is no encryption and no authentication: whoever can connect may call every tool, and whoever is on the
//! way reads and changes what is said. So [`listen`] takes loopback addresses only. On a machine that others
//! use too, prefer [`unix`](crate::unix), where the system says who may connect.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll, ready};

use mcp_proto::net::{self, Accept, tcp};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};

use crate::{Client, ClientConfig, ConnectError, Listener, Stream, Tokio, stream};

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
    let socket = TcpStream::connect(address).await?;
    tcp::prepare(&socket)?;
    Ok(net::connect(stream(socket), config, Tokio::new()).await?)
}

/// Listens on a loopback address, such as `127.0.0.1:4000`. With port 0 the system chooses one, see
/// [`Listener::local_addr`].
///
/// # Errors
///
/// [`PermissionDenied`](io::ErrorKind::PermissionDenied) for an address that other machines reach; else why the
/// system refuses it.
pub async fn listen(address: impl ToSocketAddrs) -> io::Result<Listener> {
    listening(tcp::bind_loopback(&resolved(address).await?)?)
}

/// Listens on any address. Whoever can connect may call every tool: what keeps others out has to be before it,
/// such as a firewall, a tunnel or a proxy that encrypts and authenticates.
///
/// # Errors
///
/// Why the system refuses it.
pub async fn listen_exposed(address: impl ToSocketAddrs) -> io::Result<Listener> {
    listening(tcp::bind(&resolved(address).await?)?)
}

async fn resolved(address: impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host(address).await?.collect())
}

fn listening(socket: std::net::TcpListener) -> io::Result<Listener> {
    let socket = Accepting(TcpListener::from_std(socket)?);
    let address = socket.0.local_addr()?;
    Ok(Listener::new(socket, Some(address), Tokio::new()))
}

/// A socket's connections.
pub(crate) struct Accepting(pub(crate) TcpListener);

impl Accepting {
    fn poll_socket(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        let (socket, _) = ready!(self.0.poll_accept(cx))?;
        // It fails only if the peer is gone already, which reading shows too.
        let _ = socket.set_nodelay(true);
        Poll::Ready(Ok(socket))
    }
}

impl Accept for Accepting {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        self.poll_socket(cx).map_ok(stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_messages_leave_at_once_on_what_is_accepted() -> io::Result<()> {
        let mut accepting = Accepting(TcpListener::bind("127.0.0.1:0").await?);
        let _near = TcpStream::connect(accepting.0.local_addr()?).await?;
        let socket = std::future::poll_fn(|cx| accepting.poll_socket(cx)).await?;
        assert!(socket.nodelay()?);
        Ok(())
    }
}
