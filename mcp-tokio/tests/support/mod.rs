//! The other end of a client, spoken by hand.
#![allow(dead_code)] // each test file uses what it needs

use mcp_tokio::{Client, ClientConfig, RawJson, Revision};
use tokio::io::{
    AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf,
};

/// A server whose every byte is chosen by the test.
pub(crate) struct Peer {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    writer: WriteHalf<DuplexStream>,
}

/// A request that the client sent.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) id: String,
    pub(crate) method: String,
    /// The progress token as it was written, if there is one.
    pub(crate) token: Option<String>,
    pub(crate) line: RawJson,
}

/// A client that is ready, and its server; the pipe between them holds `capacity` bytes each way.
pub(crate) async fn pair(capacity: usize) -> (Client, Peer) {
    let (near, far) = tokio::io::duplex(capacity);
    let (reader, writer) = tokio::io::split(far);
    let mut peer = Peer { lines: BufReader::new(reader).lines(), writer };
    let (reader, writer) = tokio::io::split(near);
    let config = ClientConfig::new("test", "1.0").revisions(Revision::V2025_11_25);
    let (client, ()) = tokio::join!(mcp_tokio::connect(reader, writer, config), peer.shake_hands());
    (client.unwrap(), peer)
}

impl Peer {
    async fn shake_hands(&mut self) {
        let asked = self.next().await.unwrap();
        assert_eq!(asked.method, "initialize");
        let result = r#"{"protocolVersion":"2025-11-25","capabilities":{},"serverInfo":{"name":"t","version":"1"}}"#;
        self.send(&answer(&asked.id, result)).await;
        assert_eq!(self.next().await.unwrap().method, "notifications/initialized");
    }

    /// The next message of the client; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Asked> {
        let line = RawJson::parse(self.lines.next_line().await.unwrap()?).unwrap();
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
        Some(Asked {
            id: id.unwrap_or_default(),
            method: method.unwrap_or_default(),
            token,
            line: line.clone(),
        })
    }

    /// Sends it all in one write.
    pub(crate) async fn send(&mut self, text: &str) {
        self.writer.write_all(text.as_bytes()).await.unwrap();
    }
}

/// A response as a line.
pub(crate) fn answer(id: &str, result: &str) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{result}}}\n")
}

/// A result of a tool as a line.
pub(crate) fn done(id: &str) -> String {
    answer(id, r#"{"content":[{"type":"text","text":"done"}]}"#)
}

/// A report as a line.
pub(crate) fn report(token: &str, value: usize) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{{\"progressToken\":{token},\"progress\":{value}}}}}\n"
    )
}
