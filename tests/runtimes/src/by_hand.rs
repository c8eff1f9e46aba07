//! HTTP/1.1 spoken by hand, over sockets that block.

use std::io::{self, BufRead, Write};
use std::net::{SocketAddr, TcpStream};

use mcp_proto::RawJson;

use crate::peer::{Asked, answer, report};

/// A request as it came.
#[derive(Debug)]
pub struct Requested {
    /// Its first line and its headers.
    pub head: String,
    /// The message that is its body, if it has one.
    pub said: Option<Asked>,
}

impl Requested {
    /// The next of a connection; `None` at its end.
    ///
    /// # Errors
    ///
    /// Why there is no more.
    pub fn next(stream: &mut impl BufRead) -> io::Result<Option<Self>> {
        let (mut head, mut len, mut line) = (String::new(), 0, String::new());
        while line != "\r\n" {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                len = value.trim().parse().expect("a length");
            }
            head += &line;
        }
        let mut said = vec![0; len];
        stream.read_exact(&mut said)?;
        let said = (len > 0).then(|| Asked::of(RawJson::parse(said).expect("JSON")));
        Ok(Some(Self { head, said }))
    }

    /// A response of the modern era to it, the last of its connection: the [answers](Asked::answers) to what it says.
    pub fn response(&self, reports: usize) -> String {
        let asked = self.said.as_ref().expect("a message");
        let answers = asked.answers(reports);
        let (kind, body) = match asked.method.as_str() {
            "tools/call" => ("text/event-stream", answers.iter().map(|said| event(said)).collect()),
            _ => ("application/json", answers.concat()),
        };
        let len = body.len();
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len}\r\nconnection: close\r\n\r\n{body}"
        )
    }
}

impl Asked {
    /// What a server of the modern era says to it: to a discovery what it has to be; to a call so many reports, and the
    /// result.
    pub fn answers(&self, reports: usize) -> Vec<String> {
        let result = match self.method.as_str() {
            "server/discover" => {
                r#"{"resultType":"complete","supportedVersions":["2026-07-28"],"capabilities":{"tools":{}}}"#
            }
            "tools/call" => {
                r#"{"resultType":"complete","content":[{"type":"text","text":"done"}]}"#
            }
            other => panic!("{other}"),
        };
        let reports = if self.method == "tools/call" { reports } else { 0 };
        let reports =
            (1..=reports).map(|value| report(self.token.as_ref().expect("a token"), value));
        reports.chain([answer(&self.id, result)]).collect()
    }

    /// A report to who asked, as an event.
    pub fn report(&self, value: usize) -> String {
        event(&report(self.token.as_ref().expect("a token"), value))
    }
}

fn event(message: &str) -> String {
    format!("data: {message}\n")
}

/// A call of the modern era, as a request.
pub fn request(address: SocketAddr, tool: &str) -> String {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}","_meta":{{"progressToken":1,"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    );
    format!(
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\naccept: application/json, text/event-stream\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {tool}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The same on a connection of its own. Nothing of the response is read.
pub fn call(address: SocketAddr, tool: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("somebody listens");
    stream.write_all(request(address, tool).as_bytes()).expect("a connection");
    stream
}
