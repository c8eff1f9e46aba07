//! What may pass now, and what must be stamped on it: one small machine for each role.

mod client;
mod server;
mod stamp;

pub(crate) use client::{MAX_REFUSAL_LEN, Negotiation, Next, Opening};
pub(crate) use server::{Answer, Served, Serving, Verdict};
pub(crate) use stamp::{ClientStamp, ServerStamp};

#[cfg(feature = "testing")]
use crate::digest::Digest;
use crate::revision::Revision;
use crate::types::LogLevel;

/// How one request of the peer is spoken, kept until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

impl Lifecycle {
    /// The revision that this side's own requests are spoken in, once it is known.
    pub(crate) fn revision(&self) -> Option<Revision> {
        match self {
            Self::Client(negotiation) => negotiation.revision(),
            Self::Server(serving) => serving.session(),
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
