//! Recordings of real runs, as `mcpcli --record FILE` writes them, played to the engine again.
//!
//! A recording is a text of JSON lines, one for each chunk that was read or written:
//! `{"time":SECONDS,"direction":"read"|"write","text":…}`, with `"base64"` instead of `"text"` where the chunk is
//! no UTF-8, and `"end":true` where the server's output ended.
//!
//! What passed over HTTP or a WebSocket is a message a line, see below; over HTTP with `"exchange":NUMBER`, which request of
//! the client it was or came on. `{"time":SECONDS,"from":"client","exchange":NUMBER,"end":true}`: the client has closed it.
//!
//! What others have written down is read too, a message a line: `C: MESSAGE` of a client and `S: MESSAGE` of a server, or
//! `{"from":"client"|"server","message":MESSAGE}`, with a `"time"` if there is one. Lines that begin with `#` are notes.
//!
//! A server that did something odd becomes a regression test:
//!
//! ```
//! use mcp_proto::testing::recording::Recording;
//! use mcp_proto::testing::transcript::describe;
//!
//! // In a test this would be `include_str!("odd-server.jsonl")`.
//! let text = r#"
//! {"time":0.1,"direction":"write","text":"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"clientInfo\":{\"name\":\"mcpcli\",\"version\":\"1\"}}}\n"}
//! {"time":0.2,"direction":"read","text":"Server listening on stdio\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}\n"}
//! {"time":0.3,"direction":"write","text":"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\",\"params\":{}}\n"}
//! {"time":0.4,"direction":"read","end":true}
//! "#;
//! let recording = Recording::parse(text)?;
//! let events = recording.replay(recording.config())?;
//! let told: Vec<String> = events.iter().map(|(_, event)| describe(event)).collect();
//! assert!(told[0].starts_with("violation: a line is not JSON"));
//! assert_eq!(told[1..], ["ready 2025-06-18", "closed: the peer closed it"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chunk;
mod replay;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use self::replay::Replay;
use super::Carry;
use super::transcript::Mismatch;
use crate::config::ClientConfig;
use crate::event::Event;
use crate::id::RequestId;
use crate::json::{Raw, RawJson};
use crate::revision::{Era, Revision, RevisionSet};
use crate::time::Instant;
use crate::types::{LogLevel, meta};

pub use self::chunk::Chunk;

/// What a client read and wrote, chunk by chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    chunks: Vec<Chunk>,
}

impl Recording {
    /// Reads the text of a recording; blank lines and notes are skipped.
    ///
    /// # Errors
    ///
    /// The first line that cannot be read, or whose time is before that of the line above it.
    pub fn parse(text: &str) -> Result<Self, Mismatch> {
        let mut chunks: Vec<Chunk> = Vec::new();
        let is_said = |text: &str| !text.is_empty() && !text.starts_with('#');
        let lines = (1..).zip(text.lines().map(str::trim));
        for (line, text) in lines.filter(|(_, text)| is_said(text)) {
            let fault = |what: &str| Mismatch { line, what: what.to_owned() };
            let now = chunks.last().map_or(Instant::ZERO, |chunk| chunk.at);
            let chunk = match Chunk::read_line(text, line, now) {
                Some(chunk) => chunk,
                None => {
                    let json = RawJson::parse(text.to_owned())
                        .map_err(|error| fault(&error.to_string()))?;
                    Chunk::read(&json, line, now).map_err(fault)?
                }
            };
            if chunks.last().is_some_and(|before| before.at > chunk.at) {
                return Err(fault("time goes back"));
            }
            chunks.push(chunk);
        }
        Ok(Self { chunks })
    }

    /// The chunks, in order of time.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Whether it passed over HTTP, in exchanges of its own. Such a recording can be [judged](super::lint::lint), not
    /// replayed: what is played again is one stream.
    pub fn is_over_http(&self) -> bool {
        self.exchanging().is_some()
    }

    /// The first line that names its exchange.
    fn exchanging(&self) -> Option<usize> {
        self.chunks.iter().find(|chunk| chunk.exchange.is_some()).map(|chunk| chunk.line)
    }

    /// Everything that was written.
    pub fn written(&self) -> Vec<u8> {
        self.bytes(false)
    }

    /// Everything that was read.
    pub fn read(&self) -> Vec<u8> {
        self.bytes(true)
    }

    fn bytes(&self, is_read: bool) -> Vec<u8> {
        let chunks = self.chunks.iter().filter(|chunk| chunk.is_read == is_read);
        chunks.flat_map(|chunk| chunk.bytes.iter().copied()).collect()
    }

    /// The same with reads of at most `size` bytes: what the engine tells must be the same.
    #[must_use]
    pub fn chopped(&self, size: usize) -> Self {
        let mut chunks = Vec::new();
        for chunk in &self.chunks {
            if !chunk.is_read || chunk.bytes.len() <= size {
                chunks.push(chunk.clone());
                continue;
            }
            let parts = chunk.bytes.chunks(size.max(1));
            chunks.extend(parts.map(|bytes| Chunk { bytes: bytes.to_vec(), ..chunk.clone() }));
        }
        Self { chunks }
    }

    /// The configuration of the client that was recorded, as far as its messages tell: who it is, what it
    /// offers, which revisions it speaks and which log messages it wants. Limits and deadlines are the defaults.
    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new("", "");
        let (mut probed, mut asked_for) = (false, None);
        for (_, message) in self.messages() {
            let Some(params) = message.get("params") else { continue };
            let stamps = params.get("_meta");
            let stamp = |key| stamps.and_then(|stamps| stamps.get(key));
            let method = message.get("method").and_then(Raw::as_str).unwrap_or_default();
            let (mut info, mut capabilities, mut level) = (
                stamp(meta::CLIENT_INFO),
                stamp(meta::CLIENT_CAPABILITIES),
                stamp(meta::LOG_LEVEL),
            );
            match &*method {
                "initialize" => {
                    info = params.get("clientInfo");
                    capabilities = params.get("capabilities");
                    let version = params.get("protocolVersion").and_then(Raw::as_str);
                    asked_for = version.and_then(|version| Revision::parse(&version));
                }
                "logging/setLevel" => level = params.get("level"),
                _ => probed |= stamp(meta::PROTOCOL_VERSION).is_some(),
            }
            if let Some(Ok(info)) = info.map(Raw::decode_owned) {
                config.info = info;
            }
            if let Some(Ok(capabilities)) = capabilities.map(Raw::decode_owned) {
                config.capabilities = capabilities;
            }
            if let Some(level) =
                level.and_then(Raw::as_str).and_then(|level| LogLevel::parse(&level))
            {
                config.log_level = Some(level);
            }
        }
        config.revisions = match (probed, asked_for) {
            (_, None) => RevisionSet::ALL,
            (probed, Some(newest)) => {
                let modern = RevisionSet::era(Era::Modern);
                let is_spoken = |revision: &Revision| {
                    if modern.contains(*revision) { probed } else { *revision <= newest }
                };
                let spoken = Revision::ALL.into_iter().filter(is_spoken);
                spoken.fold(RevisionSet::only(newest), RevisionSet::with)
            }
        };
        config
    }

    /// The messages that were written, each with the time of its end.
    fn messages(&self) -> Vec<(Instant, RawJson)> {
        let (mut messages, mut line) = (Vec::new(), Vec::new());
        for chunk in self.chunks.iter().filter(|chunk| !chunk.is_read) {
            for byte in &chunk.bytes {
                if *byte != b'\n' {
                    line.push(*byte);
                } else if let Ok(message) = RawJson::parse(core::mem::take(&mut line)) {
                    messages.push((chunk.at, message));
                }
            }
        }
        messages
    }

    /// The calls that were cancelled because a deadline passed, and when.
    fn timed_out(&self) -> Vec<(RequestId, Instant)> {
        let timed_out = |(at, message): (Instant, RawJson)| {
            let params = message.get("params")?;
            let reason = params.get("reason")?.as_str()?;
            let id = read_id(params.get("requestId")?).ok()?;
            (reason == "timed out").then_some((id, at))
        };
        self.messages().into_iter().filter_map(timed_out).collect()
    }

    /// Plays it to a client of this configuration: what was read is read at its time, and what was written that
    /// the engine does not write by itself is what the program did, so it is done again; a call that timed out gets a
    /// total deadline of the time that it was given. The events are told as they come, each with its time.
    ///
    /// # Errors
    ///
    /// The first line at which the engine does not write what was recorded, members in any order; the first at all if
    /// it passed [over HTTP](Self::is_over_http).
    pub fn replay(&self, config: ClientConfig) -> Result<Vec<(Instant, Event)>, Mismatch> {
        let (told, parted) = self.replay_with(config, None);
        parted.map_or(Ok(told), Err)
    }

    /// As [`replay`](Self::replay), with the events until the engine and the recording part, and where that was, if
    /// they do.
    pub fn replay_until_parted(
        &self,
        config: ClientConfig,
    ) -> (Vec<(Instant, Event)>, Option<Mismatch>) {
        self.replay_with(config, None)
    }

    /// As [`replay`](Self::replay), and behind each chunk the engine is replaced by what its snapshot becomes.
    ///
    /// # Errors
    ///
    /// As [`replay`](Self::replay), and a snapshot that is refused.
    ///
    /// # Panics
    ///
    /// As [`restored`](super::restored).
    pub fn replay_restored(
        &self,
        config: ClientConfig,
        carry: Carry<'_>,
    ) -> Result<Vec<(Instant, Event)>, Mismatch> {
        let (told, parted) = self.replay_with(config, Some(carry));
        parted.map_or(Ok(told), Err)
    }

    fn replay_with(
        &self,
        config: ClientConfig,
        mut carry: Option<Carry<'_>>,
    ) -> (Vec<(Instant, Event)>, Option<Mismatch>) {
        if let Some(line) = self.exchanging() {
            return (Vec::new(), Some(Mismatch { line, what: OVER_HTTP.into() }));
        }
        let mut replay = Replay::new(config, self.timed_out());
        let parted = self.chunks.iter().find_map(|chunk| {
            let played = replay.play(chunk).and_then(|()| match &mut carry {
                Some(carry) => replay.restore(*carry),
                None => Ok(()),
            });
            played.err().map(|what| Mismatch { line: chunk.line, what })
        });
        let (told, unwritten) = replay.end();
        let line = self.chunks.last().map_or(1, |chunk| chunk.line);
        (told, parted.or_else(|| unwritten.map(|what| Mismatch { line, what })))
    }
}

/// Why a recording is not replayed.
const OVER_HTTP: &str = "it passed over HTTP, where each message has an exchange of its own: what is replayed is one stream";

fn read_id(json: Raw<'_>) -> Result<RequestId, String> {
    RequestId::read(json, usize::MAX).map_err(|_| format!("no id: {json}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{CallError, Limit};
    use crate::testing::transcript::describe;

    /// A recording of these chunks, one each 100 ms.
    fn recording(chunks: &[(&str, &str)]) -> String {
        let mut text = String::new();
        for (place, (direction, chunk)) in chunks.iter().enumerate() {
            let json = RawJson::string(chunk);
            let time = place as f64 / 10.0;
            text += &format!("{{\"time\":{time},\"direction\":\"{direction}\",\"text\":{json}}}\n");
        }
        text
    }

    const OPENING: [(&str, &str); 3] = [
        (
            "write",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"roots\":{}},\"clientInfo\":{\"name\":\"c\",\"version\":\"7\"}}}\n",
        ),
        (
            "read",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}\n",
        ),
        ("write", "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\",\"params\":{}}\n"),
    ];

    fn told(text: &str) -> Result<Vec<String>, Mismatch> {
        let recording = Recording::parse(text)?;
        let events = recording.replay(recording.config())?;
        for size in [1, 7] {
            assert_eq!(recording.chopped(size).replay(recording.config())?, events);
        }
        Ok(events.iter().map(|(_, event)| describe(event)).collect())
    }

    #[test]
    fn what_the_program_did_is_done_again() {
        let mut chunks = OPENING.to_vec();
        chunks.extend([
            // A call with its own members of `_meta`, in two writes; a notification; both in an order of their own.
            ("write", "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"_meta\":"),
            ("write", "{\"trace\":1,\"progressToken\":2}}}\n{\"jsonrpc\":\"2.0\",\"method\":\"notifications/roots/list_changed\",\"params\":{}}\n"),
            ("read", "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":2,\"progress\":1}}\n{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"roots/list\"}\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}\n"),
            ("write", "{\"jsonrpc\":\"2.0\",\"id\":9,\"error\":{\"code\":-1,\"message\":\"no\",\"data\":[1]}}\n{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"result\":{}}\n"),
            ("write", "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"_meta\":{\"progressToken\":\"own\"}}}\n"),
            ("write", "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":3,\"reason\":\"enough\"}}\n"),
            ("read", "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[]}}\n"),
        ]);
        assert_eq!(
            told(&recording(&chunks)).unwrap(),
            [
                "ready 2025-06-18",
                "progress 2 1",
                "request 9 roots/list",
                "failed 3: cancelled",
                "response 2 {\"content\":[]}",
            ]
        );
    }

    #[test]
    fn a_call_that_timed_out_does_so_again() {
        let mut chunks = OPENING.to_vec();
        chunks.push(("write", "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"t\"}}\n"));
        let cancelled = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":2,\"reason\":\"timed out\"}}\n";
        let late = format!(
            "{{\"time\":60.25,\"direction\":\"write\",\"text\":{}}}",
            RawJson::string(cancelled)
        );
        let recording = Recording::parse(&(recording(&chunks) + &late)).unwrap();
        let events = recording.replay(recording.config()).unwrap();
        let Some((at, Event::Response { outcome: Err(CallError::TimedOut(expired)), .. })) =
            events.last()
        else {
            panic!("{events:?}")
        };
        assert_eq!((at.as_nanos(), expired.limit), (60_250_000_000, Limit::Total));
    }

    #[test]
    fn an_engine_that_does_something_else_is_found() {
        let text = recording(&OPENING);
        let fault = |from: &str, to: &str| {
            assert!(text.contains(from));
            let recording = Recording::parse(&text.replace(from, to)).unwrap();
            recording.replay(recording.config()).unwrap_err()
        };
        let other = fault(
            "notifications/initialized\\\",\\\"params\\\":{}",
            "notifications/initialized\\\",\\\"params\\\":{\\\"x\\\":1}",
        );
        assert_eq!(other.line, 3);
        let missing = Recording::parse(text.rsplit_once("{\"time\"").unwrap().0).unwrap();
        let unwritten = missing.replay(missing.config()).unwrap_err();
        assert!(unwritten.what.starts_with("the engine said what was not written"), "{unwritten}");
        let recording = Recording::parse(&text).unwrap();
        let other = recording.replay(ClientConfig::new("else", "1")).unwrap_err();
        assert_eq!(other.line, 1);
    }

    #[test]
    fn the_configuration_is_what_the_messages_tell() {
        let config = Recording::parse(&recording(&OPENING)).unwrap().config();
        assert_eq!((config.info.name.as_str(), config.info.version.as_str()), ("c", "7"));
        assert!(config.capabilities.roots.is_some() && config.log_level.is_none());
        let spoken: Vec<_> = config.revisions.iter().map(Revision::as_str).collect();
        assert_eq!(spoken, ["2025-06-18", "2025-03-26", "2024-11-05"]);
        let modern = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover\",\"params\":{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{},\"io.modelcontextprotocol/clientInfo\":{\"name\":\"m\",\"version\":\"1\"},\"io.modelcontextprotocol/logLevel\":\"debug\"}}}\n";
        let config = Recording::parse(&recording(&[("write", modern)])).unwrap().config();
        assert_eq!((config.info.name.as_str(), config.log_level), ("m", Some(LogLevel::Debug)));
        assert_eq!(config.revisions, RevisionSet::ALL);
    }

    #[test]
    fn lines_that_cannot_be_read_are_refused() {
        for (bad, line) in [
            ("x", 1),
            ("{\"time\":-1,\"direction\":\"read\",\"text\":\"\"}", 1),
            ("{\"time\":1,\"direction\":\"up\",\"text\":\"\"}", 1),
            ("\n{\"time\":1,\"direction\":\"read\"}", 2),
            ("{\"time\":1,\"direction\":\"read\",\"base64\":\"=\"}", 1),
            (
                "{\"time\":1,\"direction\":\"read\",\"end\":true}\n{\"time\":0,\"direction\":\"read\",\"end\":true}",
                2,
            ),
        ] {
            assert_eq!(Recording::parse(bad).unwrap_err().line, line, "{bad}");
        }
    }
}
