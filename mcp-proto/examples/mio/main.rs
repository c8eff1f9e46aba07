//! No runtime: one thread, one `mio::Poll`, a server of many connections and the clients that call it.
//!
//! `cargo run -p mcp-proto --example mio -- 100 10` makes 100 connections and 10 calls on each. Server and clients share
//! the loop here; each would be the same by itself.
#![allow(clippy::disallowed_methods, clippy::disallowed_types)] // outside the engine, clocks are fine

mod socket;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::io::{ErrorKind, Write, stdout};
use std::time::Instant as Clock;

use mcp_proto::progress::Weight;
use mcp_proto::role::{Client, Server};
use mcp_proto::types::ListToolsResult;
use mcp_proto::{
    CallOptions, CallTool, CallToolResult, ClientConfig, Connection, ErrorObject, Event, Instant,
    Progress, RawJson, Revision, ServerConfig, Tool,
};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use socket::Socket;

const LISTENER: Token = Token(0);

fn main() -> Result<(), Box<dyn Error>> {
    let number = |at| std::env::args().nth(at).and_then(|word| word.parse().ok());
    run(number(1).unwrap_or(100), number(2).unwrap_or(10), &mut stdout())
}

pub(crate) fn run(
    connections: usize,
    calls: usize,
    out: &mut impl Write,
) -> Result<(), Box<dyn Error>> {
    let start = Clock::now();
    let tools = [Tool::new("resize", RawJson::parse(r#"{"type":"object"}"#)?)];
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(256));
    let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let (mut clients, mut servers) = (BTreeMap::new(), BTreeMap::new());
    for token in (1..=connections).map(Token) {
        let stream = TcpStream::connect(listener.local_addr()?)?;
        let config = ClientConfig::new("mio-client", "1.0");
        let mut conn = Connection::client(config, start.elapsed().into());
        request(&mut conn, start.elapsed().into());
        clients.insert(token, (calls, Socket::new(conn, stream, token, poll.registry())?));
    }
    let (mut accepted, mut reports, mut results) = (0, 0, 0);
    while !clients.is_empty() || !servers.is_empty() {
        // A hundred deadlines are looked through; for many thousands, keep a heap of them.
        let due = clients.values().filter_map(|(_, socket)| socket.conn.poll_timeout()).min();
        let also =
            servers.values().filter_map(|socket: &Socket<Server>| socket.conn.poll_timeout());
        let now = Instant::from(start.elapsed());
        match poll.poll(&mut events, due.into_iter().chain(also).min().map(|at| at - now)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        let now = Instant::from(start.elapsed());
        let ready: BTreeSet<Token> = events.iter().map(|event| event.token()).collect();
        while let Ok((stream, _)) = listener.accept() {
            accepted += 1;
            let token = Token(connections + accepted);
            let conn = Connection::server(ServerConfig::new("mio-server", "1.0"));
            servers.insert(token, Socket::new(conn, stream, token, poll.registry())?);
        }
        servers.retain(|token, socket| {
            socket.turn(ready.contains(token), now, |conn, event| serve(conn, &tools, event, now))
        });
        clients.retain(|token, (left, socket)| {
            socket.turn(ready.contains(token), now, |conn, event| match event {
                Event::Progress { .. } => reports += 1,
                Event::Response { outcome, .. } => {
                    results += usize::from(outcome.is_ok());
                    *left -= 1;
                    match *left {
                        0 => conn.close(now),
                        _ => request(conn, now),
                    }
                }
                _ => {}
            })
        });
    }
    writeln!(out, "{accepted} connections, {reports} reports, {results} results")?;
    Ok(())
}

fn request(conn: &mut Connection<Client>, now: Instant) {
    let options = CallOptions::default().tracked();
    if conn.request(&CallTool::new("resize"), options, now).is_err() {
        conn.close(now);
    }
}

/// Answers a request. What cannot be said is of no interest to a client that has left.
fn serve(conn: &mut Connection<Server>, tools: &[Tool], event: Event, now: Instant) {
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
