//! What clients, the application and the clock do.

use std::collections::BTreeSet;

use arbitrary::Arbitrary;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request};
use serde_json::json;

/// One step.
#[derive(Debug, Arbitrary)]
pub enum Step {
    Send(Sent),
    /// Takes of a response: its head, and so many pieces of its body.
    Take(u8, u8),
    HangUp(u8),
    Report(u8, u8),
    Call(u8),
    Respond(u8),
    Fail(u8, i16),
    CloseStream(u8),
    Pass(u16),
    /// Goes on with a copy of the server.
    Fork,
}

/// A request.
#[derive(Debug, Arbitrary)]
pub enum Sent {
    Initialize(u8),
    Initialized(Session),
    Modern {
        id: u8,
        is_call: bool,
        tracked: bool,
    },
    Legacy {
        session: Session,
        id: u8,
        tracked: bool,
        accepts: u8,
    },
    Cancel(Session, u8),
    Batch(Session, Vec<u8>),
    Result(Session, u8),
    Get {
        session: Session,
        last: Option<u8>,
    },
    Delete(Session),
    HttpSse,
    /// Anything: a method, headers and a body.
    Raw {
        method: u8,
        headers: Vec<(u8, Vec<u8>)>,
        body: Vec<u8>,
        session: Option<Session>,
    },
}

impl Sent {
    /// Whether it uses a session in the name of somebody who has opened none.
    pub fn is_by_another(&self) -> bool {
        match self {
            Self::Initialized(session)
            | Self::Legacy { session, .. }
            | Self::Cancel(session, _)
            | Self::Batch(session, _)
            | Self::Result(session, _)
            | Self::Get { session, .. }
            | Self::Delete(session) => session.version >= OTHERS,
            Self::Initialize(_) | Self::Modern { .. } | Self::HttpSse | Self::Raw { .. } => false,
        }
    }
}

/// From this version on a session is used by somebody else.
const OTHERS: u8 = 245;

/// One of the sessions that there were.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub struct Session {
    at: u8,
    version: u8,
}

const REVISIONS: [&str; 5] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "2026-07-28"];

const NAMES: [&str; 10] = [
    "mcp-protocol-version",
    "mcp-session-id",
    "mcp-method",
    "mcp-name",
    "last-event-id",
    "accept",
    "content-type",
    "origin",
    "host",
    "content-encoding",
];

/// Writes a request. `token` is one that no other request has.
pub fn request(
    sent: &Sent,
    sessions: &[String],
    last_ids: &[String],
    token: u64,
) -> Request<Bytes> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = "/mcp".parse().expect("a path");
    let mut set = |name: &'static str, value: &str| {
        let value = HeaderValue::from_str(value).expect("a value");
        request.headers_mut().insert(HeaderName::from_static(name), value);
    };
    set("host", "localhost");
    set("content-type", "application/json");
    set("accept", "application/json, text/event-stream");
    let mut of = |session: &Session| {
        let id =
            sessions.get(usize::from(session.at).checked_rem(sessions.len()).unwrap_or_default());
        set("mcp-session-id", id.map_or("0", String::as_str));
        if session.version > 0 {
            set("mcp-protocol-version", REVISIONS[usize::from(session.version) % 5]);
        }
    };
    let meta = |tracked: bool| if tracked { json!({ "progressToken": token }) } else { json!({}) };
    let call = |id: u8, tracked: bool| {
        json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": {"name": "t", "_meta": meta(tracked)}})
    };
    let mut method = Method::POST;
    let body = match sent {
        Sent::Initialize(revision) => {
            let revision = REVISIONS[usize::from(*revision) % 4];
            json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
                "protocolVersion": revision, "capabilities": {},
                "clientInfo": {"name": "c", "version": "1"}}})
        }
        Sent::Initialized(session) => {
            of(session);
            json!({"jsonrpc": "2.0", "method": "notifications/initialized"})
        }
        Sent::Modern { id, is_call, tracked } => {
            let method = if *is_call { "tools/call" } else { "server/discover" };
            set("mcp-protocol-version", "2026-07-28");
            set("mcp-method", method);
            set("mcp-name", "t");
            let mut meta = meta(*tracked);
            meta["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
            meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
            json!({"jsonrpc": "2.0", "id": id, "method": method, "params": {"name": "t", "_meta": meta}})
        }
        Sent::Legacy { session, id, tracked, accepts } => {
            of(session);
            match accepts % 8 {
                0 => set("accept", "application/json"),
                1 => set("accept", "text/event-stream"),
                _ => {}
            }
            call(*id, *tracked)
        }
        Sent::Cancel(session, id) => {
            of(session);
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}})
        }
        Sent::Batch(session, ids) => {
            of(session);
            ids.iter().map(|id| call(*id, false)).collect()
        }
        Sent::Result(session, id) => {
            of(session);
            json!({"jsonrpc": "2.0", "id": id, "result": {}})
        }
        Sent::Get { session, last } => {
            of(session);
            method = Method::GET;
            let last =
                last.and_then(|at| last_ids.get(usize::from(at).checked_rem(last_ids.len())?));
            if let Some(last) = last {
                set("last-event-id", last);
            }
            json!(null)
        }
        Sent::Delete(session) => {
            of(session);
            method = Method::DELETE;
            json!(null)
        }
        Sent::HttpSse => {
            method = Method::GET;
            json!(null)
        }
        Sent::Raw { method: by, headers, body, session } => {
            if let Some(session) = session {
                of(session);
            }
            let mut named = BTreeSet::new();
            for (name, value) in headers {
                let name = NAMES[usize::from(*name) % NAMES.len()];
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    // In place of what is usual; named twice, it is there twice.
                    match named.insert(name) {
                        true => drop(request.headers_mut().insert(name, value)),
                        false => drop(request.headers_mut().append(name, value)),
                    }
                }
            }
            let methods = [Method::POST, Method::GET, Method::DELETE, Method::OPTIONS];
            *request.method_mut() = methods[usize::from(*by) % 4].clone();
            *request.body_mut() = body.clone().into();
            return request;
        }
    };
    if method == Method::POST {
        *request.body_mut() = body.to_string().into();
    }
    *request.method_mut() = method;
    request
}
