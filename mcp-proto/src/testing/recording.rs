//! Recordings of real runs, as `mcpcli --record FILE` writes them, played to the engine again.
//!
//! A recording is a text of JSON lines, one for each chunk that was read or written:
//! `{"time":SECONDS,"direction":"read"|"write","text":…}`, with `"base64"` instead of `"text"` where the chunk is
//! no UTF-8, and `"end":true` where the server's output ended.
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

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::transcript::{Mismatch, compare};
use crate::config::{CallOptions, ClientConfig, Timeouts};
use crate::error::ErrorObject;
use crate::event::Event;
use crate::id::{ProgressToken, RequestId};
use crate::json::{Raw, RawJson, write_raw, write_str};
use crate::revision::{Era, Revision, RevisionSet};
use crate::role::Client;
use crate::stdio::Connection;
use crate::time::Instant;
use crate::types::{LogLevel, meta};

/// What a client read and wrote, chunk by chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    chunks: Vec<Chunk>,
}

/// What was read or written at once.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Chunk {
    /// The line of the recording, from 1.
    pub line: usize,
    /// When, from the start of the recording.
    pub at: Instant,
    /// Whether the client read it; else it wrote it.
    pub is_read: bool,
    /// The bytes. None at all: the server's output ended.
    pub bytes: Vec<u8>,
}

/// The keys of `_meta` that the engine writes by itself.
const STAMPS: [&str; 5] = [
    meta::PROGRESS_TOKEN,
    meta::PROTOCOL_VERSION,
    meta::CLIENT_CAPABILITIES,
    meta::CLIENT_INFO,
    meta::LOG_LEVEL,
];

impl Recording {
    /// Reads the text of a recording; blank lines are skipped.
    ///
    /// # Errors
    ///
    /// The first line that cannot be read, or whose time is before that of the line above it.
    pub fn parse(text: &str) -> Result<Self, Mismatch> {
        let mut chunks: Vec<Chunk> = Vec::new();
        for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
            let fault = |what: &str| Mismatch { line, what: what.to_owned() };
            let json =
                RawJson::parse(text.to_owned()).map_err(|error| fault(&error.to_string()))?;
            let chunk = read_chunk(&json, line).map_err(fault)?;
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
    /// The first line at which the engine does not write what was recorded, members in any order.
    pub fn replay(&self, config: ClientConfig) -> Result<Vec<(Instant, Event)>, Mismatch> {
        let mut replay = Replay {
            connection: Connection::client(config, Instant::ZERO),
            now: Instant::ZERO,
            told: Vec::new(),
            said: Vec::new(),
            recorded: Vec::new(),
            timed_out: self.timed_out(),
        };
        for chunk in &self.chunks {
            replay.play(chunk).map_err(|what| Mismatch { line: chunk.line, what })?;
        }
        let line = self.chunks.last().map_or(1, |chunk| chunk.line);
        replay.end().map_err(|what| Mismatch { line, what })
    }
}

struct Replay {
    connection: Connection<Client>,
    now: Instant,
    told: Vec<(Instant, Event)>,
    /// Lines that the engine has written and the recording has not shown yet.
    said: Vec<String>,
    /// What the recording has shown of a line whose end has not come.
    recorded: Vec<u8>,
    /// Calls whose deadline passed, and when.
    timed_out: Vec<(RequestId, Instant)>,
}

impl Replay {
    fn play(&mut self, chunk: &Chunk) -> Result<(), String> {
        self.collect();
        while self.connection.poll_timeout().is_some_and(|at| at <= chunk.at) {
            self.wake();
        }
        self.now = self.now.max(chunk.at);
        if chunk.is_read {
            match &chunk.bytes[..] {
                [] => self.connection.handle_eof(self.now),
                bytes => self.connection.handle_input(bytes, self.now),
            }
            self.collect();
            return Ok(());
        }
        for byte in &chunk.bytes {
            if *byte != b'\n' {
                self.recorded.push(*byte);
                continue;
            }
            let line = core::mem::take(&mut self.recorded);
            let line = RawJson::parse(line).map_err(|error| format!("not JSON: {error}"))?;
            self.expect(&line)?;
        }
        Ok(())
    }

    /// The engine has written this line, or does once the program does what it did.
    fn expect(&mut self, line: &RawJson) -> Result<(), String> {
        if self.find(line).is_ok() {
            return Ok(());
        }
        self.act(line)?;
        self.collect();
        self.find(line).map_err(|said| match said {
            Some((what, said)) => format!("{what}\n  the engine said {said}"),
            None => format!("the engine said nothing, expected {line}"),
        })
    }

    /// Takes this line out of what was said; else how the first line that was differs.
    fn find(&mut self, line: &RawJson) -> Result<(), Option<(String, String)>> {
        let mut first = None;
        for (place, said) in self.said.iter().enumerate() {
            let differs = match RawJson::parse(said.clone()) {
                Ok(found) => compare(line.as_raw(), found.as_raw(), &mut String::new()),
                Err(error) => Err(error.to_string()),
            };
            match differs {
                Ok(()) => {
                    self.said.remove(place);
                    return Ok(());
                }
                Err(what) => first = first.or_else(|| Some((what, said.clone()))),
            }
        }
        Err(first)
    }

    /// Does what made the recorded client write this line.
    fn act(&mut self, line: &RawJson) -> Result<(), String> {
        let (conn, now) = (&mut self.connection, self.now);
        let method = line.get("method").and_then(Raw::as_str);
        let params = line.get("params");
        let id = line.get("id").map(read_id).transpose()?;
        let done = match (method.as_deref(), id) {
            (Some(method), Some(id)) => {
                let params = params.map(own_params).transpose()?;
                let mut options = options_of(line, &id)?;
                if let Some((_, at)) = self.timed_out.iter().find(|(other, _)| *other == id) {
                    options = options.timeouts(Timeouts::NEVER.total(*at - now));
                }
                conn.request_raw(method, params.as_ref(), options, now).map(drop)
            }
            (Some("notifications/cancelled"), None) => {
                let get = |name| params.and_then(|params: Raw<'_>| params.get(name));
                let reason = get("reason").and_then(Raw::as_str);
                let id = get("requestId").map(read_id).transpose()?;
                conn.cancel(&id.ok_or("nothing is cancelled")?, reason.as_deref(), now);
                Ok(())
            }
            (Some(method), None) => {
                let params = params.map(own_params).transpose()?;
                conn.core_mut().notify(method, &params)
            }
            (None, Some(id)) => match (line.get("result"), line.get("error")) {
                (Some(result), _) => conn.respond(&id, &result, now),
                (None, Some(error)) => {
                    let text = error.get("message").and_then(Raw::as_str).unwrap_or_default();
                    let code = error.get("code").and_then(Raw::as_f64).unwrap_or_default();
                    let mut told = ErrorObject::new(code as i64, text);
                    told.data = error.get("data").map(Raw::to_raw_json);
                    conn.fail(&id, &told, now)
                }
                (None, None) => return Err("no message".into()),
            },
            (None, None) => return Err("no message".into()),
        };
        done.map_err(|error| format!("{error}: {line}"))
    }

    fn wake(&mut self) {
        if let Some(at) = self.connection.poll_timeout() {
            self.now = self.now.max(at);
            self.connection.handle_timeout(self.now);
            self.collect();
        }
    }

    /// Takes what the engine says and tells now.
    fn collect(&mut self) {
        let mut said = Vec::new();
        loop {
            while let Some(event) = self.connection.poll_event() {
                self.told.push((self.now, event));
            }
            let Some(chunk) = self.connection.poll_transmit() else { break };
            said.extend_from_slice(chunk);
            let length = chunk.len();
            self.connection.advance_transmit(length);
        }
        self.said.extend(String::from_utf8_lossy(&said).lines().map(str::to_owned));
    }

    fn end(mut self) -> Result<Vec<(Instant, Event)>, String> {
        self.collect();
        match self.said.first() {
            None => Ok(self.told),
            Some(said) => Err(format!("the engine said what was not written: {said}")),
        }
    }
}

fn read_id(json: Raw<'_>) -> Result<RequestId, String> {
    RequestId::read(json, usize::MAX).map_err(|_| format!("no id: {json}"))
}

/// How the call of this request was made.
fn options_of(request: &RawJson, id: &RequestId) -> Result<CallOptions, String> {
    let meta = request.get("params").and_then(|params| params.get("_meta"));
    let Some(token) = meta.and_then(|meta| meta.get(meta::PROGRESS_TOKEN)) else {
        return Ok(CallOptions::default().untracked());
    };
    let token = ProgressToken::read(token, usize::MAX).map_err(|_| format!("no token: {token}"))?;
    Ok(match (token.as_i64(), id.as_i64()) {
        (Some(token), Some(id)) if token == id => CallOptions::default().tracked(),
        _ => CallOptions::default().progress_token(token),
    })
}

/// The parameters without what the engine adds.
fn own_params(params: Raw<'_>) -> Result<RawJson, String> {
    let object = |object: Raw<'_>, is_own: &dyn Fn(&str) -> bool| {
        let mut out = Vec::from(*b"{");
        for (key, value) in object.members().filter(|(key, _)| is_own(key)) {
            if out.len() > 1 {
                out.push(b',');
            }
            write_str(&mut out, &key);
            out.push(b':');
            write_raw(&mut out, value);
        }
        out
    };
    let own_meta = params.get("_meta").map(|meta| object(meta, &|key| !STAMPS.contains(&key)));
    let mut own = object(params, &|key| key != "_meta");
    if let Some(meta) = own_meta.filter(|meta| meta.len() > 1) {
        own.extend_from_slice(if own.len() > 1 { b",\"_meta\":" } else { b"\"_meta\":" });
        own.extend_from_slice(&meta);
        own.push(b'}');
    }
    own.push(b'}');
    RawJson::parse(own).map_err(|error| error.to_string())
}

fn read_chunk(json: &RawJson, line: usize) -> Result<Chunk, &'static str> {
    let time = json.get("time").and_then(Raw::as_f64).filter(|time| *time >= 0.0);
    let at = Instant::from_nanos((time.ok_or("no time")? * 1e9) as u64);
    let text = |name| json.get(name).and_then(Raw::as_str);
    let is_read = match text("direction").as_deref() {
        Some("read") => true,
        Some("write") => false,
        _ => return Err("neither read nor write"),
    };
    let bytes = match (text("text"), text("base64")) {
        (Some(text), _) => text.into_owned().into_bytes(),
        (None, Some(digits)) => base64(&digits).ok_or("no base64")?,
        (None, None) if json.get("end").and_then(Raw::as_bool) == Some(true) => Vec::new(),
        (None, None) => return Err("neither text nor base64 nor end"),
    };
    Ok(Chunk { line, at, is_read, bytes })
}

/// The bytes of base64 with padding: RFC 4648, section 4.
fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        (bits, count) = (bits << 6 | u32::from(value), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{CallError, Limit};
    use crate::testing::transcript::describe;
    use alloc::vec;

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
    fn base64_is_that_of_rfc_4648() {
        for (text, bytes) in
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob")]
        {
            assert_eq!(base64(text), Some(bytes.as_bytes().to_vec()), "{text}");
        }
        assert_eq!(base64("+//+"), Some(vec![0xfb, 0xff, 0xfe]));
        for bad in ["Z", "Zg", "Zg=", "Z===", "Zm9*", "Zm 9"] {
            assert_eq!(base64(bad), None, "{bad}");
        }
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
