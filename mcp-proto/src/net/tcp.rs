//! Sockets that listen on TCP.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 1024;

/// Binds the first of these addresses that can be, non-blocking, if no other machine reaches any of them.
///
/// # Errors
///
/// [`PermissionDenied`](io::ErrorKind::PermissionDenied) for an address that other machines reach; else why the
/// system refuses it.
pub fn bind_loopback(addresses: &[SocketAddr]) -> io::Result<TcpListener> {
    if !addresses.iter().all(|address| address.ip().is_loopback()) {
        let why = "other machines reach this address; see `tcp::listen_exposed`";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    bind(addresses)
}

/// Binds the first of these addresses that can be, non-blocking.
///
/// # Errors
///
/// Why the system refuses the last.
pub fn bind(addresses: &[SocketAddr]) -> io::Result<TcpListener> {
    let mut failed = io::Error::new(io::ErrorKind::InvalidInput, "no such address");
    for address in addresses {
        match bind_one(*address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    #[cfg(not(windows))] // there it would let another program take the port
    socket.set_reuse_address(true)?;
    // Connections have it from here: one whose peer has vanished ends at last, and makes room.
    socket.set_keepalive(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::SockRef;
    use std::net::TcpStream;

    #[test]
    fn what_is_accepted_notices_a_peer_that_vanished() {
        let listener = bind(&[SocketAddr::from(([127, 0, 0, 1], 0))]).unwrap();
        listener.set_nonblocking(false).unwrap();
        let _near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        assert!(SockRef::from(&far).keepalive().unwrap());
    }

    #[test]
    fn only_loopback_is_bound_unless_more_is_asked_for() {
        let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let error = bind_loopback(&[everywhere]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(bind(&[]).is_err());
    }
}
