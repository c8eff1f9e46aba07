//! What may pass now, and what must be stamped on it: one small machine for each role.

mod client;
mod server;
mod stamp;

#[cfg(feature = "http")]
pub(crate) use client::is_modern;
pub(crate) use client::{MAX_REFUSAL_LEN, Negotiation, Next, Opening};
#[cfg(feature = "http")]
pub(crate) use server::unsupported;
pub(crate) use server::{Answer, Served, Serving, Verdict};
pub(crate) use stamp::ClientStamp;

use core::time::Duration;

use crate::config::Timeouts;
#[cfg(feature = "testing")]
use crate::digest::Digest;
use crate::progress::Pacing;
use crate::revision::Revision;
use crate::types::LogLevel;

/// How one request of the peer is spoken, kept until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Speech {
    pub(crate) revision: Revision,
    /// The least serious log message wanted for it; modern era.
    pub(crate) log_level: Option<LogLevel>,
}

/// The machine of the role at hand.
#[derive(Clone, Debug)]
pub(crate) enum Lifecycle {
    Client(Negotiation),
    Server(Serving),
}

/// What a snapshot keeps of it: the rest is configuration, or follows from it.
#[cfg(feature = "snapshot")]
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) enum Life {
    Client {
        revision: Option<Revision>,
        retried: bool,
    },
    Server {
        session: Option<Revision>,
        initialized: bool,
        log_level: Option<LogLevel>,
        heard_modern: bool,
    },
}

impl Lifecycle {
    #[cfg(feature = "snapshot")]
    pub(crate) fn life(&self) -> Life {
        match self {
            Self::Client(negotiation) => negotiation.life(),
            Self::Server(serving) => serving.life(),
        }
    }

    /// The revision that this side's own requests are spoken in, once it is known.
    pub(crate) fn revision(&self) -> Option<Revision> {
        match self {
            Self::Client(negotiation) => negotiation.revision(),
            Self::Server(serving) => serving.session(),
        }
    }

    /// How long calls may take that say nothing of it.
    pub(crate) fn timeouts(&self) -> Timeouts {
        match self {
            Self::Client(negotiation) => negotiation.config.timeouts,
            Self::Server(serving) => serving.config().timeouts,
        }
    }

    /// How often progress leaves.
    pub(crate) fn pacing(&self) -> Pacing {
        match self {
            Self::Client(_) => Pacing::default(),
            Self::Server(serving) => serving.config().pacing,
        }
    }

    /// How long what was accepted may take once the peer sends nothing more.
    pub(crate) fn drain_timeout(&self) -> Duration {
        match self {
            Self::Client(_) => Duration::ZERO,
            Self::Server(serving) => serving.config().drain_timeout,
        }
    }

    #[cfg(feature = "testing")]
    pub(crate) fn digest(&self, digest: &mut Digest<'_>) {
        match self {
            Self::Client(negotiation) => negotiation.digest(digest),
            Self::Server(serving) => serving.digest(digest),
        }
    }
}
