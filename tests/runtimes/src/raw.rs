//! A WebSocket spoken by hand: a peer whose every byte is chosen by the test.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};

use mcp_proto::driver::Transport;
use mcp_proto::net::Stream;
use tungstenite::handshake::derive_accept_key;

/// A text message.
pub const TEXT: u8 = 1;
/// A binary message.
pub const BINARY: u8 = 2;
/// The end of the connection.
pub const CLOSE: u8 = 8;
/// A question whether somebody is there.
pub const PING: u8 = 9;
/// The answer to it.
pub const PONG: u8 = 10;
/// The last fragment of a message.
pub const FIN: u8 = 0x80;

/// The headers that a client's handshake must have beside those of every WebSocket.
pub const GOOD: &str = "Host: localhost\r\nSec-WebSocket-Protocol: mcp\r\n";

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame {
    /// Which kind.
    pub opcode: u8,
    /// What is in it.
    pub payload: Vec<u8>,
}

impl Frame {
    /// What a text message says.
    pub fn text(&self) -> &str {
        assert_eq!(self.opcode, TEXT, "{self:?}");
        std::str::from_utf8(&self.payload).expect("UTF-8")
    }

    /// The code of a close frame.
    pub fn code(&self) -> u16 {
        assert_eq!(self.opcode, CLOSE, "{self:?}");
        u16::from_be_bytes(self.payload[..2].try_into().expect("a code"))
    }
}

/// The head of a handshake with these headers beside those that it must have.
pub fn handshake(headers: &str) -> String {
    format!(
        "GET /mcp HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

/// The beginning of a frame that says it has so many bytes, with a mask of zeros.
pub fn head(first: u8, len: u64) -> Vec<u8> {
    let mut head = vec![first];
    match len {
        0..126 => head.push(0x80 | len as u8),
        126..0x1_0000 => {
            head.push(0x80 | 126);
            head.extend((len as u16).to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend(len.to_be_bytes());
        }
    }
    head.extend([0; 4]);
    head
}

/// A frame of a client.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first, payload.len() as u64);
    frame.extend(payload);
    frame
}

/// The other end of a WebSocket.
#[derive(Debug)]
pub struct Raw {
    stream: Stream,
    buffer: Vec<u8>,
}

impl Raw {
    /// At the end of a stream on which nothing was said yet.
    pub fn new(stream: Stream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// A client that has shaken hands with its server.
    pub async fn open(stream: Stream) -> Self {
        let mut raw = Self::new(stream);
        raw.send(handshake(GOOD).as_bytes()).await;
        let answer = raw.read_head().await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert!(answer.to_lowercase().contains("sec-websocket-protocol: mcp\r\n"), "{answer}");
        assert!(!answer.to_lowercase().contains("extensions"), "{answer}");
        raw
    }

    /// A server that answers the handshake of its client with these headers beside those that it must have.
    pub async fn answer(stream: Stream, headers: &str) -> Self {
        let mut raw = Self::new(stream);
        let head = raw.read_head().await;
        let key = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.to_owned())
        };
        let key = head.lines().find_map(key).expect("a key");
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
        );
        raw.send(answer.as_bytes()).await;
        raw
    }

    /// The head of a request or of a response.
    pub async fn read_head(&mut self) -> String {
        let head = loop {
            let end = self.buffer.windows(4).position(|part| part == b"\r\n\r\n");
            if let Some(end) = end {
                break self.buffer.drain(..end + 4).collect();
            }
            assert!(self.fill().await > 0, "no whole head");
        };
        String::from_utf8(head).expect("UTF-8")
    }

    /// Sends it all.
    pub async fn send(&mut self, bytes: &[u8]) {
        assert!(self.offer(bytes).await, "it leaves");
        let flushed = poll_fn(|cx| Pin::new(&mut self.stream).poll_flush(cx)).await;
        flushed.expect("it leaves");
    }

    /// Sends it all, if it is taken to the end: whether it was.
    pub async fn offer(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match poll_fn(|cx| Pin::new(&mut self.stream).poll_write(cx, bytes)).await {
                Ok(written @ 1..) => bytes = &bytes[written..],
                _ => return false,
            }
        }
        true
    }

    /// Sends it all, and takes what comes meanwhile: whoever answers everything is not held up.
    pub async fn pour(&mut self, mut bytes: &[u8]) {
        poll_fn(|cx| {
            while !bytes.is_empty() {
                if let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, bytes) {
                    bytes = &bytes[written.expect("it leaves")..];
                    continue;
                }
                let mut taken = [0; 4096];
                let len = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut taken));
                self.buffer.extend(&taken[..len.expect("it goes on")]);
            }
            Pin::new(&mut self.stream).poll_flush(cx)
        })
        .await
        .expect("it leaves");
    }

    /// Offers this to whoever may not want it, and gives what comes until the end.
    pub async fn exchange(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        poll_fn(|cx| {
            while !bytes.is_empty() {
                match Pin::new(&mut self.stream).poll_write(cx, bytes) {
                    Poll::Ready(written) => {
                        bytes = written.map_or(&[], |len| &bytes[len..]);
                    }
                    Poll::Pending => break,
                }
            }
            let mut taken = [0; 4096];
            loop {
                match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut taken)) {
                    Ok(len @ 1..) => self.buffer.extend(&taken[..len]),
                    Ok(0) | Err(_) => return Poll::Ready(std::mem::take(&mut self.buffer)),
                }
            }
        })
        .await
    }

    /// Sends a text message.
    pub async fn say(&mut self, text: &str) {
        self.send(&frame(FIN | TEXT, text.as_bytes())).await;
    }

    /// Takes what has come, or comes next, and says how much; nothing at the end.
    pub async fn fill(&mut self) -> usize {
        let mut bytes = [0; 4096];
        let read = poll_fn(|cx| Pin::new(&mut self.stream).poll_read(cx, &mut bytes)).await;
        // A connection that was reset has ended too.
        let len = read.unwrap_or(0);
        self.buffer.extend(&bytes[..len]);
        len
    }

    /// So many bytes; `None` at the end.
    async fn take(&mut self, len: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < len {
            if self.fill().await == 0 {
                return None;
            }
        }
        Some(self.buffer.drain(..len).collect())
    }

    /// The next frame; `None` at the end.
    pub async fn next(&mut self) -> Option<Frame> {
        let first = self.take(1).await?[0];
        assert_eq!(first & 0x70, 0, "reserved bits");
        assert_eq!(first & FIN, FIN, "we do not fragment");
        let second = self.take(1).await.expect("a whole frame")[0];
        let long = match second & 0x7F {
            126 => self.take(2).await.expect("a whole frame"),
            127 => self.take(8).await.expect("a whole frame"),
            len => vec![len],
        };
        let len = long.iter().fold(0, |len, byte| len << 8 | usize::from(*byte));
        let mut mask = vec![0; 4];
        if second >= 0x80 {
            mask = self.take(4).await.expect("a whole frame");
            assert_ne!(mask, [0; 4], "a mask is random");
        }
        let mut payload = self.take(len).await.expect("a whole frame");
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Some(Frame { opcode: first & 0x0F, payload })
    }

    /// Closes it from this side, waits for the answer and gives back its code.
    pub async fn close(&mut self) -> u16 {
        self.send(&frame(FIN | CLOSE, &1000_u16.to_be_bytes())).await;
        self.ended().await
    }

    /// The code that the other side closes it with, whatever it says before.
    pub async fn ended(&mut self) -> u16 {
        loop {
            let frame = self.next().await.expect("it says why it ends");
            if frame.opcode == CLOSE {
                return frame.code();
            }
        }
    }
}
