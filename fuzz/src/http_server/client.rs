//! Responses as clients see them, and what must hold of them.

use std::collections::{BTreeMap, BTreeSet};

use http::{Method, Response};
use mcp_proto::Instant;
use mcp_proto::sse::Decoder;
use serde_json::Value;

/// What all responses have said.
#[derive(Debug, Default)]
pub struct Books {
    /// Ids of events, to be named again.
    pub last_ids: Vec<String>,
    /// What each event with an id said.
    said: BTreeMap<String, String>,
    /// The last value of each progress token, and the stream that it was on.
    progress: BTreeMap<u64, (f64, Option<String>)>,
    /// Tokens whose request has its answer.
    over: BTreeSet<u64>,
}

/// One response as it comes in.
#[derive(Debug)]
pub struct Reader {
    status: Option<u16>,
    is_stream: bool,
    is_json: bool,
    body: Vec<u8>,
    decoder: Decoder,
    /// The id, and the progress token, of the request that it answers, if that is one.
    id: Option<Value>,
    token: Option<u64>,
    /// The request is modern.
    is_modern: bool,
    is_post: bool,
    /// It uses a session that somebody else has opened.
    is_theirs: bool,
    answers: usize,
}

impl Reader {
    pub fn new(method: &Method, body: &[u8], is_theirs: bool) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let meta = &body["params"]["_meta"];
        let is_request = *method == Method::POST && body["method"].is_string();
        Self {
            status: None,
            is_stream: false,
            is_json: false,
            body: Vec::new(),
            decoder: Decoder::new(1 << 20, 1 << 10),
            id: body.get("id").filter(|_| is_request).cloned(),
            token: meta["progressToken"].as_u64(),
            is_modern: meta.get("io.modelcontextprotocol/protocolVersion").is_some(),
            is_post: *method == Method::POST,
            is_theirs,
            answers: 0,
        }
    }

    pub fn head(&mut self, head: &Response<()>) {
        assert!(self.status.is_none(), "a response has one head");
        self.status = Some(head.status().as_u16());
        assert!(!self.is_theirs || !head.status().is_success(), "it is served to who opened it");
        let media = head.headers().get("content-type").map(|media| media.as_bytes());
        self.is_stream = media == Some(b"text/event-stream");
        self.is_json = media == Some(b"application/json");
        assert!(!self.is_modern || !head.headers().contains_key("mcp-session-id"));
    }

    pub fn chunk(&mut self, chunk: &[u8], books: &mut Books) {
        assert!(!chunk.is_empty(), "a piece of a body is not empty");
        assert!(self.status.is_some(), "the body comes behind the head");
        if !self.is_stream {
            assert!(self.is_json, "a body is JSON or a stream");
            return self.body.extend_from_slice(chunk);
        }
        self.decoder.handle_input(chunk, Instant::ZERO);
        while let Some(event) = self.decoder.poll_event() {
            let event = event.expect("an event");
            let data = String::from_utf8(event.data.to_vec()).expect("UTF-8");
            let id = String::from_utf8(self.decoder.last_event_id().to_vec()).expect("UTF-8");
            let id = Some(id).filter(|id| !id.is_empty());
            assert!(id.is_none() || !self.is_modern, "a modern stream has no ids");
            if let Some(id) = &id {
                books.last_ids.push(id.clone());
            }
            if data.is_empty() || event.name == "endpoint" {
                continue;
            }
            if let Some(id) = &id
                && let Some(before) = books.said.insert(id.clone(), data.clone())
            {
                assert_eq!(before, data, "what is said again is what was said");
                continue;
            }
            let message = serde_json::from_str(&data).expect("one JSON text");
            self.message(&message, id.as_deref(), books);
        }
    }

    fn message(&mut self, message: &Value, event: Option<&str>, books: &mut Books) {
        if message["method"] == "notifications/progress" {
            let token = message["params"]["progressToken"].as_u64().expect("a number");
            let value = message["params"]["progress"].as_f64().expect("a number");
            if self.is_post {
                assert_eq!(self.token, Some(token), "progress of another request");
                assert_eq!(self.answers, 0, "progress behind the result");
            }
            assert!(!books.over.contains(&token), "progress behind the result");
            let stream =
                event.and_then(|id| id.split_once('-')).map(|(stream, _)| stream.to_owned());
            let (last, on) =
                books.progress.entry(token).or_insert_with(|| (f64::MIN, stream.clone()));
            assert!(value > *last, "progress increases");
            assert_eq!(*on, stream, "progress is on the stream of its request");
            *last = value;
        } else if message.get("method").is_some() {
            assert!(!self.is_modern || message.get("id").is_none(), "a modern server asks nothing");
        } else if self.is_post {
            self.answer(message, books);
        }
    }

    fn answer(&mut self, message: &Value, books: &mut Books) {
        self.answers += 1;
        if let Some(id) = &self.id {
            let own = message.get("id").is_none_or(|answered| answered == id || answered.is_null());
            assert!(own, "an answer to another request: {message}");
            assert_eq!(self.answers, 1, "one answer to a request");
            books.over.extend(self.token);
        }
    }

    pub fn end(&mut self, is_broken: bool, books: &mut Books) {
        if is_broken {
            return;
        }
        assert!(self.status.is_some(), "a response has a head");
        if self.is_json {
            let message: Value = serde_json::from_slice(&self.body).expect("one JSON text");
            self.answer(&message, books);
        }
        assert!(
            !self.is_modern || self.id.is_none() || self.answers == 1,
            "a modern request has one answer"
        );
    }

    /// Once all requests are answered, only streams of sessions may go on.
    pub fn may_stay_open(&self) -> bool {
        !self.is_post && self.is_stream
    }
}
