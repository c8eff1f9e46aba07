//! What one end has written, line by line, and what of it must not be.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::error::ErrorObject;
use crate::id::RequestId;
use crate::json::{Kind, Raw};

/// The books of a byte stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Spoken {
    /// A line that was written in part.
    unfinished: Vec<u8>,
    /// The requests that left, by the JSON of their ids.
    asked: BTreeSet<String>,
    /// Those whose cancelling is against the protocol.
    uncancellable: BTreeSet<String>,
    /// The cancels that left.
    cancels: BTreeMap<String, usize>,
    /// How many answers may still leave for each id, if every request of the peer is known.
    answers: Option<BTreeMap<String, usize>>,
    /// Progress on the wire, by token.
    tokens: BTreeMap<String, Reports>,
    /// The token of a request, if an answer with its id ends its progress.
    owners: BTreeMap<RequestId, String>,
    /// Bytes that were written, and where the line began that comes next.
    position: usize,
    line_start: usize,
    /// Cancelled requests that the application has not let go of, by the JSON of their ids.
    silenced: BTreeMap<String, Silenced>,
}

/// Nothing of a request may begin to be written any more.
#[derive(Clone, Debug)]
struct Silenced {
    /// From this position on; what had begun before is finished.
    from: usize,
    /// Answers to earlier requests with the same id, which may still leave.
    earlier: usize,
    token: Option<String>,
}

/// The reports of one token.
#[derive(Clone, Copy, Debug, Default)]
struct Reports {
    last: Option<f64>,
    /// Two requests have used it: then it says nothing about order or end.
    is_shared: bool,
}

impl Spoken {
    pub(super) fn unfinished(&self) -> &[u8] {
        &self.unfinished
    }

    pub(super) fn has_asked(&self, id: &RequestId) -> bool {
        self.asked.contains(&id.to_string())
    }

    /// Whether a line is the result of an `initialize` that has left. After an error another one may follow.
    pub(super) fn is_opening(&self, line: &[u8]) -> bool {
        let Ok(message) = Raw::parse(line, usize::MAX) else { return false };
        let id = message.get("id").map(key);
        message.get("result").is_some() && id.is_some_and(|id| self.uncancellable.contains(&id))
    }

    pub(super) fn cancels_of(&self, id: &RequestId) -> usize {
        self.cancels.get(&id.to_string()).copied().unwrap_or_default()
    }

    /// From now on answers are counted: each of them was made known before.
    pub(super) fn count_answers(&mut self) {
        self.answers.get_or_insert_default();
    }

    /// A request with this id is about to arrive.
    pub(super) fn expect_answer(&mut self, id: String) {
        if let Some(answers) = &mut self.answers {
            *answers.entry(id).or_default() += 1;
        }
    }

    /// A request has come; `waiting` is what is still to be written.
    pub(super) fn note_request(&mut self, id: &RequestId, token: Option<Raw<'_>>, waiting: &[u8]) {
        let Some(token) = token.map(key) else { return };
        match self.tokens.get_mut(&token) {
            Some(reports) => reports.is_shared = true,
            None => {
                self.tokens.insert(token.clone(), Reports::default());
                // If an answer to an earlier request with the same id waits, the next one on the wire says
                // nothing about this one.
                if answers_to(waiting, id) == 0 {
                    self.owners.insert(id.clone(), token);
                }
            }
        }
    }

    /// A request that waits for an answer was cancelled, while so many bytes were being written; `waiting` is
    /// what is still to be written.
    pub(super) fn note_cancelled(&mut self, id: &RequestId, lent: usize, waiting: &[u8]) {
        let earlier = answers_to(waiting, id);
        // While an answer to an earlier request with the same id waits, the token is that one's.
        let token = self.owners.get(id).filter(|_| earlier == 0).cloned();
        let silenced = Silenced { from: self.position + lent, earlier, token };
        self.silenced.insert(id.to_string(), silenced);
    }

    /// While a cancellation was read, what waited to be written became `after`, of which so many bytes are being written. An
    /// answer that does not wait any more was taken back: then nothing of its request may begin to leave.
    pub(super) fn check_taken_back(&self, before: &[u8], after: &[u8], lent: usize) {
        let leaving = self.unfinished.len() + lent;
        for (id, token) in &self.owners {
            let is_shared = self.tokens.get(token).is_none_or(|reports| reports.is_shared);
            if is_shared || answers_to(before, id) == 0 || answers_to(after, id) > 0 {
                continue;
            }
            let mut at = 0;
            for line in after.split_inclusive(|byte| *byte == b'\n') {
                let is_late = at >= leaving && reports(line, token);
                assert!(!is_late, "its answer was taken back: {}", String::from_utf8_lossy(line));
                at += line.len();
            }
        }
    }

    /// The application has let go of a request.
    pub(super) fn note_let_go(&mut self, id: &RequestId) {
        self.silenced.remove(&id.to_string());
    }

    /// So many bytes were written, while these requests wait for an answer.
    pub(super) fn note_written(&mut self, bytes: &[u8], waiting: &[&RequestId]) {
        self.unfinished.extend_from_slice(bytes);
        self.position += bytes.len();
        while let Some(end) = self.unfinished.iter().position(|byte| *byte == b'\n') {
            let rest = self.unfinished.split_off(end + 1);
            let line = core::mem::replace(&mut self.unfinished, rest);
            self.note_line(&line, waiting);
            self.line_start += line.len();
        }
    }

    fn note_line(&mut self, line: &[u8], waiting: &[&RequestId]) {
        let shown = String::from_utf8_lossy(line);
        let message = match Raw::parse(line, usize::MAX) {
            Ok(message) => message,
            Err(error) => panic!("{error} on the wire: {shown}"),
        };
        if message.kind() == Kind::Array {
            // The answers to a batch; this engine asks for nothing in one.
            assert!(message.items().next().is_some(), "an empty batch on the wire: {shown}");
            for message in message.items() {
                assert!(message.get("method").is_none(), "a question in a batch: {shown}");
                self.note_message(message, waiting, &shown);
            }
            return;
        }
        self.note_message(message, waiting, &shown);
    }

    fn note_message(&mut self, message: Raw<'_>, waiting: &[&RequestId], shown: &str) {
        let text = |name: &str| message.get(name).and_then(Raw::as_str);
        assert_eq!(text("jsonrpc").as_deref(), Some("2.0"), "{shown}");
        let id = message.get("id").map(key);
        let params = message.get("params");
        match (text("method").as_deref(), id) {
            (Some(method), Some(id)) => {
                if method == "initialize" {
                    self.uncancellable.insert(id.clone());
                }
                assert!(self.asked.insert(id), "the same request twice: {shown}");
                check_meta(params, shown);
            }
            (Some("notifications/progress"), None) => self.note_progress(params, shown),
            (Some("notifications/cancelled"), None) => {
                let id = params.and_then(|params| params.get("requestId")).map(key);
                let Some(id) = id else { panic!("a cancel without id: {shown}") };
                assert!(self.asked.contains(&id), "a cancel for what never left: {shown}");
                assert!(!self.uncancellable.contains(&id), "a cancel of the handshake: {shown}");
                let count = self.cancels.entry(id).or_default();
                *count += 1;
                assert_eq!(*count, 1, "a second cancel: {shown}");
            }
            (Some(_), None) => {}
            (None, id) => self.note_answer(message, id, waiting, shown),
        }
    }

    fn note_progress(&mut self, params: Option<Raw<'_>>, shown: &str) {
        let get = |name| params.and_then(|params| params.get(name));
        let (Some(token), Some(value)) = (get("progressToken"), get("progress")) else {
            panic!("incomplete progress on the wire: {shown}");
        };
        let Some(value) = value.as_f64() else { panic!("no number on the wire: {shown}") };
        let token = key(token);
        let Some(reports) = self.tokens.get_mut(&token) else {
            panic!("progress for a request that was answered or never came: {shown}");
        };
        if !reports.is_shared {
            assert!(
                reports.last.is_none_or(|last| last < value),
                "after {:?}: {shown}",
                reports.last
            );
            reports.last = Some(value);
            let of_token = |silenced: &&Silenced| silenced.token.as_ref() == Some(&token);
            let silenced = self.silenced.values().find(of_token);
            let is_late = silenced.is_some_and(|silenced| silenced.from <= self.line_start);
            assert!(!is_late, "progress for a request that was cancelled: {shown}");
        }
    }

    fn note_answer(
        &mut self,
        message: Raw<'_>,
        id: Option<String>,
        waiting: &[&RequestId],
        shown: &str,
    ) {
        let (result, error) = (message.get("result"), message.get("error"));
        assert!(result.is_some() != error.is_some(), "neither question nor answer: {shown}");
        let Some(id) = id.filter(|id| id != "null") else {
            assert!(error.is_some(), "a result without id: {shown}");
            return;
        };
        // A later request with its id is refused while its handler runs.
        let code = error.and_then(|error| error.get("code")).and_then(Raw::as_f64);
        let is_refusal = code == Some(ErrorObject::INVALID_REQUEST as f64);
        if let Some(silenced) = self.silenced.get_mut(&id).filter(|_| !is_refusal) {
            let earlier = silenced.earlier.checked_sub(1);
            let Some(earlier) = earlier else {
                panic!("an answer to a request that was cancelled: {shown}")
            };
            silenced.earlier = earlier;
        }
        if let Some(answers) = &mut self.answers {
            let left = answers.get_mut(&id).filter(|left| **left > 0);
            let Some(left) = left else { panic!("an answer that nobody waits for: {shown}") };
            *left -= 1;
        }
        let owner = self.owners.keys().find(|owner| owner.to_string() == id).cloned();
        if let Some(owner) = owner.filter(|owner| !waiting.contains(&owner))
            && let Some(token) = self.owners.remove(&owner)
            && self.tokens.get(&token).is_some_and(|reports| !reports.is_shared)
        {
            // Answered: nothing may follow for its token.
            self.tokens.remove(&token);
        }
    }
}

/// `_meta` of an application that tries to say what is the engine's to say.
pub(super) const STOLEN_META: &str = r#"{"own":"stolen","progressToken":"stolen","io.modelcontextprotocol/protocolVersion":"stolen","io.modelcontextprotocol/clientCapabilities":"stolen"}"#;

/// What an argument is made of, as often as its plan says; every third call has that `_meta`.
pub(super) const PAD: &str = "pad";

/// Of all that, the application's own is said and nothing else, by the calls that have it.
fn check_meta(params: Option<Raw<'_>>, shown: &str) {
    let Some(params) = params else { return };
    let stolen = |(_, value): &(_, Raw<'_>)| value.as_str().as_deref() == Some("stolen");
    let meta = params.get("_meta").into_iter().flat_map(Raw::members).filter(stolen);
    let names: Vec<_> = meta.map(|(name, _)| name.into_owned()).collect();
    let pad = params.get("pad").or_else(|| params.get_in(&["arguments", "pad"]));
    let Some(pad) = pad.and_then(Raw::as_str) else { return assert!(names.is_empty(), "{shown}") };
    let has_own = pad.len() / PAD.len() % 3 == 1;
    let expected: &[&str] = if has_own { &["own"] } else { &[] };
    assert_eq!(names, expected, "{shown}");
}

/// An id or a token as JSON, so that a number keeps its digits and a text differs from a number.
fn key(value: Raw<'_>) -> String {
    match value.kind() {
        Kind::String => format!("{:?}", value.as_str().unwrap_or_default()),
        _ => String::from_utf8_lossy(value.as_bytes()).into_owned(),
    }
}

/// Whether a line is progress under this token, which is JSON.
fn reports(line: &[u8], token: &str) -> bool {
    let Ok(message) = Raw::parse(line, usize::MAX) else { return false };
    let is_progress =
        message.get("method").and_then(Raw::as_str).as_deref() == Some("notifications/progress");
    is_progress && message.get_in(&["params", "progressToken"]).map(key).as_deref() == Some(token)
}

/// How many answers to requests with this id are among these lines.
fn answers_to(lines: &[u8], id: &RequestId) -> usize {
    let id = id.to_string();
    let answers = |message: &Raw<'_>| {
        message.get("method").is_none() && message.get("id").is_some_and(|own| key(own) == id)
    };
    let count = |line: &[u8]| match Raw::parse(line, usize::MAX) {
        // Those to a batch.
        Ok(line) if line.kind() == Kind::Array => line.items().filter(answers).count(),
        Ok(line) => usize::from(answers(&line)),
        Err(_) => 0,
    };
    lines.split(|byte| *byte == b'\n').map(count).sum()
}
