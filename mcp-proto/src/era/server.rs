//! The server's side: each request says by itself which era it belongs to.
//!
//! 2026-07-28 `basic/versioning` (dual-era servers) and `basic/index`; `basic/lifecycle` of the earlier.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;

#[cfg(feature = "snapshot")]
use super::Life;
use super::Speech;
use super::stamp::ServerStamp;
use crate::config::ServerConfig;
#[cfg(feature = "testing")]
use crate::digest::Digest;
use crate::error::ErrorObject;
use crate::event::PeerInfo;
use crate::json::{Kind, Params, Raw, RawJson};
use crate::method::{LISTEN, Request};
use crate::revision::{Era, Revision, RevisionSet};
use crate::role;
#[cfg(feature = "snapshot")]
use crate::state::{RestoreError, check};
use crate::types::{
    Discover, DiscoverResult, Implementation, Initialize, InitializeResult, LogLevel, Ping,
    SetLevel,
};
use crate::wire::RequestMeta;

/// Serves both eras, or one.
#[derive(Clone, Debug)]
pub(crate) struct Serving {
    pub(crate) served: Arc<Served>,
    /// The revision of the legacy session, once `initialize` was answered.
    session: Option<Revision>,
    /// Whether the client has said that it is ready.
    initialized: bool,
    /// The least serious log message that the legacy session wants.
    log_level: Option<LogLevel>,
    /// Whether a request was spoken in the modern era.
    heard_modern: bool,
}

/// What a server is. On HTTP many endpoints share it.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) config: ServerConfig,
    pub(crate) stamp: ServerStamp,
}

impl Served {
    pub(crate) fn new(config: ServerConfig) -> Self {
        Self { stamp: ServerStamp::new(&config.info), config }
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// The application answers it.
    Pass(Speech),
    /// The engine answers it.
    Answer(Answer, Speech),
    /// It is refused.
    Refuse(ErrorObject),
}

/// What the engine answers by itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    Empty,
    Initialize(Box<InitializeResult>, Box<PeerInfo>),
    Discover(Box<DiscoverResult>),
}

/// Methods that the modern era does not have: `basic/versioning`, compatibility.
const LEGACY_ONLY: [&str; 7] = [
    Initialize::METHOD,
    Ping::<role::Client>::METHOD,
    SetLevel::METHOD,
    "resources/subscribe",
    "resources/unsubscribe",
    "tasks/list",
    "tasks/result",
];

/// Methods that no session has.
const MODERN_ONLY: [&str; 3] = [Discover::METHOD, LISTEN, "tasks/update"];

impl Serving {
    pub(crate) fn new(served: Arc<Served>) -> Self {
        Self { served, session: None, initialized: false, log_level: None, heard_modern: false }
    }

    #[cfg(feature = "snapshot")]
    pub(super) fn life(&self) -> Life {
        let Self { served: _, session, initialized, log_level, heard_modern } = self;
        let (session, initialized, log_level) = (*session, *initialized, *log_level);
        Life::Server { session, initialized, log_level, heard_modern: *heard_modern }
    }

    #[cfg(feature = "snapshot")]
    pub(crate) fn restore(life: &Life, served: Arc<Served>) -> Result<Self, RestoreError> {
        let Life::Server { session, initialized, log_level, heard_modern } = *life else {
            return Err(RestoreError::Role);
        };
        let is_served = |session: Revision| served.config.revisions.contains(session);
        if !session.is_none_or(is_served) {
            return Err(RestoreError::Config("the revision of the session"));
        }
        let is_legacy = session.is_none_or(|session| session.era() == Era::Legacy);
        check(is_legacy, "a session of an era that has none")?;
        check(session.is_some() || !initialized && log_level.is_none(), "no session was opened")?;
        Ok(Self { served, session, initialized, log_level, heard_modern })
    }

    pub(crate) fn config(&self) -> &ServerConfig {
        &self.served.config
    }

    /// The revision of the legacy session.
    pub(crate) fn session(&self) -> Option<Revision> {
        self.session
    }

    /// Whether the legacy session is open for requests of ours.
    pub(crate) fn is_initialized(&self) -> bool {
        self.initialized
    }

    /// Whether an error that names no request bears the id null, as JSON-RPC has it, or none. Before a
    /// session it does, unless there can be none, or its client has spoken in the era that has none.
    pub(crate) fn says_null_id(&self) -> bool {
        match self.session {
            Some(revision) => revision.rules().null_id,
            None => {
                !self.heard_modern && self.served.config.revisions.newest(Era::Legacy).is_some()
            }
        }
    }

    /// The client says that it is ready.
    pub(crate) fn handle_initialized(&mut self) {
        self.initialized = self.session.is_some();
    }

    /// Whether a log message of `level` may be sent for a request spoken like this.
    pub(crate) fn wants_log(&self, speech: Option<Speech>, level: LogLevel) -> bool {
        if self.served.config.capabilities.logging.is_none() {
            return false;
        }
        match speech.filter(|speech| speech.revision.era() == Era::Modern) {
            // MUST NOT without a level in the request; 2026-07-28 server/utilities/logging
            Some(speech) => speech.log_level.is_some_and(|least| level >= least),
            None => self.session.is_some() && self.log_level.is_none_or(|least| level >= least),
        }
    }

    /// Judges a request.
    pub(crate) fn judge(
        &mut self,
        method: &[u8],
        params: Option<Params<'_>>,
        meta: &RequestMeta<'_>,
    ) -> Verdict {
        match meta.version {
            // Its own revision decides, whatever came before on this connection.
            Some(version) => self.judge_modern(method, version, meta),
            None => self.judge_legacy(method, params),
        }
    }

    fn judge_modern(&mut self, method: &[u8], version: Raw<'_>, meta: &RequestMeta<'_>) -> Verdict {
        let Some(version) = version.as_str() else {
            return Verdict::Refuse(ErrorObject::invalid_params(
                "_meta: protocolVersion is not a string",
            ));
        };
        let known = Revision::parse(&version).filter(|revision| revision.era() == Era::Modern);
        let Some(revision) =
            known.filter(|revision| self.served.config.revisions.contains(*revision))
        else {
            return Verdict::Refuse(unsupported(self.served.config.revisions, &version));
        };
        self.heard_modern = true;
        if meta.capabilities.is_none_or(|capabilities| capabilities.kind() != Kind::Object) {
            return Verdict::Refuse(ErrorObject::invalid_params(
                "_meta: clientCapabilities is not an object",
            ));
        }
        let log_level = match meta.log_level {
            None => None,
            Some(level) => match level.as_str().and_then(|level| LogLevel::parse(&level)) {
                Some(level) => Some(level),
                None => {
                    return Verdict::Refuse(ErrorObject::invalid_params(
                        "_meta: logLevel is no level",
                    ));
                }
            },
        };
        let speech = Speech { revision, log_level };
        if method == Discover::METHOD.as_bytes() {
            return Verdict::Answer(Answer::Discover(Box::new(self.description())), speech);
        }
        if LEGACY_ONLY.iter().any(|legacy| legacy.as_bytes() == method) {
            return Verdict::Refuse(ErrorObject::method_not_found());
        }
        Verdict::Pass(speech)
    }

    fn judge_legacy(&mut self, method: &[u8], params: Option<Params<'_>>) -> Verdict {
        let legacy = self.served.config.revisions.newest(Era::Legacy);
        if method == Initialize::METHOD.as_bytes() {
            return self.initialize(params);
        }
        let speech = Speech {
            revision: self.session.or(legacy).unwrap_or(Revision::LATEST),
            log_level: None,
        };
        if method == Ping::<role::Client>::METHOD.as_bytes() && legacy.is_some() {
            return Verdict::Answer(Answer::Empty, speech);
        }
        if self.session.is_none() {
            // A modern request must say so, and a legacy client does not come before `initialize`.
            return Verdict::Refuse(ErrorObject::invalid_params(
                "neither a session (initialize) nor _meta with protocolVersion",
            ));
        }
        if method == SetLevel::METHOD.as_bytes()
            && self.served.config.capabilities.logging.is_some()
        {
            let level =
                params.and_then(|params| params.get("level")).and_then(|level| level.as_str());
            return match level.and_then(|level| LogLevel::parse(&level)) {
                Some(level) => {
                    self.log_level = Some(level);
                    Verdict::Answer(Answer::Empty, speech)
                }
                None => Verdict::Refuse(ErrorObject::invalid_params("no such log level")),
            };
        }
        if MODERN_ONLY.iter().any(|modern| modern.as_bytes() == method) {
            return Verdict::Refuse(ErrorObject::method_not_found());
        }
        Verdict::Pass(speech)
    }

    fn initialize(&mut self, params: Option<Params<'_>>) -> Verdict {
        let Some(newest) = self.served.config.revisions.newest(Era::Legacy) else {
            let requested =
                params.and_then(|params| params.get("protocolVersion")).and_then(|v| v.as_str());
            let requested = requested.unwrap_or_default();
            return Verdict::Refuse(unsupported(self.served.config.revisions, &requested));
        };
        if self.session.is_some() {
            // Identity and revision of a session are settled once.
            return Verdict::Refuse(ErrorObject::new(
                ErrorObject::INVALID_REQUEST,
                "already initialized",
            ));
        }
        let wanted: Initialize = match params.map(|params| params.raw().decode()) {
            Some(Ok(wanted)) => wanted,
            Some(Err(error)) => {
                return Verdict::Refuse(ErrorObject::invalid_params(error.to_string()));
            }
            None => {
                return Verdict::Refuse(ErrorObject::invalid_params("initialize without params"));
            }
        };
        let revision = Revision::parse(&wanted.protocol_version)
            .filter(|revision| {
                revision.era() == Era::Legacy && self.served.config.revisions.contains(*revision)
            })
            .unwrap_or(newest);
        self.session = Some(revision);
        let config = &self.served.config;
        let result = InitializeResult::new(
            revision,
            config.capabilities.clone(),
            config.info.clone(),
            config.instructions.clone(),
        );
        let peer = PeerInfo {
            revision,
            info: Some::<Implementation>(wanted.client_info),
            capabilities: params
                .and_then(|params| params.get("capabilities"))
                .map_or_else(RawJson::empty_object, |capabilities| capabilities.to_raw_json()),
            instructions: None,
        };
        let speech = Speech { revision, log_level: None };
        Verdict::Answer(Answer::Initialize(Box::new(result), Box::new(peer)), speech)
    }

    #[cfg(feature = "testing")]
    pub(crate) fn digest(&self, digest: &mut Digest<'_>) {
        let Self { served: _, session, initialized, log_level, heard_modern } = self;
        digest.put((session, initialized, log_level, heard_modern));
    }

    fn description(&self) -> DiscoverResult {
        let config = &self.served.config;
        let versions = config.revisions.iter().map(|revision| revision.as_str().into()).collect();
        // All who ask are of this era.
        let capabilities = config.capabilities.clone().for_revision(Revision::LATEST);
        DiscoverResult::new(versions, capabilities, config.instructions.clone())
    }
}

/// Bytes of a version that are echoed: more than any will ever have. Stops a peer from making us say megabytes.
const MAX_ECHOED_LEN: usize = 1 << 10;

/// 2026-07-28 basic/versioning: names what is served and what was asked for.
pub(crate) fn unsupported(served: RevisionSet, requested: &str) -> ErrorObject {
    #[derive(serde::Serialize)]
    struct Data<'a> {
        supported: Vec<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        requested: Option<&'a str>,
    }
    let supported: Vec<_> = served.iter().map(Revision::as_str).collect();
    let why = match Revision::parse(requested).filter(|known| known.era() == Era::Legacy) {
        Some(known) if served.contains(known) => {
            "this protocol version begins with initialize and is not named in _meta".into()
        }
        // The message as well: a client of another era may look at nothing else.
        _ => format!("unsupported protocol version; supported: {}", supported.join(", ")),
    };
    let error = ErrorObject::new(ErrorObject::UNSUPPORTED_VERSION, why);
    // Cut short it would be another version.
    let echoed = Some(requested).filter(|requested| requested.len() <= MAX_ECHOED_LEN);
    match RawJson::of(&Data { supported, requested: echoed }) {
        Ok(data) => error.data(data),
        Err(_) => error,
    }
}
