//! No runtime: one thread and one `mio::Poll` serve as many connections as come. A client is moved in the same way, with
//! `Connection::client`.
//!
//! `cargo run -p mcp-proto --example mio -- 127.0.0.1:4000` listens there.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // outside the engine, clocks are fine

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::time::Instant as Clock;

use mcp_proto::progress::Weight;
use mcp_proto::role::Server;
use mcp_proto::types::ListToolsResult;
use mcp_proto::{
    CallToolResult, Connection, ErrorObject, Event, Instant, Progress, RawJson, Revision,
    ServerConfig, Tool,
};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(0);

/// Reads of one connection before it is the others' turn, so that one that never falls silent does not hold them up.
const ROUNDS: usize = 2;

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:4000".to_owned());
    let listener = TcpListener::bind(address.parse()?)?;
    println!("listening at {}", listener.local_addr()?);
    run(listener, usize::MAX)
}

/// Serves until so many connections have come and gone.
pub(crate) fn run(mut listener: TcpListener, connections: usize) -> Result<(), Box<dyn Error>> {
    let start = Clock::now();
    let tools = [Tool::new("resize", RawJson::parse(r#"{"type":"object"}"#)?)];
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(256));
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let (mut open, mut accepted) = (BTreeMap::<Token, Socket>::new(), 0);
    while accepted < connections || !open.is_empty() {
        // A hundred deadlines are looked through; for many thousands, keep a heap of them.
        let due = open.values().filter_map(|socket| socket.conn.poll_timeout()).min();
        let now = Instant::from(start.elapsed());
        let due = if open.values().any(|socket| socket.has_more) { Some(now) } else { due };
        match poll.poll(&mut events, due.map(|at| at - now)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        let now = Instant::from(start.elapsed());
        let ready: BTreeSet<Token> = events.iter().map(|event| event.token()).collect();
        while let Ok((mut stream, _)) = listener.accept() {
            accepted += 1;
            let (token, whatever) = (Token(accepted), Interest::READABLE | Interest::WRITABLE);
            poll.registry().register(&mut stream, token, whatever)?;
            stream.set_nodelay(true)?;
            let conn = Connection::server(ServerConfig::new("mio-server", "1.0"));
            open.insert(token, Socket { conn, stream, has_more: false });
        }
        open.retain(|token, socket| socket.turn(ready.contains(token), now, &tools));
    }
    Ok(())
}

/// A machine and its socket, which does not block.
struct Socket {
    conn: Connection<Server>,
    stream: TcpStream,
    /// It was not read to the end: no event tells of the rest.
    has_more: bool,
}

impl Socket {
    /// One turn of the loop, for a socket that may have changed and for any whose deadline may have come. Whether the
    /// connection goes on.
    fn turn(&mut self, is_ready: bool, now: Instant, tools: &[Tool]) -> bool {
        let is_due = self.conn.poll_timeout().is_some_and(|at| at <= now);
        if is_due {
            self.conn.handle_timeout(now);
        }
        if is_ready || is_due || self.has_more {
            self.drive(now, tools);
        }
        !self.conn.is_closed() || self.conn.has_transmit()
    }

    /// Moves bytes until the socket has no more and takes no more, for it tells only of changes. What the machine does
    /// not want yet stays in the socket, where it stops a peer that sends and does not read.
    fn drive(&mut self, now: Instant, tools: &[Tool]) {
        for _ in 0..ROUNDS {
            self.write(now);
            let mut is_idle = !self.conn.wants_input() || !self.read(now);
            while let Some(event) = self.conn.poll_event() {
                answer(&mut self.conn, tools, event, now);
                is_idle = false;
            }
            self.has_more = !is_idle;
            if is_idle {
                return;
            }
        }
    }

    fn write(&mut self, now: Instant) {
        while let Some(bytes) = self.conn.poll_transmit() {
            match self.stream.write(bytes) {
                Ok(0) => return self.conn.handle_transport_error(now), // it will never take any more
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

/// Answers a request. What cannot be said is of no interest to a client that has left.
fn answer(conn: &mut Connection<Server>, tools: &[Tool], event: Event, now: Instant) {
    let Event::Request { id, method, .. } = event else { return };
    let _ = match &*method {
        "tools/list" => {
            let revision = conn.revision_of(&id).unwrap_or(Revision::LATEST);
            conn.respond(&id, &ListToolsResult::new(tools.to_vec(), revision), now)
        }
        "tools/call" => {
            for done in 1..=3_u8 {
                let _ = conn.report(&id, Progress::new(done.into()).of(3.0), Weight::Ordinary, now);
            }
            conn.respond(&id, &CallToolResult::text("resized 3 images"), now)
        }
        _ => conn.fail(&id, &ErrorObject::method_not_found(), now),
    };
}
