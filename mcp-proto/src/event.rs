//! What the machine tells its caller.

use alloc::boxed::Box;
use alloc::string::String;

use crate::error::{CallError, CloseReason, Violation};
use crate::id::RequestId;
use crate::json::{RawJson, Text};
use crate::revision::Revision;
use crate::types::{Implementation, Progress};

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Event {
    /// The peer no longer wants the answer to its request. Answer nothing; `abandon` it when its work
    /// has stopped.
    Cancelled {
        /// The request.
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
        id: RequestId,
        /// Why, in the peer's words.
        reason: Option<Text>,
    },
    /// The connection has ended. The last event, exactly once.
    Closed(CloseReason),
    /// A stream was cut and is to be taken up again; if that succeeds, [`Resumed`](Self::Resumed) is told. Feature `http`.
    Interrupted {
        /// The call that it answers. None: it is the one for what belongs to no call.
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
        id: Option<RequestId>,
    },
    /// The peer announced something that the engine does not deal with itself.
    Notification {
        /// Its method.
        method: Text,
        /// Its parameters, if any: an object.
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
        params: Option<RawJson>,
    },
    /// A call of ours has come further.
    Progress {
        /// The call.
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
        id: RequestId,
        /// The report.
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
        progress: Progress,
    },
    /// Era, revision and the peer's capabilities are known. Over HTTP it comes again where a new session follows one that was
    /// lost, or the server is one of the other era now.
    Ready(Box<PeerInfo>),
    /// The peer wants an answer: `respond`, `fail` or `abandon`.
    Request {
        /// To be given back with the answer.
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
        id: RequestId,
        /// Its method.
        method: Text,
        /// Its parameters, if any: an object.
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
        params: Option<RawJson>,
    },
    /// A call of ours has ended. Exactly once for each call.
    Response {
        /// The call.
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
        id: RequestId,
        /// Its result, or how it ended without one.
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
        outcome: Result<RawJson, CallError>,
    },
    /// A stream that was [`Interrupted`](Self::Interrupted) goes on where it was cut. Once for each time; a call that
    /// ends instead has its response.
    Resumed {
        /// The call that it answers, as it was told.
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
        id: Option<RequestId>,
    },
    /// A report of this request had no way to the client, and none that follows has: the client took nothing but
    /// the answer, or its connection is gone and cannot be resumed. Once for each request; feature `http`.
    Undelivered {
        /// The request.
        #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
        id: RequestId,
    },
    /// The peer broke the protocol. Already dealt with.
    Violation(Violation),
}

/// What is known about the other side.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "snapshot", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PeerInfo {
    /// The revision that is spoken.
    pub revision: Revision,
    /// Who it is, if it says so.
    #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
    pub info: Option<Implementation>,
    /// What it can do, as it was said: decode it as `ServerCapabilities` or `ClientCapabilities`.
    #[cfg_attr(feature = "snapshot", serde(with = "crate::state::kept"))]
    pub capabilities: RawJson,
    /// How to use the server, for a model.
    pub instructions: Option<String>,
}
