//! The other end of a connection, spoken by hand.

use std::future::poll_fn;
use std::io;
use std::os::unix::net::UnixStream;
use std::pin::Pin;

use futures_lite::future::zip;
use mcp_proto::driver::{Client, Transport};
use mcp_proto::net::{Platform, Stream};
use mcp_proto::{ClientConfig, RawJson, Revision};

use crate::Host;

/// A peer whose every byte is chosen by the test.
#[derive(Debug)]
pub struct Peer {
    stream: Stream,
    buffer: Vec<u8>,
}

/// A request that the client sent.
#[derive(Debug)]
pub struct Asked {
    /// Its id as it was written; empty for a notification.
    pub id: String,
    /// Its method.
    pub method: String,
    /// The progress token as it was written, if there is one.
    pub token: Option<String>,
    /// All of it.
    pub line: RawJson,
}

impl Asked {
    /// What a message says.
    pub fn of(line: RawJson) -> Self {
        let text = |path: &[&str]| {
            let mut value = line.as_raw();
            for name in path {
                value = value.get(name)?;
            }
            Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let (id, method) = (text(&["id"]), text(&["method"]));
        let token = text(&["params", "_meta", "progressToken"]);
        let method = method.map(|method| method.trim_matches('"').to_owned());
        let (id, method) = (id.unwrap_or_default(), method.unwrap_or_default());
        Self { id, method, token, line: line.clone() }
    }
}

/// The two ends of a connection.
pub fn sockets() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("a pair of sockets")
}

/// The same, with little room between them: some thousand bytes.
pub fn small_sockets() -> (UnixStream, UnixStream) {
    let (near, far) = sockets();
    for socket in [&near, &far] {
        rustix::net::sockopt::set_socket_send_buffer_size(socket, 1).expect("an option");
    }
    (near, far)
}

/// A client that is ready, and its server.
pub async fn pair<H: Host>() -> (Client, Peer) {
    let (near, far) = sockets();
    let mut peer = Peer::new::<H>(far);
    let (client, ()) = zip(H::connect(near, config()), peer.shake_hands()).await;
    (client.expect("a handshake"), peer)
}

/// The same on a platform, over any transport.
pub async fn pair_over(
    platform: impl Platform + Clone,
    near: impl Transport<Error = io::Error> + Send + 'static,
    mut peer: Peer,
) -> (Client, Peer) {
    let connecting = mcp_proto::net::connect(near, config(), platform);
    let (client, ()) = zip(connecting, peer.shake_hands()).await;
    (client.expect("a handshake"), peer)
}

fn config() -> ClientConfig {
    ClientConfig::new("test", "1.0").revisions(Revision::V2025_11_25)
}

impl Peer {
    /// At one end of a connection.
    pub fn new<H: Host>(socket: UnixStream) -> Self {
        Self { stream: H::stream(socket), buffer: Vec::new() }
    }

    async fn shake_hands(&mut self) {
        let asked = self.next().await.expect("a request");
        assert_eq!(asked.method, "initialize");
        let result = r#"{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"t","version":"1"}}"#;
        self.send(&answer(&asked.id, result)).await;
        assert_eq!(self.next().await.expect("a notification").method, "notifications/initialized");
    }

    /// The next line; `None` at the end.
    pub async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.drain(..=at).collect();
                return Some(String::from_utf8(line).expect("UTF-8"));
            }
            if self.read().await == 0 {
                return None;
            }
        }
    }

    /// Everything up to the end.
    pub async fn rest(&mut self) -> String {
        while self.read().await > 0 {}
        String::from_utf8(std::mem::take(&mut self.buffer)).expect("UTF-8")
    }

    async fn read(&mut self) -> usize {
        let mut bytes = [0; 4096];
        let read = poll_fn(|cx| Pin::new(&mut self.stream).poll_read(cx, &mut bytes)).await;
        // A connection that was reset has ended too.
        let len = read.unwrap_or(0);
        self.buffer.extend(&bytes[..len]);
        len
    }

    /// The next message; `None` at the end.
    pub async fn next(&mut self) -> Option<Asked> {
        let line = self.line().await?;
        Some(Asked::of(RawJson::parse(line.trim_end().to_owned()).expect("JSON")))
    }

    /// Sends it all.
    pub async fn send(&mut self, text: &str) {
        assert!(self.try_send(text).await, "it does not leave");
    }

    /// The same, and whether it could.
    pub async fn try_send(&mut self, text: &str) -> bool {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            match poll_fn(|cx| Pin::new(&mut self.stream).poll_write(cx, rest)).await {
                Ok(written) => rest = &rest[written..],
                Err(_) => return false,
            }
        }
        poll_fn(|cx| Pin::new(&mut self.stream).poll_flush(cx)).await.is_ok()
    }

    /// Ends what it sends, and goes on reading.
    pub async fn hang_up(&mut self) {
        poll_fn(|cx| Pin::new(&mut self.stream).poll_close(cx)).await.expect("a socket");
    }
}

/// A handshake of 2025-11-25 and a call of each tool, with ids from 1 on.
pub fn talk(tools: &[&str]) -> String {
    let mut talk = String::from(concat!(
        r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#,
        "\n",
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        "\n"
    ));
    for (id, tool) in (1..).zip(tools) {
        talk += &format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}"}}}}"#
        );
        talk.push('\n');
    }
    talk
}

/// A response as a line.
pub fn answer(id: &str, result: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}\n")
}

/// A result of a tool as a line.
pub fn done(id: &str) -> String {
    answer(id, r#"{"content":[{"type":"text","text":"done"}]}"#)
}

/// A report as a line.
pub fn report(token: &str, value: usize) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":{token},\"progress\":{value}}}}}\n"
    )
}
