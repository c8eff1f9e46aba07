//! The other end of a pipe: bytes written as a case says, and everything that comes back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_tests::bad_input::case::Feed;
use mcp_tests::bad_input::message::{Sent, cut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes that a pipe in memory holds: as many as one of the operating system, or so few that what is not taken
/// is seen.
const PIPE: usize = 64 << 10;
const NARROW: usize = 1 << 10;

/// What carries the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipe {
    /// A buffer of this process.
    Memory,
    /// One of the operating system in each direction, both ends in this process.
    System,
}

/// The other end of a pipe.
pub struct Wire {
    /// What was read and not yet looked at.
    read: Arc<Mutex<Vec<u8>>>,
    /// Gone while a write waits for its reader.
    writer: Option<Writer>,
    /// How often bytes came or left.
    moves: Arc<AtomicUsize>,
}

/// A reader of either kind of pipe.
pub type Reader = Box<dyn AsyncRead + Send + Unpin>;
/// A writer of either kind of pipe.
pub type Writer = Box<dyn AsyncWrite + Send + Unpin>;

impl Wire {
    /// A pipe each way: this end, and the reader and the writer of the side that is tried. If nobody `reads`, what
    /// comes back stays in the pipe.
    pub fn new(pipe: Pipe, reads: bool) -> (Self, Reader, Writer) {
        let ((near_reader, near_writer), (reader, writer)): ((Reader, Writer), (Reader, Writer)) =
            match pipe {
                Pipe::Memory => {
                    let (near, far) = tokio::io::duplex(if reads { PIPE } else { NARROW });
                    (boxed(near), boxed(far))
                }
                Pipe::System => {
                    let (there, far) = tokio::net::unix::pipe::pipe().expect("a pipe");
                    let (back, near) = tokio::net::unix::pipe::pipe().expect("a pipe");
                    ((Box::new(near), Box::new(there)), (Box::new(far), Box::new(back)))
                }
            };
        let read = Arc::new(Mutex::new(Vec::new()));
        let moves = Arc::new(AtomicUsize::new(0));
        tokio::spawn(read_all(near_reader, read.clone(), moves.clone(), reads));
        (Self { read, writer: Some(near_writer), moves }, reader, writer)
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
        let (bytes, moves) = (bytes.to_vec(), self.moves.clone());
        let writing = tokio::spawn(async move {
            let step = if feed == Feed::Bytewise { 1 } else { bytes.len().max(1) };
            'input: for chunk in bytes.chunks(step) {
                let mut rest = chunk;
                while !rest.is_empty() {
                    // Whoever has ended the connection does not read what comes after.
                    let Ok(written @ 1..) = writer.write(rest).await else { break 'input };
                    rest = &rest[written..];
                    moves.fetch_add(1, Ordering::Relaxed);
                }
                if feed == Feed::Bytewise {
                    tokio::task::yield_now().await;
                }
            }
            let _ = writer.flush().await;
            writer
        });
        self.settle().await;
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
        self.settle().await;
    }

    /// Waits until every task waits, and no bytes are on their way.
    ///
    /// The clock is a simulated one that moves only when every task waits. What the operating system carries is
    /// looked at once before each move, so a message may take a few of them.
    pub async fn settle(&self) {
        const MOVE: Duration = Duration::from_millis(10);
        const QUIET: usize = 20;
        let mut quiet = 0;
        while quiet < QUIET {
            let before = self.moves.load(Ordering::Relaxed);
            tokio::time::sleep(MOVE).await;
            quiet = if self.moves.load(Ordering::Relaxed) == before { quiet + 1 } else { 0 };
        }
    }

    /// Lets time pass, and what is due in it happen.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
        self.settle().await;
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

fn boxed(stream: tokio::io::DuplexStream) -> (Reader, Writer) {
    let (reader, writer) = tokio::io::split(stream);
    (Box::new(reader), Box::new(writer))
}

async fn read_all(
    mut reader: Reader,
    read: Arc<Mutex<Vec<u8>>>,
    moves: Arc<AtomicUsize>,
    reads: bool,
) {
    if !reads {
        // The pipe stays open, and full.
        return std::future::pending::<()>().await;
    }
    let mut buffer = vec![0; 64 << 10];
    while let Ok(length @ 1..) = reader.read(&mut buffer).await {
        read.lock().unwrap().extend_from_slice(&buffer[..length]);
        moves.fetch_add(1, Ordering::Relaxed);
    }
}
