//! The recording of a run: every chunk read and written, as JSON lines that the engine can replay.
//!
//! A line is `{"time":SECONDS,"direction":"read"|"write","text":…}`, with `"base64"` instead of `"text"`
//! where the chunk is no UTF-8 (a character may be cut in two), and `"end":true` where the server's output
//! has ended. `mcp_proto::testing::recording` replays it. What passes in messages is written by the message, see
//! [`record_remote`](crate::record_remote).

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use mcp_tokio::Stream;
use mcp_tokio::mcp_proto::RawJson;
use mcp_tokio::mcp_proto::driver::Transport;
use serde::Serialize;

use crate::text::one_line;

/// A recording. Clones write to the same file.
#[derive(Clone)]
pub(crate) struct Recorder {
    /// `None` once it could not be written to.
    file: Arc<Mutex<Option<Box<dyn Write + Send>>>>,
    start: Instant,
    on_failure: Arc<dyn Fn(io::Error) + Send + Sync>,
}

impl Recorder {
    /// A recording in a new file, whose clock starts now. `on_failure` hears, at most once, why it ends early.
    pub(crate) fn create(
        path: &Path,
        on_failure: impl Fn(io::Error) + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Ok(Self::over(File::create(path)?, on_failure))
    }

    fn over(
        file: impl Write + Send + 'static,
        on_failure: impl Fn(io::Error) + Send + Sync + 'static,
    ) -> Self {
        Self {
            file: Arc::new(Mutex::new(Some(Box::new(file)))),
            start: Instant::now(),
            on_failure: Arc::new(on_failure),
        }
    }

    /// Writes a chunk of a stream down.
    fn note(&self, direction: Direction, bytes: &[u8]) {
        self.write(|out, time| write_entry(out, time, direction, bytes));
    }

    /// Writes a message down that passed by itself; over HTTP with its exchange.
    pub(crate) fn message(&self, from: Side, exchange: Option<u64>, message: &[u8]) {
        self.write(|out, time| {
            let head = Head { time: rounded(time), from, exchange };
            match RawJson::parse(message.to_vec()) {
                Ok(_) => write_member(out, &head, &format!("\"message\":{}", in_a_line(message))),
                Err(_) => match std::str::from_utf8(message) {
                    Ok(text) => {
                        let text = RawJson::string(&format!("{text}\n"));
                        write_member(out, &head, &format!("\"text\":{text}"))
                    }
                    Err(_) => {
                        let digits = base64(&[message, b"\n"].concat());
                        write_member(out, &head, &format!("\"base64\":\"{digits}\""))
                    }
                },
            }
        });
    }

    /// Writes down that one side says nothing more; over HTTP, in that exchange.
    pub(crate) fn end(&self, from: Side, exchange: Option<u64>) {
        self.write(|out, time| {
            let head = Head { time: rounded(time), from, exchange };
            write_member(out, &head, "\"end\":true")
        });
    }

    /// Writes a note down, for people.
    pub(crate) fn remark(&self, text: &str) {
        self.write(|out, _| out.write_all(format!("# {}\n", one_line(text)).as_bytes()));
    }

    /// A full disk must not end the call; but a recording with a gap replays to something that never was, so it ends at
    /// the first line that is not written.
    fn write(&self, write: impl FnOnce(&mut dyn Write, f64) -> io::Result<()>) {
        let time = self.start.elapsed().as_secs_f64();
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(out) = file.as_mut() else { return };
        if let Err(error) = write(out, time) {
            *file = None;
            drop(file);
            (self.on_failure)(error);
        }
    }
}

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Client,
    Server,
}

/// How a line of a message begins.
#[derive(Serialize)]
struct Head {
    time: f64,
    from: Side,
    #[serde(skip_serializing_if = "Option::is_none")]
    exchange: Option<u64>,
}

/// One line, in one write: the head, and a last member.
fn write_member(out: &mut dyn Write, head: &Head, member: &str) -> io::Result<()> {
    let head = serde_json::to_string(head)?;
    let head = head.strip_suffix('}').unwrap_or(&head);
    out.write_all(format!("{head},{member}}}\n").as_bytes())
}

/// A message without the line ends that it may have between its members.
fn in_a_line(message: &[u8]) -> String {
    String::from_utf8_lossy(message).replace(['\n', '\r'], " ")
}

/// A stream whose traffic is written down, if a recording is made.
pub(crate) struct Recorded {
    inner: Stream,
    recorder: Option<Recorder>,
}

impl Recorded {
    pub(crate) fn new(inner: Stream, recorder: Option<Recorder>) -> Self {
        Self { inner, recorder }
    }
}

impl Transport for Recorded {
    type Error = io::Error;

    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
        if let (Ok(read), Some(recorder)) = (&read, &self.recorder) {
            recorder.note(Direction::Read, buf.get(..*read).unwrap_or_default());
        }
        Poll::Ready(read)
    }

    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes));
        if let (Ok(written), Some(recorder)) = (&written, &self.recorder) {
            recorder.note(Direction::Write, bytes.get(..*written).unwrap_or_default());
        }
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Read,
    Write,
}

#[derive(Serialize)]
struct Entry<'a> {
    time: f64,
    direction: Direction,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<bool>,
}

/// One line, in one write, so that a run that is killed leaves whole lines.
fn write_entry(
    out: &mut (impl Write + ?Sized),
    time: f64,
    direction: Direction,
    bytes: &[u8],
) -> io::Result<()> {
    let text = std::str::from_utf8(bytes).ok();
    let entry = Entry {
        time: rounded(time),
        direction,
        text: text.filter(|text| !text.is_empty()),
        base64: text.is_none().then(|| base64(bytes)),
        end: bytes.is_empty().then_some(true),
    };
    let mut line = serde_json::to_vec(&entry)?;
    line.push(b'\n');
    out.write_all(&line)
}

/// To microseconds.
fn rounded(time: f64) -> f64 {
    (time * 1e6).round() / 1e6
}

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, &byte| group << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let digit = (group >> (18 - 6 * position)) & 63;
            let letter = match u8::try_from(digit).unwrap_or_default() {
                digit @ 0..=25 => b'A' + digit,
                digit @ 26..=51 => b'a' + digit - 26,
                digit @ 52..=61 => b'0' + digit - 52,
                62 => b'+',
                _ => b'/',
            };
            out.push(if position <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    fn line(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        write_entry(&mut out, 1.234_567_89, Direction::Read, bytes).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn text_stays_readable_and_the_rest_is_base64() {
        assert_eq!(
            line(b"{\"a\":\"\xe5\xae\x8c\"}\n"),
            "{\"time\":1.234568,\"direction\":\"read\",\"text\":\"{\\\"a\\\":\\\"完\\\"}\\n\"}\n"
        );
        assert_eq!(
            line(b"\xe5\xae"),
            "{\"time\":1.234568,\"direction\":\"read\",\"base64\":\"5a4=\"}\n"
        );
        assert_eq!(line(b""), "{\"time\":1.234568,\"direction\":\"read\",\"end\":true}\n");
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn a_message_is_a_line_whatever_it_is() {
        let on_disk = Arc::new(Mutex::new(Vec::new()));
        let recorder = Recorder::over(Disk(9, on_disk.clone()), |error| panic!("{error}"));
        recorder.message(Side::Client, Some(1), b"{\r\n\"a\":\n\"\\n\"}");
        recorder.message(Side::Server, None, b"junk\n");
        recorder.message(Side::Server, None, b"\xff");
        recorder.end(Side::Client, Some(1));
        recorder.remark("a\nb");
        let text = String::from_utf8(on_disk.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = text.lines().map(|line| line.split_once(",\"from\":")).collect();
        assert_eq!(
            lines.iter().flatten().map(|(_, rest)| *rest).collect::<Vec<_>>(),
            [
                "\"client\",\"exchange\":1,\"message\":{  \"a\": \"\\n\"}}",
                "\"server\",\"text\":\"junk\\n\\n\"}",
                "\"server\",\"base64\":\"/wo=\"}",
                "\"client\",\"exchange\":1,\"end\":true}",
            ]
        );
        assert!(text.ends_with("# a b\n"), "{text}");
    }

    /// A disk with room for so many lines more.
    struct Disk(usize, Arc<Mutex<Vec<u8>>>);

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or(io::ErrorKind::StorageFull)?;
            self.1.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_recording_that_a_full_disk_ends_has_no_gap_and_says_so_once() {
        let (told, failures) = std::sync::mpsc::channel();
        let on_disk = Arc::new(Mutex::new(Vec::new()));
        let recorder = Recorder::over(Disk(2, on_disk.clone()), move |error| {
            told.send(error.kind()).unwrap();
        });
        for chunk in ["a", "b", "c", "d"] {
            recorder.note(Direction::Read, chunk.as_bytes());
        }
        assert_eq!(failures.try_iter().collect::<Vec<_>>(), [io::ErrorKind::StorageFull]);
        let text = String::from_utf8(on_disk.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
    }

    #[tokio::test]
    async fn what_passes_is_what_is_written_down() {
        let path = std::env::temp_dir().join(format!("mcpcli-record-{}.jsonl", std::process::id()));
        let recorder = Recorder::create(&path, |error| panic!("{error}")).unwrap();
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = Recorded::new(mcp_tokio::stream(near), Some(recorder));
        use tokio::io::AsyncWriteExt;
        let written = poll_fn(|cx| Pin::new(&mut near).poll_write(cx, b"ping\n")).await;
        assert_eq!(written.unwrap(), 5);
        far.write_all(b"pong\n").await.unwrap();
        let mut seen = [0; 64];
        for expected in [5, 0] {
            let read = poll_fn(|cx| Pin::new(&mut near).poll_read(cx, &mut seen)).await;
            assert_eq!(read.unwrap(), expected);
            far.shutdown().await.unwrap();
        }
        let lines: Vec<serde_json::Value> = std::fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        std::fs::remove_file(&path).unwrap();
        let told: Vec<_> = lines
            .iter()
            .map(|line| (line["direction"].as_str(), line["text"].as_str(), line["end"].as_bool()))
            .collect();
        assert_eq!(
            told,
            [
                (Some("write"), Some("ping\n"), None),
                (Some("read"), Some("pong\n"), None),
                (Some("read"), None, Some(true))
            ]
        );
    }
}
