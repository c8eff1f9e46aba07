//! Sockets of TCP: those that listen, and what every connection is set to.

use core::time::Duration;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::fd::AsFd as AsSocket;
#[cfg(windows)]
use std::os::windows::io::AsSocket;

use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};

/// Connections that the system keeps until they are accepted.
const BACKLOG: i32 = 1024;

/// When the system asks a peer whether it is still there, on a connection on which nothing comes.
const ASK_AFTER: Duration = Duration::from_secs(60);

/// How often it asks again before it gives the connection up; Linux asks nine times.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Sets a connection that was opened to what all have: small writes leave at once (`TCP_NODELAY`), and a peer that
/// vanished without a word is noticed (`SO_KEEPALIVE`), after two to three minutes of silence where the system lets times
/// be chosen.
///
/// # Errors
///
/// If the system refuses it, as for a connection that is broken already.
pub fn prepare(socket: &impl AsSocket) -> io::Result<()> {
    let socket = SockRef::from(socket);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keep_alive())
}

/// Accepts a connection, on which small writes leave at once.
///
/// # Errors
///
/// If there is none, or none any more.
pub fn accept(socket: &TcpListener) -> io::Result<TcpStream> {
    let (socket, _) = socket.accept()?;
    // It fails only if the peer is gone already, which reading shows too.
    let _ = socket.set_nodelay(true);
    Ok(socket)
}

fn keep_alive() -> TcpKeepalive {
    let times = TcpKeepalive::new().with_time(ASK_AFTER);
    #[cfg(any(
        target_os = "android",
        target_os = "freebsd",
        target_os = "ios",
        target_os = "linux",
        target_os = "macos",
        target_os = "netbsd",
        windows
    ))]
    let times = times.with_interval(ASK_AGAIN_AFTER);
    times
}

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
    socket.set_tcp_keepalive(&keep_alive())?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_say_little_at_once_and_notice_a_peer_that_vanished() {
        let listener = bind(&[SocketAddr::from(([127, 0, 0, 1], 0))]).unwrap();
        listener.set_nonblocking(false).unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        prepare(&near).unwrap();
        let far = accept(&listener).unwrap();
        for end in [near, far] {
            assert!(end.nodelay().unwrap());
            assert!(SockRef::from(&end).keepalive().unwrap());
        }
    }

    #[test]
    fn only_loopback_is_bound_unless_more_is_asked_for() {
        let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let error = bind_loopback(&[everywhere]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert!(bind(&[]).is_err());
    }
}
