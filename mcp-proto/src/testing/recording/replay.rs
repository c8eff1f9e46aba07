//! A client that does again what one did that was recorded.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Chunk, read_id};
use crate::config::{CallOptions, ClientConfig, Timeouts};
use crate::error::ErrorObject;
use crate::event::Event;
use crate::id::{ProgressToken, RequestId};
use crate::json::{Raw, RawJson, write_raw, write_str};
use crate::role::Client;
use crate::stdio::Connection;
use crate::testing::transcript::compare;
use crate::testing::{Carry, restored};
use crate::time::Instant;
use crate::types::meta;

/// The keys of `_meta` that the engine writes by itself.
const STAMPS: [&str; 5] = [
    meta::PROGRESS_TOKEN,
    meta::PROTOCOL_VERSION,
    meta::CLIENT_CAPABILITIES,
    meta::CLIENT_INFO,
    meta::LOG_LEVEL,
];

/// One client, and what the recording shows of it next.
pub(super) struct Replay {
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
    /// A client of this configuration, to which nothing has happened; and the calls whose deadline passed, and when.
    pub(super) fn new(config: ClientConfig, timed_out: Vec<(RequestId, Instant)>) -> Self {
        Self {
            connection: Connection::client(config, Instant::ZERO),
            now: Instant::ZERO,
            told: Vec::new(),
            said: Vec::new(),
            recorded: Vec::new(),
            timed_out,
        }
    }

    /// Does what was done at one time; else how the engine differs.
    pub(super) fn play(&mut self, chunk: &Chunk) -> Result<(), String> {
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

    /// Goes on with what a snapshot of the engine becomes.
    pub(super) fn restore(&mut self, carry: Carry<'_>) -> Result<(), String> {
        let restored = restored(&self.connection, self.now, self.now, carry);
        self.connection = restored.map_err(|error| error.to_string())?;
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
                conn.endpoint_mut().core_mut().notify(method, &params)
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

    /// What the engine has told, each with its time, and what more it would say.
    pub(super) fn end(mut self) -> (Vec<(Instant, Event)>, Option<String>) {
        self.collect();
        let unwritten = self.said.first();
        let unwritten =
            unwritten.map(|said| format!("the engine said what was not written: {said}"));
        (self.told, unwritten)
    }
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
