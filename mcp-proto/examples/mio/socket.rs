//! A connection on a socket that does not block.

use std::io::{ErrorKind, Read, Result, Write};

use mcp_proto::role::Role;
use mcp_proto::{Connection, Event, Instant};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// A machine and its socket.
pub(crate) struct Socket<R> {
    pub(crate) conn: Connection<R>,
    stream: TcpStream,
}

impl<R: Role> Socket<R> {
    /// Watches the socket for whatever changes.
    pub(crate) fn new(
        conn: Connection<R>,
        mut stream: TcpStream,
        token: Token,
        registry: &Registry,
    ) -> Result<Self> {
        registry.register(&mut stream, token, BOTH)?;
        stream.set_nodelay(true)?;
        Ok(Self { conn, stream })
    }

    /// One turn of the loop, for a socket that may have changed and for any whose deadline may have come. Whether the
    /// connection goes on.
    pub(crate) fn turn(
        &mut self,
        is_ready: bool,
        now: Instant,
        on_event: impl FnMut(&mut Connection<R>, Event),
    ) -> bool {
        let is_due = self.conn.poll_timeout().is_some_and(|at| at <= now);
        if is_due {
            self.conn.handle_timeout(now);
        }
        if is_ready || is_due {
            self.drive(now, on_event);
        }
        !self.conn.is_closed() || self.conn.has_transmit()
    }

    /// Moves bytes until the socket has no more and takes no more, for it tells only of changes. What the machine does
    /// not want yet stays in the socket, where it stops a peer that sends and does not read.
    fn drive(&mut self, now: Instant, mut on_event: impl FnMut(&mut Connection<R>, Event)) {
        loop {
            self.write(now);
            let mut is_idle = !self.conn.wants_input() || !self.read(now);
            while let Some(event) = self.conn.poll_event() {
                on_event(&mut self.conn, event);
                is_idle = false;
            }
            if is_idle {
                return;
            }
        }
    }

    fn write(&mut self, now: Instant) {
        while let Some(bytes) = self.conn.poll_transmit() {
            match self.stream.write(bytes) {
                Ok(written) => self.conn.advance_transmit(written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return self.conn.advance_transmit(0);
                }
                Err(_) => return self.conn.handle_transport_error(now),
            }
        }
    }

    /// Whether there was something, be it the end.
    fn read(&mut self, now: Instant) -> bool {
        let mut buffer = [0; 8192];
        match self.stream.read(&mut buffer) {
            Ok(0) => self.conn.handle_eof(now),
            Ok(length) => self.conn.handle_input(buffer.get(..length).unwrap_or_default(), now),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(_) => self.conn.handle_transport_error(now),
        }
        true
    }
}
