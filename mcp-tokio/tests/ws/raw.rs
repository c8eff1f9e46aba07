//! A WebSocket peer whose every byte is chosen by the test.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tungstenite::handshake::derive_accept_key;

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;
/// The last fragment of a message.
pub(crate) const FIN: u8 = 0x80;

/// The other end of a server.
pub(crate) struct Raw<S>(pub(crate) S);

/// One frame.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn text(&self) -> &str {
        assert_eq!(self.opcode, TEXT, "{self:?}");
        std::str::from_utf8(&self.payload).unwrap()
    }

    /// The code of a close frame.
    pub(crate) fn code(&self) -> u16 {
        assert_eq!(self.opcode, CLOSE, "{self:?}");
        u16::from_be_bytes(self.payload[..2].try_into().unwrap())
    }
}

/// The head of a handshake with these headers beside those that it must have.
pub(crate) fn head(headers: &str) -> String {
    format!(
        "GET /mcp HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
}

pub(crate) const GOOD: &str = "Host: localhost\r\nSec-WebSocket-Protocol: mcp\r\n";

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    /// Shakes hands, and gives back the head of the answer.
    pub(crate) async fn shake_hands(&mut self, headers: &str) -> String {
        self.0.write_all(head(headers).as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(self.0.read_u8().await.unwrap());
        }
        String::from_utf8(answer).unwrap()
    }

    /// Answers the handshake of a client with these headers beside those that it must have.
    pub(crate) async fn answer(stream: S, headers: &str) -> Self {
        let mut raw = Self(stream);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(raw.0.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let key = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.to_owned())
        };
        let key = head.lines().find_map(key).unwrap();
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
        );
        raw.0.write_all(answer.as_bytes()).await.unwrap();
        raw
    }

    /// One that is open.
    pub(crate) async fn open(stream: S) -> Self {
        let mut raw = Self(stream);
        let answer = raw.shake_hands(GOOD).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert!(answer.to_lowercase().contains("sec-websocket-protocol: mcp\r\n"), "{answer}");
        assert!(!answer.to_lowercase().contains("extensions"), "{answer}");
        raw
    }

    /// Sends the beginning of a frame that says it has so many bytes, with a mask of zeros.
    pub(crate) async fn begin(&mut self, first: u8, length: u64) {
        let mut head = vec![first];
        match length {
            0..126 => head.push(0x80 | length as u8),
            126..0x1_0000 => {
                head.push(0x80 | 126);
                head.extend((length as u16).to_be_bytes());
            }
            _ => {
                head.push(0x80 | 127);
                head.extend(length.to_be_bytes());
            }
        }
        head.extend([0; 4]);
        self.0.write_all(&head).await.unwrap();
    }

    pub(crate) async fn send(&mut self, first: u8, payload: &[u8]) {
        self.begin(first, payload.len() as u64).await;
        self.0.write_all(payload).await.unwrap();
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.send(FIN | TEXT, text.as_bytes()).await;
    }

    /// The next frame; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let first = self.0.read_u8().await.ok()?;
        assert_eq!(first & 0x70, 0, "reserved bits");
        let second = self.0.read_u8().await.unwrap();
        let length = match second & 0x7F {
            126 => u64::from(self.0.read_u16().await.unwrap()),
            127 => self.0.read_u64().await.unwrap(),
            length => u64::from(length),
        };
        assert_eq!(first & FIN, FIN, "we do not fragment");
        let mut mask = [0; 4];
        if second >= 0x80 {
            self.0.read_exact(&mut mask).await.unwrap();
            assert_ne!(mask, [0; 4], "a mask is random");
        }
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await.unwrap();
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Some(Frame { opcode: first & 0x0F, payload })
    }

    /// Closes it from this side, waits for the answer and gives back its code.
    pub(crate) async fn close(&mut self) -> u16 {
        self.send(FIN | CLOSE, &1000_u16.to_be_bytes()).await;
        loop {
            let frame = self.next().await.expect("the close frame is answered");
            if frame.opcode == CLOSE {
                return frame.code();
            }
        }
    }

    /// The code that the other side closes it with, whatever it says before; nothing follows.
    pub(crate) async fn ended(&mut self) -> u16 {
        loop {
            let frame = self.next().await.expect("it says why it ends");
            if frame.opcode == CLOSE {
                return frame.code();
            }
        }
    }
}
