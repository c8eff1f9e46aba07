//! The client's side: probe for the era, shake hands if it is the old one.
//!
//! 2026-07-28 `basic/transports/stdio` and `basic/versioning`; `basic/lifecycle` of the earlier ones.

use alloc::boxed::Box;
use alloc::string::ToString;
use core::time::Duration;

#[cfg(feature = "snapshot")]
use super::Life;
use super::stamp::ClientStamp;
use crate::config::{ClientConfig, Tolerance};
#[cfg(feature = "testing")]
use crate::digest::Digest;
use crate::error::{CallError, CloseReason, ErrorObject};
use crate::event::PeerInfo;
use crate::json::{Kind, Raw, RawJson, bounded};
use crate::revision::{Era, Revision, RevisionSet};
#[cfg(feature = "snapshot")]
use crate::state::RestoreError;
use crate::types::{Implementation, meta};

/// Finds out how to speak with the server.
#[derive(Clone, Debug)]
pub(crate) struct Negotiation {
    revisions: RevisionSet,
    revision: Option<Revision>,
    /// A server that rejects the version that it offers gets one more try, not an endless loop.
    retried: bool,
    pub(crate) config: Box<ClientConfig>,
    /// Boxed, for the machine of a server has this place too.
    stamp: Option<Box<ClientStamp>>,
}

/// What the client says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// `server/discover`, in the name of this revision.
    Probe(Revision),
    /// `initialize`, asking for this revision.
    Initialize(Revision),
}

/// What follows from an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Next {
    Ready(Box<PeerInfo>),
    Say(Opening),
    Close(CloseReason),
}

impl Negotiation {
    pub(crate) fn new(config: ClientConfig) -> Self {
        Self {
            revisions: config.revisions,
            revision: None,
            retried: false,
            config: Box::new(config),
            stamp: None,
        }
    }

    #[cfg(feature = "snapshot")]
    pub(super) fn life(&self) -> Life {
        let Self { revisions: _, revision, retried, config: _, stamp: _ } = self;
        Life::Client { revision: *revision, retried: *retried }
    }

    #[cfg(feature = "snapshot")]
    pub(crate) fn restore(life: &Life, config: ClientConfig) -> Result<Self, RestoreError> {
        let Life::Client { revision, retried } = *life else { return Err(RestoreError::Role) };
        let mut restored = Self { revision, retried, ..Self::new(config) };
        if revision.is_some_and(|revision| !restored.revisions.contains(revision)) {
            return Err(RestoreError::Config("the revision that is spoken"));
        }
        restored.stamp = revision
            .filter(|revision| revision.era() == Era::Modern)
            .map(|revision| Box::new(restored.stamp_for(revision)));
        Ok(restored)
    }

    pub(crate) fn opening(&self) -> Option<Opening> {
        match (self.revisions.newest(Era::Modern), self.revisions.newest(Era::Legacy)) {
            (Some(modern), _) => Some(Opening::Probe(modern)),
            (None, Some(legacy)) => Some(Opening::Initialize(legacy)),
            (None, None) => None,
        }
    }

    /// How long the probe may stay unanswered. Silence is a sign only where there is an older era to fall
    /// back on; elsewhere the probe is the whole handshake.
    pub(crate) fn probe_timeout(&self) -> Duration {
        match self.revisions.newest(Era::Legacy) {
            Some(_) => self.config.probe_timeout,
            None => self.config.handshake_timeout,
        }
    }

    /// The revision in force, once it is known.
    pub(crate) fn revision(&self) -> Option<Revision> {
        self.revision
    }

    /// What requests carry in the modern era.
    pub(crate) fn stamp(&self) -> Option<&ClientStamp> {
        self.stamp.as_deref()
    }

    /// What a probe in the name of `revision` carries.
    pub(crate) fn stamp_for(&self, revision: Revision) -> ClientStamp {
        ClientStamp::new(
            revision,
            &self.config.capabilities,
            &self.config.info,
            self.config.log_level,
        )
    }

    /// The probe was answered with a result.
    pub(crate) fn handle_discovered(&mut self, result: Raw<'_>) -> Next {
        let Some(versions) =
            result.get("supportedVersions").filter(|versions| versions.kind() == Kind::Array)
        else {
            return self.handle_probe_nonsense();
        };
        if self.config.tolerance == Tolerance::Strict
            && result
                .get("cacheScope")
                .is_some_and(|scope| scope.as_str().is_none_or(|scope| scope.is_empty()))
        {
            return Next::Close(CloseReason::HandshakeInvalid);
        }
        match self.mutual(versions) {
            Some(revision) if revision.era() == Era::Modern => {
                self.revision = Some(revision);
                self.stamp = Some(Box::new(self.stamp_for(revision)));
                let info = result.get("_meta").and_then(|meta| meta.get(meta::SERVER_INFO));
                Next::Ready(Box::new(PeerInfo {
                    revision,
                    info: info.and_then(|info| info.decode::<Implementation>().ok()),
                    capabilities: capabilities(result),
                    instructions: instructions(result),
                }))
            }
            Some(legacy) => Next::Say(Opening::Initialize(legacy)),
            None => Next::Close(CloseReason::NoCommonVersion),
        }
    }

    /// The probe was answered with an error. Only an error that no legacy server sends keeps the
    /// client modern; any other one, whatever its code, means legacy.
    pub(crate) fn handle_probe_error(&mut self, error: &ErrorObject) -> Next {
        match error.code {
            _ if !is_modern(error.code, error.data.as_ref().map(RawJson::as_raw)) => {
                self.fall_back(refused(error))
            }
            ErrorObject::UNSUPPORTED_VERSION => match self.offered(error) {
                Some(revision) if revision.era() == Era::Legacy => {
                    Next::Say(Opening::Initialize(revision))
                }
                Some(revision) if !core::mem::replace(&mut self.retried, true) => {
                    Next::Say(Opening::Probe(revision))
                }
                _ => Next::Close(CloseReason::NoCommonVersion),
            },
            _ => Next::Close(refused(error)),
        }
    }

    /// The probe was not answered in time.
    pub(crate) fn handle_probe_silence(&mut self) -> Next {
        self.fall_back_unless_known(CloseReason::HandshakeTimeout)
    }

    /// The probe was answered with what cannot be read. An old server may answer anything to what it does not
    /// know.
    pub(crate) fn handle_probe_nonsense(&self) -> Next {
        self.fall_back_unless_known(CloseReason::HandshakeInvalid)
    }

    /// `initialize` was answered with a result.
    pub(crate) fn handle_initialized(&mut self, result: Raw<'_>) -> Next {
        let Some(version) = result.get("protocolVersion").and_then(|version| version.as_str())
        else {
            return Next::Close(CloseReason::HandshakeInvalid);
        };
        // A modern string here is no session: that era has none.
        let revision = Revision::parse(&version)
            .filter(|revision| revision.era() == Era::Legacy && self.revisions.contains(*revision));
        let Some(revision) = revision else { return Next::Close(CloseReason::NoCommonVersion) };
        let has = |name| result.get(name).is_some_and(|value| value.kind() == Kind::Object);
        if !has("capabilities") || !has("serverInfo") {
            return Next::Close(CloseReason::HandshakeInvalid);
        }
        self.revision = Some(revision);
        Next::Ready(Box::new(PeerInfo {
            revision,
            info: result.get("serverInfo").and_then(|info| info.decode::<Implementation>().ok()),
            capabilities: capabilities(result),
            instructions: instructions(result),
        }))
    }

    /// `initialize` was answered with an error. A modern server that starts slowly is taken for a legacy one;
    /// it says so by naming what it speaks, and gets one more try.
    pub(crate) fn handle_refused(&mut self, error: ErrorObject) -> Next {
        let offered = match error.code {
            ErrorObject::UNSUPPORTED_VERSION => self.offered(&error),
            _ => None,
        };
        match offered.filter(|revision| revision.era() == Era::Modern) {
            Some(revision) if !core::mem::replace(&mut self.retried, true) => {
                Next::Say(Opening::Probe(revision))
            }
            _ => Next::Close(refused(&error)),
        }
    }

    /// The exchange of the probe has failed. No answer at all, and a demand for credentials or patience, say nothing
    /// of the era; of one that was found out already only a refusal says something.
    pub(crate) fn handle_probe_failed(&mut self, error: CallError) -> Next {
        match error {
            CallError::Peer(error) => self.handle_probe_error(&error),
            CallError::Http(error)
                if error.says_nothing_of_the_era()
                    || self.revision.is_some() && !error.is_refusal() =>
            {
                Next::Close(CloseReason::Http(error))
            }
            CallError::Http(error) => self.fall_back(CloseReason::Http(error)),
            _ => self.handle_probe_nonsense(),
        }
    }

    /// The exchange of `initialize` has failed.
    pub(crate) fn handle_initialize_failed(&mut self, error: CallError) -> Next {
        match error {
            CallError::Peer(error) => self.handle_refused(error),
            CallError::Http(error) => Next::Close(CloseReason::Http(error)),
            _ => Next::Close(CloseReason::HandshakeInvalid),
        }
    }

    /// What asks whether the server is still a modern one. Nothing where it would be no help to know.
    #[cfg(feature = "http")]
    pub(crate) fn doubt(&mut self) -> Option<Opening> {
        let revision = self.revision.filter(|revision| revision.era() == Era::Modern)?;
        self.revisions.newest(Era::Legacy)?;
        self.retried = false;
        Some(Opening::Probe(revision))
    }

    /// Whether a server that refuses a version names the other era instead: it does not serve what is spoken, and the
    /// newest that both speak is of that.
    #[cfg(feature = "http")]
    pub(crate) fn is_of_another_era(&self, error: &ErrorObject) -> bool {
        let (Some(spoken), Some(offered)) = (self.revision, self.offered(error)) else {
            return false;
        };
        let supported = error.data.as_ref().and_then(|data| data.get("supported"));
        let serves_it = |supported: Raw<'_>| {
            supported
                .items()
                .any(|version| version.as_str().is_some_and(|it| it == spoken.as_str()))
        };
        offered.era() != spoken.era() && !supported.is_some_and(serves_it)
    }

    /// A legacy session is over: what is said first in this era instead. Nothing where there was none.
    #[cfg(feature = "http")]
    pub(crate) fn restart(&self, era: Era) -> Option<Opening> {
        self.revision.filter(|revision| revision.era() == Era::Legacy)?;
        let newest = self.revisions.newest(era)?;
        Some(match era {
            Era::Modern => Opening::Probe(newest),
            Era::Legacy => Opening::Initialize(newest),
        })
    }

    /// What was found out of the server holds no longer.
    #[cfg(feature = "http")]
    pub(crate) fn forget(&mut self) {
        (self.revision, self.stamp, self.retried) = (None, None, false);
    }

    /// As [`fall_back`](Self::fall_back), for what is no sign: of an era that was found out already it says nothing.
    fn fall_back_unless_known(&self, otherwise: CloseReason) -> Next {
        if self.revision.is_some() { Next::Close(otherwise) } else { self.fall_back(otherwise) }
    }

    fn fall_back(&self, otherwise: CloseReason) -> Next {
        match self.revisions.newest(Era::Legacy) {
            Some(legacy) => Next::Say(Opening::Initialize(legacy)),
            None => Next::Close(otherwise),
        }
    }

    /// The newest revision that both sides speak, of those that an error names.
    fn offered(&self, error: &ErrorObject) -> Option<Revision> {
        let supported = error.data.as_ref()?.get("supported")?;
        (supported.kind() == Kind::Array).then(|| self.mutual(supported)).flatten()
    }

    /// The newest revision that both sides speak.
    fn mutual(&self, versions: Raw<'_>) -> Option<Revision> {
        let offered = versions.items().filter_map(|version| Revision::parse(&version.as_str()?));
        offered.filter(|revision| self.revisions.contains(*revision)).max()
    }

    #[cfg(feature = "testing")]
    pub(crate) fn digest(&self, digest: &mut Digest<'_>) {
        // The stamp follows from the revision; the rest is configuration.
        let Self { revisions: _, revision, retried, config: _, stamp: _ } = self;
        digest.put((revision, retried));
    }
}

/// Bytes that are kept of the message with which a handshake is refused: every call ends with a copy.
pub(crate) const MAX_REFUSAL_LEN: usize = 1 << 10;

/// Whether only a modern server says that: by its code, and by the form of its data where the page gives one. The codes
/// alone were anybody's before; 2026-07-28 basic/transports/stdio.
pub(crate) fn is_modern(code: i64, data: Option<Raw<'_>>) -> bool {
    let has = |name, kind| data.and_then(|data| data.get(name)).is_some_and(|it| it.kind() == kind);
    match code {
        ErrorObject::UNSUPPORTED_VERSION => has("supported", Kind::Array),
        ErrorObject::MISSING_CLIENT_CAPABILITY => has("requiredCapabilities", Kind::Object),
        ErrorObject::HEADER_MISMATCH => true,
        _ => false,
    }
}

fn refused(error: &ErrorObject) -> CloseReason {
    let message = bounded(&error.message, MAX_REFUSAL_LEN);
    let data = error.data.clone();
    CloseReason::HandshakeRefused(ErrorObject { code: error.code, message: message.into(), data })
}

fn capabilities(result: Raw<'_>) -> RawJson {
    let capabilities =
        result.get("capabilities").filter(|capabilities| capabilities.kind() == Kind::Object);
    capabilities.map_or_else(RawJson::empty_object, |capabilities| capabilities.to_raw_json())
}

fn instructions(result: Raw<'_>) -> Option<alloc::string::String> {
    Some(result.get("instructions")?.as_str()?.to_string())
}
