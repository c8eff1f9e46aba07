//! A client that is a socket and some bytes, the same for every server.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use mcp_bench::http::servers::Answer;
use mcp_bench::http::{Load, MEDIA, OPENING, PATH};

/// One connection that is kept.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A response: its head in small letters, and its body as it came.
struct Response {
    head: String,
    body: String,
}

impl Connection {
    pub fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a server that listens");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, buffer: Vec::with_capacity(64 << 10) }
    }

    pub fn send(&mut self, request: &[u8]) {
        self.stream.write_all(request).expect("an open connection");
    }

    /// Reads one response to its end.
    pub fn receive(&mut self) {
        self.buffer.clear();
        while !is_whole(&self.buffer) {
            self.read();
        }
        assert!(
            self.buffer.starts_with(b"HTTP/1.1 20"),
            "{}",
            String::from_utf8_lossy(&self.buffer)
        );
    }

    /// The head of a response whose body goes on.
    pub fn receive_head(&mut self) {
        self.buffer.clear();
        while !self.buffer.windows(4).any(|four| four == b"\r\n\r\n") {
            self.read();
        }
        assert!(self.buffer.starts_with(b"HTTP/1.1 200"));
    }

    /// Fails if the response whose head was received last has ended, or its connection has.
    pub fn assert_is_open(mut self) {
        self.stream.set_nonblocking(true).expect("a socket");
        let end = self.stream.read_to_end(&mut self.buffer).expect_err("an open connection");
        assert_eq!(end.kind(), ErrorKind::WouldBlock);
        assert!(!self.buffer.ends_with(b"0\r\n\r\n"), "it has ended");
    }

    fn read(&mut self) {
        let mut chunk = [0; 16 << 10];
        let read = self.stream.read(&mut chunk).expect("an open connection");
        assert!(read > 0, "hung up after {}", String::from_utf8_lossy(&self.buffer));
        self.buffer.extend_from_slice(&chunk[..read]);
    }

    /// The response that was received last.
    fn response(&self) -> Response {
        let text = std::str::from_utf8(&self.buffer).expect("UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let head = head.to_lowercase();
        let body = if is_chunked(&head) { without_chunks(body) } else { body.to_owned() };
        Response { head, body }
    }

    /// A session of 2025-11-25: its id.
    pub fn open_session(&mut self, address: &str) -> String {
        let [initialize, initialized] = OPENING;
        self.send(&request(address, &MEDIA, initialize));
        self.receive();
        let id = self.response().header("mcp-session-id").expect("a session").to_owned();
        let mut headers = MEDIA.to_vec();
        headers.extend([("mcp-session-id", id.as_str()), ("mcp-protocol-version", "2025-11-25")]);
        self.send(&request(address, &headers, initialized));
        self.receive();
        id
    }

    /// What a server answers to a load, once it was seen to be the whole answer.
    pub fn answer(&mut self, load: Load, request: &[u8]) -> Answer {
        self.send(request);
        self.receive();
        let response = self.response();
        assert!(load.is_answered(&response.body), "{load:?}: {}", response.body);
        let content_type = response.header("content-type").expect("a type").to_owned();
        let frames = match content_type.starts_with("text/event-stream") {
            true => response.body.split_inclusive("\n\n").map(str::to_owned).collect(),
            false => vec![response.body],
        };
        Answer { content_type, frames }
    }
}

impl Response {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}

/// A POST.
pub fn request(address: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let len = body.len();
    format!(
        "POST {PATH} HTTP/1.1\r\nhost: {address}\r\n{headers}content-length: {len}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn is_chunked(head: &str) -> bool {
    head.contains("transfer-encoding: chunked")
}

/// Whether a response is there to its end. Nothing comes behind it, since nothing was asked.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let body = &bytes[end + 4..];
    if is_chunked(&head) {
        return body == b"0\r\n\r\n" || body.ends_with(b"\r\n0\r\n\r\n");
    }
    let len = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    len.is_none_or(|len| len.parse::<usize>().expect("a length") <= body.len())
}

fn without_chunks(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((len, rest)) = body.split_once("\r\n") {
        let len = usize::from_str_radix(len, 16).expect("a chunk's length");
        whole += &rest[..len];
        body = rest[len..].strip_prefix("\r\n").unwrap_or_default();
    }
    whole
}
