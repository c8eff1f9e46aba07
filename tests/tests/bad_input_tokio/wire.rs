//! The other end of a pipe: bytes written as a case says, and everything that comes back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_tests::bad_input::case::Feed;
use mcp_tests::bad_input::message::{Sent, cut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The other end of a pipe.
pub struct Wire<W> {
    /// What was read and not yet looked at.
    read: Arc<Mutex<Vec<u8>>>,
    /// Gone while a write waits for its reader.
    writer: Option<W>,
}

impl<W: AsyncWrite + Unpin + Send + 'static> Wire<W> {
    /// The other end. If nobody `reads`, what comes back stays in the pipe.
    pub fn new<R: AsyncRead + Unpin + Send + 'static>(
        mut reader: R,
        writer: W,
        reads: bool,
    ) -> Self {
        let read = Arc::new(Mutex::new(Vec::new()));
        let all = read.clone();
        tokio::spawn(async move {
            if !reads {
                // The pipe stays open, and full.
                return std::future::pending::<()>().await;
            }
            let mut buffer = vec![0; 64 << 10];
            while let Ok(length @ 1..) = reader.read(&mut buffer).await {
                all.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        Self { read, writer: Some(writer) }
    }

    /// Writes an input as its case says. Whether all was taken.
    pub async fn feed(&mut self, input: &[u8], feed: Feed) -> bool {
        match feed {
            Feed::WaitForReplyBetweenLines => {
                for line in input.split_inclusive(|byte| *byte == b'\n') {
                    if !self.write(line, Feed::Greedy).await {
                        return false;
                    }
                }
                true
            }
            feed => self.write(input, feed).await,
        }
    }

    /// Writes it, and waits until nothing can go on. Whether all was taken.
    pub async fn write(&mut self, bytes: &[u8], feed: Feed) -> bool {
        let Some(mut writer) = self.writer.take() else { return false };
        let bytes = bytes.to_vec();
        let writing = tokio::spawn(async move {
            let step = if feed == Feed::Bytewise { 1 } else { bytes.len().max(1) };
            for chunk in bytes.chunks(step) {
                // Whoever has ended the connection does not read what comes after.
                if writer.write_all(chunk).await.is_err() {
                    break;
                }
                if feed == Feed::Bytewise {
                    tokio::task::yield_now().await;
                }
            }
            let _ = writer.flush().await;
            writer
        });
        settle().await;
        if !writing.is_finished() {
            return false;
        }
        self.writer = Some(writing.await.unwrap());
        true
    }

    /// Nothing more will be written.
    pub async fn eof(&mut self) {
        if let Some(mut writer) = self.writer.take() {
            let _ = writer.shutdown().await;
        }
        settle().await;
    }

    /// The messages that came back since this was asked last, and what is wrong with the bytes.
    pub fn take(&self) -> (Vec<Sent>, usize, Vec<String>) {
        let bytes = std::mem::take(&mut *self.read.lock().unwrap());
        let (mut sent, mut faults) = (Vec::new(), Vec::new());
        for (at, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let read = line.strip_suffix(b"\n").ok_or_else(|| "a line without end".to_owned());
            match read.and_then(|line| Sent::of_line(at, line)) {
                Ok(messages) => sent.extend(messages),
                Err(fault) => faults.push(format!(
                    "invalid output: {fault}: {}",
                    cut(&String::from_utf8_lossy(line))
                )),
            }
        }
        (sent, bytes.len(), faults)
    }
}

/// Waits until every task waits: the clock is a simulated one, and it moves only then.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(200)).await;
}
