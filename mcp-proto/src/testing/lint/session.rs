//! The session of the legacy era: how far it has been opened, and what was declared in it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::message::{Fault, Outcome, Params};
use super::rules;
use crate::id::RequestId;
use crate::json::{Kind, Raw, RawJson};
use crate::revision::{Era, Revision};

/// A session, from its `initialize` on.
#[derive(Debug)]
pub(super) struct Session {
    opening: RequestId,
    stage: Stage,
    /// What was agreed on; until then what the client asks for.
    revision: Revision,
    client: Option<RawJson>,
    server: Option<RawJson>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// `initialize` waits for its answer.
    Asked,
    /// It was answered with a result.
    Answered,
    /// The client has said that it is ready.
    Open,
}

/// What one side asks of the other, by the beginning of its method, and what the other declares for that.
const CAPABILITIES: [(&str, &[&str]); 9] = [
    ("tools/", &["tools"]),
    ("prompts/", &["prompts"]),
    ("resources/subscribe", &["resources", "subscribe"]),
    ("resources/", &["resources"]),
    ("logging/", &["logging"]),
    ("completion/", &["completions"]),
    ("sampling/", &["sampling"]),
    ("roots/", &["roots"]),
    ("elicitation/", &["elicitation"]),
];

/// What is announced, and what is declared for that.
const NEWS: [(&str, [&str; 2]); 5] = [
    ("notifications/tools/list_changed", ["tools", "listChanged"]),
    ("notifications/prompts/list_changed", ["prompts", "listChanged"]),
    ("notifications/resources/list_changed", ["resources", "listChanged"]),
    ("notifications/resources/updated", ["resources", "subscribe"]),
    ("notifications/roots/list_changed", ["roots", "listChanged"]),
];

impl Session {
    /// A session that this request opens.
    pub(super) fn new(opening: RequestId, params: Params<'_>, faults: &mut Vec<Fault>) -> Self {
        let missing = lacks(|name| params.get(name), "clientInfo");
        if !missing.is_empty() {
            faults.push((&rules::INITIALIZE_LACKS, missing));
        }
        let client = params.get("capabilities").map(Raw::to_raw_json);
        let revision = params.get("protocolVersion").and_then(revision);
        let revision = revision.unwrap_or(Revision::LATEST_LEGACY);
        Self { opening, stage: Stage::Asked, revision, client, server: None }
    }

    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    /// The answer to this request opens it.
    pub(super) fn is_opened_by(&self, id: &RequestId) -> bool {
        self.stage == Stage::Asked && self.opening == *id
    }

    /// Its `initialize` was answered. Whether there is a session now.
    pub(super) fn answered(&mut self, outcome: Outcome<'_>, faults: &mut Vec<Fault>) -> bool {
        let Outcome::Result(result) = outcome else { return false };
        self.stage = Stage::Answered;
        let missing = lacks(|name| result.get(name), "serverInfo");
        if !missing.is_empty() {
            faults.push((&rules::INITIALIZE_RESULT_LACKS, missing));
        }
        self.server = result.get("capabilities").map(Raw::to_raw_json);
        match result.get("protocolVersion").map(|version| (version, revision(version))) {
            Some((_, Some(revision))) => self.revision = revision,
            Some((version, None)) if version.kind() == Kind::String => {
                faults.push((&rules::WRONG_VERSION, format!("{version}")));
            }
            _ => {}
        }
        true
    }

    /// The client says that it is ready.
    pub(super) fn open(&mut self, faults: &mut Vec<Fault>) {
        match self.stage {
            Stage::Asked => faults.push((&rules::NOT_INITIALIZED, "it comes too early".into())),
            Stage::Answered | Stage::Open => self.stage = Stage::Open,
        }
    }

    /// A request of the client, or of the server.
    pub(super) fn judge_request(&self, is_clients: bool, method: &str, faults: &mut Vec<Fault>) {
        if method == "ping" {
            return;
        }
        match (self.stage, is_clients) {
            (Stage::Asked, true) => faults.push((&rules::EARLY_REQUEST, method.into())),
            (Stage::Answered, true) => faults.push((&rules::NOT_INITIALIZED, method.into())),
            (Stage::Asked | Stage::Answered, false) => {
                faults.push((&rules::EARLY_SERVER, method.into()));
            }
            (Stage::Open, _) => {}
        }
        let declared = if is_clients { &self.server } else { &self.client };
        let needed = CAPABILITIES.iter().find(|(start, _)| method.starts_with(start));
        if let (Some(declared), Some((_, path))) = (declared, needed)
            // The first revision has completion, but nothing to declare it with.
            && !(path == &["completions"] && self.revision == Revision::V2024_11_05)
            && !has(declared, path)
        {
            faults.push((&rules::UNDECLARED, format!("{method} without `{}`", path.join("."))));
        }
    }

    /// A notification of the client, or of the server.
    pub(super) fn judge_news(&self, is_clients: bool, method: &str, faults: &mut Vec<Fault>) {
        let is_log = method == "notifications/message";
        if !is_clients && self.stage != Stage::Open && !is_log {
            faults.push((&rules::EARLY_SERVER, method.into()));
        }
        let Some(declared) = (if is_clients { &self.client } else { &self.server }) else { return };
        if is_log && !has(declared, &["logging"]) {
            faults.push((&rules::UNDECLARED_LOGS, method.into()));
        }
        if let Some((_, path)) = NEWS.iter().find(|(name, _)| method == *name)
            && !has(declared, path)
        {
            faults
                .push((&rules::UNDECLARED_NEWS, format!("{method} without `{}`", path.join("."))));
        }
    }
}

/// A revision with sessions.
fn revision(version: Raw<'_>) -> Option<Revision> {
    Revision::parse(&version.as_str()?).filter(|revision| revision.era() == Era::Legacy)
}

/// Whether something is there; a switch must be on.
fn has(declared: &RawJson, path: &[&str]) -> bool {
    declared.as_raw().get_in(path).is_some_and(|value| value.as_bool() != Some(false))
}

/// Which of the three members are missing that both sides of a handshake have.
fn lacks<'a>(get: impl Fn(&str) -> Option<Raw<'a>>, info: &str) -> String {
    let kinds =
        [("protocolVersion", Kind::String), ("capabilities", Kind::Object), (info, Kind::Object)];
    let missing = kinds.iter().filter(|(name, kind)| get(name).is_none_or(|is| is.kind() != *kind));
    let missing: Vec<&str> = missing.map(|(name, _)| *name).collect();
    if missing.is_empty() { String::new() } else { format!("no {}", missing.join(", ")) }
}
