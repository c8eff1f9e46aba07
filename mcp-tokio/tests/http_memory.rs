//! What sessions that idle and streams that are open take of a server's memory, by the resident size of a process.
//!
//! On Tokio alone: of a session nothing is a runtime's, and what a stream takes is the buffers of the engine and of hyper, which
//! all adapters share, and one task and one socket of Tokio's. The bounds are figures of one program with one allocator; on
//! another runtime they would be other figures, and a leak would be seen here as well.
//!
//! The case starts this very binary again as the server. `MCP_BESIDE` may hold the command of another server, which
//! prints `listening on http://…` as its first line; it is measured in the same way.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use mcp_tokio::http::{self, ServerOptions};
use mcp_tokio::{CallToolResult, Context, RawJson, Router, Tool};

const SERVER: &str = "server-of-many-sessions";

/// Sessions that idle, and as many of them as have a stream open.
const SESSIONS: usize = 10_000;
const STREAMS: usize = 1_000;

/// Bytes of the resident size that one may take: a session that does nothing, and a stream with its connection.
const SESSION_BOUND: usize = 4_000;
const STREAM_BOUND: usize = 32_000;

fn main() {
    if std::env::args().nth(1).as_deref() == Some(SERVER) {
        serve();
    } else if cfg!(target_os = "linux") {
        let this = std::env::current_exe().unwrap();
        let (session, stream) = measure(Command::new(this).arg(SERVER));
        println!("ours: {session} bytes a session, {stream} bytes a stream");
        if let Ok(beside) = std::env::var("MCP_BESIDE") {
            let mut words = beside.split_whitespace();
            let (session, stream) = measure(Command::new(words.next().unwrap()).args(words));
            println!("{beside}: {session} bytes a session, {stream} bytes a stream");
        }
        assert!(session <= SESSION_BOUND && stream <= STREAM_BOUND);
        println!("test ten_thousand_sessions_idle_in_little_memory ... ok");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn serve() {
    let schema = RawJson::parse(r#"{"type":"object"}"#).unwrap();
    let hello = async |_: Context, _: Option<RawJson>| CallToolResult::text("hello");
    let router = Router::new("test", "1.0").raw_tool(Tool::new("hello", schema), hello);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("listening on http://{}/mcp", listener.local_addr().unwrap());
    let options =
        ServerOptions::default().max_sessions(2 * SESSIONS).max_standing_streams(2 * STREAMS);
    let server = http::server(listener).unwrap().options(options).max_connections(2 * STREAMS);
    server.run(router, std::future::pending()).await.unwrap();
}

struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Bytes for each session, and for each stream.
fn measure(command: &mut Command) -> (usize, usize) {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut served = Served(child);
    let mut line = String::new();
    BufReader::new(served.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().trim_start_matches("listening on http://");
    let (address, path) = address.split_once('/').unwrap();
    let peer = Peer { address, path };

    let mut connection = peer.connect();
    // The first ones fill what is kept anyway.
    for _ in 0..100 {
        peer.open_session(&mut connection);
    }
    let before = resident(&served.0);
    let sessions: Vec<_> = (0..SESSIONS).map(|_| peer.open_session(&mut connection)).collect();
    let idle = resident(&served.0);
    let streams: Vec<_> =
        sessions.iter().take(STREAMS).map(|session| peer.open_stream(session)).collect();
    let open = resident(&served.0);
    // None was lost on the way.
    for session in sessions.iter().step_by(100) {
        let pong =
            peer.post(&mut connection, r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#, session);
        assert!(pong.contains("\"result\""), "{pong}");
    }
    streams.into_iter().for_each(still_open);
    ((idle - before) / SESSIONS, open.saturating_sub(idle) / STREAMS)
}

fn resident(child: &Child) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// A server, spoken to by hand.
struct Peer<'a> {
    address: &'a str,
    path: &'a str,
}

impl Peer<'_> {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// The id of a new session.
    fn open_session(&self, connection: &mut TcpStream) -> String {
        let response = self.post(
            connection,
            r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#,
            "",
        );
        let session = header(&response, "mcp-session-id");
        let done = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let accepted = self.post(connection, done, &session);
        assert!(accepted.starts_with("http/1.1 202"), "{accepted}");
        session
    }

    /// Sends a message and reads the whole response, of which the head is in small letters.
    fn post(&self, connection: &mut TcpStream, body: &str, session: &str) -> String {
        let session = match session {
            "" => String::new(),
            id => format!("mcp-session-id: {id}\r\nmcp-protocol-version: 2025-11-25\r\n"),
        };
        let request = format!(
            "POST /{} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\n{session}content-length: {}\r\n\r\n{body}",
            self.path,
            self.address,
            body.len()
        );
        connection.write_all(request.as_bytes()).unwrap();
        let head = read_head(connection);
        let mut body = Vec::new();
        if head.contains("transfer-encoding: chunked") {
            while !body.ends_with(b"\r\n0\r\n\r\n") {
                body.push(read_byte(connection));
            }
        } else if head.contains("content-length: ") {
            body.resize(header(&head, "content-length").parse().unwrap(), 0);
            connection.read_exact(&mut body).unwrap();
        }
        format!("{head}{}", String::from_utf8(body).unwrap())
    }

    /// The stream of a session for what belongs to no request.
    fn open_stream(&self, session: &str) -> TcpStream {
        let mut connection = self.connect();
        let request = format!(
            "GET /{} HTTP/1.1\r\nhost: {}\r\naccept: text/event-stream\r\nmcp-session-id: {session}\r\nmcp-protocol-version: 2025-11-25\r\n\r\n",
            self.path, self.address
        );
        connection.write_all(request.as_bytes()).unwrap();
        let head = read_head(&mut connection);
        assert!(head.starts_with("http/1.1 200"), "{head}");
        connection
    }
}

/// Fails if a stream has ended, which is when its connection or its last chunk has.
fn still_open(mut stream: TcpStream) {
    stream.set_nonblocking(true).unwrap();
    let mut said = Vec::new();
    let end = stream.read_to_end(&mut said).unwrap_err();
    assert_eq!(end.kind(), ErrorKind::WouldBlock);
    let said = String::from_utf8_lossy(&said);
    assert!(!said.ends_with("0\r\n\r\n"), "{said}");
}

fn read_head(connection: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(read_byte(connection));
    }
    String::from_utf8(head).unwrap().to_lowercase()
}

fn read_byte(connection: &mut TcpStream) -> u8 {
    let mut byte = [0];
    connection.read_exact(&mut byte).unwrap();
    byte[0]
}

fn header(head: &str, name: &str) -> String {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).next().unwrap()
}
